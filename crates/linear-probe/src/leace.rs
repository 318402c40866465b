//! Closed-form concept erasure (LEACE, Belrose et al. 2023, section 4).
//!
//! An eraser is a set of reads `r_i` and writes `u_i` with `r_i . u_j = 1[i = j]`:
//! `e(x) = x - sum_i u_i r_i . (x - mu)`, after which no class covaries with any column of `x`, so
//! that no linear probe beats a constant one. With the sample covariance it moves the rows least
//! among all affine maps with that property, in the mean square of any inner product.
//!
//! - One class: with `s = cov(x, 1[y = c])` the read is
//!   `Sigma^-1 s / (s^T Sigma^-1 s)` and the write is `s`: the direction of linear discriminant
//!   analysis reads, the difference of class means writes.
//! - All classes at once (P5): `W = Sigma^{-1/2}`, `U` the left singular vectors of
//!   `W cov(x, onehot(y))`; reads are the rows of `U^T W`, writes the columns of `W^-1 U`. 26
//!   letters have rank 25.
//!
//! Erasure is exact for any positive definite `Sigma`, because `Sigma` cancels in
//! `r . s = 1`; a shrunk one is as exact as the sample one and moves words more wisely.
//!
//! Differences from the `concept-erasure` library: Ledoit-Wolf shrinkage instead of Bodnar et
//! al.; singular values are cut at rounding level instead of 0.01, so that erasure is exact; no
//! mixing with the orthogonal projection.
//!
//! Deliberately absent: choosing the target `t` of an editor (the off-class mean of the read,
//! say), which belongs to whoever edits.

use faer::linalg::solvers::Solve;
use faer::{Col, Mat, Side};
use serde::{Deserialize, Serialize};

use crate::design::Design;
use crate::error::ProbeError;
use crate::moments::{Moments, Shrinkage};

/// Singular values below this share of the largest are rounding: 26 one-hot columns sum to a
/// constant, so one singular value is zero.
const RANK_CUT: f64 = 1e-9;

/// Reads and writes of an eraser; `read_i . write_i = 1`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Leace {
    /// Number of columns of the activations, `d`.
    pub d: usize,
    /// Number of reads and writes, `r`.
    pub rank: usize,
    /// Mean activation, `[d]`.
    pub mu: Vec<f64>,
    /// `[r, d]`, row-major.
    pub reads: Vec<f64>,
    /// `[r, d]`, row-major.
    pub writes: Vec<f64>,
}

impl Leace {
    /// One eraser of rank one for each class.
    ///
    /// # Errors
    /// [`ProbeError::Singular`] if the shrunk covariance is not positive definite,
    /// [`ProbeError::NoDirection`] if a class does not covary with the activations.
    pub fn per_class(moments: &Moments, shrinkage: Shrinkage) -> Result<Vec<Self>, ProbeError> {
        let factor = moments
            .shrunk(shrinkage)?
            .llt(Side::Lower)
            .map_err(|_| ProbeError::Singular)?;
        let solved = factor.solve(&moments.cross);
        moments
            .cross
            .col_iter()
            .zip(solved.col_iter())
            .enumerate()
            .map(|(class, (write, read))| {
                let length = read.transpose() * write;
                // Also false for NaN, which a hopeless covariance can give.
                if !(length > 0.0 && length.is_finite()) {
                    return Err(ProbeError::NoDirection { class });
                }
                Ok(Self {
                    d: moments.mean.len(),
                    rank: 1,
                    mu: moments.mean.clone(),
                    reads: read.iter().map(|entry| entry / length).collect(),
                    writes: write.iter().copied().collect(),
                })
            })
            .collect()
    }

    /// One eraser for all classes at once, of rank at most `n_classes - 1`.
    ///
    /// # Errors
    /// [`ProbeError::Singular`] if the shrunk covariance is not positive definite,
    /// [`ProbeError::NoDirection`] (class 0) if no class covaries with the activations.
    pub fn joint(moments: &Moments, shrinkage: Shrinkage) -> Result<Self, ProbeError> {
        let d = moments.mean.len();
        let eigen = moments
            .shrunk(shrinkage)?
            .self_adjoint_eigen(Side::Lower)
            .map_err(|_| ProbeError::Singular)?;
        let values: Vec<f64> = eigen.S().column_vector().iter().copied().collect();
        let largest = values.last().copied().unwrap_or(0.0);
        if values.iter().any(|&value| value <= f64::EPSILON * largest) {
            return Err(ProbeError::Singular);
        }
        let vectors = eigen.U();
        let power = |exponent: f64| {
            let scale = Col::from_fn(d, |j| values[j].powf(exponent));
            vectors * scale.as_diagonal() * vectors.transpose()
        };
        let (whiten, colour) = (power(-0.5), power(0.5));
        let svd = (&whiten * &moments.cross)
            .thin_svd()
            .map_err(|_| ProbeError::Singular)?;
        let singular: Vec<f64> = svd.S().column_vector().iter().copied().collect();
        let first = singular.first().copied().unwrap_or(0.0);
        let rank = singular.iter().filter(|&&s| s > RANK_CUT * first && s > 0.0).count();
        if rank == 0 {
            return Err(ProbeError::NoDirection { class: 0 });
        }
        let basis = svd.U().subcols(0, rank);
        Ok(Self {
            d,
            rank,
            mu: moments.mean.clone(),
            reads: columns(&(&whiten * basis)),
            writes: columns(&(&colour * basis)),
        })
    }

    /// `r_i . (x - mu)` of one row for every read.
    ///
    /// # Shapes
    /// - `row`: `[d]`
    /// - returns: `[r]`
    ///
    /// # Panics
    /// Panics if the row has another length than `d`.
    #[must_use]
    pub fn read(&self, row: &[f32]) -> Vec<f64> {
        assert_eq!(row.len(), self.d, "a row has as many numbers as the eraser has columns");
        let centred: Vec<f64> = row.iter().zip(&self.mu).map(|(&x, mu)| f64::from(x) - mu).collect();
        self.reads
            .chunks_exact(self.d)
            .map(|read| read.iter().zip(&centred).map(|(r, x)| r * x).sum())
            .collect()
    }

    /// Erased rows, `e(x) = x - sum_i u_i r_i . (x - mu)`.
    ///
    /// # Shapes
    /// - `design`: `[n, d]`
    /// - returns: `[n, d]`, row-major
    ///
    /// # Errors
    /// [`ProbeError::Length`] if the design has other columns than the eraser.
    pub fn erase(&self, design: Design<'_>) -> Result<Vec<f64>, ProbeError> {
        if design.d() != self.d {
            return Err(ProbeError::Length {
                what: "row",
                expected: self.d,
                found: design.d(),
            });
        }
        let mut erased = Vec::with_capacity(design.n() * self.d);
        for index in 0..design.n() {
            let row = design.row(index);
            let start = erased.len();
            erased.extend(row.iter().map(|&x| f64::from(x)));
            for (share, write) in self.read(row).iter().zip(self.writes.chunks_exact(self.d)) {
                erased[start..].iter_mut().zip(write).for_each(|(x, u)| *x -= share * u);
            }
        }
        Ok(erased)
    }
}

/// Columns of a matrix one after the other: `[d, r]` to row-major `[r, d]`.
fn columns(matrix: &Mat<f64>) -> Vec<f64> {
    matrix
        .col_iter()
        .flat_map(|column| column.iter().copied().collect::<Vec<_>>())
        .collect()
}
