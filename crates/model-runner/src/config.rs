//! What a checkpoint's own `config.json` says about its architecture.
//!
//! Every field is either used, known to be irrelevant to inference, or an error that names it: a
//! field that we do not implement must not become a guess. Deliberately absent: defaults of
//! `transformers` for fields that change the arithmetic; where a field may be missing, the
//! default is written here beside the field.

use std::path::Path;

use serde_json::{Map, Value};

use crate::error::{ModelError, Result};

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

/// The architecture of a Gemma-2 model, read from `config.json`.
#[derive(Clone, Debug, PartialEq)]
pub struct ModelConfig {
    /// `model_type`, `gemma2` for now.
    pub family: String,
    /// Token count of the embedding.
    pub vocab_size: usize,
    /// Width of the residual stream, `d_model`.
    pub hidden_size: usize,
    /// Inner width of the gated MLP.
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
    /// Added to the mean square in every RMS norm.
    pub rms_eps: f64,
    /// Base of the rotary frequencies.
    pub rope_theta: f64,
    /// What each layer sees, `[layers]`.
    pub windows: Vec<Window>,
    /// Id of the token that starts every prompt, where the model wants one.
    pub bos_token_id: Option<u32>,
}

/// Fields that `transformers` writes and that change nothing in an inference pass.
const IRRELEVANT: &[&str] = &[
    "_name_or_path",
    "architectures",
    "attention_dropout",
    "cache_implementation",
    "dtype",
    "eos_token_id",
    "hidden_act",
    "initializer_range",
    "max_position_embeddings",
    "pad_token_id",
    "torch_dtype",
    "transformers_version",
    "unsloth_fixed",
    "use_cache",
];

impl ModelConfig {
    /// Reads `config.json`.
    ///
    /// # Errors
    /// The file is missing or no JSON, the family is unknown, or a field is missing, mistyped or
    /// not implemented.
    pub fn read(path: &Path) -> Result<Self> {
        let value: Value = checkpoint::read_json(path)?;
        Self::from_json(path, &value)
    }

    /// Reads an already parsed `config.json`; `path` is for messages only.
    ///
    /// # Errors
    /// As [`ModelConfig::read`].
    pub fn from_json(path: &Path, value: &Value) -> Result<Self> {
        let Some(object) = value.as_object() else {
            return Err(config_error(path, "(whole file)", "is not a JSON object"));
        };
        let mut fields = Fields {
            path,
            rest: object.clone(),
        };
        let family = fields.string("model_type")?;
        if family != "gemma2" {
            return Err(ModelError::UnknownFamily {
                file: path.to_owned(),
                found: family,
                known: "gemma2".to_owned(),
            });
        }
        let config = Self::gemma2(&mut fields, family)?;
        fields.finish()?;
        config.check(path)?;
        Ok(config)
    }

    fn gemma2(fields: &mut Fields<'_>, family: String) -> Result<Self> {
        let layers = fields.size("num_hidden_layers")?;
        let heads = fields.size("num_attention_heads")?;
        let activation = fields.take("hidden_activation").unwrap_or(Value::Null);
        // Older Gemma-2 files leave it null, which means the tanh approximation for this family.
        if !(activation.is_null() || activation == "gelu_pytorch_tanh") {
            let reason = format!("{activation} is not implemented; expected `gelu_pytorch_tanh`");
            return Err(config_error(fields.path, "hidden_activation", &reason));
        }
        fields.refuse_unless("attention_bias", &Value::Bool(false))?;
        fields.refuse_unless("tie_word_embeddings", &Value::Bool(true))?;
        fields.refuse_unless("use_bidirectional_attention", &Value::Bool(false))?;
        fields.refuse_unless("rope_scaling", &Value::Null)?;
        let sliding = fields.optional_size("sliding_window")?.unwrap_or(4096);
        // `sliding_window_size` is an alias that some published files carry beside the field.
        fields.take("sliding_window_size");
        Ok(Self {
            family,
            vocab_size: fields.size("vocab_size")?,
            hidden_size: fields.size("hidden_size")?,
            intermediate_size: fields.size("intermediate_size")?,
            layers,
            heads,
            kv_heads: fields.optional_size("num_key_value_heads")?.unwrap_or(heads),
            head_dim: fields.size("head_dim")?,
            query_pre_attn_scalar: fields.number("query_pre_attn_scalar")?,
            attn_softcap: fields.optional_number("attn_logit_softcapping")?,
            final_softcap: fields.optional_number("final_logit_softcapping")?,
            rms_eps: fields.number("rms_norm_eps")?,
            rope_theta: fields.rope_theta()?,
            windows: fields.windows(layers, sliding)?,
            bos_token_id: fields.optional_size("bos_token_id")?.map(|id| id as u32),
        })
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
        if !self.head_dim.is_multiple_of(2) {
            return Err(config_error(path, "head_dim", "must be even for rotary positions"));
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
        (self.hidden_size as f64).sqrt() as f32
    }

    /// The same architecture as `config.json` text, as `transformers` would read it.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let kinds: Vec<&str> = self
            .windows
            .iter()
            .map(|w| {
                if *w == Window::Full {
                    "full_attention"
                } else {
                    "sliding_attention"
                }
            })
            .collect();
        let sliding = self.windows.iter().find_map(|w| match w {
            Window::Sliding(n) => Some(*n),
            Window::Full => None,
        });
        serde_json::json!({
            "architectures": ["Gemma2ForCausalLM"],
            "attention_bias": false,
            "attention_dropout": 0.0,
            "attn_logit_softcapping": self.attn_softcap,
            "bos_token_id": self.bos_token_id,
            "dtype": "bfloat16",
            "eos_token_id": 1,
            "final_logit_softcapping": self.final_softcap,
            "head_dim": self.head_dim,
            "hidden_activation": "gelu_pytorch_tanh",
            "hidden_size": self.hidden_size,
            "intermediate_size": self.intermediate_size,
            "layer_types": kinds,
            "max_position_embeddings": 512,
            "model_type": self.family,
            "num_attention_heads": self.heads,
            "num_hidden_layers": self.layers,
            "num_key_value_heads": self.kv_heads,
            "pad_token_id": 0,
            "query_pre_attn_scalar": self.query_pre_attn_scalar,
            "rms_norm_eps": self.rms_eps,
            "rope_theta": self.rope_theta,
            "sliding_window": sliding.unwrap_or(4096),
            "tie_word_embeddings": true,
            "vocab_size": self.vocab_size,
        })
    }
}

fn config_error(path: &Path, field: &str, reason: &str) -> ModelError {
    ModelError::Config {
        file: path.to_owned(),
        field: field.to_owned(),
        reason: reason.to_owned(),
    }
}

/// The fields not yet consumed; what is left at the end must be known to be irrelevant.
struct Fields<'a> {
    path: &'a Path,
    rest: Map<String, Value>,
}

impl Fields<'_> {
    fn take(&mut self, field: &str) -> Option<Value> {
        self.rest.shift_remove(field)
    }

    fn error(&self, field: &str, reason: &str) -> ModelError {
        config_error(self.path, field, reason)
    }

    fn string(&mut self, field: &str) -> Result<String> {
        match self.take(field) {
            Some(Value::String(text)) => Ok(text),
            Some(other) => Err(self.error(field, &format!("expected a string, found {other}"))),
            None => Err(self.error(field, "is missing")),
        }
    }

    fn optional_size(&mut self, field: &str) -> Result<Option<usize>> {
        match self.take(field) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => match value.as_u64().and_then(|n| usize::try_from(n).ok()) {
                Some(n) => Ok(Some(n)),
                None => Err(self.error(field, &format!("expected a whole number, found {value}"))),
            },
        }
    }

    fn size(&mut self, field: &str) -> Result<usize> {
        self.optional_size(field)?
            .ok_or_else(|| self.error(field, "is missing"))
    }

    fn optional_number(&mut self, field: &str) -> Result<Option<f64>> {
        match self.take(field) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => match value.as_f64().filter(|n| n.is_finite() && *n > 0.0) {
                Some(n) => Ok(Some(n)),
                None => Err(self.error(field, &format!("expected a positive number, found {value}"))),
            },
        }
    }

    fn number(&mut self, field: &str) -> Result<f64> {
        self.optional_number(field)?
            .ok_or_else(|| self.error(field, "is missing"))
    }

    fn refuse_unless(&mut self, field: &str, expected: &Value) -> Result<()> {
        match self.take(field) {
            None | Some(Value::Null) => Ok(()),
            Some(found) if found == *expected => Ok(()),
            Some(found) => Err(self.error(field, &format!("{found} is not implemented; expected {expected}"))),
        }
    }

    /// `rope_theta`, or the `rope_parameters` object of newer files.
    fn rope_theta(&mut self) -> Result<f64> {
        if let Some(value) = self.take("rope_parameters") {
            let kind = value.get("rope_type").and_then(Value::as_str).unwrap_or("default");
            if kind != "default" {
                let reason = format!("`rope_type` `{kind}` is not implemented; expected `default`");
                return Err(self.error("rope_parameters", &reason));
            }
            let theta = value.get("rope_theta").and_then(Value::as_f64);
            self.take("rope_theta");
            return theta.ok_or_else(|| self.error("rope_parameters", "has no number `rope_theta`"));
        }
        Ok(self.optional_number("rope_theta")?.unwrap_or(10_000.0))
    }

    /// `layer_types`, or Gemma-2's alternation that starts with a sliding layer.
    fn windows(&mut self, layers: usize, sliding: usize) -> Result<Vec<Window>> {
        if sliding == 0 {
            return Err(self.error("sliding_window", "must be at least 1"));
        }
        let Some(value) = self.take("layer_types") else {
            let alternate = |layer: usize| match layer % 2 {
                0 => Window::Sliding(sliding),
                _ => Window::Full,
            };
            return Ok((0..layers).map(alternate).collect());
        };
        let kinds = value.as_array().cloned().unwrap_or_default();
        if kinds.len() != layers {
            let reason = format!("has {} entries for {layers} layers", kinds.len());
            return Err(self.error("layer_types", &reason));
        }
        kinds
            .iter()
            .map(|kind| match kind.as_str() {
                Some("full_attention") => Ok(Window::Full),
                Some("sliding_attention") => Ok(Window::Sliding(sliding)),
                _ => Err(self.error("layer_types", &format!("{kind} is not implemented"))),
            })
            .collect()
    }

    fn finish(self) -> Result<()> {
        for (field, value) in &self.rest {
            if !IRRELEVANT.contains(&field.as_str()) {
                let reason = format!("{value} is not implemented for this family");
                return Err(config_error(self.path, field, &reason));
            }
        }
        Ok(())
    }
}
