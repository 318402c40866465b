//! From sparse latents back to activations: a sum over active latents only.

use kernels::math;
use rayon::prelude::*;

use crate::{Normalization, Sae, SparseLatents};

/// Rows of one task.
const ROWS: usize = 64;

impl Sae {
    /// Reconstruction: `z W_dec + b_dec`, with the input normalisation taken back. Latents are added in ascending order.
    ///
    /// # Shapes
    /// - `latents`: `n` rows over `d_sae` latents
    /// - returns: `[n, d_in]`
    ///
    /// # Panics
    /// If the latents are of another width, or this autoencoder normalises its input and the latents do not come from its
    /// [`Sae::encode`], which records how to go back.
    #[must_use]
    pub fn decode(&self, latents: &SparseLatents) -> Vec<f32> {
        let d_in = self.config.d_in;
        assert_eq!(latents.width(), self.config.d_sae, "latents of another autoencoder");
        let mut out = vec![0.0; latents.rows() * d_in];
        out.par_chunks_mut(ROWS * d_in).enumerate().for_each(|(chunk, out)| {
            for (at, out) in out.chunks_exact_mut(d_in).enumerate() {
                self.decode_row(latents, chunk * ROWS + at, out);
            }
        });
        out
    }

    fn decode_row(&self, latents: &SparseLatents, row: usize, out: &mut [f32]) {
        let (index, values) = latents.row(row);
        math::simd(|| {
            out.copy_from_slice(&self.weights.b_dec);
            for (&latent, &value) in index.iter().zip(values) {
                let latent = latent as usize;
                let value = self
                    .rescale
                    .get(latent)
                    .map_or(value, |norm| value / norm.max(f32::MIN_POSITIVE));
                for (out, weight) in out.iter_mut().zip(self.decoder_row(latent)) {
                    *out += value * weight;
                }
            }
        });
        if self.config.normalize_activations != Normalization::None {
            let norm = latents
                .row_norm(row)
                .expect("latents of an autoencoder that normalises come from its `encode`");
            for value in out {
                *value = *value * norm.scale + norm.shift;
            }
        }
    }

    /// What the reconstruction leaves out: `x - decode(latents)`.
    ///
    /// # Shapes
    /// - `x`: `[n, d_in]`
    /// - `latents`: `n` rows over `d_sae` latents
    /// - returns: `[n, d_in]`
    ///
    /// # Panics
    /// If `x` and `latents` have different rows, and those of [`Sae::decode`].
    #[must_use]
    pub fn error_term(&self, x: &[f32], latents: &SparseLatents) -> Vec<f32> {
        assert_eq!(self.rows_of(x), latents.rows(), "latents of other rows");
        let mut out = self.decode(latents);
        for (out, x) in out.iter_mut().zip(x) {
            *out = x - *out;
        }
        out
    }
}
