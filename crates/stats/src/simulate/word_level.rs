//! Intervals that treat words as the unit of inference: the counterexample.
//!
//! Both use the linearised variance of a ratio of sums, `sum (a_w - r f_w)^2 / (sum f_w)^2`, which
//! is right for the words of one letter, and the normal quantile. What they leave out is the
//! variance between letters.
//!
//! Deliberately absent: any use outside of simulations.

use statrs::distribution::{ContinuousCDF, Normal};

use crate::resample::plain_sum;

/// Limits from word noise alone.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct WordInterval {
    /// Point estimate.
    pub value: f64,
    /// Half of the width.
    pub half: f64,
}

impl WordInterval {
    /// Whether `truth` lies between the limits.
    #[must_use]
    pub fn contains(&self, truth: f64) -> bool {
        (self.value - truth).abs() <= self.half
    }
}

/// All words of all letters in one ratio of sums.
///
/// # Shapes
/// - `letters`: `[letters]`, each `[words]` of (numerator, denominator)
#[must_use]
pub fn pooled_words(letters: &[&[[f64; 2]]], level: f64) -> WordInterval {
    let (value, variance) = ratio(&letters.concat());
    WordInterval {
        value,
        half: normal_quantile(level) * variance.sqrt(),
    }
}

/// Macro mean of the ratios of the letters, with the noise of the words within letters: right for
/// *these* letters, wrong for letters at random.
///
/// # Shapes
/// - `letters`: `[letters]`, each `[words]` of (numerator, denominator)
#[must_use]
pub fn within_letters(letters: &[&[[f64; 2]]], level: f64) -> WordInterval {
    let (mut value, mut variance) = (0.0, 0.0);
    let count = letters.len() as f64;
    for words in letters {
        let (ratio, of_ratio) = ratio(words);
        value += ratio / count;
        variance += of_ratio / (count * count);
    }
    WordInterval {
        value,
        half: normal_quantile(level) * variance.sqrt(),
    }
}

/// Two-sided quantile of the normal distribution; `level` lies in `(0, 1)`.
fn normal_quantile(level: f64) -> f64 {
    Normal::standard().inverse_cdf(f64::midpoint(1.0, level))
}

/// Ratio of sums and its linearised variance with the factor `n / (n - 1)`.
fn ratio(words: &[[f64; 2]]) -> (f64, f64) {
    let [top, bottom] = plain_sum(words);
    let ratio = top / bottom;
    let squares: f64 = words.iter().map(|[a, f]| (a - ratio * f).powi(2)).sum();
    let n = words.len() as f64;
    (ratio, n / (n - 1.0) * squares / (bottom * bottom))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Equal denominators: the ratio is a mean and its variance `s^2 / n`. Letters (0, 2) and
    /// (2, 4): means 1 and 3, variance 1 each; macro mean 2, variance (1 + 1) / 4. Pooled: mean 2,
    /// `s^2 = 8 / 3`, variance 2 / 3.
    #[test]
    fn by_hand() {
        let words = |values: [f64; 2]| values.map(|a| [a, 1.0]);
        let (low, high) = (words([0.0, 2.0]), words([2.0, 4.0]));
        let letters: [&[[f64; 2]]; 2] = [&low, &high];
        let within = within_letters(&letters, 0.95);
        let pooled = pooled_words(&letters, 0.95);
        assert!((within.value - 2.0).abs() < 1e-12 && (pooled.value - 2.0).abs() < 1e-12);
        assert!((within.half - 1.959_964 * 0.5_f64.sqrt()).abs() < 1e-6, "{within:?}");
        assert!(
            (pooled.half - 1.959_964 * (2.0_f64 / 3.0).sqrt()).abs() < 1e-6,
            "{pooled:?}"
        );
        assert!(within.contains(3.3) && !within.contains(3.4));
    }
}
