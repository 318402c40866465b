//! What is refused, and what is read, of `config.json`: an option that is not implemented is named, never guessed.

#![expect(
    clippy::unwrap_used,
    clippy::float_cmp,
    reason = "a test fails by panicking; what is compared was stored, not computed"
)]

use std::path::{Path, PathBuf};

use model_runner::{ModelConfig, Rope, Scaling, Transformer, Verdict, Window};
use serde_json::{Value, json};

fn golden(family: &str) -> Value {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("tests/golden")
        .join(family);
    checkpoint::read_json_value(&path.join("config.json")).unwrap()
}

fn with(family: &str, field: &str, value: Value) -> Result<ModelConfig, String> {
    let mut config = golden(family);
    config[field] = value;
    ModelConfig::from_json(Path::new("config.json"), &config).map_err(|e| e.to_string())
}

#[test]
fn what_is_not_implemented_is_named() {
    let cases = [
        (
            "llama",
            "rope_scaling",
            json!({"rope_type": "yarn", "factor": 4.0}),
            "yarn",
        ),
        ("llama", "rope_scaling", json!({"rope_type": "linear"}), "factor"),
        (
            "llama",
            "rope_scaling",
            json!({"rope_type": "linear", "factor": 2.0, "mystery": 1}),
            "mystery",
        ),
        ("llama", "rope_scaling", json!(4), "rope_scaling"),
        ("llama", "hidden_act", json!("mish"), "mish"),
        ("llama", "new_option", json!(true), "new_option"),
        ("llama", "num_key_value_heads", json!(3), "num_key_value_heads"),
        ("llama", "num_hidden_layers", json!(100_000_000), "num_hidden_layers"),
        ("llama", "rms_norm_eps", json!("small"), "rms_norm_eps"),
        ("llama", "model_type", json!("mamba"), "mamba"),
        ("mistral", "sliding_window", json!(0), "sliding_window"),
        ("qwen2", "use_mrope", json!(true), "use_mrope"),
        ("qwen2", "layer_types", json!(["full_attention"]), "layer_types"),
        (
            "gemma3_text",
            "use_bidirectional_attention",
            json!(true),
            "use_bidirectional_attention",
        ),
        ("gemma2", "hidden_activation", json!("relu"), "hidden_activation"),
        (
            "gpt2",
            "scale_attn_by_inverse_layer_idx",
            json!(true),
            "scale_attn_by_inverse_layer_idx",
        ),
        ("gpt2", "n_head", json!(5), "n_head"),
        ("gpt_neox", "rope_theta", json!(500), "rope_theta"),
        ("gpt_neox", "rotary_pct", json!(0.5), "partial_rotary_factor"),
        ("gpt_neox", "vocab_size", json!(-4), "vocab_size"),
        ("gpt_neox", "vocab_size", json!(0), "vocab_size"),
    ];
    for (family, field, value, named) in cases {
        let error = with(family, field, value).unwrap_err();
        assert!(
            error.contains(named) && error.contains("config.json"),
            "{family} {field}: {error}"
        );
    }
}

#[test]
fn options_are_read() {
    let rope = |config: &ModelConfig| config.ropes[0];
    assert_eq!(
        rope(&with("llama", "rope_scaling", Value::Null).unwrap()),
        Rope {
            dims: 8,
            theta: 500_000.0,
            scaling: Scaling::None
        }
    );
    let linear = json!({"type": "linear", "factor": 4.0});
    assert_eq!(
        rope(&with("llama", "rope_scaling", linear).unwrap()).scaling,
        Scaling::Linear(4.0)
    );
    let newer = json!({"rope_type": "linear", "factor": 2.0, "rope_theta": 9.0});
    let config = with("llama", "rope_parameters", newer).unwrap();
    assert_eq!(
        (rope(&config).theta, rope(&config).scaling),
        (9.0, Scaling::Linear(2.0))
    );
    let full = with("mistral", "sliding_window", Value::Null).unwrap();
    assert!(full.windows.iter().all(|window| *window == Window::Full));
    let gemma3 = ModelConfig::from_json(Path::new("config.json"), &golden("gemma3_text")).unwrap();
    assert_eq!(gemma3.rope_of, [1, 1, 0, 1]);
    assert_eq!(gemma3.ropes[1].theta, 10_000.0);
    // Multi-modal files leave fields of the text part to their class.
    let nested = json!({
        "model_type": "gemma3", "vision_config": {"hidden_size": 8}, "mm_tokens_per_image": 256,
        "text_config": {"model_type": "gemma3_text", "hidden_size": 2560, "intermediate_size": 10240,
            "num_hidden_layers": 34, "rope_scaling": {"factor": 8.0, "rope_type": "linear"}, "sliding_window": 1024}
    });
    let config = ModelConfig::from_json(Path::new("config.json"), &nested).unwrap();
    assert_eq!(
        (config.heads, config.kv_heads, config.head_dim, config.vocab_size),
        (8, 4, 256, 262_208)
    );
    assert_eq!(
        (config.windows[4], config.windows[5]),
        (Window::Sliding(1024), Window::Full)
    );
    assert_eq!(
        (config.ropes[0].scaling, config.ropes[1].scaling),
        (Scaling::Linear(8.0), Scaling::None)
    );
    assert_eq!(config.bos_token_id, Some(2));
}

#[test]
fn the_llama3_ramp_keeps_short_waves_and_divides_long_ones() {
    let scaling = Scaling::Llama3 {
        factor: 8.0,
        low: 1.0,
        high: 4.0,
        original: 8192.0,
    };
    let rope = Rope {
        dims: 128,
        theta: 500_000.0,
        scaling,
    };
    let plain = Rope {
        scaling: Scaling::None,
        ..rope
    };
    assert_eq!(rope.frequency(0), plain.frequency(0));
    assert!((rope.frequency(63) - plain.frequency(63) / 8.0).abs() < 1e-18);
    let ratios: Vec<f64> = (0..64).map(|i| plain.frequency(i) / rope.frequency(i)).collect();
    assert!(
        ratios.windows(2).all(|pair| pair[0] <= pair[1] + 1e-12),
        "the divisor grows with the wavelength"
    );
    assert!(
        ratios.iter().any(|&ratio| ratio > 1.01 && ratio < 7.99),
        "a ramp lies between"
    );
}

#[test]
fn every_field_has_a_verdict() {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    for entry in std::fs::read_dir(root).unwrap() {
        let path = entry.unwrap().path().join("config.json");
        if !path.is_file() {
            continue;
        }
        let (_, fields) = ModelConfig::read_with_fields(&path).unwrap();
        let mut seen: Vec<&str> = fields.iter().map(|field| field.field.as_str()).collect();
        let written = checkpoint::read_json_value(&path).unwrap();
        let mut names: Vec<String> = Vec::new();
        for (name, value) in written.as_object().unwrap() {
            match value.as_object().filter(|_| name == "text_config") {
                Some(inner) => names.extend(inner.keys().map(|name| format!("text_config.{name}"))),
                None => names.push(name.clone()),
            }
        }
        names.sort();
        seen.sort_unstable();
        assert_eq!(seen, names, "{}", path.display());
        assert!(fields.iter().any(|field| matches!(field.verdict, Verdict::Ignored(_))));
    }
}

#[test]
fn weights_of_another_architecture_are_refused() {
    let source = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden/qwen3");
    let temp = tempfile::tempdir().unwrap();
    std::fs::copy(source.join("model.safetensors"), temp.path().join("model.safetensors")).unwrap();
    let mut config = golden("qwen3");
    config["model_type"] = json!("llama");
    for field in [
        "layer_types",
        "use_sliding_window",
        "max_window_layers",
        "sliding_window",
    ] {
        config.as_object_mut().unwrap().shift_remove(field);
    }
    std::fs::write(temp.path().join("config.json"), config.to_string()).unwrap();
    let error = Transformer::open(temp.path()).err().unwrap().to_string();
    assert!(
        error.contains("norm") && error.contains("has no place in a `llama` model"),
        "{error}"
    );
}
