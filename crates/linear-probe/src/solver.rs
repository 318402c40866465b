//! The joint solver behind [`crate::fit_logistic`].
//!
//! Per iteration there are two products with the design, each for all classes that still run:
//! residuals to gradients, and directions to changes of the logits. Everything else is per class
//! and runs in parallel.
//!
//! Deliberately absent: the meaning of the settings, which [`crate::LogisticConfig`] explains.

use std::ops::Range;

use faer::linalg::matmul::matmul;
use faer::{Accum, Mat, Par};
use rayon::prelude::*;

use crate::blocks::Centred;
use crate::labels::Labels;
use crate::lbfgs::ClassState;
use crate::logistic::{LogisticConfig, LogisticFit, LogisticProbe};
use crate::objective::Objective;
use crate::whitening::{Basis, Whitening};

/// Fits the classes `range` on prepared activations, optionally starting from another fit of the
/// same classes.
pub(crate) fn fit_prepared(
    centred: &Centred<'_>,
    whitening: &Whitening,
    labels: &Labels,
    range: Range<usize>,
    config: &LogisticConfig,
    start: Option<&LogisticProbe>,
) -> LogisticFit {
    let d = centred.d();
    let basis = whitening.basis(config.l2, centred.n());
    let mut states = initial_states(centred, &basis, (labels, range), config, start);
    loop {
        let mut active: Vec<&mut ClassState> = states.iter_mut().filter(|state| state.stop.is_none()).collect();
        if active.is_empty() {
            break;
        }
        let residuals: Vec<&[f64]> = active.iter().map(|s| s.residuals.as_slice()).collect();
        let gradient = product(basis.to_raw.transpose(), &centred.adjoint(&residuals));
        active.par_iter_mut().enumerate().for_each(|(column, state)| {
            let mut whole = gradient.col_as_slice(column).to_vec();
            whole.push(state.residuals.iter().sum());
            state.advance(whole, config.tolerance, config.max_iterations);
        });
        active.retain(|state| state.stop.is_none());
        let steps = Mat::from_fn(d, active.len(), |j, c| active[c].direction[j]);
        let changes = centred.project(product(basis.to_raw.as_ref(), &steps).as_ref());
        active.par_iter_mut().zip(changes).for_each(|(state, mut change)| {
            let bias = state.direction[d];
            for entry in &mut change {
                *entry += bias;
            }
            state.line_search(&change);
        });
    }
    let points = Mat::from_fn(d, states.len(), |j, c| states[c].point[j]);
    let weight = product(basis.to_raw.as_ref(), &points);
    let bias = states
        .iter()
        .enumerate()
        .map(|(c, state)| state.point[d] - inner(weight.col_as_slice(c), centred.mean()))
        .collect();
    LogisticFit {
        probe: LogisticProbe {
            d,
            weight: weight
                .col_iter()
                .flat_map(|w| w.iter().copied().collect::<Vec<_>>())
                .collect(),
            bias,
        },
        outcomes: states.iter().map(ClassState::outcome).collect(),
    }
}

fn initial_states(
    centred: &Centred<'_>,
    basis: &Basis,
    (labels, range): (&Labels, Range<usize>),
    config: &LogisticConfig,
    start: Option<&LogisticProbe>,
) -> Vec<ClassState> {
    let (n, d) = (centred.n(), centred.d());
    let raw = start.map(|probe| Mat::from_fn(d, range.len(), |j, c| probe.weight[c * d + j]));
    let points = raw.as_ref().map(|raw| product(basis.from_raw.as_ref(), raw));
    let logits = raw.as_ref().map(|raw| centred.project(raw.as_ref()));
    range
        .enumerate()
        .map(|(place, class)| {
            let (weights, total) = config.class_weight.scaled(labels.counts()[class], n);
            let mut penalty: Vec<f64> = basis
                .squared_scale
                .iter()
                .map(|scale| config.l2 / total * scale)
                .collect();
            penalty.push(0.0);
            let bias = start.zip(raw.as_ref()).map_or(0.0, |(probe, raw)| {
                probe.bias[place] + inner(raw.col_as_slice(place), centred.mean())
            });
            let mut point = points.as_ref().map_or(vec![0.0; d], |p| p.col_as_slice(place).to_vec());
            point.push(bias);
            let logits = logits.as_ref().map_or(vec![0.0; n], |logits| {
                logits[place].iter().map(|logit| logit + bias).collect()
            });
            let objective = Objective::new(labels.classes(), class, weights);
            ClassState::new(objective, penalty, point, logits)
        })
        .collect()
}

fn product(left: faer::MatRef<'_, f64>, right: &Mat<f64>) -> Mat<f64> {
    let mut out = Mat::zeros(left.nrows(), right.ncols());
    matmul(&mut out, Accum::Replace, left, right, 1.0, Par::Seq);
    out
}

fn inner(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}
