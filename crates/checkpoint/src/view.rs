//! A borrowed tensor and its conversions.

use std::fmt;
use std::path::Path;

use crate::{CheckpointError, Dtype, convert};

/// A tensor inside a mapped file: where it is from, what it is, and its bytes as stored.
///
/// Copying a view copies no data. Conversions allocate exactly what they return.
#[derive(Clone, Copy)]
#[non_exhaustive]
pub struct TensorView<'a> {
    /// The file that holds it.
    pub file: &'a Path,
    /// Its name.
    pub name: &'a str,
    /// Its element type.
    pub dtype: Dtype,
    /// Its dimensions, outermost first; empty for a scalar.
    pub shape: &'a [usize],
    /// Its elements, row-major, little-endian, at any alignment.
    pub bytes: &'a [u8],
}

impl fmt::Debug for TensorView<'_> {
    /// Leaves the bytes out: there can be gigabytes.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TensorView")
            .field("file", &self.file)
            .field("name", &self.name)
            .field("dtype", &self.dtype)
            .field("shape", &self.shape)
            .finish_non_exhaustive()
    }
}

impl<'a> TensorView<'a> {
    /// Number of elements.
    #[must_use]
    pub fn elements(&self) -> usize {
        self.bytes.len() / self.dtype.size()
    }

    /// All elements as `f32`: exact from `F32`, `F16` and `BF16`, rounded to nearest from `F64`.
    ///
    /// # Shapes
    /// - returns: `[product(shape)]`, row-major
    ///
    /// # Errors
    /// [`CheckpointError::Dtype`] if the tensor holds integers or booleans.
    pub fn to_f32(&self) -> Result<Vec<f32>, CheckpointError> {
        let mut out = Vec::with_capacity(self.elements());
        convert::extend_f32(&mut out, self.dtype, self.bytes).ok_or_else(|| self.wrong_dtype(FLOATS))?;
        Ok(out)
    }

    /// All elements as `f64`, exactly.
    ///
    /// # Shapes
    /// - returns: `[product(shape)]`, row-major
    ///
    /// # Errors
    /// [`CheckpointError::Dtype`] if the tensor holds integers or booleans.
    pub fn to_f64(&self) -> Result<Vec<f64>, CheckpointError> {
        convert::to_f64(self.dtype, self.bytes).ok_or_else(|| self.wrong_dtype(FLOATS))
    }

    /// Some rows of a matrix as `f32`, without reading the others.
    ///
    /// # Shapes
    /// - `self`: `[n, d]`
    /// - `rows`: `[m]`, indices below `n`, in any order, repeats allowed
    /// - returns: `[m, d]`, row-major
    ///
    /// # Errors
    /// [`CheckpointError::Shape`] if the tensor is not a matrix or an index is outside, [`CheckpointError::Dtype`] if it holds
    /// integers or booleans.
    pub fn rows_f32(&self, rows: &[usize]) -> Result<Vec<f32>, CheckpointError> {
        let &[count, width] = self.shape else {
            return Err(self.wrong_shape("a matrix".to_owned()));
        };
        if let Some(row) = rows.iter().find(|&&row| row >= count) {
            return Err(self.wrong_shape(format!("a matrix with a row {row}")));
        }
        // Not `width * size`: a matrix without rows may claim any width.
        let stride = self.bytes.len().checked_div(count).unwrap_or(0);
        let mut out = Vec::with_capacity(rows.len() * width);
        for &row in rows {
            let bytes = self.bytes.get(row * stride..(row + 1) * stride).unwrap_or_default();
            convert::extend_f32(&mut out, self.dtype, bytes).ok_or_else(|| self.wrong_dtype(FLOATS))?;
        }
        Ok(out)
    }

    /// Appends consecutive rows of a matrix to `out` as `f32`, for callers that go through a matrix block by block with one buffer.
    ///
    /// # Shapes
    /// - `self`: `[n, d]`; `rows` lies in `0..n`; `out` grows by `[rows, d]`
    ///
    /// # Errors
    /// As [`TensorView::rows_f32`].
    pub fn extend_rows_f32(&self, rows: std::ops::Range<usize>, out: &mut Vec<f32>) -> Result<(), CheckpointError> {
        let &[count, _] = self.shape else {
            return Err(self.wrong_shape("a matrix".to_owned()));
        };
        if rows.start > rows.end || rows.end > count {
            return Err(self.wrong_shape(format!("a matrix with rows {rows:?}")));
        }
        let stride = self.bytes.len().checked_div(count).unwrap_or(0);
        let bytes = self.bytes.get(rows.start * stride..rows.end * stride);
        convert::extend_f32(out, self.dtype, bytes.unwrap_or_default()).ok_or_else(|| self.wrong_dtype(FLOATS))
    }

    /// Appends consecutive elements in row-major order to `out` as `f32`, whatever the shape.
    ///
    /// # Errors
    /// [`CheckpointError::Shape`] if the range is outside, [`CheckpointError::Dtype`] if the tensor holds integers or booleans.
    pub fn extend_f32(&self, elements: std::ops::Range<usize>, out: &mut Vec<f32>) -> Result<(), CheckpointError> {
        let size = self.dtype.size();
        if elements.start > elements.end || elements.end > self.elements() {
            return Err(self.wrong_shape(format!("a tensor with elements {elements:?}")));
        }
        let bytes = &self.bytes[elements.start * size..elements.end * size];
        convert::extend_f32(out, self.dtype, bytes).ok_or_else(|| self.wrong_dtype(FLOATS))
    }

    /// The elements where they lie, if they are stored as aligned `f32` on a little-endian machine: nothing is copied.
    #[must_use]
    pub fn as_f32(&self) -> Option<&'a [f32]> {
        if self.dtype != Dtype::F32 || cfg!(target_endian = "big") {
            return None;
        }
        bytemuck::try_cast_slice(self.bytes).ok()
    }

    /// All elements of an integer tensor (booleans count as 0 and 1).
    ///
    /// # Shapes
    /// - returns: `[product(shape)]`, row-major
    ///
    /// # Errors
    /// [`CheckpointError::Dtype`] if the tensor holds floats.
    pub fn to_i64(&self) -> Result<Vec<i64>, CheckpointError> {
        convert::to_i64(self.dtype, self.bytes).ok_or_else(|| self.wrong_dtype("I64, I32, I16, I8, U8 or BOOL"))
    }

    /// Checks the shape.
    ///
    /// # Errors
    /// [`CheckpointError::Shape`], naming file, tensor, expected and stored shape.
    pub fn expect_shape(&self, expected: &[usize]) -> Result<(), CheckpointError> {
        if self.shape == expected {
            Ok(())
        } else {
            Err(self.wrong_shape(format!("{expected:?}")))
        }
    }

    fn wrong_shape(&self, expected: String) -> CheckpointError {
        CheckpointError::Shape {
            file: self.file.to_owned(),
            tensor: self.name.to_owned(),
            expected,
            found: self.shape.to_vec(),
        }
    }

    fn wrong_dtype(&self, expected: &str) -> CheckpointError {
        CheckpointError::Dtype {
            file: self.file.to_owned(),
            tensor: self.name.to_owned(),
            expected: expected.to_owned(),
            found: self.dtype.to_string(),
        }
    }
}

const FLOATS: &str = "F32, F16, BF16 or F64";
