//! The same model as a graph of array operations, for gradients, training and other devices.
//!
//! Parameters are tensors of one device; on an autodiff device every operation is recorded. The
//! CPU engine (`crate::host`) is the fast path for inference and is held equal to this one by
//! tests.

mod gradient;
mod layer;
mod params;

use burn::prelude::*;
use burn::tensor::activation;

pub use gradient::{LetterMetric, metric_gradient};
pub use params::ParamSet;

use crate::config::ModelConfig;
use layer::PlainLayer;
use params::Tensors;

/// A model whose parameters are tensors of one device.
pub struct PlainModel {
    config: ModelConfig,
    embedding: Tensor<2>,
    layers: Vec<PlainLayer>,
    final_norm: Tensor<1>,
    device: Device,
}

impl PlainModel {
    /// Builds the graph over `params` on `device`; with `tracked`, parameters are leaves whose
    /// gradients can be asked for (the device must be an autodiff one).
    #[must_use]
    pub fn new(config: &ModelConfig, params: &ParamSet, device: &Device, tracked: bool) -> Self {
        let tensors = Tensors {
            params,
            device,
            tracked,
        };
        Self {
            config: config.clone(),
            embedding: tensors.matrix(0),
            layers: (0..config.layers)
                .map(|layer| PlainLayer::new(config, layer, &tensors))
                .collect(),
            final_norm: tensors.vector(params.len() - 1),
            device: device.clone(),
        }
    }

    /// Stream entering layer 0 for `ids` `[batch * seq]`: `[batch, seq, d_model]`.
    #[must_use]
    pub fn embed(&self, ids: &[u32], batch: usize) -> Tensor<3> {
        let seq = ids.len() / batch;
        let ids: Vec<i32> = ids.iter().map(|&id| id.cast_signed()).collect();
        let index = Tensor::<1, Int>::from_data(TensorData::new(ids, [batch * seq]), &self.device);
        let rows = self.embedding.clone().select(0, index);
        (rows * self.config.embedding_scale()).reshape([batch, seq, self.config.hidden_size])
    }

    /// Runs one layer on `[batch, seq, d_model]`, positions from 0.
    #[must_use]
    pub fn layer(&self, layer: usize, x: Tensor<3>) -> Tensor<3> {
        self.layers[layer].run(&self.config, self.config.windows[layer], x)
    }

    /// The last norm's output, `[rows, d_model]` in and out.
    #[must_use]
    pub fn final_norm(&self, x: Tensor<2>) -> Tensor<2> {
        layer::rms_norm(x, &self.final_norm, self.config.rms_eps)
    }

    /// Logits over the whole vocabulary of stream rows `[rows, d_model]`: `[rows, vocab]`.
    #[must_use]
    pub fn logits(&self, x: Tensor<2>) -> Tensor<2> {
        let normed = self.final_norm(x);
        let logits = normed.matmul(self.embedding.clone().transpose());
        match self.config.final_softcap {
            Some(cap) => activation::tanh(logits / cap) * cap,
            None => logits,
        }
    }

    /// Every parameter tensor in the order of the [`ParamSet`].
    pub(crate) fn parameters(&self) -> Vec<params::AnyTensor> {
        let mut all = vec![params::AnyTensor::Matrix(self.embedding.clone())];
        for layer in &self.layers {
            layer.collect(&mut all);
        }
        all.push(params::AnyTensor::Vector(self.final_norm.clone()));
        all
    }
}
