//! Probes against the released code, and against their own files.

use checkpoint::write::TensorData;
use serde_json::Value;

use super::common::{
    CLASSES, Place, apart, bench, done, floats, golden, ids, integers, json, list, number, probe, text,
};

#[test]
fn full_batch_training_from_given_weights() {
    let (place, reference) = (Place::new(), golden("probe_fullbatch.safetensors"));
    let mut worst = 0.0_f32;
    for epochs in ["1", "2", "5", "50"] {
        let out = place.path("probe.safetensors");
        let more = [
            "--kind", "lr-sgd", "--batch", "4096", "--epochs", epochs, "--init", &reference,
        ];
        probe(&out, &[&more[..], &["--init-weight", "init.weight"]].concat());
        for part in ["weight", "bias"] {
            worst = worst.max(apart(
                &floats(&out, part),
                &floats(&reference, &format!("epochs{epochs}.{part}")),
            ));
        }
    }
    println!("full batches: off by {worst:e}");
    assert!(worst <= 1e-6, "{worst}");
}

#[test]
fn the_ranking_probe_on_encoded_latents() {
    let (place, reference) = (Place::new(), golden("probe_l1_sparse_fullbatch.safetensors"));
    let (sae, out) = (place.path("sae"), place.path("probe.safetensors"));
    let mut worst = 0.0_f32;
    for epochs in ["1", "5", "50"] {
        let more = [
            "--kind",
            "lr-sgd",
            "--preset",
            "ranking",
            "--epochs",
            epochs,
            "--sae",
            &sae,
            "--no-fold",
        ];
        probe(
            &out,
            &[&more[..], &["--init", &reference, "--init-weight", "init.weight"]].concat(),
        );
        for part in ["weight", "bias"] {
            worst = worst.max(apart(
                &floats(&out, part),
                &floats(&reference, &format!("epochs{epochs}.{part}")),
            ));
        }
    }
    println!("ranking probe: off by {worst:e}");
    assert!(worst <= 2e-5, "{worst}");
}

/// Given weights are scored with `--epochs 0`, at both thresholds of the released code.
#[test]
fn scores_of_given_weights() {
    let (place, stats) = (Place::new(), json(golden("probe_stats.json").as_ref()));
    let (init, out) = (golden("probe_minibatch50.safetensors"), place.path("probe.safetensors"));
    let given = [
        "--kind",
        "lr-sgd",
        "--epochs",
        "0",
        "--init",
        &init,
        "--init-weight",
        "epochs50.weight",
    ];
    let mut worst = 0.0_f64;
    for (threshold, key) in [
        ("0", "gen_probe_stats_threshold_0"),
        ("0.5", "gen_probe_stats_threshold_0_5_on_logits"),
    ] {
        let found = probe(&out, &[&given[..], &["--threshold", threshold]].concat());
        assert_eq!(
            (&found["scored_on"], &found["scored"]["rows"]),
            (&"test".into(), &340.into())
        );
        for (found, expected) in list(&found["per_class"]).iter().zip(list(&stats[key])) {
            assert_eq!(found["name"], expected["letter"]);
            for field in ["f1", "precision", "recall"] {
                worst = worst.max((number(&found[field]) - number(&expected[field])).abs());
            }
        }
    }
    let found = probe(&out, &given);
    let metrics = json(golden("ksparse.json").as_ref());
    for (found, expected) in list(&found["per_class"]).iter().zip(list(&metrics["metrics"])) {
        for field in ["f1", "precision", "recall", "auc"] {
            worst = worst.max((number(&found[field]) - number(&expected[&format!("{field}_probe")])).abs());
        }
    }
    println!("scores of a given probe: off by {worst:e}");
    assert!(worst < 1e-6, "{worst}");
    assert!(apart(&floats(&out, "weight"), &floats(&init, "epochs50.weight")) == 0.0);
}

/// Latents, F1 and main latents from the released code's own ranking weights.
#[test]
fn k_sparse_selection() {
    let place = Place::new();
    let (sae, init, out) = (
        place.path("sae"),
        golden("ksparse_l1_probe.safetensors"),
        place.path("ksparse.safetensors"),
    );
    let given = [
        "--kind",
        "k-sparse",
        "--epochs",
        "0",
        "--init",
        &init,
        "--init-weight",
        "l1_weight",
    ];
    let found = probe(
        &out,
        &[&given[..], &["--sae", &sae, "--no-fold", "--k", "1-10"]].concat(),
    );
    let reference = json(golden("ksparse.json").as_ref());
    for expected in list(&reference["probes"]) {
        let (k, class) = (number(&expected["k"]) as usize, number(&expected["label"]) as usize);
        // Below this margin the order is rounding.
        if number(&expected["select_margin"]) > 1e-6 {
            let sorted = |value: &Value| {
                let mut ids = ids(value);
                ids.sort_unstable();
                ids
            };
            let latents = &found["per_class"][class]["by_k"][k - 1]["latents"];
            assert_eq!(sorted(latents), sorted(&expected["feature_ids"]), "k {k} class {class}");
        }
    }
    let (mut differing, mut sums) = (0, 0.0_f64);
    for (found, expected) in list(&found["per_class"]).iter().zip(list(&reference["metrics"])) {
        assert_eq!(ids(&found["main"]), ids(&expected["split_feats"]), "{}", found["name"]);
        for at in list(&found["by_k"]) {
            let k = &at["k"];
            differing +=
                usize::from((number(&at["f1"]) - number(&expected[&format!("f1_sparse_sae_{k}")])).abs() > 1e-6);
            sums = sums.max((number(&at["fires"]["f1"]) - number(&expected[&format!("f1_sum_sparse_sae_{k}")])).abs());
        }
    }
    println!("k-sparse F1 differs in {differing} of 260, sums by {sums:e}");
    assert!(
        differing <= 5,
        "the released regressions stop short of the optimum: {differing}"
    );
    assert!(sums < 1e-6);
    // The file holds the same.
    let latents = integers(&out, "latents");
    assert_eq!(latents.len(), CLASSES * 10);
    assert_eq!(
        latents[..10],
        ids(&found["per_class"][0]["latents"])
            .iter()
            .map(|&id| id as i64)
            .collect::<Vec<_>>()
    );
    assert_eq!(
        (floats(&out, "k5.weight").len(), floats(&out, "k5.bias").len()),
        (CLASSES * 5, CLASSES)
    );
    // Latents that somebody else encoded are read as they are.
    let data = golden("data.safetensors");
    let encoded = [
        "probe",
        "--kind",
        "k-sparse",
        "--acts",
        &data,
        "--x",
        "sae_acts_test",
        "--y",
        "y_test",
        "--out",
        &out,
    ];
    let found = done(&[&encoded[..], &["--k", "1,3"]].concat());
    assert_eq!((&found["d"], &found["scored_on"]), (&160.into(), &"train".into()));
    assert_eq!(list(&found["per_class"][0]["by_k"]).len(), 2);
}

/// F1 of every class from the tensors of the file alone.
fn f1_of_file(out: &str) -> Vec<f64> {
    let data = golden("data.safetensors");
    let (x, y) = (floats(&data, "X_test"), integers(&data, "y_test"));
    let (weight, bias) = (floats(out, "weight"), floats(out, "bias"));
    (0..CLASSES)
        .map(|class| {
            let w = &weight[class * 48..(class + 1) * 48];
            let (mut hits, mut wrong) = (0, 0);
            for (row, &label) in x.chunks_exact(48).zip(&y) {
                let score: f64 = row.iter().zip(w).map(|(&x, &w)| f64::from(x) * f64::from(w)).sum();
                match (score + f64::from(bias[class]) > 0.0, label as usize == class) {
                    (true, true) => hits += 1,
                    (false, false) => {}
                    _ => wrong += 1,
                }
            }
            2.0 * f64::from(hits) / f64::from(2 * hits + wrong)
        })
        .collect()
}

#[test]
fn every_kind_writes_the_probe_that_it_scores() {
    let (place, data) = (Place::new(), golden("data.safetensors"));
    for (kind, more, least) in [
        ("lr", [].as_slice(), 0.95),
        ("lr", &["--c", "1"], 0.95),
        // The paper's batches of 2048 would be 50 updates in all of these 1058 rows.
        ("lr-sgd", &["--preset", "saebench"], 0.9),
        ("leace", &[], 0.95),
        ("leace", &["--ridge", "0.1"], 0.9),
        ("diff-mean", &[], 0.85),
    ] {
        let out = place.path("probe.safetensors");
        let found = probe(&out, &[&["--kind", kind], more].concat());
        assert_eq!(found["kind"], kind);
        for (found, expected) in list(&found["per_class"]).iter().zip(f1_of_file(&out)) {
            assert!((number(&found["f1"]) - expected).abs() < 1e-12, "{kind} {found}");
        }
        assert!(number(&found["mean"]["f1"]) > least, "{kind} {}", found["mean"]);
        let file = checkpoint::Checkpoint::open(out.as_ref()).unwrap();
        assert_eq!(file.metadata()["kind"], kind);
        assert!(file.metadata().contains_key("settings") && file.metadata()["seed"] == "0");
        if kind == "leace" {
            let (reads, writes) = (floats(&out, "reads"), floats(&out, "writes"));
            for (read, write) in reads.chunks_exact(48).zip(writes.chunks_exact(48)) {
                let unit: f64 = read.iter().zip(write).map(|(&r, &w)| f64::from(r) * f64::from(w)).sum();
                assert!((unit - 1.0).abs() < 1e-5, "{unit}");
            }
            let x = floats(&data, "X_train");
            let mean = x.iter().step_by(48).map(|&x| f64::from(x)).sum::<f64>() / 1058.0;
            assert!((f64::from(floats(&out, "mu")[0]) - mean).abs() < 1e-5);
            assert_eq!(reads, floats(&out, "weight"));
        }
    }
}

#[test]
fn a_seed_gives_the_same_bytes_on_any_threads() {
    let place = Place::new();
    let file = |name: &str, more: &[&str]| {
        let out = place.path(name);
        probe(&out, &[&["--kind", "lr-sgd", "--epochs", "3"], more].concat());
        std::fs::read(out).unwrap()
    };
    let one = file("a.safetensors", &["--threads", "1"]);
    assert_eq!(one, file("b.safetensors", &["--threads", "2"]));
    assert_ne!(one, file("c.safetensors", &["--seed", "1"]));
}

/// More dimensions are rows of the last one, test rows may be in another file, and folders are made.
#[test]
fn shapes_and_places() {
    let (place, data) = (Place::new(), golden("data.safetensors"));
    let (x, y) = (floats(&data, "X_test"), integers(&data, "y_test"));
    let tensors = [
        TensorData::f32("X", &[34, 10, 48], &x),
        TensorData::i64("y", &[34, 10], &y),
    ];
    let cube = place.tensors("cube.safetensors", &tensors);
    let out = place.path("new/folder/probe.safetensors");
    let found = done(&[
        "probe",
        "--acts",
        &cube,
        "--x",
        "X",
        "--y",
        "y",
        "--kind",
        "diff-mean",
        "--out",
        &out,
    ]);
    assert_eq!(
        (&found["train"]["rows"], &found["scored_on"]),
        (&340.into(), &"train".into())
    );
    assert!(std::path::Path::new(&out).is_file());
    let args = [
        "probe",
        "--acts",
        &data,
        "--x",
        "X_train",
        "--y",
        "y_train",
        "--kind",
        "diff-mean",
        "--out",
        &out,
    ];
    let test = ["--test-acts", &cube, "--test-x", "X", "--test-y", "y"];
    let apart = done(&[&args[..], &test].concat());
    assert_eq!(apart["per_class"], probe(&out, &["--kind", "diff-mean"])["per_class"]);
    for format in ["term", "md", "csv", "latex"] {
        let output = bench(&[&args[..], &["--format", format]].concat());
        assert_eq!(output.status.code(), Some(0));
        let said = String::from_utf8(output.stdout).unwrap();
        assert!(said.contains("precision") && said.contains("recall"), "{said}");
    }
}

#[test]
fn help_names_everything() {
    for (verb, words) in [
        ("probe", ["--kind lr-sgd", "half way", "Examples:", "k5.weight"]),
        (
            "absorption",
            ["Main latents", "saebench-0.3.2", "Examples:", "--effects"],
        ),
    ] {
        let output = bench(&[verb, "--help"]);
        assert_eq!(output.status.code(), Some(0));
        let said = text(String::from_utf8(output.stdout).unwrap().as_ref());
        for word in words {
            assert!(said.contains(word), "`{word}` is not in: {said}");
        }
    }
}
