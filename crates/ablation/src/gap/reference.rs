//! The reference: one read and one write of a class.

use crate::directions::{Directions, Labelled, off_class_mean_of};
use crate::editor::{Editor, norm};
use crate::error::{AblationError, Result};

/// Reads `r(x) = v . (x - mu)` and writes `u`, with `v . u = 1`: taking `(r(x) - t) u` away brings the read to `t`.
#[derive(Clone, Debug, PartialEq)]
pub struct Reference {
    /// `v`, `[d_model]`.
    pub read: Vec<f64>,
    /// `mu`, `[d_model]`.
    pub mu: Vec<f64>,
    /// `u`, `[d_model]`.
    pub write: Vec<f64>,
    /// `t`: mean read of the other classes' train words.
    pub target: f64,
}

impl Reference {
    /// A read and a write; the read is scaled so that `v . u = 1`, the target taken from train words of other classes.
    ///
    /// # Errors
    /// A width differs, or the write does not move the read upwards.
    pub fn new(read: &[f64], mu: &[f64], write: &[f64], train: &Labelled, class: usize) -> Result<Self> {
        if [read.len(), mu.len(), write.len()].iter().any(|&len| len != train.d) || class >= train.classes {
            return Err(AblationError::Edit(format!(
                "a reference of widths {}, {} and {} for class {class} of vectors of width {}",
                read.len(),
                mu.len(),
                write.len(),
                train.d
            )));
        }
        let product = dot(read, write);
        if product <= 1e-9 * norm(read) * norm(write) || !product.is_finite() {
            return Err(AblationError::Edit(format!(
                "the reference of class {class} does not write what it reads: v . u = {product:.1e}"
            )));
        }
        let mut reference = Self {
            read: read.iter().map(|v| v / product).collect(),
            mu: mu.to_vec(),
            write: write.to_vec(),
            target: 0.0,
        };
        let reads = (0..train.n()).map(|i| reference.excess(train.row(i)));
        reference.target = off_class_mean_of(reads, &train.y, train.classes)[class];
        Ok(reference)
    }

    /// The rank-1 LEACE of every class.
    ///
    /// # Errors
    /// As [`Reference::new`].
    pub fn leace(directions: &Directions, train: &Labelled) -> Result<Vec<Self>> {
        let one = |(class, leace): (usize, &linear_probe::Leace)| {
            Self::new(&leace.reads, &leace.mu, &leace.writes, train, class)
        };
        directions.leace.iter().enumerate().map(one).collect()
    }

    /// `r(x) - t` of one vector.
    #[must_use]
    pub fn excess(&self, x: &[f32]) -> f64 {
        let centred = self.read.iter().zip(x).zip(&self.mu);
        centred.map(|((v, &x), mu)| v * (f64::from(x) - mu)).sum::<f64>() - self.target
    }

    /// The editor that brings the read to its target.
    #[must_use]
    pub fn editor(&self) -> Editor {
        Editor::linear(&self.read, &self.mu, &self.write, self.target)
    }
}

pub(super) fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}
