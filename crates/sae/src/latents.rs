//! Latents of many rows, stored as compressed sparse rows.
//!
//! Entries of a row are in ascending order of latent. Encoding stores non-zero values only; an edit may leave zeros behind. Values
//! are negative where a signed architecture makes them so; "active" always means non-zero.

use crate::{Columns, RowNorm};

/// Sparse latents of `rows` rows over `width` latents.
#[derive(Clone, Debug, PartialEq)]
pub struct SparseLatents {
    width: usize,
    indptr: Vec<usize>,
    index: Vec<u32>,
    value: Vec<f32>,
    /// One entry per row if the encoder normalised its input, else empty.
    norms: Vec<RowNorm>,
}

impl SparseLatents {
    /// Latents from their arrays, without input normalisation.
    ///
    /// # Shapes
    /// - `indptr`: `[rows + 1]`, from 0, ascending: entries of row `i` are `indptr[i]..indptr[i + 1]`
    /// - `index`, `value`: `[entries]`; within a row, latents ascend strictly
    ///
    /// # Panics
    /// If the arrays do not have that form or a latent is not below `width`.
    #[must_use]
    pub fn new(width: usize, indptr: Vec<usize>, index: Vec<u32>, value: Vec<f32>) -> Self {
        assert!(
            indptr.first() == Some(&0) && indptr.is_sorted(),
            "row bounds must ascend from 0"
        );
        assert!(
            indptr.last() == Some(&index.len()) && index.len() == value.len(),
            "arrays of different length"
        );
        for bounds in indptr.windows(2) {
            let row = &index[bounds[0]..bounds[1]];
            assert!(row.is_sorted_by(|a, b| a < b), "latents of a row must ascend");
            assert!(
                row.last().is_none_or(|&last| (last as usize) < width),
                "latent outside the width"
            );
        }
        Self {
            width,
            indptr,
            index,
            value,
            norms: Vec::new(),
        }
    }

    /// Joins encoded chunks of rows.
    pub(crate) fn concat(width: usize, chunks: Vec<Chunk>) -> Self {
        let entries = chunks.iter().map(|chunk| chunk.index.len()).sum();
        let mut out = Self {
            width,
            indptr: vec![0],
            index: Vec::with_capacity(entries),
            value: Vec::with_capacity(entries),
            norms: Vec::new(),
        };
        for chunk in chunks {
            let start = out.index.len();
            out.indptr.extend(chunk.ends.iter().map(|end| start + end));
            out.index.extend(chunk.index);
            out.value.extend(chunk.value);
            out.norms.extend(chunk.norms);
        }
        out
    }

    /// Number of rows.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.indptr.len() - 1
    }

    /// Number of latents, active or not.
    #[must_use]
    pub fn width(&self) -> usize {
        self.width
    }

    /// Number of stored entries.
    #[must_use]
    pub fn entries(&self) -> usize {
        self.index.len()
    }

    /// Latents and values of a row, by ascending latent.
    ///
    /// # Panics
    /// If there is no such row.
    #[must_use]
    pub fn row(&self, row: usize) -> (&[u32], &[f32]) {
        let entries = self.indptr[row]..self.indptr[row + 1];
        (&self.index[entries.clone()], &self.value[entries])
    }

    /// The arrays: row bounds `[rows + 1]`, and latents and values `[entries]`, row after row.
    #[must_use]
    pub fn arrays(&self) -> (&[usize], &[u32], &[f32]) {
        (&self.indptr, &self.index, &self.value)
    }

    /// Where each row's entries begin, and the last one's end.
    pub(crate) fn bounds(&self) -> &[usize] {
        &self.indptr
    }

    /// Latents of all entries, row after row.
    pub(crate) fn index(&self) -> &[u32] {
        &self.index
    }

    /// Values of all entries, row after row.
    pub(crate) fn values(&self) -> &[f32] {
        &self.value
    }

    /// The entries whose value passes `keep`, which sees them in order.
    pub(crate) fn filter(&self, mut keep: impl FnMut(f32) -> bool) -> Self {
        let mut out = Self {
            width: self.width,
            indptr: vec![0],
            index: Vec::new(),
            value: Vec::new(),
            norms: self.norms.clone(),
        };
        for row in 0..self.rows() {
            let (index, value) = self.row(row);
            for (&latent, &value) in index.iter().zip(value) {
                if keep(value) {
                    out.index.push(latent);
                    out.value.push(value);
                }
            }
            out.indptr.push(out.index.len());
        }
        out
    }

    /// Value of one latent in a row; 0 where it is not active.
    ///
    /// # Panics
    /// If there is no such row.
    #[must_use]
    pub fn get(&self, row: usize, latent: u32) -> f32 {
        let (index, value) = self.row(row);
        index.binary_search(&latent).map_or(0.0, |at| value[at])
    }

    /// Undoing of the input normalisation of a row; `None` where there was none.
    #[must_use]
    pub fn row_norm(&self, row: usize) -> Option<RowNorm> {
        self.norms.get(row).copied()
    }

    /// The same latents with values replaced by `edit(row, latent, value)`.
    #[must_use]
    pub fn map(&self, mut edit: impl FnMut(usize, u32, f32) -> f32) -> Self {
        let mut out = self.clone();
        for row in 0..self.rows() {
            for at in self.indptr[row]..self.indptr[row + 1] {
                out.value[at] = edit(row, self.index[at], self.value[at]);
            }
        }
        out
    }

    /// Some rows, in any order, repeats allowed.
    ///
    /// # Panics
    /// If there is no such row.
    #[must_use]
    pub fn select_rows(&self, rows: &[usize]) -> Self {
        let mut out = Self {
            width: self.width,
            indptr: vec![0],
            index: Vec::new(),
            value: Vec::new(),
            norms: Vec::new(),
        };
        for &row in rows {
            let (index, value) = self.row(row);
            out.index.extend(index);
            out.value.extend(value);
            out.indptr.push(out.index.len());
            out.norms.extend(self.row_norm(row));
        }
        out
    }

    /// The same entries by latent.
    #[must_use]
    pub fn columns(&self) -> Columns {
        Columns::new(self.width, &self.indptr, &self.index, &self.value)
    }

    /// All values, zero where inactive.
    ///
    /// # Shapes
    /// - returns: `[rows, width]`
    #[must_use]
    pub fn to_dense(&self) -> Vec<f32> {
        let mut out = vec![0.0; self.rows() * self.width];
        for (row, out) in out.chunks_exact_mut(self.width.max(1)).enumerate() {
            let (index, value) = self.row(row);
            for (&latent, &value) in index.iter().zip(value) {
                out[latent as usize] = value;
            }
        }
        out
    }

    /// Mean number of non-zero latents per row; 0 without rows.
    #[must_use]
    pub fn mean_l0(&self) -> f64 {
        let active = self.value.iter().filter(|&&value| value != 0.0).count();
        active as f64 / self.rows().max(1) as f64
    }

    /// Share of rows in which each latent is non-zero; 0 without rows.
    ///
    /// # Shapes
    /// - returns: `[width]`
    #[must_use]
    pub fn firing_rates(&self) -> Vec<f64> {
        let mut counts = vec![0u64; self.width];
        for (&latent, &value) in self.index.iter().zip(&self.value) {
            counts[latent as usize] += u64::from(value != 0.0);
        }
        let rows = self.rows().max(1) as f64;
        counts.into_iter().map(|count| count as f64 / rows).collect()
    }
}

/// Rows that one task encoded.
pub(crate) struct Chunk {
    /// Where each row's entries end.
    pub(crate) ends: Vec<usize>,
    pub(crate) index: Vec<u32>,
    pub(crate) value: Vec<f32>,
    pub(crate) norms: Vec<RowNorm>,
}
