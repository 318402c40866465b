//! `bench run --arms full`: side effects, error terms and positions in a record, and refusals of `--text`.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::{Path, PathBuf};
use std::process::Output;

use assert_cmd::Command;
use serde_json::Value;

/// A small run of the embedded model.
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

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .canonicalize()
        .unwrap()
}

fn quick(out: &Path, more: &[&str]) -> Output {
    let sae = root().join("datasets/embedded/saes/topk-1024-k16");
    Command::cargo_bin("bench")
        .unwrap()
        .current_dir(root())
        .args(QUICK)
        .args(["--sae", sae.to_str().unwrap(), "--out", out.to_str().unwrap()])
        .args(more)
        .output()
        .unwrap()
}

/// A full run that must be refused, leaving nothing behind.
#[track_caller]
fn refused(more: &[&str], code: i32, names: &[&str]) {
    let out = tempfile::tempdir().unwrap();
    let output = quick(out.path(), more);
    let message = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(code), "{message}");
    for name in names {
        assert!(message.contains(name), "`{name}` is not in: {message}");
    }
    assert!(!message.contains("panicked"), "{message}");
    assert_eq!(std::fs::read_dir(out.path()).unwrap().count(), 0);
}

#[test]
fn text_that_cannot_be_used_is_refused_by_name_with_a_way_out() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, bytes: &[u8]| -> String {
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let full = |text: &str, more: &[&str], names: &[&str]| {
        refused(&[&["--arms", "full", "--text", text], more].concat(), 3, names);
    };
    let missing = folder.path().join("missing.txt");
    full(missing.to_str().unwrap(), &[], &["missing.txt", "hint", "UTF-8"]);
    full(
        &file("latin1.txt", b"caf\xe9 au lait"),
        &[],
        &["latin1.txt", "not UTF-8", "byte 3", "hint"],
    );
    full(&file("empty.txt", b" \n\n"), &[], &["empty.txt", "is empty", "hint"]);
    full(
        &file("short.txt", b"a few words"),
        &[],
        &["short.txt", "64", "longer text"],
    );
    let words = "the cat sat on the mat and ".repeat(40);
    let long = file("words.txt", words.as_bytes());
    full(
        &long,
        &["--text-tokens", "100000"],
        &["words.txt", "100000", "--text-tokens"],
    );
    refused(
        &["--arms", "full", "--text-tokens", "100000"],
        3,
        &["sampled_ids", "100000", "--text"],
    );
    refused(&["--text", &long], 2, &["--text", "--arms full"]);
    refused(&["--text-tokens", "100"], 2, &["--text-tokens", "--arms full"]);
}

fn records(out: &Path) -> Vec<Value> {
    let mut found = Vec::new();
    let mut folders = vec![out.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|e| e == "json") {
                let value: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
                if value.get("summary").is_some() {
                    found.push(value);
                }
            }
        }
    }
    found
}

fn value(record: &Value, name: &str) -> f64 {
    record["summary"][name]["value"]
        .as_f64()
        .unwrap_or_else(|| panic!("`{name}` is not in the record"))
}

/// A measurement of one row of a table, found by its place.
fn cell(record: &Value, table: &str, at: &[(&str, &str)], metric: &str) -> Option<f64> {
    let rows = record["tables"][table].as_array().unwrap();
    let row = rows
        .iter()
        .find(|row| at.iter().all(|(k, v)| row["at"][*k] == *v))
        .unwrap();
    row["values"][metric]["value"].as_f64()
}

#[test]
fn a_full_run_measures_side_effects_and_its_own_text_changes_its_identity() {
    let folder = tempfile::tempdir().unwrap();
    let full = ["--arms", "full", "--text-tokens", "150"];
    let out = folder.path().join("sampled");
    let output = quick(&out, &full);
    let shown = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(
        output.status.code(),
        Some(0),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    for title in [
        "Side effects",
        "What the SAEs' errors hold",
        "The same edits at other positions",
    ] {
        assert!(shown.contains(title), "{shown}");
    }
    let found = records(&out);
    assert_eq!(found.len(), 2);
    let (saes, directions): (Vec<&Value>, Vec<&Value>) = found.iter().partition(|r| !r["spec"]["sae"].is_null());
    let (sae, directions) = (saes[0], directions[0]);
    let metrics = [
        "text_kl",
        "letter_free_kl",
        "last_letter_kl",
        "length_kl",
        "copy_kl",
        "capitalisation_kl",
    ];
    for (record, arms) in [
        (directions, vec!["full-site", "random", "diff-mean", "lr", "leace-1"]),
        (sae, vec!["sae:random", "sae:k=1:probe", "sae:k=16"]),
    ] {
        for arm in arms {
            for metric in metrics {
                let kl = value(record, &format!("side/{arm}/{metric}"));
                assert!(kl >= 0.0, "{arm} {metric} {kl}");
                assert_eq!(cell(record, "side", &[("arm", arm)], metric), Some(kl));
            }
        }
    }
    // Replacing every vector does more than moving it along one direction.
    for metric in metrics {
        let [all, one] = ["full-site", "leace-1"].map(|arm| value(directions, &format!("side/{arm}/{metric}")));
        assert!(all > one && one > 0.0, "{metric}: {all} {one}");
    }
    assert!((0.0..=1.0).contains(&value(directions, "side/copy/accuracy")));
    for name in [
        "error/splice",
        "error/dark_ms",
        "error/patch_latents_ms",
        "error/patch_error_ms",
    ] {
        assert!(value(sae, name).is_finite());
    }
    // The first set is the site of all other results.
    let at = |arm| [("set", "last word token"), ("arm", arm)];
    let usual = ["sae:k=1:probe", "leace-1"].map(|arm| {
        let record = if arm == "leace-1" { directions } else { sae };
        let letters = record["letters"].as_array().unwrap();
        let of_arm = letters
            .iter()
            .filter(|row| row["arm"] == arm && row["values"]["ms"].is_object());
        let ms: Vec<f64> = of_arm
            .map(|row| row["values"]["ms"]["value"].as_f64().unwrap())
            .collect();
        (record, arm, ms)
    });
    for (record, arm, ms) in usual {
        let found = cell(record, "positions", &at(arm), "ms");
        if ms.is_empty() {
            // Too few letters for the arm's own scores: the set's are there all the same.
            assert!(found.is_some(), "{arm}");
            continue;
        }
        let mean = ms.iter().sum::<f64>() / ms.len() as f64;
        assert!((found.unwrap() - mean).abs() < 1e-6, "{arm}: {found:?} {mean}");
    }

    let text = folder.path().join("words.txt");
    std::fs::write(&text, "the cat sat on the mat and the dog ran home ".repeat(60)).unwrap();
    let out = folder.path().join("given");
    let output = quick(&out, &[&full[..], &["--text", text.to_str().unwrap()]].concat());
    assert_eq!(
        output.status.code(),
        Some(0),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let given = records(&out);
    let given = given.iter().find(|r| r["spec"]["sae"].is_null()).unwrap();
    assert_ne!(
        given["spec"]["settings"]["text"],
        directions["spec"]["settings"]["text"]
    );
    assert_eq!(given["spec"]["settings"]["text_tokens"], 150);
    let name = "side/leace-1/text_kl";
    assert!((value(given, name) - value(directions, name)).abs() > 1e-9);
    let same = "side/leace-1/copy_kl";
    assert!((value(given, same) - value(directions, same)).abs() < 1e-12);
}
