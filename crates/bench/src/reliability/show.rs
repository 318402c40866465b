//! The tables of `bench reliability`.

use report::{Cell, Column, Table};
use stats::Estimate;

use super::{Redrawn, ReliabilityArgs, Score, What};

pub(super) fn tables(redrawn: &[Redrawn], ids: &[String], args: &ReliabilityArgs) -> anyhow::Result<Vec<Table>> {
    let mut all: Vec<Table> = redrawn
        .iter()
        .map(|redrawn| summary(redrawn, ids, args))
        .collect::<anyhow::Result<_>>()?;
    if let Some(first) = redrawn.first() {
        all.push(seeds(&first.scores, ids)?);
    }
    Ok(all)
}

/// What a table redraws, in words.
fn drawn_again(what: What) -> &'static str {
    match what {
        What::Joint => {
            "A seed redraws example sets, scored words, train words (each seed another half of them for probes, means and one-latent classifiers, and other words to rank latents by effect), word pairs and inner splits together."
        }
        What::Prompts => "A seed redraws example sets and word pairs alone.",
        What::Words => "A seed redraws the scored words, and those on which damage is measured, alone.",
        What::Train => {
            "A seed redraws the train words alone: another half of them for probes, means and one-latent classifiers, and other words to rank latents by effect."
        }
    }
}

fn estimate(estimate: Estimate, digits: usize) -> Cell {
    Cell::Estimate {
        value: estimate.value,
        lo: Some(estimate.lo),
        hi: Some(estimate.hi),
        digits,
    }
}

fn number(value: f64, digits: usize) -> Cell {
    Cell::Number { value, digits }
}

fn summary(redrawn: &Redrawn, ids: &[String], args: &ReliabilityArgs) -> anyhow::Result<Table> {
    let Redrawn { what, scores } = redrawn;
    let columns = vec![
        Column::text("score"),
        Column::number("mean"),
        Column::number("SD of SAEs").with_help("between SAEs, the error of measurement taken off"),
        Column::higher("ICC").with_help("share of the variance of one score that is between SAEs: absolute agreement, ICC(2,1)"),
        Column::number("SEM").with_help("standard error of measurement: standard deviation of one SAE's score over redraws"),
        Column::number("MDD").with_help("smallest difference of two SAEs, scored with different seeds, that redrawing alone rarely makes (1.96 sqrt 2 SEM)"),
        Column::number("MDD same seed").with_help("the same for two SAEs of one run, where the common shift cancels"),
    ];
    let title = match what {
        What::Joint => "How far scores can be trusted: everything redrawn".to_owned(),
        alone => format!("How far scores can be trusted: {} redrawn alone", alone.name()),
    };
    let mut table = Table::new(title, columns);
    for score in scores {
        let Some(found) = &score.found else {
            let missing = || Cell::Missing(score.why.clone());
            let mut row = vec![Cell::text(score.name)];
            row.extend((0..6).map(|_| missing()));
            table.push(row)?;
            continue;
        };
        table.push(vec![
            Cell::text(score.name),
            number(found.mean, 3),
            number(found.components.item.max(0.0).sqrt(), 3),
            estimate(found.icc, 2),
            estimate(found.sem, 4),
            estimate(found.mdd, 3),
            match found.mdd_under_same_seeds(1) {
                Some(value) => number(value, 3),
                None => Cell::Missing("not crossed".to_owned()),
            },
        ])?;
    }
    table.notes.push(format!(
        "{} SAEs, {} seeds from {} on. {} The model, the SAEs, the vocabulary and, where the model brings them, its held-out words stay: the true error is larger. 95 % intervals.",
        ids.len(),
        args.seeds,
        args.seed,
        drawn_again(*what)
    ));
    let still: Vec<&str> = scores
        .iter()
        .filter(|score| score.found.as_ref().is_some_and(|found| found.sem.value <= 0.0))
        .map(|score| score.name)
        .collect();
    if !still.is_empty() {
        table.notes.push(format!(
            "SEM 0: {} saw nothing that was redrawn, which is no reliability.",
            still.join(", ")
        ));
    }
    Ok(table)
}

/// SAEs whose names differ in a seed only (`-s0`, `-s1`, ...): how far training moves a score, beside how far redrawing does.
fn seeds(scores: &[Score], ids: &[String]) -> anyhow::Result<Table> {
    const FEWEST: usize = 3;
    let stem = |id: &str| -> Option<String> {
        let (stem, seed) = id.rsplit_once("-s")?;
        (!seed.is_empty() && seed.chars().all(|c| c.is_ascii_digit())).then(|| stem.to_owned())
    };
    let mut families: Vec<(String, Vec<usize>)> = Vec::new();
    for (row, id) in ids.iter().enumerate() {
        let Some(stem) = stem(id) else { continue };
        match families.iter_mut().find(|(known, _)| *known == stem) {
            Some((_, rows)) => rows.push(row),
            None => families.push((stem, vec![row])),
        }
    }
    families.retain(|(_, rows)| rows.len() >= FEWEST);
    let columns = vec![
        Column::text("SAEs"),
        Column::text("score"),
        Column::number("training seeds"),
        Column::number("mean"),
        Column::number("SD over training seeds").with_help("of the means over redraws, their own error not taken off"),
        Column::number("SEM").with_help("of one score over redraws, from the table above"),
    ];
    let mut table = Table::new("SAEs that differ in their training seed only", columns);
    for (stem, rows) in &families {
        for score in scores.iter().filter(|score| !score.table.is_empty()) {
            let means: Vec<f64> = rows
                .iter()
                .map(|&row| score.table[row].iter().sum::<f64>() / score.table[row].len() as f64)
                .collect();
            let sem = score.found.as_ref().map(|found| found.sem.value);
            table.push(vec![
                Cell::text(format!("{stem}-s*")),
                Cell::text(score.name),
                Cell::count(rows.len() as u64),
                number(stats::mean(&means)?, 3),
                number(stats::sd(&means)?, 4),
                sem.map_or_else(|| Cell::Missing(score.why.clone()), |sem| number(sem, 4)),
            ])?;
        }
    }
    if families.is_empty() {
        table.notes.push(format!(
            "No {FEWEST} SAEs have names that differ in `-s0`, `-s1`, ... only."
        ));
    }
    Ok(table)
}
