//! What each latent writes into the reference's read.

use rayon::prelude::*;
use sae::Sae;

use super::reference::Reference;
use crate::editor::norm;

/// `v . W_j` and its cosine, for every class and latent.
pub(super) struct Alignment {
    /// `[classes][d_sae]`.
    pub(super) product: Vec<Vec<f64>>,
    /// Lengths of the decoder rows, `[d_sae]`.
    lengths: Vec<f64>,
    /// Lengths of the reads, `[classes]`.
    reads: Vec<f64>,
}

impl Alignment {
    pub(super) fn new(sae: &Sae, references: &[Reference]) -> Self {
        let width = sae.d_sae();
        let mut product = vec![vec![0.0; width]; references.len()];
        let mut lengths = vec![0.0; width];
        let d = sae.d_out();
        sae.visit_decoder(|latents, rows| {
            for (length, row) in lengths[latents.clone()].iter_mut().zip(rows.chunks_exact(d)) {
                *length = row.iter().map(|&w| f64::from(w) * f64::from(w)).sum::<f64>().sqrt();
            }
            product.par_iter_mut().zip(references).for_each(|(product, reference)| {
                for (product, row) in product[latents.clone()].iter_mut().zip(rows.chunks_exact(d)) {
                    *product = reference.read.iter().zip(row).map(|(v, &w)| v * f64::from(w)).sum();
                }
            });
        });
        // A rescaling top-k divides a latent by its decoder norm when it decodes.
        if sae.config().architecture.rescales() {
            for product in &mut product {
                for (product, length) in product.iter_mut().zip(&lengths) {
                    *product /= length.max(f64::from(f32::MIN_POSITIVE));
                }
            }
            lengths.fill(1.0);
        }
        Self {
            product,
            lengths,
            reads: references.iter().map(|reference| norm(&reference.read)).collect(),
        }
    }

    /// Cosine of the class's read with a latent's write; 0 for a decoder row of length 0.
    pub(super) fn cosine(&self, class: usize, latent: usize) -> f64 {
        let both = self.lengths[latent] * self.reads[class];
        if both > 0.0 {
            self.product[class][latent] / both
        } else {
            0.0
        }
    }
}
