//! A checked view of activations.
//!
//! Deliberately absent: ownership (activations live in a memory map or a cache) and conversion to
//! f64, which happens block by block where the numbers are used.

use crate::error::ProbeError;

/// Activations `[n, d]`, row-major, finite, with at least one row and one column; optionally only
/// some of the rows.
#[derive(Clone, Copy, Debug)]
pub struct Design<'a> {
    x: &'a [f32],
    n: usize,
    d: usize,
    rows: Option<&'a [usize]>,
}

impl<'a> Design<'a> {
    /// Views `x` as `n` rows of `d` numbers.
    ///
    /// # Shapes
    /// - `x`: `[n, d]`, row-major
    ///
    /// # Errors
    /// A length other than `n * d`, no rows or no columns, or a value that is not finite.
    pub fn new(x: &'a [f32], n: usize, d: usize) -> Result<Self, ProbeError> {
        if n == 0 || d == 0 {
            return Err(ProbeError::EmptyDesign { n, d });
        }
        if n.checked_mul(d) != Some(x.len()) {
            let expected = n.saturating_mul(d);
            return Err(ProbeError::Length {
                what: "x",
                expected,
                found: x.len(),
            });
        }
        if let Some(place) = x.iter().position(|value| !value.is_finite()) {
            let (row, column) = (place / d, place % d);
            return Err(ProbeError::NonFinite {
                row,
                column,
                value: f64::from(x[place]),
            });
        }
        Ok(Self { x, n, d, rows: None })
    }

    /// The same activations restricted to `rows`, in that order and without a copy. Indices refer
    /// to the rows of the matrix given to [`Design::new`], also on an already restricted view.
    ///
    /// # Errors
    /// No rows, or an index beyond the last row.
    pub fn select(self, rows: &'a [usize]) -> Result<Self, ProbeError> {
        let n = self.x.len() / self.d;
        if rows.is_empty() {
            return Err(ProbeError::EmptyDesign { n: 0, d: self.d });
        }
        if let Some(&row) = rows.iter().find(|&&row| row >= n) {
            return Err(ProbeError::RowOutOfRange { row, n });
        }
        Ok(Self {
            n: rows.len(),
            rows: Some(rows),
            ..self
        })
    }

    /// Number of rows in view.
    #[must_use]
    pub fn n(&self) -> usize {
        self.n
    }

    /// Number of columns.
    #[must_use]
    pub fn d(&self) -> usize {
        self.d
    }

    /// Row `index` of the view, `[d]`.
    ///
    /// # Panics
    /// Panics if `index` is not below [`Design::n`].
    #[must_use]
    pub fn row(&self, index: usize) -> &'a [f32] {
        let row = self.source_row(index);
        &self.x[row * self.d..(row + 1) * self.d]
    }

    /// Index of row `index` of the view in the matrix given to [`Design::new`], as
    /// [`Design::select`] takes it.
    ///
    /// # Panics
    /// Panics if `index` is not below [`Design::n`].
    #[must_use]
    pub fn source_row(&self, index: usize) -> usize {
        self.rows.map_or(index, |rows| rows[index])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checks() {
        assert!(matches!(Design::new(&[], 0, 3), Err(ProbeError::EmptyDesign { .. })));
        assert!(matches!(
            Design::new(&[1.0; 5], 2, 3),
            Err(ProbeError::Length { found: 5, .. })
        ));
        let bad = [1.0, 2.0, f32::NAN, 4.0];
        assert!(matches!(
            Design::new(&bad, 2, 2),
            Err(ProbeError::NonFinite { row: 1, column: 0, .. })
        ));
    }

    #[test]
    fn selection_is_a_view() {
        let x = [0.0, 1.0, 2.0, 3.0, 4.0, 5.0];
        let design = Design::new(&x, 3, 2).expect("valid");
        let some = design.select(&[2, 0]).expect("valid");
        assert_eq!((some.n(), some.row(0), some.row(1)), (2, &x[4..], &x[..2]));
        assert!(matches!(
            design.select(&[3]),
            Err(ProbeError::RowOutOfRange { row: 3, n: 3 })
        ));
    }
}
