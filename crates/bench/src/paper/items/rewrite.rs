//! Figures 14 and 15: writing another first letter into a word.

use ablation::rewrite::Rewritten;
use report::svg::{Bar, BarRow, Bars, Group, Scatter};
use report::{Cell, Column, Table};

use super::common::{Mean, by_l0, by_layer, groups, l0, note, over_letters, published, sae_cells, sae_table};
use super::{Measured, Output};

/// SAEs of Figure 15, as in the paper.
const SHOWN: usize = 2;

/// A value of each class: its mean over the words that had this letter.
fn by_class(rewritten: &[Rewritten], classes: usize, value: fn(&Rewritten) -> f64) -> Vec<Option<f64>> {
    (0..classes)
        .map(|class| {
            let own: Vec<f64> = rewritten
                .iter()
                .filter(|r| r.rewrite.from == class)
                .map(value)
                .collect();
            stats::mean(&own).ok()
        })
        .collect()
}

fn three(rewritten: &[Rewritten], classes: usize) -> [Option<Mean>; 3] {
    let values: [fn(&Rewritten) -> f64; 3] = [|r| r.lost, |r| r.gained, |r| f64::from(u8::from(r.flipped))];
    values.map(|value| over_letters(by_class(rewritten, classes, value)))
}

pub(super) fn fig14(measured: &Measured<'_>) -> anyhow::Result<Output> {
    let classes = measured.plan.letters.len();
    let columns = vec![
        Column::higher("lost").with_help("fall of the true letter's probability in the whole vocabulary"),
        Column::higher("gained").with_help("rise of the new letter's probability"),
        Column::higher("flipped").with_help("share of words whose most likely letter is now the new one"),
        Column::number("words"),
    ];
    let mut table = sae_table("Rewriting the first letter through one latent per letter", columns);
    for (member, units) in &measured.saes {
        let rewritten = &units.rewrite.data.rewritten;
        let mut row = sae_cells(member, units);
        row.extend(three(rewritten, classes).map(|mean| Mean::cell(mean, 3)));
        row.push(Cell::count(rewritten.len() as u64));
        table.push(row)?;
    }
    for (layer, unit) in &measured.rewrites {
        let mut row = vec![
            Cell::text("probe directions"),
            Cell::count(*layer as u64),
            Cell::Missing("no SAE".to_owned()),
        ];
        row.extend(three(&unit.rewritten, classes).map(|mean| Mean::cell(mean, 3)));
        row.push(Cell::count(unit.rewritten.len() as u64));
        table.push(row)?;
    }
    note(measured, &mut table, &published("fig14"));
    let at = |which: usize, by_layers: bool| {
        let mut all = groups(measured, |member, units| {
            let x = if by_layers { member.layer as f64 } else { l0(units) };
            let label = if by_layers { "" } else { &member.input.id };
            Mean::dot(three(&units.rewrite.data.rewritten, classes)[which], x, label)
        });
        if by_layers {
            all.push(Group {
                name: "probe directions".to_owned(),
                dots: measured
                    .rewrites
                    .iter()
                    .filter_map(|(layer, unit)| Mean::dot(three(&unit.rewritten, classes)[which], *layer as f64, ""))
                    .collect(),
            });
        }
        all
    };
    let a = Scatter {
        note: "Mean over letters with 95 % interval; the new letter is drawn at random for each word.".to_owned(),
        ..by_layer(
            measured,
            "Rewriting the first letter: rise of the new letter's probability",
            "gained",
            at(1, true),
        )
    };
    let b = Scatter {
        note: "Mean over letters with 95 % interval.".to_owned(),
        ..by_l0(
            "Rewriting the first letter: rise of the new letter's probability, by L0",
            "gained",
            at(1, false),
        )
    };
    let c = Scatter {
        note: "Mean over letters with 95 % interval.".to_owned(),
        ..by_l0(
            "Rewriting the first letter: fall of the true letter's probability, by L0",
            "lost",
            at(0, false),
        )
    };
    Ok(Output::default()
        .table("", table)
        .figure("a", a.to_svg())
        .figure("b", b.to_svg())
        .figure("c", c.to_svg()))
}

pub(super) fn fig15(measured: &Measured<'_>) -> anyhow::Result<Output> {
    let classes = measured.plan.letters.len();
    let gained = |rewritten: &[Rewritten]| by_class(rewritten, classes, |r| r.gained);
    let mut order: Vec<usize> = (0..measured.saes.len()).collect();
    let mean = |at: usize| {
        over_letters(gained(&measured.saes[at].1.rewrite.data.rewritten)).map_or(f64::NEG_INFINITY, |m| m.value)
    };
    order.sort_by(|&a, &b| mean(b).total_cmp(&mean(a)));
    order.truncate(SHOWN);
    let mut names: Vec<String> = order.iter().map(|&at| measured.saes[at].0.input.id.clone()).collect();
    let mut values: Vec<Vec<Option<f64>>> = order
        .iter()
        .map(|&at| gained(&measured.saes[at].1.rewrite.data.rewritten))
        .collect();
    let layer = order.first().map(|&at| measured.saes[at].0.layer);
    if let Some((_, unit)) = measured.rewrites.iter().find(|(l, _)| Some(*l) == layer) {
        names.push("probe directions".to_owned());
        values.push(gained(&unit.rewritten));
    }
    let mut columns = vec![Column::text("letter")];
    columns.extend(names.iter().map(|name| Column::higher(name)));
    let mut table = Table::new(
        "Rise of the new letter's probability, by the word's own letter",
        columns,
    );
    let mut rows = Vec::new();
    for (class, letter) in measured.plan.letters.iter().enumerate() {
        let mut row = vec![Cell::text(letter.to_string())];
        row.extend(values.iter().map(|list| super::detection::number(list[class])));
        table.push(row)?;
        rows.push(BarRow {
            label: letter.to_string(),
            bars: values
                .iter()
                .map(|list| {
                    list[class].map(|value| Bar {
                        value,
                        lo: None,
                        hi: None,
                    })
                })
                .collect(),
        });
    }
    note(measured, &mut table, &published("fig15"));
    table
        .notes
        .push("The two SAEs that rewrite best on average.".to_owned());
    let figure = Bars {
        title: "Rewriting the first letter, by the word's own letter".to_owned(),
        note: "The two SAEs that rewrite best on average, and the probe directions.".to_owned(),
        axis: "rise of the new letter's probability".to_owned(),
        series: names,
        rows,
        digits: 2,
        ..Bars::default()
    };
    Ok(Output::default().table("", table).figure("", figure.to_svg()))
}
