//! Tables as one JSON document: every row an object with the columns as fields, all digits.
//!
//! Words are strings and counts numbers; a measured number is `{"value", "lo", "hi"}` with `null` for an end that is not known,
//! and a missing one is `{"missing": reason}`.

use serde_json::{Map, Value, json};

use crate::table::{Align, Cell, Table};

pub(crate) fn render(tables: &[Table]) -> String {
    let tables: Vec<Value> = tables.iter().map(one).collect();
    format!("{:#}\n", json!({ "tables": tables }))
}

fn one(table: &Table) -> Value {
    let column = |column: &crate::table::Column| {
        let align = match column.align {
            Align::Left => "left",
            Align::Right => "right",
        };
        json!({ "name": column.bare_name(), "align": align, "higher_is_better": column.higher_is_better(), "help": column.help })
    };
    let row = |row: &Vec<Cell>| {
        let fields = table
            .columns()
            .iter()
            .zip(row)
            .map(|(column, cell)| (column.bare_name().to_owned(), value(cell)));
        Value::Object(fields.collect::<Map<_, _>>())
    };
    json!({
        "title": table.title,
        "caption": table.caption,
        "columns": table.columns().iter().map(column).collect::<Vec<_>>(),
        "rows": table.rows().iter().map(row).collect::<Vec<_>>(),
        "notes": table.notes,
    })
}

fn value(cell: &Cell) -> Value {
    match cell.checked() {
        Cell::Text(text) => json!(text),
        // Counts are whole numbers for every reader, also where `3.0` would not be.
        Cell::Number { value, digits: 0 } if value.fract() == 0.0 && value.abs() < 9e15 => {
            json!(value as i64)
        }
        Cell::Number { value, .. } => json!(value),
        Cell::Estimate { value, lo, hi, .. } => json!({ "value": value, "lo": lo, "hi": hi }),
        Cell::Missing(reason) => json!({ "missing": reason }),
    }
}
