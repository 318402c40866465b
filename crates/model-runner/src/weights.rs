//! A checkpoint's tensors in the order that the engines want.
//!
//! Linear weights are stored `[out, in]`; the CPU engine multiplies `[rows, in] x [in, out]`, so
//! they are widened and transposed once, on first use of their layer. The embedding stays in the
//! mapped file in its stored dtype: only the rows of the tokens at hand are ever widened, which
//! for 256,000 tokens is the difference between megabytes and gigabytes.

use std::path::Path;
use std::sync::OnceLock;

use checkpoint::Checkpoint;

use crate::config::ModelConfig;
use crate::error::{ModelError, Result};

/// One block's weights in f32.
#[derive(Clone, Debug)]
pub(crate) struct LayerWeights {
    /// `1 + w` of the norm before attention, `[d_model]`.
    pub(crate) attn_in: Vec<f32>,
    /// `1 + w` of the norm after attention.
    pub(crate) attn_out: Vec<f32>,
    /// `1 + w` of the norm before the MLP.
    pub(crate) mlp_in: Vec<f32>,
    /// `1 + w` of the norm after the MLP.
    pub(crate) mlp_out: Vec<f32>,
    /// `[d_model, heads * head_dim]`.
    pub(crate) q: Vec<f32>,
    /// Keys beside values, `[d_model, 2 * kv_heads * head_dim]`.
    pub(crate) kv: Vec<f32>,
    /// `[heads * head_dim, d_model]`.
    pub(crate) o: Vec<f32>,
    /// Gate beside up, `[d_model, 2 * intermediate]`.
    pub(crate) gate_up: Vec<f32>,
    /// `[intermediate, d_model]`.
    pub(crate) down: Vec<f32>,
}

/// Name of the tied embedding.
pub(crate) const EMBEDDING: &str = "model.embed_tokens.weight";
/// Name of the last norm.
pub(crate) const FINAL_NORM: &str = "model.norm.weight";

/// Every tensor of a Gemma-2 checkpoint with its shape, in file order of `transformers`.
#[must_use]
pub fn tensor_shapes(config: &ModelConfig) -> Vec<(String, Vec<usize>)> {
    let d = config.hidden_size;
    let q = config.heads * config.head_dim;
    let kv = config.kv_heads * config.head_dim;
    let inner = config.intermediate_size;
    let mut shapes = vec![(EMBEDDING.to_owned(), vec![config.vocab_size, d])];
    for layer in 0..config.layers {
        let parts: [(&str, Vec<usize>); 11] = [
            ("self_attn.q_proj", vec![q, d]),
            ("self_attn.k_proj", vec![kv, d]),
            ("self_attn.v_proj", vec![kv, d]),
            ("self_attn.o_proj", vec![d, q]),
            ("mlp.gate_proj", vec![inner, d]),
            ("mlp.up_proj", vec![inner, d]),
            ("mlp.down_proj", vec![d, inner]),
            ("input_layernorm", vec![d]),
            ("post_attention_layernorm", vec![d]),
            ("pre_feedforward_layernorm", vec![d]),
            ("post_feedforward_layernorm", vec![d]),
        ];
        for (part, shape) in parts {
            shapes.push((layer_tensor(layer, part), shape));
        }
    }
    shapes.push((FINAL_NORM.to_owned(), vec![d]));
    shapes
}

/// Full name of a part of a block.
pub(crate) fn layer_tensor(layer: usize, part: &str) -> String {
    format!("model.layers.{layer}.{part}.weight")
}

/// The tensors of a model: mapped, checked, widened layer by layer on demand.
pub(crate) struct Weights {
    checkpoint: Checkpoint,
    layers: Vec<OnceLock<LayerWeights>>,
    final_norm: Vec<f32>,
}

impl Weights {
    /// Opens the checkpoint and checks that every tensor is there with the right shape.
    pub(crate) fn open(folder: &Path, config: &ModelConfig) -> Result<Self> {
        let checkpoint = Checkpoint::open(folder)?;
        for (name, shape) in tensor_shapes(config) {
            checkpoint.get(&name)?.expect_shape(&shape)?;
        }
        let final_norm = plus_one(checkpoint.get(FINAL_NORM)?.to_f32()?);
        let layers = (0..config.layers).map(|_| OnceLock::new()).collect();
        Ok(Self {
            checkpoint,
            layers,
            final_norm,
        })
    }

    pub(crate) fn final_norm(&self) -> &[f32] {
        &self.final_norm
    }

    /// The block's weights, widened on first use.
    pub(crate) fn layer(&self, config: &ModelConfig, layer: usize) -> Result<&LayerWeights> {
        let cell = &self.layers[layer];
        if let Some(weights) = cell.get() {
            return Ok(weights);
        }
        let weights = self.read_layer(config, layer)?;
        Ok(cell.get_or_init(|| weights))
    }

    fn read_layer(&self, config: &ModelConfig, layer: usize) -> Result<LayerWeights> {
        let get = |part: &str| -> Result<Vec<f32>> { Ok(self.checkpoint.get(&layer_tensor(layer, part))?.to_f32()?) };
        let d = config.hidden_size;
        let inner = config.intermediate_size;
        let kv = config.kv_heads * config.head_dim;
        Ok(LayerWeights {
            attn_in: plus_one(get("input_layernorm")?),
            attn_out: plus_one(get("post_attention_layernorm")?),
            mlp_in: plus_one(get("pre_feedforward_layernorm")?),
            mlp_out: plus_one(get("post_feedforward_layernorm")?),
            q: beside(&[&get("self_attn.q_proj")?], d),
            kv: beside(&[&get("self_attn.k_proj")?, &get("self_attn.v_proj")?], d),
            o: beside(&[&get("self_attn.o_proj")?], config.heads * config.head_dim),
            gate_up: beside(&[&get("mlp.gate_proj")?, &get("mlp.up_proj")?], d),
            down: beside(&[&get("mlp.down_proj")?], inner),
        })
        .inspect(|w: &LayerWeights| debug_assert_eq!(w.kv.len(), d * 2 * kv))
    }

    /// Rows of the embedding, `[ids, d_model]`, unscaled.
    pub(crate) fn embedding_rows(&self, config: &ModelConfig, ids: &[u32]) -> Result<Vec<f32>> {
        let rows: Vec<usize> = ids.iter().map(|&id| id as usize).collect();
        if let Some(bad) = rows.iter().find(|&&row| row >= config.vocab_size) {
            return Err(ModelError::Run(format!(
                "token id {bad} is outside the model's vocabulary of {}\nhint: the tokenizer and the model do not belong together",
                config.vocab_size
            )));
        }
        Ok(self.checkpoint.get(EMBEDDING)?.rows_f32(&rows)?)
    }
}

/// Gemma's norms multiply by `1 + w`.
pub(crate) fn plus_one(mut w: Vec<f32>) -> Vec<f32> {
    for value in &mut w {
        *value += 1.0;
    }
    w
}

/// Transposes `[out, input]` matrices and puts them beside each other: `[input, sum of outs]`.
fn beside(parts: &[&Vec<f32>], input: usize) -> Vec<f32> {
    const TILE: usize = 32;
    let width: usize = parts.iter().map(|part| part.len() / input).sum();
    let mut out = vec![0.0; width * input];
    let mut offset = 0;
    for part in parts {
        let outs = part.len() / input;
        // Tiles keep both the reads and the writes within a few cache lines.
        for row_tile in (0..outs).step_by(TILE) {
            for col_tile in (0..input).step_by(TILE) {
                for row in row_tile..(row_tile + TILE).min(outs) {
                    for col in col_tile..(col_tile + TILE).min(input) {
                        out[col * width + offset + row] = part[row * input + col];
                    }
                }
            }
        }
        offset += outs;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn beside_transposes_each_part() {
        // Two parts with two inputs: [[1, 2], [3, 4]] and [[5, 6]].
        let out = beside(&[&vec![1.0, 2.0, 3.0, 4.0], &vec![5.0, 6.0]], 2);
        assert_eq!(out, [1.0, 3.0, 5.0, 2.0, 4.0, 6.0]);
    }
}
