//! Power of a paired comparison over letters, and the number of letters and words it takes.
//!
//! The comparison is the mean over letters of the difference of two methods on the same words. Its
//! standard error is `sqrt((SD_d^2 + SD_w^2 / words) / letters + 2 s^2 / n_S)`, the last term only
//! if both methods are trained anew from `n_S` seeds each, and the test is a t test with
//! `letters - 1` degrees (sign flips find the same to a few per cent). The power is that of the
//! noncentral t; the minimum detectable difference is the usual sum of two t quantiles, at which the
//! power is right to .003 for 8 letters or more.
//!
//! Deliberately absent: the few degrees of freedom of `n_S` seeds (with 3 seeds the result is
//! optimistic), one-sided tests, and sample sizes for ratios (give the SD of the difference as
//! measured).

use serde::{Deserialize, Serialize};
use statrs::function::erf::erfc;
use statrs::function::gamma::ln_gamma;

use crate::error::{StatsError, require};
use crate::interval::{require_letters, require_level, t_quantile};

/// Most letters that [`PairedDesign::letters_needed`] looks for: the alphabet.
const ALPHABET: usize = 26;

/// A paired comparison of two methods. All SDs are in the unit of the score.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct PairedDesign {
    /// Number of letters.
    pub letters: usize,
    /// SD over letters of the true difference (`SD_d`; of the observed difference if `word_sd` is
    /// zero).
    pub difference_sd: f64,
    /// SD over words of the difference within a letter.
    pub word_sd: f64,
    /// Words per letter.
    pub words: usize,
    /// Training seeds, if the claim is about recipes rather than about two given SAEs.
    pub sae_seeds: Option<SaeSeeds>,
    /// Two-sided level of the test is `1 - level`, as for intervals.
    pub level: f64,
}

/// Training seeds of each of the two methods.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct SaeSeeds {
    /// Retrained SAEs per method.
    pub count: usize,
    /// SD of the score over training seeds.
    pub sd: f64,
}

impl PairedDesign {
    /// Standard error of the mean difference.
    ///
    /// # Errors
    /// Fewer than [`crate::MIN_LETTERS`] letters, no words, no seeds, an SD that is negative or not
    /// finite, all SDs zero, or a level outside `(0, 1)`.
    pub fn standard_error(&self) -> Result<f64, StatsError> {
        require_letters(self.letters)?;
        require_level(self.level)?;
        require(self.words > 0, "words per letter", 0.0)?;
        let seeds = self.sae_seeds.unwrap_or(SaeSeeds { count: 1, sd: 0.0 });
        require(seeds.count > 0, "number of training seeds", 0.0)?;
        for (name, sd) in [
            ("SD of the difference over letters", self.difference_sd),
            ("SD of the difference over words", self.word_sd),
            ("SD over training seeds", seeds.sd),
        ] {
            require(sd.is_finite() && sd >= 0.0, name, sd)?;
        }
        let per_letter = self.difference_sd.powi(2) + self.word_sd.powi(2) / self.words as f64;
        let variance = per_letter / self.letters as f64 + 2.0 * seeds.sd.powi(2) / seeds.count as f64;
        require(variance > 0.0, "variance of the difference", variance)?;
        Ok(variance.sqrt())
    }

    /// Smallest true mean difference that is found with probability `power`:
    /// `(t_{1-alpha/2} + t_{power}) * standard error`; with 26 letters, level .95 and power .8 this
    /// is `.572 SD_d`.
    ///
    /// # Errors
    /// As [`PairedDesign::standard_error`], and a power outside `(0.5, 1)`.
    pub fn minimum_detectable(&self, power: f64) -> Result<f64, StatsError> {
        let error = self.standard_error()?;
        require(power > 0.5 && power < 1.0, "power", power)?;
        let freedom = self.letters - 1;
        // The two-sided quantile at `2 power - 1` is the one-sided quantile at `power`.
        Ok((t_quantile(freedom, self.level) + t_quantile(freedom, 2.0 * power - 1.0)) * error)
    }

    /// Probability to find a true mean difference of `effect`, in either direction, if differences
    /// are normal over letters.
    ///
    /// # Errors
    /// As [`PairedDesign::standard_error`], and an effect that is not finite.
    pub fn power(&self, effect: f64) -> Result<f64, StatsError> {
        let shift = effect / self.standard_error()?;
        require(shift.is_finite(), "effect", effect)?;
        let critical = t_quantile(self.letters - 1, self.level);
        let freedom = self.letters - 1;
        Ok((1.0 - noncentral_t(critical, freedom, shift) + noncentral_t(-critical, freedom, shift)).clamp(0.0, 1.0))
    }

    /// Fewest letters, all else equal, that find `effect` with probability `power`; `None` if the
    /// 26 letters of the alphabet are not enough.
    ///
    /// # Errors
    /// As [`PairedDesign::minimum_detectable`], and an effect that is not finite.
    pub fn letters_needed(&self, effect: f64, power: f64) -> Result<Option<usize>, StatsError> {
        require(effect.is_finite(), "effect", effect)?;
        for letters in crate::MIN_LETTERS..=ALPHABET {
            if (Self { letters, ..*self }).minimum_detectable(power)? <= effect.abs() {
                return Ok(Some(letters));
            }
        }
        Ok(None)
    }
}

/// Words per letter from which on word noise widens the SD over letters by less than `widening`:
/// the smallest `n` with `SD_w^2 / n <= ((1 + widening)^2 - 1) SD_L^2`.
///
/// For a share `p` of words, `word_sd = sqrt(p (1 - p))`; with `p = .5` and a widening of .1, a
/// letter SD of .10 takes 120 words and .23 takes 23.
///
/// # Errors
/// A letter SD or a widening that is not positive, or a word SD that is negative or not finite.
pub fn words_needed(word_sd: f64, letter_sd: f64, widening: f64) -> Result<usize, StatsError> {
    require(word_sd.is_finite() && word_sd >= 0.0, "SD over words", word_sd)?;
    require(letter_sd.is_finite() && letter_sd > 0.0, "SD over letters", letter_sd)?;
    require(widening.is_finite() && widening > 0.0, "widening", widening)?;
    let allowed = ((1.0 + widening).powi(2) - 1.0) * letter_sd.powi(2);
    Ok((word_sd.powi(2) / allowed).ceil().max(1.0) as usize)
}

/// `P(Z + shift <= x S)` with `S^2` distributed as `chi2 / freedom`, by Simpson's rule over the
/// density of `S`.
fn noncentral_t(x: f64, freedom: usize, shift: f64) -> f64 {
    const STEPS: usize = 2_000;
    let v = freedom as f64;
    // The density of S has mean below 1 and SD below 1 / sqrt(2 v): beyond this is less than 1e-12.
    let step = (3.0 + 8.0 / (2.0 * v).sqrt()) / STEPS as f64;
    let scale = 2.0_f64.ln() + 0.5 * v * (0.5 * v).ln() - ln_gamma(0.5 * v);
    let at = |index: usize| {
        let s = index as f64 * step;
        let density = (scale + (v - 1.0) * s.ln() - 0.5 * v * s * s).exp();
        density * 0.5 * erfc((shift - x * s) / std::f64::consts::SQRT_2)
    };
    // At s = 0 the density vanishes, as there are at least two degrees.
    let inner: f64 = (1..STEPS)
        .map(|index| at(index) * if index % 2 == 1 { 4.0 } else { 2.0 })
        .sum();
    (inner + at(STEPS)) * step / 3.0
}

/// One row of [`power_table`].
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct PowerRow {
    /// The design of the row.
    pub design: PairedDesign,
    /// Standard error of the mean difference.
    pub standard_error: f64,
    /// Minimum detectable difference at power .8.
    pub minimum_detectable: f64,
    /// The same at power .95: what a difference must be to be found almost surely.
    pub minimum_detectable_sure: f64,
}

/// Minimum detectable differences of `base` for all pairs of a number of letters and an `SD_d`.
///
/// # Shapes
/// - returns: `[letters.len() * difference_sds.len()]`, the SD changing fastest
///
/// # Errors
/// As [`PairedDesign::minimum_detectable`] for any row.
pub fn power_table(
    base: &PairedDesign,
    letters: &[usize],
    difference_sds: &[f64],
) -> Result<Vec<PowerRow>, StatsError> {
    let mut rows = Vec::with_capacity(letters.len() * difference_sds.len());
    for &letters in letters {
        for &difference_sd in difference_sds {
            let design = PairedDesign {
                letters,
                difference_sd,
                ..*base
            };
            rows.push(PowerRow {
                design,
                standard_error: design.standard_error()?,
                minimum_detectable: design.minimum_detectable(0.8)?,
                minimum_detectable_sure: design.minimum_detectable(0.95)?,
            });
        }
    }
    Ok(rows)
}
