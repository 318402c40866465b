//! Figures 13 and 22: the model itself.

use report::svg::{Heatmap, Lines, LinesScale, Point, Series, Spread, Tick};
use report::{Cell, Column, Table};

use super::common::{published, said};
use super::{Measured, Output};
use crate::paper::data::Share;

pub(super) fn fig13(measured: &Measured<'_>) -> anyhow::Result<Output> {
    let columns = vec![
        Column::number("letters").with_help("length of the word"),
        Column::number("words"),
        Column::higher("first letter").with_help("share of words whose first letter is the most likely of all tokens"),
        Column::higher("full spelling").with_help("share of words with every answer token right, teacher-forced"),
        Column::higher("spelled tokens").with_help("share of the answer tokens of full spellings that are right"),
    ];
    let mut table = Table::new("What the model can spell", columns);
    let share = |share: &Share| match share.of {
        0 => Cell::Missing("no words".to_owned()),
        of => Cell::Number {
            value: share.right as f64 / of as f64,
            digits: 3,
        },
    };
    let by_length = &measured.ability.by_length;
    for (length, first, whole, tokens) in by_length {
        table.push(vec![
            Cell::count(*length as u64),
            Cell::count(first.of as u64),
            share(first),
            share(whole),
            share(tokens),
        ])?;
    }
    table.notes.push(format!(
        "{}: held-out words, ten examples from the whole vocabulary, eight example sets; prompts `{{word}} has the first letter:` and `{{word}}:` with answers such as ` C-A-T`.",
        measured.plan.model_id
    ));
    said(&mut table, &published("fig13"));
    let series = |name: &str, of: fn(&(usize, Share, Share, Share)) -> Share| Series {
        name: name.to_owned(),
        points: by_length
            .iter()
            .map(|line| (line.0, of(line)))
            .filter(|(_, share)| share.of > 0)
            .map(|(length, share)| Point {
                x: length as f64,
                y: share.right as f64 / share.of as f64,
                lo: None,
                hi: None,
            })
            .collect(),
    };
    let figure = Lines {
        title: "What the model can spell, by length of the word".to_owned(),
        note: "Held-out words.".to_owned(),
        x_axis: "letters of the word".to_owned(),
        y_axis: "accuracy".to_owned(),
        x_scale: LinesScale::Linear,
        x_ticks: by_length
            .iter()
            .map(|line| Tick {
                at: line.0 as f64,
                label: line.0.to_string(),
            })
            .collect(),
        y_range: Some((0.0, 1.0)),
        spread: Spread::Band,
        series: vec![
            series("first letter", |line| line.1),
            series("full spelling", |line| line.2),
            series("spelled tokens", |line| line.3),
        ],
    };
    Ok(Output::default().table("", table).figure("", figure.to_svg()))
}

pub(super) fn fig22(measured: &Measured<'_>) -> anyhow::Result<Output> {
    let map = &measured.map;
    let mut columns = vec![Column::number("layer")];
    columns.extend(
        map.positions
            .iter()
            .enumerate()
            .map(|(at, token)| Column::number(format!("{at} {}", report::svg::visible(token)))),
    );
    let mut table = Table::new(
        "Share of the change of word that a patch makes, by layer and position",
        columns,
    );
    let layers = measured.plan.config.layers;
    let mut values = vec![vec![None; map.positions.len()]; layers];
    for cell in &map.cells {
        let patched: f64 = cell.by_letter.iter().map(|(_, patched, _)| patched).sum();
        let total: f64 = cell.by_letter.iter().map(|(_, _, total)| total).sum();
        if total.abs() > 0.0 {
            values[cell.layer][cell.position] = Some(patched / total);
        }
    }
    for (layer, row) in values.iter().enumerate() {
        let mut cells = vec![Cell::count(layer as u64)];
        cells.extend(row.iter().map(|value| super::detection::number(*value)));
        table.push(cells)?;
    }
    table.notes.push(format!(
        "{}: {} pairs of words; the stream of the other word is put in at one layer and position. 1: everything passes there. Difference of the two letters' logits, ratio of sums.",
        measured.plan.model_id, map.pairs
    ));
    said(&mut table, &published("fig22"));
    values.reverse();
    let figure = Heatmap {
        title: "Where the letter is: patching one layer and position".to_owned(),
        note: format!("{} pairs of words; ratio of sums over pairs.", map.pairs),
        scale: "share of the change".to_owned(),
        rows: (0..layers).rev().map(|layer| layer.to_string()).collect(),
        columns: map.positions.clone(),
        values,
        range: (0.0, 1.0),
        digits: 2,
        x_axis: "position, from the query word on".to_owned(),
        y_axis: "layer".to_owned(),
        ..Heatmap::default()
    };
    Ok(Output::default().table("", table).figure("", figure.to_svg()))
}
