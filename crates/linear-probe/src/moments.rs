//! First and second moments of activations and labels, the input of LEACE.
//!
//! A covariance from a few thousand rows of a few hundred columns has eigenvalues that are too
//! small and too large, and LEACE divides by them. Two shrinkages are offered, both unchanged by
//! rotations of the activations. Erasure stays exact under any of them (see [`crate::Leace`]);
//! what shrinkage changes is how far words are moved.
//!
//! Deliberately absent: streaming updates, and the estimator of Bodnar et al. that the
//! `concept-erasure` library uses (it needs `n > d`).

use faer::Mat;

use crate::blocks::Centred;
use crate::design::Design;
use crate::diff_of_means::class_sums;
use crate::error::ProbeError;
use crate::labels::Labels;

/// How the covariance `S` is pulled towards `m I`, `m = tr(S) / d`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Shrinkage {
    /// `(1 - rho) S + rho m I` with the `rho` of Ledoit & Wolf 2004, estimated from the data. The
    /// recommended one: it has nothing to tune, and vanishes as `1 / n`.
    LedoitWolf,
    /// `S + relative * m I`, for a sensitivity analysis.
    Ridge {
        /// Multiple of the mean variance, zero or more.
        relative: f64,
    },
}

/// Moments of a design and its labels.
#[derive(Clone, Debug)]
pub struct Moments {
    /// `[d]`.
    pub(crate) mean: Vec<f64>,
    /// `cov(x)`, divided by `n`, `[d, d]`.
    pub(crate) covariance: Mat<f64>,
    /// `cov(x, 1[y = c])`, `[d, n_classes]`.
    pub(crate) cross: Mat<f64>,
    /// Ledoit-Wolf intensity.
    rho: f64,
}

impl Moments {
    /// Moments of `design` and `labels`.
    ///
    /// # Shapes
    /// - `design`: `[n, d]`
    /// - `labels`: `[n]`
    ///
    /// # Errors
    /// Labels of another length, or a class without positives or negatives.
    pub fn new(design: Design<'_>, labels: &Labels) -> Result<Self, ProbeError> {
        labels.require_fittable(design.n())?;
        let (n, d) = (design.n() as f64, design.d());
        let centred = Centred::new(design);
        let (covariance, fourth) = centred.covariance();
        let sums = class_sums(&centred, labels);
        let cross = Mat::from_fn(d, sums.len(), |j, class| sums[class][j] / n);
        let rho = ledoit_wolf(&covariance, fourth, n);
        Ok(Self {
            mean: centred.mean().to_vec(),
            covariance,
            cross,
            rho,
        })
    }

    /// Mean activation, `[d]`.
    #[must_use]
    pub fn mean(&self) -> &[f64] {
        &self.mean
    }

    /// Covariance of the activations (divided by `n`, not shrunk), `[d, d]`, row-major.
    #[must_use]
    pub fn covariance(&self) -> Vec<f64> {
        let d = self.mean.len();
        (0..d * d)
            .map(|place| self.covariance[(place / d, place % d)])
            .collect()
    }

    /// The intensity `rho` of [`Shrinkage::LedoitWolf`], between 0 and 1.
    #[must_use]
    pub fn ledoit_wolf_intensity(&self) -> f64 {
        self.rho
    }

    /// The shrunk covariance, `[d, d]`.
    pub(crate) fn shrunk(&self, shrinkage: Shrinkage) -> Result<Mat<f64>, ProbeError> {
        let d = self.mean.len();
        let (keep, add) = self.mix(shrinkage)?;
        Ok(Mat::from_fn(d, d, |i, j| {
            keep * self.covariance[(i, j)] + if i == j { add } else { 0.0 }
        }))
    }

    /// The shrunk covariance is `keep` times the sample one plus `add` times the identity.
    pub(crate) fn mix(&self, shrinkage: Shrinkage) -> Result<(f64, f64), ProbeError> {
        let variance = trace(&self.covariance) / self.mean.len() as f64;
        match shrinkage {
            Shrinkage::LedoitWolf => Ok((1.0 - self.rho, self.rho * variance)),
            Shrinkage::Ridge { relative } if relative >= 0.0 && relative.is_finite() => Ok((1.0, relative * variance)),
            Shrinkage::Ridge { relative } => {
                let range = "zero or more and finite";
                Err(ProbeError::Setting {
                    name: "ridge",
                    value: relative,
                    range,
                })
            }
        }
    }
}

/// Ledoit & Wolf 2004: `rho = min(b2, d2) / d2` with `d2 = |S - m I|^2` and
/// `b2 = (sum_i |x_i|^4 / n - |S|^2) / n`, squared Frobenius norms.
fn ledoit_wolf(covariance: &Mat<f64>, fourth: f64, n: f64) -> f64 {
    let d = covariance.nrows() as f64;
    let norm = covariance.squared_norm_l2();
    let distance = norm - trace(covariance).powi(2) / d;
    let noise = ((fourth / n - norm) / n).max(0.0);
    if distance > noise { noise / distance } else { 1.0 }
}

fn trace(matrix: &Mat<f64>) -> f64 {
    matrix.diagonal().column_vector().iter().sum()
}
