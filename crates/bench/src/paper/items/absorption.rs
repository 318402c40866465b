//! Figures 9, 21 and 23: the paper's absorption rate.

use ablation::absorption::chanin::LetterRate;
use report::svg::{Dot, Panels, Scatter};
use report::{Cell, Column, Table};

use super::common::{
    Mean, by_l0, by_layer, effects_note, groups, l0, note, over_letters, published, sae_cells, sae_table, site_note,
};
use super::detection::{number, panel};
use super::{Measured, Output};
use crate::paper::subject::SaeUnits;

/// Rates of each letter with one kind of effect.
pub(super) fn rates<'a>(units: &'a SaeUnits, effect: &str) -> &'a [LetterRate] {
    let found = &units.absorption.data.found.chanin;
    found
        .iter()
        .find(|attributed| attributed.effect == effect)
        .map(|attributed| attributed.rates.as_slice())
        .unwrap_or_default()
}

/// As released: a letter of which no word was looked at is absent.
pub(super) fn released(rates: &[LetterRate]) -> Option<Mean> {
    over_letters(rates.iter().filter(|rate| rate.looked_at() > 0).map(LetterRate::rate))
}

/// Such a letter counts as 0.
pub(super) fn with_zeros(rates: &[LetterRate]) -> Option<Mean> {
    over_letters(rates.iter().map(LetterRate::rate))
}

pub(super) fn fig9(measured: &Measured<'_>) -> anyhow::Result<Output> {
    let columns = vec![
        Column::lower("absorption").with_help("absorbed words / words that the probe finds, mean over letters; letters of which no word was looked at count as 0"),
        Column::lower("as released").with_help("the same without those letters, as the released code averages"),
        Column::number("absent").with_help("letters of which no word was looked at"),
        Column::number("found").with_help("test words that the dense probe finds"),
        Column::number("missed").with_help("of these, missed by the k-sparse probe"),
        Column::number("silent").with_help("of these, with all main latents silent on a new prompt"),
        Column::number("absorbed"),
    ];
    let mut table = sae_table("Absorption rate (Chanin et al. 2025, section 5)", columns);
    for (member, units) in &measured.saes {
        let rates = rates(units, "paper");
        let counts = &units.absorption.data.found.counts;
        let sum = |value: fn(&ablation::paper::LetterCounts) -> usize| {
            Cell::count(counts.iter().map(value).sum::<usize>() as u64)
        };
        let mut row = sae_cells(member, units);
        row.extend([
            Mean::cell(with_zeros(rates), 3),
            Mean::cell(released(rates), 3),
            Cell::count(rates.iter().filter(|rate| rate.looked_at() == 0).count() as u64),
            sum(|c| c.true_positives),
            sum(|c| c.candidates),
            sum(|c| c.silent),
            Cell::count(rates.iter().map(LetterRate::absorbed).sum::<usize>() as u64),
        ]);
        table.push(row)?;
    }
    note(measured, &mut table, &published("fig9"));
    effects_note(measured, &mut table);
    site_note(measured, &mut table);
    let at = |by_layers: bool| {
        groups(measured, |member, units| {
            let x = if by_layers { member.layer as f64 } else { l0(units) };
            let dot = Mean::dot(with_zeros(rates(units, "paper")), x, &member.input.id)?;
            Some(if by_layers {
                Dot {
                    lo: None,
                    hi: None,
                    label: String::new(),
                    ..dot
                }
            } else {
                dot
            })
        })
    };
    let band = published("fig9").band();
    let a = Scatter {
        note: "Mean over letters.".to_owned(),
        band: band.clone(),
        ..by_layer(measured, "Absorption rate by layer", "absorption rate", at(true))
    };
    let b = Scatter {
        note: "Mean over letters with 95 % interval.".to_owned(),
        band,
        ..by_l0("Absorption rate by L0", "absorption rate", at(false))
    };
    Ok(Output::default()
        .table("", table)
        .figure("a", a.to_svg())
        .figure("b", b.to_svg()))
}

pub(super) fn fig21(measured: &Measured<'_>) -> anyhow::Result<Output> {
    let columns = vec![
        Column::lower("mean of the others")
            .with_help("metric m: the right letter's logit less the mean of the other 25"),
        Column::lower("largest of the others").with_help("metric m_max"),
        Column::lower("exact ablation")
            .with_help("metric m, each latent removed in turn instead of integrated gradients; not in the paper"),
    ];
    let mut table = sae_table("Absorption rate by the metric that effects are measured on", columns);
    for (member, units) in &measured.saes {
        let mut row = sae_cells(member, units);
        row.extend(["paper", "m_max", "exact"].map(|effect| Mean::cell(with_zeros(rates(units, effect)), 3)));
        table.push(row)?;
    }
    note(measured, &mut table, &published("fig21"));
    effects_note(measured, &mut table);
    site_note(measured, &mut table);
    let group = |name: &str, effect: &str| report::svg::Group {
        name: name.to_owned(),
        dots: measured
            .saes
            .iter()
            .filter_map(|(_, units)| {
                Mean::dot(with_zeros(rates(units, effect)), l0(units), "").map(|dot| Dot {
                    lo: None,
                    hi: None,
                    ..dot
                })
            })
            .collect(),
    };
    let points = vec![
        group("mean of the others (paper)", "paper"),
        group("largest of the others", "m_max"),
        group("mean, exact ablation", "exact"),
    ];
    let figure = Scatter {
        note: "Mean over letters; letters of which no word was looked at count as 0.".to_owned(),
        ..by_l0(
            "Absorption rate by metric and kind of effect",
            "absorption rate",
            points,
        )
    };
    Ok(Output::default().table("", table).figure("", figure.to_svg()))
}

pub(super) fn fig23(measured: &Measured<'_>) -> anyhow::Result<Output> {
    let mut columns = vec![Column::text("letter")];
    columns.extend(measured.saes.iter().map(|(member, _)| Column::number(&member.input.id)));
    let mut table = Table::new("Absorption rate, letter by letter", columns);
    let mut panels = Vec::new();
    for (class, letter) in measured.plan.letters.iter().enumerate() {
        let rate = |units: &SaeUnits| rates(units, "paper").get(class).and_then(LetterRate::rate);
        let mut row = vec![Cell::text(letter.to_string())];
        row.extend(measured.saes.iter().map(|(_, units)| number(rate(units))));
        table.push(row)?;
        panels.push(panel(measured, &letter.to_string(), None, &rate));
    }
    note(measured, &mut table, &published("fig23"));
    effects_note(measured, &mut table);
    site_note(measured, &mut table);
    let figure = Panels {
        title: "Absorption rate, letter by letter".to_owned(),
        x_axis: "L0 (active latents per word)".to_owned(),
        y_axis: "absorption rate".to_owned(),
        log_x: true,
        panels,
        ..Panels::default()
    };
    Ok(Output::default().table("", table).figure("", figure.to_svg()))
}
