//! The training loop of a small language model.

use burn::prelude::*;
use rand::{Rng, RngExt};
use serde::{Deserialize, Serialize};
use tasks::Document;

use super::adamw::{AdamW, clip};
use super::head::head_gradient;
use crate::config::ModelConfig;
use crate::error::{ModelError, Result};
use crate::plain::{ParamSet, PlainModel};

/// Constants of the optimisation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LmSettings {
    /// Optimiser steps.
    pub steps: usize,
    /// Documents a step.
    pub batch: usize,
    /// Highest learning rate.
    pub rate: f32,
    /// Steps of linear warm-up; a cosine to `final_share` of the rate follows.
    pub warmup: usize,
    /// Share of the rate at the end.
    pub final_share: f32,
    /// Second-moment decay of Adam.
    pub beta2: f32,
    /// Weight decay of the matrices.
    pub decay: f32,
    /// Weight decay of the embedding.
    pub embedding_decay: f32,
    /// Largest joint gradient norm.
    pub clip: f32,
    /// Standard deviation of the initial matrices.
    pub init: f32,
    /// Standard deviation of the initial embedding.
    pub embedding_init: f32,
    /// Initial `w` of the norms after attention and MLP (they multiply by `1 + w`): below 0 the
    /// embedding outweighs what the blocks add at first.
    pub post_norm_init: f32,
}

/// What one step did.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct StepReport {
    /// Weighted mean cross entropy, nats per weighted target.
    pub loss: f64,
    /// Share of full-weight targets (letters) that were the most likely token.
    pub letters_right: f64,
    /// Joint gradient norm before clipping.
    pub gradient_norm: f32,
    /// Learning rate used.
    pub rate: f32,
}

/// A model in training.
pub struct LmTrainer {
    config: ModelConfig,
    settings: LmSettings,
    params: ParamSet,
    optimiser: AdamW,
    decay: Vec<f32>,
    device: Device,
    step: usize,
}

impl LmTrainer {
    /// Draws initial parameters: matrices from a normal distribution, norms at zero (`1 + w`).
    ///
    /// # Errors
    /// The unembedding is not the embedding: the trainer's head gradient is written for tied models.
    pub fn new(config: &ModelConfig, settings: &LmSettings, rng: &mut impl Rng) -> Result<Self> {
        if !config.tied {
            return Err(ModelError::Training(
                "only models whose unembedding is their embedding can be trained".to_owned(),
            ));
        }
        let mut params = ParamSet::zeros(config);
        for (i, values) in params.values.iter_mut().enumerate() {
            let post_norm =
                params.names[i].contains("post_attention_") || params.names[i].contains("post_feedforward_");
            match (i, params.shapes[i].len()) {
                (0, _) => values
                    .iter_mut()
                    .for_each(|value| *value = normal(rng) * settings.embedding_init),
                (_, 2) => values.iter_mut().for_each(|value| *value = normal(rng) * settings.init),
                _ if post_norm => values.fill(settings.post_norm_init),
                _ => {}
            }
        }
        let sizes: Vec<usize> = params.values.iter().map(Vec::len).collect();
        let decay = params
            .shapes
            .iter()
            .enumerate()
            .map(|(i, shape)| match (i, shape.len()) {
                (0, _) => settings.embedding_decay,
                (_, 2) => settings.decay,
                _ => 0.0,
            });
        Ok(Self {
            optimiser: AdamW::new(&sizes, 0.9, settings.beta2),
            decay: decay.collect(),
            config: config.clone(),
            settings: settings.clone(),
            params,
            device: Device::flex().autodiff(),
            step: 0,
        })
    }

    /// The parameters as they are now.
    #[must_use]
    pub fn params(&self) -> &ParamSet {
        &self.params
    }

    /// One optimiser step on documents of equal length.
    ///
    /// # Errors
    /// The documents differ in length, hold no target, or the loss is not finite.
    pub fn step(&mut self, documents: &[Document]) -> Result<StepReport> {
        let batch = Batch::new(documents)?;
        let d = self.config.hidden_size;
        let model = PlainModel::new(&self.config, &self.params, &self.device, true)?;
        let mut x = model.embed(&batch.inputs, documents.len())?;
        for layer in 0..self.config.layers {
            x = model.layer(layer, x);
        }
        let rows = x.reshape([batch.inputs.len(), d]);
        let index = TensorData::new(batch.rows.clone(), [batch.rows.len()]);
        let rows = rows.select(0, Tensor::<1, Int>::from_data(index, &self.device));
        let normed = model.final_norm(rows);
        let host = normed.clone().inner().into_data().try_into_vec::<f32>();
        let host = host.map_err(|e| ModelError::Training(format!("reading the stream: {e:?}")))?;
        let cap = self.config.final_softcap.map(|cap| cap as f32);
        let head = head_gradient(&host, &self.params.values[0], d, cap, &batch.targets, &batch.weights);
        if !head.loss.is_finite() {
            return Err(ModelError::Training(format!(
                "the loss is {} at step {}\nhint: lower the learning rate",
                head.loss, self.step
            )));
        }
        // The inner product with the head's gradient has that gradient.
        let slope = TensorData::new(head.stream, [batch.rows.len(), d]);
        let slope = Tensor::<2>::from_data(slope, &self.device);
        let mut tape = (normed * slope).sum().backward();
        let mut gradients: Vec<Vec<f32>> = model
            .parameters()
            .iter()
            .zip(&self.params.values)
            .map(|(tensor, values)| tensor.gradient(&mut tape, values.len()))
            .collect::<Result<_>>()?;
        for (sum, part) in gradients[0].iter_mut().zip(&head.embedding) {
            *sum += part;
        }
        let gradient_norm = clip(&mut gradients, self.settings.clip);
        let rate = self.rate();
        self.optimiser
            .step(&mut self.params.values, &gradients, rate, &self.decay);
        self.step += 1;
        let letters: Vec<bool> = head
            .right
            .iter()
            .zip(&batch.weights)
            .filter(|(_, w)| **w >= 1.0)
            .map(|(right, _)| *right)
            .collect();
        let right = letters.iter().filter(|&&right| right).count();
        Ok(StepReport {
            loss: head.loss,
            letters_right: right as f64 / letters.len().max(1) as f64,
            gradient_norm,
            rate,
        })
    }

    /// Linear warm-up, then a cosine.
    fn rate(&self) -> f32 {
        let LmSettings {
            steps,
            warmup,
            rate,
            final_share,
            ..
        } = self.settings;
        if self.step < warmup {
            return rate * (self.step + 1) as f32 / warmup as f32;
        }
        let done = (self.step - warmup) as f32 / (steps.saturating_sub(warmup)).max(1) as f32;
        let cosine = 0.5 * (1.0 + (std::f32::consts::PI * done.min(1.0)).cos());
        rate * (final_share + (1.0 - final_share) * cosine)
    }
}

/// A standard normal draw (Box-Muller).
fn normal(rng: &mut impl Rng) -> f32 {
    let radius = (-2.0 * (1.0 - rng.random::<f64>()).ln()).sqrt();
    (radius * (std::f64::consts::TAU * rng.random::<f64>()).cos()) as f32
}

/// Documents as inputs and targets.
struct Batch {
    inputs: Vec<u32>,
    /// Rows of the inputs whose next token is a target.
    rows: Vec<i32>,
    targets: Vec<u32>,
    weights: Vec<f32>,
}

impl Batch {
    fn new(documents: &[Document]) -> Result<Self> {
        let length = documents.first().map_or(0, |document| document.ids.len());
        if length < 2
            || documents
                .iter()
                .any(|d| d.ids.len() != length || d.weights.len() != length)
        {
            return Err(ModelError::Training(
                "documents of one batch differ in length or are empty".to_owned(),
            ));
        }
        let mut batch = Self {
            inputs: Vec::new(),
            rows: Vec::new(),
            targets: Vec::new(),
            weights: Vec::new(),
        };
        for document in documents {
            let first = batch.inputs.len();
            batch.inputs.extend_from_slice(&document.ids[..length - 1]);
            for position in 0..length - 1 {
                if document.weights[position + 1] > 0.0 {
                    batch.rows.push((first + position) as i32);
                    batch.targets.push(document.ids[position + 1]);
                    batch.weights.push(document.weights[position + 1]);
                }
            }
        }
        if batch.rows.is_empty() {
            return Err(ModelError::Training("a batch holds no target".to_owned()));
        }
        Ok(batch)
    }
}
