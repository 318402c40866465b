//! Sparse latents seen by latent instead of by row.

/// Sparse latents by latent: rows of a latent ascend.
#[derive(Clone, Debug, PartialEq)]
pub struct Columns {
    indptr: Vec<usize>,
    row: Vec<u32>,
    value: Vec<f32>,
}

impl Columns {
    /// Transposes compressed rows by counting.
    pub(crate) fn new(width: usize, indptr: &[usize], index: &[u32], value: &[f32]) -> Self {
        let mut starts = vec![0usize; width + 1];
        for &latent in index {
            starts[latent as usize + 1] += 1;
        }
        for latent in 0..width {
            starts[latent + 1] += starts[latent];
        }
        let mut next = starts.clone();
        let mut out = Self {
            indptr: starts,
            row: vec![0; index.len()],
            value: vec![0.0; index.len()],
        };
        for row in 0..indptr.len() - 1 {
            for at in indptr[row]..indptr[row + 1] {
                let slot = &mut next[index[at] as usize];
                out.row[*slot] = row as u32;
                out.value[*slot] = value[at];
                *slot += 1;
            }
        }
        out
    }

    /// Number of latents.
    #[must_use]
    pub fn width(&self) -> usize {
        self.indptr.len() - 1
    }

    /// Rows in which a latent has an entry, ascending, and its values there.
    ///
    /// # Panics
    /// If there is no such latent.
    #[must_use]
    pub fn latent(&self, latent: usize) -> (&[u32], &[f32]) {
        let entries = self.indptr[latent]..self.indptr[latent + 1];
        (&self.row[entries.clone()], &self.value[entries])
    }
}
