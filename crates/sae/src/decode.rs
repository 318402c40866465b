//! From sparse latents back to activations: a sum over active latents only.
//!
//! Three cases, so that nothing is left out without a word: [`Sae::decode`] needs latents only and refuses autoencoders with a
//! skip connection, whose output depends on the input too; [`Sae::decode_with_input`] and [`Sae::reconstruct`] serve all. An error
//! term compares with the input ([`Sae::error_term`], which refuses transcoders) or with what the caller names
//! ([`Sae::error_against`]).
//!
//! Of a decoder that stays in its file, the rows of latents that are active anywhere in the input are widened once each, some at
//! a time.

use kernels::{Layout, Threads, gemm_f32, math};
use rayon::prelude::*;

use crate::{Normalization, Sae, SparseLatents};

/// Rows of one task.
const ROWS: usize = 64;
/// Decoder rows that are widened or gathered at a time, where they are not in memory: 18 MiB at width 2304.
const GATHERED: usize = 2048;

impl Sae {
    /// Reconstruction: `z W_dec + b_dec`, with the input normalisation taken back. Latents are added in ascending order.
    ///
    /// For a transcoder it is the output at the other hook, and the normalisation, which is of the input, stays.
    ///
    /// # Shapes
    /// - `latents`: `n` rows over `d_sae` latents
    /// - returns: `[n, d_out]`
    ///
    /// # Panics
    /// If this autoencoder has a skip connection, whose output needs the input: see [`Sae::decode_with_input`]. If the latents are
    /// of another width, or this autoencoder normalises its input and the latents do not come from its [`Sae::encode`], which
    /// records how to go back.
    #[must_use]
    pub fn decode(&self, latents: &SparseLatents) -> Vec<f32> {
        assert!(
            !self.config.output.skip,
            "an autoencoder with a skip connection needs its input to decode: use `reconstruct` or `decode_with_input`"
        );
        self.decode_latents(latents)
    }

    /// [`Sae::decode`], and for an autoencoder with a skip connection `x W_skip^T` added.
    ///
    /// # Shapes
    /// - `latents`: `n` rows over `d_sae` latents
    /// - `x`: `[n, d_in]`, the rows that the latents come from
    /// - returns: `[n, d_out]`
    ///
    /// # Panics
    /// If `x` and `latents` have different rows, and those of [`Sae::decode`] but the first.
    #[must_use]
    pub fn decode_with_input(&self, latents: &SparseLatents, x: &[f32]) -> Vec<f32> {
        assert_eq!(self.rows_of(x), latents.rows(), "latents of other rows");
        let mut out = self.decode_latents(latents);
        if self.config.output.skip {
            let (d_in, d_out) = (self.config.d_in, self.d_out());
            out.par_chunks_mut(ROWS * d_out)
                .zip(x.par_chunks(ROWS * d_in))
                .for_each(|(out, x)| {
                    gemm_f32(
                        (x.len() / d_in, d_in, d_out),
                        (x, Layout::rows(d_in)),
                        (&self.parts.vectors.w_skip, Layout::transposed(d_in)),
                        (out, Layout::rows(d_out)),
                        true,
                        1.0,
                        Threads::One,
                    );
                });
        }
        out
    }

    /// What the autoencoder makes of `x`: [`Sae::encode`], then [`Sae::decode_with_input`].
    ///
    /// # Shapes
    /// - `x`: `[n, d_in]`
    /// - returns: `[n, d_out]`
    ///
    /// # Panics
    /// If `x` is not whole rows.
    #[must_use]
    pub fn reconstruct(&self, x: &[f32]) -> Vec<f32> {
        self.decode_with_input(&self.encode(x), x)
    }

    fn decode_latents(&self, latents: &SparseLatents) -> Vec<f32> {
        let d_out = self.d_out();
        assert_eq!(latents.width(), self.config.d_sae, "latents of another autoencoder");
        let mut out = self.parts.vectors.b_dec.repeat(latents.rows());
        match self.parts.decoder.rows() {
            Some(rows) => out.par_chunks_mut(ROWS * d_out).enumerate().for_each(|(chunk, out)| {
                for (at, out) in out.chunks_exact_mut(d_out).enumerate() {
                    let (index, values) = latents.row(chunk * ROWS + at);
                    self.add(index, values, |latent| &rows[latent * d_out..][..d_out], out);
                }
            }),
            None => self.add_gathered(latents, &mut out),
        }
        // A transcoder's output is at another hook, which the input's norm says nothing about.
        if self.config.normalize_activations != Normalization::None && !self.config.output.transcoder {
            for (row, out) in out.chunks_exact_mut(d_out).enumerate() {
                let norm = latents
                    .row_norm(row)
                    .expect("latents of an autoencoder that normalises come from its `encode`");
                for value in out {
                    *value = *value * norm.scale + norm.shift;
                }
            }
        }
        out
    }

    /// Adds decoder rows that have to be widened or gathered first: each active latent's once, some at a time.
    fn add_gathered(&self, latents: &SparseLatents, out: &mut [f32]) {
        let d_out = self.d_out();
        let mut active = vec![false; latents.width()];
        for row in 0..latents.rows() {
            for &latent in latents.row(row).0 {
                active[latent as usize] = true;
            }
        }
        let active: Vec<usize> = (0..active.len()).filter(|&latent| active[latent]).collect();
        // Ascending, so that every row adds its latents in the same order as from memory.
        for block in active.chunks(GATHERED) {
            let rows = self.parts.decoder.gather(block);
            let row_of = |latent: usize| {
                let at = block.partition_point(|&other| other < latent);
                &rows[at * d_out..][..d_out]
            };
            let (first, last) = (block[0] as u32, block[block.len() - 1] as u32);
            out.par_chunks_mut(d_out).enumerate().for_each(|(row, out)| {
                let (index, values) = latents.row(row);
                let here =
                    index.partition_point(|&latent| latent < first)..index.partition_point(|&latent| latent <= last);
                self.add(&index[here.clone()], &values[here], row_of, out);
            });
        }
    }

    /// `out += z W_dec` for some latents of one row.
    fn add<'a>(&self, index: &[u32], values: &[f32], row_of: impl Fn(usize) -> &'a [f32], out: &mut [f32]) {
        math::simd(
            #[inline(always)]
            || {
                for (&latent, &value) in index.iter().zip(values) {
                    let latent = latent as usize;
                    let value = self
                        .rescale
                        .get(latent)
                        .map_or(value, |norm| value / norm.max(f32::MIN_POSITIVE));
                    for (out, weight) in out.iter_mut().zip(row_of(latent)) {
                        *out += value * weight;
                    }
                }
            },
        );
    }

    /// What the reconstruction leaves out: `x` less [`Sae::decode_with_input`].
    ///
    /// # Shapes
    /// - `x`: `[n, d_in]`
    /// - `latents`: `n` rows over `d_sae` latents
    /// - returns: `[n, d_in]`
    ///
    /// # Panics
    /// If this is a transcoder, whose output is to be compared with activations at another hook: see [`Sae::error_against`]. If `x`
    /// and `latents` have different rows, and those of [`Sae::decode_with_input`].
    #[must_use]
    pub fn error_term(&self, x: &[f32], latents: &SparseLatents) -> Vec<f32> {
        assert!(
            !self.config.output.transcoder,
            "a transcoder's output is not its input: use `error_against` with the activations at its output hook"
        );
        self.error_against(x, x, latents)
    }

    /// What the output leaves out of `target`: `target` less [`Sae::decode_with_input`].
    ///
    /// # Shapes
    /// - `target`: `[n, d_out]`: for a transcoder the activations at its output hook, else `x`
    /// - `x`: `[n, d_in]`
    /// - `latents`: `n` rows over `d_sae` latents
    /// - returns: `[n, d_out]`
    ///
    /// # Panics
    /// If `target`, `x` and `latents` have different rows, and those of [`Sae::decode_with_input`].
    #[must_use]
    pub fn error_against(&self, target: &[f32], x: &[f32], latents: &SparseLatents) -> Vec<f32> {
        let mut out = self.decode_with_input(latents, x);
        assert_eq!(target.len(), out.len(), "targets of other rows or another width");
        for (out, target) in out.iter_mut().zip(target) {
            *out = target - *out;
        }
        out
    }
}
