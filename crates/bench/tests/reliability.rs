//! `bench reliability` as a user runs it.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;
use std::process::{Command, Output};

fn bench(out: &Path, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_bench"))
        .args(["reliability", "--limit", "2", "--out", out.to_str().unwrap()])
        .args(args)
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("../.."))
        .output()
        .unwrap()
}

const SAES: [&str; 6] = [
    "--sae",
    "datasets/embedded/saes/batchtopk-512-k4-s0",
    "--sae",
    "datasets/embedded/saes/batchtopk-512-k4-s1",
    "--sae",
    "datasets/embedded/saes/batchtopk-512-k4-s2",
];

#[test]
fn scores_of_redrawn_seeds_are_those_of_the_runs() {
    let folder = tempfile::tempdir().unwrap();
    let args = [&SAES[..], &["--seeds", "3", "--format", "json"]].concat();
    let output = bench(folder.path(), &args);
    let err = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(0), "{err}");
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let text = json.to_string();
    assert!(
        text.contains("batchtopk-512-k4-s*") && text.contains("M* probe"),
        "{text}"
    );
    // The mean of the table is the mean of the records.
    let mut values = Vec::new();
    for seed in 0..3 {
        for entry in fs_err::read_dir(folder.path().join(format!("joint/seed-{seed}"))).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_none_or(|extension| extension != "json") {
                continue;
            }
            let record: serde_json::Value = serde_json::from_slice(&fs_err::read(&path).unwrap()).unwrap();
            if !record["spec"]["sae"].is_null() {
                values.push(record["summary"]["latent/f1"]["value"].as_f64().unwrap());
            }
        }
    }
    assert_eq!(values.len(), 9);
    let mean = values.iter().sum::<f64>() / 9.0;
    assert!(text.contains(&format!("{mean}")[..8]), "{mean} {text}");
    let again = bench(folder.path(), &args);
    assert_eq!(again.stdout, output.stdout);
    assert!(String::from_utf8_lossy(&again.stderr).contains("units are done"));
}

#[test]
fn two_saes_are_too_few() {
    let folder = tempfile::tempdir().unwrap();
    let args = [&SAES[..4], &["--seeds", "2"]].concat();
    let output = bench(folder.path(), &args);
    assert_eq!(output.status.code(), Some(4));
    let err = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(err.contains("reliability needs 3"), "{err}");
    let output = bench(folder.path(), &["--seeds", "1"]);
    assert_eq!(output.status.code(), Some(2));
}
