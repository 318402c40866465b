//! Where training reads its activations.

use crate::SaeError;

/// Rows of activations that can be read in any order.
pub trait ActivationSource: Sync {
    /// Number of rows.
    fn rows(&self) -> usize;

    /// Width of a row.
    fn width(&self) -> usize;

    /// Copies rows into `out`.
    ///
    /// # Shapes
    /// - `rows`: `[m]`, indices below [`ActivationSource::rows`]
    /// - `out`: `[m, width]`
    ///
    /// # Errors
    /// [`SaeError::Source`] if the rows cannot be read.
    fn read(&self, rows: &[usize], out: &mut [f32]) -> Result<(), SaeError>;
}

/// Rows in memory.
#[derive(Clone, Copy, Debug)]
pub struct Rows<'a> {
    data: &'a [f32],
    width: usize,
}

impl<'a> Rows<'a> {
    /// Rows of `width` values.
    ///
    /// # Shapes
    /// - `data`: `[n, width]`
    ///
    /// # Panics
    /// If `data` is not whole rows.
    #[must_use]
    pub fn new(data: &'a [f32], width: usize) -> Self {
        assert!(
            width > 0 && data.len().is_multiple_of(width),
            "{} values are not rows of width {width}",
            data.len()
        );
        Self { data, width }
    }
}

impl ActivationSource for Rows<'_> {
    fn rows(&self) -> usize {
        self.data.len() / self.width
    }

    fn width(&self) -> usize {
        self.width
    }

    fn read(&self, rows: &[usize], out: &mut [f32]) -> Result<(), SaeError> {
        for (&row, out) in rows.iter().zip(out.chunks_exact_mut(self.width)) {
            out.copy_from_slice(&self.data[row * self.width..][..self.width]);
        }
        Ok(())
    }
}
