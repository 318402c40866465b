//! The quick statistics of the released code, `gen_probe_stats`.
//!
//! It decides by `logit > 0.5`, although every experiment of Chanin et al. 2025 decides by
//! `logit > 0` (probability one half): a threshold on probabilities applied to logits. Numbers
//! published from it can be reproduced here and told from the others.
//!
//! Deliberately absent: ROC-AUC and means over letters, which [`crate::metrics`] has.

use serde::{Deserialize, Serialize};

use crate::error::ProbeError;
use crate::labels::Labels;
use crate::metrics::confusion;

/// The logit above which a row counts as positive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LogitThreshold {
    /// `logit > 0.5`, the default of `gen_probe_stats` in both libraries.
    ReleasedCode,
    /// `logit > 0`, the decision of all experiments.
    Zero,
}

impl LogitThreshold {
    /// The threshold, in logits.
    #[must_use]
    pub fn logit(self) -> f64 {
        match self {
            Self::ReleasedCode => 0.5,
            Self::Zero => 0.0,
        }
    }
}

/// Statistics of one class.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct ProbeStats {
    /// F1; zero where nothing is found, as scikit-learn has it.
    pub f1: f64,
    /// Share of rows decided rightly. With 26 letters it is above 0.9 for a probe that never
    /// fires.
    pub accuracy: f64,
    /// Precision, zero if nothing is decided positive.
    pub precision: f64,
    /// Recall, zero if there are no positives.
    pub recall: f64,
}

/// `gen_probe_stats` at either threshold. A class without rows has zeros, as in the released code.
///
/// # Shapes
/// - `scores`: `[n, n_classes]`, row-major, logits
/// - `labels`: `[n]`, at least one row
/// - returns: `[n_classes]`
///
/// # Errors
/// A length other than `n * n_classes`, or no rows.
pub fn probe_stats(scores: &[f64], labels: &Labels, threshold: LogitThreshold) -> Result<Vec<ProbeStats>, ProbeError> {
    let (n, classes) = (labels.n(), labels.n_classes());
    if n == 0 || classes == 0 {
        return Err(ProbeError::EmptyDesign { n, d: classes });
    }
    if scores.len() != n * classes {
        return Err(ProbeError::Length {
            what: "scores",
            expected: n * classes,
            found: scores.len(),
        });
    }
    Ok((0..classes)
        .map(|class| {
            let column: Vec<f64> = scores.iter().skip(class).step_by(classes).copied().collect();
            let positive: Vec<bool> = labels.classes().iter().map(|&c| c == class).collect();
            let counts = confusion(&column, &positive, threshold.logit());
            let wrong = counts.false_positives + counts.false_negatives;
            ProbeStats {
                f1: counts.f1(),
                accuracy: (n - wrong) as f64 / n as f64,
                precision: counts.precision(),
                recall: counts.recall(),
            }
        })
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thresholds_differ_between_zero_and_one_half() {
        let labels = Labels::new(&[0, 1, 0], 2).expect("valid");
        let scores = [0.3, -1.0, 0.2, 1.0, 2.0, -3.0];
        let at = |threshold| probe_stats(&scores, &labels, threshold).expect("valid")[0];
        let (released, zero) = (at(LogitThreshold::ReleasedCode), at(LogitThreshold::Zero));
        assert_eq!((released.precision, released.recall), (1.0, 0.5));
        assert_eq!((zero.precision, zero.recall), (2.0 / 3.0, 1.0));
        assert_eq!((released.accuracy, zero.accuracy), (2.0 / 3.0, 2.0 / 3.0));
        assert!(probe_stats(&scores[1..], &labels, LogitThreshold::Zero).is_err());
    }
}
