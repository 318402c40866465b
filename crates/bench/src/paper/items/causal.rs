//! Figures 6 and 7 and the check of attributions: one word, latent by latent.

use ablation::paper::{Example, MANY_STEPS, PathCheck};
use report::svg::{Bar, BarRow, Bars, visible};
use report::{Cell, Column, Table};

use super::common::{Mean, note, over_letters, published, sae_cells, sae_table, said};
use super::{Measured, Output};

/// Latents shown in Figure 7.
const SHOWN: usize = 10;

/// The example of largest effect over all SAEs, and its SAE; one with other latents to compare with where there is one.
fn best<'a>(measured: &'a Measured<'_>) -> Option<(&'a str, &'a Example)> {
    const COMPARED: usize = 5;
    let strength = |example: &Example| {
        let effect = example.effects.first().map_or(0.0, |effect| effect.effect.abs());
        (example.effects.len() >= COMPARED, effect)
    };
    measured
        .saes
        .iter()
        .filter_map(|(member, units)| Some((member.input.id.as_str(), units.absorption.data.example.as_ref()?)))
        .max_by(|a, b| {
            let (a, b) = (strength(a.1), strength(b.1));
            a.0.cmp(&b.0).then(a.1.total_cmp(&b.1))
        })
}

fn nothing(measured: &Measured<'_>, item: &str, title: &str) -> Output {
    let mut table = Table::new(title, vec![Column::text("result")]);
    table
        .notes
        .push("No SAE absorbs any word by the paper's definition, so there is no example.".to_owned());
    note(measured, &mut table, &published(item));
    Output::default().table("", table)
}

pub(super) fn fig6(measured: &Measured<'_>) -> anyhow::Result<Output> {
    let title = "An absorbed word beside words of its letter";
    let Some((id, example)) = best(measured) else {
        return Ok(nothing(measured, "fig6", title));
    };
    let (main, absorber) = (example.main, example.absorber);
    let mut words = Table::new(
        format!("Activations of two latents of {id} on words with {}", example.letter),
        vec![
            Column::text("word"),
            Column::number(format!("main latent {main}")),
            Column::number(format!("absorbing latent {absorber}")),
        ],
    );
    let two = |value: f64| Cell::Number { value, digits: 2 };
    for neighbour in &example.neighbours {
        words.push(vec![
            Cell::text(visible(&neighbour.word)),
            two(neighbour.main),
            two(neighbour.absorber),
        ])?;
    }
    words.notes.push(format!(
        "`{}` is the absorbed word with the largest lead in {id}; the others are words of the letter on which the main latent fires.",
        visible(&example.word)
    ));
    note(measured, &mut words, &published("fig6"));
    let mut cosines = Table::new(
        format!("Decoder cosines with the probe of {}: {id}", example.letter),
        vec![Column::text("latent"), Column::number("cosine")],
    );
    cosines.push(vec![Cell::text(format!("main {main}")), two(example.cosines[0])])?;
    cosines.push(vec![
        Cell::text(format!("absorbing {absorber}")),
        two(example.cosines[1]),
    ])?;
    said(&mut cosines, &published("fig6"));
    let bar = |value: f64| {
        Some(Bar {
            value,
            lo: None,
            hi: None,
        })
    };
    let figure = Bars {
        title: format!("{id}: activations on words with {}", example.letter),
        note: format!("The last word is absorbed: latent {absorber} fires where {main} does not."),
        axis: "activation".to_owned(),
        series: vec![format!("main latent {main}"), format!("absorbing latent {absorber}")],
        rows: example
            .neighbours
            .iter()
            .map(|neighbour| BarRow {
                label: neighbour.word.clone(),
                bars: vec![bar(neighbour.main), bar(neighbour.absorber)],
            })
            .collect(),
        digits: 1,
        ..Bars::default()
    };
    Ok(Output::default()
        .table("a", words)
        .table("b", cosines)
        .figure("", figure.to_svg()))
}

pub(super) fn fig7(measured: &Measured<'_>) -> anyhow::Result<Output> {
    let title = "Effect of each latent on an absorbed word";
    let Some((id, example)) = best(measured) else {
        return Ok(nothing(measured, "fig7", title));
    };
    let shown = example.effects.iter().take(SHOWN);
    let mut table = Table::new(
        format!("{title}: {} in {id}", visible(&example.word)),
        vec![
            Column::text("latent"),
            Column::number("effect")
                .with_help("change of m when the latent is removed, in logits; negative: it supports the letter"),
            Column::number("without the probe direction")
                .with_help("the same with the part of its contribution along the probe left in place"),
        ],
    );
    let mut rows = Vec::new();
    for effect in shown {
        let role = match effect.latent {
            latent if latent == example.absorber => " (absorbing)",
            latent if latent == example.main => " (main)",
            _ => "",
        };
        let label = format!("{}{role}", effect.latent);
        let two = |value: f64| Cell::Number { value, digits: 2 };
        table.push(vec![Cell::text(&label), two(effect.effect), two(effect.without_probe)])?;
        let bar = |value: f64| {
            Some(Bar {
                value,
                lo: None,
                hi: None,
            })
        };
        rows.push(BarRow {
            label,
            bars: vec![bar(effect.effect), bar(effect.without_probe)],
        });
    }
    table
        .notes
        .push("Exact: the model is run again without the latent, the SAE's error kept.".to_owned());
    note(measured, &mut table, &published("fig7"));
    super::common::effects_note(measured, &mut table);
    let figure = Bars {
        title: format!("{}: effect of removing each latent of {id}", visible(&example.word)),
        note: "The strongest latents of this word; exact ablation.".to_owned(),
        axis: "change of m, logits".to_owned(),
        series: vec!["as it is".to_owned(), "without the probe direction".to_owned()],
        rows,
        digits: 1,
        ..Bars::default()
    };
    Ok(Output::default().table("", table).figure("", figure.to_svg()))
}

/// Completeness, and agreement with exact ablation.
pub(super) fn attribution(measured: &Measured<'_>) -> anyhow::Result<Output> {
    let many = format!("off at {MANY_STEPS}");
    let columns = vec![
        Column::number("words"),
        Column::number("change").with_help("of m along the path, mean, logits"),
        Column::number("off").with_help("sum of attributions less that change, with the steps of this run: sum over words of absolute values, as a share of that of the changes"),
        Column::number(&many).with_help("the same with many steps: theory says 0"),
        Column::higher("r, integrated").with_help("correlation of integrated gradients with exact ablation over a word's latents"),
        Column::higher("r, first order").with_help("of gradient times activation with exact ablation"),
    ];
    let mut table = sae_table("Integrated gradients against exact ablation", columns);
    for (member, units) in &measured.saes {
        let checks = &units.absorption.data.found.checks;
        let changed: f64 = checks.iter().map(|c| c.change.abs()).sum();
        let off = |sum: fn(&PathCheck) -> f64| {
            let off: f64 = checks.iter().map(|c| (sum(c) - c.change).abs()).sum();
            if changed > 0.0 {
                Cell::Number {
                    value: off / changed,
                    digits: 4,
                }
            } else {
                Cell::Missing("no words".to_owned())
            }
        };
        let number = |mean: Option<Mean>, digits: usize| match mean {
            Some(mean) => Cell::Number {
                value: mean.value,
                digits,
            },
            None => Cell::Missing("no words".to_owned()),
        };
        let mut row = sae_cells(member, units);
        row.extend([
            Cell::count(checks.len() as u64),
            number(over_letters(checks.iter().map(|c| Some(c.change))), 2),
            off(|c| c.sum),
            off(|c| c.sum_many),
            number(over_letters(checks.iter().map(|c| c.correlation)), 2),
            number(over_letters(checks.iter().map(|c| c.correlation_first_order)), 2),
        ]);
        table.push(row)?;
    }
    table
        .notes
        .push("Means over words that were looked at, not over letters.".to_owned());
    note(measured, &mut table, &published("attribution"));
    super::common::effects_note(measured, &mut table);
    Ok(Output::default().table("", table))
}
