//! From rows of activations to sparse latents.
//!
//! Rows are taken in chunks, one task each, and latents in blocks: a block of pre-activations is one matrix product in a buffer
//! of half a megabyte, from which the few latents above the bar are kept. For top-k a row keeps its best candidates so far and
//! raises its bar whenever it prunes them, by selection, without sorting. Chunks do not depend on the number of threads, so
//! neither do the results.

use kernels::{Layout, Threads, gemm_f32};
use rayon::prelude::*;

use crate::candidates::{Candidates, Gate};
use crate::latents::Chunk;
use crate::{Architecture, RowNorm, Sae, SparseLatents};

/// Rows of one task.
const ROWS: usize = 128;
/// Latents of one matrix product.
const BLOCK: usize = 1024;

impl Sae {
    /// Latents of `x`: non-zero ones only, negative ones for [`Architecture::AbsTopK`]. A row with a value that is not a number
    /// has none.
    ///
    /// # Shapes
    /// - `x`: `[n, d_in]`
    /// - returns: `n` rows over `d_sae` latents
    ///
    /// # Panics
    /// If `x` is not whole rows.
    #[must_use]
    pub fn encode(&self, x: &[f32]) -> SparseLatents {
        self.rows_of(x);
        let chunks = x
            .par_chunks(ROWS * self.config.d_in)
            .map(|rows| self.encode_chunk(rows))
            .collect();
        SparseLatents::concat(self.config.d_sae, chunks)
    }

    /// [`Sae::encode`] with the zeros: for tests and small inputs.
    ///
    /// # Shapes
    /// - `x`: `[n, d_in]`
    /// - returns: `[n, d_sae]`
    ///
    /// # Panics
    /// If `x` is not whole rows.
    #[must_use]
    pub fn encode_dense(&self, x: &[f32]) -> Vec<f32> {
        self.encode(x).to_dense()
    }

    /// What the encoder multiplies with `W_enc`: the normalised input, less `b_dec` where that is applied.
    pub(crate) fn encoder_input(&self, x: &[f32]) -> (Vec<f32>, Vec<RowNorm>) {
        let mut input = x.to_vec();
        let mut norms = Vec::new();
        for row in input.chunks_exact_mut(self.config.d_in) {
            norms.extend(self.config.normalize_activations.apply(row));
            if self.config.apply_b_dec_to_input {
                for (value, bias) in row.iter_mut().zip(&self.weights.b_dec) {
                    *value -= bias;
                }
            }
        }
        (input, norms)
    }

    fn encode_chunk(&self, x: &[f32]) -> Chunk {
        let (d_in, d_sae) = (self.config.d_in, self.config.d_sae);
        let rows = x.len() / d_in;
        let (input, norms) = self.encoder_input(x);
        let architecture = self.config.architecture;
        let limit = architecture.limit();
        let mut kept: Vec<Candidates> = (0..rows).map(|_| Candidates::new(limit)).collect();
        let mut pre = vec![0.0; rows * BLOCK.min(d_sae)];
        for start in (0..d_sae).step_by(BLOCK) {
            let width = BLOCK.min(d_sae - start);
            let range = start..start + width;
            let pre = &mut pre[..rows * width];
            // The two halves of a gated encoder scale the product differently, so their biases come later.
            if architecture == Architecture::Gated {
                pre.fill(0.0);
            } else {
                for row in pre.chunks_exact_mut(width) {
                    row.copy_from_slice(&self.weights.b_enc[range.clone()]);
                }
            }
            gemm_f32(
                (rows, d_in, width),
                (&input, Layout::rows(d_in)),
                self.encoder().block(start),
                (pre, Layout::rows(width)),
                true,
                1.0,
                Threads::One,
            );
            for (row, kept) in pre.chunks_exact_mut(width).zip(&mut kept) {
                if let Some(norms) = self.rescale.get(range.clone()) {
                    row.iter_mut().zip(norms).for_each(|(value, norm)| *value *= norm);
                }
                match architecture {
                    Architecture::Standard | Architecture::JumpRelu => {
                        kept.push_above(start, row, &self.bars[range.clone()]);
                    }
                    Architecture::TopK { .. } => kept.push_best(start, row),
                    Architecture::AbsTopK { .. } => kept.push_largest(start, row),
                    Architecture::Gated => kept.push_gated(start, row, self.gate(range.clone())),
                    Architecture::GroupMax { groups } => kept.push_grouped(start, row, d_sae / groups),
                }
            }
        }
        let mut chunk = Chunk {
            ends: Vec::with_capacity(rows),
            index: Vec::new(),
            value: Vec::new(),
            norms,
        };
        for candidates in kept {
            for (value, latent) in candidates.finish() {
                chunk.index.push(latent);
                chunk.value.push(value);
            }
            chunk.ends.push(chunk.index.len());
        }
        chunk
    }

    /// The gate of some latents.
    fn gate(&self, range: std::ops::Range<usize>) -> Gate<'_> {
        Gate {
            bias: &self.weights.b_gate[range.clone()],
            magnitude: &self.weights.b_mag[range.clone()],
            scale: &self.magnitude[range],
        }
    }
}
