//! Damaged model checkpoints: an error or a model that runs, never a panic.
//!
//! A changed field may be another legal value (a larger rotary base, say); then the model is another model, and all that can be
//! asked is that it runs.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::{Path, PathBuf};

use model_runner::{Keep, Transformer};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::{Value, json};

const CHANGES: usize = 200;

fn folders() -> Vec<PathBuf> {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let mut all: Vec<PathBuf> = std::fs::read_dir(root)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.join("model.safetensors").is_file())
        .collect();
    all.sort();
    all
}

/// Opens and, if that works, runs three tokens.
fn survives(folder: &Path) -> bool {
    let Ok(model) = Transformer::open(folder) else {
        return false;
    };
    let layers = model.config().layers;
    let run = || -> model_runner::Result<Vec<f32>> {
        let x = model.embed(&[1, 2, 3], 1, 0)?;
        let x = model.run(x, 1, 0..layers, None, Keep::Last)?;
        let head = model.unembedding(&[0, 1])?;
        Ok(model.logits(&x, &head))
    };
    run().is_ok_and(|logits| logits.len() == 2)
}

fn value(rng: &mut StdRng) -> Value {
    let all = [
        Value::Null,
        json!(true),
        json!(-1),
        json!(0),
        json!(3),
        json!(1e300),
        json!(18_446_744_073_709_551_615_u64),
        json!("abacus"),
        json!([1, "full_attention"]),
        json!({"rope_type": "linear", "factor": 0}),
        json!({}),
    ];
    all[rng.random_range(0..all.len())].clone()
}

#[test]
fn changed_fields_and_bytes_never_panic() {
    let mut rng = StdRng::seed_from_u64(20_261_121);
    let folders = folders();
    assert!(folders.len() >= 16);
    for source in folders {
        let temp = tempfile::tempdir().unwrap();
        let (config, weights) = (temp.path().join("config.json"), temp.path().join("model.safetensors"));
        let good_config = std::fs::read(source.join("config.json")).unwrap();
        let good_weights = std::fs::read(source.join("model.safetensors")).unwrap();
        std::fs::write(&weights, &good_weights).unwrap();
        std::fs::write(&config, &good_config).unwrap();
        assert!(survives(temp.path()), "{}", source.display());
        let mut refused = 0;
        let parsed: Value = serde_json::from_slice(&good_config).unwrap();
        for _ in 0..CHANGES {
            let mut changed = parsed.clone();
            // Half of the changes of a nested configuration go into the nested part.
            let nested = changed.get("text_config").is_some() && rng.random_bool(0.5);
            let object = if nested {
                &mut changed["text_config"]
            } else {
                &mut changed
            };
            let object = object.as_object_mut().unwrap();
            let name = object.keys().nth(rng.random_range(0..object.len())).unwrap().clone();
            match rng.random_range(0..3) {
                0 => drop(object.shift_remove(&name)),
                1 => drop(object.insert(format!("{name}_"), value(&mut rng))),
                _ => drop(object.insert(name, value(&mut rng))),
            }
            std::fs::write(&config, changed.to_string()).unwrap();
            refused += usize::from(!survives(temp.path()));
        }
        assert!(refused > CHANGES / 4, "{}: only {refused} refused", source.display());
        std::fs::write(&config, &good_config).unwrap();
        let header = 8 + u64::from_le_bytes(good_weights[..8].try_into().unwrap()) as usize;
        for change in 0..CHANGES {
            let mut bytes = good_weights.clone();
            // Most damage that matters is in the header.
            let end = if change % 4 == 0 { bytes.len() } else { header };
            let at = rng.random_range(0..end);
            bytes[at] ^= 1 << rng.random_range(0..8);
            std::fs::write(&weights, &bytes).unwrap();
            survives(temp.path());
        }
        for cut in [0, 7, 8, header - 1, header, good_weights.len() - 1] {
            std::fs::write(&weights, &good_weights[..cut]).unwrap();
            assert!(!survives(temp.path()), "{} cut at {cut}", source.display());
        }
    }
}
