//! Checkpoints with true shapes and random weights: speed and memory do not depend on the values.
//!
//! Tensors are drawn and written a block at a time, so that a checkpoint of any size is written in
//! bounded memory. Deliberately absent: any claim about what such a model computes.

use std::io::{BufWriter, Write};
use std::path::Path;

use checkpoint::write::{atomic, f32_to_bf16_bytes};
use model_runner::{ModelConfig, tensor_shapes};
use rand::Rng;
use sae::{Architecture, Metadata, Normalization, Output, Reshape, Sae, SaeConfig, StoredDtype, Weights};
use serde_json::{Map, Value, json};

/// Spread of weights in a freshly initialised Gemma-2.
const INITIALIZER_RANGE: f32 = 0.02;
/// Values that are drawn at a time.
const BLOCK: usize = 1 << 20;
/// Bytes of a stored bf16.
const BF16: u64 = 2;

/// A Gemma-2 checkpoint to be drawn.
#[derive(Clone, Debug)]
pub struct RandomModel {
    /// Blocks.
    pub layers: usize,
    /// Tokens of the embedding.
    pub vocab_size: usize,
    /// Largest shard in bytes; one tensor may be larger.
    pub shard_bytes: u64,
}

impl RandomModel {
    /// The shape of the 2-billion-parameter Gemma-2: 26 layers, 256,000 tokens, 5.2 GB.
    #[must_use]
    pub fn gemma2_2b() -> Self {
        Self {
            layers: 26,
            vocab_size: 256_000,
            shard_bytes: 2_500_000_000,
        }
    }

    /// The configuration as the published files have it.
    #[must_use]
    pub fn config(&self) -> Value {
        json!({
            "architectures": ["Gemma2ForCausalLM"],
            "attention_bias": false,
            "attention_dropout": 0.0,
            "attn_logit_softcapping": 50.0,
            "bos_token_id": 2,
            "cache_implementation": "hybrid",
            "eos_token_id": 1,
            "final_logit_softcapping": 30.0,
            "head_dim": 256,
            "hidden_act": "gelu_pytorch_tanh",
            "hidden_activation": "gelu_pytorch_tanh",
            "hidden_size": 2304,
            "initializer_range": INITIALIZER_RANGE,
            "intermediate_size": 9216,
            "max_position_embeddings": 8192,
            "model_type": "gemma2",
            "num_attention_heads": 8,
            "num_hidden_layers": self.layers,
            "num_key_value_heads": 4,
            "pad_token_id": 0,
            "query_pre_attn_scalar": 256,
            "rms_norm_eps": 1e-6,
            "rope_theta": 10000.0,
            "sliding_window": 4096,
            "torch_dtype": "bfloat16",
            "use_cache": true,
            "vocab_size": self.vocab_size,
        })
    }

    /// Writes configuration, shards and index to `folder`; returns the bytes of all tensors.
    ///
    /// # Errors
    /// A file cannot be written.
    pub fn write(&self, folder: &Path) -> anyhow::Result<u64> {
        fs_err::create_dir_all(folder)?;
        let config = self.config();
        let parsed = ModelConfig::from_json(&folder.join("config.json"), &config)?;
        let shards = self.shards(tensor_shapes(&parsed));
        let mut weight_map = Map::new();
        for (at, shard) in shards.iter().enumerate() {
            let name = format!("model-{:05}-of-{:05}.safetensors", at + 1, shards.len());
            write_shard(&folder.join(&name), shard)?;
            weight_map.extend(shard.iter().map(|(tensor, _)| (tensor.clone(), json!(name))));
        }
        let total = shards.iter().flatten().map(bytes_of).sum();
        let index = json!({ "metadata": { "total_size": total }, "weight_map": weight_map });
        atomic(
            &folder.join("model.safetensors.index.json"),
            format!("{index:#}\n").as_bytes(),
        )?;
        // The configuration comes last: a folder with one is complete.
        atomic(&folder.join("config.json"), format!("{config:#}\n").as_bytes())?;
        Ok(total)
    }

    /// Tensors in order, a new shard where the next one would not fit.
    fn shards(&self, tensors: Vec<Tensor>) -> Vec<Vec<Tensor>> {
        let mut shards: Vec<Vec<Tensor>> = Vec::new();
        let mut used = 0;
        for tensor in tensors {
            let bytes = bytes_of(&tensor);
            if shards.is_empty() || used + bytes > self.shard_bytes {
                shards.push(Vec::new());
                used = 0;
            }
            used += bytes;
            if let Some(shard) = shards.last_mut() {
                shard.push(tensor);
            }
        }
        shards
    }
}

/// Name and shape.
type Tensor = (String, Vec<usize>);

fn bytes_of((_, shape): &Tensor) -> u64 {
    shape.iter().product::<usize>() as u64 * BF16
}

fn write_shard(path: &Path, tensors: &[Tensor]) -> anyhow::Result<()> {
    let mut header = Map::from_iter([("__metadata__".to_owned(), json!({ "format": "pt" }))]);
    let mut offset = 0;
    for tensor in tensors {
        let end = offset + bytes_of(tensor);
        header.insert(
            tensor.0.clone(),
            json!({ "dtype": "BF16", "shape": tensor.1, "data_offsets": [offset, end] }),
        );
        offset = end;
    }
    let mut header = Value::Object(header).to_string().into_bytes();
    header.resize(header.len().next_multiple_of(8), b' ');
    let mut out = BufWriter::with_capacity(1 << 20, fs_err::File::create(path)?);
    out.write_all(&(header.len() as u64).to_le_bytes())?;
    out.write_all(&header)?;
    for (name, shape) in tensors {
        let mut rng = stats::seed::rng(0, &format!("benches/weights/{name}"));
        let mut left: usize = shape.iter().product();
        while left > 0 {
            let values = uniform(&mut rng, left.min(BLOCK), INITIALIZER_RANGE);
            out.write_all(&f32_to_bf16_bytes(&values))?;
            left -= values.len();
        }
    }
    out.flush()?;
    Ok(())
}

/// Uniform values with mean 0 and the given standard deviation.
fn uniform(rng: &mut impl Rng, n: usize, sd: f32) -> Vec<f32> {
    let mut bytes = vec![0; 2 * n];
    rng.fill_bytes(&mut bytes);
    let half_width = sd * 3f32.sqrt();
    let draw = |b: &[u8; 2]| (f32::from(u16::from_le_bytes(*b)) / 32_767.5 - 1.0) * half_width;
    bytes.as_chunks::<2>().0.iter().map(draw).collect()
}

/// A top-k autoencoder to be drawn.
#[derive(Clone, Copy, Debug)]
pub struct RandomSae {
    /// Width of the stream.
    pub d_in: usize,
    /// Latents.
    pub d_sae: usize,
    /// Latents per row. Top-k, because random thresholds would make either all latents fire or none.
    pub k: usize,
    /// The layer whose `hook_resid_post` it claims to have been trained on.
    pub layer: usize,
    /// Which of many.
    pub seed: u64,
}

impl RandomSae {
    /// Writes it to `folder` in the `SAELens` 6 layout, bf16, with unit decoder rows up to chance.
    ///
    /// # Errors
    /// `k` is 0 or above `d_sae`, or a file cannot be written.
    pub fn write(&self, folder: &Path) -> anyhow::Result<()> {
        let Self {
            d_in,
            d_sae,
            k,
            layer,
            seed,
        } = *self;
        let w_dec = uniform(
            &mut stats::seed::rng(seed, "benches/sae"),
            d_in * d_sae,
            (d_in as f32).sqrt().recip(),
        );
        let mut w_enc = vec![0.0; d_in * d_sae];
        for (latent, row) in w_dec.chunks_exact(d_in).enumerate() {
            for (at, &value) in row.iter().enumerate() {
                w_enc[at * d_sae + latent] = value;
            }
        }
        let config = SaeConfig {
            d_in,
            d_sae,
            architecture: Architecture::TopK {
                k,
                rescale_acts_by_decoder_norm: false,
            },
            apply_b_dec_to_input: true,
            normalize_activations: Normalization::None,
            reshape_activations: Reshape::None,
            output: Output::autoencoder(d_in),
            metadata: Metadata::new().with("hook_name", format!("blocks.{layer}.hook_resid_post")),
        };
        let weights = Weights {
            w_enc,
            b_enc: vec![0.0; d_sae],
            w_dec,
            b_dec: vec![0.0; d_in],
            ..Weights::default()
        };
        Ok(Sae::new(config, weights)?.save(folder, StoredDtype::Bf16)?)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn shards_hold_every_tensor_once_and_none_outgrows_the_limit() {
        let model = RandomModel::gemma2_2b();
        let config = ModelConfig::from_json(Path::new("config.json"), &model.config()).unwrap();
        let tensors = tensor_shapes(&config);
        let shards = model.shards(tensors.clone());
        assert!(shards.len() >= 2);
        assert!(
            shards
                .iter()
                .all(|shard| shard.iter().map(bytes_of).sum::<u64>() <= model.shard_bytes)
        );
        let together: BTreeMap<_, _> = shards.into_iter().flatten().collect();
        assert_eq!(together, tensors.into_iter().collect());
    }

    #[test]
    fn draws_have_the_asked_spread() {
        let values = uniform(&mut stats::seed::rng(0, "test"), 100_000, 0.5);
        let mean = values.iter().sum::<f32>() / 1e5;
        let square = values.iter().map(|v| v * v).sum::<f32>() / 1e5;
        assert!(mean.abs() < 0.01 && (square.sqrt() - 0.5).abs() < 0.01);
    }
}
