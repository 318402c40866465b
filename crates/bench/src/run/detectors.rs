//! Latents as instruments, as tables: how they detect and carry their letter, and on which words they fail.

use report::{Cell, Column, Table};
use store::{Estimate, Record};

/// Both tables, where they are asked for: for one SAE, or in a full run.
pub(crate) fn tables(reference: &Record, saes: &[&Record]) -> anyhow::Result<Vec<Table>> {
    let full = reference.spec.settings.get("arms").is_some_and(|arms| arms == "full");
    let measured = saes.iter().any(|sae| sae.summary.contains_key("detect/se"));
    if !measured || (saes.len() > 1 && !full) {
        return Ok(Vec::new());
    }
    Ok(vec![instruments(reference, saes)?, differential(saes)?])
}

fn id(sae: &Record) -> &str {
    sae.spec.sae.as_ref().map_or("", |sae| sae.id.as_str())
}

/// One row per SAE and set.
fn instruments(reference: &Record, saes: &[&Record]) -> anyhow::Result<Table> {
    let columns = vec![
        Column::text("instrument"),
        Column::higher("Se").with_help("share of the letter's test words on which it fires"),
        Column::higher("Sp").with_help("share of other words on which it is silent"),
        Column::higher("PPV").with_help("share of words on which it fires that have the letter"),
        Column::higher("AUROC").with_help("of its summed activation (probe: of its score)"),
        Column::number("1 - bias")
            .with_help("slope of what it carries of LEACE's read on that read, over all scored words"),
        Column::lower("noise")
            .with_help("variance of what it leaves of the read on the letter's words / variance of the read"),
        Column::higher("filled").with_help("share of the read that it carries where it fires"),
        Column::number("predicted")
            .with_help("share of the read that it carries on all words of the letter: predicts MS / MS of LEACE"),
        Column::number("observed").with_help("MS / MS of LEACE, as measured"),
    ];
    let mut table = Table::new("Latents as instruments that read the letter", columns);
    let mut push = |record: &Record, name: &str, shown: String| {
        let cell = |what: &str, missing: &str| {
            let estimate: Option<&Estimate> = record.summary.get(&format!("{name}/{what}"));
            Cell::estimate(estimate, 2, missing)
        };
        let undefined = "no letter defines it";
        let of_latents = "of latents only";
        table.push(vec![
            Cell::text(shown),
            cell("se", undefined),
            cell("sp", undefined),
            cell("ppv", undefined),
            cell("auroc", undefined),
            cell("slope", of_latents),
            cell("noise", of_latents),
            cell("capture", of_latents),
            cell("predicted_ratio", of_latents),
            cell("observed_ratio", "of the one-latent arm only"),
        ])
    };
    push(reference, "detect", "probe (score > 0)".to_owned())?;
    for sae in saes {
        push(sae, "detect", format!("{} main", id(sae)))?;
        push(sae, "detect_set", format!("{} main + split", id(sae)))?;
    }
    table.notes.push(
        "Means over the letters in which a rate is defined, with t intervals; the record has them letter by letter."
            .to_owned(),
    );
    Ok(table)
}

/// A p or q value; tiny ones by their bound.
fn probability(estimate: Option<&Estimate>, missing: &str) -> Cell {
    match estimate {
        Some(p) if p.value < 1e-4 => Cell::text("< 0.0001"),
        other => Cell::estimate(other, 4, missing),
    }
}

/// One row per SAE and covariate.
fn differential(saes: &[&Record]) -> anyhow::Result<Table> {
    let columns = vec![
        Column::text("SAE"),
        Column::text("covariate"),
        Column::number("log-odds of silence per SD").with_help("within letters, letter-clustered 95 % interval"),
        Column::lower("p").with_help("Student's t on letters - 1 degrees"),
        Column::lower("q").with_help("Benjamini-Hochberg over one SAE's covariates"),
    ];
    let mut table = Table::new(
        "Do misses depend on the word? Silence of the main latent on words of its letter",
        columns,
    );
    for sae in saes {
        let rows = sae.tables.get("differential");
        if rows.is_none() {
            let missing = || Cell::Missing("too few letters have words of both kinds".to_owned());
            table.push(vec![Cell::text(id(sae)), missing(), missing(), missing(), missing()])?;
        }
        for row in rows.into_iter().flatten() {
            let note = row.at.get("note").map_or("", String::as_str);
            let name = row.at.get("covariate").cloned().unwrap_or_default();
            table.push(vec![
                Cell::text(id(sae)),
                Cell::text(name),
                Cell::estimate(row.values.get("slope"), 2, note),
                probability(row.values.get("p"), note),
                probability(row.values.get("q"), note),
            ])?;
        }
    }
    table.notes.push(
        "A slope that is not 0 says that misses are not random: corrections for random misclassification do not apply to this SAE."
            .to_owned(),
    );
    Ok(table)
}
