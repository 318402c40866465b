//! From rows of activations to sparse latents.
//!
//! Rows are taken in chunks, one task each, and latents in blocks: a block of pre-activations is one matrix product in a buffer
//! of half a megabyte, from which the few latents above the bar are kept. For top-k a row keeps its best candidates so far and
//! raises its bar whenever it prunes them, by selection, without sorting. Chunks do not depend on the number of threads, so
//! neither do the results.

use kernels::{Layout, Threads, gemm_f32, math};
use rayon::prelude::*;

use crate::latents::Chunk;
use crate::{Architecture, RowNorm, Sae, SparseLatents};

/// Rows of one task.
const ROWS: usize = 128;
/// Latents of one matrix product.
const BLOCK: usize = 1024;
/// Values that are compared with the bar at a time.
const LANES: usize = 16;

impl Sae {
    /// Latents of `x`: non-zero ones only. A row with a value that is not a number has none.
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
        let limit = match self.config.architecture {
            Architecture::TopK { k, .. } => Some(k),
            Architecture::Standard | Architecture::JumpRelu => None,
        };
        let mut kept: Vec<Candidates> = (0..rows).map(|_| Candidates::new(limit)).collect();
        let mut pre = vec![0.0; rows * BLOCK.min(d_sae)];
        for start in (0..d_sae).step_by(BLOCK) {
            let width = BLOCK.min(d_sae - start);
            let pre = &mut pre[..rows * width];
            for row in pre.chunks_exact_mut(width) {
                row.copy_from_slice(&self.weights.b_enc[start..start + width]);
            }
            gemm_f32(
                (rows, d_in, width),
                (&input, Layout::rows(d_in)),
                (&self.weights.w_enc, Layout::rows(d_sae).at(start)),
                (pre, Layout::rows(width)),
                true,
                1.0,
                Threads::One,
            );
            for (row, kept) in pre.chunks_exact_mut(width).zip(&mut kept) {
                if let Some(norms) = self.rescale.get(start..start + width) {
                    row.iter_mut().zip(norms).for_each(|(value, norm)| *value *= norm);
                }
                match limit {
                    Some(_) => kept.push_best(start, row),
                    None => kept.push_above(start, row, &self.bars[start..start + width]),
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
}

/// A number that at least `limit` of the values exceed, or 0: each of the `limit` vectors with the largest maxima holds one.
#[expect(
    clippy::inline_always,
    reason = "it has to be compiled with the instruction set of its caller"
)]
#[inline(always)]
fn bound(values: &[f32], limit: usize) -> f32 {
    let (vectors, _) = values.as_chunks::<LANES>();
    if vectors.len() < 2 * limit {
        return 0.0;
    }
    let top = |lanes: &[f32; LANES]| {
        lanes
            .iter()
            .fold(0.0, |top, &value| if value > top { value } else { top })
    };
    let mut tops: Vec<f32> = vectors.iter().map(top).collect();
    let (_, &mut last, _) = tops.select_nth_unstable_by(limit - 1, |a, b| b.total_cmp(a));
    // The comparison with the bar is strict, and the smallest of them has to pass.
    last.next_down().max(0.0)
}

/// Latents of one row that are still in the running, as (value, latent).
pub(crate) struct Candidates {
    limit: Option<usize>,
    found: Vec<(f32, u32)>,
    /// A later latent must exceed this. Equal values lose to the earlier latent, so a strict comparison is exact.
    bar: f32,
}

impl Candidates {
    pub(crate) fn new(limit: Option<usize>) -> Self {
        Self {
            limit,
            found: Vec::new(),
            bar: 0.0,
        }
    }

    /// Adds the latents whose value exceeds their own bar.
    fn push_above(&mut self, start: usize, values: &[f32], bars: &[f32]) {
        for (at, (values, bars)) in values.chunks(LANES).zip(bars.chunks(LANES)).enumerate() {
            // A branch-free test of a whole vector: almost all of them hold nothing.
            if values.iter().zip(bars).filter(|(value, bar)| value > bar).count() > 0 {
                let first = start + at * LANES;
                let above = values
                    .iter()
                    .zip(bars)
                    .enumerate()
                    .filter(|(_, (value, bar))| value > bar);
                self.found
                    .extend(above.map(|(lane, (&value, _))| (value, (first + lane) as u32)));
            }
        }
    }

    /// Adds the latents that can still be among the best.
    pub(crate) fn push_best(&mut self, start: usize, values: &[f32]) {
        if let Some(limit) = self.limit {
            self.bar = self.bar.max(math::simd(|| bound(values, limit)));
        }
        let bar = self.bar;
        math::simd(|| {
            for (at, values) in values.chunks(LANES).enumerate() {
                if values.iter().filter(|&&value| value > bar).count() > 0 {
                    let first = start + at * LANES;
                    let above = values.iter().enumerate().filter(|&(_, &value)| value > bar);
                    self.found
                        .extend(above.map(|(lane, &value)| (value, (first + lane) as u32)));
                }
            }
        });
        self.prune();
    }

    /// Keeps the best `limit`, largest value first, then smallest latent.
    fn prune(&mut self) {
        if let Some(limit) = self.limit
            && self.found.len() > limit
        {
            let (_, &mut (last, _), _) = self
                .found
                .select_nth_unstable_by(limit - 1, |a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
            self.bar = last;
            self.found.truncate(limit);
        }
    }

    pub(crate) fn finish(mut self) -> Vec<(f32, u32)> {
        self.found.sort_unstable_by_key(|&(_, latent)| latent);
        self.found
    }
}
