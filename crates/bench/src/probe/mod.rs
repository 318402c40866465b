//! `bench probe`: linear probes of given activations, and how well they tell the classes.
//!
//! Tensors in, a probe and its scores out, so that every detection tool of the benchmark can be used, and checked, without a
//! model. Deliberately absent: running a model (`bench activations`), and choosing anything by test rows.

mod args;
mod encoder;
mod fit;
pub(crate) mod input;
mod ksparse;
pub(crate) mod show;
pub(crate) mod weights;

use std::collections::BTreeMap;

use checkpoint::write::TensorData;
use linear_probe::Labels;
use report::Column;
use serde_json::{Value, json};

use crate::failure;
use args::Kind;
pub(crate) use args::ProbeArgs;
pub(crate) use encoder::folded;
use fit::{evaluate, score_fields};
use input::{Labelled, Reading};
use show::{check_out, class_name, emit, table};

/// What is fitted and what is scored.
struct Data {
    train: Labelled,
    labels: Labels,
    test: Option<(Labelled, Labels)>,
}

/// What comes of it.
struct Outcome {
    tensors: Vec<TensorData<'static>>,
    settings: Value,
    fit: Value,
    mean: Value,
    per_class: Vec<Value>,
    /// Classes without scores.
    undefined: Vec<usize>,
}

/// Runs the command.
pub(crate) fn probe(args: &ProbeArgs) -> anyhow::Result<u8> {
    args.check()?;
    check_out(&args.out, &args.inputs())?;
    let encoder = args.encoder.open()?;
    let reading = match (&encoder, args.kind) {
        (Some((sae, _)), _) => Reading::Encoded(sae),
        (None, Kind::KSparse) => Reading::Latents,
        (None, _) => Reading::Dense,
    };
    let data = Data::read(args, reading)?;
    eprintln!(
        "{} train rows of {} {}, {} classes",
        data.train.n(),
        data.train.d,
        if matches!(reading, Reading::Dense) {
            "values"
        } else {
            "latents"
        },
        data.labels.n_classes()
    );
    let outcome = match args.kind {
        Kind::KSparse => ksparse::run(args, &data)?,
        _ => dense(args, &data)?,
    };
    let mut settings = outcome.settings;
    if let (Some(name), Some((_, folded))) = (&args.encoder.sae, &encoder) {
        settings["sae"] = json!({ "sae": name, "folded": folded });
    }
    let scored = &data.scored().0.source;
    let result = json!({
        "kind": args.kind.name(),
        "version": env!("CARGO_PKG_VERSION"),
        "seed": args.seed,
        "settings": settings,
        "train": { "file": data.train.source.file, "x": data.train.source.x, "y": data.train.source.y, "rows": data.train.n() },
        "scored_on": if data.test.is_some() { "test" } else { "train" },
        "scored": { "file": scored.file, "x": scored.x, "y": scored.y, "rows": data.scored().0.n() },
        "classes": data.labels.n_classes(),
        "d": data.train.d,
        "mean": outcome.mean,
        "per_class": outcome.per_class,
        "undefined": outcome.undefined,
        "fit": outcome.fit,
        "out": args.out,
    });
    let metadata = ["kind", "version", "seed", "settings", "train"].map(|key| {
        let text = result[key]
            .as_str()
            .map_or_else(|| result[key].to_string(), str::to_owned);
        (key.to_owned(), text)
    });
    checkpoint::write::safetensors(&args.out, &outcome.tensors, &BTreeMap::from(metadata))?;
    eprintln!("wrote {}", args.out.display());
    emit(&result, args.format, || {
        let title = format!("{} on {} rows of `{}`", args.kind.name(), data.scored().0.n(), scored.x);
        match args.kind {
            Kind::KSparse => ksparse::tables(title, &result),
            _ => Ok(vec![table(
                title,
                result["per_class"].as_array().map_or(&[], Vec::as_slice),
                columns(),
            )?]),
        }
    })?;
    Ok(failure::DONE)
}

impl Data {
    fn read(args: &ProbeArgs, reading: Reading<'_>) -> anyhow::Result<Self> {
        let train = Labelled::read(&args.train(), reading)?;
        let largest = train.y.iter().max().map_or(0, |largest| largest + 1);
        let classes = args.classes.unwrap_or(largest);
        let of = match args.classes {
            Some(_) => "`--classes`".to_owned(),
            None => format!("the largest of `{}` is {}", train.source.y, classes.saturating_sub(1)),
        };
        // Every class has weights; a stray number in `--y` must not ask for billions of them.
        if classes > train.n().max(2) {
            return Err(train.source.wrong(
                &train.source.y,
                &format!("there are {classes} classes ({of}), but only {} rows", train.n()),
                "number the classes from 0 without gaps",
            ));
        }
        let labels = train.labels(classes, &of)?;
        let test = match args.test() {
            Some(source) => {
                let test = Labelled::read(&source, reading)?;
                if test.d != train.d {
                    return Err(source.wrong(
                        &source.x,
                        &format!(
                            "its rows have {} values, those of `{}` have {}",
                            test.d, train.source.x, train.d
                        ),
                        "train and test activations must be of the same hook",
                    ));
                }
                let labels = test.labels(classes, &of)?;
                Some((test, labels))
            }
            None => None,
        };
        Ok(Self { train, labels, test })
    }

    /// The rows that are scored: test rows, where there are any.
    fn scored(&self) -> (&Labelled, &Labels) {
        match &self.test {
            Some((rows, labels)) => (rows, labels),
            None => (&self.train, &self.labels),
        }
    }
}

fn dense(args: &ProbeArgs, data: &Data) -> anyhow::Result<Outcome> {
    let fitted = fit::fit(args, &data.train, &data.labels)?;
    let (rows, labels) = data.scored();
    let threshold = args.threshold.unwrap_or(0.0);
    let found = evaluate(&fitted.probe, rows, labels, threshold)?;
    let classes = labels.n_classes();
    let per_class = (0..classes)
        .map(|class| {
            let mut entry = json!({
                "class": class,
                "name": class_name(class, classes),
                "positives": labels.counts()[class],
            });
            if let Some(entry) = entry.as_object_mut() {
                entry.extend(score_fields(found.classes[class].as_ref()));
            }
            entry
        })
        .collect();
    let mut settings = fitted.settings;
    settings["threshold"] = json!(threshold);
    let owned = |(name, shape, values): (String, Vec<usize>, Vec<f32>)| TensorData {
        bytes: checkpoint::write::f32_bytes(&values).into_owned().into(),
        ..TensorData::f32(name, &shape, &[])
    };
    let shape = vec![classes, fitted.probe.d];
    let own = [
        ("weight".to_owned(), shape, fitted.probe.weight),
        ("bias".to_owned(), vec![classes], fitted.probe.bias),
    ];
    Ok(Outcome {
        tensors: own.into_iter().chain(fitted.more).map(owned).collect(),
        settings,
        fit: fitted.fit,
        mean: json!({
            "f1": found.macro_mean(|scores| scores.f1),
            "precision": found.macro_mean(|scores| scores.precision),
            "recall": found.macro_mean(|scores| scores.recall),
            "auc": found.macro_mean(|scores| scores.auc),
        }),
        per_class,
        undefined: found.undefined,
    })
}

fn columns() -> Vec<(&'static str, Column)> {
    vec![
        ("name", Column::text("class")),
        ("positives", Column::number("positives")),
        ("f1", Column::higher("F1")),
        ("precision", Column::higher("precision")),
        ("recall", Column::higher("recall")),
        ("auc", Column::higher("AUC")),
    ]
}
