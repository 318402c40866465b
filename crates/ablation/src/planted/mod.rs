//! Worlds whose truth is planted: what the arms, the scores and the accounting of gaps must find, without a language model.
//!
//! A [`World`] is vectors with known letters and a [`Head`] that answers for any vector; it implements [`Readout`] through
//! [`Planted`], so that [`Bench`], the arms, the selection rules and the scores run unchanged. Each submodule plants one thing:
//!
//! - [`delta`]: the family between no and full absorption that has a closed form (Chanin et al. 2025, appendix A.2);
//! - [`defects`]: an autoencoder that splits, absorbs, cuts off and misses known shares of a letter;
//! - [`hedging`]: decoder rows that write the neighbouring letter too;
//! - [`hierarchy`]: many features in trees with exclusive children, for trained autoencoders and degraded controls;
//! - [`room`]: the hedging rate of trained autoencoders: what their latents give back when there is room;
//! - [`invariance`]: other spellings of one world that must not change a score;
//! - [`transformer`]: a checkpoint whose one attention head copies the letter at a known layer.
//!
//! Deliberately absent: verdicts and tolerances (the caller has the expectations), and files: the transformer is given as tensors.

pub mod defects;
pub mod delta;
mod dictionary;
mod draw;
pub mod hedging;
pub mod hierarchy;
pub mod invariance;
pub mod room;
pub mod transformer;

use linear_probe::{Design, Labels, LogisticConfig, Moments, Shrinkage, diff_of_means, fit_logistic};
use sae::SparseLatents;

pub use dictionary::{Dictionary, permuted_decoder, random_of_l0, rescaled};

use crate::arms::Arm;
use crate::directions::{Directions, Labelled, off_class_means};
use crate::effects::LetterLogits;
use crate::error::{AblationError, Result};
use crate::measure::{Bench, Pair};
use crate::readout::Readout;
use crate::score::{ClassScore, Scored, score};

/// How a vector becomes an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Only the right letter's logit follows the vector, all others are equal: its log-odds are linear in the vector, so that
    /// effects have a closed form.
    Linear,
    /// All 26 logits follow the vector, as in a model.
    Softmax,
}

/// Letter directions that answer for a vector.
#[derive(Clone, Debug)]
pub struct Head {
    /// Logit of each letter per unit of the vector, `[26, d]`; zero rows for letters that the world does not have.
    pub rows: Vec<f64>,
    /// Added to all 26 logits.
    pub constant: f32,
    /// What the other letters' logits do.
    pub outcome: Outcome,
}

impl Head {
    /// A head that reads `gain` logits along each class's direction; class `c` is the alphabet's letter `c`.
    ///
    /// # Shapes
    /// - `directions`: `[classes]` of `[d]`, at most 26
    #[must_use]
    pub fn new(directions: &[Vec<f64>], gain: f64, outcome: Outcome) -> Self {
        let d = directions.first().map_or(0, Vec::len);
        let mut rows = vec![0.0; 26 * d];
        for (row, direction) in rows.chunks_exact_mut(d.max(1)).zip(directions) {
            draw::add(row, direction, gain);
        }
        Self {
            rows,
            constant: 0.0,
            outcome,
        }
    }

    /// Logits of `vector` where the right letter is `letter`.
    fn logits(&self, vector: &[f32], letter: usize) -> LetterLogits {
        let d = vector.len();
        let logit = |k: usize| {
            let row = &self.rows[k * d..(k + 1) * d];
            row.iter().zip(vector).map(|(w, &x)| w * f64::from(x)).sum::<f64>() as f32 + self.constant
        };
        match self.outcome {
            Outcome::Softmax => std::array::from_fn(logit),
            Outcome::Linear => {
                let mut out = [self.constant; 26];
                out[letter] = logit(letter);
                out
            }
        }
    }
}

/// Vectors with known letters and what answers for them. Class `c` is the alphabet's letter `c`.
#[derive(Clone, Debug)]
pub struct World {
    /// Words that directions and selection rules see.
    pub train: Labelled,
    /// Words that are scored.
    pub test: Labelled,
    /// What answers.
    pub head: Head,
}

/// Some words of a world with its head: a site.
#[derive(Clone, Copy, Debug)]
pub struct Planted<'a> {
    words: &'a Labelled,
    head: &'a Head,
}

impl Readout for Planted<'_> {
    fn rows(&self) -> usize {
        self.words.n()
    }

    fn d(&self) -> usize {
        self.words.d
    }

    fn site(&self, row: usize) -> &[f32] {
        self.words.row(row)
    }

    fn set(&self, _row: usize) -> u32 {
        0
    }

    fn edited_logits(&self, rows: &[usize], vectors: &[f32]) -> Result<Vec<LetterLogits>> {
        let d = self.words.d;
        if vectors.len() != rows.len() * d || rows.iter().any(|&row| row >= self.words.n()) {
            return Err(AblationError::Edit(format!(
                "{} values are no edits of {} rows of width {d}",
                vectors.len(),
                rows.len()
            )));
        }
        let answers = rows.iter().zip(vectors.chunks_exact(d));
        Ok(answers
            .map(|(&row, v)| self.head.logits(v, self.words.y[row]))
            .collect())
    }
}

impl World {
    /// The scored words as a site.
    #[must_use]
    pub fn site(&self) -> Planted<'_> {
        Planted {
            words: &self.test,
            head: &self.head,
        }
    }

    /// The words of the selection rules as a site.
    #[must_use]
    pub fn train_site(&self) -> Planted<'_> {
        Planted {
            words: &self.train,
            head: &self.head,
        }
    }

    /// An evaluation of the scored words: every letter's editor on all its own words, and on up to `others` words of each other
    /// letter. Words have no donors.
    ///
    /// # Errors
    /// There are no words, or the ceiling arm does not fit.
    pub fn bench<'a>(&self, site: &'a Planted<'_>, full: &Arm, others: usize) -> Result<Bench<'a>> {
        let classes = self.test.classes;
        let mut of_class: Vec<Vec<usize>> = vec![Vec::new(); classes];
        for (row, &class) in self.test.y.iter().enumerate() {
            of_class[class].push(row);
        }
        let mut pairs = Vec::new();
        for class in 0..classes {
            for (own, rows) in of_class.iter().enumerate() {
                let on = own == class;
                let take = if on { rows.len() } else { others };
                pairs.extend(rows.iter().take(take).map(|&row| Pair { class, row, on }));
            }
        }
        let donors = vec![None; self.test.n()];
        Bench::new(site, (0..classes).collect(), self.test.y.clone(), pairs, donors, full)
    }
}

/// What linear algebra knows about the letters of planted words: as [`Directions::fit`], with one fixed, strong penalty of the
/// logistic probe instead of a search, since nothing here depends on that arm.
///
/// # Errors
/// A class has no words, or a fit fails.
pub fn directions(train: &Labelled) -> Result<Directions> {
    const C: f64 = 1e-3;
    let design = Design::new(&train.x, train.n(), train.d)?;
    let labels = Labels::new(&train.y, train.classes)?;
    let config = LogisticConfig {
        tolerance: 1e-2,
        ..LogisticConfig::balanced(C)
    };
    let moments = Moments::new(design, &labels)?;
    Ok(Directions {
        lr: fit_logistic(design, &labels, &config)?.probe,
        lr_c: C,
        diff: diff_of_means(design, &labels)?,
        leace: linear_probe::Leace::per_class(&moments, Shrinkage::LedoitWolf)?,
        leace_joint: linear_probe::Leace::joint(&moments, Shrinkage::LedoitWolf)?,
        spectrum: linear_probe::Spectrum::new(&moments, Shrinkage::LedoitWolf)?,
        off_mean: off_class_means(train),
    })
}

/// Scores of an arm on a planted evaluation.
///
/// # Errors
/// An editor cannot apply.
pub fn scores(bench: &Bench<'_>, arm: &Arm, latents: Option<&SparseLatents>) -> Result<Scored> {
    let measured = bench.measure(arm, latents, false)?;
    score(&bench.rows(&measured, |row| format!("word-{row}")))
}

/// Mean of a score over the letters that have one; none if no letter has.
#[must_use]
pub fn macro_mean(scored: &Scored, value: impl Fn(&ClassScore) -> f64) -> Option<f64> {
    let n = scored.letters.len();
    (n > 0).then(|| scored.letters.values().map(value).sum::<f64>() / n as f64)
}

/// A reference that reads and writes known directions: what LEACE would be if it knew the truth.
///
/// # Shapes
/// - `directions`: `[classes]` of `[d]`
#[must_use]
pub fn oracle(directions: &[Vec<f64>]) -> Vec<linear_probe::Leace> {
    directions
        .iter()
        .map(|direction| {
            let square = draw::dot(direction, direction);
            linear_probe::Leace {
                d: direction.len(),
                rank: 1,
                mu: vec![0.0; direction.len()],
                reads: direction.iter().map(|v| v / square).collect(),
                writes: direction.clone(),
            }
        })
        .collect()
}
