//! The same model as a graph of array operations, for gradients, training and other devices.
//!
//! Parameters are tensors of one device; on an autodiff device every operation is recorded. The
//! CPU engine (`crate::host`) is the fast path for inference and is held equal to this one by
//! tests.

mod gradient;
mod layer;
mod params;
mod site;

use std::ops::Range;

use burn::prelude::*;
use burn::tensor::activation;

pub use gradient::{LetterMetric, metric_gradient};
pub use params::ParamSet;
pub use site::{SiteGradient, SiteRun, site_gradient};

use crate::config::ModelConfig;
use crate::error::{ModelError, Result};
use crate::host::PrefixCache;
use crate::layout::Names;
use layer::{Past, PlainLayer, PlainNorm};
use params::Leaves;

/// A model whose parameters are tensors of one device.
pub struct PlainModel {
    config: ModelConfig,
    leaves: Leaves,
    embedding: Tensor<2>,
    positions: Option<Tensor<2>>,
    head: Tensor<2>,
    layers: Vec<PlainLayer>,
    final_norm: PlainNorm,
    device: Device,
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
        Ok(Self {
            config: config.clone(),
            embedding: matrix(names.embedding())?,
            positions: names.positions().map(|(name, _)| matrix(name)).transpose()?,
            head: matrix(names.head())?,
            layers: (0..config.layers)
                .map(|layer| PlainLayer::new(config, &names, layer, &leaves))
                .collect::<Result<_>>()?,
            final_norm: PlainNorm::new(&leaves, config, &names.final_norm())?,
            device: device.clone(),
            leaves,
        })
    }

    /// Stream entering layer 0 for `ids` `[batch * seq]`: `[batch, seq, d_model]`.
    ///
    /// # Errors
    /// The prompts are longer than the learned positions.
    pub fn embed(&self, ids: &[u32], batch: usize) -> Result<Tensor<3>> {
        let seq = ids.len() / batch;
        let ids: Vec<i32> = ids.iter().map(|&id| id.cast_signed()).collect();
        let index = Tensor::<1, Int>::from_data(TensorData::new(ids, [batch * seq]), &self.device);
        let rows = self.embedding.clone().select(0, index) * self.config.embedding_scale();
        let x = rows.reshape([batch, seq, self.config.hidden_size]);
        match &self.positions {
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
        self.layers[layer].run(&self.config, self.config.windows[layer], x, None, false)
    }

    /// Runs `layers` on the positions after a prefix, `[batch, seq, d_model]`, down to the last position: `[batch, d_model]`.
    fn suffix(&self, x: Tensor<3>, layers: Range<usize>, prefix: &PrefixCache) -> Tensor<2> {
        let [batch, seq, d] = x.dims();
        let (heads, hd) = (self.config.kv_heads, self.config.head_dim);
        let past = |values: &[f32]| {
            let data = TensorData::new(values.to_vec(), [heads, prefix.len(), hd]);
            Tensor::<3>::from_data(data, &self.device)
        };
        let last = layers.end;
        let none = layers.is_empty();
        let mut x = x;
        for layer in layers {
            let kept = &prefix.layers[layer];
            let past = (!prefix.is_empty()).then(|| Past {
                len: prefix.len(),
                k: past(&kept.k),
                v: past(&kept.v),
            });
            let window = self.config.windows[layer];
            x = self.layers[layer].run(&self.config, window, x, past.as_ref(), layer + 1 == last);
        }
        let seq = if none { seq } else { 1 };
        x.slice_dim(1, seq - 1..seq).reshape([batch, d])
    }

    /// The last norm's output, `[rows, d_model]` in and out.
    #[must_use]
    pub fn final_norm(&self, x: Tensor<2>) -> Tensor<2> {
        self.final_norm.apply(x)
    }

    /// Logits over the whole vocabulary of stream rows `[rows, d_model]`: `[rows, vocab]`.
    #[must_use]
    pub fn logits(&self, x: Tensor<2>) -> Tensor<2> {
        self.capped(self.final_norm(x).matmul(self.head.clone().transpose()))
    }

    /// Logits of chosen tokens of stream rows `[rows, d_model]`: `[rows, tokens]`.
    fn logits_of(&self, x: Tensor<2>, tokens: Tensor<1, Int>) -> Tensor<2> {
        let head = self.head.clone().select(0, tokens);
        self.capped(self.final_norm(x).matmul(head.transpose()))
    }

    fn capped(&self, logits: Tensor<2>) -> Tensor<2> {
        match self.config.final_softcap {
            Some(cap) => activation::tanh(logits / cap) * cap,
            None => logits,
        }
    }

    /// Every parameter tensor in the order of the [`ParamSet`].
    pub(crate) fn parameters(&self) -> &[params::AnyTensor] {
        self.leaves.all()
    }
}
