//! `bench run --arms full`: every arm that is listed is measured, and the dose sweep says what it says.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::PathBuf;

use assert_cmd::Command;
use serde_json::Value;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn bench(args: &[&str]) -> Vec<u8> {
    let output = Command::cargo_bin("bench")
        .unwrap()
        .args(args)
        .env("VERNIER_DATASETS", root().join("datasets"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

/// Arms of `bench ls arms` with `needs` in their second column.
fn listed(needs: &str) -> Vec<String> {
    let csv = String::from_utf8(bench(&["ls", "arms", "--format", "csv"])).unwrap();
    csv.lines()
        .filter_map(|line| {
            let (arm, rest) = line.split_once(',')?;
            let of_sae = rest.trim_start_matches('"').starts_with("an SAE");
            (of_sae == (needs == "an SAE") && arm != "arm" && !arm.starts_with('#')).then(|| arm.to_owned())
        })
        .collect()
}

#[test]
fn every_listed_arm_is_measured_and_doses_are_matched() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().to_str().unwrap();
    let sae = root().join("datasets/embedded/saes/topk-1024-k16");
    let args = [
        "run",
        "--arms",
        "full",
        "--sae",
        sae.to_str().unwrap(),
        "--letters",
        "a,b,m,s",
        "--limit",
        "6",
        "--random-draws",
        "2",
        "--replicates",
        "200",
        "--probe-words",
        "1500",
        "--out",
        out,
        "--progress",
        "none",
    ];
    let shown = String::from_utf8(bench(&args)).unwrap();
    let mut records: Vec<Value> = Vec::new();
    for entry in std::fs::read_dir(dir.path()).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|e| e == "json") {
            records.push(serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap());
        }
    }
    assert_eq!(records.len(), 2);
    for record in &records {
        let needs = if record["spec"]["sae"].is_null() {
            "nothing"
        } else {
            "an SAE"
        };
        let listed = listed(needs);
        assert!(listed.len() > 15, "{listed:?}");
        for arm in &listed {
            // One editor for all letters has no words of other letters to damage.
            let label_free = arm.contains("26u") || arm == "leace-25u" || arm == "lr-span";
            let metrics: &[&str] = if label_free {
                &["ms"]
            } else {
                &["ms", "o_mean", "m_star"]
            };
            for metric in metrics {
                assert!(
                    record["summary"][format!("{arm}/{metric}")]["value"].is_f64(),
                    "{arm}/{metric}"
                );
            }
            assert!(
                record["spec"]["arms"]
                    .as_array()
                    .unwrap()
                    .contains(&Value::from(arm.as_str())),
                "{arm}"
            );
        }
        let doses = record["tables"]["doses"].as_array().unwrap();
        let value = |row: &Value, name: &str| row["values"][name]["value"].as_f64().unwrap();
        for row in doses {
            let alpha: f64 = row["at"]["alpha"].as_str().unwrap().parse().unwrap();
            if alpha == 0.0 {
                assert!(value(row, "ms") == 0.0 && value(row, "floor_pca") == 0.0 && value(row, "rho_2") == 0.0);
            }
            // At dose 1 the sweep measures the arm itself.
            if alpha.total_cmp(&1.0).is_eq() {
                let arm = row["at"]["arm"].as_str().unwrap();
                let natural = record["summary"][format!("{arm}/ms")]["value"].as_f64().unwrap();
                assert!((natural - value(row, "ms")).abs() < 1e-9, "{arm}: {natural}");
            }
        }
        if needs == "nothing" {
            // LEACE at its own length is LEACE.
            let summary = |name: &str| record["summary"][name]["value"].as_f64().unwrap();
            assert!((summary("leace-1/ms_at_rho2") - summary("leace-1/ms")).abs() < 1e-6);
            assert!(summary("das-4/loss_last") < summary("das-4/loss_first"));
            assert!(summary("full-site/ms") > 0.999);
        }
    }
    assert!(
        shown.contains("das-1") && shown.contains("permuted-decoder") && shown.contains("Doses"),
        "{shown}"
    );
}
