//! What a stochastic probe reads: dense activations or sparse latents.
//!
//! Both give the same two products, `x W + b` for a batch of rows and `x^T r` for its residuals.
//! Weights are laid out `[d, n_classes]` here, so that one active latent touches one contiguous
//! run of numbers.
//!
//! Deliberately absent: ownership (sparse rows are slices of whatever encoded them) and f64, which
//! the released code does not use either.

use std::ops::Range;

use kernels::{Layout, Threads, gemm_f32};

use crate::design::Design;
use crate::error::ProbeError;

/// Rows of latents in compressed form (CSR): finite values, at least one row and one column.
#[derive(Clone, Copy, Debug)]
pub struct SparseRows<'a> {
    width: usize,
    indptr: &'a [usize],
    index: &'a [u32],
    value: &'a [f32],
}

impl<'a> SparseRows<'a> {
    /// Views `indptr.len() - 1` rows of `width` columns; a column that a row does not list is zero.
    ///
    /// # Shapes
    /// - `indptr`: `[n + 1]`, from 0, ascending: entries of row `i` are `indptr[i]..indptr[i + 1]`
    /// - `index`, `value`: `[entries]`
    ///
    /// # Errors
    /// Arrays that do not have that form, no rows, no columns, a column beyond `width` or listed
    /// twice in a row, or a value that is not finite.
    pub fn new(width: usize, indptr: &'a [usize], index: &'a [u32], value: &'a [f32]) -> Result<Self, ProbeError> {
        let n = indptr.len().saturating_sub(1);
        if n == 0 || width == 0 {
            return Err(ProbeError::EmptyDesign { n, d: width });
        }
        if indptr[0] != 0 || !indptr.is_sorted() {
            return Err(ProbeError::RowBounds);
        }
        for (what, found) in [("index", index.len()), ("value", value.len())] {
            if found != indptr[n] {
                let expected = indptr[n];
                return Err(ProbeError::Length { what, expected, found });
            }
        }
        let rows = Self {
            width,
            indptr,
            index,
            value,
        };
        let mut last_row = vec![usize::MAX; width];
        for row in 0..n {
            for (column, value) in rows.row(row) {
                let seen = last_row
                    .get_mut(column)
                    .ok_or(ProbeError::ColumnOutOfRange { column, d: width })?;
                if *seen == row {
                    return Err(ProbeError::DuplicateColumn { row, column });
                }
                *seen = row;
                if !value.is_finite() {
                    let value = f64::from(value);
                    return Err(ProbeError::NonFinite { row, column, value });
                }
            }
        }
        Ok(rows)
    }

    /// Number of rows.
    #[must_use]
    pub fn n(&self) -> usize {
        self.indptr.len() - 1
    }

    /// Number of columns: the width of the dictionary.
    #[must_use]
    pub fn width(&self) -> usize {
        self.width
    }

    /// Columns and values that row `index` lists.
    ///
    /// # Panics
    /// Panics if `index` is not below [`SparseRows::n`].
    pub fn row(&self, index: usize) -> impl Iterator<Item = (usize, f32)> + use<'a> {
        let range = self.indptr[index]..self.indptr[index + 1];
        let (columns, values) = (&self.index[range.clone()], &self.value[range]);
        columns
            .iter()
            .map(|&column| column as usize)
            .zip(values.iter().copied())
    }

    /// The columns `wanted` of all rows, dense.
    ///
    /// # Shapes
    /// - `wanted`: `[k]`, distinct
    /// - returns: `[n, k]`, row-major
    ///
    /// # Errors
    /// [`ProbeError::ColumnOutOfRange`] for a column beyond the width.
    pub fn columns(&self, wanted: &[usize]) -> Result<Vec<f32>, ProbeError> {
        let (k, d) = (wanted.len(), self.width);
        let mut place = vec![usize::MAX; d];
        for (at, &column) in wanted.iter().enumerate() {
            *place
                .get_mut(column)
                .ok_or(ProbeError::ColumnOutOfRange { column, d })? = at;
        }
        let mut out = vec![0.0; self.n() * k];
        if k == 0 {
            return Ok(out);
        }
        for (row, out) in out.chunks_exact_mut(k).enumerate() {
            for (column, value) in self.row(row) {
                if let Some(out) = out.get_mut(place[column]) {
                    *out = value;
                }
            }
        }
        Ok(out)
    }
}

/// Inputs of a stochastic probe.
#[derive(Clone, Copy, Debug)]
pub enum Rows<'a> {
    /// Activations `[n, d]`.
    Dense(Design<'a>),
    /// SAE latents `[n, width]`.
    Sparse(SparseRows<'a>),
}

impl<'a> From<Design<'a>> for Rows<'a> {
    fn from(design: Design<'a>) -> Self {
        Self::Dense(design)
    }
}

impl<'a> From<SparseRows<'a>> for Rows<'a> {
    fn from(rows: SparseRows<'a>) -> Self {
        Self::Sparse(rows)
    }
}

impl Rows<'_> {
    /// Number of rows.
    #[must_use]
    pub fn n(&self) -> usize {
        match self {
            Self::Dense(design) => design.n(),
            Self::Sparse(rows) => rows.n(),
        }
    }

    /// Number of columns.
    #[must_use]
    pub fn d(&self) -> usize {
        match self {
            Self::Dense(design) => design.d(),
            Self::Sparse(rows) => rows.width(),
        }
    }
}

/// A batch of rows, dense ones gathered.
pub(crate) struct Batch<'a, 'b> {
    rows: Rows<'a>,
    chosen: &'b [usize],
    /// `[chosen, d]`, empty for sparse rows.
    dense: Vec<f32>,
}

impl<'a, 'b> Batch<'a, 'b> {
    /// The rows `chosen`, reusing the memory of `buffer`; [`Batch::release`] hands it back.
    pub(crate) fn gather(rows: Rows<'a>, chosen: &'b [usize], mut buffer: Vec<f32>) -> Self {
        buffer.clear();
        if let Rows::Dense(design) = rows {
            for &row in chosen {
                buffer.extend_from_slice(design.row(row));
            }
        }
        let dense = buffer;
        Self { rows, chosen, dense }
    }

    pub(crate) fn release(self) -> Vec<f32> {
        self.dense
    }

    /// `x W + b`: `weight` `[d, c]`, `bias` `[c]`, `logits` `[chosen, c]`.
    pub(crate) fn logits(&self, weight: &[f32], bias: &[f32], logits: &mut [f32]) {
        let c = bias.len();
        for row in logits.chunks_exact_mut(c) {
            row.copy_from_slice(bias);
        }
        match self.rows {
            Rows::Dense(design) => {
                let d = design.d();
                let shape = (self.chosen.len(), d, c);
                let (a, b) = ((&*self.dense, Layout::rows(d)), (weight, Layout::rows(c)));
                gemm_f32(shape, a, b, (logits, Layout::rows(c)), true, 1.0, Threads::Pool);
            }
            Rows::Sparse(rows) => {
                for (&row, logits) in self.chosen.iter().zip(logits.chunks_exact_mut(c)) {
                    for (column, value) in rows.row(row) {
                        add_scaled(logits, value, &weight[run(column, c)]);
                    }
                }
            }
        }
    }

    /// `x^T r`: `residuals` `[chosen, c]`, `gradient` `[d, c]`, overwritten.
    pub(crate) fn adjoint(&self, residuals: &[f32], c: usize, gradient: &mut [f32]) {
        match self.rows {
            Rows::Dense(design) => {
                let d = design.d();
                let shape = (d, self.chosen.len(), c);
                let (a, b) = ((&*self.dense, Layout::transposed(d)), (residuals, Layout::rows(c)));
                gemm_f32(shape, a, b, (gradient, Layout::rows(c)), false, 1.0, Threads::Pool);
            }
            Rows::Sparse(rows) => {
                gradient.fill(0.0);
                for (&row, residuals) in self.chosen.iter().zip(residuals.chunks_exact(c)) {
                    for (column, value) in rows.row(row) {
                        add_scaled(&mut gradient[run(column, c)], value, residuals);
                    }
                }
            }
        }
    }
}

fn run(column: usize, c: usize) -> Range<usize> {
    column * c..(column + 1) * c
}

#[inline]
fn add_scaled(target: &mut [f32], scale: f32, other: &[f32]) {
    for (target, other) in target.iter_mut().zip(other) {
        *target += scale * other;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checks() {
        let new = |indptr: &'static [usize], index: &'static [u32]| SparseRows::new(3, indptr, index, &[1.0, 2.0]);
        assert!(new(&[0, 1, 2], &[0, 2]).is_ok());
        assert!(matches!(new(&[0], &[]), Err(ProbeError::EmptyDesign { .. })));
        assert!(matches!(new(&[0, 2, 1], &[0]), Err(ProbeError::RowBounds)));
        assert!(matches!(new(&[0, 1], &[0, 1]), Err(ProbeError::Length { .. })));
        assert!(matches!(
            new(&[0, 2], &[0, 3]),
            Err(ProbeError::ColumnOutOfRange { column: 3, d: 3 })
        ));
        assert!(matches!(
            new(&[0, 2], &[1, 1]),
            Err(ProbeError::DuplicateColumn { row: 0, column: 1 })
        ));
        let bad = SparseRows::new(3, &[0, 1], &[1], &[f32::NAN]);
        assert!(matches!(bad, Err(ProbeError::NonFinite { row: 0, column: 1, .. })));
    }

    #[test]
    fn sparse_and_dense_products_agree() {
        let x = [0.0, 2.0, 0.0, -1.0, 0.0, 3.0, 0.0, 0.0, 0.0];
        let dense = Rows::from(Design::new(&x, 3, 3).expect("valid"));
        let sparse = SparseRows::new(3, &[0, 1, 3, 3], &[1, 0, 2], &[2.0, -1.0, 3.0]).expect("valid");
        assert_eq!(sparse.columns(&[2, 1]).expect("valid"), [0.0, 2.0, 3.0, 0.0, 0.0, 0.0]);
        let (weight, bias) = ([1.0, 2.0, 3.0, 4.0, 5.0, 6.0], [0.5, -0.5]);
        let products = |rows: Rows<'_>| {
            let batch = Batch::gather(rows, &[2, 0, 1], Vec::new());
            let (mut logits, mut gradient) = ([0.0; 6], [9.0; 6]);
            batch.logits(&weight, &bias, &mut logits);
            batch.adjoint(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0], 2, &mut gradient);
            (logits, gradient)
        };
        let expected = ([0.5, -0.5, 6.5, 7.5, 14.5, 15.5], [-5.0, -6.0, 6.0, 8.0, 15.0, 18.0]);
        assert_eq!(products(dense), expected);
        assert_eq!(products(sparse.into()), expected);
    }
}
