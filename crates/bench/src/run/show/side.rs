//! Tables of the full study's side effects, error terms and positions; none for records that did not measure them.

use report::{Cell, Column, Table};
use store::{Record, TableRow};

/// The tables that these records have.
pub(super) fn tables(reference: &Record, saes: &[&Record]) -> anyhow::Result<Vec<Table>> {
    if !reference.tables.contains_key("side") {
        return Ok(Vec::new());
    }
    let mut all = vec![effects(reference, saes)?];
    if saes
        .iter()
        .any(|sae| sae.summary.keys().any(|k| k.starts_with("error/")))
    {
        all.push(errors(saes)?);
    }
    all.push(positions(reference, saes)?);
    Ok(all)
}

/// Name of a record's autoencoder.
fn id(record: &Record) -> &str {
    record.spec.sae.as_ref().map_or("", |sae| sae.id.as_str())
}

/// Rows of a table of all records, with the name of the arm as shown.
fn rows<'a>(
    reference: &'a Record,
    saes: &'a [&Record],
    table: &'a str,
) -> impl Iterator<Item = (String, &'a TableRow)> {
    std::iter::once(reference)
        .chain(saes.iter().copied())
        .flat_map(move |record| {
            let rows = record.tables.get(table).into_iter().flatten();
            rows.map(move |row| {
                let arm = row.at.get("arm").map_or("", String::as_str);
                let shown = match id(record) {
                    "" => arm.to_owned(),
                    id => format!("{id} {}", arm.trim_start_matches("sae:")),
                };
                (shown, row)
            })
        })
}

/// One row per arm.
fn effects(reference: &Record, saes: &[&Record]) -> anyhow::Result<Table> {
    let columns = [
        (
            "text_kl",
            "text KL",
            "the editor active at every position of unrelated text: KL(p_0 || p_E), nats per token",
        ),
        (
            "text_ce",
            "text CE",
            "rise of the cross-entropy of that text, nats per token",
        ),
        (
            "letter_free_kl",
            "letter-free KL",
            "first-letter prompts of the letter's own words: KL of the predictions renormalised outside the answer tokens, nats",
        ),
        (
            "last_letter_kl",
            "last letter",
            "the same words asked for their last letter: KL over the vocabulary, nats",
        ),
        ("length_kl", "length", "the same words asked for their length: KL, nats"),
        ("copy_kl", "copy", "the same words asked to be copied: KL, nats"),
        (
            "capitalisation_kl",
            "capital",
            "the same words asked whether they begin with a capital: KL, nats",
        ),
    ];
    let head = columns
        .iter()
        .map(|(_, name, help)| Column::lower(name).with_help(*help));
    let mut table = Table::new(
        format!("Side effects of edits at {}", reference.spec.site.hook),
        std::iter::once(Column::text("arm")).chain(head).collect(),
    );
    for (shown, row) in rows(reference, saes, "side") {
        let cells = columns.iter().map(|(metric, ..)| {
            let why = if metric.starts_with("text") {
                "no text"
            } else {
                "not asked"
            };
            Cell::estimate(row.values.get(*metric), 4, why)
        });
        table.push(std::iter::once(Cell::text(shown)).chain(cells).collect())?;
    }
    // What the unedited model can do decides how a divergence reads, so it stands under the table and not in a record only.
    let known = ["last_letter", "length", "copy", "capitalisation"]
        .iter()
        .filter_map(|task| {
            let share = |what: &str| Some(reference.summary.get(&format!("side/{task}/{what}"))?.value);
            let (right, first) = (share("accuracy")?, share("answers_first_letter")?);
            Some(format!(
                "{} {right:.2} (the first letter instead: {first:.2})",
                task.replace('_', " ")
            ))
        });
    let known: Vec<String> = known.collect();
    table.notes.push(format!(
        "Each letter's editor on its own words, mean over letters. The unedited model's share of right answers: {}. \
         Where it answers with the first letter instead, losing that letter is itself a divergence.",
        known.join(", ")
    ));
    Ok(table)
}

/// One row per SAE.
fn errors(saes: &[&Record]) -> anyhow::Result<Table> {
    let columns = [
        (
            "error/splice",
            "splice",
            "effect of replacing the vector by the reconstruction / that of replacing it by the other letters' mean",
        ),
        (
            "error/dark_ms",
            "dark MS",
            "mediated share of the letter content that LEACE reads in the error alone",
        ),
        (
            "error/patch_latents_ms",
            "patch latents",
            "another word's reconstruction patched in, the own error kept / the whole vector patched",
        ),
        (
            "error/patch_error_ms",
            "patch error",
            "another word's error patched in, the own reconstruction kept / the whole vector patched; the two need not sum to 1",
        ),
    ];
    let head = columns
        .iter()
        .map(|(_, name, help)| Column::number(*name).with_help(*help));
    let mut table = Table::new(
        "What the SAEs' errors hold",
        std::iter::once(Column::text("SAE")).chain(head).collect(),
    );
    for sae in saes {
        let cells = columns
            .iter()
            .map(|(name, ..)| Cell::estimate(sae.summary.get(*name), 2, "no letter has a ceiling"));
        table.push(std::iter::once(Cell::text(id(sae))).chain(cells).collect())?;
    }
    Ok(table)
}

/// One row per set of positions and arm.
fn positions(reference: &Record, saes: &[&Record]) -> anyhow::Result<Table> {
    let columns = vec![
        Column::text("positions"),
        Column::text("arm"),
        Column::number("site share").with_help(
            "effect of patching all of the set from another word's prompt / effect of really changing the word",
        ),
        Column::text("varying").with_help(
            "positions of the set whose vectors differ between words at all; elsewhere there is nothing to edit",
        ),
        Column::number("letters")
            .with_help("letters of which the set's own ceiling edit removes at least half; only these have scores"),
        Column::higher("MS").with_help("against the ceiling of the same set"),
        Column::lower("O"),
        Column::higher("M*"),
    ];
    let mut table = Table::new("The same edits at other positions", columns);
    let mut all: Vec<(String, &TableRow)> = rows(reference, saes, "positions").collect();
    let place = |row: &TableRow| row.at.get("set").cloned().unwrap_or_default();
    let mut order: Vec<String> = Vec::new();
    for (_, row) in &all {
        if !order.contains(&place(row)) {
            order.push(place(row));
        }
    }
    all.sort_by_key(|(_, row)| order.iter().position(|set| *set == place(row)));
    for (shown, row) in all {
        let score = |metric: &str| Cell::estimate(row.values.get(metric), 2, "no ceiling");
        let share = match row.values.get("site_share") {
            None if shown != "full-site" => Cell::text(""),
            share => Cell::estimate(share, 2, "no pairs"),
        };
        let varying = row
            .values
            .get("varying")
            .map_or_else(String::new, |v| format!("{:.0} of {}", v.value, v.n));
        let letters = match row.values.get("letters") {
            Some(letters) => Cell::count(letters.value as u64),
            None => Cell::Missing("not counted".to_owned()),
        };
        table.push(vec![
            Cell::text(place(row)),
            Cell::text(shown),
            share,
            Cell::text(varying),
            letters,
            score("ms"),
            score("o_mean"),
            score("m_star"),
        ])?;
    }
    table.notes.push(
        "Words are one token each, so that the last word token is all of the word. LEACE and means are fitted on train words at each position; an SAE's latents are those chosen at the word.".to_owned(),
    );
    Ok(table)
}
