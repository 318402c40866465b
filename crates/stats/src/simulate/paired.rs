//! Two methods on the same letters and words: how often a test finds a difference.
//!
//! The methods share the rates of letters and words and the full effect of every word; letter `c`
//! differs by `d_c`, normal over letters, and every word adds noise of each method's own. With a
//! mean difference of zero the rejections are the size of a test, else its power.
//!
//! Deliberately absent: differences that depend on the rate of a letter.

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::draw::{beta, normal};
use super::panel::{PanelModel, require_sd};
use super::word_level::pooled_words;
use crate::error::{StatsError, require};
use crate::interval::{letter_t, require_level};
use crate::resample::plain_sum;
use crate::seed;
use crate::sign_flip::sign_flip;

/// A population of paired comparisons on the mediated share.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PairedModel {
    /// Letters, words, and everything that the methods share.
    pub panel: PanelModel,
    /// Mean over the population of letters of method A minus method B.
    pub difference: f64,
    /// SD over letters of the difference.
    pub difference_sd: f64,
    /// SD over words of each method's own noise.
    pub own_word_sd: f64,
}

/// One draw from a [`PairedModel`].
#[derive(Clone, Debug, PartialEq)]
pub struct PairedPanel {
    /// `[letters]`, each `[words]` of (edited effect of A, edited effect of B, full effect).
    pub letters: Vec<Vec<[f64; 3]>>,
}

impl PairedModel {
    /// Draws a comparison; the same `seed` gives the same one.
    ///
    /// # Errors
    /// A parameter out of range.
    pub fn panel(&self, seed: u64) -> Result<PairedPanel, StatsError> {
        self.panel.check()?;
        require(self.difference.is_finite(), "difference", self.difference)?;
        require_sd("SD of the difference over letters", self.difference_sd)?;
        require_sd("SD of a method's own noise", self.own_word_sd)?;
        let rate = self.panel.share;
        let noise = rate.word_sd.hypot(rate.prompt_sd / (self.panel.prompts as f64).sqrt());
        let mut rng = seed::rng(seed, "simulate/paired");
        let letters = (0..self.panel.letters)
            .map(|letter| {
                let centre = beta(rate.mean, rate.letter_sd, &mut rng);
                let half = 0.5 * (self.difference + self.difference_sd * normal(&mut rng));
                (0..self.panel.words_of(letter))
                    .map(|_| {
                        let (full, shift) = self.panel.effect(&mut rng);
                        let common = centre + shift + noise * normal(&mut rng);
                        let a = common + half + self.own_word_sd * normal(&mut rng);
                        let b = common - half + self.own_word_sd * normal(&mut rng);
                        [full * a, full * b, full]
                    })
                    .collect()
            })
            .collect();
        Ok(PairedPanel { letters })
    }
}

impl PairedPanel {
    /// `[letters]`: ratio of sums of A minus that of B.
    #[must_use]
    pub fn differences(&self) -> Vec<f64> {
        self.letters
            .iter()
            .map(|words| {
                let [a, b, full] = plain_sum(words);
                a / full - b / full
            })
            .collect()
    }

    /// Whether the word-level interval of the pooled difference excludes zero: the counterexample.
    fn word_level_rejects(&self, level: f64) -> bool {
        let rows: Vec<Vec<[f64; 2]>> = self
            .letters
            .iter()
            .map(|words| words.iter().map(|[a, b, full]| [a - b, *full]).collect())
            .collect();
        let rows: Vec<&[[f64; 2]]> = rows.iter().map(Vec::as_slice).collect();
        !pooled_words(&rows, level).contains(0.0)
    }
}

/// How to count rejections.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TestConfig {
    /// Comparisons drawn; the standard error of a size near .05 is .0034 with 4,000.
    pub tests: usize,
    /// Random sign flips per comparison. With 999 the test is exact at .05 (a multiple of 1/1000).
    pub flips: usize,
    /// Rejects at `1 - level`.
    pub level: f64,
    /// Seed of the run.
    pub seed: u64,
}

/// Shares of comparisons in which a difference is found.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Rejections {
    /// Sign flips over letters.
    pub sign_flip: f64,
    /// Student t over letters.
    pub letter_t: f64,
    /// All words pooled: wrong.
    pub word_level: f64,
    /// Mean over comparisons of the SD over letters of the observed difference.
    pub observed_sd: f64,
}

/// Counts rejections over comparisons drawn from `model`.
///
/// # Errors
/// A parameter out of range, or no tests or flips.
pub fn rejections(model: &PairedModel, config: &TestConfig) -> Result<Rejections, StatsError> {
    require_level(config.level)?;
    if config.tests == 0 {
        return Err(StatsError::NoDraws);
    }
    let outcomes = (0..config.tests)
        .into_par_iter()
        .map(|index| {
            let seed = seed::sub_seed(config.seed, &format!("simulate/rejections/test={index}"));
            let panel = model.panel(seed)?;
            let differences = panel.differences();
            let flip = sign_flip(&differences, config.flips, seed)?;
            let found = [
                // Half a step of the p-value, so that .05 itself counts whatever its rounding.
                flip.p <= 1.0 - config.level + 0.5 / (1 + flip.draws) as f64,
                !letter_t(&differences, config.level)?.contains(0.0),
                panel.word_level_rejects(config.level),
            ];
            Ok((found, crate::sd(&differences)?))
        })
        .collect::<Result<Vec<_>, StatsError>>()?;
    let count = outcomes.len() as f64;
    let share = |test: usize| outcomes.iter().filter(|(found, _)| found[test]).count() as f64 / count;
    Ok(Rejections {
        sign_flip: share(0),
        letter_t: share(1),
        word_level: share(2),
        observed_sd: outcomes.iter().map(|(_, sd)| sd).sum::<f64>() / count,
    })
}
