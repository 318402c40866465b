//! Iterative nullspace projection (Ravfogel et al. 2020): fit a logistic regression, project its direction out, repeat until what
//! is left reads the class no better than chance.
//!
//! One subspace per class. A fifth of the rows of each class is held out and decides when to stop: at chance means that the
//! held-out AUC of the next probe is not above .5 by more than [`InlpConfig::z`] of its standard errors under the null
//! (`sqrt((p + n + 1) / (12 p n))`, the Mann-Whitney one). With few held-out positives that is soon; the rank says what could be
//! shown, not what is there.
//!
//! Deliberately absent: choosing the penalty again at every step. The penalty of the first probe is kept.

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::blocks::Centred;
use crate::design::Design;
use crate::error::ProbeError;
use crate::labels::Labels;
use crate::logistic::{LogisticConfig, check};
use crate::metrics::roc_auc;
use crate::solver::fit_prepared;
use crate::validation::Split;
use crate::whitening::Whitening;

/// How to iterate.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct InlpConfig {
    /// Settings of each fit.
    pub logistic: LogisticConfig,
    /// Share of the rows of each class that decides when to stop, for example 0.2.
    pub held_out: f64,
    /// Standard errors above .5 that still count as chance, for example 1.645 (one-sided 5 %).
    pub z: f64,
    /// Most directions that are removed.
    pub max_rank: usize,
    /// Most rows of other classes that a class is told from: every so many of them are taken.
    pub most_others: usize,
    /// Run seed; the splits have their own names under it.
    pub seed: u64,
}

/// The directions that were removed for one class.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Inlp {
    /// Number of columns of the activations, `d`.
    pub d: usize,
    /// `[rank, d]`, orthonormal rows in the order of removal.
    pub basis: Vec<f64>,
    /// Held-out AUC before each removal, and after the last one: `[rank + 1]`.
    pub auc: Vec<f64>,
    /// Whether chance was reached; otherwise `max_rank` ended the iteration.
    pub at_chance: bool,
}

impl Inlp {
    /// Number of removed directions.
    #[must_use]
    pub fn rank(&self) -> usize {
        self.auc.len().saturating_sub(1)
    }
}

/// Iterates for each class on its own.
///
/// # Shapes
/// - `design`: `[n, d]`
/// - `labels`: `[n]`
/// - returns: `[n_classes]`
///
/// A class so small that none of its rows can be held out loses nothing and is not at chance.
///
/// # Errors
/// Labels of another length, a class without positives or negatives, or a setting out of range.
pub fn inlp(design: Design<'_>, labels: &Labels, config: &InlpConfig) -> Result<Vec<Inlp>, ProbeError> {
    check(&config.logistic)?;
    labels.require_fittable(design.n())?;
    let whitening = Whitening::new(&Centred::new(design))?;
    (0..labels.n_classes())
        .into_par_iter()
        .map(|class| of_class(design, labels, class, &whitening, config))
        .collect()
}

fn of_class(
    design: Design<'_>,
    labels: &Labels,
    class: usize,
    whitening: &Whitening,
    config: &InlpConfig,
) -> Result<Inlp, ProbeError> {
    let d = design.d();
    let others = labels.n() - labels.counts()[class];
    let every = others.div_ceil(config.most_others.max(1)).max(1);
    let mut other = 0;
    let rows: Vec<usize> = (0..labels.n())
        .filter(|&row| {
            let own = labels.classes()[row] == class;
            other += usize::from(!own);
            own || other % every == 0
        })
        .collect();
    let own: Vec<usize> = rows
        .iter()
        .map(|&row| usize::from(labels.classes()[row] == class))
        .collect();
    let binary = Labels::new(&own, 2)?;
    let split = Split::new(
        &binary,
        config.held_out,
        stats::seed::sub_seed(config.seed, &format!("inlp/class={class}")),
    )?;
    let positive: Vec<bool> = split.held.iter().map(|&row| own[row] == 1).collect();
    let (p, n) = (
        positive.iter().filter(|&&p| p).count() as f64,
        positive.iter().filter(|&&p| !p).count() as f64,
    );
    if p == 0.0 || n == 0.0 {
        // Too few words to hold one out: nothing says when to stop, so nothing is removed.
        return Ok(Inlp {
            d,
            basis: Vec::new(),
            auc: Vec::new(),
            at_chance: false,
        });
    }
    let bar = 0.5 + config.z * ((p + n + 1.0) / (12.0 * p * n)).sqrt();
    let train_labels = binary.select(&split.train)?;
    let mut x: Vec<f32> = rows.iter().flat_map(|&row| design.row(row).iter().copied()).collect();
    let mut out = Inlp {
        d,
        basis: Vec::new(),
        auc: Vec::new(),
        at_chance: false,
    };
    loop {
        let view = Design::new(&x, rows.len(), d)?;
        let centred = Centred::new(view.select(&split.train)?);
        // The basis of the first step stays a good one: projection takes directions away and adds none.
        let fit = fit_prepared(&centred, whitening, &train_labels, 1..2, &config.logistic, None);
        let scores = fit.probe.scores(view.select(&split.held)?)?;
        let auc = roc_auc(&scores, &positive).ok_or(ProbeError::EmptyClass { class })?;
        out.auc.push(auc);
        out.at_chance = auc <= bar;
        if out.at_chance || out.rank() >= config.max_rank.min(d) {
            return Ok(out);
        }
        let Some(direction) = orthonormal(&fit.probe.weight, &out.basis, d) else {
            // The probe reads nothing outside what was removed: there is no direction left.
            out.at_chance = true;
            return Ok(out);
        };
        for row in x.chunks_exact_mut(d) {
            let along: f64 = row.iter().zip(&direction).map(|(&x, u)| f64::from(x) * u).sum();
            for (x, u) in row.iter_mut().zip(&direction) {
                *x = (f64::from(*x) - along * u) as f32;
            }
        }
        out.basis.extend(direction);
    }
}

/// `v` without its part in the rows of `basis`, of unit length; none where nothing is left.
fn orthonormal(v: &[f64], basis: &[f64], d: usize) -> Option<Vec<f64>> {
    let length = |v: &[f64]| v.iter().map(|v| v * v).sum::<f64>().sqrt();
    let before = length(v);
    let mut v = v.to_vec();
    // Twice: one pass leaves rounding of the size of what it removed.
    for _ in 0..2 {
        for row in basis.chunks_exact(d) {
            let along: f64 = row.iter().zip(&v).map(|(u, v)| u * v).sum();
            for (v, u) in v.iter_mut().zip(row) {
                *v -= along * u;
            }
        }
    }
    let after = length(&v);
    if after.is_nan() || after <= 1e-9 * before {
        return None;
    }
    for v in &mut v {
        *v /= after;
    }
    Some(v)
}
