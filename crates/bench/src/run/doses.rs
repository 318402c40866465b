//! The dose sweep of finished records as a table.

use std::collections::BTreeMap;

use report::{Cell, Column, Table};
use store::{Estimate, Record, TableRow};

/// One row per swept arm; none where no record holds a sweep.
pub(super) fn table(reference: &Record, saes: &[&Record]) -> anyhow::Result<Option<Table>> {
    let columns = vec![
        Column::text("arm"),
        Column::number("|delta|").with_help("length of the edit / length of the vector at dose 1, on the letter's words"),
        Column::number("rho_M")
            .with_help("Mahalanobis length at dose 1 / sqrt(width): 1 is about as far as words lie from their mean"),
        Column::higher("MS").with_help("mediated share at dose 1"),
        Column::higher("MS at LEACE's length").with_help("the arm scaled until it moves the letter's words as far as `leace-1` does"),
        Column::higher("MS at LEACE's text KL").with_help("the arm scaled until it does as much damage on unrelated text as `leace-1`"),
        Column::higher("AUDC").with_help("mean over doses up to LEACE's length of MS beyond random directions of the same length; a dose that is not reached counts as 0"),
        Column::higher("AUDC (data)").with_help("the same beyond random directions among the words' principal components"),
    ];
    let mut table = Table::new("Doses: what the arms mediate at equal length", columns);
    for (record, prefix) in std::iter::once((reference, None)).chain(saes.iter().map(|sae| (*sae, Some(id(sae))))) {
        for (arm, rows) in by_arm(record) {
            let natural = rows
                .iter()
                .find(|row| row.at.get("alpha").is_some_and(|alpha| alpha == "1"));
            let at = |name: &str, digits: usize| {
                let estimate = natural.and_then(|row| row.values.get(name));
                Cell::estimate(estimate, digits, "dose 1 was not measured")
            };
            let value = |name: &str, missing: &str| Cell::estimate(summary(record, &arm, name), 2, missing);
            let shown = match &prefix {
                Some(id) => format!("{id} {}", arm.trim_start_matches("sae:")),
                None => arm.clone(),
            };
            table.push(vec![
                Cell::text(shown),
                at("rho_2", 2),
                at("rho_m", 2),
                at("ms", 2),
                value(
                    "ms_at_rho2",
                    "some letters do not reach that length within three times the natural dose",
                ),
                value(
                    "ms_at_rhok",
                    "damage on unrelated text was not measured at these doses, or some letters do not reach it",
                ),
                value("audc_random", "LEACE moves no word"),
                value("audc_pca", "LEACE moves no word"),
            ])?;
        }
    }
    Ok((!table.rows().is_empty()).then_some(table))
}

fn id(sae: &Record) -> String {
    sae.spec.sae.as_ref().map_or_else(String::new, |sae| sae.id.clone())
}

fn summary<'r>(record: &'r Record, arm: &str, name: &str) -> Option<&'r Estimate> {
    record.summary.get(&format!("{arm}/{name}"))
}

/// The rows of the sweep by arm, in the order in which arms were swept.
pub(super) fn by_arm(record: &Record) -> Vec<(String, Vec<&TableRow>)> {
    let mut order: Vec<String> = Vec::new();
    let mut rows: BTreeMap<&str, Vec<&TableRow>> = BTreeMap::new();
    for row in record.tables.get("doses").into_iter().flatten() {
        let Some(arm) = row.at.get("arm") else { continue };
        if !order.contains(arm) {
            order.push(arm.clone());
        }
        rows.entry(arm).or_default().push(row);
    }
    order
        .into_iter()
        .map(|arm| {
            let of_arm = rows.remove(arm.as_str()).unwrap_or_default();
            (arm, of_arm)
        })
        .collect()
}
