//! The losses.

use serde::{Deserialize, Serialize};

/// The loss. `x` is a scaled row, `x^` its reconstruction, `f` its latents; means are over the rows of a batch. Decoder rows are
/// unit vectors throughout, so no loss needs their norms.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Objective {
    /// `mean |x - x^|^2 + l1 mean sum_j f_j` (`ReLU`).
    Standard {
        /// Weight of the penalty once warm.
        l1_coefficient: f32,
        /// Steps over which the weight rises linearly from 0.
        l1_warmup_steps: usize,
    },
    /// `mean |x - x^|^2`, the `k` largest pre-activations of each row.
    TopK {
        /// Latents per row.
        k: usize,
    },
    /// `mean |x - x^|^2`, the `k` rows-of-the-batch largest pre-activations of the whole batch. Becomes a `JumpReLU` with one
    /// threshold: the running mean of the smallest value that a batch keeps.
    BatchTopK {
        /// Latents per row, on average.
        k: usize,
        /// Share of the running threshold that each step replaces.
        threshold_rate: f32,
    },
    /// Batch top-k whose loss is the sum of `mean |x - x^|^2` over reconstructions from the first `widths[i]` latents.
    MatryoshkaBatchTopK {
        /// Latents per row, on average.
        k: usize,
        /// Share of the running threshold that each step replaces.
        threshold_rate: f32,
        /// Ascending prefix lengths; the last is the width of the autoencoder.
        widths: Vec<usize>,
    },
    /// `mean |x - x^|^2 + l0 mean |f|_0`, thresholds trained through the rectangle kernel (Rajamanoharan et al. 2024,
    /// "Jumping Ahead", section 4; the recipe of Gemma Scope).
    JumpRelu {
        /// Weight of the penalty once warm.
        l0_coefficient: f32,
        /// Steps over which the weight rises linearly from 0.
        l0_warmup_steps: usize,
        /// Width of the kernel, in units of scaled pre-activations.
        bandwidth: f32,
        /// Threshold of every latent at the start.
        initial_threshold: f32,
    },
}

impl Objective {
    /// `SAELens`'s name of the training architecture.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Standard { .. } => "standard",
            Self::TopK { .. } => "topk",
            Self::BatchTopK { .. } => "batchtopk",
            Self::MatryoshkaBatchTopK { .. } => "matryoshka_batchtopk",
            Self::JumpRelu { .. } => "jumprelu",
        }
    }

    /// Latents per row, where that is set and not an outcome.
    pub(crate) fn k(&self) -> Option<usize> {
        match *self {
            Self::TopK { k } | Self::BatchTopK { k, .. } | Self::MatryoshkaBatchTopK { k, .. } => Some(k),
            Self::Standard { .. } | Self::JumpRelu { .. } => None,
        }
    }
}
