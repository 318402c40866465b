//! A table in GitHub's Markdown, padded so that it also reads well as text.

use std::fmt::Write as _;

use crate::plain::Plain;
use crate::table::{Align, Table};

pub(crate) fn render(table: &Table) -> String {
    let plain = Plain::of(table);
    let head: Vec<String> = table.columns().iter().map(|column| escape(&column.name)).collect();
    let rows: Vec<Vec<String>> = plain
        .rows
        .iter()
        .map(|row| row.iter().map(|c| escape(c)).collect())
        .collect();
    let width = |i: usize| {
        rows.iter()
            .map(|row| &row[i])
            .chain([&head[i]])
            .map(|c| c.chars().count())
            .max()
    };
    let widths: Vec<usize> = (0..head.len()).map(|i| width(i).unwrap_or(0).max(3)).collect();
    let line = |cells: &[String]| {
        let cells = cells.iter().enumerate().map(|(i, cell)| {
            let pad = " ".repeat(widths[i] - cell.chars().count());
            match table.columns()[i].align {
                Align::Left => format!(" {cell}{pad} |"),
                Align::Right => format!(" {pad}{cell} |"),
            }
        });
        format!("|{}\n", cells.collect::<String>())
    };
    let rule = table
        .columns()
        .iter()
        .zip(&widths)
        .map(|(column, &width)| match column.align {
            Align::Left => format!(" {} |", "-".repeat(width)),
            Align::Right => format!(" {}: |", "-".repeat(width - 1)),
        });

    let mut out = format!("### {}\n\n", escape(&table.title));
    if !table.caption.is_empty() {
        let _ = write!(out, "{}\n\n", escape(&table.caption));
    }
    out += &line(&head);
    let _ = writeln!(out, "|{}", rule.collect::<String>());
    for row in &rows {
        out += &line(row);
    }
    for note in &plain.notes {
        let _ = write!(out, "\n{}\n", escape(note));
    }
    out
}

/// Keeps text from being read as markup or as the end of a cell. Underscores inside words are left alone: GitHub does too.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '|' | '*' | '\\' => out.extend(['\\', c]),
            '<' => out.push_str("&lt;"),
            '\n' | '\r' => out.push(' '),
            c => out.push(c),
        }
    }
    out
}
