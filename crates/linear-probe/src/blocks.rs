//! Products with the centred design, block by block in f64.
//!
//! The design stays in f32; a block of rows is converted, centred and multiplied, and dropped
//! again. Blocks are grouped into chunks, which are what threads share. The chunks depend on the
//! shape alone and are reduced in order, so a row sum is the same with one thread and with many.
//!
//! Deliberately absent: scaling of columns. The optimiser works in a whitened basis instead.

use std::ops::Range;

use faer::linalg::matmul::{matmul, triangular};
use faer::{Accum, Mat, MatRef, Par};
use rayon::prelude::*;

use crate::design::Design;

/// Numbers per converted block: 1 MiB of f64, about the size of a second-level cache.
const BLOCK_NUMBERS: usize = 1 << 17;

/// Numbers in all partial results of a reduction together: 256 MiB of f64.
const PARTIAL_NUMBERS: usize = 1 << 25;

/// A design minus its column means.
#[derive(Clone, Debug)]
pub(crate) struct Centred<'a> {
    design: Design<'a>,
    mean: Vec<f64>,
}

impl<'a> Centred<'a> {
    /// `design` as it is, centred at zero.
    pub(crate) fn at_zero(design: Design<'a>) -> Self {
        Self {
            design,
            mean: vec![0.0; design.d()],
        }
    }

    /// Centres `design` at its own mean.
    pub(crate) fn new(design: Design<'a>) -> Self {
        let mut centred = Self::at_zero(design);
        let ones = vec![1.0; design.n()];
        let sum = centred.adjoint(&[&ones]);
        centred.mean = sum.col_as_slice(0).iter().map(|sum| sum / design.n() as f64).collect();
        centred
    }

    pub(crate) fn design(&self) -> Design<'a> {
        self.design
    }

    pub(crate) fn n(&self) -> usize {
        self.design.n()
    }

    pub(crate) fn d(&self) -> usize {
        self.design.d()
    }

    /// Column means, `[d]`.
    pub(crate) fn mean(&self) -> &[f64] {
        &self.mean
    }

    /// `(x - mean) w` for the columns `w` of `weights` (`[d, k]`); returns `k` columns of `[n]`.
    pub(crate) fn project(&self, weights: MatRef<'_, f64>) -> Vec<Vec<f64>> {
        let parts: Vec<Mat<f64>> = self
            .chunks(1)
            .into_par_iter()
            .map(|chunk| {
                let mut out = Mat::zeros(chunk.len(), weights.ncols());
                let start = chunk.start;
                self.each_block(chunk, |rows, block| {
                    let target = out.as_mut().subrows_mut(rows.start - start, rows.len());
                    matmul(target, Accum::Replace, block, weights, 1.0, Par::Seq);
                });
                out
            })
            .collect();
        (0..weights.ncols())
            .into_par_iter()
            .map(|column| {
                let mut joined = Vec::with_capacity(self.n());
                for part in &parts {
                    joined.extend_from_slice(part.col_as_slice(column));
                }
                joined
            })
            .collect()
    }

    /// `sum_i (x_i - mean) r_i` for each of the `k` residual columns `r` (`[n]`); returns `[d, k]`.
    pub(crate) fn adjoint(&self, residuals: &[&[f64]]) -> Mat<f64> {
        let k = residuals.len();
        let parts: Vec<Mat<f64>> = self
            .chunks(self.d() * k)
            .into_par_iter()
            .map(|chunk| {
                let mut sum = Mat::zeros(self.d(), k);
                self.each_block(chunk, |rows, block| {
                    let right = Mat::from_fn(rows.len(), k, |i, j| residuals[j][rows.start + i]);
                    matmul(&mut sum, Accum::Add, block.transpose(), &right, 1.0, Par::Seq);
                });
                sum
            })
            .collect();
        sum_in_order(parts, self.d(), k)
    }

    /// `sum (x_i - mean)(x_i - mean)^T / n`, `[d, d]`, and `sum |x_i - mean|^4`.
    pub(crate) fn covariance(&self) -> (Mat<f64>, f64) {
        let d = self.d();
        let parts: Vec<(Mat<f64>, f64)> = self
            .chunks(d * d)
            .into_par_iter()
            .map(|chunk| {
                let (mut sum, mut fourth) = (Mat::zeros(d, d), 0.0);
                self.each_block(chunk, |_, block| {
                    fourth += block.row_iter().map(|x| x.squared_norm_l2().powi(2)).sum::<f64>();
                    triangular::matmul(
                        &mut sum,
                        triangular::BlockStructure::TriangularLower,
                        Accum::Add,
                        block.transpose(),
                        triangular::BlockStructure::Rectangular,
                        block,
                        triangular::BlockStructure::Rectangular,
                        1.0,
                        Par::Seq,
                    );
                });
                (sum, fourth)
            })
            .collect();
        let fourth = parts.iter().map(|part| part.1).sum();
        let sum = sum_in_order(parts.into_iter().map(|part| part.0), d, d);
        let n = self.n() as f64;
        (Mat::from_fn(d, d, |i, j| sum[(i.max(j), i.min(j))] / n), fourth)
    }

    /// Row ranges that threads share: at least 512 rows each, at most 16 of them, and fewer where
    /// the partial results of `numbers` each would fill the memory.
    fn chunks(&self, numbers: usize) -> Vec<Range<usize>> {
        let n = self.n();
        let most = (PARTIAL_NUMBERS / numbers).clamp(1, 16);
        let size = n.div_ceil((n / 512).clamp(1, most));
        (0..n).step_by(size).map(|start| start..(start + size).min(n)).collect()
    }

    /// Calls `visit` with each block of `chunk`, converted and centred, `[rows, d]`.
    fn each_block(&self, chunk: Range<usize>, mut visit: impl FnMut(Range<usize>, MatRef<'_, f64>)) {
        let d = self.d();
        let size = (BLOCK_NUMBERS / d).clamp(64, 1024).min(chunk.len());
        let mut buffer = vec![0.0; size * d];
        for start in chunk.clone().step_by(size) {
            let rows = start..(start + size).min(chunk.end);
            for (out, index) in buffer.chunks_exact_mut(d).zip(rows.clone()) {
                for ((out, &x), mean) in out.iter_mut().zip(self.design.row(index)).zip(&self.mean) {
                    *out = f64::from(x) - mean;
                }
            }
            let block = MatRef::from_row_major_slice(&buffer[..rows.len() * d], rows.len(), d);
            visit(rows, block);
        }
    }
}

fn sum_in_order(parts: impl IntoIterator<Item = Mat<f64>>, rows: usize, columns: usize) -> Mat<f64> {
    parts.into_iter().fold(Mat::zeros(rows, columns), |mut sum, part| {
        sum += part;
        sum
    })
}
