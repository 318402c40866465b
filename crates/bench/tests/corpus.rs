//! Every input that fuzzing started from, and every one that it found something with, through the functions that are fuzzed.
//!
//! Needs no fuzzer; see `docs/fuzzing.md`.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::panic::{self, AssertUnwindSafe};
use std::path::{Path, PathBuf};

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = match fs_err::read_dir(folder) {
        Ok(entries) => entries,
        // Most targets have no regressions.
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Vec::new(),
        Err(error) => panic!("{error}"),
    };
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

fn replay(target: &str, run: impl Fn(&[u8])) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz");
    let corpus = files(&root.join("corpus").join(target));
    assert!(!corpus.is_empty(), "`fuzz/corpus/{target}` is empty");
    let regressions = files(&root.join("regressions").join(target));
    let failed: Vec<String> = corpus
        .iter()
        .chain(&regressions)
        .filter(|file| {
            let bytes = fs_err::read(file).unwrap();
            panic::catch_unwind(AssertUnwindSafe(|| run(&bytes))).is_err()
        })
        .map(|file| file.strip_prefix(&root).unwrap().display().to_string())
        .collect();
    assert!(failed.is_empty(), "these files of `fuzz` panic: {}", failed.join(", "));
}

#[test]
fn safetensors() {
    replay("safetensors", checkpoint::fuzz::safetensors);
}

#[test]
fn numpy() {
    replay("numpy", |bytes| {
        checkpoint::fuzz::npy(bytes);
        checkpoint::fuzz::npz(bytes);
    });
}

#[test]
fn torch() {
    replay("torch", checkpoint::fuzz::torch);
}

#[test]
fn sae_config() {
    replay("sae_config", sae::fuzz::cfg_json);
}

#[test]
fn model_config() {
    replay("model_config", model_runner::fuzz::config_json);
}

#[test]
fn tokenizer() {
    replay("tokenizer", model_runner::fuzz::tokenizer_json);
}

#[test]
fn record() {
    replay("record", store::fuzz::record);
}
