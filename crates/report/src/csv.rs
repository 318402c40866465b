//! A table as CSV (RFC 4180, lines end with a newline) for other programs: all digits, and the ends of an interval in columns of
//! their own. Title, caption and notes are left out. A missing number is an empty field.

use crate::number::exact;
use crate::table::{Cell, Table};

pub(crate) fn render(table: &Table) -> String {
    let rows: Vec<Vec<Cell>> = table
        .rows()
        .iter()
        .map(|row| row.iter().map(Cell::checked).collect())
        .collect();
    let is_estimate = |i: usize| rows.iter().any(|row| matches!(row[i], Cell::Estimate { .. }));
    let wide: Vec<bool> = (0..table.columns().len()).map(is_estimate).collect();

    let mut out = String::new();
    let mut head = Vec::new();
    for (column, &wide) in table.columns().iter().zip(&wide) {
        head.push(column.bare_name().to_owned());
        if wide {
            head.extend([
                format!("{} lo", column.bare_name()),
                format!("{} hi", column.bare_name()),
            ]);
        }
    }
    push_line(&mut out, &head);
    for row in &rows {
        let mut line = Vec::new();
        for (cell, &wide) in row.iter().zip(&wide) {
            let (value, lo, hi) = match cell {
                Cell::Text(text) => (text.clone(), None, None),
                Cell::Number { value, .. } => (exact(*value), None, None),
                Cell::Estimate { value, lo, hi, .. } => (exact(*value), *lo, *hi),
                Cell::Missing(_) => (String::new(), None, None),
            };
            line.push(value);
            if wide {
                line.extend([lo, hi].map(|end| end.map(exact).unwrap_or_default()));
            }
        }
        push_line(&mut out, &line);
    }
    out
}

fn push_line(out: &mut String, fields: &[String]) {
    for (i, field) in fields.iter().enumerate() {
        if i > 0 {
            out.push(',');
        }
        if field.contains(['"', ',', '\n', '\r']) {
            out.push('"');
            out.push_str(&field.replace('"', "\"\""));
            out.push('"');
        } else {
            out.push_str(field);
        }
    }
    out.push('\n');
}
