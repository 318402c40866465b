//! Everything by SAE and letter, in one long table for other programs.

use ablation::absorption::chanin::LetterRate;
use ablation::absorption::saebench::{Definition, Guard};
use report::{Cell, Column, Table};

use super::absorption::rates;
use super::common::{note, published};
use super::{Measured, Output};

pub(super) fn letters(measured: &Measured<'_>) -> anyhow::Result<Output> {
    let columns = vec![
        Column::text("SAE"),
        Column::text("letter"),
        Column::higher("probe F1"),
        Column::higher("probe precision"),
        Column::higher("probe recall"),
        Column::higher("probe AUC"),
        Column::number("latent").with_help("nearest to the probe by encoder cosine"),
        Column::number("encoder cosine"),
        Column::number("decoder cosine"),
        Column::higher("F1"),
        Column::higher("precision"),
        Column::higher("recall"),
        Column::higher("AUC"),
        Column::text("main latents").with_help("of the ranking probe, by the splitting rule"),
        Column::higher("k=1 F1").with_help("of the regression on the first of them"),
        Column::higher("k-sparse F1").with_help("of the regression on all of them"),
        Column::lower("absorption").with_help("the paper's rate"),
        Column::lower("full"),
        Column::lower("fraction 0.6"),
        Column::higher("main recall"),
    ];
    let mut table = Table::new("Every SAE and letter", columns);
    let number = |value: Option<f64>| match value {
        Some(value) => Cell::Number { value, digits: 3 },
        None => Cell::Missing("no words".to_owned()),
    };
    for (member, units) in &measured.saes {
        let detection = &units.detection.data.detection;
        let found = &units.absorption.data.found;
        let scored = found.score(&detection.main_counts(), Definition::V0_6, &Guard::default())?;
        let probe = measured.probes.iter().find(|(probe, _)| probe.layer == member.layer);
        for (class, letter) in measured.plan.letters.iter().enumerate() {
            let (single, ksparse) = (&detection.single[class], &detection.ksparse[class]);
            let dense = probe.and_then(|(probe, _)| probe.sgd[class]);
            let score = &scored.letters[class];
            let main: Vec<String> = ksparse.main.iter().map(ToString::to_string).collect();
            table.push(vec![
                Cell::text(&member.input.id),
                Cell::text(letter.to_string()),
                number(dense.map(|s| s.f1)),
                number(dense.map(|s| s.precision)),
                number(dense.map(|s| s.recall)),
                number(dense.map(|s| s.auc)),
                Cell::count(u64::from(single.latent)),
                number(Some(single.encoder_cosine)),
                number(Some(single.decoder_cosine)),
                number(single.scores.map(|s| s.f1)),
                number(single.scores.map(|s| s.precision)),
                number(single.scores.map(|s| s.recall)),
                number(single.scores.map(|s| s.auc)),
                Cell::text(main.join(" ")),
                number(ksparse.f1(1)),
                number(ksparse.f1(ksparse.main.len())),
                number(rates(units, "paper").get(class).and_then(LetterRate::rate)),
                number(score.full_rate()),
                number(score.fraction(Definition::V0_6)),
                number(found.companions[class].main_recall),
            ])?;
        }
    }
    note(measured, &mut table, &published("letters"));
    Ok(Output::default().table("", table))
}
