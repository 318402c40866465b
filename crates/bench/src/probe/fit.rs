//! The probes that are one linear function per class.
//!
//! Deliberately absent: any mathematics. What a kind computes is in the library; here its result gets the form of a file.

use linear_probe::metrics::{ClassScores, Evaluation};
use linear_probe::sgd::{self, Init, RowOrder, Start};
use linear_probe::{
    C_GRID, Labels, Leace, LogisticConfig, LogisticProbe, Moments, ProbeError, SgdProbe, Shrinkage, Stop, Validation,
    diff_of_means, fit_logistic, fit_with_validation, metrics,
};
use serde_json::{Map, Value, json};

use super::args::{Kind, ProbeArgs};
use super::input::{Labelled, wrong};
use super::weights;
use crate::failure;

/// A tensor for the file: name, shape, values.
pub(super) type Tensor = (String, Vec<usize>, Vec<f32>);

/// A fitted probe.
pub(super) struct Fitted {
    pub(super) probe: SgdProbe,
    /// What a kind has beside weight and bias.
    pub(super) more: Vec<Tensor>,
    pub(super) settings: Value,
    /// How the fit went.
    pub(super) fit: Value,
}

/// Fits a dense kind.
pub(super) fn fit(args: &ProbeArgs, train: &Labelled, labels: &Labels) -> anyhow::Result<Fitted> {
    match args.kind {
        Kind::Lr => logistic(args, train, labels),
        Kind::Leace => leace(args, train, labels),
        Kind::DiffMean => means(train, labels),
        Kind::LrSgd | Kind::KSparse => stochastic(args, train, labels),
    }
}

fn logistic(args: &ProbeArgs, train: &Labelled, labels: &Labels) -> anyhow::Result<Fitted> {
    let refuse = |error: ProbeError| train.source.refuse(&error);
    let (fit, c, candidates) = match args.c {
        Some(c) if c > 0.0 && c.is_finite() => {
            let fit = fit_logistic(train.design()?, labels, &LogisticConfig::balanced(c)).map_err(refuse)?;
            (fit, c, Vec::new())
        }
        Some(c) => return Err(failure::usage(format!("`--c {c}` must be a positive number"))),
        None => {
            // The split that `bench run` makes, so that the probe is the same.
            let validation = Validation {
                grid: &C_GRID,
                held_out: 0.2,
                seed: stats::seed::sub_seed(args.seed, "probe/validation"),
                config: LogisticConfig::balanced(1.0),
            };
            let chosen = fit_with_validation(train.design()?, labels, &validation).map_err(refuse)?;
            (chosen.fit, chosen.c, chosen.candidates)
        }
    };
    let unfinished: Vec<usize> = (0..fit.outcomes.len())
        .filter(|&class| fit.outcomes[class].stop == Stop::MaxIterations)
        .collect();
    if !unfinished.is_empty() {
        eprintln!("warning: the regressions of classes {unfinished:?} ran out of iterations");
    }
    Ok(Fitted {
        probe: narrowed(&fit.probe),
        more: Vec::new(),
        settings: json!({ "c": c, "class_weight": "balanced", "c_chosen": args.c.is_none() }),
        fit: json!({ "candidates": candidates, "not_converged": unfinished }),
    })
}

fn leace(args: &ProbeArgs, train: &Labelled, labels: &Labels) -> anyhow::Result<Fitted> {
    let refuse = |error: ProbeError| train.source.refuse(&error);
    let shrinkage = args
        .ridge
        .map_or(Shrinkage::LedoitWolf, |relative| Shrinkage::Ridge { relative });
    let moments = Moments::new(train.design()?, labels).map_err(refuse)?;
    let erasers = Leace::per_class(&moments, shrinkage).map_err(refuse)?;
    let all = |part: fn(&Leace) -> &Vec<f64>| erasers.iter().flat_map(part).copied().collect::<Vec<f64>>();
    let (reads, writes) = (all(|eraser| &eraser.reads), all(|eraser| &eraser.writes));
    let shape = vec![labels.n_classes(), train.d];
    let probe = half_way(reads, train, labels)?;
    let more = vec![
        ("reads".to_owned(), shape.clone(), probe.weight.clone()),
        ("writes".to_owned(), shape, narrow(&writes)),
        ("mu".to_owned(), vec![train.d], narrow(moments.mean())),
    ];
    Ok(Fitted {
        probe,
        more,
        settings: json!({ "shrinkage": args.ridge.map_or(json!("ledoit-wolf"), |ridge| json!({ "ridge": ridge })) }),
        fit: json!({ "ledoit_wolf_intensity": moments.ledoit_wolf_intensity() }),
    })
}

fn means(train: &Labelled, labels: &Labels) -> anyhow::Result<Fitted> {
    let found = diff_of_means(train.design()?, labels).map_err(|error| train.source.refuse(&error))?;
    Ok(Fitted {
        probe: half_way(found.directions, train, labels)?,
        more: Vec::new(),
        settings: json!({}),
        fit: json!({}),
    })
}

/// Trains the stochastic probe, or takes given weights as they are.
pub(super) fn stochastic(args: &ProbeArgs, train: &Labelled, labels: &Labels) -> anyhow::Result<Fitted> {
    let given = args
        .init
        .as_deref()
        .map(|file| weights::read("--init", file, args.init_weight.as_deref(), args.init_bias.as_deref()))
        .transpose()?;
    if let (Some(given), Some(file)) = (&given, &args.init) {
        let (classes, d) = (given.probe.bias.len(), given.probe.d);
        if (classes, d) != (labels.n_classes(), train.d) {
            return Err(wrong(
                file,
                &given.weight,
                &format!(
                    "it is of {classes} classes and {d} columns, but `{}` has {} classes and `{}` {} columns",
                    train.source.y,
                    labels.n_classes(),
                    train.source.x,
                    train.d
                ),
                "initial weights must fit the data; say how many classes there are with `--classes N`",
            ));
        }
    }
    let config = args.sgd();
    let mut settings = serde_json::to_value(config)?;
    if let (Some(given), Some(file)) = (&given, &args.init) {
        settings["init"] = json!({ "file": file, "weight": given.weight, "bias": given.bias });
    }
    let (probe, losses) = match given {
        Some(given) if config.epochs == 0 => (given.probe, Vec::new()),
        given => {
            let start = Start {
                init: given
                    .as_ref()
                    .map_or(Init::Seeded(args.seed), |given| Init::Given(&given.probe)),
                order: RowOrder::Seeded(args.seed),
            };
            let fit = sgd::train(train.rows()?, labels, &config, start).map_err(|error| train.source.refuse(&error))?;
            (fit.probe, fit.losses)
        }
    };
    Ok(Fitted {
        probe,
        more: Vec::new(),
        settings,
        fit: json!({ "losses": losses }),
    })
}

/// Scores of the rows, as a reader of the file would compute them.
pub(super) fn evaluate(
    probe: &SgdProbe,
    rows: &Labelled,
    labels: &Labels,
    threshold: f64,
) -> anyhow::Result<Evaluation> {
    let refuse = |error: ProbeError| rows.source.refuse(&error);
    let scores = if rows.x().is_empty() {
        probe.scores(rows.rows()?)
    } else {
        probe.widened().scores(rows.design()?)
    };
    metrics::evaluate(&scores.map_err(refuse)?, labels, threshold).map_err(refuse)
}

/// Directions with the threshold half way between the mean of the class and that of all other train rows.
fn half_way(weight: Vec<f64>, train: &Labelled, labels: &Labels) -> anyhow::Result<SgdProbe> {
    let (n, classes) = (labels.n() as f64, labels.n_classes());
    let mut probe = LogisticProbe {
        d: train.d,
        weight,
        bias: vec![0.0; classes],
    };
    let scores = probe
        .scores(train.design()?)
        .map_err(|error| train.source.refuse(&error))?;
    let (mut own, mut all) = (vec![0.0; classes], vec![0.0; classes]);
    for (row, &class) in scores.chunks_exact(classes).zip(labels.classes()) {
        own[class] += row[class];
        all.iter_mut().zip(row).for_each(|(sum, score)| *sum += score);
    }
    for class in 0..classes {
        let count = labels.counts()[class] as f64;
        probe.bias[class] = -f64::midpoint(own[class] / count, (all[class] - own[class]) / (n - count));
    }
    Ok(narrowed(&probe))
}

fn narrow(values: &[f64]) -> Vec<f32> {
    values.iter().map(|&value| value as f32).collect()
}

fn narrowed(probe: &LogisticProbe) -> SgdProbe {
    SgdProbe {
        d: probe.d,
        weight: narrow(&probe.weight),
        bias: narrow(&probe.bias),
    }
}

/// The fields that every score has; null where a class has no scored rows.
pub(super) fn score_fields(scores: Option<&ClassScores>) -> Map<String, Value> {
    let of = |field: fn(&ClassScores) -> f64| json!(scores.map(field));
    Map::from_iter([
        ("f1".to_owned(), of(|scores| scores.f1)),
        ("precision".to_owned(), of(|scores| scores.precision)),
        ("recall".to_owned(), of(|scores| scores.recall)),
        ("auc".to_owned(), of(|scores| scores.auc)),
    ])
}
