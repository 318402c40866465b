//! A matrix with one row or one column per latent: in memory as f32, or left in its mapped file in the type that it is stored in.
//!
//! Everything that reads `W_enc` or `W_dec` goes through here: [`blocks`] of consecutive latents, and single ones by [`gather`].
//! Of a stored matrix only the latents at hand are widened, and what was folded into it is a list of factors that each read applies
//! in the order in which they came, so that its numbers are to the last bit those of the same matrix in memory. A stored f32 matrix
//! without factors is read where it lies.
//!
//! Deliberately absent: caches of widened blocks (callers take as many rows per pass as they can) and writing. A tensor that its
//! file holds deflated or strided is unpacked once into memory, in its stored type, by the checkpoint.

mod blocks;
mod gather;

use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;

use checkpoint::{Checkpoint, TensorView};

use crate::factor::Factor;

/// Rows that are turned over at a time.
const TURNED: usize = 64;

/// `[latents, width]` if it is `by_latent`, else `[width, latents]`.
#[derive(Clone, Debug)]
pub(crate) struct Matrix {
    values: Values,
    latents: usize,
    width: usize,
    by_latent: bool,
}

#[derive(Clone, Debug)]
enum Values {
    Resident(Vec<f32>),
    Stored {
        checkpoint: Arc<Checkpoint>,
        name: String,
        factors: Vec<Factor>,
    },
}

impl Matrix {
    /// A matrix in memory. Its length is checked by [`crate::Sae::new`].
    pub(crate) fn resident(values: Vec<f32>, [latents, width]: [usize; 2], by_latent: bool) -> Self {
        Self {
            values: Values::Resident(values),
            latents,
            width,
            by_latent,
        }
    }

    /// The float tensor `name`, of a shape that was checked.
    pub(crate) fn stored(
        checkpoint: Arc<Checkpoint>,
        name: String,
        [latents, width]: [usize; 2],
        by_latent: bool,
    ) -> Self {
        let values = Values::Stored {
            checkpoint,
            name,
            factors: Vec::new(),
        };
        Self {
            values,
            latents,
            width,
            by_latent,
        }
    }

    /// Whether it stays in its file.
    pub(crate) fn is_stored(&self) -> bool {
        matches!(self.values, Values::Stored { .. })
    }

    /// Bytes as it lies in memory or in its file.
    pub(crate) fn bytes(&self) -> u64 {
        let size = if self.is_stored() {
            self.view().dtype.size()
        } else {
            size_of::<f32>()
        };
        (self.len() * size) as u64
    }

    /// Number of values.
    pub(crate) fn len(&self) -> usize {
        match &self.values {
            Values::Resident(values) => values.len(),
            Values::Stored { .. } => self.latents * self.width,
        }
    }

    /// Folds a factor: now if it is in memory, else whenever it is read.
    pub(crate) fn scale(&mut self, factor: Factor) {
        match &mut self.values {
            Values::Resident(values) => factor.apply(values, 0..self.latents, self.by_latent),
            Values::Stored { factors, .. } => factors.push(factor),
        }
    }

    /// All values in memory, one row per latent if `by_latent`, else one column.
    pub(crate) fn into_resident(self, by_latent: bool) -> Vec<f32> {
        match self.values {
            Values::Resident(values) if self.by_latent == by_latent => values,
            _ => self.widened(by_latent),
        }
    }

    /// The same matrix in memory, in this order.
    pub(crate) fn widen(self, by_latent: bool) -> Self {
        let size = [self.latents, self.width];
        Self::resident(self.into_resident(by_latent), size, by_latent)
    }

    /// [`Matrix::into_resident`], borrowed where it is so already.
    pub(crate) fn dense(&self, by_latent: bool) -> Cow<'_, [f32]> {
        match self.whole() {
            Some(values) if self.by_latent == by_latent => Cow::Borrowed(values),
            _ => Cow::Owned(self.widened(by_latent)),
        }
    }

    fn widened(&self, by_latent: bool) -> Vec<f32> {
        let (rows, columns) = if self.by_latent {
            (self.latents, self.width)
        } else {
            (self.width, self.latents)
        };
        // Rows as stored, so that the peak is the result and a few of them.
        let read = |range: Range<usize>, out: &mut Vec<f32>| match &self.values {
            Values::Resident(values) => out.extend_from_slice(&values[range.start * columns..range.end * columns]),
            Values::Stored { .. } => extend(&self.view(), range.start * columns..range.end * columns, out),
        };
        let mut out = Vec::with_capacity(rows * columns);
        if self.by_latent == by_latent {
            read(0..rows, &mut out);
        } else {
            out.resize(rows * columns, 0.0);
            let mut block = Vec::new();
            for start in (0..rows).step_by(TURNED) {
                let end = rows.min(start + TURNED);
                block.clear();
                read(start..end, &mut block);
                for (column, out) in out.chunks_exact_mut(rows).enumerate() {
                    for (row, out) in out[start..end].iter_mut().enumerate() {
                        *out = block[row * columns + column];
                    }
                }
            }
        }
        for factor in self.factors() {
            factor.apply(&mut out, 0..self.latents, by_latent);
        }
        out
    }

    /// All values where they lie, if they lie somewhere as f32 that needs no factor.
    fn whole(&self) -> Option<&[f32]> {
        match &self.values {
            Values::Resident(values) => Some(values),
            Values::Stored { factors, .. } if factors.is_empty() => self.view().as_f32(),
            Values::Stored { .. } => None,
        }
    }

    fn factors(&self) -> &[Factor] {
        match &self.values {
            Values::Resident(_) => &[],
            Values::Stored { factors, .. } => factors,
        }
    }

    fn view(&self) -> TensorView<'_> {
        match &self.values {
            Values::Resident(_) => unreachable!("callers ask for what lies in memory first"),
            // Reading found it, and files are mapped for as long as the checkpoint lives.
            Values::Stored { checkpoint, name, .. } => checkpoint.get(name).expect("a tensor that was found is there"),
        }
    }
}

/// Appends consecutive stored values.
fn extend(view: &TensorView<'_>, range: Range<usize>, out: &mut Vec<f32>) {
    view.extend_f32(range, out)
        .expect("type and shape were checked when the tensor was found");
}
