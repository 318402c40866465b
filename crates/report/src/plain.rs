//! Cells as words: the step that the renderers for people share.
//!
//! Reasons of missing cells become notes. Where a table has several, each gets a letter that stands beside its dashes.

use crate::number::{self, MISSING};
use crate::table::{Cell, Table};

/// A table whose cells are text.
pub(crate) struct Plain {
    pub(crate) rows: Vec<Vec<String>>,
    /// Reasons of missing cells, meanings of columns, and the table's own notes.
    pub(crate) notes: Vec<String>,
}

impl Plain {
    pub(crate) fn of(table: &Table) -> Self {
        let rows: Vec<Vec<Cell>> = table
            .rows()
            .iter()
            .map(|row| row.iter().map(Cell::checked).collect())
            .collect();
        let mut reasons: Vec<&str> = Vec::new();
        for cell in rows.iter().flatten() {
            if let Cell::Missing(reason) = cell
                && !reason.is_empty()
                && !reasons.contains(&reason.as_str())
            {
                reasons.push(reason);
            }
        }
        let mark = |reason: &str| match reasons.iter().position(|r| *r == reason) {
            Some(i) if reasons.len() > 1 => format!("{MISSING}({})", letter(i)),
            _ => MISSING.to_owned(),
        };
        let word = |cell: &Cell| match cell {
            Cell::Text(text) => text.clone(),
            Cell::Number { value, digits } => number::fixed(*value, *digits),
            Cell::Estimate { value, lo, hi, digits } => number::with_interval(*value, *lo, *hi, *digits),
            Cell::Missing(reason) => mark(reason),
        };
        let help = table.columns().iter().filter(|column| !column.help.is_empty());
        let mut notes: Vec<String> = reasons
            .iter()
            .map(|reason| format!("{}: {reason}", mark(reason)))
            .collect();
        notes.extend(help.map(|column| format!("{}: {}", column.name, column.help)));
        notes.extend(table.notes.iter().cloned());
        Self {
            rows: rows.iter().map(|row| row.iter().map(word).collect()).collect(),
            notes,
        }
    }
}

/// `a`, `b`, ... and numbers from the 27th on.
fn letter(i: usize) -> String {
    match u8::try_from(i) {
        Ok(i) if i < 26 => char::from(b'a' + i).to_string(),
        _ => (i + 1).to_string(),
    }
}
