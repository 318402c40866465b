//! Tables that both kinds of checkpoint share: facts, tensors, fields.

use std::collections::BTreeMap;
use std::path::Path;

use checkpoint::{Checkpoint, CheckpointError};
use report::{Cell, Column, Table};

/// A table of one fact a row.
pub(super) struct Facts {
    pub(super) table: Table,
}

impl Facts {
    pub(super) fn new(title: String) -> Self {
        Self {
            table: Table::new(title, vec![Column::text("what"), Column::text("value")]),
        }
    }

    pub(super) fn cell(&mut self, what: &str, value: Cell) -> anyhow::Result<()> {
        Ok(self.table.push(vec![Cell::text(what), value])?)
    }

    pub(super) fn text(&mut self, what: &str, value: impl Into<String>) -> anyhow::Result<()> {
        self.cell(what, Cell::text(value))
    }

    pub(super) fn count(&mut self, what: &str, n: usize) -> anyhow::Result<()> {
        self.cell(what, Cell::count(n as u64))
    }
}

pub(super) fn file(path: &Path) -> anyhow::Result<Table> {
    let checkpoint = Checkpoint::open(path)?;
    let mut facts = Facts::new(format!("{} file `{}`", checkpoint.format(), path.display()));
    contents(&mut facts, &checkpoint)?;
    facts.text("hash of the file", checkpoint::content_hash(path)?)?;
    for (key, value) in checkpoint.metadata() {
        facts.text(&format!("metadata: {key}"), value.as_str())?;
    }
    Ok(facts.table)
}

/// Tensors, elements, types and bytes.
pub(super) fn contents(facts: &mut Facts, checkpoint: &Checkpoint) -> anyhow::Result<()> {
    let (mut elements, mut types) = (0, BTreeMap::<String, usize>::new());
    for name in checkpoint.names() {
        match checkpoint.get(name) {
            Ok(view) => {
                elements += view.elements();
                *types.entry(view.dtype.to_string()).or_default() += 1;
            }
            Err(CheckpointError::Dtype { found, .. }) => *types.entry(found).or_default() += 1,
            Err(other) => return Err(other.into()),
        }
    }
    let types: Vec<String> = if types.len() == 1 {
        types.into_keys().collect()
    } else {
        types.into_iter().map(|(t, n)| format!("{t} ({n})")).collect()
    };
    facts.count("tensors", checkpoint.names().len())?;
    facts.count("parameters", elements)?;
    facts.text(
        "stored as",
        if types.is_empty() {
            "nothing".to_owned()
        } else {
            types.join(", ")
        },
    )?;
    facts.cell("bytes", Cell::count(checkpoint.total_bytes()))
}

/// Every tensor, or with `group` one row for those that differ in their layer only.
pub(super) fn tensors(checkpoint: &Checkpoint, group: bool) -> anyhow::Result<Table> {
    let mut rows: BTreeMap<(String, String, String), usize> = BTreeMap::new();
    for name in checkpoint.names() {
        let (dtype, shape) = match checkpoint.get(name) {
            Ok(view) => (view.dtype.to_string(), format!("{:?}", view.shape)),
            Err(CheckpointError::Dtype { found, .. }) => {
                (format!("{found} (not read by this program)"), "unknown".to_owned())
            }
            Err(other) => return Err(other.into()),
        };
        let parts = name.split('.').map(|part| {
            if group && part.parse::<u32>().is_ok() {
                "*"
            } else {
                part
            }
        });
        *rows
            .entry((parts.collect::<Vec<_>>().join("."), dtype, shape))
            .or_default() += 1;
    }
    let mut columns = vec![Column::text("tensor"), Column::text("dtype"), Column::text("shape")];
    if group {
        columns.push(Column::number("count").with_help("tensors of that name, one a layer where it has a `*`"));
    }
    let mut table = Table::new("Tensors", columns);
    for ((name, dtype, shape), count) in rows {
        let mut row = vec![Cell::text(name), Cell::text(dtype), Cell::text(shape)];
        if group {
            row.push(Cell::count(count as u64));
        }
        table.push(row)?;
    }
    Ok(table)
}

/// A table of configuration fields and what became of each.
pub(super) fn fields(
    title: &str,
    rows: impl Iterator<Item = (String, serde_json::Value, &'static str, String)>,
) -> anyhow::Result<Table> {
    let columns = vec![
        Column::text("field"),
        Column::text("value"),
        Column::text("verdict"),
        Column::text("how, or why not"),
    ];
    let mut table = Table::new(title, columns);
    for (field, value, verdict, why) in rows {
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let text = if text.chars().count() > 60 {
            text.chars().take(57).chain("...".chars()).collect()
        } else {
            text
        };
        table.push(vec![
            Cell::text(field),
            Cell::text(text),
            Cell::text(verdict),
            Cell::text(why),
        ])?;
    }
    Ok(table)
}
