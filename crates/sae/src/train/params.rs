//! The trained tensors; gradients and Adam's moments have the same form.

use crate::Weights;

/// Encoder and decoder both have one contiguous row per latent, which is how gradients of active latents are added up.
///
/// # Shapes
/// - `w_enc`, `w_dec`: `[d_sae, d_in]`
/// - `b_enc`: `[d_sae]`
/// - `b_dec`: `[d_in]`
/// - `log_threshold`: `[d_sae]` for `JumpReLU`, else empty
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Params {
    pub(crate) d_in: usize,
    pub(crate) d_sae: usize,
    pub(crate) w_enc: Vec<f32>,
    pub(crate) w_dec: Vec<f32>,
    pub(crate) b_enc: Vec<f32>,
    pub(crate) b_dec: Vec<f32>,
    pub(crate) log_threshold: Vec<f32>,
}

impl Params {
    pub(crate) fn zeros_like(&self) -> Self {
        let zeros = |values: &Vec<f32>| vec![0.0; values.len()];
        Self {
            d_in: self.d_in,
            d_sae: self.d_sae,
            w_enc: zeros(&self.w_enc),
            w_dec: zeros(&self.w_dec),
            b_enc: zeros(&self.b_enc),
            b_dec: zeros(&self.b_dec),
            log_threshold: zeros(&self.log_threshold),
        }
    }

    /// All tensors, in a fixed order.
    pub(crate) fn tensors(&self) -> [&[f32]; 5] {
        [&self.w_enc, &self.w_dec, &self.b_enc, &self.b_dec, &self.log_threshold]
    }

    /// All tensors, in the same order.
    pub(crate) fn tensors_mut(&mut self) -> [&mut [f32]; 5] {
        [
            &mut self.w_enc,
            &mut self.w_dec,
            &mut self.b_enc,
            &mut self.b_dec,
            &mut self.log_threshold,
        ]
    }

    /// Takes the first latents and the decoder bias from the weights of an autoencoder of unscaled rows.
    pub(crate) fn continue_from(&mut self, weights: &Weights, scale: f32) {
        let (d_in, old) = (self.d_in, weights.b_enc.len());
        for latent in 0..old {
            for input in 0..d_in {
                self.w_enc[latent * d_in + input] = weights.w_enc[input * old + latent];
            }
            // Directions stay and what they are compared with grows, as rows do.
            self.b_enc[latent] = weights.b_enc[latent] * scale;
        }
        self.w_dec[..old * d_in].copy_from_slice(&weights.w_dec);
        for (to, from) in self.b_dec.iter_mut().zip(&weights.b_dec) {
            *to = from * scale;
        }
    }

    pub(crate) fn decoder_row(&self, latent: u32) -> &[f32] {
        &self.w_dec[latent as usize * self.d_in..][..self.d_in]
    }
}
