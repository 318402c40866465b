//! Rewriting an autoencoder into an equal one.
//!
//! Latents that are compared with each other or with a fixed number need a common unit, which unit decoder rows give. With
//! `n = |W_dec[j]|`: `W_dec[j] /= n`, and `W_enc[:, j]`, `b_enc[j]`, `b_gate[j]`, `b_mag[j]` and `threshold[j]` times `n`
//! (`r_mag`, a logarithm of a ratio, stays). Pre-activations and latents become `n` times as large, a positive factor, so the same
//! latents pass the same thresholds and the reconstruction stays. Under plain top-k, signed top-k and group maximum the factors
//! would change which latents win, so it is refused; with rescaling the selection already compares folded values.
//!
//! Matrices in memory are rewritten; those that stay in their file carry the factors.
//!
//! A factor on the input can be folded in two units: [`Sae::fold_input_scale`] gives latents in units of the unscaled activations,
//! [`Sae::fold_norm_scaling_factor`] leaves the latents as they were, as `SAELens` does.

use crate::factor::divide;
use crate::parts::Parts;
use crate::{Architecture, Normalization, Sae, SaeConfig, SaeError, Weights};

/// Norms below this count as this, as in `SAELens`: a decoder row of zeros stays one.
pub(crate) const SMALLEST_NORM: f32 = 1e-8;

impl Sae {
    /// Euclidean norms of the decoder rows.
    ///
    /// # Shapes
    /// - returns: `[d_sae]`
    #[must_use]
    pub fn decoder_norms(&self) -> Vec<f32> {
        self.parts.decoder.norms()
    }

    /// An autoencoder with unit decoder rows and the same reconstructions; its latents are those of `self` times the norm.
    /// For a rescaling top-k the latents stay as they are.
    ///
    /// # Errors
    /// [`SaeError::Fold`] where latents of a row are compared with each other: top-k and signed top-k without rescaling, and group
    /// maximum.
    pub fn fold_decoder_norms(&self) -> Result<Self, SaeError> {
        let what = match self.config.architecture {
            Architecture::TopK {
                rescale_acts_by_decoder_norm: false,
                ..
            } => "top-k compares the latents of a row",
            Architecture::AbsTopK {
                rescale_acts_by_decoder_norm: false,
                ..
            } => "signed top-k compares the latents of a row",
            Architecture::GroupMax { .. } => "a group maximum compares the latents of a group",
            _ => {
                let mut parts = self.parts.clone();
                parts.fold_norms(SMALLEST_NORM);
                return self.rebuilt(parts);
            }
        };
        Err(SaeError::Fold {
            reason: format!("{what}, and scaling them changes which are kept"),
            hint: "use this autoencoder unfolded, or one with `rescale_acts_by_decoder_norm`".to_owned(),
        })
    }

    /// The autoencoder of unscaled activations, from one that was fitted to activations times `scale`, with latents in units of
    /// the unscaled activations.
    ///
    /// Encoder and decoder are homogeneous: `relu(s x W + b) = s relu(x W + b / s)`, and thresholds and top-k compare values
    /// that all carry the factor. So biases and thresholds are divided by `scale`, directions and decoder norms stay.
    ///
    /// # Errors
    /// [`SaeError::Invalid`] if `scale` is not a positive number, [`SaeError::Fold`] for an autoencoder that normalises its input
    /// or whose output is at another hook.
    pub fn fold_input_scale(&self, scale: f32) -> Result<Self, SaeError> {
        check_scale(&self.config, scale)?;
        let mut parts = self.parts.clone();
        let Weights {
            b_enc,
            b_dec,
            threshold,
            b_gate,
            b_mag,
            w_enc: _,
            w_dec: _,
            r_mag: _,
            w_skip: _,
        } = &mut parts.vectors;
        for values in [b_enc, b_dec, threshold, b_gate, b_mag] {
            divide(values, scale);
        }
        self.rebuilt(parts)
    }

    /// The autoencoder of unscaled activations, from one that was fitted to activations times `scale`, with latents as they were:
    /// `W_enc *= scale`, `W_dec /= scale`, `b_dec /= scale`. This is `fold_activation_norm_scaling_factor` of `SAELens`.
    ///
    /// # Errors
    /// Those of [`Sae::fold_input_scale`].
    pub fn fold_norm_scaling_factor(&self, scale: f32) -> Result<Self, SaeError> {
        check_scale(&self.config, scale)?;
        let mut parts = self.parts.clone();
        parts.fold_factor(scale);
        self.rebuilt(parts)
    }

    /// The same autoencoder with other weights. What its files were stays known; that they hold these weights is no longer so.
    fn rebuilt(&self, parts: Parts) -> Result<Self, SaeError> {
        let mut sae = Self::from_parts(self.config.clone(), parts)?;
        sae.identity.clone_from(&self.identity);
        Ok(sae)
    }
}

/// Whether a factor of the input can be folded.
pub(crate) fn check_scale(config: &SaeConfig, scale: f32) -> Result<(), SaeError> {
    if !(scale > 0.0 && scale.is_finite()) {
        return Err(SaeError::Invalid {
            field: "scale",
            expected: "a positive number".to_owned(),
            found: scale.to_string(),
        });
    }
    let refuse = |reason: &str| {
        Err(SaeError::Fold {
            reason: reason.to_owned(),
            hint: "scale the activations before encoding instead".to_owned(),
        })
    };
    if config.normalize_activations != Normalization::None {
        return refuse("this autoencoder normalises its input, which undoes any factor");
    }
    if config.output.transcoder {
        return refuse("the factor is of the input, and a transcoder's output is at another hook");
    }
    Ok(())
}
