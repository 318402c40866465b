//! What is trained, on what loss, for how long.
//!
//! Rows are multiplied by one number so that their mean norm is `sqrt(d)`; coefficients, thresholds and learning rates are
//! in those units and carry over between layers and models.

use serde::{Deserialize, Serialize};

use super::objective::Objective;
use crate::Metadata;

/// What is done about latents that have stopped firing.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum DeadLatents {
    /// Nothing.
    Leave,
    /// An auxiliary loss: the `d_in / 2` dead latents with the largest pre-activations reconstruct what the live ones leave
    /// (Gao et al. 2024, appendix A.2; weighted as in `SAELens`, by `min(dead / (d_in / 2), 1)`).
    Auxiliary {
        /// Weight of that loss.
        coefficient: f32,
    },
    /// Re-initialise them towards badly reconstructed rows (Bricken et al. 2023, appendix, "Neuron resampling").
    Resample {
        /// Steps between occasions; none happen in the final decay.
        every: usize,
    },
}

/// Settings of a training run.
#[derive(Clone, Debug, PartialEq)]
pub struct TrainConfig {
    /// Number of latents.
    pub d_sae: usize,
    /// The loss.
    pub objective: Objective,
    /// Optimiser steps.
    pub steps: usize,
    /// Rows per step.
    pub batch_size: usize,
    /// Learning rate of Adam at its plateau.
    pub learning_rate: f32,
    /// Steps over which the learning rate rises linearly from 0.
    pub warmup_steps: usize,
    /// Steps at the end over which it falls linearly to 0.
    pub decay_steps: usize,
    /// Decay rates of Adam's two moments.
    pub betas: (f32, f32),
    /// Largest global norm of the gradient; longer ones are shortened to it.
    pub gradient_clip: Option<f32>,
    /// Whether `b_dec` is subtracted from the input before encoding.
    pub apply_b_dec_to_input: bool,
    /// Norm of the encoder columns at the start, which point along the decoder rows.
    pub encoder_init_norm: f32,
    /// Steps without firing after which a latent counts as dead.
    pub dead_after: usize,
    /// What is done about those.
    pub dead_latents: DeadLatents,
    /// Rows that are kept from training and measured at the end.
    pub held_out_rows: usize,
    /// Provenance that goes into the result, such as `model_name` and `hook_name`.
    pub metadata: Metadata,
}

impl TrainConfig {
    /// A run with the settings that are rarely changed: Adam `(0.9, 0.999)`, learning rate 3e-4 with 5 % warm-up and a final
    /// fifth of decay, batches of 1,024 rows, auxiliary loss for the top-k family.
    #[must_use]
    pub fn new(d_sae: usize, objective: Objective, steps: usize) -> Self {
        // Half of the latents of a ReLU are active at first, and together they would overshoot the input.
        let encoder_init_norm = if matches!(objective, Objective::Standard { .. }) {
            0.1
        } else {
            1.0
        };
        let dead_latents = match objective.k() {
            Some(_) => DeadLatents::Auxiliary { coefficient: 1.0 },
            None => DeadLatents::Leave,
        };
        Self {
            d_sae,
            objective,
            steps,
            batch_size: 1024,
            learning_rate: 3e-4,
            warmup_steps: steps / 20,
            decay_steps: steps / 5,
            betas: (0.9, 0.999),
            gradient_clip: None,
            apply_b_dec_to_input: true,
            encoder_init_norm,
            dead_after: 1000.min(steps / 8).max(1),
            dead_latents,
            held_out_rows: 4096,
            metadata: Metadata::new(),
        }
    }
}
