//! Which differences of a leaderboard are more than redrawing makes.
//!
//! The smallest detectable difference (MDD) of a column is measured by `bench reliability` for one model, site and setting. Where no
//! such measurement fits, nothing is said about differences, and the table says why.

use report::{Cell, Column, Table};
use store::Record;

use super::sort::Sort;
use crate::reliability::Reliabilities;

/// Measured columns: name of the column, name in records, digits.
const COLUMNS: [(&str, &str, usize); 10] = [
    ("EV", "sae/explained_variance", 3),
    ("F1", "latent/f1", 3),
    ("absorbed", "latent/full_absorption", 3),
    ("M* cosine", "sae:k=1:cosine/m_star", 3),
    ("M* probe", "sae:k=1:probe/m_star", 3),
    ("M* effect", "sae:k=1:effect/m_star", 3),
    ("M* oracle", "sae:k=1:oracle/m_star", 3),
    ("gap", "gap/total", 3),
    ("gap: absorption", "gap/absorb", 3),
    ("matched", "k_to_match/matched", 3),
];

/// Measured reliabilities that hold for all rows of a table, or why there are none.
pub(super) struct Detectable<'a> {
    found: Result<&'a Reliabilities, String>,
}

impl<'a> Detectable<'a> {
    /// `known`: a file that was named, or the shipped one.
    pub(super) fn new(known: Option<&'a Reliabilities>, records: &[&Record]) -> Self {
        let found = match known {
            None => Err("no reliability was measured".to_owned()),
            Some(known) => match records.iter().find_map(|record| known.mismatch(&record.spec)) {
                None => Ok(known),
                Some(why) => Err(format!("reliability was measured with {why}")),
            },
        };
        Self { found }
    }

    fn mdd(&self, key: &str) -> Option<f64> {
        Some(self.found.as_ref().ok()?.of(key)?.mdd.value)
    }

    /// A row's distance from the best one, in words where redrawing alone makes such distances.
    pub(super) fn against_best(&self, sort: Sort, best: &Record, record: &Record) -> Cell {
        let (Some(top), Some(own)) = (sort.value(best), sort.value(record)) else {
            return Cell::Missing("not measured".to_owned());
        };
        if best.key == record.key {
            return Cell::text("best");
        }
        match sort.key().map(|key| self.mdd(key)) {
            None => Cell::Missing(format!("`{}` is not a score", sort.name())),
            Some(None) => Cell::Missing(match &self.found {
                Err(why) => why.clone(),
                Ok(_) => "not among the scores whose reliability was measured".to_owned(),
            }),
            Some(Some(mdd)) if mdd <= 0.0 => Cell::Missing("saw nothing that was redrawn".to_owned()),
            Some(Some(mdd)) if (own - top).abs() <= mdd => Cell::text("not distinguishable"),
            Some(Some(_)) => Cell::Number {
                value: own - top,
                digits: 3,
            },
        }
    }

    /// What is said below the leaderboard.
    pub(super) fn note(&self) -> String {
        match &self.found {
            Ok(known) => format!(
                "`not distinguishable`: the difference to the best row is within the column's MDD, the smallest that redrawing prompts and words rarely makes ({} SAEs, {} seeds; next table). Training an SAE again moves scores further: see `bench reliability`.",
                known.saes.len(),
                known.seeds
            ),
            Err(why) => format!(
                "Nothing says which differences are more than redrawing makes: {why}. `bench reliability` measures it; name its file with `--reliability`."
            ),
        }
    }

    /// The MDD of every column.
    pub(super) fn table(&self) -> anyhow::Result<Option<Table>> {
        let Ok(known) = &self.found else { return Ok(None) };
        let columns = vec![
            Column::text("column"),
            Column::number("MDD")
                .with_help("smallest difference of two rows that redrawing alone rarely makes (1.96 sqrt 2 SEM)"),
            Column::number("SEM").with_help("standard deviation of one SAE's score over redraws"),
            Column::higher("ICC").with_help("share of a score's variance that is between SAEs"),
        ];
        let mut table = Table::new("Differences worth reading, by column", columns);
        for (name, key, digits) in COLUMNS {
            let mut row = vec![Cell::text(name)];
            match known.of(key) {
                None => row.extend((0..3).map(|_| Cell::Missing("reliability was not measured".to_owned()))),
                Some(_) if known.of(key).is_some_and(|found| found.sem.value <= 0.0) => {
                    row.extend((0..3).map(|_| Cell::Missing("saw nothing that was redrawn".to_owned())));
                }
                Some(found) => {
                    for (value, digits) in [
                        (found.mdd.value, digits),
                        (found.sem.value, digits + 1),
                        (found.icc.value, 2),
                    ] {
                        row.push(Cell::Number { value, digits });
                    }
                }
            }
            table.push(row)?;
        }
        Ok(Some(table))
    }
}
