//! From trained parameters to an autoencoder.

use serde_json::{Map, json};

use super::config::TrainConfig;
use super::objective::Objective;
use super::params::Params;
use crate::{Architecture, Normalization, Output, Reshape, Sae, SaeConfig, SaeError, Weights};

/// The autoencoder of unscaled rows. `threshold` is batch top-k's, in scaled units.
pub(crate) fn sae(
    config: &TrainConfig,
    params: &Params,
    threshold: Option<f32>,
    scale: f32,
    seed: u64,
) -> Result<Sae, SaeError> {
    let (d_in, d_sae) = (params.d_in, params.d_sae);
    let (architecture, threshold) = match config.objective {
        Objective::Standard { .. } => (Architecture::Standard, Vec::new()),
        Objective::TopK { k } => (
            Architecture::TopK {
                k,
                rescale_acts_by_decoder_norm: false,
            },
            Vec::new(),
        ),
        Objective::JumpRelu { .. } => (
            Architecture::JumpRelu,
            params.log_threshold.iter().map(|log| log.exp()).collect(),
        ),
        Objective::BatchTopK { .. } | Objective::MatryoshkaBatchTopK { .. } => {
            (Architecture::JumpRelu, vec![threshold.unwrap_or(0.0); d_sae])
        }
    };
    let mut w_enc = vec![0.0; d_in * d_sae];
    for (latent, row) in params.w_enc.chunks_exact(d_in).enumerate() {
        for (input, &weight) in row.iter().enumerate() {
            w_enc[input * d_sae + latent] = weight;
        }
    }
    let mut details = Map::new();
    details.insert("seed".to_owned(), json!(seed));
    details.insert("steps".to_owned(), json!(config.steps));
    details.insert("batch_size".to_owned(), json!(config.batch_size));
    details.insert("lr".to_owned(), json!(config.learning_rate));
    details.insert("input_scale".to_owned(), json!(scale));
    match &config.objective {
        Objective::Standard { l1_coefficient, .. } => {
            details.insert("l1_coefficient".to_owned(), json!(l1_coefficient));
        }
        Objective::JumpRelu {
            l0_coefficient,
            bandwidth,
            ..
        } => {
            details.insert("l0_coefficient".to_owned(), json!(l0_coefficient));
            details.insert("jumprelu_bandwidth".to_owned(), json!(bandwidth));
        }
        Objective::MatryoshkaBatchTopK { widths, .. } => {
            details.insert("matryoshka_widths".to_owned(), json!(widths));
        }
        Objective::TopK { .. } | Objective::BatchTopK { .. } => {}
    }
    if let Some(k) = config.objective.k() {
        details.insert("k".to_owned(), json!(k));
    }
    let mut metadata = config.metadata.clone();
    metadata.set("training_architecture", config.objective.name());
    metadata.set("training_architecture_details", details);
    let config = SaeConfig {
        d_in,
        d_sae,
        architecture,
        apply_b_dec_to_input: config.apply_b_dec_to_input,
        normalize_activations: Normalization::None,
        reshape_activations: Reshape::None,
        output: Output::autoencoder(d_in),
        metadata,
    };
    let weights = Weights {
        w_enc,
        b_enc: params.b_enc.clone(),
        w_dec: params.w_dec.clone(),
        b_dec: params.b_dec.clone(),
        threshold,
        ..Weights::default()
    };
    Sae::new(config, weights)?.fold_input_scale(scale)
}
