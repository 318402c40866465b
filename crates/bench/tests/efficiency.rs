//! What a full run on a few words says about efficiency and about latents as instruments, read from its records.

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

/// The records of a folder: that without an SAE, and that of the one SAE.
fn records(folder: &Path) -> (Value, Value) {
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let read = |path: PathBuf| -> Value { serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap() };
    let (saes, references): (Vec<Value>, Vec<Value>) = files
        .filter(|path| path.extension().is_some_and(|e| e == "json"))
        .map(read)
        .partition(|record| record["spec"]["sae"].is_object());
    assert_eq!((saes.len(), references.len()), (1, 1));
    (references.into_iter().next().unwrap(), saes.into_iter().next().unwrap())
}

fn value(record: &Value, name: &str) -> f64 {
    let estimate = &record["summary"][name];
    estimate["value"].as_f64().unwrap_or_else(|| panic!("no `{name}`"))
}

#[test]
fn a_full_run_holds_curves_unions_and_instruments_that_agree_with_its_arms() {
    let out = tempfile::tempdir().unwrap();
    let sae = root().join("datasets/embedded/saes/topk-1024-k4");
    let mut command = Command::cargo_bin("bench").unwrap();
    command.current_dir(root()).args([
        "run",
        "--arms",
        "full",
        "--limit",
        "4",
        "--letters",
        "a-e",
        "--probe-words",
        "2000",
        "--replicates",
        "100",
        "--random-draws",
        "2",
        "--progress",
        "none",
    ]);
    let output = command
        .arg("--sae")
        .arg(sae)
        .arg("--out")
        .arg(out.path())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{said}");
    assert!(
        said.contains("latents") && said.contains("Chosen on the test words themselves"),
        "{said}"
    );
    let shown = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        shown.contains("Latents as instruments") && shown.contains("Do misses depend on the word?"),
        "{shown}"
    );

    let (reference, sae) = records(out.path());
    for rule in ["cosine", "probe", "effect", "oracle"] {
        let same = value(&sae, &format!("ms_26/{rule}")) - value(&sae, &format!("sae:k=1:{rule}/ms"));
        assert!(same.abs() < 1e-12, "{rule}");
    }
    // An edit for all letters has a mediated share and no damage share.
    for (record, arm, key) in [
        (&sae, "sae:26u:probe", "ms_26u/probe"),
        (&sae, "sae:26u:random", "ms_26u/random"),
        (&reference, "lr-span", "ms_26u/lr-span"),
        (&reference, "leace-25u", "ms_26u/leace-25u"),
    ] {
        assert!((value(record, key) - value(record, &format!("{arm}/ms"))).abs() < 1e-12);
        assert!(record["summary"][format!("{arm}/m_star")].is_null(), "{arm}");
        assert!(
            record["spec"]["arms"].as_array().unwrap().iter().any(|a| a == arm),
            "{arm}"
        );
    }
    assert!(value(&sae, "ms_26u/latents") <= 5.0);

    for (curve, matches, ks) in [("k_curve", "k_to_match", 14), ("greedy_curve", "greedy_to_match", 8)] {
        let rows = sae["tables"][curve].as_array().unwrap();
        assert_eq!(rows.len(), ks, "{curve}");
        let area = value(&sae, &format!("{curve}/auc"));
        let best = rows
            .iter()
            .map(|row| row["values"]["m_star"]["value"].as_f64().unwrap());
        assert!(area > 0.0 && area <= best.fold(0.0, f64::max), "{curve}: {area}");
        let shares: Vec<f64> = rows
            .iter()
            .map(|row| row["values"]["matched"]["value"].as_f64().unwrap())
            .collect();
        assert!(shares.is_sorted(), "{curve}: {shares:?}");
        let end = value(&sae, &format!("{matches}/largest"));
        let mean = value(&sae, &format!("{matches}/restricted_mean"));
        assert!(mean >= 1.0 && mean <= end, "{mean} {end}");
        // Letters have a value or a bound, never both.
        let letters = sae["letters"].as_array().unwrap();
        let own: Vec<&Value> = letters.iter().filter(|row| row["arm"] == curve).collect();
        assert!(!own.is_empty());
        for row in own {
            let (at, beyond) = (&row["values"]["matches_at"], &row["values"]["needs_more_than"]);
            assert!(at.is_null() != beyond.is_null(), "{row}");
        }
    }
    let detect = |name: &str| value(&sae, &format!("detect/{name}"));
    assert!((detect("j") - (detect("se") + detect("sp") - 1.0)).abs() < 1e-9);
    assert!(
        value(&sae, "detect_set/se") >= detect("se"),
        "more latents miss no more words"
    );
    assert!(value(&reference, "detect/auroc") > 0.5, "the probe detects");
    let (observed, predicted) = (detect("observed_ratio"), detect("predicted_ratio"));
    assert!(observed.is_finite() && predicted.is_finite());
}
