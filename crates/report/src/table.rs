//! The row model that all renderers share.

use store::Estimate;

use crate::error::ReportError;

const HIGHER: &str = " ↑";
const LOWER: &str = " ↓";

/// A table with a title, typed cells and notes.
#[derive(Debug, Clone, PartialEq)]
pub struct Table {
    /// One line above the table.
    pub title: String,
    /// What the reader sees, in one or two sentences; may be empty.
    pub caption: String,
    /// Lines below the table.
    pub notes: Vec<String>,
    columns: Vec<Column>,
    rows: Vec<Vec<Cell>>,
}

/// A column of a table. Names are unique within a table: they are the names of the JSON fields.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// Heading; an arrow at its end (`MS ↑`) says which direction is better. CSV and JSON leave the arrow out.
    pub name: String,
    /// Side on which the cells line up.
    pub align: Align,
    /// What the column means; may be empty. Shown below the table.
    pub help: String,
}

/// Side on which cells line up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Align {
    /// Words.
    Left,
    /// Numbers.
    Right,
}

/// One cell.
#[derive(Debug, Clone, PartialEq)]
pub enum Cell {
    /// Words.
    Text(String),
    /// A number that has no uncertainty, such as a count.
    Number {
        /// The number.
        value: f64,
        /// Decimals to show.
        digits: usize,
    },
    /// A measured number.
    Estimate {
        /// The point estimate.
        value: f64,
        /// Lower end of its interval.
        lo: Option<f64>,
        /// Upper end of its interval.
        hi: Option<f64>,
        /// Decimals to show.
        digits: usize,
    },
    /// No number, and why.
    Missing(String),
}

impl Table {
    /// An empty table.
    #[must_use]
    pub fn new(title: impl Into<String>, columns: Vec<Column>) -> Self {
        Self {
            title: title.into(),
            caption: String::new(),
            notes: Vec::new(),
            columns,
            rows: Vec::new(),
        }
    }

    /// Adds a row.
    ///
    /// # Errors
    /// [`ReportError::RowLength`] when it has not one cell for each column.
    pub fn push(&mut self, row: Vec<Cell>) -> Result<(), ReportError> {
        if row.len() != self.columns.len() {
            let table = self.title.clone();
            return Err(ReportError::RowLength {
                table,
                columns: self.columns.len(),
                cells: row.len(),
            });
        }
        self.rows.push(row);
        Ok(())
    }

    /// The columns.
    #[must_use]
    pub fn columns(&self) -> &[Column] {
        &self.columns
    }

    /// The rows, each with one cell for each column.
    #[must_use]
    pub fn rows(&self) -> &[Vec<Cell>] {
        &self.rows
    }
}

impl Column {
    /// A column of words.
    #[must_use]
    pub fn text(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            align: Align::Left,
            help: String::new(),
        }
    }

    /// A column of numbers.
    #[must_use]
    pub fn number(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            align: Align::Right,
            help: String::new(),
        }
    }

    /// A column of numbers where more is better: `name ↑`.
    #[must_use]
    pub fn higher(name: &str) -> Self {
        Self::number(format!("{name}{HIGHER}"))
    }

    /// A column of numbers where less is better: `name ↓`.
    #[must_use]
    pub fn lower(name: &str) -> Self {
        Self::number(format!("{name}{LOWER}"))
    }

    /// The same with an explanation.
    #[must_use]
    pub fn with_help(self, help: impl Into<String>) -> Self {
        Self {
            help: help.into(),
            ..self
        }
    }

    /// The name without its arrow, for other programs.
    pub(crate) fn bare_name(&self) -> &str {
        self.name.trim_end_matches(HIGHER).trim_end_matches(LOWER)
    }

    /// What the arrow says.
    pub(crate) fn higher_is_better(&self) -> Option<bool> {
        if self.name.ends_with(HIGHER) {
            Some(true)
        } else {
            self.name.ends_with(LOWER).then_some(false)
        }
    }
}

impl Cell {
    /// Words.
    #[must_use]
    pub fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }

    /// A whole number.
    #[must_use]
    pub fn count(n: u64) -> Self {
        Self::Number {
            value: n as f64,
            digits: 0,
        }
    }

    /// A measurement of a record, or why it has none.
    #[must_use]
    pub fn estimate(estimate: Option<&Estimate>, digits: usize, otherwise: &str) -> Self {
        match estimate {
            Some(&Estimate { value, lo, hi, .. }) => Self::Estimate { value, lo, hi, digits },
            None => Self::Missing(otherwise.to_owned()),
        }
    }

    /// The same cell, where a number that is not finite is a missing one.
    pub(crate) fn checked(&self) -> Self {
        match self {
            Self::Number { value, .. } | Self::Estimate { value, .. } if !value.is_finite() => {
                Self::Missing("not a finite number".to_owned())
            }
            Self::Estimate { value, lo, hi, digits } => {
                let finite = |end: &Option<f64>| end.filter(|x| x.is_finite());
                Self::Estimate {
                    value: *value,
                    lo: finite(lo),
                    hi: finite(hi),
                    digits: *digits,
                }
            }
            other => other.clone(),
        }
    }
}
