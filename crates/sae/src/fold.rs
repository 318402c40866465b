//! Rewriting an autoencoder into an equal one.
//!
//! Latents that are compared with each other or with a fixed number need a common unit, which unit decoder rows give. With
//! `n = |W_dec[j]|`: `W_dec[j] /= n`, `W_enc[:, j] *= n`, `b_enc[j] *= n`, `threshold[j] *= n`. Pre-activations and latents
//! become `n` times as large, a positive factor, so the same latents pass the same thresholds and the reconstruction stays.
//! Under plain top-k the factors would change which latents win, so it is refused; with rescaling the selection already
//! compares folded values.

use kernels::math;

use crate::{Architecture, Sae, SaeConfig, SaeError, Weights};

/// Norms below this count as this, as in `SAELens`: a decoder row of zeros stays one.
const SMALLEST_NORM: f32 = 1e-8;

impl Sae {
    /// Euclidean norms of the decoder rows.
    ///
    /// # Shapes
    /// - returns: `[d_sae]`
    #[must_use]
    pub fn decoder_norms(&self) -> Vec<f32> {
        let rows = self.weights.w_dec.chunks_exact(self.config.d_in);
        math::simd(|| rows.map(|row| math::square_sum(row).sqrt()).collect())
    }

    /// An autoencoder with unit decoder rows and the same reconstructions; its latents are those of `self` times the norm.
    /// For a rescaling top-k the latents stay as they are.
    ///
    /// # Errors
    /// [`SaeError::Fold`] for top-k without rescaling.
    pub fn fold_decoder_norms(&self) -> Result<Self, SaeError> {
        if let Architecture::TopK {
            rescale_acts_by_decoder_norm: false,
            ..
        } = self.config.architecture
        {
            return Err(SaeError::Fold {
                reason: "top-k compares the latents of a row, and scaling them changes which are kept".to_owned(),
                hint: "use this autoencoder unfolded, or one with `rescale_acts_by_decoder_norm`".to_owned(),
            });
        }
        let norms: Vec<f32> = self
            .decoder_norms()
            .into_iter()
            .map(|norm| norm.max(SMALLEST_NORM))
            .collect();
        let mut weights = self.weights.clone();
        for (row, norm) in weights.w_dec.chunks_exact_mut(self.config.d_in).zip(&norms) {
            for weight in row {
                *weight /= norm;
            }
        }
        let per_latent = weights.w_enc.chunks_exact_mut(self.config.d_sae).map(|row| &mut *row);
        for values in per_latent.chain([weights.b_enc.as_mut_slice(), weights.threshold.as_mut_slice()]) {
            values.iter_mut().zip(&norms).for_each(|(value, norm)| *value *= norm);
        }
        Self::new(self.config.clone(), weights)
    }

    /// The autoencoder of unscaled activations, from one that was fitted to activations times `scale`.
    ///
    /// Encoder and decoder are homogeneous: `relu(s x W + b) = s relu(x W + b / s)`, and thresholds and top-k compare values
    /// that all carry the factor. So biases and thresholds are divided by `scale`, directions and decoder norms stay, and
    /// latents are in units of the unscaled activations. Not meant for autoencoders that normalise their input.
    ///
    /// # Errors
    /// [`SaeError::Invalid`] if `scale` is not a positive number.
    pub fn fold_input_scale(&self, scale: f32) -> Result<Self, SaeError> {
        if !(scale > 0.0 && scale.is_finite()) {
            return Err(SaeError::Invalid {
                field: "scale",
                expected: "a positive number".to_owned(),
                found: scale.to_string(),
            });
        }
        let divide = |values: &[f32]| values.iter().map(|value| value / scale).collect();
        let Weights {
            w_enc,
            b_enc,
            w_dec,
            b_dec,
            threshold,
        } = &self.weights;
        let weights = Weights {
            w_enc: w_enc.clone(),
            b_enc: divide(b_enc),
            w_dec: w_dec.clone(),
            b_dec: divide(b_dec),
            threshold: divide(threshold),
        };
        let config: SaeConfig = self.config.clone();
        Self::new(config, weights)
    }
}
