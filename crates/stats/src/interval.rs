//! The interval type, and the t interval over letters.
//!
//! The t interval is the simplest one that is right: with 26 letters of 15 to 200 words each it
//! covers 95 % where word-level intervals cover 33 to 67 %. It needs one value per letter
//! and no words, so it is also what is left when only a published table is available.
//!
//! Deliberately absent: intervals for a single letter, and one-sided intervals.

use serde::{Deserialize, Serialize};
use statrs::distribution::{ContinuousCDF, StudentsT};

use crate::error::{StatsError, require_finite};
use crate::summary::{mean_unchecked, sd_unchecked};

/// Fewest letters for which an interval or a test is given. With two letters the t quantile is
/// 12.7 standard errors, and an interval of that width only looks like information.
pub const MIN_LETTERS: usize = 3;

/// Confidence level used unless a caller asks for another one.
pub const DEFAULT_LEVEL: f64 = 0.95;

/// How an [`Interval`] was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum IntervalMethod {
    /// Student t over one value per letter.
    LetterT,
    /// Letter-clustered bootstrap, studentised.
    BootstrapT,
    /// Letter-clustered bootstrap, quantiles of the replicates; shown for reference only, as it
    /// covers less than its level with 26 letters.
    Percentile,
}

/// A point estimate with its confidence limits, in the unit of the estimate.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    /// Point estimate: the macro mean over letters.
    pub value: f64,
    /// Lower limit.
    pub lo: f64,
    /// Upper limit.
    pub hi: f64,
    /// Nominal coverage, for example 0.95.
    pub level: f64,
    /// Number of letters behind the estimate.
    pub letters: usize,
    /// How the limits were made.
    pub method: IntervalMethod,
}

impl Interval {
    /// Whether `truth` lies between the limits.
    #[must_use]
    pub fn contains(&self, truth: f64) -> bool {
        (self.lo..=self.hi).contains(&truth)
    }
}

/// The t interval of the mean over letters: `mean -+ t_{n-1} * sd / sqrt(n)`.
///
/// # Shapes
/// - `values_per_letter`: `[letters]`, one value per letter, in any unit
///
/// # Errors
/// Fewer than [`MIN_LETTERS`] letters, a value that is not finite, no variance between letters, or
/// a level outside `(0, 1)`.
pub fn letter_t(values_per_letter: &[f64], level: f64) -> Result<Interval, StatsError> {
    let letters = values_per_letter.len();
    require_letters(letters)?;
    require_level(level)?;
    require_finite(values_per_letter)?;
    let value = mean_unchecked(values_per_letter);
    let sd = sd_unchecked(values_per_letter, value);
    if sd <= 0.0 {
        return Err(StatsError::ZeroVariance { value });
    }
    let half = t_quantile(letters - 1, level) * sd / (letters as f64).sqrt();
    Ok(Interval {
        value,
        lo: value - half,
        hi: value + half,
        level,
        letters,
        method: IntervalMethod::LetterT,
    })
}

/// Refuses fewer than [`MIN_LETTERS`] letters.
pub(crate) fn require_letters(found: usize) -> Result<(), StatsError> {
    if found < MIN_LETTERS {
        return Err(StatsError::TooFewLetters {
            found,
            needed: MIN_LETTERS,
        });
    }
    Ok(())
}

/// Refuses a level outside the open interval `(0, 1)`, NaN included.
pub(crate) fn require_level(level: f64) -> Result<(), StatsError> {
    if level > 0.0 && level < 1.0 {
        Ok(())
    } else {
        Err(StatsError::InvalidLevel { level })
    }
}

/// Two-sided quantile of Student's t: `P(|T| <= t) = level` with `freedom >= 1` degrees.
pub(crate) fn t_quantile(freedom: usize, level: f64) -> f64 {
    StudentsT::new(0.0, 1.0, freedom as f64)
        .expect("location 0, scale 1 and a positive number of degrees are valid")
        .inverse_cdf(f64::midpoint(1.0, level))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `scipy.stats.t.ppf((1 + level) / 2, df)`, `SciPy` 1.17.1.
    #[test]
    fn t_quantiles_match_scipy() {
        for (freedom, level, expected) in T_GOLDEN {
            let found = t_quantile(freedom, level);
            assert!((found - expected).abs() < 1e-8 * expected, "{freedom} {level}: {found}");
        }
    }

    const T_GOLDEN: [(usize, f64, f64); 5] = [
        (2, 0.95, 4.302_652_729_749_462),
        (5, 0.90, 2.015_048_373_333_023_3),
        (25, 0.95, 2.059_538_552_753_297_2),
        (25, 0.99, 2.787_435_813_676_97),
        (25, 0.50, 0.684_429_964_904_270_5),
    ];

    /// By hand: mean 2, sd 1, n 3, t 4.3027, half width 2.4841.
    #[test]
    fn golden_by_hand() {
        let interval = letter_t(&[1.0, 2.0, 3.0], 0.95).expect("defined");
        assert!((interval.value - 2.0).abs() < 1e-15);
        assert!((interval.hi - interval.lo - 2.0 * 2.484_137_711_750_331).abs() < 1e-7);
    }

    #[test]
    fn undefined_is_an_error() {
        assert_eq!(
            letter_t(&[1.0, 2.0], 0.95),
            Err(StatsError::TooFewLetters { found: 2, needed: 3 })
        );
        assert_eq!(letter_t(&[0.3; 5], 0.95), Err(StatsError::ZeroVariance { value: 0.3 }));
        assert!(matches!(
            letter_t(&[1.0, 2.0, 3.0], 1.0),
            Err(StatsError::InvalidLevel { .. })
        ));
        assert!(matches!(
            letter_t(&[1.0, f64::INFINITY, 3.0], 0.9),
            Err(StatsError::NonFinite { position: 1, .. })
        ));
    }
}
