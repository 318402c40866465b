//! From decisions to the rate of a letter and the value of an SAE.
//!
//! `rate = (absorbed / sample portion) / probe true positives`, and the SAE's value is the mean
//! over letters. The released code groups the rows of words that were looked at, so that a letter
//! of which no word was left, the best outcome there is, drops out of the mean instead of counting
//! as zero ([`Aggregation`]).
//!
//! Deliberately absent: intervals.

use serde::{Deserialize, Serialize};

use crate::absorption::error::{AbsorptionError, finite};

/// Counts of one letter.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct LetterRate {
    letter: char,
    looked_at: usize,
    absorbed: usize,
    sample_portion: f64,
    true_positives: usize,
}

impl LetterRate {
    /// Counts of one letter.
    ///
    /// - `looked_at`: words with a decision; 0 if none survived the filter
    /// - `absorbed`: absorbed ones among them
    /// - `sample_portion`: share of the survivors that were looked at
    /// - `true_positives`: test words of the letter that the dense probe finds
    ///
    /// # Errors
    /// More absorbed words than were looked at, more of those than true positives, or a portion
    /// that is not above 0 and at most 1.
    pub fn new(
        letter: char,
        looked_at: usize,
        absorbed: usize,
        sample_portion: f64,
        true_positives: usize,
    ) -> Result<Self, AbsorptionError> {
        for (what, found, most) in [
            ("absorbed words", absorbed, looked_at),
            ("words that were looked at", looked_at, true_positives),
        ] {
            if found > most {
                return Err(AbsorptionError::Count {
                    letter,
                    what,
                    found,
                    most,
                });
            }
        }
        let portion = finite("a sample portion", sample_portion)?;
        if portion <= 0.0 || portion > 1.0 {
            return Err(AbsorptionError::Setting {
                name: "sample portion",
                value: portion,
                range: "above 0 and at most 1",
            });
        }
        Ok(Self {
            letter,
            looked_at,
            absorbed,
            sample_portion,
            true_positives,
        })
    }

    /// The letter.
    #[must_use]
    pub fn letter(&self) -> char {
        self.letter
    }

    /// Words with a decision.
    #[must_use]
    pub fn looked_at(&self) -> usize {
        self.looked_at
    }

    /// Absorbed words among them.
    #[must_use]
    pub fn absorbed(&self) -> usize {
        self.absorbed
    }

    /// Test words of the letter that the dense probe finds.
    #[must_use]
    pub fn true_positives(&self) -> usize {
        self.true_positives
    }

    /// Absorbed words, if those that were not looked at are like those that were.
    #[must_use]
    pub fn num_absorption(&self) -> f64 {
        self.absorbed as f64 / self.sample_portion
    }

    /// Share of the words that the dense probe finds; `None` if it finds none.
    #[must_use]
    pub fn rate(&self) -> Option<f64> {
        (self.true_positives > 0).then(|| self.num_absorption() / self.true_positives as f64)
    }

    /// The rate before the denominator was changed (pull request 34 of `sae-spelling`): share of
    /// absorbed words among those and the words that both the dense and the k-sparse probe find.
    /// `None` if there are neither. To be used with [`super::ChaninThresholds::earlier`].
    #[must_use]
    pub fn earlier_rate(&self, both_probes: usize) -> Option<f64> {
        let all = self.num_absorption() + both_probes as f64;
        (all > 0.0).then(|| self.num_absorption() / all)
    }
}

/// What becomes of a letter of which no word was looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Aggregation {
    /// It is left out, as in the released code: biased upwards.
    AsReleased,
    /// Its rate is 0, since no word of it is absorbed.
    AbsentAsZero,
}

/// Absorption rate of an SAE.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct SaeRate {
    /// Rule for letters of which no word was looked at.
    pub aggregation: Aggregation,
    /// Unweighted mean over letters; `None` without letters, where the released code fails.
    pub mean: Option<f64>,
    /// Letters in the mean.
    pub n: usize,
    /// Letters of which no word was looked at, though the dense probe finds some.
    pub absent: usize,
    /// Letters of which the dense probe finds no word: they have no rate and are in no mean.
    pub undefined: usize,
}

/// Mean over letters. `letters`: all letters that were tried, also those without words.
#[must_use]
pub fn aggregate(letters: &[LetterRate], aggregation: Aggregation) -> SaeRate {
    let counts = |letter: &&LetterRate| aggregation == Aggregation::AbsentAsZero || letter.looked_at > 0;
    let rates: Vec<f64> = letters.iter().filter(counts).filter_map(LetterRate::rate).collect();
    let number = |is: fn(&LetterRate) -> bool| letters.iter().filter(|letter| is(letter)).count();
    SaeRate {
        aggregation,
        mean: stats::mean(&rates).ok(),
        n: rates.len(),
        absent: number(|letter| letter.looked_at == 0 && letter.true_positives > 0),
        undefined: number(|letter| letter.true_positives == 0),
    }
}
