//! Each family's fields, read into the one architecture.

use kernels::Activation;
use serde_json::Value;

use super::fields::Fields;
use super::{Biases, Layout, ModelConfig, Norm, Positions, Window, gemma, rope};
use crate::error::{ModelError, Result};

/// Families that are read, as their `model_type`.
const KNOWN: &str = "gemma2, gemma3_text, gemma3, llama, qwen2, qwen3, mistral, gpt_neox, gpt2";

/// More layers than any model has; a larger count is damage.
const MOST_LAYERS: usize = 4096;

pub(super) fn read(fields: &mut Fields<'_>, family: String) -> Result<ModelConfig> {
    match family.as_str() {
        "gemma2" => gemma::gemma2(fields, family),
        "gemma3_text" => gemma::gemma3(fields, family, false),
        "gemma3" => {
            fields.descend("text_config", "text_config.", "not of the text model")?;
            fields.refuse_unless("model_type", &Value::from("gemma3_text"))?;
            gemma::gemma3(fields, "gemma3_text".to_owned(), true)
        }
        "llama" | "mistral" | "qwen2" | "qwen3" => llama_like(fields, family),
        "gpt_neox" => neox(fields, family),
        "gpt2" => gpt2(fields, family),
        _ => Err(ModelError::UnknownFamily {
            file: fields.path().to_owned(),
            found: family,
            known: KNOWN.to_owned(),
        }),
    }
}

/// The number of layers, checked before anything is made per layer.
pub(super) fn layer_count(fields: &mut Fields<'_>, field: &str) -> Result<usize> {
    let layers = fields.size(field)?;
    if layers == 0 || layers > MOST_LAYERS {
        return Err(fields.error(field, &format!("{layers} is outside 1..={MOST_LAYERS}")));
    }
    Ok(layers)
}

/// `layer_types`, or what `otherwise` says of each layer.
pub(super) fn windows(
    fields: &mut Fields<'_>,
    layers: usize,
    sliding: Option<usize>,
    otherwise: impl Fn(usize) -> Window,
) -> Result<Vec<Window>> {
    let found: Vec<Window> = match fields.take("layer_types") {
        None | Some(Value::Null) => (0..layers).map(otherwise).collect(),
        Some(value) => {
            let kinds = value.as_array().map(Vec::as_slice).unwrap_or_default();
            if kinds.len() != layers {
                let reason = format!("has {} entries for {layers} layers", kinds.len());
                return Err(fields.error("layer_types", &reason));
            }
            let one = |kind: &Value| match (kind.as_str(), sliding) {
                (Some("full_attention"), _) => Ok(Window::Full),
                (Some("sliding_attention"), Some(n)) => Ok(Window::Sliding(n)),
                (Some("sliding_attention"), None) => Err(fields.error("sliding_window", "is missing")),
                _ => Err(fields.error("layer_types", &format!("{kind} is not implemented"))),
            };
            kinds.iter().map(one).collect::<Result<_>>()?
        }
    };
    if found.contains(&Window::Sliding(0)) {
        return Err(fields.error("sliding_window", "must be at least 1"));
    }
    Ok(found)
}

fn activation(fields: &mut Fields<'_>, field: &str) -> Result<Activation> {
    let name = fields.string(field)?;
    match name.as_str() {
        "gelu_pytorch_tanh" | "gelu_new" | "gelu_fast" => Ok(Activation::GeluTanh),
        "gelu" => Ok(Activation::Gelu),
        "silu" | "swish" => Ok(Activation::Silu),
        "relu" => Ok(Activation::Relu),
        _ => {
            let reason =
                format!("`{name}` is not implemented; expected gelu, gelu_new, gelu_pytorch_tanh, silu or relu");
            Err(fields.error(field, &reason))
        }
    }
}

/// Llama 2 and 3, Mistral, Qwen2 (and 2.5), Qwen3.
fn llama_like(fields: &mut Fields<'_>, family: String) -> Result<ModelConfig> {
    let layers = layer_count(fields, "num_hidden_layers")?;
    let hidden_size = fields.size("hidden_size")?;
    let heads = fields.size("num_attention_heads")?;
    if heads == 0 {
        return Err(fields.error("num_attention_heads", "must be at least 1"));
    }
    // Where the field is missing, Qwen3's configuration class has a width of its own.
    let usual = if family == "qwen3" { 128 } else { hidden_size / heads };
    let head_dim = fields.optional_size("head_dim")?.unwrap_or(usual);
    let biases = match family.as_str() {
        "llama" => {
            let attention = fields.boolean("attention_bias", false)?;
            Biases {
                qkv: attention,
                o: attention,
                mlp: fields.boolean("mlp_bias", false)?,
            }
        }
        // Fixed by the family: only queries, keys and values have them.
        "qwen2" => {
            fields.refuse_unless("use_mrope", &Value::Bool(false))?;
            Biases {
                qkv: true,
                ..Biases::default()
            }
        }
        "qwen3" => {
            let attention = fields.boolean("attention_bias", false)?;
            Biases {
                qkv: attention,
                o: attention,
                mlp: false,
            }
        }
        _ => {
            fields.refuse_unless("attention_bias", &Value::Bool(false))?;
            Biases::default()
        }
    };
    let windows = llama_windows(fields, &family, layers)?;
    Ok(ModelConfig {
        vocab_size: fields.size("vocab_size")?,
        hidden_size,
        intermediate_size: fields.size("intermediate_size")?,
        layers,
        heads,
        kv_heads: fields.optional_size("num_key_value_heads")?.unwrap_or(heads),
        head_dim,
        query_pre_attn_scalar: head_dim as f64,
        attn_softcap: None,
        final_softcap: None,
        norm: Norm::Rms,
        norm_eps: fields.number("rms_norm_eps")?,
        post_norms: false,
        qk_norm: family == "qwen3",
        parallel: false,
        activation: activation(fields, "hidden_act")?,
        gated: true,
        biases,
        positions: Positions::Rotary,
        ropes: vec![rope::read(fields, head_dim, 10_000.0)?],
        rope_of: vec![0; layers],
        windows,
        embedding_scale: 1.0,
        // These families' configuration classes leave it off unless the file says so.
        tied: fields.boolean("tie_word_embeddings", false)?,
        layout: Layout::Llama,
        bos_token_id: fields.bos()?,
        family,
    })
}

fn llama_windows(fields: &mut Fields<'_>, family: &str, layers: usize) -> Result<Vec<Window>> {
    match family {
        "llama" => windows(fields, layers, None, |_| Window::Full),
        "mistral" => {
            let sliding = fields.optional_size("sliding_window")?;
            windows(fields, layers, sliding, |_| {
                sliding.map_or(Window::Full, Window::Sliding)
            })
        }
        _ => {
            let sliding = fields.optional_size("sliding_window")?;
            if !fields.boolean("use_sliding_window", false)? {
                return windows(fields, layers, None, |_| Window::Full);
            }
            // The first `max_window_layers` layers see everything.
            let full = fields.size("max_window_layers")?;
            let sliding = sliding.ok_or_else(|| fields.error("sliding_window", "is missing"))?;
            windows(fields, layers, Some(sliding), |layer| {
                if layer < full {
                    Window::Full
                } else {
                    Window::Sliding(sliding)
                }
            })
        }
    }
}

/// GPT-NeoX and Pythia.
fn neox(fields: &mut Fields<'_>, family: String) -> Result<ModelConfig> {
    let layers = layer_count(fields, "num_hidden_layers")?;
    let hidden_size = fields.size("hidden_size")?;
    let heads = fields.size("num_attention_heads")?;
    let head_dim = exact_head_dim(fields, "num_attention_heads", hidden_size, heads)?;
    let share = fields.optional_number("rotary_pct")?;
    let newer = fields.optional_number("partial_rotary_factor")?;
    let share = match (share, newer) {
        (Some(a), Some(b)) if (a - b).abs() > 1e-9 => {
            return Err(fields.error("partial_rotary_factor", "differs from `rotary_pct`"));
        }
        (a, b) => a.or(b).unwrap_or(0.25),
    };
    if share > 1.0 {
        return Err(fields.error("rotary_pct", &format!("{share} is above 1")));
    }
    let base = fields.optional_number("rotary_emb_base")?;
    let rope = rope::read(fields, (head_dim as f64 * share) as usize, base.unwrap_or(10_000.0))?;
    if base.is_some_and(|base| (base - rope.theta).abs() > 1e-9 * base) {
        return Err(fields.error("rope_theta", "differs from `rotary_emb_base`"));
    }
    let attention = fields.boolean("attention_bias", true)?;
    Ok(ModelConfig {
        vocab_size: fields.size("vocab_size")?,
        hidden_size,
        intermediate_size: fields.size("intermediate_size")?,
        layers,
        heads,
        kv_heads: heads,
        head_dim,
        query_pre_attn_scalar: head_dim as f64,
        attn_softcap: None,
        final_softcap: None,
        norm: Norm::Layer,
        norm_eps: fields.optional_number("layer_norm_eps")?.unwrap_or(1e-5),
        post_norms: false,
        qk_norm: false,
        parallel: fields.boolean("use_parallel_residual", true)?,
        activation: activation(fields, "hidden_act")?,
        gated: false,
        biases: Biases {
            qkv: attention,
            o: attention,
            mlp: true,
        },
        positions: Positions::Rotary,
        ropes: vec![rope],
        rope_of: vec![0; layers],
        windows: vec![Window::Full; layers],
        embedding_scale: 1.0,
        tied: fields.boolean("tie_word_embeddings", false)?,
        layout: Layout::NeoX,
        bos_token_id: fields.bos()?,
        family,
    })
}

/// GPT-2.
fn gpt2(fields: &mut Fields<'_>, family: String) -> Result<ModelConfig> {
    let layers = layer_count(fields, "n_layer")?;
    let hidden_size = fields.size("n_embd")?;
    let heads = fields.size("n_head")?;
    let head_dim = exact_head_dim(fields, "n_head", hidden_size, heads)?;
    fields.refuse_unless("scale_attn_by_inverse_layer_idx", &Value::Bool(false))?;
    fields.refuse_unless("add_cross_attention", &Value::Bool(false))?;
    let scaled = fields.boolean("scale_attn_weights", true)?;
    Ok(ModelConfig {
        vocab_size: fields.size("vocab_size")?,
        hidden_size,
        intermediate_size: fields
            .optional_size("n_inner")?
            .unwrap_or(hidden_size.saturating_mul(4)),
        layers,
        heads,
        kv_heads: heads,
        head_dim,
        query_pre_attn_scalar: if scaled { head_dim as f64 } else { 1.0 },
        attn_softcap: None,
        final_softcap: None,
        norm: Norm::Layer,
        norm_eps: fields.optional_number("layer_norm_epsilon")?.unwrap_or(1e-5),
        post_norms: false,
        qk_norm: false,
        parallel: false,
        activation: activation(fields, "activation_function")?,
        gated: false,
        biases: Biases {
            qkv: true,
            o: true,
            mlp: true,
        },
        positions: Positions::Learned(fields.size("n_positions")?),
        ropes: Vec::new(),
        rope_of: Vec::new(),
        windows: vec![Window::Full; layers],
        embedding_scale: 1.0,
        tied: fields.boolean("tie_word_embeddings", true)?,
        layout: Layout::Gpt2,
        bos_token_id: fields.bos()?,
        family,
    })
}

fn exact_head_dim(fields: &Fields<'_>, field: &str, hidden: usize, heads: usize) -> Result<usize> {
    if heads == 0 || !hidden.is_multiple_of(heads) {
        return Err(fields.error(field, &format!("{heads} does not divide the width {hidden}")));
    }
    Ok(hidden / heads)
}
