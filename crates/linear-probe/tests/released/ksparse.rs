//! Chosen latents, refits, metrics on test rows and the splitting rule.
#![expect(clippy::unwrap_used, reason = "a golden file of another form should stop the test")]

use linear_probe::ProbeError;
use linear_probe::ksparse::{
    JUMP, KSparseClass, KSparseProbe, LOOK_AHEAD_PAPER, LOOK_AHEAD_SAEBENCH, PAPER_KS, Ranking, evaluate, rank,
    split_size,
};
use linear_probe::metrics::{ClassScores, score_class};
use linear_probe::sgd::SgdProbe;
use serde_json::Value;

use crate::golden::{Data, Tensors, data, design, json};

/// Margins below this are rounding of the ranking probe: an L1 penalty leaves many weights at
/// almost zero, and their order means nothing.
const DECIDED: f64 = 1e-6;

fn results(data: &Data, ks: &[usize]) -> Vec<KSparseClass> {
    evaluate(
        &Tensors::open("ksparse_l1_probe.safetensors").probe("l1_"),
        (data.train_latents.rows(), &data.train_labels),
        (data.test_latents.rows(), &data.test_labels),
        ks,
    )
    .unwrap()
}

fn numbers(value: &Value) -> Vec<f64> {
    let entries = value.as_array().unwrap().iter();
    entries.map(|entry| entry.as_f64().unwrap()).collect()
}

fn ids(value: &Value) -> Vec<usize> {
    numbers(value).into_iter().map(|id| id as usize).collect()
}

/// The mean loss that scikit-learn minimises, and the largest entry of its gradient.
fn objective(data: &Data, class: usize, latents: &[usize], weight: &[f64], bias: f64) -> (f64, f64) {
    let x = data.train_latents.rows().columns(latents).unwrap();
    let (n, hits) = (data.train_labels.n() as f64, data.train_labels.counts()[class] as f64);
    let mut loss = 0.5 * weight.iter().map(|w| w * w).sum::<f64>();
    let mut gradient = weight.to_vec();
    let mut bias_gradient = 0.0;
    for (row, &label) in x.chunks_exact(latents.len()).zip(data.train_labels.classes()) {
        let z: f64 = row.iter().zip(weight).map(|(&x, w)| f64::from(x) * w).sum::<f64>() + bias;
        let (share, sign) = if label == class { (hits, -1.0) } else { (n - hits, 1.0) };
        let (scale, wrong) = (n / (2.0 * share), sign * z);
        loss += scale * (wrong.max(0.0) + (-wrong.abs()).exp().ln_1p());
        let residual = scale * sign / (1.0 + (-wrong).exp());
        bias_gradient += residual;
        for (gradient, &x) in gradient.iter_mut().zip(row) {
            *gradient += residual * f64::from(x);
        }
    }
    let largest = gradient
        .iter()
        .fold(f64::abs(bias_gradient), |most, g| most.max(g.abs()));
    (loss / n, largest / n)
}

#[test]
fn selections_equal() {
    let probe = Tensors::open("ksparse_l1_probe.safetensors").probe("l1_");
    let rankings = rank(&probe, 10);
    for golden in json("ksparse.json")["probes"].as_array().unwrap() {
        let (k, class) = (
            golden["k"].as_u64().unwrap() as usize,
            golden["label"].as_u64().unwrap() as usize,
        );
        let ranking: &Ranking = &rankings[class];
        let margin = golden["select_margin"].as_f64().unwrap();
        assert!((f64::from(ranking.margin(k).unwrap()) - margin).abs() < 1e-7 + 1e-5 * margin);
        if margin > DECIDED {
            let (mut found, mut expected) = (ranking.latents[..k].to_vec(), ids(&golden["feature_ids"]));
            found.sort_unstable();
            expected.sort_unstable();
            assert_eq!(found, expected, "k {k} class {class}");
        }
    }
}

/// scikit-learn stops at a gradient of 1e-4, short of the optimum: its objective is up
/// to 0.2% above ours and never below.
#[test]
fn refits_reach_the_optimum_of_scikit_learn() {
    let data = data();
    let results = results(&data, &(1..=10).collect::<Vec<_>>());
    let (mut far, mut gap, mut gradients) = (Vec::new(), 0.0_f64, [0.0_f64; 2]);
    for golden in json("ksparse.json")["probes"].as_array().unwrap() {
        let (k, class) = (
            golden["k"].as_u64().unwrap() as usize,
            golden["label"].as_u64().unwrap() as usize,
        );
        let found = &results[class].by_k[k - 1].probe;
        assert_eq!(found.latents, ids(&golden["feature_ids"]));
        let (weight, bias) = (numbers(&golden["weight"]), golden["bias"].as_f64().unwrap());
        let pairs = found
            .weight
            .iter()
            .chain([&found.bias])
            .zip(weight.iter().chain([&bias]));
        far.push(
            pairs
                .map(|(found, expected)| (found - expected).abs())
                .fold(0.0, f64::max),
        );
        let ours = objective(&data, class, &found.latents, &found.weight, found.bias);
        let theirs = objective(&data, class, &found.latents, &weight, bias);
        assert!(
            ours.0 <= theirs.0 * (1.0 + 1e-7),
            "k {k} class {class}: {ours:?} {theirs:?}"
        );
        gap = gap.max(theirs.0 / ours.0 - 1.0);
        gradients = [gradients[0].max(ours.1), gradients[1].max(theirs.1)];
    }
    assert_eq!(far.len(), 260);
    far.sort_by(f64::total_cmp);
    assert!(far[130] < 0.02 && far[259] < 0.5, "{} {}", far[130], far[259]);
    assert!(gradients[0] < 1e-8 && gradients[1] < 1.01e-4, "{gradients:?}");
    assert!(gap < 3e-3, "{gap}");
}

fn metrics(scores: ClassScores) -> [(&'static str, f64); 4] {
    [
        ("f1", scores.f1),
        ("precision", scores.precision),
        ("recall", scores.recall),
        ("auc", scores.auc),
    ]
}

/// With scikit-learn's own weights, every decision is the released code's.
#[test]
fn decisions_of_given_weights_equal() {
    let data = data();
    let golden = json("ksparse.json");
    let outcome = results(&data, &[1])[0].by_k[0].probe.outcome;
    for golden_probe in golden["probes"].as_array().unwrap() {
        let class = golden_probe["label"].as_u64().unwrap() as usize;
        let probe = KSparseProbe {
            latents: ids(&golden_probe["feature_ids"]),
            weight: numbers(&golden_probe["weight"]),
            bias: golden_probe["bias"].as_f64().unwrap(),
            outcome,
        };
        let k = probe.latents.len();
        let x = data.test_latents.rows().columns(&probe.latents).unwrap();
        let scores: Vec<f64> = x.chunks_exact(k).map(|row| probe.score(row)).collect();
        let positive: Vec<bool> = data.test_labels.classes().iter().map(|&c| c == class).collect();
        for (name, found) in metrics(score_class(&scores, &positive, 0.0).unwrap()) {
            let expected = golden["metrics"][class][format!("{name}_sparse_sae_{k}")]
                .as_f64()
                .unwrap();
            // Rounding of the stored weights and of f32 scores may swap two nearly equal rows.
            let tolerance = if name == "auc" { 5e-4 } else { 1e-6 };
            assert!(
                (found - expected).abs() < tolerance,
                "k {k} class {class} {name} {found} {expected}"
            );
        }
    }
}

/// Sums and main latents are the released code's. At the optimum of the regressions, five of 260
/// decide a row or two differently from where scikit-learn stopped.
#[test]
fn metrics_on_test_rows_and_main_latents_equal() {
    let data = data();
    let results = results(&data, &PAPER_KS);
    let golden = json("ksparse.json");
    let mut differing = Vec::new();
    for (result, golden) in results.iter().zip(golden["metrics"].as_array().unwrap()) {
        let class = result.class;
        assert_eq!(result.by_k.len(), PAPER_KS.len());
        for scores in result.by_k.iter().filter(|scores| scores.k <= 10) {
            let k = scores.k;
            for (name, found) in metrics(scores.sum.unwrap()) {
                let expected = golden[format!("{name}_sum_sparse_sae_{k}")].as_f64().unwrap();
                assert!((found - expected).abs() < 1e-6, "k {k} class {class} {name}");
            }
            let mut same = true;
            for (name, found) in metrics(scores.regression.unwrap()) {
                let expected = golden[format!("{name}_sparse_sae_{k}")].as_f64().unwrap();
                let off = (found - expected).abs();
                assert!(
                    off < if name == "auc" { 1e-3 } else { 0.1 },
                    "k {k} class {class} {name}"
                );
                same &= name == "auc" || off < 1e-6;
            }
            if !same {
                differing.push((class, k));
            }
        }
        let main = result.main_latents(JUMP, LOOK_AHEAD_PAPER);
        assert_eq!(main, ids(&golden["split_feats"]), "class {class}");
        assert_eq!(main.len() as u64 - 1, golden["num_split_features"].as_u64().unwrap());
        assert_eq!(main, result.main_latents(JUMP, LOOK_AHEAD_SAEBENCH));
    }
    assert!(differing.len() <= 5, "{differing:?}");
}

#[test]
fn dense_probe_metrics_equal() {
    let data = data();
    let probe = Tensors::open("probe_minibatch50.safetensors").probe("epochs50.");
    let scores = probe.scores(design(&data.test).into()).unwrap();
    let found = linear_probe::metrics::evaluate(&scores, &data.test_labels, 0.0).unwrap();
    for (found, golden) in found
        .classes
        .iter()
        .zip(json("ksparse.json")["metrics"].as_array().unwrap())
    {
        for (name, found) in metrics(found.unwrap()) {
            let expected = golden[format!("{name}_probe")].as_f64().unwrap();
            assert!((found - expected).abs() < 1e-6, "{name} {found} {expected}");
        }
    }
}

#[test]
fn splitting_rule_equals_the_table() {
    for row in json("feature_split_table.json").as_array().unwrap() {
        let (f1, expected) = (numbers(&row["f1"]), ids(&row["split_feats"]));
        for look_ahead in [LOOK_AHEAD_PAPER, LOOK_AHEAD_SAEBENCH] {
            let size = split_size(&f1, JUMP, look_ahead);
            assert_eq!(size, expected.len(), "{row}");
            assert_eq!(size as u64 - 1, row["num_split_features"].as_u64().unwrap());
        }
    }
}

#[test]
fn gaps_in_k_end_the_splitting_and_bad_k_is_refused() {
    let data = data();
    let some = results(&data, &[3, 1, 3]);
    assert!(
        some.iter()
            .all(|class| class.by_k.len() == 2 && class.main_latents(-1.0, 15).len() == 1)
    );
    let probe = SgdProbe {
        d: 160,
        weight: vec![0.0; 26 * 160],
        bias: vec![0.0; 26],
    };
    let train = (data.train_latents.rows(), &data.train_labels);
    let test = (data.test_latents.rows(), &data.test_labels);
    for ks in [&[][..], &[0], &[161]] {
        let refused = evaluate(&probe, train, test, ks);
        assert!(matches!(refused, Err(ProbeError::Setting { name: "k", .. })));
    }
    let narrow = SgdProbe { d: 159, ..probe };
    assert!(matches!(
        evaluate(&narrow, train, test, &[1]),
        Err(ProbeError::Length { .. })
    ));
}
