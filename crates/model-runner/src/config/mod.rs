//! What a checkpoint's own `config.json` says about its architecture.
//!
//! One transformer with parts chosen here: norms, rotary positions, windows, gates, biases, parallel blocks. Every field is
//! used, known to be irrelevant to inference (with the reason), or an error that names it: a field that we do not implement
//! must not become a guess. Deliberately absent: defaults of `transformers` for fields that change the arithmetic; where a field
//! may be missing, the default is written in [`families`] beside the field.

mod families;
mod fields;
mod gemma;
mod rope;

use std::path::Path;

use kernels::Activation;
use serde_json::Value;

pub use fields::{FieldUse, Verdict};
pub use rope::{Rope, Scaling};

use crate::error::Result;
use fields::{Fields, config_error};

/// What a query of one layer may look at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Window {
    /// All positions up to its own.
    Full,
    /// Its own position and the `n - 1` before it.
    Sliding(usize),
}

impl Window {
    /// First key position that the query at `position` sees.
    #[must_use]
    pub fn first_key(self, position: usize) -> usize {
        match self {
            Self::Full => 0,
            Self::Sliding(n) => (position + 1).saturating_sub(n),
        }
    }
}

/// The norm of a block's inputs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Norm {
    /// `x / rms(x) * w`.
    Rms,
    /// `x / rms(x) * (1 + w)`, Gemma's.
    RmsPlusOne,
    /// `(x - mean) / std * w + b`.
    Layer,
}

/// Where positions enter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Positions {
    /// Queries and keys are rotated.
    Rotary,
    /// A learned vector per position is added to the embedding; so many there are.
    Learned(usize),
}

/// How the checkpoint names and packs its tensors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// `model.layers.N.self_attn.q_proj`, ...: Llama, Gemma, Qwen, Mistral.
    Llama,
    /// `gpt_neox.layers.N.attention.query_key_value`, heads interleaved.
    NeoX,
    /// `h.N.attn.c_attn`, stored `[in, out]`.
    Gpt2,
}

/// Which projections have a bias vector.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Biases {
    /// Queries, keys and values.
    pub qkv: bool,
    /// The attention output.
    pub o: bool,
    /// The MLP's projections.
    pub mlp: bool,
}

/// The architecture of a model, read from `config.json`.
#[expect(clippy::struct_excessive_bools, reason = "parts that an architecture has or has not")]
#[derive(Clone, Debug, PartialEq)]
pub struct ModelConfig {
    /// `model_type`.
    pub family: String,
    /// Token count of the embedding.
    pub vocab_size: usize,
    /// Width of the residual stream, `d_model`.
    pub hidden_size: usize,
    /// Inner width of the MLP.
    pub intermediate_size: usize,
    /// Number of blocks.
    pub layers: usize,
    /// Query heads.
    pub heads: usize,
    /// Key and value heads; divides `heads`.
    pub kv_heads: usize,
    /// Width of one head.
    pub head_dim: usize,
    /// Queries are divided by the square root of this.
    pub query_pre_attn_scalar: f64,
    /// Attention scores become `cap * tanh(score / cap)`.
    pub attn_softcap: Option<f64>,
    /// Logits become `cap * tanh(logit / cap)`.
    pub final_softcap: Option<f64>,
    /// The norm before attention, before the MLP and at the end.
    pub norm: Norm,
    /// Added to the mean square in every norm.
    pub norm_eps: f64,
    /// Whether what attention and MLP add is normalised too.
    pub post_norms: bool,
    /// Whether each head's query and key are RMS-normalised before they are rotated.
    pub qk_norm: bool,
    /// Whether attention and MLP read the same stream (no `resid_mid` then).
    pub parallel: bool,
    /// The MLP's nonlinearity.
    pub activation: Activation,
    /// Whether the MLP is `down(f(gate) * up)` rather than `down(f(up))`.
    pub gated: bool,
    /// Which projections have biases.
    pub biases: Biases,
    /// Where positions enter.
    pub positions: Positions,
    /// The distinct rotary tables; empty for learned positions.
    pub ropes: Vec<Rope>,
    /// Which table each layer uses, `[layers]` (all 0 where there is one).
    pub rope_of: Vec<usize>,
    /// What each layer sees, `[layers]`.
    pub windows: Vec<Window>,
    /// Factor on the embedding.
    pub embedding_scale: f64,
    /// Whether the unembedding is the embedding.
    pub tied: bool,
    /// How the checkpoint names its tensors.
    pub layout: Layout,
    /// Id of the token that starts every prompt, where the model wants one.
    pub bos_token_id: Option<u32>,
}

impl ModelConfig {
    /// Reads `config.json`.
    ///
    /// # Errors
    /// The file is missing or no JSON, the family is unknown, or a field is missing, mistyped or
    /// not implemented.
    pub fn read(path: &Path) -> Result<Self> {
        Ok(Self::read_with_fields(path)?.0)
    }

    /// Reads `config.json` and says what became of each of its fields, in file order.
    ///
    /// # Errors
    /// As [`ModelConfig::read`].
    pub fn read_with_fields(path: &Path) -> Result<(Self, Vec<FieldUse>)> {
        let value: Value = checkpoint::read_json(path)?;
        Self::parse(path, &value)
    }

    /// Reads an already parsed `config.json`; `path` is for messages only.
    ///
    /// # Errors
    /// As [`ModelConfig::read`].
    pub fn from_json(path: &Path, value: &Value) -> Result<Self> {
        Ok(Self::parse(path, value)?.0)
    }

    fn parse(path: &Path, value: &Value) -> Result<(Self, Vec<FieldUse>)> {
        let Some(object) = value.as_object() else {
            return Err(config_error(path, "(whole file)", "is not a JSON object"));
        };
        let mut fields = Fields::new(path, object.clone());
        let family = fields.string("model_type")?;
        let config = families::read(&mut fields, family)?;
        let report = fields.finish()?;
        config.check(path)?;
        Ok((config, report))
    }

    fn check(&self, path: &Path) -> Result<()> {
        let sizes = [
            ("vocab_size", self.vocab_size),
            ("hidden_size", self.hidden_size),
            ("intermediate_size", self.intermediate_size),
            ("num_hidden_layers", self.layers),
            ("num_attention_heads", self.heads),
            ("num_key_value_heads", self.kv_heads),
            ("head_dim", self.head_dim),
        ];
        for (field, size) in sizes {
            if size == 0 || size > 1 << 24 {
                let reason = format!("{size} is outside 1..=16777216");
                return Err(config_error(path, field, &reason));
            }
        }
        if !self.heads.is_multiple_of(self.kv_heads) {
            let reason = format!("{} does not divide {} heads", self.kv_heads, self.heads);
            return Err(config_error(path, "num_key_value_heads", &reason));
        }
        if let Some(rope) = self
            .ropes
            .iter()
            .find(|rope| !rope.dims.is_multiple_of(2) || rope.dims == 0 || rope.dims > self.head_dim)
        {
            let reason = format!("{} dimensions cannot be rotated; an even number is needed", rope.dims);
            return Err(config_error(path, "head_dim", &reason));
        }
        Ok(())
    }

    /// Query heads that share one key head.
    #[must_use]
    pub fn group(&self) -> usize {
        self.heads / self.kv_heads
    }

    /// Factor on `q . k`.
    #[must_use]
    pub fn query_scale(&self) -> f32 {
        self.query_pre_attn_scalar.powf(-0.5) as f32
    }

    /// Factor on the embedding. `transformers` rounds it to the weights' dtype; in f32 that is exact.
    #[must_use]
    pub fn embedding_scale(&self) -> f32 {
        self.embedding_scale as f32
    }

    /// Longest prompt, in tokens, where the architecture itself sets a limit.
    #[must_use]
    pub fn position_limit(&self) -> Option<usize> {
        match self.positions {
            Positions::Rotary => None,
            Positions::Learned(n) => Some(n),
        }
    }
}
