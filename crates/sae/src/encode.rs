//! From rows of activations to sparse latents.
//!
//! Rows are taken in groups, so that the encoder is read (and, where it stays in its file, widened) once per group, and the latents
//! of a group in spans, one task each; a span is walked in blocks. A block of pre-activations is one matrix product in a buffer that
//! stays in cache, from which the few latents above the bar are kept. For top-k a row keeps its best candidates so far and raises
//! its bar whenever it prunes them, by selection, without sorting; what spans have found is merged by the same rule. Groups and
//! blocks do not depend on the number of threads, and which of the values are chosen does not depend on the spans, so neither do
//! the results.

use std::ops::Range;

use kernels::{Layout, Threads, gemm_f32};
use rayon::prelude::*;

use crate::candidates::{Candidates, Gate};
use crate::latents::Chunk;
use crate::{Architecture, RowNorm, Sae, SparseLatents};

/// Rows of a group: from 256 rows on the products run at their peak, and a group's rows and pre-activations stay in cache.
const ROWS: usize = 512;
/// Rows of a group where the encoder stays in its file, which may have to be read from disk for each group.
const ROWS_MAPPED: usize = 2048;
/// Latents of one matrix product.
const BLOCK: usize = 512;
/// Tasks per thread, so that none waits long for the last one.
const TASKS: usize = 4;

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
        let total = self.rows_of(x);
        let rows = self.group_rows();
        let groups = total.div_ceil(rows).max(1);
        let blocks = self.config.d_sae.div_ceil(BLOCK);
        let spans = (TASKS * rayon::current_num_threads()).div_ceil(groups).min(blocks);
        let span = blocks.div_ceil(spans) * BLOCK;
        let chunks = x
            .par_chunks(rows * self.config.d_in)
            .map(|x| self.encode_group(x, span))
            .collect();
        SparseLatents::concat(self.config.d_sae, chunks)
    }

    /// Rows that [`Sae::encode`] takes at a time.
    fn group_rows(&self) -> usize {
        if self.parts.encoder.is_stored() {
            ROWS_MAPPED
        } else {
            ROWS
        }
    }

    /// Bytes of the encoder that encoding `rows` rows goes through, as it lies in memory or in its file: once per group of rows.
    #[must_use]
    pub fn encode_bytes(&self, rows: usize) -> u64 {
        rows.div_ceil(self.group_rows()) as u64 * self.parts.encoder.bytes()
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
                for (value, bias) in row.iter_mut().zip(&self.parts.vectors.b_dec) {
                    *value -= bias;
                }
            }
        }
        (input, norms)
    }

    /// Latents of one group of rows, `span` of them a task.
    fn encode_group(&self, x: &[f32], span: usize) -> Chunk {
        let d_sae = self.config.d_sae;
        let (input, norms) = self.encoder_input(x);
        let mut spans: Vec<Vec<Candidates>> = (0..d_sae.div_ceil(span))
            .into_par_iter()
            .map(|at| self.scan(&input, at * span..d_sae.min((at + 1) * span)))
            .collect();
        let rows = x.len() / self.config.d_in;
        let mut chunk = Chunk {
            ends: Vec::with_capacity(rows),
            index: Vec::new(),
            value: Vec::new(),
            norms,
        };
        let mut later = spans.split_off(1).into_iter().map(Vec::into_iter).collect::<Vec<_>>();
        for mut candidates in spans.into_iter().flatten() {
            for span in later.iter_mut().filter_map(Iterator::next) {
                candidates.absorb(span, self.config.architecture, d_sae);
            }
            for (value, latent) in candidates.finish() {
                chunk.index.push(latent);
                chunk.value.push(value);
            }
            chunk.ends.push(chunk.index.len());
        }
        chunk
    }

    /// What a walk over some latents keeps of each row of `input`.
    fn scan(&self, input: &[f32], latents: Range<usize>) -> Vec<Candidates> {
        let (d_in, d_sae) = (self.config.d_in, self.config.d_sae);
        let rows = input.len() / d_in;
        let architecture = self.config.architecture;
        let limit = architecture.limit();
        let mut kept: Vec<Candidates> = (0..rows).map(|_| Candidates::new(limit)).collect();
        let mut pre = vec![0.0; rows * BLOCK.min(latents.len())];
        let mut widened = Vec::new();
        for start in latents.clone().step_by(BLOCK) {
            let range = start..latents.end.min(start + BLOCK);
            let width = range.len();
            let pre = &mut pre[..rows * width];
            // The two halves of a gated encoder scale the product differently, so their biases come later.
            if architecture == Architecture::Gated {
                pre.fill(0.0);
            } else {
                for row in pre.chunks_exact_mut(width) {
                    row.copy_from_slice(&self.parts.vectors.b_enc[range.clone()]);
                }
            }
            gemm_f32(
                (rows, d_in, width),
                (input, Layout::rows(d_in)),
                self.parts.encoder.operand(range.clone(), &mut widened),
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
        kept
    }

    /// The gate of some latents.
    fn gate(&self, range: Range<usize>) -> Gate<'_> {
        Gate {
            bias: &self.parts.vectors.b_gate[range.clone()],
            magnitude: &self.parts.vectors.b_mag[range.clone()],
            scale: &self.magnitude[range],
        }
    }
}
