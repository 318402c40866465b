//! One-vs-rest logistic regression for all classes at once.
//!
//! Chanin et al. 2024 (section 4, "LR probe") train 26 one-vs-rest regressions on raw activations
//! with 50 epochs of Adam. The problem is convex, so here each class is driven to its optimum by
//! L-BFGS: the probe has no training noise, and the measured gap belongs to the dictionary.
//!
//! # Strength of the penalty
//! In scikit-learn's convention the objective of a class is `sum_i s_i loss_i + |w|^2 / (2 C)`,
//! and `l2 = 1 / C`. `C` matters for held-out F1: with `n` below a few dozen rows per column and
//! class the classes are separable, and a large `C` fits the training words exactly; activations
//! of large norm need a small `C`. It has no good universal value, so choose it on training words
//! with [`crate::fit_with_validation`]. The weight decay `1e-4` of the paper, on a loss averaged
//! over 26 classes and `n` rows, is `l2 = 1e-4 * 26 * n` with [`ClassWeight::Positive`] (there the
//! bias is decayed too, here it is not).
//!
//! Deliberately absent: sparse penalties and calibrated probabilities.

use faer::Mat;
use serde::{Deserialize, Serialize};

use crate::blocks::Centred;
use crate::design::Design;
use crate::error::ProbeError;
use crate::labels::Labels;
use crate::lbfgs::ClassOutcome;
use crate::solver::fit_prepared;
use crate::whitening::Whitening;

/// Gradient tolerance in the whitened basis. Logits are then within about 0.004 of their limits
/// (measured for `C` from 1e-4 to 100 on 1,500 rows of 64 columns and 6 classes).
pub const DEFAULT_TOLERANCE: f64 = 1e-5;

/// Iterations after which a class is given up, with [`crate::Stop::MaxIterations`].
pub const DEFAULT_MAX_ITERATIONS: usize = 500;

/// Weights `s_i` of the rows in the loss of a class with `n_c` of `n` rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ClassWeight {
    /// scikit-learn's "balanced": `n / (2 n_c)` and `n / (2 (n - n_c))`. The recommended one: the
    /// weights sum to `n` for every class, so one `C` means the same for rare and common letters.
    Balanced,
    /// The loss of Chanin et al.: `(n - n_c) / n_c` for positives, 1 for negatives. It is
    /// `Balanced` times `2 (n - n_c) / n`, so the same optimum at a `C` up to twice as large.
    Positive,
    /// All rows count the same.
    Uniform,
}

/// How to fit.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct LogisticConfig {
    /// Penalty `l2 |w|^2 / 2` on the summed loss, `1 / C` of scikit-learn; not on the bias.
    pub l2: f64,
    /// Weights of the rows.
    pub class_weight: ClassWeight,
    /// Largest gradient entry at which a class has converged, see [`DEFAULT_TOLERANCE`].
    pub tolerance: f64,
    /// Most iterations per class, see [`DEFAULT_MAX_ITERATIONS`].
    pub max_iterations: usize,
}

impl LogisticConfig {
    /// Balanced classes, scikit-learn's `C`, default tolerance and iterations.
    #[must_use]
    pub fn balanced(c: f64) -> Self {
        Self {
            l2: 1.0 / c,
            class_weight: ClassWeight::Balanced,
            tolerance: DEFAULT_TOLERANCE,
            max_iterations: DEFAULT_MAX_ITERATIONS,
        }
    }
}

/// One linear function of raw activations per class; a row belongs to class `c` iff its logit is
/// above zero.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LogisticProbe {
    /// Number of columns of the activations.
    pub d: usize,
    /// `[n_classes, d]`, row-major.
    pub weight: Vec<f64>,
    /// `[n_classes]`.
    pub bias: Vec<f64>,
}

impl LogisticProbe {
    /// Logits of every row and class.
    ///
    /// # Shapes
    /// - `design`: `[n, d]`
    /// - returns: `[n, n_classes]`, row-major
    ///
    /// # Errors
    /// [`ProbeError::Length`] if the design has other columns than the probe.
    pub fn scores(&self, design: Design<'_>) -> Result<Vec<f64>, ProbeError> {
        if design.d() != self.d {
            return Err(ProbeError::Length {
                what: "row",
                expected: self.d,
                found: design.d(),
            });
        }
        let classes = self.bias.len();
        let weight = Mat::from_fn(self.d, classes, |j, c| self.weight[c * self.d + j]);
        let columns = Centred::at_zero(design).project(weight.as_ref());
        let mut scores = Vec::with_capacity(design.n() * classes);
        for row in 0..design.n() {
            scores.extend(columns.iter().zip(&self.bias).map(|(z, bias)| z[row] + bias));
        }
        Ok(scores)
    }

    /// Weights of one class, `[d]`.
    ///
    /// # Panics
    /// Panics if `class` is not a class of the probe.
    #[must_use]
    pub fn direction(&self, class: usize) -> &[f64] {
        &self.weight[class * self.d..(class + 1) * self.d]
    }
}

/// A probe and how its fit went.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LogisticFit {
    /// The probe.
    pub probe: LogisticProbe,
    /// `[n_classes]`.
    pub outcomes: Vec<ClassOutcome>,
}

/// Fits one-vs-rest logistic regressions for all classes.
///
/// # Shapes
/// - `design`: `[n, d]`
/// - `labels`: `[n]`
///
/// # Errors
/// Labels of another length, a class without positives or negatives, or a setting out of range.
/// A class that does not converge is not an error: see [`LogisticFit::outcomes`].
pub fn fit_logistic(design: Design<'_>, labels: &Labels, config: &LogisticConfig) -> Result<LogisticFit, ProbeError> {
    check(config)?;
    labels.require_fittable(design.n())?;
    let centred = Centred::new(design);
    let whitening = Whitening::new(&centred)?;
    Ok(fit_prepared(
        &centred,
        &whitening,
        labels,
        0..labels.n_classes(),
        config,
        None,
    ))
}

impl ClassWeight {
    /// Weights of a positive and a negative row, scaled to sum to one, and the sum before scaling.
    pub(crate) fn scaled(self, positives: usize, n: usize) -> ([f64; 2], f64) {
        let (n, positives) = (n as f64, positives as f64);
        let negatives = n - positives;
        let [a, b] = match self {
            Self::Balanced => [n / (2.0 * positives), n / (2.0 * negatives)],
            Self::Positive => [negatives / positives, 1.0],
            Self::Uniform => [1.0, 1.0],
        };
        let total = a * positives + b * negatives;
        ([a / total, b / total], total)
    }
}

pub(crate) fn check(config: &LogisticConfig) -> Result<(), ProbeError> {
    let positive = |name, value: f64| {
        let range = "positive and finite";
        if value > 0.0 && value.is_finite() {
            Ok(())
        } else {
            Err(ProbeError::Setting { name, value, range })
        }
    };
    positive("l2", config.l2)?;
    positive("tolerance", config.tolerance)
}
