//! The same model as a graph of array operations, for gradients, training and other devices.
//!
//! Parameters are tensors of one device; on an autodiff device every operation is recorded. The
//! CPU engine (`crate::host`) is the fast path for inference and is held equal to this one by
//! tests.

mod blocks;
mod gradient;
mod layer;
mod params;
mod shared;
mod site;

use std::ops::Range;
use std::sync::Arc;

use burn::prelude::*;
use burn::tensor::activation;

pub use gradient::{LetterMetric, metric_gradient};
pub use params::ParamSet;
pub use site::{SiteGradient, SiteRun, site_gradient};

use crate::config::ModelConfig;
use crate::error::{ModelError, Result};
use crate::host::PrefixCache;
use crate::layout::Names;
use crate::weights::Weights;
pub(crate) use blocks::{Blocks, Pass};
pub(crate) use layer::Past;
use params::{Leaves, Source};

/// A model whose parameters are tensors of one device.
pub struct PlainModel {
    config: ModelConfig,
    blocks: Arc<Blocks>,
    ends: Ends,
    device: Device,
}

/// Embedding and unembedding.
#[expect(clippy::large_enum_variant, reason = "a model has one of these")]
enum Ends {
    /// Tensors of the device, leaves like all other parameters.
    Leaves {
        leaves: Leaves,
        embedding: Tensor<2>,
        positions: Option<Tensor<2>>,
        head: Tensor<2>,
    },
    /// In the mapped checkpoint of the device engine whose blocks these are: rows of the tokens at hand are uploaded.
    Mapped(Arc<Weights>),
}

impl PlainModel {
    /// Builds the graph over `params` on `device`; with `tracked`, parameters are leaves whose
    /// gradients can be asked for (the device must be an autodiff one).
    ///
    /// # Errors
    /// `params` are of another architecture than `config`.
    pub fn new(config: &ModelConfig, params: &ParamSet, device: &Device, tracked: bool) -> Result<Self> {
        let leaves = Leaves::new(params, device, tracked);
        let names = Names::usual(config);
        let matrix = |name: String| leaves.matrix(&format!("{name}.weight"));
        let source = Source::Leaves(&leaves);
        Ok(Self {
            config: config.clone(),
            blocks: Arc::new(Blocks::new(config, &names, &source)?),
            device: device.clone(),
            ends: Ends::Leaves {
                embedding: matrix(names.embedding())?,
                positions: names.positions().map(|(name, _)| matrix(name)).transpose()?,
                head: matrix(names.head())?,
                leaves,
            },
        })
    }

    /// The blocks of a device engine, recording gradients; no weight is copied.
    pub(crate) fn sharing(config: &ModelConfig, blocks: Arc<Blocks>, weights: Arc<Weights>, device: Device) -> Self {
        Self {
            config: config.clone(),
            blocks,
            ends: Ends::Mapped(weights),
            device,
        }
    }

    /// Stream entering layer 0 for `ids` `[batch * seq]`: `[batch, seq, d_model]`.
    ///
    /// # Errors
    /// The prompts are longer than the learned positions, or the model shares a device engine's weights.
    pub fn embed(&self, ids: &[u32], batch: usize) -> Result<Tensor<3>> {
        let Ends::Leaves {
            embedding, positions, ..
        } = &self.ends
        else {
            return Err(partial());
        };
        let seq = ids.len() / batch;
        let ids: Vec<i32> = ids.iter().map(|&id| id.cast_signed()).collect();
        let index = Tensor::<1, Int>::from_data(TensorData::new(ids, [batch * seq]), &self.device);
        let rows = embedding.clone().select(0, index) * self.config.embedding_scale();
        let x = rows.reshape([batch, seq, self.config.hidden_size]);
        match positions {
            None => Ok(x),
            Some(positions) if seq > positions.dims()[0] => Err(ModelError::Run(format!(
                "prompts of {seq} tokens; the model has {} positions",
                positions.dims()[0]
            ))),
            Some(positions) => Ok(x + positions.clone().slice_dim(0, 0..seq).unsqueeze()),
        }
    }

    /// Runs one layer on `[batch, seq, d_model]`, positions from 0.
    #[must_use]
    pub fn layer(&self, layer: usize, x: Tensor<3>) -> Tensor<3> {
        self.blocks.layers[layer].run(&self.config, self.config.windows[layer], x, None, false)
    }

    /// Runs `layers` on the positions after a prefix, `[batch, seq, d_model]`, down to the last position: `[batch, d_model]`.
    fn suffix(&self, x: Tensor<3>, layers: Range<usize>, prefix: &PrefixCache) -> Result<Tensor<2>> {
        let [batch, seq, d] = x.dims();
        if matches!(self.ends, Ends::Mapped(_)) {
            let pass = Pass {
                layers,
                prefix: Some(prefix),
                last_only: true,
            };
            return self.blocks.last(x, &pass, &self.device.clone().inner());
        }
        let (heads, hd) = (self.config.kv_heads, self.config.head_dim);
        let past = |values: &[f32]| {
            let data = TensorData::new(values.to_vec(), [heads, prefix.len(), hd]);
            Tensor::<3>::from_data(data, &self.device)
        };
        let last = layers.end;
        let none = layers.is_empty();
        let mut x = x;
        for layer in layers {
            let kept = &prefix.host()?[layer];
            let past = (!prefix.is_empty()).then(|| Past {
                len: prefix.len(),
                k: past(&kept.k),
                v: past(&kept.v),
            });
            let window = self.config.windows[layer];
            x = self.blocks.layers[layer].run(&self.config, window, x, past.as_ref(), layer + 1 == last);
        }
        let seq = if none { seq } else { 1 };
        Ok(x.slice_dim(1, seq - 1..seq).reshape([batch, d]))
    }

    /// The last norm's output, `[rows, d_model]` in and out.
    #[must_use]
    pub fn final_norm(&self, x: Tensor<2>) -> Tensor<2> {
        self.blocks.final_norm.apply(x)
    }

    /// Logits over the whole vocabulary of stream rows `[rows, d_model]`: `[rows, vocab]`.
    ///
    /// # Errors
    /// The model shares a device engine's weights, which lack the unembedding.
    pub fn logits(&self, x: Tensor<2>) -> Result<Tensor<2>> {
        let Ends::Leaves { head, .. } = &self.ends else {
            return Err(partial());
        };
        Ok(self.capped(self.final_norm(x).matmul(head.clone().transpose())))
    }

    /// Logits of chosen tokens of stream rows `[rows, d_model]`: `[rows, tokens]`.
    fn logits_of(&self, x: Tensor<2>, tokens: &[u32]) -> Result<Tensor<2>> {
        let head = match &self.ends {
            Ends::Leaves { head, .. } => {
                let index: Vec<i32> = tokens.iter().map(|token| token.cast_signed()).collect();
                let index = Tensor::<1, Int>::from_data(TensorData::new(index, [tokens.len()]), &self.device);
                head.clone().select(0, index)
            }
            Ends::Mapped(weights) => {
                let rows = weights.head_rows(&self.config, tokens)?;
                let data = TensorData::new(rows, [tokens.len(), self.config.hidden_size]);
                Tensor::from_data(data, &self.device.clone().inner())
            }
        };
        Ok(self.capped(self.final_norm(x).matmul(head.transpose())))
    }

    fn capped(&self, logits: Tensor<2>) -> Tensor<2> {
        capped(logits, self.config.final_softcap)
    }

    /// Every parameter tensor in the order of the [`ParamSet`]; none where the weights are a device engine's.
    pub(crate) fn parameters(&self) -> &[params::AnyTensor] {
        match &self.ends {
            Ends::Leaves { leaves, .. } => leaves.all(),
            Ends::Mapped(_) => &[],
        }
    }
}

/// Softly limits logits where the model does.
pub(crate) fn capped(logits: Tensor<2>, cap: Option<f64>) -> Tensor<2> {
    match cap {
        Some(cap) => activation::tanh(logits / cap) * cap,
        None => logits,
    }
}

fn partial() -> ModelError {
    ModelError::Run(
        "a model that shares a device engine's weights runs from a site on, and gives logits of chosen tokens"
            .to_owned(),
    )
}
