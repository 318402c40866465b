//! The inner loop of the bootstrap: replicates from letters and rows drawn with replacement.
//!
//! A run draws 26 letters x hundreds of rows x 10,000 replicates of indices, so the cost of a
//! random number decides the cost of the whole. One 64-bit number gives several indices: the high
//! word of `fraction * n` is an index, its low word is the next fraction (Brackett-Rozinsky &
//! Lemire 2024, "Batched ranged random integer generation"). Without their rejection step a tuple
//! of `k` indices has a relative bias below `n^k / 2^64`; `k` is chosen so that this is under
//! `2^-24`, far below what 10,000 replicates can see.
//!
//! Deliberately absent: weights, stratification, and resampling without replacement.

use std::array;

use rand::Rng;

use crate::bootstrap::LetterRows;
use crate::summary::{mean_unchecked, sd_unchecked};

/// Largest `n^k` for which `k` indices below `n` are taken from one 64-bit number.
const TUPLE_LIMIT: u64 = 1 << 40;

/// Mean and standard deviation over the drawn letters of one replicate, per metric.
pub(crate) type Replicate<const M: usize> = [(f64, f64); M];

/// Draws `count` replicates from one generator; `None` where a drawn letter is undefined.
pub(crate) fn replicates<const G: usize, const K: usize, const M: usize>(
    letters: &[LetterRows<G, K>],
    statistic: &impl Fn(&[[f64; K]; G]) -> Option<[f64; M]>,
    count: usize,
    rng: &mut impl Rng,
) -> Vec<Option<Replicate<M>>> {
    let mut columns: [Vec<f64>; M] = array::from_fn(|_| Vec::with_capacity(letters.len()));
    let mut drawn = Vec::with_capacity(letters.len());
    let mut results = Vec::with_capacity(count);
    for _ in 0..count {
        drawn.clear();
        columns.iter_mut().for_each(Vec::clear);
        draw_indices(rng, letters.len(), letters.len(), |index| {
            drawn.push(index);
        });
        let mut complete = true;
        for &index in &drawn {
            let groups = &letters[index].groups;
            let sums = array::from_fn(|group| resampled_sum(&groups[group], rng));
            match defined(statistic(&sums)) {
                Some(values) => {
                    columns
                        .iter_mut()
                        .zip(values)
                        .for_each(|(column, value)| column.push(value));
                }
                None => complete = false,
            }
        }
        results.push(complete.then(|| array::from_fn(|metric| spread(&columns[metric]))));
    }
    results
}

/// A statistic that is NaN or infinite counts as undefined.
pub(crate) fn defined<const M: usize>(values: Option<[f64; M]>) -> Option<[f64; M]> {
    values.filter(|values| values.iter().all(|value| value.is_finite()))
}

/// Mean and standard deviation of at least two values.
pub(crate) fn spread(values: &[f64]) -> (f64, f64) {
    let mean = mean_unchecked(values);
    (mean, sd_unchecked(values, mean))
}

/// Calls `visit` with `count` indices, uniform on `0..bound`, `bound >= 1`.
fn draw_indices(rng: &mut impl Rng, bound: usize, count: usize, mut visit: impl FnMut(usize)) {
    let wide_bound = bound as u128;
    let batch = batch_size(bound as u64);
    let mut left = count;
    while left > 0 {
        let take = batch.min(left);
        let mut fraction = rng.next_u64();
        for _ in 0..take {
            let product = u128::from(fraction) * wide_bound;
            visit((product >> 64) as usize);
            // The low word is the part of the fraction that the index did not use.
            fraction = product as u64;
        }
        left -= take;
    }
}

/// Sum of `rows.len()` rows drawn with replacement from `rows`, which is not empty.
fn resampled_sum<const K: usize>(rows: &[[f64; K]], rng: &mut impl Rng) -> [f64; K] {
    let mut sums = [0.0; K];
    draw_indices(rng, rows.len(), rows.len(), |index| {
        for (sum, value) in sums.iter_mut().zip(&rows[index]) {
            *sum += value;
        }
    });
    sums
}

/// Sum of all `rows` in order.
pub(crate) fn plain_sum<const K: usize>(rows: &[[f64; K]]) -> [f64; K] {
    let mut sums = [0.0; K];
    for row in rows {
        for (sum, value) in sums.iter_mut().zip(row) {
            *sum += value;
        }
    }
    sums
}

/// Largest `k >= 1` with `bound^k <= TUPLE_LIMIT`, at most 8.
fn batch_size(bound: u64) -> usize {
    let mut size = 1;
    let mut tuple = bound.saturating_mul(bound);
    while tuple <= TUPLE_LIMIT && size < 8 {
        size += 1;
        tuple = tuple.saturating_mul(bound);
    }
    size
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seed;

    #[test]
    fn batch_sizes() {
        let sizes = [1, 26, 100, 2_500, 1 << 20, 1 << 21].map(batch_size);
        assert_eq!(sizes, [8, 8, 6, 3, 2, 1]);
    }

    /// Chi-square of 26 cells with 260,000 draws: 25 degrees, 99.9 % point 52.6.
    #[test]
    fn indices_are_uniform_and_neighbours_independent() {
        const CELLS: usize = 26;
        let mut singles = [0_u32; CELLS];
        let mut pairs = vec![0_u32; CELLS * CELLS];
        let mut last = 0;
        draw_indices(&mut seed::rng(1, "uniform"), CELLS, 260_000, |index| {
            singles[index] += 1;
            pairs[last * CELLS + index] += 1;
            last = index;
        });
        assert!(chi_square(&singles) < 52.6);
        // 650 degrees (676 cells, margins fitted loosely): mean 675, sd 36.7.
        assert!((chi_square(&pairs) - 675.0).abs() < 4.0 * 36.7);
    }

    fn chi_square(counts: &[u32]) -> f64 {
        let total: u32 = counts.iter().sum();
        let expected = f64::from(total) / counts.len() as f64;
        counts
            .iter()
            .map(|&count| (f64::from(count) - expected).powi(2) / expected)
            .sum()
    }
}
