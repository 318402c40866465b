//! From words to letters to one SAE, as `SAEBench` does it, with marks instead of an abort.
//!
//! `SAEBench` 0.6.0 leaves out letters whose dense probe has a test F1 of 0.6 or less and, with
//! fewer than 20 letters left, stops: this SAE and all later ones get no result. Here every letter
//! keeps its numbers and says whether it counts, and the score says whether it is valid.
//!
//! Deliberately absent: standard errors. The standard deviation over letters that `SAEBench`
//! reports is none: it says how letters differ, not how the score would on other words.

use serde::{Deserialize, Serialize};

use super::{Definition, WordScore};
use crate::absorption::error::{AbsorptionError, finite};

/// Which letters count, and how many must.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Guard {
    /// A letter counts if the test F1 of its dense probe is above this (`min_GT_probe_f1`).
    pub min_probe_f1: f64,
    /// A score is valid with at least this many letters (`min_feats_for_eval`).
    pub min_letters: usize,
}

impl Default for Guard {
    /// `SAEBench` 0.6.0.
    fn default() -> Self {
        Self {
            min_probe_f1: 0.6,
            min_letters: 20,
        }
    }
}

impl Guard {
    /// Every letter counts and one is enough, as before 2025-03-30.
    pub const NONE: Self = Self {
        min_probe_f1: -1.0,
        min_letters: 1,
    };

    /// The guard that the release of a definition had.
    #[must_use]
    pub fn of(definition: Definition) -> Self {
        match definition {
            Definition::V0_6 => Self::default(),
            Definition::V0_3_2 => Self::NONE,
        }
    }
}

/// Words of one letter that its dense probe finds, scored.
#[derive(Clone, Copy, Debug)]
pub struct LetterWords<'a> {
    /// The letter.
    pub letter: char,
    /// F1 of its dense probe on test words; 0 where there is none.
    pub probe_f1: f64,
    /// Number of its main latents.
    pub main_latents: usize,
    /// Test words of the letter that the probe finds: the denominator.
    pub true_positives: usize,
    /// Their scores; a word without a score counts as not absorbed.
    pub words: &'a [WordScore],
}

/// Whether a letter takes part in the score.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LetterMark {
    /// It does.
    Counts,
    /// Its dense probe is too weak for its main latents to mean anything.
    WeakProbe,
    /// No word was scored, so that it has no rate. The released code has no row for it either.
    NoWords,
}

/// Scores of one letter.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct LetterScore {
    /// The letter.
    pub letter: char,
    /// Whether it counts.
    pub mark: LetterMark,
    /// F1 of its dense probe on test words.
    pub probe_f1: f64,
    /// Number of its main latents, at least 1; the paper counts splits, which is one less.
    pub main_latents: usize,
    /// Test words of the letter that the probe finds: the denominator.
    pub true_positives: usize,
    /// Words that were scored.
    pub words: usize,
    /// Sum over words of the fraction of 0.6.
    pub fraction_sum_0_6: f64,
    /// Sum over words of the fraction of 0.3.2.
    pub fraction_sum_0_3_2: f64,
    /// Fully absorbed words.
    pub full: usize,
}

impl LetterScore {
    /// Sums up one letter.
    ///
    /// # Errors
    /// More words than the probe finds, or a probe F1 that is not finite.
    pub fn new(input: &LetterWords<'_>, guard: &Guard) -> Result<Self, AbsorptionError> {
        let words = input.words.len();
        if words > input.true_positives {
            return Err(AbsorptionError::Count {
                letter: input.letter,
                what: "scored words",
                found: words,
                most: input.true_positives,
            });
        }
        let probe_f1 = finite("the F1 of a probe", input.probe_f1)?;
        let mark = if words == 0 {
            LetterMark::NoWords
        } else if probe_f1 > guard.min_probe_f1 {
            LetterMark::Counts
        } else {
            LetterMark::WeakProbe
        };
        let sum = |definition| input.words.iter().map(|word| word.fraction(definition)).sum();
        Ok(Self {
            letter: input.letter,
            mark,
            probe_f1,
            main_latents: input.main_latents,
            true_positives: input.true_positives,
            words,
            fraction_sum_0_6: sum(Definition::V0_6),
            fraction_sum_0_3_2: sum(Definition::V0_3_2),
            full: input.words.iter().filter(|word| word.is_full()).count(),
        })
    }

    /// Whether the letter takes part in the score.
    #[must_use]
    pub fn counts(&self) -> bool {
        self.mark == LetterMark::Counts
    }

    /// `mean_absorption_fraction`; `None` without words.
    #[must_use]
    pub fn fraction(&self, definition: Definition) -> Option<f64> {
        self.per_word(match definition {
            Definition::V0_3_2 => self.fraction_sum_0_3_2,
            Definition::V0_6 => self.fraction_sum_0_6,
        })
    }

    /// `full_absorption_rate`; `None` without words.
    #[must_use]
    pub fn full_rate(&self) -> Option<f64> {
        self.per_word(self.full as f64)
    }

    fn per_word(&self, sum: f64) -> Option<f64> {
        (self.words > 0).then(|| sum / self.true_positives as f64)
    }
}

/// Mean over letters and the sample standard deviation, which says how letters differ and nothing
/// about how certain the mean is.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Spread {
    /// Unweighted mean.
    pub mean: f64,
    /// With `n - 1` in the denominator; `None` for one letter.
    pub sd: Option<f64>,
}

impl Spread {
    /// `None` without values, or if one is not finite.
    fn of(values: &[f64]) -> Option<Self> {
        Some(Self {
            mean: stats::mean(values).ok()?,
            sd: stats::sd(values).ok(),
        })
    }
}

/// Whether a score may be compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SaeMark {
    /// Enough letters count.
    Valid,
    /// Too few letters count, so that even a zero is misleading. `SAEBench` has no result here.
    TooFewLetters {
        /// Letters that count.
        found: usize,
        /// Letters needed.
        needed: usize,
    },
}

/// Scores of one SAE: means over the letters that count.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SaeScore {
    /// Version of the fraction.
    pub definition: Definition,
    /// Which letters count, and how many must.
    pub guard: Guard,
    /// Whether the score may be compared.
    pub mark: SaeMark,
    /// Letters that count: the `n` of the means.
    pub n: usize,
    /// Absorption fraction.
    pub fraction: Option<Spread>,
    /// Rate of full absorption.
    pub full: Option<Spread>,
    /// Number of main latents (`num_split_features` of the result file).
    pub main_latents: Option<Spread>,
    /// All letters, also those that do not count.
    pub letters: Vec<LetterScore>,
}

impl SaeScore {
    /// Sums up an SAE.
    ///
    /// # Errors
    /// A letter that cannot be ([`LetterScore::new`]).
    pub fn new(letters: &[LetterWords<'_>], definition: Definition, guard: &Guard) -> Result<Self, AbsorptionError> {
        let letters = letters
            .iter()
            .map(|letter| LetterScore::new(letter, guard))
            .collect::<Result<Vec<_>, _>>()?;
        let counted: Vec<&LetterScore> = letters.iter().filter(|letter| letter.counts()).collect();
        let spread = |value: &dyn Fn(&LetterScore) -> Option<f64>| {
            let values: Vec<f64> = counted.iter().filter_map(|letter| value(letter)).collect();
            Spread::of(&values)
        };
        let n = counted.len();
        Ok(Self {
            definition,
            guard: *guard,
            mark: if n >= guard.min_letters && n > 0 {
                SaeMark::Valid
            } else {
                SaeMark::TooFewLetters {
                    found: n,
                    needed: guard.min_letters.max(1),
                }
            },
            n,
            fraction: spread(&|letter| letter.fraction(definition)),
            full: spread(&|letter| letter.full_rate()),
            main_latents: spread(&|letter| Some(letter.main_latents as f64)),
            letters,
        })
    }

    /// Whether the score may be compared.
    #[must_use]
    pub fn is_valid(&self) -> bool {
        self.mark == SaeMark::Valid
    }
}
