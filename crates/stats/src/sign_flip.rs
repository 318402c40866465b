//! Paired comparison of two methods on the same letters by sign flips.
//!
//! If two methods are exchangeable, the sign of each letter's difference is a fair coin. The test
//! asks how often random signs give a mean at least as far from zero as the observed one; it needs
//! no distribution and its size is right with 26 letters.
//!
//! Deliberately absent: one-sided p-values, and a studentised statistic for a single comparison
//! (its p-value differs little; [`crate::max_t`] studentises because it mixes comparisons).

use rand::Rng;
use serde::{Deserialize, Serialize};

use crate::error::{StatsError, require_finite};
use crate::interval::require_letters;
use crate::seed;
use crate::summary::mean_unchecked;

/// Random flips of a reported test.
pub const DEFAULT_FLIPS: usize = 100_000;

/// With at most this many letters all sign patterns are enumerated.
pub const EXACT_LETTERS: usize = 16;

/// Flipped means closer to the observed one than this share of `mean |d|` count as equal: the same
/// terms summed with other signs round differently.
pub(crate) const TIE: f64 = 1e-12;

/// Result of [`sign_flip`].
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct SignFlip {
    /// Mean difference over letters.
    pub mean: f64,
    /// Two-sided p-value.
    pub p: f64,
    /// Random flips drawn, or `2^letters` if enumerated.
    pub draws: usize,
    /// Whether all sign patterns were enumerated.
    pub exact: bool,
    /// Number of letters.
    pub letters: usize,
}

/// Two-sided sign-flip test of `mean(differences) = 0`.
///
/// With at most [`EXACT_LETTERS`] letters `p` is the share of the `2^n` sign patterns whose mean
/// is at least as far from zero as the observed one (the observed pattern included). With more,
/// `p = (1 + #{|flipped mean| >= |mean|}) / (1 + draws)` over `draws` random patterns.
///
/// # Shapes
/// - `differences`: `[letters]`, method A minus method B per letter
///
/// # Errors
/// Fewer than [`crate::MIN_LETTERS`] letters, a difference that is not finite, or zero draws.
pub fn sign_flip(differences: &[f64], draws: usize, seed: u64) -> Result<SignFlip, StatsError> {
    let letters = differences.len();
    require_letters(letters)?;
    require_finite(differences)?;
    if draws == 0 {
        return Err(StatsError::NoDraws);
    }
    let magnitude: f64 = differences.iter().map(|d| d.abs()).sum();
    let bound = differences.iter().sum::<f64>().abs() - TIE * magnitude;
    let extreme = |signs: &[u64]| usize::from(flipped_sum(differences, signs).abs() >= bound);
    let mean = mean_unchecked(differences);
    if letters <= EXACT_LETTERS {
        let draws = 1_usize << letters;
        let hits: usize = (0..draws as u64).map(|pattern| extreme(&[pattern])).sum();
        return Ok(SignFlip {
            mean,
            p: hits as f64 / draws as f64,
            draws,
            exact: true,
            letters,
        });
    }
    let mut rng = seed::rng(seed, "sign-flip");
    let mut signs = vec![0_u64; letters.div_ceil(64)];
    let mut hits = 0;
    for _ in 0..draws {
        draw_signs(&mut signs, &mut rng);
        hits += extreme(&signs);
    }
    let p = (1 + hits) as f64 / (1 + draws) as f64;
    Ok(SignFlip {
        mean,
        p,
        draws,
        exact: false,
        letters,
    })
}

/// Fills `signs` with fair coins, one bit per letter.
pub(crate) fn draw_signs(signs: &mut [u64], rng: &mut impl Rng) {
    for word in signs {
        *word = rng.next_u64();
    }
}

/// `sum_c s_c d_c` with `s_c = -1` where bit `c` of `signs` is set.
pub(crate) fn flipped_sum(differences: &[f64], signs: &[u64]) -> f64 {
    let mut sum = 0.0;
    for (chunk, &word) in differences.chunks(64).zip(signs) {
        for (bit, &difference) in chunk.iter().enumerate() {
            // Moves the coin into the sign bit of the number, without a branch.
            sum += f64::from_bits(difference.to_bits() ^ ((word >> bit) << 63));
        }
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Three equal signs: only `+++` and `---` reach the mean, 2 of 8 patterns.
    #[test]
    fn exact_by_hand() {
        let result = sign_flip(&[1.0, 2.0, 3.0], 1, 0).expect("defined");
        assert_eq!((result.p, result.draws, result.exact), (0.25, 8, true));
        // |1 + 2 - 3| = 0: every pattern is at least as extreme.
        assert_eq!(sign_flip(&[1.0, 2.0, -3.0], 1, 0).map(|flip| flip.p), Ok(1.0));
        assert_eq!(sign_flip(&[0.0; 5], 1, 0).map(|flip| flip.p), Ok(1.0));
    }

    /// `scipy.stats.permutation_test((d,), mean, permutation_type="samples", n_resamples=inf)`,
    /// `SciPy` 1.17.1.
    #[test]
    fn exact_matches_scipy() {
        let differences = [0.12, -0.03, 0.07, 0.20, -0.01, 0.05, 0.11, -0.06, 0.02, 0.09];
        let result = sign_flip(&differences, 1, 0).expect("defined");
        assert!((result.p - SCIPY_P).abs() < 1e-12, "{}", result.p);
    }

    const SCIPY_P: f64 = 0.054_687_5;

    #[test]
    fn sampled_agrees_with_enumeration() {
        let few: Vec<f64> = (0..16).map(|i| f64::from(i % 5) - 1.4).collect();
        let exact = sign_flip(&few, 1, 0).expect("defined").p;
        // A letter whose difference is zero changes nothing but forces sampling.
        let many = [few, vec![0.0]].concat();
        let sampled = sign_flip(&many, 40_000, 3).expect("defined");
        assert!(!sampled.exact);
        // Four standard errors of a share near one half.
        assert!((sampled.p - exact).abs() < 4.0 * 0.5 / 200.0, "{} {exact}", sampled.p);
    }

    #[test]
    fn more_than_64_letters_use_several_words() {
        let differences = vec![1.0; 70];
        let all = [u64::MAX, u64::MAX];
        assert_eq!(Some(flipped_sum(&differences, &all)), Some(-70.0));
        assert_eq!(Some(flipped_sum(&differences, &[0, 0b11])), Some(66.0));
    }
}
