//! Reading the golden files.
#![expect(clippy::unwrap_used, reason = "a missing or broken golden file should stop the test")]

use std::fs;
use std::path::PathBuf;

use safetensors::SafeTensors;
use serde_json::Value;

/// A file of `tests/golden/absorption`.
pub(crate) fn json(name: &str) -> Value {
    let path: PathBuf = [env!("CARGO_MANIFEST_DIR"), "tests/golden/absorption", name]
        .iter()
        .collect();
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

pub(crate) fn list(value: &Value) -> &[Value] {
    value.as_array().unwrap()
}

pub(crate) fn number(value: &Value) -> f64 {
    value.as_f64().unwrap()
}

pub(crate) fn count(value: &Value) -> usize {
    // Some counts went through a data frame and came back as floats.
    let value = number(value);
    assert!(value.fract() == 0.0 && value >= 0.0, "{value} is no count");
    value as usize
}

pub(crate) fn letter(value: &Value) -> char {
    value.as_str().unwrap().chars().next().unwrap()
}

pub(crate) fn latents(value: &Value) -> Vec<u32> {
    list(value).iter().map(|id| count(id) as u32).collect()
}

pub(crate) fn close(found: f64, expected: &Value, tolerance: f64, what: &str) {
    let expected = number(expected);
    assert!((found - expected).abs() < tolerance, "{what}: {found} {expected}");
}

fn tensor<T, const N: usize>(file: &str, name: &str, from: fn([u8; N]) -> T) -> Vec<T> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../linear-probe/tests/golden/synthetic");
    let bytes = fs::read(folder.join(file)).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let (chunks, rest) = file.tensor(name).unwrap().data().as_chunks::<N>();
    assert!(rest.is_empty());
    chunks.iter().map(|&chunk| from(chunk)).collect()
}

pub(crate) const D: usize = 48;
pub(crate) const WIDTH: usize = 160;

/// The made-up activations.
pub(crate) struct Synthetic {
    /// `[n, D]`
    pub(crate) x: Vec<f32>,
    /// `[n]`
    pub(crate) y: Vec<usize>,
    /// `[n, WIDTH]`
    pub(crate) acts: Vec<f32>,
    /// `[WIDTH, D]`
    pub(crate) decoder: Vec<f32>,
    /// `[26, D]`
    pub(crate) probe: Vec<f32>,
    /// `[26]`
    pub(crate) bias: Vec<f32>,
}

pub(crate) fn synthetic() -> Synthetic {
    let labels = tensor("data.safetensors", "y_test", i64::from_le_bytes);
    let f32s = |file, name| tensor(file, name, f32::from_le_bytes);
    Synthetic {
        x: f32s("data.safetensors", "X_test"),
        y: labels.into_iter().map(|label| label as usize).collect(),
        acts: f32s("data.safetensors", "sae_acts_test"),
        decoder: f32s("sae.safetensors", "W_dec"),
        probe: f32s("probe_minibatch50.safetensors", "epochs50.weight"),
        bias: f32s("probe_minibatch50.safetensors", "epochs50.bias"),
    }
}
