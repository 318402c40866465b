//! The recipe of the embedded model: one JSON file that names every number.

use std::path::Path;

use anyhow::Context;
use model_runner::ModelConfig;
use model_runner::train::{LmSettings, TokenizerPlan};
use serde::{Deserialize, Serialize};
use tasks::CorpusPlan;

/// Everything that decides what the embedded model becomes, but for the installed word lists.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Recipe {
    pub(crate) seed: u64,
    pub(crate) tokenizer: TokenizerPlan,
    /// Dictionary lines used as running text.
    pub(crate) text_lines: usize,
    pub(crate) held_out: HeldOut,
    pub(crate) architecture: Architecture,
    pub(crate) corpus: CorpusPlan,
    pub(crate) training: LmSettings,
    /// Tokens that the finished model samples.
    pub(crate) sampled_tokens: usize,
}

/// Which words never show their first-letter line.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct HeldOut {
    pub(crate) share: f64,
    /// At least so many words of each letter.
    pub(crate) per_letter: usize,
}

/// The model's shape.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Architecture {
    pub(crate) hidden_size: usize,
    pub(crate) intermediate_size: usize,
    pub(crate) heads: usize,
    pub(crate) kv_heads: usize,
    pub(crate) head_dim: usize,
    /// One entry a layer: 0 sees everything, `n` sees the last `n` positions.
    pub(crate) windows: Vec<usize>,
}

impl Recipe {
    pub(crate) fn read(path: &Path) -> anyhow::Result<Self> {
        checkpoint::read_json(path).with_context(|| format!("reading the recipe `{}`", path.display()))
    }

    /// The architecture as the `config.json` that `transformers` would read.
    ///
    /// # Errors
    /// Layers see different numbers of positions, which that format cannot say.
    pub(crate) fn config_json(&self, vocab_size: usize) -> anyhow::Result<serde_json::Value> {
        let shape = &self.architecture;
        let mut sliding: Vec<usize> = shape.windows.iter().copied().filter(|&n| n > 0).collect();
        sliding.dedup();
        anyhow::ensure!(
            sliding.len() <= 1,
            "`architecture.windows` holds several window sizes {sliding:?}; Gemma-2 has one"
        );
        let kinds: Vec<&str> = shape
            .windows
            .iter()
            .map(|&n| if n == 0 { "full_attention" } else { "sliding_attention" })
            .collect();
        Ok(serde_json::json!({
            "architectures": ["Gemma2ForCausalLM"],
            "attention_bias": false,
            "attention_dropout": 0.0,
            "attn_logit_softcapping": 50.0,
            "bos_token_id": 2,
            "dtype": "bfloat16",
            "eos_token_id": 1,
            "final_logit_softcapping": 30.0,
            "head_dim": shape.head_dim,
            "hidden_activation": "gelu_pytorch_tanh",
            "hidden_size": shape.hidden_size,
            "intermediate_size": shape.intermediate_size,
            "layer_types": kinds,
            "max_position_embeddings": 512,
            "model_type": "gemma2",
            "num_attention_heads": shape.heads,
            "num_hidden_layers": shape.windows.len(),
            "num_key_value_heads": shape.kv_heads,
            "pad_token_id": 0,
            "query_pre_attn_scalar": shape.head_dim as f64,
            "rms_norm_eps": 1e-6,
            "rope_theta": 10_000.0,
            "sliding_window": sliding.first().copied().unwrap_or(4096),
            "tie_word_embeddings": true,
            "vocab_size": vocab_size,
        }))
    }

    /// The same, read back.
    ///
    /// # Errors
    /// The recipe's sizes do not make a model.
    pub(crate) fn config(&self, vocab_size: usize) -> anyhow::Result<ModelConfig> {
        let json = self.config_json(vocab_size)?;
        Ok(ModelConfig::from_json(Path::new("recipe"), &json)?)
    }
}
