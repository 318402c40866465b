//! The command line as a user meets it: exit codes, messages, determinism, interruption.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::{Path, PathBuf};
use std::process::Output;

use assert_cmd::Command;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .canonicalize()
        .unwrap()
}

fn golden() -> PathBuf {
    root().join("crates/model-runner/tests/golden/gemma2")
}

/// A run of the embedded model without SAEs, small enough for a test.
const QUICK: &[&str] = &[
    "run",
    "--limit",
    "3",
    "--letters",
    "a-e",
    "--probe-words",
    "1500",
    "--replicates",
    "200",
    "--random-draws",
    "1",
    "--progress",
    "none",
];

fn bench(args: &[&str]) -> Output {
    Command::cargo_bin("bench")
        .unwrap()
        .current_dir(root())
        .args(args)
        .output()
        .unwrap()
}

/// `QUICK` on one shipped autoencoder.
fn quick(out: &Path, more: &[&str]) -> Output {
    let (sae, out) = (
        first_sae().to_str().unwrap().to_owned(),
        out.to_str().unwrap().to_owned(),
    );
    let mut args = QUICK.to_vec();
    args.extend(["--sae", sae.as_str(), "--out", out.as_str()]);
    args.extend(more);
    bench(&args)
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The one place that checks a refusal: its exit code, and what its message must name.
#[track_caller]
fn refused(args: &[&str], code: i32, names: &[&str]) {
    let out = tempfile::tempdir().unwrap();
    let mut all = args.to_vec();
    all.extend(["--out", out.path().to_str().unwrap()]);
    let output = bench(&all);
    let message = text(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{message}");
    for name in names {
        assert!(message.contains(name), "`{name}` is not in: {message}");
    }
    assert!(!message.contains("panicked"), "{message}");
    let left = std::fs::read_dir(out.path()).unwrap().count();
    assert_eq!(left, 0, "a refused call leaves nothing behind");
}

#[test]
fn usage_errors() {
    refused(&["run", "--layer", "99"], 2, &["--layer 99", "4 layers"]);
    refused(&["run", "--device", "abacus"], 2, &["abacus", "flex"]);
    refused(&["run", "--letters", "7"], 2, &["7"]);
    refused(&["run", "--words", "many"], 2, &["--words"]);
    refused(&["run", "--random-draws", "0"], 2, &["--random-draws", "at least 1"]);
    refused(&["run", "--dtype", "bf16"], 2, &["bf16", "f32"]);
}

#[test]
fn missing_and_foreign_inputs() {
    refused(&["run", "--model", "no/such/folder"], 3, &["no/such/folder", "--model"]);
    let wide = root().join("crates/sae/tests/golden/open/saelens_standard");
    refused(
        &["run", "--sae", wide.to_str().unwrap()],
        3,
        &["saelens_standard", "d_in", "64", "128"],
    );
    refused(&["run", "--sae", "no/such/sae"], 3, &["no/such/sae"]);
}

/// A copy of the golden checkpoint with one file changed.
fn broken(file: &str, change: impl Fn(Vec<u8>) -> Vec<u8>) -> tempfile::TempDir {
    let copy = tempfile::tempdir().unwrap();
    for name in ["config.json", "model.safetensors", "tokenizer.json"] {
        let bytes = std::fs::read(golden().join(name)).unwrap();
        let bytes = if name == file { change(bytes) } else { bytes };
        std::fs::write(copy.path().join(name), bytes).unwrap();
    }
    copy
}

fn edit(from: &'static str, to: &'static str) -> impl Fn(Vec<u8>) -> Vec<u8> {
    move |bytes| {
        let before = text(&bytes);
        let after = before.replace(from, to);
        assert_ne!(before, after, "`{from}` is not in the file");
        after.into_bytes()
    }
}

#[test]
fn damaged_checkpoints_are_named() {
    let check = |folder: tempfile::TempDir, code: i32, names: &[&str]| {
        refused(
            &["run", "--model", folder.path().to_str().unwrap(), "--layer", "1"],
            code,
            names,
        );
    };
    let truncated = broken("model.safetensors", |bytes| bytes[..bytes.len() / 2].to_vec());
    check(truncated, 3, &["model.safetensors"]);
    let family = broken("config.json", edit("\"gemma2\"", "\"mamba\""));
    check(family, 3, &["config.json", "model_type", "mamba", "gemma2"]);
    let shape = broken(
        "config.json",
        edit("\"intermediate_size\": 128", "\"intermediate_size\": 96"),
    );
    check(shape, 3, &["model.safetensors", "gate_proj", "96", "128"]);
    let unknown = broken(
        "config.json",
        edit("\"hidden_size\"", "\"alibi\": true, \"hidden_size\""),
    );
    check(unknown, 3, &["config.json", "alibi"]);
    let json = broken("config.json", |bytes| bytes[..40].to_vec());
    check(json, 3, &["config.json"]);
    let tokenizer = broken("tokenizer.json", |_| b"{}".to_vec());
    check(tokenizer, 3, &["tokenizer.json"]);
}

#[test]
fn a_tokenizer_that_splits_every_word_is_said_to() {
    // Without merges every word falls apart into characters; the vocabulary still lists words.
    let split = broken("tokenizer.json", |bytes| {
        let mut json: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
        json["model"]["merges"] = serde_json::json!([]);
        serde_json::to_vec(&json).unwrap()
    });
    refused(
        &["run", "--model", split.path().to_str().unwrap(), "--layer", "1"],
        3,
        &["split", "hint"],
    );
}

#[test]
fn a_letter_without_words_selects_nothing() {
    let few = root().join("datasets/embedded/model/held_out_words.json");
    let words: Vec<String> = serde_json::from_slice(&std::fs::read(few).unwrap()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("held_out.json");
    let without: Vec<&String> = words
        .iter()
        .filter(|w| !w.trim().to_lowercase().starts_with('k'))
        .collect();
    std::fs::write(&file, serde_json::to_vec(&without).unwrap()).unwrap();
    refused(
        &["run", "--held-out", file.to_str().unwrap(), "--letters", "k,s"],
        4,
        &["k"],
    );
}

/// Every file of a store by name with its content; records keep times, so only their results count.
fn results(out: &Path) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(out).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.extension().is_some_and(|e| e == "json") {
            let record: serde_json::Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
            found.push((
                name,
                record["results_blake3"].to_string() + &record["rows"]["blake3"].to_string(),
            ));
        } else if path.extension().is_some_and(|e| e == "zst") {
            found.push((name, format!("{:?}", blake3::hash(&std::fs::read(&path).unwrap()))));
        }
    }
    found.sort();
    found
}

#[test]
fn the_same_seed_gives_the_same_bytes_and_a_second_call_does_nothing() {
    let (a, b, c) = (
        tempfile::tempdir().unwrap(),
        tempfile::tempdir().unwrap(),
        tempfile::tempdir().unwrap(),
    );
    let first = quick(a.path(), &[]);
    assert_eq!(first.status.code(), Some(0), "{}", text(&first.stderr));
    let again = quick(a.path(), &[]);
    assert!(
        text(&again.stderr).contains("all 2 units are done"),
        "{}",
        text(&again.stderr)
    );
    assert_eq!(first.stdout, again.stdout);
    quick(b.path(), &["--threads", "1"]);
    assert_eq!(results(a.path()).len(), 4);
    assert_eq!(results(a.path()), results(b.path()));
    // So little that every chunk runs its own prefixes, on weights that stay in their file.
    quick(b.path(), &["--memory", "256KiB", "--rerun"]);
    assert_eq!(results(a.path()), results(b.path()));
    quick(c.path(), &["--seed", "1"]);
    assert_ne!(results(a.path()), results(c.path()));
    let forced = quick(a.path(), &["--rerun"]);
    assert!(
        !text(&forced.stderr).contains("are done in"),
        "{}",
        text(&forced.stderr)
    );
    assert_eq!(results(a.path()), results(b.path()));
}

#[test]
fn a_killed_run_is_finished_by_the_next_call() {
    let whole = tempfile::tempdir().unwrap();
    let begun = std::time::Instant::now();
    let expected = quick(whole.path(), &[]);
    let took = begun.elapsed();
    assert_eq!(expected.status.code(), Some(0), "{}", text(&expected.stderr));
    let mut unfinished = 0;
    // Five fresh stores, killed at fifths of a whole run's time.
    for part in 1..=5 {
        let killed = tempfile::tempdir().unwrap();
        let mut child = std::process::Command::new(assert_cmd::cargo::cargo_bin("bench"))
            .current_dir(root())
            .args(QUICK)
            .args([
                "--sae",
                first_sae().to_str().unwrap(),
                "--out",
                killed.path().to_str().unwrap(),
            ])
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(took.mul_f64(f64::from(part) * 0.18));
        child.kill().unwrap();
        child.wait().unwrap();
        unfinished += usize::from(results(killed.path()).len() < 4);
        let next = quick(killed.path(), &[]);
        assert_eq!(next.status.code(), Some(0), "{}", text(&next.stderr));
        assert_eq!(results(killed.path()), results(whole.path()));
    }
    assert!(unfinished > 0, "no kill came before the run had finished");
}

#[test]
fn another_checkpoint_folder_runs_by_the_same_path() {
    let out = tempfile::tempdir().unwrap();
    let sae = root().join("crates/sae/tests/golden/open/saelens_jumprelu");
    let (model, folder) = (golden(), out.path().to_str().unwrap().to_owned());
    let args = [
        "run",
        "--model",
        model.to_str().unwrap(),
        "--sae",
        sae.to_str().unwrap(),
        "--layer",
        "2",
        "--out",
        &folder,
    ];
    let output = bench(&args);
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{said}");
    // The weights are random: it must say that it cannot conclude, and why.
    assert!(
        said.contains("No conclusion") && said.contains("model-fails-task"),
        "{said}"
    );
    assert!(text(&output.stdout).contains("full-site"));
}

#[test]
fn another_seed_gives_other_draws_and_overlapping_intervals() {
    let interval = |seed: &str| {
        let out = tempfile::tempdir().unwrap();
        let folder = out.path().to_str().unwrap().to_owned();
        let args = [
            "run",
            "--sae",
            "",
            "--words",
            "10",
            "--replicates",
            "1000",
            "--progress",
            "none",
            "--seed",
            seed,
            "--out",
            &folder,
        ];
        let sae = first_sae();
        let args: Vec<&str> = args
            .iter()
            .map(|a| if a.is_empty() { sae.to_str().unwrap() } else { a })
            .collect();
        let output = bench(&args);
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
        let record = record(out.path(), "directions");
        let estimate = &record["summary"]["leace-1/m_star"];
        (estimate["lo"].as_f64().unwrap(), estimate["hi"].as_f64().unwrap())
    };
    let (a, b) = (interval("0"), interval("1"));
    assert_ne!(a, b);
    assert!(a.0 <= b.1 && b.0 <= a.1, "{a:?} and {b:?} do not overlap");
}

/// The shipped autoencoder that comes first by name.
fn first_sae() -> PathBuf {
    let saes = std::fs::read_dir(root().join("datasets/embedded/saes")).unwrap();
    saes.map(|entry| entry.unwrap().path()).min().unwrap()
}

/// The record of a store whose file name contains `part`.
fn record(out: &Path, part: &str) -> serde_json::Value {
    let mut paths = std::fs::read_dir(out).unwrap().map(|entry| entry.unwrap().path());
    let path = paths
        .find(|p| p.extension().is_some_and(|e| e == "json") && p.to_string_lossy().contains(part))
        .unwrap();
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

#[test]
fn the_embedded_model_meets_its_bars() {
    let out = tempfile::tempdir().unwrap();
    let args = [
        "run",
        "--words",
        "8",
        "--progress",
        "none",
        "--replicates",
        "500",
        "--format",
        "json",
        "--out",
    ];
    let mut args = args.to_vec();
    let folder = out.path().to_str().unwrap().to_owned();
    args.push(&folder);
    let sae = first_sae();
    args.extend(["--sae", sae.to_str().unwrap()]);
    let output = bench(&args);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let titles: Vec<&str> = json["tables"]
        .as_array()
        .unwrap()
        .iter()
        .map(|table| table["title"].as_str().unwrap())
        .collect();
    for part in [
        "Where the letter is",
        "Arms at",
        "SAEs:",
        "Why each SAE",
        "Diagnosis of",
    ] {
        assert!(titles.iter().any(|title| title.starts_with(part)), "{part}: {titles:?}");
    }
    let record = record(out.path(), "directions");
    let value = |name: &str| record["summary"][name]["value"].as_f64().unwrap();
    assert_eq!(
        (value("null/ms"), value("null/o_mean"), value("null/m_star")),
        (0.0, 0.0, 0.0)
    );
    assert_eq!(
        (
            value("full-site/ms"),
            value("full-site/o_mean"),
            value("full-site/m_star")
        ),
        (1.0, 1.0, 0.0)
    );
    assert!(value("leace-1/ms") > 0.5 && value("leace-1/o_mean") < 0.2);
    assert!(value("random/ms") < 0.1);
    assert!(value("site/share") >= 0.5);
    assert!(value("probe/f1") >= 0.8 && value("probe/auc") >= 0.97);
}
