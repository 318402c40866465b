//! Which latents of a batch are active.

use kernels::math;
use rayon::prelude::*;

use crate::SparseLatents;
use crate::candidates::Candidates;
use crate::latents::Chunk;

/// Rows of one task.
const ROWS: usize = 64;
/// Latents after which a row's candidates are pruned.
const BLOCK: usize = 2048;

/// Entries of each row as `pick` pushes them.
fn by_rows(pre: &[f32], width: usize, pick: impl Fn(&[f32], &mut Vec<u32>, &mut Vec<f32>) + Sync) -> SparseLatents {
    let chunks = pre
        .par_chunks(ROWS * width)
        .map(|rows| {
            let mut chunk = Chunk {
                ends: Vec::new(),
                index: Vec::new(),
                value: Vec::new(),
                norms: Vec::new(),
            };
            for row in rows.chunks_exact(width) {
                pick(row, &mut chunk.index, &mut chunk.value);
                chunk.ends.push(chunk.index.len());
            }
            chunk
        })
        .collect();
    SparseLatents::concat(width, chunks)
}

/// Pre-activations above `bar`, which is not negative.
pub(crate) fn above(pre: &[f32], width: usize, bar: f32) -> SparseLatents {
    by_rows(pre, width, |row, index, value| {
        math::simd(
            #[inline(always)]
            || {
                for (at, lanes) in row.chunks(16).enumerate() {
                    if lanes.iter().filter(|&&pre| pre > bar).count() > 0 {
                        for (lane, &pre) in lanes.iter().enumerate().filter(|&(_, &pre)| pre > bar) {
                            index.push((at * 16 + lane) as u32);
                            value.push(pre);
                        }
                    }
                }
            },
        );
    })
}

/// The `k` largest positive pre-activations of each row.
pub(crate) fn top_k(pre: &[f32], width: usize, k: usize) -> SparseLatents {
    by_rows(pre, width, |row, index, value| {
        let mut best = Candidates::new(Some(k));
        for (at, block) in row.chunks(BLOCK).enumerate() {
            best.push_best(at * BLOCK, block);
        }
        for (pre, latent) in best.finish() {
            index.push(latent);
            value.push(pre);
        }
    })
}

/// The `keep` largest positive pre-activations of the whole batch, and the smallest of them; ties go to the earlier entry.
///
/// `guess` is a bound that `keep` values probably exceed, such as most of the last batch's result: it saves looking at
/// all the others, and does not change the result.
pub(crate) fn batch_top_k(pre: &[f32], width: usize, keep: usize, guess: f32) -> (SparseLatents, f32) {
    let mut found = above(pre, width, guess);
    if found.entries() < keep && guess > 0.0 {
        found = above(pre, width, 0.0);
    }
    if found.entries() <= keep {
        let smallest = found
            .values()
            .iter()
            .fold(f32::INFINITY, |smallest, &value| smallest.min(value));
        return (found, if smallest.is_finite() { smallest } else { 0.0 });
    }
    let mut values = found.values().to_vec();
    let (_, &mut bar, _) = values.select_nth_unstable_by(keep - 1, |a, b| b.total_cmp(a));
    let mut ties = keep - found.values().iter().filter(|&&value| value > bar).count();
    let kept = found.filter(|value| {
        let tie = value.total_cmp(&bar).is_eq() && ties > 0;
        ties -= usize::from(tie);
        tie || value > bar
    });
    (kept, bar)
}

/// `JumpReLU`: pre-activations above their threshold, and with value 0 those less than half a `bandwidth` below it, which
/// the threshold's gradient needs.
pub(crate) fn jump(pre: &[f32], thresholds: &[f32], bandwidth: f32) -> SparseLatents {
    by_rows(pre, thresholds.len(), |row, index, value| {
        for (latent, (&pre, &threshold)) in row.iter().zip(thresholds).enumerate() {
            if pre > threshold - 0.5 * bandwidth {
                index.push(latent as u32);
                value.push(if pre > threshold { pre } else { 0.0 });
            }
        }
    })
}

/// The `k` largest pre-activations of each row among the latents `dead`, whatever their sign.
pub(crate) fn top_k_of(pre: &[f32], width: usize, k: usize, dead: &[u32]) -> SparseLatents {
    by_rows(pre, width, |row, index, value| {
        let mut best: Vec<(f32, u32)> = dead.iter().map(|&latent| (row[latent as usize], latent)).collect();
        if best.len() > k {
            best.select_nth_unstable_by(k - 1, |a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
            best.truncate(k);
            best.sort_unstable_by_key(|&(_, latent)| latent);
        }
        for (pre, latent) in best {
            index.push(latent);
            value.push(pre);
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Facts from `SAELens`'s own tests of batch top-k: `k` times the number of rows are kept, over the whole batch.
    #[test]
    fn a_batch_shares_its_latents() {
        let dense = |pre: &[f32], keep: usize| batch_top_k(pre, 4, keep, 0.0).0.to_dense();
        let pre = [1.0, -2.0, 3.0, -4.0, -5.0, 6.0, -7.0, 8.0];
        assert_eq!(dense(&pre, 4), [1.0, 0.0, 3.0, 0.0, 0.0, 6.0, 0.0, 8.0]);
        // One and a half per row.
        assert_eq!(dense(&pre, 3), [0.0, 0.0, 3.0, 0.0, 0.0, 6.0, 0.0, 8.0]);
        let uneven = [1.0, 2.0, 3.0, 4.0, -5.0, -6.0, 0.5, -8.0];
        assert_eq!(dense(&uneven, 4), [1.0, 2.0, 3.0, 4.0, 0.0, 0.0, 0.0, 0.0]);
        let few = [-1.0, 2.0, -3.0, -4.0, -5.0, -6.0, -7.0, -8.0];
        assert_eq!(dense(&few, 4), [0.0, 2.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]);
    }
}
