//! The gap of an SAE in a record: its parts sum, letter by letter, and every letter has a named cause.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::{Path, PathBuf};

use assert_cmd::Command;
use serde_json::Value;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .canonicalize()
        .unwrap()
}

/// The records of a run without and with the SAE.
fn records(out: &Path, sae: &str) -> [Value; 2] {
    let mut found = [Value::Null, Value::Null];
    for entry in std::fs::read_dir(out).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.extension().is_some_and(|e| e == "json") {
            let record: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
            let slot = usize::from(name.contains(sae));
            found[slot] = record;
        }
    }
    found
}

fn value(row: &Value, name: &str) -> f64 {
    row[name]["value"]
        .as_f64()
        .unwrap_or_else(|| panic!("`{name}` is not in {row}"))
}

#[test]
fn parts_sum_to_the_gap_and_every_letter_has_a_cause() {
    const SAE: &str = "batchtopk-512-k4-s0";
    let folder = tempfile::tempdir().unwrap();
    let (out, figures) = (folder.path().join("out"), folder.path().join("figures"));
    let sae = root().join("datasets/embedded/saes").join(SAE);
    let output = Command::cargo_bin("bench")
        .unwrap()
        .current_dir(root())
        .args(["run", "--limit", "4", "--letters", "a-f", "--probe-words", "1500"])
        .args([
            "--replicates",
            "200",
            "--random-draws",
            "1",
            "--progress",
            "none",
            "--arms",
            "full",
        ])
        .args(["--sae", sae.to_str().unwrap(), "--out", out.to_str().unwrap()])
        .args(["--figures", figures.to_str().unwrap()])
        .output()
        .unwrap();
    let (stdout, stderr) = (
        String::from_utf8_lossy(&output.stdout).into_owned(),
        String::from_utf8_lossy(&output.stderr).into_owned(),
    );
    assert!(output.status.success(), "{stderr}");
    assert!(
        stdout.contains("Why each SAE falls short") && stdout.contains("Diagnosis of"),
        "{stdout}"
    );
    assert!(stderr.contains("short of `leace-1`"), "{stderr}");

    let [reference, record] = records(&out, SAE);
    let letters: Vec<&Value> = record["letters"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|row| row["arm"] == "gap")
        .collect();
    assert!(letters.len() >= 4, "{letters:?}");
    let ms = |record: &Value, arm: &str, letter: &Value| -> f64 {
        let rows = record["letters"].as_array().unwrap();
        let row = rows.iter().find(|row| row["arm"] == arm && row["letter"] == *letter);
        value(&row.unwrap()["values"], "ms")
    };
    let mut gaps = Vec::new();
    for row in &letters {
        let part = |name: &str| value(&row["values"], name);
        assert!((part("read") + part("write") - part("total")).abs() < 1e-9);
        let read: f64 = ["split", "absorb", "diffuse", "threshold", "dark"]
            .map(part)
            .iter()
            .sum();
        assert!((read - part("read")).abs() < 1e-9);
        let reads =
            ["main", "split", "absorb", "diffuse", "threshold", "dark"].map(|name| part(&format!("read_{name}")));
        assert!((reads.iter().sum::<f64>() - 1.0).abs() < 1e-9, "{reads:?}");
        // The same words and the same edits as in the arms.
        let (leace, main) = (
            ms(&reference, "leace-1", &row["letter"]),
            ms(&record, "sae:k=1:probe", &row["letter"]),
        );
        assert!(
            (part("total") - (leace - main)).abs() < 1e-4,
            "{} {leace} {main}",
            part("total")
        );
        assert!((part("ceiling") - (1.0 - leace)).abs() < 1e-4);
        gaps.push(part("total"));
    }
    let mean = gaps.iter().sum::<f64>() / gaps.len() as f64;
    assert!((value(&record["summary"], "gap/total") - mean).abs() < 1e-9);
    for name in [
        "absorption/full_ms_gain",
        "absorption/component_ms_gain",
        "gap/shapley_deviation",
    ] {
        assert!(value(&record["summary"], name).is_finite());
    }
    let diagnosis = record["tables"]["diagnosis"].as_array().unwrap();
    assert_eq!(diagnosis.len(), letters.len());
    for row in diagnosis {
        assert!(!row["at"]["cause"].as_str().unwrap().is_empty());
        assert!(row["at"]["evidence"].as_str().unwrap().contains("gap"), "{row}");
    }
    let steps = record["tables"]["gap_sequence"].as_array().unwrap();
    assert_eq!(steps.len(), 8);
    assert!((value(&steps[7]["values"], "ms") - 1.0).abs() < 1e-9);
    assert_eq!(record["tables"]["gap_sensitivity"].as_array().unwrap().len(), 8);

    let figure = std::fs::read_to_string(figures.join(format!("gap-{SAE}.svg"))).unwrap();
    assert!(
        figure.contains("absorption</text>") && !figure.contains("The steps leave"),
        "{figure}"
    );
}
