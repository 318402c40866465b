//! Results as JSON and as tables of the same numbers.

use std::io::{ErrorKind, Write};
use std::path::Path;

use report::{Cell, Column, Format, Table};
use serde_json::Value;

use crate::{failure, print_tables};

/// What a class is called: a letter where there are 26, else its number.
pub(crate) fn class_name(class: usize, classes: usize) -> String {
    if classes == 26 {
        char::from(b'a' + class as u8).to_string()
    } else {
        class.to_string()
    }
}

/// Writes a result to stdout.
pub(crate) fn emit(
    result: &Value,
    format: Format,
    tables: impl FnOnce() -> anyhow::Result<Vec<Table>>,
) -> anyhow::Result<()> {
    if format != Format::Json {
        return print_tables(&tables()?, format);
    }
    let text = format!("{result:#}\n");
    let mut out = std::io::stdout().lock();
    // A reader that stops early, such as `head`, is no error.
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(()),
    }
}

/// A table of JSON objects: one row each, one column for each key.
pub(crate) fn table(title: String, rows: &[Value], columns: Vec<(&str, Column)>) -> anyhow::Result<Table> {
    let (keys, columns): (Vec<&str>, Vec<Column>) = columns.into_iter().unzip();
    let mut table = Table::new(title, columns);
    for row in rows {
        table.push(keys.iter().map(|key| cell(&row[*key])).collect())?;
    }
    Ok(table)
}

fn cell(value: &Value) -> Cell {
    match value {
        Value::Null => Cell::Missing("not known".to_owned()),
        Value::Number(number) if number.is_u64() => Cell::count(number.as_u64().unwrap_or_default()),
        Value::Number(number) => Cell::Number {
            value: number.as_f64().unwrap_or(f64::NAN),
            digits: 3,
        },
        Value::String(text) => Cell::text(text.as_str()),
        Value::Array(list) => Cell::text(list.iter().map(Value::to_string).collect::<Vec<_>>().join(" ")),
        other => Cell::text(other.to_string()),
    }
}

/// Refuses a place for a result before work is spent on it. `inputs`: files that it must not replace.
pub(crate) fn check_out(out: &Path, inputs: &[&Path]) -> anyhow::Result<()> {
    if out.is_dir() {
        return Err(failure::usage(format!(
            "`--out {}` is a folder\nhint: name a file in it",
            out.display()
        )));
    }
    // Missing folders are made; a file in the place of one cannot be.
    if let Some(file) = out
        .ancestors()
        .skip(1)
        .find(|folder| folder.exists())
        .filter(|at| !at.is_dir())
    {
        return Err(failure::input(format!(
            "`--out {}` cannot be written: `{}` is a file, not a folder\nhint: name a file in another folder",
            out.display(),
            file.display()
        )));
    }
    let same = |input: &&&Path| match (out.canonicalize(), input.canonicalize()) {
        (Ok(out), Ok(input)) => out == input,
        _ => false,
    };
    match inputs.iter().find(same) {
        Some(input) => Err(failure::usage(format!(
            "`--out {}` would replace the input `{}`\nhint: name another file",
            out.display(),
            input.display()
        ))),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_are_named_where_there_are_26() {
        assert_eq!(class_name(25, 26), "z");
        assert_eq!(class_name(25, 30), "25");
    }

    #[test]
    fn numbers_stay_numbers() {
        assert_eq!(cell(&serde_json::json!(3)), Cell::count(3));
        assert_eq!(cell(&serde_json::json!([12, 5])), Cell::text("12 5"));
        assert!(matches!(cell(&Value::Null), Cell::Missing(_)));
    }
}
