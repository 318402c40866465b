//! Both styles of tokenizer against what Hugging Face `tokenizers` 0.22.2 and the peers' vocabulary filters gave.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::{Path, PathBuf};

use model_runner::Tokenizer;
use serde_json::Value;
use tasks::{Tokenize, Word};

fn open(style: &str, bos: Option<u32>) -> (Tokenizer, Value) {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("tests/golden/tokenizers")
        .join(style);
    let golden = checkpoint::read_json_value(&folder.join("golden.json")).unwrap();
    (Tokenizer::open(&folder, bos).unwrap(), golden)
}

fn ids(value: &Value) -> Vec<u32> {
    value
        .as_array()
        .unwrap()
        .iter()
        .map(|id| id.as_u64().unwrap() as u32)
        .collect()
}

fn texts(value: &Value) -> Vec<String> {
    value
        .as_array()
        .unwrap()
        .iter()
        .map(|text| text.as_str().unwrap().to_owned())
        .collect()
}

const STYLES: [(&str, Option<u32>); 2] = [("gemma_style", Some(2)), ("gpt2_style", Some(0))];

#[test]
fn encoding_and_decoding_equal_the_reference() {
    for (style, bos) in STYLES {
        let (tokenizer, golden) = open(style, bos);
        assert_eq!(tokenizer.vocab_size() as u64, golden["vocab_size"].as_u64().unwrap());
        let cases = golden["cases"].as_array().unwrap();
        assert!(cases.len() > 5);
        for case in cases {
            let text = case["text"].as_str().unwrap();
            let with = ids(&case["ids"]);
            assert_eq!(tokenizer.encode_with_special(text).unwrap(), with, "{style} {text:?}");
            assert_eq!(
                tokenizer.encode(text).unwrap(),
                ids(&case["ids_no_special"]),
                "{style} {text:?}"
            );
            assert_eq!(tokenizer.tokens(&with), texts(&case["tokens"]), "{style} {text:?}");
            assert_eq!(
                tokenizer.decode_with_special(&with).unwrap(),
                case["decoded"].as_str().unwrap()
            );
            assert_eq!(
                tokenizer.decode(&with).unwrap(),
                case["decoded_skip_special"].as_str().unwrap()
            );
        }
        for (letter, want) in golden["letters"].as_object().unwrap() {
            assert_eq!(tokenizer.encode_with_special(letter).unwrap(), ids(&want["plain"]));
            let space = tokenizer.encode_with_special(&format!(" {letter}")).unwrap();
            assert_eq!(space, ids(&want["space"]));
            assert_eq!(u64::from(*space.last().unwrap()), want["last_space"].as_u64().unwrap());
        }
    }
}

#[test]
fn the_string_of_every_token_equals_the_reference() {
    for (style, bos) in STYLES {
        let (tokenizer, golden) = open(style, bos);
        for (id, want) in texts(&golden["per_token_string"]).into_iter().enumerate() {
            assert_eq!(tokenizer.token_string(id as u32), Some(want), "{style} {id}");
        }
        assert_eq!(tokenizer.token_string(1_000_000), None);
    }
}

/// The peers list a text once for each token that has it, byte tokens such as `<0x41>` included; the benchmark's own list holds
/// each text once.
#[test]
fn the_words_equal_the_peers_lists_with_their_duplicates() {
    for (style, bos) in STYLES {
        let (tokenizer, golden) = open(style, bos);
        let mut words: Vec<String> = (0..tokenizer.vocab_size() as u32)
            .filter_map(|id| Word::new(&tokenizer.token_string(id)?, id))
            .map(|word| word.text)
            .collect();
        words.sort();
        for peer in ["alpha_tokens_saebench", "alpha_tokens_sae_spelling"] {
            let mut want = texts(&golden[peer]);
            want.sort();
            assert_eq!(words, want, "{style} {peer}");
        }
        let vocabulary = tasks::vocabulary(&tokenizer).unwrap();
        let duplicates = words.len() - vocabulary.len();
        assert_eq!(duplicates, vocabulary.duplicates_removed);
        // 52 letters are also byte tokens where bytes are a fallback.
        assert_eq!(duplicates, if style == "gemma_style" { 52 } else { 0 }, "{style}");
    }
}

/// A byte-pair tokenizer whose parts can be replaced.
fn made(part: &str, value: Value) -> Vec<u8> {
    let mut file = serde_json::json!({
        "version": "1.0", "truncation": null, "padding": null, "added_tokens": [], "normalizer": null,
        "pre_tokenizer": null, "post_processor": null, "decoder": null,
        "model": {
            "type": "BPE", "dropout": null, "unk_token": null, "continuing_subword_prefix": null, "end_of_word_suffix": null,
            "fuse_unk": false, "byte_fallback": false, "vocab": {"a": 0, "b": 1, "ab": 2, "abab": 3}, "merges": ["a b", "ab ab"],
        },
    });
    *file.pointer_mut(part).unwrap() = value;
    serde_json::to_vec(&file).unwrap()
}

#[test]
fn dropout_left_over_from_training_is_not_applied() {
    let file = made("/model/dropout", Value::from(0.5));
    let tokenizer = Tokenizer::from_bytes(Path::new("t.json"), &file, None).unwrap();
    for _ in 0..20 {
        assert_eq!(tokenizer.encode("ababab").unwrap(), [3, 2]);
    }
}

#[test]
fn panics_of_the_library_are_errors() {
    let file = made("/decoder", serde_json::json!({"type": "Fuse"}));
    let cut = file.windows(6).position(|bytes| bytes == b"\"Fuse\"").unwrap() + 3;
    let Err(error) = Tokenizer::from_bytes(Path::new("t.json"), &file[..cut], None) else {
        panic!("half a file is no tokenizer");
    };
    let error = error.to_string();
    assert!(error.contains("t.json") && error.contains("library failed"), "{error}");

    let strip = serde_json::json!({"type": "Strip", "content": "a", "start": 0, "stop": 9});
    let tokenizer = Tokenizer::from_bytes(Path::new("t.json"), &made("/decoder", strip), None).unwrap();
    assert_eq!(tokenizer.token_string(0), None);
    assert!(
        tokenizer
            .decode(&[0])
            .unwrap_err()
            .to_string()
            .contains("library failed")
    );

    let empty = serde_json::json!({"type": "FixedLength", "length": 0});
    let tokenizer = Tokenizer::from_bytes(Path::new("t.json"), &made("/pre_tokenizer", empty), None).unwrap();
    assert!(
        tokenizer
            .encode("ab")
            .unwrap_err()
            .to_string()
            .contains("library failed")
    );
}
