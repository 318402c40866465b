//! A score as a detector of a letter: what it misses and what it takes for the letter.

use linear_probe::metrics::{confusion, roc_auc};

/// Rates of a detector that fires where its score is above 0.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Detection {
    /// Words of the letter.
    pub positives: usize,
    /// Other words.
    pub negatives: usize,
    /// Sensitivity: share of the letter's words on which it fires.
    pub se: f64,
    /// Specificity: share of other words on which it is silent.
    pub sp: f64,
    /// Share of the words on which it fires that have the letter; none where it never fires.
    pub ppv: Option<f64>,
    /// Share of the words on which it is silent that do not; none where it always fires.
    pub npv: Option<f64>,
    /// `2 TP / (2 TP + FP + FN)`.
    pub f1: f64,
    /// Area under the ROC curve of the score itself; ties count one half.
    pub auroc: f64,
}

impl Detection {
    /// Youden's `J = Se + Sp - 1`: 0 for a detector that knows nothing, whatever its rate of firing.
    #[must_use]
    pub fn j(&self) -> f64 {
        self.se + self.sp - 1.0
    }

    /// `PPV + NPV - 1`: the factor by which a slope on this detector falls short of the slope on the letter, where errors do
    /// not depend on the outcome (Aigner 1973). None where the detector does not vary.
    #[must_use]
    pub fn attenuation(&self) -> Option<f64> {
        Some(self.ppv? + self.npv? - 1.0)
    }
}

/// Rates of a detector; none without words of the letter or without others.
///
/// # Shapes
/// - `scores`: `[words]`, for example the sum of a set's activations; `positive`: `[words]`
#[must_use]
pub fn detect(scores: &[f64], positive: &[bool]) -> Option<Detection> {
    let auroc = roc_auc(scores, positive)?;
    let positives = positive.iter().filter(|&&p| p).count();
    let negatives = positive.len() - positives;
    let counts = confusion(scores, positive, 0.0);
    let true_negatives = negatives - counts.false_positives;
    let fired = counts.true_positives + counts.false_positives;
    let silent = true_negatives + counts.false_negatives;
    let share = |part: usize, of: usize| (of > 0).then(|| part as f64 / of as f64);
    Some(Detection {
        positives,
        negatives,
        se: share(counts.true_positives, positives)?,
        sp: share(true_negatives, negatives)?,
        ppv: share(counts.true_positives, fired),
        npv: share(true_negatives, silent),
        f1: counts.f1(),
        auroc,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_by_hand() {
        // Two of three found, one of four taken for the letter.
        let scores = [2.0, 0.5, 0.0, 1.0, 0.0, 0.0, 0.0];
        let positive = [true, true, true, false, false, false, false];
        let found = detect(&scores, &positive).unwrap();
        let close = |a: f64, b: f64| assert!((a - b).abs() < 1e-12, "{a} {b}");
        close(found.se, 2.0 / 3.0);
        close(found.sp, 0.75);
        close(found.j(), 2.0 / 3.0 - 0.25);
        close(found.ppv.unwrap(), 2.0 / 3.0);
        close(found.npv.unwrap(), 0.75);
        close(found.attenuation().unwrap(), 2.0 / 3.0 + 0.75 - 1.0);
        close(found.f1, 2.0 / 3.0);
        // Of 12 pairs: 2.0 beats all four, .5 beats three, 0 ties with three.
        close(found.auroc, (4.0 + 3.0 + 1.5) / 12.0);
    }

    #[test]
    fn what_is_undefined_is_none() {
        assert_eq!(detect(&[1.0, 0.0], &[true, true]), None);
        let silent = detect(&[0.0; 3], &[true, false, false]).unwrap();
        assert_eq!(
            (silent.se, silent.sp, silent.ppv, silent.attenuation()),
            (0.0, 1.0, None, None)
        );
        let always = detect(&[1.0; 3], &[true, false, false]).unwrap();
        assert_eq!((always.se, always.sp, always.npv), (1.0, 0.0, None));
    }
}
