//! All definitions beside each other, their companions, the control, and how they depend on the ranking probe.

use ablation::absorption::companions::LetterCompanions;
use ablation::absorption::saebench::{Definition, Guard, LetterScore};
use ablation::paper::Found;
use report::{Cell, Column};

use super::absorption::{rates, released, with_zeros};
use super::common::{
    Mean, TOO_FEW, effects_note, note, over_letters, published, sae_cells, sae_table, site_note, site_share,
};
use super::{Measured, Output};

/// Scores of each letter that counts, as means with intervals: full absorption, fraction of 0.6, fraction of 0.3.2.
pub(super) struct Scores {
    pub(super) full: Option<Mean>,
    pub(super) fraction: Option<Mean>,
    pub(super) fraction_old: Option<Mean>,
    /// Letters whose probe is good enough, and whether they are enough.
    pub(super) letters: usize,
    pub(super) valid: bool,
}

pub(super) fn scores(found: &Found, main: &[usize]) -> anyhow::Result<Scores> {
    let new = found.score(main, Definition::V0_6, &Guard::default())?;
    let old = found.score(main, Definition::V0_3_2, &Guard::of(Definition::V0_3_2))?;
    let counted = || new.letters.iter().filter(|letter| letter.counts());
    Ok(Scores {
        full: over_letters(counted().map(LetterScore::full_rate)),
        fraction: over_letters(counted().map(|letter| letter.fraction(Definition::V0_6))),
        fraction_old: over_letters(old.letters.iter().map(|letter| letter.fraction(Definition::V0_3_2))),
        letters: new.n,
        valid: new.is_valid(),
    })
}

fn companion(found: &Found, value: fn(&LetterCompanions) -> Option<f64>) -> Option<Mean> {
    over_letters(found.companions.iter().map(value))
}

pub(super) fn summary(measured: &Measured<'_>) -> anyhow::Result<Output> {
    let mut columns = vec![
        Column::lower("paper").with_help("absorption rate of Chanin et al. 2025, absent letters as 0"),
        Column::lower("as released").with_help("the same, letters of which no word was looked at left out"),
        Column::lower("exact").with_help("the paper's rate with exact ablation instead of integrated gradients"),
        Column::lower("full").with_help("full absorption, SAEBench (all versions), letters with probe F1 above 0.6"),
        Column::lower("fraction 0.6").with_help("absorption fraction of SAEBench since 2025-03-08, the same letters"),
        Column::lower("fraction 0.3.2").with_help("absorption fraction of SAEBench before that, all letters"),
        Column::number("valid").with_help("letters that count; SAEBench gives no result below 20"),
    ];
    columns.extend([
        Column::higher("main recall").with_help(
            "share of the words that the probe finds on which a main latent fires: without it a low score says nothing",
        ),
        Column::higher("k-sparse F1").with_help("of the regression on the main latents"),
        Column::higher("probe F1"),
        Column::number("random full").with_help("full absorption of a random SAE of the same shape and L0"),
        Column::number("random 0.6").with_help("its absorption fraction"),
        Column::number("site")
            .with_help("share of the letter that still passes through the word after this layer (fig22)"),
    ]);
    let mut table = sae_table("Absorption, every published definition", columns);
    for (member, units) in &measured.saes {
        let unit = &units.absorption.data;
        let own = scores(&unit.found, &units.detection.data.detection.main_counts())?;
        let control = scores(&unit.control.found, &unit.control.main_latents)?;
        let mut row = sae_cells(member, units);
        let paper = rates(units, "paper");
        let mark = if own.valid { "" } else { " (too few)" };
        row.extend([
            Mean::cell(with_zeros(paper), 3),
            Mean::cell(released(paper), 3),
            Mean::cell(with_zeros(rates(units, "exact")), 3),
            Mean::cell(own.full, 3),
            Mean::cell(own.fraction, 3),
            Mean::cell(own.fraction_old, 3),
            Cell::text(format!("{}{mark}", own.letters)),
            Mean::cell(companion(&unit.found, |c| c.main_recall), 2),
            Mean::cell(companion(&unit.found, |c| Some(c.k_sparse_f1)), 2),
            Mean::cell(companion(&unit.found, |c| Some(c.probe_f1)), 2),
            plain(control.full, 3),
            plain(control.fraction, 3),
            super::detection::number(site_share(measured, member.layer)),
        ]);
        table.push(row)?;
    }
    note(measured, &mut table, &published("absorption"));
    effects_note(measured, &mut table);
    site_note(measured, &mut table);
    let uneven: Vec<&str> = measured
        .saes
        .iter()
        .filter(|(_, units)| !units.detection.data.unit_rows)
        .map(|(member, _)| member.input.id.as_str())
        .collect();
    if !uneven.is_empty() {
        table.notes.push(format!(
            "Decoder rows of {} have not unit length and cannot be folded: SAEBench's scores take activation times cosine for what a latent carries, and are off there.",
            uneven.join(", ")
        ));
    }
    table.notes.push("SAEBench's definitions are read on the same prompts and the same probe as the paper's. Its own code begins prompts with a newline and trains its probe in batches of 64: `--leading-newline --probe-batch 64`.".to_owned());
    table.notes.push("Low is good only beside a high main recall and k-sparse F1: an SAE without letter latents has nothing to absorb.".to_owned());
    let variants = variants(measured)?;
    Ok(Output::default().table("", table).table("variants", variants))
}

fn plain(mean: Option<Mean>, digits: usize) -> Cell {
    match mean {
        Some(mean) => Cell::Number {
            value: mean.value,
            digits,
        },
        None => Cell::Missing(TOO_FEW.to_owned()),
    }
}

fn variants(measured: &Measured<'_>) -> anyhow::Result<report::Table> {
    let columns = vec![
        Column::lower("one absorber")
            .with_help("no main latent carries anything and one other latent more than 0.4 of the projection"),
        Column::lower("three absorbers").with_help("the same with the three largest together"),
        Column::lower("weak main").with_help("one absorber, main latents may carry up to 0.1"),
    ];
    let mut table = sae_table("Variants that need no effects (appendix A.13)", columns);
    for (member, units) in &measured.saes {
        let found = &units.absorption.data.found.variants;
        let mut row = sae_cells(member, units);
        row.extend([0, 1, 2].map(|i| Mean::cell(over_letters(found.iter().map(|v| v[i])), 3)));
        table.push(row)?;
    }
    table.notes.push(
        "Share of the words that the probe finds. The paper gives no thresholds for these; 0.4 is SAEBench's."
            .to_owned(),
    );
    Ok(table)
}

pub(super) fn control(measured: &Measured<'_>) -> anyhow::Result<Output> {
    let columns = vec![
        Column::number("random L0"),
        Column::number("random EV").with_help("explained variance"),
        Column::higher("random k=1 F1"),
        Column::number("k=1 F1").with_help("of the SAE itself"),
        Column::lower("random paper"),
        Column::lower("random full"),
        Column::lower("random 0.6"),
        Column::lower("random 0.3.2"),
        Column::higher("random main recall"),
    ];
    let mut table = sae_table("Random SAEs: as many random directions, firing as often", columns);
    for (member, units) in &measured.saes {
        let control = &units.absorption.data.control;
        let found = scores(&control.found, &control.main_latents)?;
        let paper = control
            .found
            .chanin
            .first()
            .map(|a| a.rates.as_slice())
            .unwrap_or_default();
        let number = |value: f64, digits: usize| Cell::Number { value, digits };
        let own = units.detection.data.detection.ksparse.iter().map(|letter| letter.f1(1));
        let mut row = sae_cells(member, units);
        row.extend([
            number(control.l0, 1),
            number(control.explained_variance, 2),
            Mean::cell(over_letters(control.first_f1.iter().map(|f1| Some(*f1))), 2),
            Mean::cell(over_letters(own), 2),
            Mean::cell(with_zeros(paper), 3),
            Mean::cell(found.full, 3),
            Mean::cell(found.fraction, 3),
            Mean::cell(found.fraction_old, 3),
            Mean::cell(companion(&control.found, |c| c.main_recall), 2),
        ]);
        table.push(row)?;
    }
    note(measured, &mut table, &published("control"));
    Ok(Output::default().table("", table))
}

pub(super) fn sensitivity(measured: &Measured<'_>) -> anyhow::Result<Output> {
    let columns = vec![
        Column::number("batch").with_help("rows per update of the ranking probe; 50 epochs in all"),
        Column::text("used"),
        Column::number("updates"),
        Column::higher("k=1 F1"),
        Column::number("same first").with_help("letters whose first latent is that of the setting used here"),
        Column::number("main latents"),
        Column::lower("full"),
        Column::lower("fraction 0.6"),
    ];
    let mut table = sae_table("The ranking probe's training decides what is called absorbed", columns);
    let train = measured.plan.split.train.len();
    let used = measured.args.ranking(train);
    for (member, units) in &measured.saes {
        for line in &units.absorption.data.sensitivity {
            let number = |value: f64, digits: usize| Cell::Number { value, digits };
            let maybe =
                |value: Option<f64>| value.map_or_else(|| Cell::Missing(TOO_FEW.to_owned()), |value| number(value, 3));
            let mark = match (line.batch == used.batch_size, line.batch == 4096) {
                (true, true) => "here, published",
                (true, false) => "here",
                (false, true) => "published",
                (false, false) => "",
            };
            let mut row = sae_cells(member, units);
            row.extend([
                Cell::count(line.batch as u64),
                Cell::text(mark),
                Cell::count((used.epochs * train.div_ceil(line.batch)) as u64),
                number(line.first_f1, 2),
                Cell::count(line.same_first as u64),
                number(line.main_latents, 2),
                maybe(line.full),
                maybe(line.fraction),
            ]);
            table.push(row)?;
        }
    }
    note(measured, &mut table, &published("sensitivity"));
    let updates = train.div_ceil(4096);
    if updates < 16 {
        let plural = if updates == 1 { "" } else { "s" };
        table.notes.push(format!(
            "With these {train} training words the published batch makes {updates} update{plural} per epoch, and the ranking stays near its random start."
        ));
    }
    Ok(Output::default().table("", table))
}

pub(super) fn timing(measured: &Measured<'_>) -> anyhow::Result<Output> {
    let names = [
        ("encode", "train and test words, once"),
        ("encoder cosine", "and explained variance"),
        ("ranking probe", ""),
        ("k-sparse probes", "k = 1 to 15, 20, 50, all letters"),
        ("projections", "SAEBench and A.13"),
        ("integrated gradients", ""),
        ("integrated gradients, m_max", ""),
        ("exact ablation", "with projection control"),
        ("completeness", "512 steps on some words"),
        ("sensitivity, control", "three more ranking probes, and the random SAE"),
        ("rewriting", ""),
        ("sum", ""),
    ];
    let columns = names
        .iter()
        .map(|(name, help)| Column::number(*name).with_help(*help))
        .collect();
    let mut table = sae_table("Seconds per SAE", columns);
    for (member, units) in &measured.saes {
        let detection = &units.detection.data;
        let found = &units.absorption.data.found.seconds;
        let stage = |name: &str| -> f64 {
            let all = detection.detection.seconds.iter().chain(found);
            all.filter(|(stage, _)| stage == name)
                .map(|(_, seconds)| *seconds)
                .sum()
        };
        let listed: f64 = found.iter().map(|(_, seconds)| *seconds).sum();
        let values: Vec<f64> = names
            .iter()
            .map(|(name, _)| match *name {
                "encode" => detection.encode_seconds,
                "sensitivity, control" => units.absorption.seconds - listed,
                "rewriting" => units.rewrite.seconds,
                "sum" => units.detection.seconds + units.absorption.seconds + units.rewrite.seconds,
                stage_name => stage(stage_name),
            })
            .collect();
        let mut row = sae_cells(member, units);
        row.extend(values.into_iter().map(|value| Cell::Number { value, digits: 2 }));
        table.push(row)?;
    }
    note(measured, &mut table, &published("timing"));
    let setup: f64 = measured.probes.iter().map(|(_, seconds)| *seconds).sum();
    table.notes.push(format!(
        "Before the first SAE of a layer: {setup:.1} s for prompts, captures and the dense probes. The first unit that needs them also pays for gradients and new prompts. Times are those of the call that measured the unit."
    ));
    Ok(Output::default().table("", table))
}
