//! Entry points for fuzzing: they take any bytes, return nothing, and must not panic.

use std::path::Path;

use serde_json::Value;
use tasks::Tokenize as _;

use crate::{BosPolicy, ModelConfig, Tokenizer, choose_bos, tensor_shapes};

/// Layers of a model whose tensors are listed: more of the same layer finds nothing.
const MOST_LAYERS: usize = 64;
/// Heads of such a model; a fused tensor is listed head by head.
const MOST_HEADS: usize = 1 << 10;

/// Parses `bytes` as a model's `config.json` and asks what a run asks before it opens the weights.
///
/// # Panics
/// The parts of the configuration contradict each other.
pub fn config_json(bytes: &[u8]) {
    let Ok(value) = serde_json::from_slice::<Value>(bytes) else {
        return;
    };
    let config = match ModelConfig::from_json(Path::new("config.json"), &value) {
        Ok(config) => config,
        Err(error) => {
            drop(error.to_string());
            return;
        }
    };
    assert_eq!(config.windows.len(), config.layers);
    assert!(config.rope_of.iter().all(|&table| table < config.ropes.len()));
    assert!(config.group() > 0);
    for rope in &config.ropes {
        let _ = (rope.frequency(0), rope.frequency(rope.dims / 2));
    }
    for window in &config.windows {
        assert!(window.first_key(9) <= 9);
    }
    let _ = (config.query_scale(), config.embedding_scale(), config.position_limit());
    drop(choose_bos(&config, BosPolicy::Auto));
    if config.layers <= MOST_LAYERS && config.heads <= MOST_HEADS {
        drop(tensor_shapes(&config));
    }
}

/// Parses `bytes` as a `tokenizer.json` and passes a short text through it and back.
///
/// # Panics
/// The same text has other ids the second time.
pub fn tokenizer_json(bytes: &[u8]) {
    let tokenizer = match Tokenizer::from_bytes(Path::new("tokenizer.json"), bytes, None) {
        Ok(tokenizer) => tokenizer,
        Err(error) => {
            drop(error.to_string());
            return;
        }
    };
    let _ = tokenizer.vocab_size();
    for id in (0..8).chain([u32::MAX]) {
        drop(tokenizer.token_string(id));
    }
    for text in ["", "The cat's  12 dogs.\n na\u{ef}ve \u{732b}"] {
        if let Ok(ids) = tokenizer.encode(text) {
            assert_eq!(tokenizer.encode(text).ok().as_ref(), Some(&ids));
            drop(tokenizer.tokens(&ids));
            drop((tokenizer.decode(&ids), tokenizer.decode_with_special(&ids)));
        }
        drop(tokenizer.encode_with_special(text));
    }
}
