//! The recipe of the embedded model: one JSON file that names every number.

use std::path::Path;

use anyhow::Context;
use model_runner::train::{LmSettings, TokenizerPlan};
use model_runner::{ModelConfig, Window};
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

    pub(crate) fn config(&self, vocab_size: usize) -> ModelConfig {
        let shape = &self.architecture;
        ModelConfig {
            family: "gemma2".to_owned(),
            vocab_size,
            hidden_size: shape.hidden_size,
            intermediate_size: shape.intermediate_size,
            layers: shape.windows.len(),
            heads: shape.heads,
            kv_heads: shape.kv_heads,
            head_dim: shape.head_dim,
            query_pre_attn_scalar: shape.head_dim as f64,
            attn_softcap: Some(50.0),
            final_softcap: Some(30.0),
            rms_eps: 1e-6,
            rope_theta: 10_000.0,
            windows: shape
                .windows
                .iter()
                .map(|&n| if n == 0 { Window::Full } else { Window::Sliding(n) })
                .collect(),
            bos_token_id: Some(2),
        }
    }
}
