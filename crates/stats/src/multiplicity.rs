//! Corrections for many tests of one declared family.
//!
//! [`benjamini_hochberg`] bounds the share of false discoveries and needs p-values only.
//! [`max_t`] bounds the chance of any false discovery and uses the dependence between the tests
//! (neighbouring layers, nested latent sets), which makes it sharper where they move together.
//!
//! Deliberately absent: the choice of the family, which the caller declares before looking.

use crate::error::{StatsError, require_finite};
use crate::interval::require_letters;
use crate::seed;
use crate::sign_flip::{TIE, draw_signs, flipped_sum};
use crate::summary::{mean_unchecked, sd_unchecked};

/// q-values of Benjamini & Hochberg 1995: `q_(i) = min_{j >= i} p_(j) n / j`, in the order of `p`.
///
/// # Errors
/// [`StatsError::InvalidProbability`] for a p-value outside `[0, 1]`.
pub fn benjamini_hochberg(p: &[f64]) -> Result<Vec<f64>, StatsError> {
    if let Some(position) = p.iter().position(|value| !(0.0..=1.0).contains(value)) {
        return Err(StatsError::InvalidProbability {
            position,
            value: p[position],
        });
    }
    let mut order: Vec<usize> = (0..p.len()).collect();
    order.sort_by(|&a, &b| p[a].total_cmp(&p[b]));
    let mut q = vec![0.0; p.len()];
    let mut smallest = 1.0_f64;
    for (rank, &index) in order.iter().enumerate().rev() {
        smallest = smallest.min(p[index] * (p.len() as f64 / (rank + 1) as f64));
        q[index] = smallest;
    }
    Ok(q)
}

/// Family-wise adjusted p-values by step-down max-T (Westfall & Young 1993; algorithm 4.1 of Ge,
/// Dudoit & Speed 2003) with sign flips over letters, the same flip for every test.
///
/// The statistic is `|mean| sqrt(n) / sd` of the flipped differences, so tests of different scale
/// share one maximum.
///
/// # Shapes
/// - `differences`: `[tests, letters]`, all tests on the same letters in the same order
/// - returns: `[tests]`, in the order of `differences`
///
/// # Errors
/// No test, tests of different length, fewer than [`crate::MIN_LETTERS`] letters, a value that is
/// not finite, a test without variance, or zero draws.
pub fn max_t(differences: &[Vec<f64>], draws: usize, seed: u64) -> Result<Vec<f64>, StatsError> {
    let letters = differences.first().ok_or(StatsError::Empty)?.len();
    require_letters(letters)?;
    if draws == 0 {
        return Err(StatsError::NoDraws);
    }
    let mut squares = Vec::with_capacity(differences.len());
    for test in differences {
        if test.len() != letters {
            return Err(StatsError::LengthMismatch {
                expected: letters,
                found: test.len(),
            });
        }
        require_finite(test)?;
        let mean = mean_unchecked(test);
        if sd_unchecked(test, mean) <= 0.0 {
            return Err(StatsError::ZeroVariance { value: mean });
        }
        squares.push(test.iter().map(|d| d * d).sum::<f64>());
    }
    // Signs do not change the sum of squares, so t is a function of the flipped sum alone.
    let statistic = |test: usize, signs: &[u64]| {
        let sum = flipped_sum(&differences[test], signs);
        let n = letters as f64;
        let variance = (squares[test] - sum * sum / n).max(0.0) / (n - 1.0);
        if variance > 0.0 {
            sum.abs() / (n * variance).sqrt()
        } else {
            f64::INFINITY
        }
    };
    let mut signs = vec![0_u64; letters.div_ceil(64)];
    let observed: Vec<f64> = (0..squares.len()).map(|test| statistic(test, &signs)).collect();
    let mut order: Vec<usize> = (0..squares.len()).collect();
    order.sort_by(|&a, &b| observed[b].total_cmp(&observed[a]));

    let mut hits = vec![0_usize; order.len()];
    let mut rng = seed::rng(seed, "max-t");
    for _ in 0..draws {
        draw_signs(&mut signs, &mut rng);
        let mut largest = 0.0_f64;
        for &test in order.iter().rev() {
            largest = largest.max(statistic(test, &signs));
            hits[test] += usize::from(largest >= observed[test] * (1.0 - TIE));
        }
    }
    let mut adjusted = vec![0.0; order.len()];
    let mut floor = 0.0_f64;
    for &test in &order {
        floor = floor.max((1 + hits[test]) as f64 / (1 + draws) as f64);
        adjusted[test] = floor;
    }
    Ok(adjusted)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `scipy.stats.false_discovery_control`, `SciPy` 1.17.1.
    #[test]
    fn benjamini_hochberg_matches_scipy() {
        let p = [0.01, 0.04, 0.03, 0.005, 0.55, 0.04, 1.0];
        for (found, expected) in benjamini_hochberg(&p).expect("defined").iter().zip(BH_GOLDEN) {
            assert!((found - expected).abs() < 1e-15, "{found} {expected}");
        }
    }

    const BH_GOLDEN: [f64; 7] = [0.035, 0.056, 0.056, 0.035, 0.641_666_666_666_666_7, 0.056, 1.0];

    #[test]
    fn refuses_what_is_not_a_probability() {
        assert!(matches!(
            benjamini_hochberg(&[0.1, f64::NAN]),
            Err(StatsError::InvalidProbability { position: 1, .. })
        ));
        assert_eq!(benjamini_hochberg(&[]), Ok(vec![]));
    }

    fn wave(shift: f64, phase: usize) -> Vec<f64> {
        (0..20_usize)
            .map(|i| shift + ((i * 7 + phase) % 11) as f64 / 11.0 - 0.5)
            .collect()
    }

    #[test]
    fn copies_of_one_test_cost_nothing() {
        let one = max_t(&[wave(0.15, 0)], 4_000, 5).expect("defined");
        let three = max_t(&vec![wave(0.15, 0); 3], 4_000, 5).expect("defined");
        assert_eq!(three, vec![one[0]; 3]);
    }

    #[test]
    fn strong_effect_survives_and_order_is_kept() {
        let p = max_t(&[wave(0.0, 3), wave(1.0, 1), wave(0.1, 6)], 4_000, 5).expect("defined");
        assert!(p[1] < 0.001 && p[1] <= p[2] && p[2] <= p[0] && p[0] > 0.3, "{p:?}");
    }
}
