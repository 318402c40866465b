//! A table for a terminal: no vertical lines, no colour, columns wrapped to the width.

use comfy_table::{Cell, CellAlignment, ContentArrangement, LineStyle, Table as Grid, TableStyle};

use crate::plain::Plain;
use crate::table::{Align, Cell as TableCell, Table};

/// What the terminal can do. Finding out is the caller's part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TermOptions {
    /// Characters in a line; `None` for no limit, as when writing to a file.
    pub width: Option<u16>,
    /// Whether to use ASCII characters only.
    pub ascii: bool,
}

/// Below this width cells would be broken into single letters; a long line is better.
const NARROWEST: u16 = 40;

/// Characters of the widest line of a table whose cells are not broken: three beside each cell.
fn natural_width(table: &Table, plain: &Plain) -> usize {
    let column = |i: usize| {
        let cells = plain.rows.iter().map(|row| row[i].chars().count());
        cells
            .chain([table.columns()[i].name.chars().count()])
            .max()
            .unwrap_or(0)
    };
    (0..table.columns().len()).map(|i| column(i) + 3).sum()
}

/// Puts each interval on a line of its own below its value: where a table must be narrower, a
/// break there reads better than one inside the brackets.
fn break_before_intervals(table: &Table, plain: &mut Plain) {
    for (row, cells) in plain.rows.iter_mut().zip(table.rows()) {
        for (text, cell) in row.iter_mut().zip(cells) {
            if matches!(cell, TableCell::Estimate { .. }) {
                *text = text.replacen(" [", "\n[", 1);
            }
        }
    }
}

pub(crate) fn render(table: &Table, options: TermOptions) -> String {
    let mut plain = Plain::of(table);
    if options
        .width
        .is_some_and(|width| natural_width(table, &plain) > usize::from(width))
    {
        break_before_intervals(table, &mut plain);
    }
    let mut grid = Grid::new();
    let rule = if options.ascii { '-' } else { '\u{2500}' };
    let rule = LineStyle::none().fill(rule).junction(rule);
    grid.force_no_tty();
    grid.load_style(TableStyle::new().header_separator(rule).bottom_border(rule));
    match options.width {
        Some(width) => {
            grid.set_content_arrangement(ContentArrangement::Dynamic)
                .set_width(width.max(NARROWEST));
        }
        None => {
            grid.set_content_arrangement(ContentArrangement::Disabled);
        }
    }
    let cell = |text: &String, i: usize| {
        let side = match table.columns()[i].align {
            Align::Left => CellAlignment::Left,
            Align::Right => CellAlignment::Right,
        };
        Cell::new(text).set_alignment(side)
    };
    let heads = table
        .columns()
        .iter()
        .enumerate()
        .map(|(i, column)| cell(&column.name, i));
    grid.set_header(heads.collect::<Vec<_>>());
    for row in &plain.rows {
        grid.add_row(
            row.iter()
                .enumerate()
                .map(|(i, text)| cell(text, i))
                .collect::<Vec<_>>(),
        );
    }

    let mut lines = vec![table.title.clone()];
    if !table.caption.is_empty() {
        lines.extend(wrap(&table.caption, options.width));
    }
    lines.extend(grid.lines().map(|line| line.trim_end().to_owned()));
    if plain.rows.is_empty() {
        lines.push(" (no rows)".to_owned());
    }
    for note in &plain.notes {
        lines.extend(wrap(note, options.width));
    }
    let text = lines.join("\n") + "\n";
    if options.ascii { ascii(&text) } else { text }
}

/// Lines of at most `width` characters, broken at spaces.
fn wrap(text: &str, width: Option<u16>) -> Vec<String> {
    let width = width.map_or(usize::MAX, |w| usize::from(w.max(NARROWEST)));
    let mut lines = vec![String::new()];
    let mut used = 0;
    for word in text.split_whitespace() {
        let length = word.chars().count();
        let line = lines.last_mut().expect("one line is always there");
        if line.is_empty() {
            line.push_str(word);
            used = length;
        } else if used + 1 + length <= width {
            line.push(' ');
            line.push_str(word);
            used += 1 + length;
        } else {
            lines.push(word.to_owned());
            used = length;
        }
    }
    lines
}

/// The same in ASCII; a character without a counterpart becomes `?`.
fn ascii(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            c if c.is_ascii() => out.push(c),
            '\u{2013}' | '\u{2014}' | '\u{2212}' => out.push('-'),
            '↑' => out.push('^'),
            '↓' => out.push('v'),
            '→' => out.push_str("->"),
            '±' => out.push_str("+/-"),
            '×' => out.push('x'),
            '≤' => out.push_str("<="),
            '≥' => out.push_str(">="),
            '…' => out.push_str("..."),
            _ => out.push('?'),
        }
    }
    out
}
