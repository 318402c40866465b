//! The made-up activations of the probe library's goldens, and running the program on them.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Output;

use assert_cmd::Command;
use checkpoint::Checkpoint;
use checkpoint::write::TensorData;
use serde_json::Value;

pub(crate) const CLASSES: usize = 26;

/// `PyTorch` and scikit-learn on made-up activations: see the README beside them.
pub(crate) fn golden(name: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../linear-probe/tests/golden/synthetic");
    text(&folder.join(name))
}

/// What `SAEBench` and `sae-spelling` said of the same.
pub(crate) fn absorption_golden(name: &str) -> Value {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../ablation/tests/golden/absorption");
    json(&folder.join(name))
}

pub(crate) fn text(path: &Path) -> String {
    path.to_str().unwrap().to_owned()
}

pub(crate) fn json(path: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

/// A folder for one test, with the SAE of the goldens in it.
pub(crate) struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let sae = folder.path().join("sae");
        std::fs::create_dir(&sae).unwrap();
        std::fs::copy(golden("sae.safetensors"), sae.join("sae_weights.safetensors")).unwrap();
        let config = serde_json::json!({
            "architecture": "standard", "d_in": 48, "d_sae": 160, "dtype": "float32", "device": "cpu",
            "apply_b_dec_to_input": true, "normalize_activations": "none", "reshape_activations": "none",
            "metadata": {
                "sae_lens_version": "6.54.12", "sae_lens_training_version": "6.54.12",
                "hook_name": "blocks.0.hook_resid_post", "model_name": "none",
            },
        });
        std::fs::write(sae.join("cfg.json"), config.to_string()).unwrap();
        Self { folder }
    }

    pub(crate) fn path(&self, name: &str) -> String {
        text(&self.folder.path().join(name))
    }

    pub(crate) fn write(&self, name: &str, bytes: &[u8]) -> String {
        let path = self.path(name);
        std::fs::write(&path, bytes).unwrap();
        path
    }

    pub(crate) fn tensors(&self, name: &str, tensors: &[TensorData<'_>]) -> String {
        let path = self.path(name);
        checkpoint::write::safetensors(Path::new(&path), tensors, &BTreeMap::new()).unwrap();
        path
    }
}

pub(crate) fn bench(args: &[&str]) -> Output {
    Command::cargo_bin("bench").unwrap().args(args).output().unwrap()
}

/// Runs a command that must succeed; its JSON.
#[track_caller]
pub(crate) fn done(args: &[&str]) -> Value {
    let output = bench(args);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{said}");
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Train and test rows of the goldens.
pub(crate) fn data() -> Vec<String> {
    let file = golden("data.safetensors");
    let names = ["--acts", &file, "--x", "X_train", "--y", "y_train"];
    let test = ["--test-x", "X_test", "--test-y", "y_test"];
    names.into_iter().chain(test).map(str::to_owned).collect()
}

/// `bench probe` on the goldens.
#[track_caller]
pub(crate) fn probe(out: &str, more: &[&str]) -> Value {
    let data = data();
    let args = ["probe", "--out", out].into_iter();
    done(
        &args
            .chain(data.iter().map(String::as_str))
            .chain(more.iter().copied())
            .collect::<Vec<_>>(),
    )
}

pub(crate) fn floats(file: &str, name: &str) -> Vec<f32> {
    Checkpoint::open(Path::new(file))
        .unwrap()
        .get(name)
        .unwrap()
        .to_f32()
        .unwrap()
}

pub(crate) fn integers(file: &str, name: &str) -> Vec<i64> {
    Checkpoint::open(Path::new(file))
        .unwrap()
        .get(name)
        .unwrap()
        .to_i64()
        .unwrap()
}

/// The largest difference.
#[track_caller]
pub(crate) fn apart(found: &[f32], expected: &[f32]) -> f32 {
    assert_eq!(found.len(), expected.len());
    found
        .iter()
        .zip(expected)
        .map(|(a, b)| (a - b).abs())
        .fold(0.0, f32::max)
}

pub(crate) fn list(value: &Value) -> &[Value] {
    value.as_array().unwrap()
}

pub(crate) fn number(value: &Value) -> f64 {
    value.as_f64().unwrap()
}

/// A whole number, also where a data frame made it a float.
pub(crate) fn count(value: &Value) -> u64 {
    let value = number(value);
    assert!(value.fract().abs() < 1e-12, "{value} is no count");
    value as u64
}

pub(crate) fn ids(value: &Value) -> Vec<u64> {
    list(value).iter().map(|id| number(id) as u64).collect()
}
