//! The encoder matrix, seen the two ways that this crate reads it: blocks of latents for products, single latents as columns.
//!
//! Everything that reads `W_enc` goes through here, so that where and how it is stored can change in one place.

use kernels::Layout;

use crate::Sae;

/// `W_enc` of an autoencoder: `[d_in, d_sae]`.
#[derive(Clone, Copy)]
pub(crate) struct EncoderMatrix<'a> {
    values: &'a [f32],
    d_sae: usize,
}

impl<'a> EncoderMatrix<'a> {
    /// The matrix from latent `start` on, as an operand of a product.
    pub(crate) fn block(self, start: usize) -> (&'a [f32], Layout) {
        (self.values, Layout::rows(self.d_sae).at(start))
    }

    /// Chosen columns side by side.
    ///
    /// # Shapes
    /// - returns: `[d_in, latents]`
    pub(crate) fn columns(self, latents: &[usize]) -> Vec<f32> {
        self.values
            .chunks_exact(self.d_sae)
            .flat_map(|row| latents.iter().map(|&latent| row[latent]))
            .collect()
    }
}

impl Sae {
    /// The encoder matrix.
    pub(crate) fn encoder(&self) -> EncoderMatrix<'_> {
        EncoderMatrix {
            values: &self.weights.w_enc,
            d_sae: self.config.d_sae,
        }
    }

    /// What is added to `h W_enc` before it is compared: `b_enc`, or `b_gate` of a gated autoencoder.
    pub(crate) fn encoder_bias(&self) -> &[f32] {
        if self.weights.b_enc.is_empty() {
            &self.weights.b_gate
        } else {
            &self.weights.b_enc
        }
    }
}
