//! Gemma-2 and Gemma-3: norms around every part, soft caps, alternating windows.

use kernels::Activation;
use serde_json::Value;

use super::fields::Fields;
use super::{Biases, Layout, ModelConfig, Norm, Positions, Rope, Scaling, Window, rope};
use crate::error::Result;

/// What `transformers` takes for fields that the text part of a published multi-modal Gemma-3 file leaves out.
struct Defaults {
    vocab: Option<usize>,
    heads: Option<usize>,
    kv_heads: Option<usize>,
    head_dim: Option<usize>,
    scalar: Option<f64>,
    eps: Option<f64>,
    window: usize,
    bos: Option<u32>,
}

const NONE: Defaults = Defaults {
    vocab: None,
    heads: None,
    kv_heads: None,
    head_dim: None,
    scalar: None,
    eps: None,
    window: 4096,
    bos: None,
};

/// `Gemma3TextConfig` of `transformers` 4.57.
const GEMMA3_TEXT: Defaults = Defaults {
    vocab: Some(262_208),
    heads: Some(8),
    kv_heads: Some(4),
    head_dim: Some(256),
    scalar: Some(256.0),
    eps: Some(1e-6),
    window: 4096,
    bos: Some(2),
};

/// Gemma-2.
pub(super) fn gemma2(fields: &mut Fields<'_>, family: String) -> Result<ModelConfig> {
    let mut config = common(fields, family, &NONE)?;
    let rope = rope::read(fields, config.head_dim, 10_000.0)?;
    config.ropes = vec![rope];
    config.rope_of = vec![0; config.layers];
    Ok(config)
}

/// The text part of Gemma-3; `nested` where it stood inside a multi-modal file.
pub(super) fn gemma3(fields: &mut Fields<'_>, family: String, nested: bool) -> Result<ModelConfig> {
    let defaults = if nested { &GEMMA3_TEXT } else { &NONE };
    let mut config = common(fields, family, defaults)?;
    config.qk_norm = true;
    let dims = config.head_dim;
    let by_kind = fields.take("rope_parameters").filter(|value| !value.is_null());
    let (full, local) = if let Some(value) = by_kind {
        fields.ignore("rope_theta", "`rope_parameters` says it");
        fields.ignore("rope_scaling", "`rope_parameters` says it");
        fields.ignore("rope_local_base_freq", "`rope_parameters` says it");
        let part = |kind: &str, theta: f64| match value.get(kind) {
            Some(part) => rope::from_parameters(fields, "rope_parameters", part, dims, theta),
            None => Err(fields.error("rope_parameters", &format!("has no `{kind}`"))),
        };
        (part("full_attention", 1e6)?, part("sliding_attention", 1e4)?)
    } else {
        let full = rope::read(fields, dims, 1e6)?;
        let local = Rope {
            dims,
            theta: fields.optional_number("rope_local_base_freq")?.unwrap_or(1e4),
            scaling: Scaling::None,
        };
        (full, local)
    };
    config.ropes = vec![full, local];
    config.rope_of = config
        .windows
        .iter()
        .map(|window| usize::from(*window != Window::Full))
        .collect();
    Ok(config)
}

fn common(fields: &mut Fields<'_>, family: String, defaults: &Defaults) -> Result<ModelConfig> {
    let layers = super::families::layer_count(fields, "num_hidden_layers")?;
    let heads = fields.size_or("num_attention_heads", defaults.heads)?;
    let activation = fields.take("hidden_activation").unwrap_or(Value::Null);
    // Older Gemma-2 files leave it null, which means the tanh approximation for this family.
    if !(activation.is_null() || activation == "gelu_pytorch_tanh") {
        let reason = format!("{activation} is not implemented; expected `gelu_pytorch_tanh`");
        return Err(fields.error("hidden_activation", &reason));
    }
    // Written `gelu` by early files of the family, where `hidden_activation` is what counts.
    fields.ignore("hidden_act", "`hidden_activation` is what this family uses");
    fields.refuse_unless("attention_bias", &Value::Bool(false))?;
    fields.refuse_unless("tie_word_embeddings", &Value::Bool(true))?;
    fields.refuse_unless("use_bidirectional_attention", &Value::Bool(false))?;
    let sliding = fields.optional_size("sliding_window")?.unwrap_or(defaults.window);
    // An alias that some published files carry beside the field.
    fields.ignore("sliding_window_size", "alias of `sliding_window`");
    let hidden_size = fields.size("hidden_size")?;
    let pattern = match family.as_str() {
        "gemma2" => 2,
        // Every sixth layer sees everything, unless the file says otherwise.
        _ => fields.optional_size("sliding_window_pattern")?.unwrap_or(6).max(1),
    };
    let alternate = |layer: usize| {
        if (layer + 1).is_multiple_of(pattern) {
            Window::Full
        } else {
            Window::Sliding(sliding)
        }
    };
    let scalar = fields.optional_number("query_pre_attn_scalar")?.or(defaults.scalar);
    let eps = fields.optional_number("rms_norm_eps")?.or(defaults.eps);
    Ok(ModelConfig {
        family,
        vocab_size: fields.size_or("vocab_size", defaults.vocab)?,
        hidden_size,
        intermediate_size: fields.size("intermediate_size")?,
        layers,
        heads,
        kv_heads: fields.size_or("num_key_value_heads", defaults.kv_heads.or(Some(heads)))?,
        head_dim: fields.size_or("head_dim", defaults.head_dim)?,
        query_pre_attn_scalar: scalar.ok_or_else(|| fields.error("query_pre_attn_scalar", "is missing"))?,
        attn_softcap: fields.optional_number("attn_logit_softcapping")?,
        final_softcap: fields.optional_number("final_logit_softcapping")?,
        norm: Norm::RmsPlusOne,
        norm_eps: eps.ok_or_else(|| fields.error("rms_norm_eps", "is missing"))?,
        post_norms: true,
        qk_norm: false,
        parallel: false,
        activation: Activation::GeluTanh,
        gated: true,
        biases: Biases::default(),
        positions: Positions::Rotary,
        ropes: Vec::new(),
        rope_of: Vec::new(),
        windows: super::families::windows(fields, layers, Some(sliding), alternate)?,
        embedding_scale: (hidden_size as f64).sqrt(),
        tied: true,
        layout: Layout::Llama,
        bos_token_id: fields.bos()?.or(defaults.bos),
    })
}
