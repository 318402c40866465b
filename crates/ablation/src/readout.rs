//! What answers when the vector at the site is changed: a model behind it, or a planted truth.
//!
//! Arms, scores and the accounting of gaps see a site only through this, so that known-truth checks run the very code that
//! measures models.

use crate::effects::LetterLogits;
use crate::error::Result;
use crate::stage::{Capture, Stage};

/// Where memory does not say otherwise.
const MOST_EDITS: usize = 1 << 14;

/// Rows of site vectors, and the answers that follow from them.
pub trait Readout: Sync {
    /// Number of rows.
    fn rows(&self) -> usize;

    /// Width of a vector.
    fn d(&self) -> usize;

    /// The vector at the site of a row, `[d_model]`.
    fn site(&self, row: usize) -> &[f32];

    /// Example set of a row.
    fn set(&self, row: usize) -> u32;

    /// Most edited vectors that a caller should hold at once: as many as fill every thread many times over, or as memory allows.
    fn most_edits(&self) -> usize {
        MOST_EDITS
    }

    /// Letter logits after replacing the site vector of some rows.
    ///
    /// # Shapes
    /// - `rows`: `[edits]`, repeats allowed
    /// - `vectors`: `[edits, d_model]`, what stands at the site instead
    /// - returns: `[edits]` of 26 logits
    ///
    /// # Errors
    /// Sizes disagree, or the model refuses the run.
    fn edited_logits(&self, rows: &[usize], vectors: &[f32]) -> Result<Vec<LetterLogits>>;

    /// All site vectors, `[rows, d_model]`.
    fn sites(&self) -> Vec<f32> {
        (0..self.rows())
            .flat_map(|row| self.site(row).iter().copied())
            .collect()
    }

    /// Letter logits of every row, unedited.
    ///
    /// # Errors
    /// The model refuses the run.
    fn clean_logits(&self) -> Result<Vec<LetterLogits>> {
        let rows: Vec<usize> = (0..self.rows()).collect();
        self.edited_logits(&rows, &self.sites())
    }
}

/// Captured prompts of a model.
#[derive(Clone, Copy)]
pub struct Captured<'a> {
    /// The prompts.
    pub stage: &'a Stage<'a>,
    /// Their stream at the site's layer.
    pub capture: &'a Capture,
}

impl Readout for Captured<'_> {
    fn rows(&self) -> usize {
        self.capture.rows.len()
    }

    fn d(&self) -> usize {
        self.capture.d()
    }

    fn site(&self, row: usize) -> &[f32] {
        self.capture.site(row)
    }

    fn set(&self, row: usize) -> u32 {
        self.stage.items()[self.capture.rows[row]].set as u32
    }

    fn most_edits(&self) -> usize {
        self.stage.model().budget().edits(size_of::<f32>() * self.d())
    }

    fn edited_logits(&self, rows: &[usize], vectors: &[f32]) -> Result<Vec<LetterLogits>> {
        self.stage.edited_logits(self.capture, rows, vectors)
    }
}
