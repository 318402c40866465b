//! What an autoencoder computes, as checked types.
//!
//! Combinations that mean nothing cannot be written: `k` exists for top-k only, and so does the rescaling by decoder norms.
//! The architecture is the one at inference; that a `JumpReLU` came out of batch top-k training is provenance and lives in the
//! [`Metadata`].
//!
//! Deliberately absent: file formats. However a checkpoint spells these things, it is read into these types or refused.

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
    /// The `k` pre-activations of largest magnitude, with their sign: latents may be negative.
    AbsTopK {
        /// Latents that a row can have.
        k: usize,
        /// As for [`Architecture::TopK`].
        rescale_acts_by_decoder_norm: bool,
    },
    /// `z = relu(e^r_mag (h W_enc) + b_mag)` where `h W_enc + b_gate > 0` (strict), else 0.
    Gated,
    /// Latents in `groups` equal runs of consecutive ones; of each run the largest pre-activation, if it is positive.
    GroupMax {
        /// Runs, and so latents that a row can have.
        groups: usize,
    },
}

impl Architecture {
    /// The name in an `SAELens` `cfg.json`, where `SAELens` has the architecture.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Standard => "standard",
            Self::JumpRelu => "jumprelu",
            Self::TopK { .. } => "topk",
            Self::AbsTopK { .. } => "abstopk",
            Self::Gated => "gated",
            Self::GroupMax { .. } => "groupmax",
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
            } | Self::AbsTopK {
                rescale_acts_by_decoder_norm: true,
                ..
            }
        )
    }

    /// The most latents that a row can have, where the architecture fixes it.
    #[must_use]
    pub fn limit(self) -> Option<usize> {
        match self {
            Self::TopK { k, .. } | Self::AbsTopK { k, .. } | Self::GroupMax { groups: k } => Some(k),
            Self::Standard | Self::JumpRelu | Self::Gated => None,
        }
    }

    /// Whether latents can be negative.
    #[must_use]
    pub fn signed(self) -> bool {
        matches!(self, Self::AbsTopK { .. })
    }
}

/// What happens to a row of activations before encoding, and back after decoding.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Normalization {
    /// Nothing. What `SAELens` calls `expected_average_only_in` is this at run time: its factor belongs in the weights.
    None,
    /// `x sqrt(d) / |x|`; decoding divides back.
    ConstantNormRescale,
    /// `(x - m) / (s + 1e-5)` with mean `m` and unbiased deviation `s` of the row; decoding gives `y s + m`.
    LayerNorm,
    /// `x factor`; decoding divides back.
    ConstantScalarRescale {
        /// The same factor for all rows.
        factor: f32,
    },
}

impl Normalization {
    /// The name in an `SAELens` `cfg.json`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::ConstantNormRescale => "constant_norm_rescale",
            Self::LayerNorm => "layer_norm",
            Self::ConstantScalarRescale { .. } => "constant_scalar_rescale",
        }
    }
}

/// How the model's activations become rows. It changes no number here: callers bring rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reshape {
    /// They are rows already.
    None,
    /// `[.., heads, d_head]` of an attention layer's `hook_z`, flattened to rows of `heads d_head` values, head after head.
    HookZ,
}

impl Reshape {
    /// The name in an `SAELens` `cfg.json`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::HookZ => "hook_z",
        }
    }
}

/// What the decoder produces.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Output {
    /// Width of the output.
    pub d_out: usize,
    /// Whether the output stands for activations at another hook than the input. Input normalisation is then not taken back.
    pub transcoder: bool,
    /// Whether `x W_skip^T` is added to the output, with `x` as the caller gave it.
    pub skip: bool,
}

impl Output {
    /// That of a plain autoencoder: the input itself.
    #[must_use]
    pub fn autoencoder(d_in: usize) -> Self {
        Self {
            d_out: d_in,
            transcoder: false,
            skip: false,
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
    /// How the model's activations become rows.
    pub reshape_activations: Reshape,
    /// What the decoder produces.
    pub output: Output,
    /// Where it came from.
    pub metadata: Metadata,
}
