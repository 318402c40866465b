//! The program's own output against what the reference libraries computed, tensor by tensor, as a script would compare them.
//!
//! `docs/parity.md` is this test's table: `VERNIER_UPDATE_PARITY=1 cargo test -p bench --test parity` writes it again. Otherwise the
//! test checks that the committed page lists the same rows; the distances in it are those of the machine that wrote it.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use assert_cmd::Command;
use checkpoint::Checkpoint;
use model_runner::plain::{LetterMetric, ParamSet, PlainModel, metric_gradient};
use model_runner::{HookName, ModelConfig};

/// One line of the table.
struct Row {
    source: String,
    tensor: String,
    count: usize,
    max: f64,
    mean: f64,
    tolerance: f64,
    /// What the tolerance is relative to, for people.
    rule: &'static str,
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn bench(args: &[&str]) {
    let mut command = Command::cargo_bin("bench").unwrap();
    command.args(args).current_dir(root()).assert().success();
}

fn read(checkpoint: &Checkpoint, name: &str) -> Vec<f32> {
    checkpoint.get(name).unwrap().to_f32().unwrap()
}

/// Largest and mean distance.
fn distance(got: &[f32], want: &[f32]) -> (f64, f64) {
    assert_eq!(got.len(), want.len());
    let (mut top, mut sum) = (0f64, 0f64);
    for (got, want) in got.iter().zip(want) {
        let far = f64::from((got - want).abs());
        assert!(far.is_finite());
        top = top.max(far);
        sum += far;
    }
    (top, sum / got.len().max(1) as f64)
}

fn folders(of: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut stack = vec![of.to_owned()];
    while let Some(folder) = stack.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                stack.push(path);
            } else if path.file_name().unwrap() == "golden.safetensors" {
                found.push(folder.clone());
            }
        }
    }
    found.sort();
    found
}

/// `resid_post.3` is one of `resid_post.*`.
fn kind(name: &str) -> String {
    match name.rsplit_once('.') {
        Some((kind, layer)) if layer.parse::<usize>().is_ok() => format!("{kind}.*"),
        _ => name.to_owned(),
    }
}

fn merge(rows: &mut BTreeMap<(String, String), Row>, source: &str, tensor: &str, (max, mean): (f64, f64)) {
    // The reference itself is up to 3e-5 away from f64, and sums over four layers in another order add as much several times.
    let row = rows.entry((source.to_owned(), kind(tensor))).or_insert(Row {
        source: source.to_owned(),
        tensor: kind(tensor),
        count: 0,
        max: 0.0,
        mean: 0.0,
        tolerance: 2e-4,
        rule: "absolute",
    });
    row.max = row.max.max(max);
    row.mean = (row.mean * row.count as f64 + mean) / (row.count + 1) as f64;
    row.count += 1;
}

fn model(folder: &Path, out: &Path, rows: &mut BTreeMap<(String, String), Row>) {
    let source = folder.file_name().unwrap().to_str().unwrap();
    let file = folder.join("golden.safetensors");
    bench(&[
        "activations",
        "--model",
        folder.to_str().unwrap(),
        "--ids",
        file.to_str().unwrap(),
        "--out",
        out.to_str().unwrap(),
    ]);
    let (golden, ours) = (Checkpoint::open(&file).unwrap(), Checkpoint::open(out).unwrap());
    let config = ModelConfig::read(&folder.join("config.json")).unwrap();
    for name in golden.names() {
        let made_by_gradient = name.starts_with("grad.") || name.starts_with("metric.") || name.starts_with("bf16.");
        if name == "input_ids" || made_by_gradient {
            continue;
        }
        assert_eq!(
            ours.get(name).unwrap().shape,
            golden.get(name).unwrap().shape,
            "{source} {name}"
        );
        let far = distance(&read(&ours, name), &read(&golden, name));
        merge(rows, source, name, far);
        // The long name holds the same values.
        if let Ok(hook) = HookName::parse(name, config.layers) {
            assert_eq!(read(&ours, &hook.to_string()), read(&ours, name), "{source} {name}");
        }
    }
    gradients(folder, source, &config, &golden, rows);
}

fn gradients(
    folder: &Path,
    source: &str,
    config: &ModelConfig,
    golden: &Checkpoint,
    rows: &mut BTreeMap<(String, String), Row>,
) {
    let params = ParamSet::read(config, &Checkpoint::open(folder).unwrap()).unwrap();
    let device = model_runner::device("flex").unwrap().autodiff();
    let model = PlainModel::new(config, &params, &device, false).unwrap();
    let ids = |name: &str| -> Vec<u32> {
        let ids = golden.get(name).unwrap().to_i64().unwrap();
        ids.into_iter().map(|id| u32::try_from(id).unwrap()).collect()
    };
    let metrics: Vec<LetterMetric> = ids("metric.pos_token")
        .into_iter()
        .map(|positive| LetterMetric {
            positive,
            negatives: ids("metric.neg_tokens"),
        })
        .collect();
    let layers: Vec<usize> = (0..config.layers)
        .filter(|layer| golden.contains(&format!("grad.resid_post.{layer}")))
        .collect();
    let (values, found) = metric_gradient(&model, &ids("input_ids"), &metrics, &layers).unwrap();
    merge(
        rows,
        source,
        "metric.value",
        distance(&values, &read(golden, "metric.value")),
    );
    for (layer, gradient) in layers.iter().zip(&found) {
        let name = format!("grad.resid_post.{layer}");
        merge(rows, source, &name, distance(gradient, &read(golden, &name)));
    }
}

fn autoencoder(folder: &Path, of: &Path, out: &Path, rows: &mut Vec<Row>) {
    let source = folder
        .strip_prefix(of)
        .unwrap()
        .iter()
        .next()
        .unwrap()
        .to_str()
        .unwrap();
    let file = folder.join("golden.safetensors");
    let golden = Checkpoint::open(&file).unwrap();
    let cases: [(&str, &str, &[&str]); 5] = [
        ("", "input", &[]),
        ("3", "input3", &[]),
        ("folded.", "input", &["--fold-norm"]),
        // What `dictionary_learning`'s loader makes of its `AutoEncoder` is the folded one.
        ("normalized.", "input", &["--fold-norm"]),
        ("threshold_mode.", "input", &["--stored-threshold"]),
    ];
    for (case, tensor, flags) in cases {
        let named = |what: &str| {
            if case == "3" {
                format!("{what}3")
            } else {
                format!("{case}{what}")
            }
        };
        if !golden.contains(&named("acts")) {
            continue;
        }
        let mut args = vec![
            "encode",
            "--sae",
            folder.to_str().unwrap(),
            "--acts",
            file.to_str().unwrap(),
        ];
        args.extend(["--tensor", tensor, "--out", out.to_str().unwrap()]);
        args.extend(flags);
        bench(&args);
        let ours = Checkpoint::open(out).unwrap();
        for what in ["acts", "recon"] {
            if !golden.contains(&named(what)) {
                continue;
            }
            let want = read(&golden, &named(what));
            assert_eq!(ours.get(what).unwrap().shape, golden.get(&named(what)).unwrap().shape);
            let (max, mean) = distance(&read(&ours, what), &want);
            let scale = want.iter().fold(0f64, |top, value| top.max(f64::from(value.abs())));
            // That golden was computed in bf16, which has 8 bits.
            let bf16 = source.contains("bf16");
            rows.push(Row {
                source: source.to_owned(),
                tensor: named(what),
                count: 1,
                max,
                mean,
                tolerance: if bf16 { 0.04 } else { 1e-4 } * scale,
                rule: if bf16 {
                    "0.04 of the largest"
                } else {
                    "1e-4 of the largest"
                },
            });
        }
    }
}

fn table(title: &str, rows: &[Row]) -> String {
    let mut text = format!(
        "## {title}\n\n| source | tensor | tensors | max abs | mean abs | tolerance | pass |\n|---|---|--:|--:|--:|--:|---|\n"
    );
    for row in rows {
        writeln!(
            text,
            "| {} | `{}` | {} | {:.1e} | {:.1e} | {:.1e} ({}) | {} |",
            row.source,
            row.tensor,
            row.count,
            row.max,
            row.mean,
            row.tolerance,
            row.rule,
            if row.max <= row.tolerance { "yes" } else { "**no**" }
        )
        .unwrap();
    }
    text
}

/// The first two columns of each row.
fn keys(text: &str) -> Vec<String> {
    text.lines()
        .filter(|line| line.starts_with("| "))
        .map(|line| line.split('|').take(3).collect::<Vec<_>>().join("|"))
        .collect()
}

#[test]
fn the_programs_output_equals_the_references() {
    let temp = tempfile::tempdir().unwrap();
    let out = temp.path().join("o.safetensors");
    let mut models = BTreeMap::new();
    let golden = root().join("crates/model-runner/tests/golden");
    for folder in folders(&golden) {
        model(&folder, &out, &mut models);
    }
    let models: Vec<Row> = models.into_values().collect();
    let mut saes = Vec::new();
    let golden = root().join("crates/sae/tests/golden/open");
    for folder in folders(&golden) {
        autoencoder(&folder, &golden, &out, &mut saes);
    }
    assert!(models.len() > 100 && saes.len() > 60, "{} {}", models.len(), saes.len());
    let far: Vec<String> = models
        .iter()
        .chain(&saes)
        .filter(|row| row.max > row.tolerance)
        .map(|row| format!("{} {}: {:e} above {:e}", row.source, row.tensor, row.max, row.tolerance))
        .collect();
    assert!(far.is_empty(), "{far:#?}");
    let text = format!(
        "# Parity with the reference libraries\n\n\
         Written by `VERNIER_UPDATE_PARITY=1 cargo test -p bench --test parity` from what `bench activations` and `bench encode`\n\
         write; the same test holds every row below its tolerance. Checkpoints are random, so that every option moves the numbers;\n\
         how they were made stands beside them (`crates/model-runner/tests/golden/README.md`, `crates/sae/tests/golden/`).\n\
         A row is one kind of tensor over all layers. Gradients are of the metric in `metric.value`, through the other engine.\n\n{}\n{}",
        table(
            "Models: transformers 4.57.6, torch 2.7.1, f32, eager attention",
            &models
        ),
        table(
            "Autoencoders: SAELens 6.54.12 and 3.19.2, dictionary_learning 0.1.0, sparsify 1.3.0",
            &saes
        )
    );
    let page = root().join("docs/parity.md");
    if std::env::var("VERNIER_UPDATE_PARITY").is_ok_and(|value| value == "1") {
        std::fs::write(&page, &text).unwrap();
    }
    let committed = std::fs::read_to_string(&page).unwrap();
    assert_eq!(
        keys(&committed),
        keys(&text),
        "docs/parity.md is out of date: see the head of this file"
    );
    assert!(!committed.contains("**no**"));
}
