//! Pre-activations of chosen latents.
//!
//! How far a silent latent was from firing is what threshold accounting asks; it needs a few latents, not all of them.

use kernels::{Layout, Threads, gemm_f32};
use rayon::prelude::*;

use crate::{Architecture, Sae};

/// Rows of one task.
const ROWS: usize = 256;

impl Sae {
    /// Pre-activations of some latents, in the units that the threshold or the selection compares: after `b_enc`, and for a
    /// rescaling top-k after the multiplication with the decoder norm. For a gated autoencoder they are those of the gate, after
    /// `b_gate`: above 0 it is open, and the latent fires if its magnitude is positive too.
    ///
    /// # Shapes
    /// - `x`: `[n, d_in]`
    /// - `latents`: `[m]`, in any order, repeats allowed
    /// - returns: `[n, m]`
    ///
    /// # Panics
    /// If `x` is not whole rows or there is no such latent.
    #[must_use]
    pub fn pre_activations(&self, x: &[f32], latents: &[usize]) -> Vec<f32> {
        let d_in = self.config.d_in;
        let (rows, width) = (self.rows_of(x), latents.len());
        let mut out = vec![0.0; rows * width];
        if out.is_empty() {
            return out;
        }
        let scale = |latent: usize| self.rescale.get(latent).copied().unwrap_or(1.0);
        let columns = self.parts.encoder.gather(latents);
        let bias = self.encoder_bias();
        let biases: Vec<f32> = latents.iter().map(|&latent| bias[latent]).collect();
        let scales: Vec<f32> = latents.iter().map(|&latent| scale(latent)).collect();
        out.par_chunks_mut(ROWS * width)
            .zip(x.par_chunks(ROWS * d_in))
            .for_each(|(out, x)| {
                let (input, _) = self.encoder_input(x);
                for row in out.chunks_exact_mut(width) {
                    row.copy_from_slice(&biases);
                }
                gemm_f32(
                    (x.len() / d_in, d_in, width),
                    (&input, Layout::rows(d_in)),
                    (&columns, Layout::transposed(d_in)),
                    (out, Layout::rows(width)),
                    true,
                    1.0,
                    Threads::One,
                );
                for row in out.chunks_exact_mut(width) {
                    row.iter_mut().zip(&scales).for_each(|(value, scale)| *value *= scale);
                }
            });
        out
    }

    /// What some latents would be were nothing cut off: without the threshold, the gate, or the choice among the latents of a row.
    /// In the units of [`Sae::encode`], and equal to its values where a latent is active.
    ///
    /// That is the positive part of the pre-activation; of a gated autoencoder the magnitude as if the gate were open; of a signed
    /// top-k the pre-activation with its sign.
    ///
    /// # Shapes
    /// - `x`: `[n, d_in]`
    /// - `latents`: `[m]`, in any order, repeats allowed
    /// - returns: `[n, m]`
    ///
    /// # Panics
    /// If `x` is not whole rows or there is no such latent.
    #[must_use]
    pub fn unthresholded(&self, x: &[f32], latents: &[usize]) -> Vec<f32> {
        let mut out = self.pre_activations(x, latents);
        if latents.is_empty() || self.config.architecture.signed() {
            return out;
        }
        let vectors = &self.parts.vectors;
        for row in out.chunks_exact_mut(latents.len()) {
            for (value, &latent) in row.iter_mut().zip(latents) {
                if self.config.architecture == Architecture::Gated {
                    *value = (*value - vectors.b_gate[latent]) * self.magnitude[latent] + vectors.b_mag[latent];
                }
                *value = value.max(0.0);
            }
        }
        out
    }
}
