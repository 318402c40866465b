//! Panels of letters and words with known truth.
//!
//! Letter `c` has a true rate `s_c`, drawn from a beta distribution over letters. Word `w` has a
//! full effect `f_w > 0` (log-normal, mean 1) and an edited effect
//!
//! `a_w = f_w (s_c + W_w + mean_q Q_wq + coupling (f_w - 1 - Var f))`
//!
//! with normal word effects `W` and prompt effects `Q`. The coupling makes words with a large effect
//! differ in their share, as they do in a model; its centre is chosen such that
//! `E[a_w] / E[f_w] = s_c` exactly, so that the ratio of sums has a known target while the mean of
//! ratios is off by `coupling * Var f`.
//!
//! Deliberately absent: dependence between the rates of a letter and its number of words, and seeds
//! that are common to all letters ([`super::ScoreModel`] has those).

use rand::Rng;

use super::draw::{beta, normal, positive};
use crate::bootstrap::LetterRows;
use crate::error::{StatsError, require};
use crate::interval::require_letters;
use crate::seed;

/// Distribution of a ratio over letters, words and prompts; all SDs in units of the ratio.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rate {
    /// Mean over the population of letters, in `(0, 1)`.
    pub mean: f64,
    /// SD over letters.
    pub letter_sd: f64,
    /// SD over the words of a letter.
    pub word_sd: f64,
    /// SD over the prompts of a word.
    pub prompt_sd: f64,
}

/// A population of panels.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PanelModel {
    /// Number of letters.
    pub letters: usize,
    /// Fewest and most on-target words of a letter; the letters between are evenly spaced.
    pub words: [usize; 2],
    /// Off-target words per letter.
    pub off_target_words: usize,
    /// Prompts per word, averaged.
    pub prompts: usize,
    /// Mediated share, on on-target words.
    pub share: Rate,
    /// Damage share, on off-target words.
    pub damage: Rate,
    /// SD of the logarithm of a word's full effect.
    pub effect_log_sd: f64,
    /// Change of a word's ratio per unit of its full effect.
    pub coupling: f64,
}

/// One draw from a [`PanelModel`].
#[derive(Clone, Debug, PartialEq)]
pub struct Panel {
    /// `[letters]`: group 0 holds on-target words, group 1 off-target words, each row (edited
    /// effect, full effect).
    pub letters: Vec<LetterRows<2, 2>>,
    /// `[letters, 3]`: the true metrics of these letters, as [`panel_metrics`] orders them.
    pub truth: Vec<[f64; 3]>,
}

/// Mediated share, damage share, and `clip(share) (1 - clip(damage))`; none if a denominator is not
/// positive.
#[must_use]
pub fn panel_metrics(sums: &[[f64; 2]; 2]) -> Option<[f64; 3]> {
    let [[share, full], [damage, off]] = *sums;
    if full <= 0.0 || off <= 0.0 {
        return None;
    }
    Some(product(share / full, damage / off))
}

fn product(share: f64, damage: f64) -> [f64; 3] {
    [share, damage, share.clamp(0.0, 1.0) * (1.0 - damage.clamp(0.0, 1.0))]
}

impl PanelModel {
    /// The benchmark at full size: 26 letters of 15 to 200 words and 3 prompts, with the given SD of
    /// the mediated share over letters (published absorption scores have .10 to .23).
    #[must_use]
    pub const fn benchmark(letter_sd: f64) -> Self {
        Self {
            letters: 26,
            words: [15, 200],
            off_target_words: 25,
            prompts: 3,
            share: Rate {
                mean: 0.5,
                letter_sd,
                word_sd: 0.4,
                prompt_sd: 0.3,
            },
            // Small noise, so that cutting a negative damage at zero hardly moves the product.
            damage: Rate {
                mean: 0.1,
                letter_sd: 0.05,
                word_sd: 0.12,
                prompt_sd: 0.1,
            },
            effect_log_sd: 0.5,
            coupling: -0.2,
        }
    }

    /// True means over the population of letters, as [`panel_metrics`] orders them. Share and damage
    /// are drawn independently and lie in `[0, 1]`, so the mean of the product is the product.
    #[must_use]
    pub fn truth(&self) -> [f64; 3] {
        product(self.share.mean, self.damage.mean)
    }

    /// Number of on-target words of letter `letter`.
    #[must_use]
    pub fn words_of(&self, letter: usize) -> usize {
        let [fewest, most] = self.words;
        fewest + (most - fewest) * letter / (self.letters - 1)
    }

    /// Draws a panel; the same `seed` gives the same panel.
    ///
    /// # Errors
    /// Fewer than [`crate::MIN_LETTERS`] letters, no words, no prompts, or a parameter outside its
    /// range (no beta distribution has `letter_sd^2 >= mean (1 - mean)`).
    pub fn panel(&self, seed: u64) -> Result<Panel, StatsError> {
        self.check()?;
        let mut rng = seed::rng(seed, "simulate/panel");
        let (mut letters, mut truth) = (Vec::new(), Vec::new());
        for letter in 0..self.letters {
            let share = beta(self.share.mean, self.share.letter_sd, &mut rng);
            let damage = beta(self.damage.mean, self.damage.letter_sd, &mut rng);
            truth.push(product(share, damage));
            letters.push(LetterRows {
                groups: [
                    self.rows(self.words_of(letter), share, &self.share, &mut rng),
                    self.rows(self.off_target_words, damage, &self.damage, &mut rng),
                ],
            });
        }
        Ok(Panel { letters, truth })
    }

    /// (edited effect, full effect) of `words` words around the `centre` of their letter.
    fn rows(&self, words: usize, centre: f64, rate: &Rate, rng: &mut impl Rng) -> Vec<[f64; 2]> {
        // The mean of a word's prompts is one normal deviate.
        let noise = rate.word_sd.hypot(rate.prompt_sd / (self.prompts as f64).sqrt());
        (0..words)
            .map(|_| {
                let (full, shift) = self.effect(rng);
                [full * (centre + shift + noise * normal(rng)), full]
            })
            .collect()
    }

    /// Full effect of a word, and what the coupling adds to its ratio.
    pub(super) fn effect(&self, rng: &mut impl Rng) -> (f64, f64) {
        let full = positive(self.effect_log_sd, rng);
        let variance = self.effect_log_sd.powi(2).exp_m1();
        (full, self.coupling * (full - 1.0 - variance))
    }

    pub(super) fn check(&self) -> Result<(), StatsError> {
        require_letters(self.letters)?;
        let [fewest, most] = self.words;
        // Two words are what a variance within a letter takes.
        require(fewest >= 2 && most >= fewest, "words per letter", fewest as f64)?;
        require(
            self.off_target_words >= 2,
            "off-target words",
            self.off_target_words as f64,
        )?;
        require(self.prompts > 0, "prompts", 0.0)?;
        for rate in [self.share, self.damage] {
            require(rate.mean > 0.0 && rate.mean < 1.0, "mean of a rate", rate.mean)?;
            let most = rate.mean * (1.0 - rate.mean);
            let possible = rate.letter_sd >= 0.0 && rate.letter_sd.powi(2) < most;
            require(possible, "SD over letters", rate.letter_sd)?;
            require_sd("SD over words", rate.word_sd)?;
            require_sd("SD over prompts", rate.prompt_sd)?;
        }
        require_sd("SD of the log effect", self.effect_log_sd)?;
        require(self.coupling.is_finite(), "coupling", self.coupling)
    }
}

/// Refuses an SD that is negative or not finite.
pub(super) fn require_sd(name: &'static str, sd: f64) -> Result<(), StatsError> {
    require(sd.is_finite() && sd >= 0.0, name, sd)
}
