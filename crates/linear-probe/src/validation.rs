//! Choosing the penalty on an inner split of the training words.
//!
//! The probe is judged by its mean F1 over letters on held-out words, so that is what chooses `C`
//! on training words. A share of each class is held out, every
//! candidate is fitted on the rest, and the winner is fitted again on all training words.
//!
//! Deliberately absent: a `C` per class, which the rare letters could not support, and repeated
//! folds; call again with another seed to see how much the choice moves.

use rand::seq::SliceRandom;
use serde::{Deserialize, Serialize};

use crate::blocks::Centred;
use crate::design::Design;
use crate::error::ProbeError;
use crate::labels::Labels;
use crate::logistic::{LogisticConfig, LogisticFit, check, fit_logistic};
use crate::metrics;
use crate::solver::fit_prepared;
use crate::whitening::Whitening;

/// Candidates that cover activations of norm 1 to 1,000 and classes of 20 to 10,000 words.
pub const C_GRID: [f64; 9] = [1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1.0, 10.0, 100.0];

/// How to choose `C`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Validation<'a> {
    /// Candidates for `C = 1 / l2`, for example [`C_GRID`].
    pub grid: &'a [f64],
    /// Share of the rows of each class that is held out, for example 0.2.
    pub held_out: f64,
    /// Run seed; the split has its own name under it.
    pub seed: u64,
    /// Settings of the fits; `l2` is replaced by each candidate.
    pub config: LogisticConfig,
}

/// Score of one candidate.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Candidate {
    /// The candidate.
    pub c: f64,
    /// Mean F1 over the classes that have held-out rows.
    pub mean_f1: f64,
}

/// The winner, fitted on all rows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ValidatedFit {
    /// The fit on all rows.
    pub fit: LogisticFit,
    /// The chosen `C`.
    pub c: f64,
    /// All candidates, by ascending `C`. A winner at either end asks for a wider grid.
    pub candidates: Vec<Candidate>,
}

/// Chooses `C` by held-out mean F1 (ties go to the smaller `C`) and fits on all rows.
///
/// # Shapes
/// - `design`: `[n, d]`
/// - `labels`: `[n]`
///
/// # Errors
/// As [`fit_logistic`]; an empty grid, a candidate or a share out of range, or a split in which
/// nothing is held out.
pub fn fit_with_validation(
    design: Design<'_>,
    labels: &Labels,
    validation: &Validation<'_>,
) -> Result<ValidatedFit, ProbeError> {
    labels.require_fittable(design.n())?;
    let mut grid = validation.grid.to_vec();
    grid.sort_by(f64::total_cmp);
    let with = |c: f64| LogisticConfig {
        l2: 1.0 / c,
        ..validation.config
    };
    grid.iter().try_for_each(|&c| check(&with(c)))?;

    let split = Split::new(labels, validation.held_out, validation.seed)?;
    let sources = |rows: &[usize]| -> Vec<usize> { rows.iter().map(|&row| design.source_row(row)).collect() };
    let (train_sources, held_sources) = (sources(&split.train), sources(&split.held));
    let (train_labels, held_labels) = (labels.select(&split.train)?, labels.select(&split.held)?);
    let held = design.select(&held_sources)?;
    let centred = Centred::new(design.select(&train_sources)?);
    let classes = 0..labels.n_classes();
    let whitening = Whitening::new(&centred)?;
    let mut candidates = Vec::with_capacity(grid.len());
    let mut last: Option<LogisticFit> = None;
    for c in grid {
        let start = last.as_ref().map(|fit| &fit.probe);
        let fit = fit_prepared(&centred, &whitening, &train_labels, classes.clone(), &with(c), start);
        let report = metrics::evaluate(&fit.probe.scores(held)?, &held_labels, 0.0)?;
        let mean_f1 = report.macro_mean(|class| class.f1).unwrap_or(0.0);
        candidates.push(Candidate { c, mean_f1 });
        last = Some(fit);
    }
    let best = candidates
        .iter()
        .copied()
        .reduce(|best, next| if next.mean_f1 > best.mean_f1 { next } else { best })
        .ok_or(ProbeError::Length {
            what: "grid of C",
            expected: 1,
            found: 0,
        })?;
    let fit = fit_logistic(design, labels, &with(best.c))?;
    Ok(ValidatedFit {
        fit,
        c: best.c,
        candidates,
    })
}

/// Positions of the rows to fit on and of the rows to score, both ascending.
#[derive(Debug)]
pub(crate) struct Split {
    pub(crate) train: Vec<usize>,
    pub(crate) held: Vec<usize>,
}

impl Split {
    /// Holds out `share` of each class, rounded, but never its last row.
    pub(crate) fn new(labels: &Labels, share: f64, seed: u64) -> Result<Self, ProbeError> {
        if !(share > 0.0 && share < 1.0) {
            let range = "between 0 and 1";
            return Err(ProbeError::Setting {
                name: "held-out share",
                value: share,
                range,
            });
        }
        let mut rng = stats::seed::rng(seed, "linear-probe/validation-split");
        let mut by_class = vec![Vec::new(); labels.n_classes()];
        for (row, &class) in labels.classes().iter().enumerate() {
            by_class[class].push(row);
        }
        let mut split = Self {
            train: Vec::new(),
            held: Vec::new(),
        };
        for mut rows in by_class {
            rows.shuffle(&mut rng);
            let held = (share * rows.len() as f64).round() as usize;
            let (held, train) = rows.split_at(held.min(rows.len().saturating_sub(1)));
            split.held.extend_from_slice(held);
            split.train.extend_from_slice(train);
        }
        if split.held.is_empty() {
            return Err(ProbeError::Length {
                what: "held-out rows",
                expected: 1,
                found: 0,
            });
        }
        split.held.sort_unstable();
        split.train.sort_unstable();
        Ok(split)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn split_is_stratified_named_and_complete() {
        let classes: Vec<usize> = (0..100).map(|row| usize::from(row % 10 == 0)).collect();
        let labels = Labels::new(&classes, 2).expect("valid");
        let split = Split::new(&labels, 0.2, 3).expect("valid");
        assert_eq!(labels.select(&split.held).expect("valid").counts(), [18, 2]);
        let mut all = [split.train.clone(), split.held.clone()].concat();
        all.sort_unstable();
        assert_eq!(all, (0..100).collect::<Vec<_>>());
        assert_eq!(Split::new(&labels, 0.2, 3).expect("valid").held, split.held);
        assert_ne!(Split::new(&labels, 0.2, 4).expect("valid").held, split.held);
    }

    #[test]
    fn a_class_of_one_row_stays_in_training() {
        let labels = Labels::new(&[0, 0, 0, 0, 1], 2).expect("valid");
        let split = Split::new(&labels, 0.9, 0).expect("valid");
        assert_eq!(labels.select(&split.train).expect("valid").counts(), [1, 1]);
    }
}
