//! Figures 4, 5, 16, 17, 19 and 20: latents as classifiers.

use linear_probe::metrics::ClassScores;
use report::svg::{ColourBy, Dot, Group, Panel, Panels, Point, Scatter, Series};
use report::{Column, Table};

use super::common::{Mean, by_l0, by_layer, groups, l0, note, of, probe_lines, published, sae_cells, sae_table};
use super::{Measured, Output};
use crate::paper::subject::SaeUnits;

/// Scores of the latent nearest to each probe.
fn single(units: &SaeUnits) -> Vec<Option<ClassScores>> {
    units
        .detection
        .data
        .detection
        .single
        .iter()
        .map(|single| single.scores)
        .collect()
}

/// Scores of the ranking probe's first latent, which says yes where it fires.
fn first(units: &SaeUnits) -> Vec<Option<ClassScores>> {
    units
        .detection
        .data
        .detection
        .ksparse
        .iter()
        .map(|letter| letter.fires)
        .collect()
}

type Scores = fn(&SaeUnits) -> Vec<Option<ClassScores>>;

fn scores_table(measured: &Measured<'_>, item: &str, title: &str, scores: Scores) -> anyhow::Result<Table> {
    let columns = vec![
        Column::higher("F1"),
        Column::higher("precision"),
        Column::higher("recall"),
        Column::higher("AUC"),
        Column::higher("probe F1").with_help("the dense probe of that layer on the same words"),
        Column::number("letters"),
    ];
    let mut table = sae_table(title, columns);
    for (member, units) in &measured.saes {
        let found = scores(units);
        let probe = measured.probes.iter().find(|(probe, _)| probe.layer == member.layer);
        let mut row = sae_cells(member, units);
        row.extend([
            Mean::cell(of(&found, |s| s.f1), 2),
            Mean::cell(of(&found, |s| s.precision), 2),
            Mean::cell(of(&found, |s| s.recall), 2),
            Mean::cell(of(&found, |s| s.auc), 3),
            Mean::cell(probe.and_then(|(probe, _)| of(&probe.sgd, |s| s.f1)), 2),
            report::Cell::count(found.iter().flatten().count() as u64),
        ]);
        table.push(row)?;
    }
    note(measured, &mut table, &published(item));
    Ok(table)
}

pub(super) fn fig4(measured: &Measured<'_>) -> anyhow::Result<Output> {
    let table = scores_table(
        measured,
        "fig4",
        "The latent nearest to each letter's probe, as a classifier",
        single,
    )?;
    let mut layers = Table::new(
        "The dense probe at every layer",
        vec![
            Column::number("layer"),
            Column::higher("F1"),
            Column::higher("precision"),
            Column::higher("recall"),
            Column::higher("AUC"),
        ],
    );
    for probe in &measured.line {
        layers.push(vec![
            report::Cell::count(probe.layer as u64),
            Mean::cell(of(&probe.sgd, |s| s.f1), 2),
            Mean::cell(of(&probe.sgd, |s| s.precision), 2),
            Mean::cell(of(&probe.sgd, |s| s.recall), 2),
            Mean::cell(of(&probe.sgd, |s| s.auc), 3),
        ])?;
    }
    note(measured, &mut layers, &published("fig4"));
    let probes = two_probes(measured)?;
    let mut points = groups(measured, |member, units| {
        Mean::dot(of(&single(units), |s| s.f1), member.layer as f64, "").map(|dot| Dot {
            lo: None,
            hi: None,
            ..dot
        })
    });
    points.push(Group {
        name: "dense probe".to_owned(),
        dots: measured
            .line
            .iter()
            .filter_map(|probe| Mean::dot(of(&probe.sgd, |s| s.f1), probe.layer as f64, ""))
            .collect(),
    });
    let a = Scatter {
        note: "Mean over letters; the probe with its 95 % interval.".to_owned(),
        y_range: Some((0.0, 1.0)),
        ..by_layer(
            measured,
            "F1 of the latent nearest to the probe, by layer",
            "F1",
            points,
        )
    };
    // The paper's two halves: layers 0 to 12 and 13 to 25 of 26.
    let half = measured.plan.config.layers.div_ceil(2);
    let part = |name: &str, lower: bool| {
        let points = groups(measured, |member, units| {
            ((member.layer < half) == lower)
                .then(|| Mean::dot(of(&single(units), |s| s.f1), l0(units), &member.input.id))
                .flatten()
        });
        Scatter {
            y_range: Some((0.0, 1.0)),
            references: if points.is_empty() {
                Vec::new()
            } else {
                probe_lines(measured, |layer| (layer < half) == lower, |s| s.f1)
            },
            empty: format!("no SAE in the {name} half of the layers"),
            ..by_l0(
                &format!("F1 of the latent nearest to the probe, {name} half of the layers"),
                "F1",
                points,
            )
        }
        .to_svg()
    };
    Ok(Output::default()
        .table("", table)
        .table("layers", layers)
        .table("probes", probes)
        .figure("a", a.to_svg())
        .figure("b", part("lower", true))
        .figure("c", part("upper", false)))
}

/// The paper's probe beside a converged regression on the same words.
fn two_probes(measured: &Measured<'_>) -> anyhow::Result<Table> {
    let columns = vec![
        Column::number("layer"),
        Column::text("probe"),
        Column::higher("F1"),
        Column::higher("precision"),
        Column::higher("recall"),
        Column::higher("AUC"),
    ];
    let mut table = Table::new("Two dense probes of the same words", columns);
    for (probe, _) in &measured.probes {
        let name = format!("Adam, batches of {} (the paper's)", probe.batch);
        for (name, scores) in [(name.as_str(), &probe.sgd), ("L-BFGS, converged", &probe.converged)] {
            table.push(vec![
                report::Cell::count(probe.layer as u64),
                report::Cell::text(name),
                Mean::cell(of(scores, |s| s.f1), 2),
                Mean::cell(of(scores, |s| s.precision), 2),
                Mean::cell(of(scores, |s| s.recall), 2),
                Mean::cell(of(scores, |s| s.auc), 3),
            ])?;
        }
    }
    note(measured, &mut table, &published("fig4"));
    Ok(table)
}

fn precision_recall(measured: &Measured<'_>, item: &str, what: &str, scores: Scores) -> anyhow::Result<Output> {
    let table = scores_table(measured, item, &format!("{what}: precision and recall"), scores)?;
    let against = |title: &str, axis: &str, value: fn(&ClassScores) -> f64| {
        let points = groups(measured, |member, units| {
            Mean::dot(of(&scores(units), value), l0(units), &member.input.id)
        });
        Scatter {
            y_range: Some((0.0, 1.0)),
            references: probe_lines(measured, |_| true, value),
            ..by_l0(&format!("{what}: {title}"), axis, points)
        }
        .to_svg()
    };
    let both = groups(measured, |member, units| {
        let found = scores(units);
        Some(Dot {
            x: of(&found, |s| s.recall)?.value,
            y: of(&found, |s| s.precision)?.value,
            value: Some(l0(units)),
            label: member.input.id.clone(),
            ..Dot::default()
        })
    });
    let both = Scatter {
        title: format!("{what}: precision against recall"),
        note: "Means over letters.".to_owned(),
        x_axis: "recall".to_owned(),
        y_axis: "precision".to_owned(),
        x_range: Some((0.0, 1.0)),
        y_range: Some((0.0, 1.0)),
        groups: both,
        colour: Some(ColourBy {
            name: "L0".to_owned(),
            log: true,
        }),
        empty: "no SAE".to_owned(),
        ..Scatter::default()
    };
    Ok(Output::default()
        .table("", table)
        .figure("a", against("precision by L0", "precision", |s| s.precision))
        .figure("b", against("recall by L0", "recall", |s| s.recall))
        .figure("c", both.to_svg()))
}

pub(super) fn fig5(measured: &Measured<'_>) -> anyhow::Result<Output> {
    precision_recall(measured, "fig5", "Latent nearest to the probe", single)
}

pub(super) fn fig19(measured: &Measured<'_>) -> anyhow::Result<Output> {
    precision_recall(measured, "fig19", "First latent of the ranking probe", first)
}

/// Both selections beside each other.
fn selections(measured: &Measured<'_>, item: &str) -> anyhow::Result<Table> {
    let columns = vec![
        Column::higher("F1 cosine").with_help("the latent nearest to the probe, yes where it fires"),
        Column::higher("F1 k=1").with_help("the ranking probe's first latent, yes where it fires"),
        Column::number("same").with_help("letters for which both are one latent"),
    ];
    let mut table = sae_table("Latents by encoder cosine and by the ranking probe", columns);
    for (member, units) in &measured.saes {
        let detection = &units.detection.data.detection;
        let same = detection
            .single
            .iter()
            .zip(&detection.ksparse)
            .filter(|(single, letter)| letter.latents.first() == Some(&single.latent))
            .count();
        let mut row = sae_cells(member, units);
        row.extend([
            Mean::cell(of(&single(units), |s| s.f1), 2),
            Mean::cell(of(&first(units), |s| s.f1), 2),
            report::Cell::count(same as u64),
        ]);
        table.push(row)?;
    }
    note(measured, &mut table, &published(item));
    Ok(table)
}

fn two_selections(measured: &Measured<'_>, by_layers: bool) -> Vec<Group> {
    let of_rule = |name: &str, scores: Scores| Group {
        name: name.to_owned(),
        dots: measured
            .saes
            .iter()
            .filter_map(|(member, units)| {
                let x = if by_layers { member.layer as f64 } else { l0(units) };
                Mean::dot(of(&scores(units), |s| s.f1), x, "").map(|dot| Dot {
                    lo: None,
                    hi: None,
                    ..dot
                })
            })
            .collect(),
    };
    vec![
        of_rule("encoder cosine", single),
        of_rule("ranking probe, k = 1", first),
    ]
}

pub(super) fn fig16(measured: &Measured<'_>) -> anyhow::Result<Output> {
    let figure = Scatter {
        note: "Means over letters; a latent says yes where it fires.".to_owned(),
        y_range: Some((0.0, 1.0)),
        references: probe_lines(measured, |_| true, |s| s.f1),
        ..by_l0(
            "Two ways to choose a letter's latent",
            "F1",
            two_selections(measured, false),
        )
    };
    let table = selections(measured, "fig16")?;
    Ok(Output::default().table("", table).figure("", figure.to_svg()))
}

pub(super) fn fig17(measured: &Measured<'_>) -> anyhow::Result<Output> {
    let figure = Scatter {
        note: "Means over letters; a latent says yes where it fires.".to_owned(),
        y_range: Some((0.0, 1.0)),
        ..by_layer(
            measured,
            "Two ways to choose a letter's latent, by layer",
            "F1",
            two_selections(measured, true),
        )
    };
    let table = selections(measured, "fig17")?;
    Ok(Output::default().table("", table).figure("", figure.to_svg()))
}

pub(super) fn fig20(measured: &Measured<'_>) -> anyhow::Result<Output> {
    let mut columns = vec![Column::text("letter"), Column::higher("probe F1")];
    columns.extend(measured.saes.iter().map(|(member, _)| Column::number(&member.input.id)));
    let mut table = Table::new("F1 of the latent nearest to the probe, letter by letter", columns);
    let mut panels = Vec::new();
    for (class, letter) in measured.plan.letters.iter().enumerate() {
        let f1 = |units: &SaeUnits| single(units)[class].map(|scores| scores.f1);
        // With SAEs of several layers, the mean over their probes.
        let of_layers = measured.probes.iter().filter_map(|(probe, _)| probe.sgd[class]);
        let all: Vec<f64> = of_layers.map(|scores| scores.f1).collect();
        let probe = stats::mean(&all).ok();
        let mut row = vec![report::Cell::text(letter.to_string()), number(probe)];
        row.extend(measured.saes.iter().map(|(_, units)| number(f1(units))));
        table.push(row)?;
        panels.push(panel(measured, &letter.to_string(), probe, &f1));
    }
    note(measured, &mut table, &published("fig20"));
    let figure = Panels {
        title: "F1 of the latent nearest to the probe, letter by letter".to_owned(),
        x_axis: "L0 (active latents per word)".to_owned(),
        y_axis: "F1".to_owned(),
        log_x: true,
        y_range: Some((0.0, 1.0)),
        panels,
        reference: "dense probe".to_owned(),
        ..Panels::default()
    };
    Ok(Output::default().table("", table).figure("", figure.to_svg()))
}

pub(super) fn number(value: Option<f64>) -> report::Cell {
    match value {
        Some(value) => report::Cell::Number { value, digits: 2 },
        None => report::Cell::Missing("no words".to_owned()),
    }
}

/// One letter's panel: a value of every SAE over its L0, by group.
pub(super) fn panel(
    measured: &Measured<'_>,
    title: &str,
    reference: Option<f64>,
    value: &dyn Fn(&SaeUnits) -> Option<f64>,
) -> Panel {
    let series = groups(measured, |_, units| {
        Some(Dot {
            x: l0(units),
            y: value(units)?,
            ..Dot::default()
        })
    });
    let point = |dot: &Dot| Point {
        x: dot.x,
        y: dot.y,
        lo: None,
        hi: None,
    };
    Panel {
        title: title.to_owned(),
        series: series
            .into_iter()
            .map(|group| Series {
                name: group.name,
                points: group.dots.iter().map(point).collect(),
            })
            .collect(),
        reference,
        empty: String::new(),
    }
}
