//! The basis in which the optimiser works.
//!
//! Residual streams are far from isotropic: some directions have a thousand times the variance of
//! others, and a plain L-BFGS needs hundreds of passes to learn that. With `x - mean` of
//! covariance `Q diag(lambda) Q^T` and weights `w = Q diag(lambda + 4 l2 / n)^{-1/2} b`, the
//! Hessian of the penalised mean loss at zero is close to `I / 4` in `b`, whatever the units of
//! `x`. The penalty stays the one on `w`; only the path to the optimum changes, not the optimum.
//!
//! Deliberately absent: class-specific bases. One decomposition serves all classes and all `l2`.

use faer::{Mat, Side};

use crate::blocks::Centred;
use crate::error::ProbeError;

/// Rows that are enough for a preconditioner, whatever `n` is, next to eight per column.
const ENOUGH_ROWS: usize = 20_000;

/// Eigenvectors and eigenvalues of the covariance (of an even subset of the rows if there are
/// very many).
#[derive(Clone, Debug)]
pub(crate) struct Whitening {
    vectors: Mat<f64>,
    values: Vec<f64>,
}

/// The map from `b` to `w` for one strength of the penalty.
#[derive(Clone, Debug)]
pub(crate) struct Basis {
    /// `Q diag(lambda + 4 l2 / n)^{-1/2}`, `[d, d]`.
    pub(crate) to_raw: Mat<f64>,
    /// `1 / (lambda + 4 l2 / n)`, `[d]`: the penalty of `b_j^2` in units of `w^2`.
    pub(crate) squared_scale: Vec<f64>,
    /// `diag(lambda + 4 l2 / n)^{1/2} Q^T`, `[d, d]`.
    pub(crate) from_raw: Mat<f64>,
}

impl Whitening {
    pub(crate) fn new(centred: &Centred<'_>) -> Result<Self, ProbeError> {
        let step = (centred.n() / ENOUGH_ROWS.max(8 * centred.d())).max(1);
        let design = centred.design();
        let rows: Vec<usize> = (0..design.n())
            .step_by(step)
            .map(|row| design.source_row(row))
            .collect();
        let (covariance, _) = Centred::new(design.select(&rows)?).covariance();
        let eigen = covariance
            .self_adjoint_eigen(Side::Lower)
            .map_err(|_| ProbeError::Singular)?;
        let values = eigen.S().column_vector().iter().map(|value| value.max(0.0)).collect();
        Ok(Self {
            vectors: eigen.U().to_owned(),
            values,
        })
    }

    /// The basis for the penalty `l2 |w|^2 / 2` on a loss summed over `n` rows.
    pub(crate) fn basis(&self, l2: f64, n: usize) -> Basis {
        let d = self.values.len();
        let scale: Vec<f64> = self.values.iter().map(|value| value + 4.0 * l2 / n as f64).collect();
        Basis {
            to_raw: Mat::from_fn(d, d, |i, j| self.vectors[(i, j)] / scale[j].sqrt()),
            from_raw: Mat::from_fn(d, d, |i, j| self.vectors[(j, i)] * scale[i].sqrt()),
            squared_scale: scale.iter().map(|scale| 1.0 / scale).collect(),
        }
    }
}
