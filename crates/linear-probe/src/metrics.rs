//! Classification scores per class and their macro means.
//!
//! A class without positives or without negatives has no scores: it is `None`, listed in
//! [`Evaluation::undefined`] and left out of the means, never counted as zero or one.
//!
//! Deliberately absent: accuracy, which one class of 26 makes meaningless, and micro averages.

use serde::{Deserialize, Serialize};

use crate::error::ProbeError;
use crate::labels::Labels;

/// Counts of a binary decision.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Confusion {
    /// Positive rows that are found.
    pub true_positives: usize,
    /// Negative rows that are taken for positive.
    pub false_positives: usize,
    /// Positive rows that are missed.
    pub false_negatives: usize,
}

impl Confusion {
    /// `2 TP / (2 TP + FP + FN)`, zero if nothing is found.
    #[must_use]
    pub fn f1(self) -> f64 {
        let hits = 2 * self.true_positives;
        ratio(hits, hits + self.false_positives + self.false_negatives)
    }

    /// `TP / (TP + FP)`; zero if nothing is decided positive, as scikit-learn has it.
    #[must_use]
    pub fn precision(self) -> f64 {
        ratio(self.true_positives, self.true_positives + self.false_positives)
    }

    /// `TP / (TP + FN)`, zero if there are no positives.
    #[must_use]
    pub fn recall(self) -> f64 {
        ratio(self.true_positives, self.true_positives + self.false_negatives)
    }
}

/// Scores of one class that has positives and negatives.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClassScores {
    /// Rows of the class.
    pub positives: usize,
    /// All other rows.
    pub negatives: usize,
    /// F1 at the threshold.
    pub f1: f64,
    /// Precision at the threshold.
    pub precision: f64,
    /// Recall at the threshold.
    pub recall: f64,
    /// Area under the ROC curve; ties count one half.
    pub auc: f64,
}

/// Scores of all classes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Evaluation {
    /// `[n_classes]`, `None` for a class without positives or without negatives.
    pub classes: Vec<Option<ClassScores>>,
    /// The classes that are `None`.
    pub undefined: Vec<usize>,
}

impl Evaluation {
    /// Mean of `field` over the classes that have scores, `None` if no class has.
    pub fn macro_mean(&self, field: impl Fn(&ClassScores) -> f64) -> Option<f64> {
        let values: Vec<f64> = self.classes.iter().flatten().map(field).collect();
        (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
    }
}

/// Scores every class; a row counts as positive for a class iff its score is above `threshold`.
///
/// # Shapes
/// - `scores`: `[n, n_classes]`, row-major, for example [`crate::LogisticProbe::scores`]
/// - `labels`: `[n]`
///
/// # Errors
/// A length other than `n * n_classes`, or a score that is not finite.
pub fn evaluate(scores: &[f64], labels: &Labels, threshold: f64) -> Result<Evaluation, ProbeError> {
    let classes = labels.n_classes();
    if scores.len() != labels.n() * classes {
        let expected = labels.n() * classes;
        return Err(ProbeError::Length {
            what: "scores",
            expected,
            found: scores.len(),
        });
    }
    if let Some(place) = scores.iter().position(|score| !score.is_finite()) {
        let (row, column) = (place / classes, place % classes);
        return Err(ProbeError::NonFinite {
            row,
            column,
            value: scores[place],
        });
    }
    let evaluated: Vec<Option<ClassScores>> = (0..classes)
        .map(|class| {
            let column: Vec<f64> = scores.iter().skip(class).step_by(classes).copied().collect();
            let positive: Vec<bool> = labels.classes().iter().map(|&c| c == class).collect();
            score_class(&column, &positive, threshold)
        })
        .collect();
    let undefined = (0..classes).filter(|&class| evaluated[class].is_none()).collect();
    Ok(Evaluation {
        classes: evaluated,
        undefined,
    })
}

/// Scores of one class; `None` without positives or without negatives.
///
/// # Shapes
/// - `scores`, `positive`: `[n]`
#[must_use]
pub fn score_class(scores: &[f64], positive: &[bool], threshold: f64) -> Option<ClassScores> {
    let auc = roc_auc(scores, positive)?;
    let positives = positive.iter().filter(|&&positive| positive).count();
    let counts = confusion(scores, positive, threshold);
    Some(ClassScores {
        positives,
        negatives: positive.len() - positives,
        f1: counts.f1(),
        precision: counts.precision(),
        recall: counts.recall(),
        auc,
    })
}

/// Counts of the decision `score > threshold`.
///
/// # Shapes
/// - `scores`, `positive`: `[n]`
#[must_use]
pub fn confusion(scores: &[f64], positive: &[bool], threshold: f64) -> Confusion {
    let mut counts = Confusion::default();
    for (&score, &positive) in scores.iter().zip(positive) {
        match (score > threshold, positive) {
            (true, true) => counts.true_positives += 1,
            (true, false) => counts.false_positives += 1,
            (false, true) => counts.false_negatives += 1,
            (false, false) => {}
        }
    }
    counts
}

/// Area under the ROC curve as the Mann-Whitney statistic with midranks; `None` without positives
/// or without negatives.
///
/// # Shapes
/// - `scores`, `positive`: `[n]`
#[must_use]
pub fn roc_auc(scores: &[f64], positive: &[bool]) -> Option<f64> {
    let mut ranked: Vec<(f64, bool)> = scores.iter().copied().zip(positive.iter().copied()).collect();
    ranked.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
    let (mut below, mut wins, mut positives) = (0, 0.0, 0);
    // Numbers that compare equal are ties, also 0 and -0.
    for tie in ranked.chunk_by(|a, b| a.0 >= b.0) {
        let hits = tie.iter().filter(|row| row.1).count();
        let misses = tie.len() - hits;
        wins += hits as f64 * (below as f64 + 0.5 * misses as f64);
        below += misses;
        positives += hits;
    }
    (positives > 0 && below > 0).then(|| wins / (positives as f64 * below as f64))
}

fn ratio(part: usize, whole: usize) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}
