//! What is trained, on what loss, for how long.
//!
//! Rows are multiplied by one number so that their mean norm is `sqrt(d)`; coefficients, thresholds and learning rates are
//! in those units and carry over between layers and models.

use serde::{Deserialize, Serialize};

use crate::{Metadata, SaeError};

/// The loss. `x` is a scaled row, `x^` its reconstruction, `f` its latents; means are over the rows of a batch. Decoder rows are
/// unit vectors throughout, so no loss needs their norms.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Objective {
    /// `mean |x - x^|^2 + l1 mean sum_j f_j` (ReLU).
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
    /// `mean |x - x^|^2`, the `k` rows-of-the-batch largest pre-activations of the whole batch. Becomes a JumpReLU with one
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
    /// SAELens's name of the training architecture.
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

/// What is done about latents that have stopped firing.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum DeadLatents {
    /// Nothing.
    Leave,
    /// An auxiliary loss: the `d_in / 2` dead latents with the largest pre-activations reconstruct what the live ones leave
    /// (Gao et al. 2024, appendix A.2; weighted as in SAELens, by `min(dead / (d_in / 2), 1)`).
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
            encoder_init_norm: 1.0,
            dead_after: 1000.min(steps / 8).max(1),
            dead_latents,
            held_out_rows: 4096,
            metadata: Metadata::new(),
        }
    }

    /// Checks the settings alone and against `rows` rows of data.
    pub(crate) fn check(&self, rows: usize) -> Result<(), SaeError> {
        let positive = |value: f32| value > 0.0 && value.is_finite();
        require(self.d_sae > 0, "d_sae", self.d_sae, "it has to be positive")?;
        require(self.batch_size > 0, "batch_size", self.batch_size, "it has to be positive")?;
        require(self.steps > 0, "steps", self.steps, "it has to be positive")?;
        require(positive(self.learning_rate), "learning_rate", self.learning_rate, "it has to be positive")?;
        require(positive(self.encoder_init_norm), "encoder_init_norm", self.encoder_init_norm, "it has to be positive")?;
        let decays = [self.betas.0, self.betas.1];
        require(decays.iter().all(|beta| (0.0..1.0).contains(beta)), "betas", format!("{decays:?}"), "both have to be in [0, 1)")?;
        require(self.gradient_clip.is_none_or(positive), "gradient_clip", format!("{:?}", self.gradient_clip), "it has to be positive")?;
        let (ramp, steps) = (self.warmup_steps + self.decay_steps, self.steps);
        require(ramp <= steps, "decay_steps", self.decay_steps, &format!("warm-up and decay have to fit into {steps} steps"))?;
        require(self.held_out_rows > 0, "held_out_rows", self.held_out_rows, "it has to be positive")?;
        let enough = self.held_out_rows.saturating_add(self.batch_size);
        require(enough <= rows, "held_out_rows", self.held_out_rows, &format!("with a batch it has to fit into the {rows} rows of data"))?;
        if let DeadLatents::Resample { every } = self.dead_latents {
            require(every > 0, "dead_latents.every", every, "it has to be positive")?;
        }
        self.check_objective()
    }

    fn check_objective(&self) -> Result<(), SaeError> {
        if let Some(k) = self.objective.k() {
            require((1..=self.d_sae).contains(&k), "objective.k", k, "it has to be between 1 and the width")?;
        }
        match &self.objective {
            Objective::Standard { l1_coefficient: coefficient, .. } | Objective::JumpRelu { l0_coefficient: coefficient, .. } => {
                let fine = *coefficient >= 0.0 && coefficient.is_finite();
                require(fine, "objective.coefficient", coefficient, "it has to be zero or positive")?;
            }
            Objective::BatchTopK { threshold_rate, .. } | Objective::MatryoshkaBatchTopK { threshold_rate, .. } => {
                let fine = *threshold_rate > 0.0 && *threshold_rate <= 1.0;
                require(fine, "objective.threshold_rate", threshold_rate, "it has to be in (0, 1]")?;
            }
            Objective::TopK { .. } => {}
        }
        if let Objective::JumpRelu { bandwidth, initial_threshold, .. } = self.objective {
            let fine = bandwidth > 0.0 && initial_threshold > 0.0 && bandwidth.is_finite() && initial_threshold.is_finite();
            require(fine, "objective.bandwidth", bandwidth, "it and the initial threshold have to be positive")?;
        }
        if let Objective::MatryoshkaBatchTopK { widths, .. } = &self.objective {
            let fine = widths.is_sorted_by(|a, b| a < b)
                && widths.first().is_some_and(|&first| first > 0)
                && widths.last() == Some(&self.d_sae);
            require(fine, "objective.widths", format!("{widths:?}"), "positive, ascending, and the last is the width")?;
        }
        Ok(())
    }
}

fn require(holds: bool, field: &'static str, value: impl ToString, reason: &str) -> Result<(), SaeError> {
    if holds {
        return Ok(());
    }
    Err(SaeError::Train { field, value: value.to_string(), reason: reason.to_owned() })
}
