//! The last norm and the unembedding on a device.

use burn::prelude::*;

use super::{DeviceEngine, read};
use crate::config::ModelConfig;
use crate::error::Result;
use crate::plain::capped;
use crate::weights::Weights;

/// Bytes of the unembedding that are on the device at a time, and of the logits that come from it.
const BLOCK_BYTES: usize = 96 << 20;

/// Rows of the unembedding on the device, `[tokens, d_model]`.
#[derive(Clone, Debug)]
pub(crate) struct Head(Tensor<2>);

impl DeviceEngine {
    /// Uploads rows of the unembedding.
    pub(crate) fn head(&self, rows: Vec<f32>, tokens: usize) -> Head {
        let d = self.config.hidden_size;
        Head(Tensor::from_data(
            TensorData::new(rows, [tokens, d]),
            self.device.burn(),
        ))
    }

    /// Logits of stream rows `[rows, d_model]`: `[rows, tokens]`.
    pub(super) fn head_logits(&self, x: Tensor<2>, head: &Head) -> Tensor<2> {
        let normed = self.blocks.final_norm(x);
        capped(normed.matmul(head.0.clone().transpose()), self.config.final_softcap)
    }

    fn rows(&self, x: &[f32]) -> Tensor<2> {
        let d = self.config.hidden_size;
        Tensor::from_data(TensorData::new(x.to_vec(), [x.len() / d, d]), self.device.burn())
    }

    /// The last norm's output, `[rows, d_model]` in and out.
    pub(crate) fn final_norm(&self, x: &[f32]) -> Result<Vec<f32>> {
        let _turn = self.gate.enter();
        read(self.blocks.final_norm(self.rows(x)))
    }

    /// Logits of chosen tokens, `[rows, tokens]`.
    pub(crate) fn logits(&self, x: &[f32], head: &Head) -> Result<Vec<f32>> {
        let _turn = self.gate.enter();
        read(self.head_logits(self.rows(x), head))
    }

    /// Logits over the whole vocabulary of normalised rows into `[rows, vocab]`, block by block of the unembedding.
    pub(crate) fn all_logits(&self, weights: &Weights, normed: &[f32], out: &mut [f32]) -> Result<()> {
        let config: &ModelConfig = &self.config;
        let (d, vocab) = (config.hidden_size, config.vocab_size);
        let rows = normed.len() / d;
        let tokens = (BLOCK_BYTES / (4 * d.max(rows))).clamp(1, vocab);
        let _turn = self.gate.enter();
        let normed = self.rows(normed);
        for start in (0..vocab).step_by(tokens) {
            let end = vocab.min(start + tokens);
            let block = self.head(weights.head_range(start..end)?, end - start);
            let logits = normed.clone().matmul(block.0.transpose());
            let logits = read(capped(logits, config.final_softcap))?;
            for (row, logits) in logits.chunks_exact(end - start).enumerate() {
                out[row * vocab + start..row * vocab + end].copy_from_slice(logits);
            }
        }
        Ok(())
    }
}
