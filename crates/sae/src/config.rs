//! What an autoencoder computes, as checked types.
//!
//! Combinations that mean nothing cannot be written: `k` exists for top-k only, and so does the rescaling by decoder norms.
//! The architecture is the one at inference; that a `JumpReLU` came out of batch top-k training is provenance and lives in the
//! [`Metadata`].

use serde::{Deserialize, Serialize};

use crate::Metadata;

/// How pre-activations become latents. Thresholds are weights, not configuration: see [`crate::Weights`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Architecture {
    /// `z = relu(pre)`.
    Standard,
    /// `z = relu(pre)` where `pre > threshold` (strict), else 0.
    JumpRelu,
    /// The `k` largest pre-activations of a row, those of them that are positive.
    TopK {
        /// Latents that a row can have.
        k: usize,
        /// Whether `pre` is multiplied by the latent's decoder norm before the selection, and `z` divided by it at decode.
        rescale_acts_by_decoder_norm: bool,
    },
}

impl Architecture {
    /// The name in an `SAELens` `cfg.json`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Standard => "standard",
            Self::JumpRelu => "jumprelu",
            Self::TopK { .. } => "topk",
        }
    }

    /// Whether decoder norms scale the pre-activations.
    #[must_use]
    pub fn rescales(self) -> bool {
        matches!(
            self,
            Self::TopK {
                rescale_acts_by_decoder_norm: true,
                ..
            }
        )
    }
}

/// What happens to a row of activations before encoding, and back after decoding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Normalization {
    /// Nothing.
    None,
    /// `x sqrt(d) / |x|`; decoding divides back.
    ConstantNormRescale,
    /// `(x - m) / (s + 1e-5)` with mean `m` and unbiased deviation `s` of the row; decoding gives `y s + m`.
    LayerNorm,
}

impl Normalization {
    /// The name in an `SAELens` `cfg.json`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::ConstantNormRescale => "constant_norm_rescale",
            Self::LayerNorm => "layer_norm",
        }
    }
}

/// Everything about an autoencoder that is not a weight.
#[derive(Clone, Debug, PartialEq)]
pub struct SaeConfig {
    /// Width of the activations.
    pub d_in: usize,
    /// Number of latents.
    pub d_sae: usize,
    /// How pre-activations become latents.
    pub architecture: Architecture,
    /// Whether `b_dec` is subtracted from the input before encoding.
    pub apply_b_dec_to_input: bool,
    /// What happens to the input before that.
    pub normalize_activations: Normalization,
    /// Where it came from.
    pub metadata: Metadata,
}
