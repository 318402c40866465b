//! The formats by name, and the one function that renders.

use std::fmt;
use std::str::FromStr;

use crate::error::ReportError;
use crate::table::Table;
use crate::term::TermOptions;
use crate::{csv, json, latex, markdown, term};

/// How tables are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// For a terminal.
    Term,
    /// Markdown.
    Md,
    /// Comma-separated values.
    Csv,
    /// LaTeX.
    Latex,
    /// One JSON document.
    Json,
}

impl Format {
    /// Every format.
    pub const ALL: [Self; 5] = [Self::Term, Self::Md, Self::Csv, Self::Latex, Self::Json];

    /// Name, as on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Term => "term",
            Self::Md => "md",
            Self::Csv => "csv",
            Self::Latex => "latex",
            Self::Json => "json",
        }
    }
}

impl FromStr for Format {
    type Err = ReportError;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        let format = Self::ALL.into_iter().find(|format| format.name() == name);
        format.ok_or_else(|| ReportError::UnknownFormat(name.to_owned()))
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// All `tables` in `format`, one after another; JSON is one document. Several CSV tables are told apart by an empty line and a
/// `# title` line.
#[must_use]
pub fn render(tables: &[Table], format: Format, options: TermOptions) -> String {
    let each = |one: &dyn Fn(&Table) -> String| tables.iter().map(one).collect::<Vec<_>>().join("\n");
    match format {
        Format::Term => each(&|table| term::render(table, options)),
        Format::Md => each(&markdown::render),
        Format::Csv if tables.len() == 1 => csv::render(&tables[0]),
        Format::Csv => each(&|table| format!("# {}\n{}", table.title.replace('\n', " "), csv::render(table))),
        Format::Latex => each(&latex::render),
        Format::Json => json::render(tables),
    }
}
