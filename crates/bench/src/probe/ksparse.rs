//! `--kind k-sparse`: which latents tell a class, how well k of them do, and over how many it is split.
//!
//! Deliberately absent: the rule for choosing latents and the regressions, which are the library's.

use std::collections::BTreeMap;

use checkpoint::write::TensorData;
use linear_probe::Labels;
use linear_probe::ksparse::{KSparseClass, LOOK_AHEAD_PAPER};
use report::{Column, Table};
use serde_json::{Value, json};

use super::args::ProbeArgs;
use super::fit::{score_fields, stochastic};
use super::input::wrong;
use super::show::{class_name, table};
use super::{Data, Outcome};

/// Ranks, fits and scores.
pub(super) fn run(args: &ProbeArgs, data: &Data) -> anyhow::Result<Outcome> {
    let (train, labels) = (&data.train, &data.labels);
    let (scored, scored_labels) = data.scored();
    let ks = args.ks(train.d)?;
    if let Some(&k) = ks.last().filter(|&&k| k > train.d) {
        return Err(wrong(
            &train.source.file,
            &train.source.x,
            &format!("it has {} latents, fewer than `--k {k}`", train.d),
            "give smaller numbers with `--k`",
        ));
    }
    let ranking = stochastic(args, train, labels)?;
    let found = linear_probe::ksparse::evaluate(
        &ranking.probe,
        (train.sparse()?, labels),
        (scored.sparse()?, scored_labels),
        &ks,
    )
    .map_err(|error| train.source.refuse(&error))?;
    let mut settings = ranking.settings;
    settings["k"] = json!(ks);
    settings["jump"] = json!(args.jump());
    let per_class = found
        .iter()
        .map(|class| of_class(args, class, scored_labels))
        .collect::<Vec<_>>();
    Ok(Outcome {
        tensors: tensors(&found, &ks, &ranking.probe),
        settings,
        fit: ranking.fit,
        mean: means(&found, &ks, &per_class),
        per_class,
        undefined: (0..labels.n_classes())
            .filter(|&class| scored_labels.counts()[class] == 0)
            .collect(),
    })
}

fn of_class(args: &ProbeArgs, class: &KSparseClass, scored: &Labels) -> Value {
    let by_k: Vec<Value> = class
        .by_k
        .iter()
        .map(|at| {
            let mut entry = json!({
                "k": at.k,
                "latents": at.probe.latents,
                "weight": at.probe.weight,
                "bias": at.probe.bias,
                "select_margin": class.ranking.margin(at.k),
            });
            if let Some(entry) = entry.as_object_mut() {
                entry.extend(score_fields(at.regression.as_ref()));
                entry.insert("fires".to_owned(), Value::Object(score_fields(at.sum.as_ref())));
            }
            entry
        })
        .collect();
    json!({
        "class": class.class,
        "name": class_name(class.class, scored.n_classes()),
        "positives": scored.counts()[class.class],
        // Without k = 1, 2, ... the rule has nothing to look at.
        "main": Some(class.main_latents(args.jump(), LOOK_AHEAD_PAPER)).filter(|main| !main.is_empty()),
        "latents": class.ranking.latents,
        "by_k": by_k,
    })
}

fn means(found: &[KSparseClass], ks: &[usize], per_class: &[Value]) -> Value {
    let mean = |values: &[f64]| stats::mean(values).ok();
    let by_k: Vec<Value> = ks
        .iter()
        .enumerate()
        .map(|(at, k)| {
            let of = |field: fn(&linear_probe::metrics::ClassScores) -> f64| {
                let scores = found.iter().filter_map(|class| class.by_k[at].regression.as_ref());
                mean(&scores.map(field).collect::<Vec<f64>>())
            };
            json!({
                "k": k,
                "f1": of(|scores| scores.f1),
                "precision": of(|scores| scores.precision),
                "recall": of(|scores| scores.recall),
                "auc": of(|scores| scores.auc),
            })
        })
        .collect();
    let main: Vec<f64> = per_class
        .iter()
        .filter_map(|class| Some(class["main"].as_array()?.len() as f64))
        .collect();
    json!({ "by_k": by_k, "main_latents": mean(&main) })
}

fn tensors(found: &[KSparseClass], ks: &[usize], ranking: &linear_probe::SgdProbe) -> Vec<TensorData<'static>> {
    let classes = found.len();
    let owned = |name: String, shape: &[usize], values: &[f32]| TensorData {
        bytes: checkpoint::write::f32_bytes(values).into_owned().into(),
        ..TensorData::f32(name, shape, &[])
    };
    let most = found.first().map_or(0, |class| class.ranking.latents.len());
    let latents: Vec<i64> = found
        .iter()
        .flat_map(|class| &class.ranking.latents)
        .map(|&latent| latent as i64)
        .collect();
    let mut tensors = vec![
        TensorData::i64("latents", &[classes, most], &latents),
        owned("ranking.weight".to_owned(), &[classes, ranking.d], &ranking.weight),
        owned("ranking.bias".to_owned(), &[classes], &ranking.bias),
    ];
    for (at, &k) in ks.iter().enumerate() {
        let probes = || found.iter().map(move |class| &class.by_k[at].probe);
        let weight: Vec<f32> = probes().flat_map(|probe| &probe.weight).map(|&w| w as f32).collect();
        let bias: Vec<f32> = probes().map(|probe| probe.bias as f32).collect();
        tensors.push(owned(format!("k{k}.weight"), &[classes, k], &weight));
        tensors.push(owned(format!("k{k}.bias"), &[classes], &bias));
    }
    tensors
}

/// One row per class, F1 for each k.
pub(super) fn tables(title: String, result: &Value) -> anyhow::Result<Vec<Table>> {
    let rows: Vec<Value> = result["per_class"].as_array().into_iter().flatten().map(flat).collect();
    let ks: Vec<String> = result["mean"]["by_k"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|at| format!("F1 k={}", at["k"]))
        .collect();
    let mut columns = vec![
        ("name", Column::text("class")),
        ("positives", Column::number("positives")),
        ("main", Column::text("main latents")),
    ];
    columns.extend(ks.iter().map(|k| (k.as_str(), Column::higher(k))));
    Ok(vec![table(title, &rows, columns)?])
}

/// A class with its F1 by k as fields.
fn flat(class: &Value) -> Value {
    let mut row: BTreeMap<String, Value> = BTreeMap::new();
    for key in ["name", "positives", "main"] {
        row.insert(key.to_owned(), class[key].clone());
    }
    for at in class["by_k"].as_array().into_iter().flatten() {
        row.insert(format!("F1 k={}", at["k"]), at["f1"].clone());
    }
    json!(row)
}
