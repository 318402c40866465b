//! Figures 8 and 18 and Table 1: one letter, several latents.

use report::svg::{Lines, LinesScale, Point, Scatter, Series, Spread, Tick};
use report::{Cell, Column, Table};

use super::common::{Mean, by_l0, groups, l0, note, over_letters, published, sae_cells, sae_table};
use super::{Measured, Output};
use crate::paper::data::Activating;

/// Letters shown in Figure 8a: those that gain most from a second latent, and one that gains least.
const SHOWN: usize = 3;

/// Latents listed in Table 1.
const LISTED: usize = 16;

pub(super) fn fig8(measured: &Measured<'_>) -> anyhow::Result<Output> {
    let columns = vec![
        Column::number("splits").with_help("main latents beyond the first, mean over letters (k up to 15)"),
        Column::number("letters split"),
        Column::higher("F1 k=1"),
        Column::higher("F1 k=2"),
        Column::higher("F1 k=5"),
        Column::higher("F1 k=15"),
    ];
    let mut table = sae_table("Feature splitting: k-sparse probes", columns);
    for (member, units) in &measured.saes {
        let letters = &units.detection.data.detection.ksparse;
        let f1 = |k: usize| over_letters(letters.iter().map(|letter| letter.f1(k)));
        let mut row = sae_cells(member, units);
        row.extend([
            Mean::cell(over_letters(letters.iter().map(|l| Some(l.main.len() as f64 - 1.0))), 2),
            Cell::count(letters.iter().filter(|l| l.main.len() > 1).count() as u64),
            Mean::cell(f1(1), 2),
            Mean::cell(f1(2), 2),
            Mean::cell(f1(5), 2),
            Mean::cell(f1(15), 2),
        ]);
        table.push(row)?;
    }
    note(measured, &mut table, &published("fig8"));
    let points = groups(measured, |member, units| {
        let letters = &units.detection.data.detection.ksparse;
        let splits = over_letters(letters.iter().map(|l| Some(l.main.len() as f64 - 1.0)));
        Mean::dot(splits, l0(units), &member.input.id)
    });
    let splits = Scatter {
        note: "Main latents beyond the first; mean over letters with 95 % interval.".to_owned(),
        y_range: Some((0.0, 1.0)),
        ..by_l0("Feature splits per letter", "splits", points)
    };
    let (curve, chosen) = curves(measured);
    Ok(Output::default()
        .table("", table)
        .table("a", chosen?)
        .figure("a", curve.to_svg())
        .figure("b", splits.to_svg()))
}

/// F1 by k of letters with the largest gain from a second latent, in the SAE that has the largest of all.
fn curves(measured: &Measured<'_>) -> (Lines, anyhow::Result<Table>) {
    let gain = |sae: usize, class: usize| -> Option<f64> {
        let letter = &measured.saes[sae].1.detection.data.detection.ksparse[class];
        Some(letter.f1(2)? - letter.f1(1)?)
    };
    let classes = measured.plan.letters.len();
    let mut best: Vec<(f64, usize, usize)> = (0..measured.saes.len())
        .flat_map(|sae| (0..classes).filter_map(move |class| Some((gain(sae, class)?, sae, class))))
        .collect();
    best.sort_by(|a, b| b.0.total_cmp(&a.0));
    let sae = best.first().map_or(0, |&(_, sae, _)| sae);
    let mut chosen: Vec<usize> = best.iter().filter(|b| b.1 == sae).map(|b| b.2).take(SHOWN).collect();
    chosen.extend(
        best.iter()
            .rev()
            .find(|b| b.1 == sae && !chosen.contains(&b.2))
            .map(|b| b.2),
    );
    let id = measured.saes.get(sae).map_or("no SAE", |(member, _)| &member.input.id);
    let letters = measured
        .saes
        .get(sae)
        .map(|(_, units)| &units.detection.data.detection.ksparse);
    let series = chosen.iter().map(|&class| Series {
        name: measured.plan.letters[class].to_string(),
        points: letters
            .map(|letters| letters[class].by_k.as_slice())
            .unwrap_or_default()
            .iter()
            .filter_map(|point| {
                Some(Point {
                    x: point.k as f64,
                    y: point.scores?.f1,
                    lo: None,
                    hi: None,
                })
            })
            .collect(),
    });
    let series: Vec<Series> = series.collect();
    let table = || -> anyhow::Result<Table> {
        let mut columns = vec![Column::number("k")];
        columns.extend(series.iter().map(|s| Column::number(format!("F1 {}", s.name))));
        let mut table = Table::new(format!("F1 of k-sparse probes by k: {id}"), columns);
        for (at, point) in series
            .first()
            .map(|s| s.points.as_slice())
            .unwrap_or_default()
            .iter()
            .enumerate()
        {
            let mut row = vec![Cell::count(point.x as u64)];
            row.extend(
                series
                    .iter()
                    .map(|s| super::detection::number(s.points.get(at).map(|p| p.y))),
            );
            table.push(row)?;
        }
        Ok(table)
    };
    let table = table();
    let ticks = [1, 2, 3, 5, 10, 20, 50].map(|k| Tick {
        at: f64::from(k),
        label: k.to_string(),
    });
    let lines = Lines {
        title: format!("F1 of k-sparse probes: {id}"),
        note: "The letters that gain most from a second latent, and the one that gains least.".to_owned(),
        x_axis: "k (latents)".to_owned(),
        y_axis: "F1 on test words".to_owned(),
        x_scale: LinesScale::Log2,
        x_ticks: ticks.to_vec(),
        y_range: Some((0.0, 1.0)),
        spread: Spread::Band,
        series,
    };
    (lines, table)
}

pub(super) fn table1(measured: &Measured<'_>) -> anyhow::Result<Output> {
    let columns = vec![
        Column::text("SAE"),
        Column::text("letter"),
        Column::number("latent"),
        Column::number("gain").with_help("F1 with all main latents less F1 with the first"),
        Column::text("test words that activate it most, with activations"),
    ];
    let mut table = Table::new("Latents that split a letter", columns);
    let mut rows = Vec::new();
    for (member, units) in &measured.saes {
        let unit = &units.detection.data;
        for Activating { class, latent, words } in &unit.activating {
            let letter = &unit.detection.ksparse[*class];
            let gain = letter.f1(letter.main.len()).unwrap_or(0.0) - letter.f1(1).unwrap_or(0.0);
            rows.push((gain, &member.input.id, *class, *latent, words));
        }
    }
    // Latents of one letter and SAE have one gain and stay together.
    rows.sort_by(|a, b| b.0.total_cmp(&a.0));
    for (gain, id, class, latent, words) in rows.into_iter().take(LISTED) {
        let shown = words
            .iter()
            .take(8)
            .map(|(word, value)| format!("{} {value:.1}", report::svg::visible(word)));
        table.push(vec![
            Cell::text(id),
            Cell::text(measured.plan.letters[class].to_string()),
            Cell::count(u64::from(latent)),
            Cell::Number { value: gain, digits: 2 },
            Cell::text(shown.collect::<Vec<_>>().join(", ")),
        ])?;
    }
    table.notes.push(format!(
        "{}: the {LISTED} latents of the letters that gain most; a word of another letter shows what the latent is not.",
        measured.plan.model_id
    ));
    super::common::said(&mut table, &published("table1"));
    Ok(Output::default().table("", table))
}

pub(super) fn fig18(measured: &Measured<'_>) -> anyhow::Result<Output> {
    // The paper shows one SAE; here the one with most letters found by a single latent.
    let best = measured.saes.iter().max_by(|a, b| {
        let f1 = |units: &crate::paper::subject::SaeUnits| {
            let letters = &units.detection.data.detection.ksparse;
            over_letters(letters.iter().map(|l| l.f1(1))).map_or(0.0, |m| m.value)
        };
        f1(&a.1).total_cmp(&f1(&b.1))
    });
    let Some((member, units)) = best else {
        return Ok(Output::default());
    };
    let columns = vec![
        Column::text("letter"),
        Column::number("largest"),
        Column::number("second"),
        Column::number("third"),
        Column::number("sd of all"),
        Column::number("latent of the largest"),
    ];
    let mut table = Table::new(
        format!("Decoder cosines with each letter's probe: {}", member.input.id),
        columns,
    );
    let mut groups: Vec<report::svg::Group> = ["largest", "second", "third"]
        .map(|name| report::svg::Group {
            name: name.to_owned(),
            dots: Vec::new(),
        })
        .to_vec();
    for (class, cosines) in units.detection.data.detection.decoder.iter().enumerate() {
        let at = |i: usize| cosines.top.get(i).map(|(_, cosine)| *cosine);
        table.push(vec![
            Cell::text(measured.plan.letters[class].to_string()),
            super::detection::number(at(0)),
            super::detection::number(at(1)),
            super::detection::number(at(2)),
            Cell::Number {
                value: cosines.sd,
                digits: 3,
            },
            Cell::count(cosines.top.first().map_or(0, |(latent, _)| u64::from(*latent))),
        ])?;
        for (rank, group) in groups.iter_mut().enumerate() {
            let Some(y) = at(rank) else { continue };
            group.dots.push(report::svg::Dot {
                x: class as f64,
                y,
                label: if rank == 0 {
                    measured.plan.letters[class].to_string()
                } else {
                    String::new()
                },
                ..report::svg::Dot::default()
            });
        }
    }
    note(measured, &mut table, &published("fig18"));
    let figure = Scatter {
        title: format!(
            "The three largest decoder cosines with each letter's probe: {}",
            member.input.id
        ),
        x_axis: "letter (its place in the list of letters)".to_owned(),
        y_axis: "cosine".to_owned(),
        groups,
        empty: "no SAE".to_owned(),
        ..Scatter::default()
    };
    Ok(Output::default().table("", table).figure("", figure.to_svg()))
}
