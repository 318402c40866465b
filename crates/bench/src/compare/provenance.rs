//! What differs between two records before any measurement is looked at, and which records cannot be compared at all.
//!
//! Fields are taken from the record as it is written, so that one added later is compared without anyone remembering it.
//! Deliberately absent: times, memory and the name of the file. They say nothing about where the numbers come from.

use std::collections::{BTreeMap, BTreeSet};

use report::{Cell, Column, Table};
use serde_json::Value;
use store::Record;

use super::input::{Loaded, Pair};
use crate::failure;

/// A field that differs, with both values as text.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Difference {
    field: String,
    reference: String,
    compared: String,
}

/// Length of a hash as shown; as in file names.
const SHORT: usize = 12;

/// Entries of a list that are shown.
const FEW: usize = 4;

/// Refuses records whose numbers do not mean the same thing.
pub(crate) fn require_comparable(a: &Loaded, b: &Loaded) -> anyhow::Result<()> {
    let (x, y) = (&a.record.spec, &b.record.spec);
    let fields = [
        ("task", x.task.clone(), y.task.clone()),
        (
            "metric_version",
            x.metric_version.to_string(),
            y.metric_version.to_string(),
        ),
    ];
    for (field, x, y) in fields {
        if x != y {
            return Err(failure::input(format!(
                "these records cannot be compared: field `{field}` is `{x}` in `{}` and `{y}` in `{}`\nhint: compare records of one task that one version of this program measured; run the older one again",
                a.path.display(),
                b.path.display()
            )));
        }
    }
    Ok(())
}

/// Every field of spec and environment that differs, spec first.
pub(crate) fn differences(a: &Record, b: &Record) -> anyhow::Result<Vec<Difference>> {
    let parts = [
        (serde_json::to_value(&a.spec)?, serde_json::to_value(&b.spec)?),
        (serde_json::to_value(&a.env)?, serde_json::to_value(&b.env)?),
    ];
    let mut found = Vec::new();
    for (part, (a, b)) in ["spec", "env"].into_iter().zip(parts) {
        let (a, b) = (fields(part, &a), fields(part, &b));
        let names: BTreeSet<&String> = a.keys().chain(b.keys()).collect();
        for name in names {
            let (x, y) = (a.get(name), b.get(name));
            if x != y {
                let (reference, compared) = words(x, y);
                found.push(Difference {
                    field: name.clone(),
                    reference,
                    compared,
                });
            }
        }
    }
    Ok(found)
}

/// Objects taken apart into dotted names; lists stay whole.
fn fields(name: &str, value: &Value) -> BTreeMap<String, Value> {
    match value {
        Value::Object(map) => map
            .iter()
            .flat_map(|(key, value)| fields(&format!("{name}.{key}"), value))
            .collect(),
        other => BTreeMap::from([(name.to_owned(), other.clone())]),
    }
}

/// Two values that differ, as short as they can be without looking alike.
fn words(a: Option<&Value>, b: Option<&Value>) -> (String, String) {
    if let (Some(Value::Array(x)), Some(Value::Array(y))) = (a, b) {
        return (list(x, y), list(y, x));
    }
    let (mut a, mut b) = (word(a), word(b));
    let is_hash = |text: &str| text.len() >= 40 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let short = |text: &str| {
        if is_hash(text) {
            text[..SHORT].to_owned()
        } else {
            text.to_owned()
        }
    };
    if short(&a) != short(&b) {
        (a, b) = (short(&a), short(&b));
    }
    (a, b)
}

fn word(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => "(none)".to_owned(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    }
}

/// A list by its length and by what the other one does not have.
fn list(own: &[Value], other: &[Value]) -> String {
    let extra: Vec<String> = own
        .iter()
        .filter(|item| !other.contains(item))
        .map(|item| word(Some(item)))
        .collect();
    let shown = extra[..extra.len().min(FEW)].join(", ");
    let more = match extra.len().saturating_sub(FEW) {
        0 => String::new(),
        n => format!(" and {n} more"),
    };
    match (own.len(), extra.len()) {
        (0, _) => "(none)".to_owned(),
        (n, 0) => format!("{n} entries"),
        (n, m) if n == m => shown + &more,
        (n, _) => format!("{n} entries, only here: {shown}{more}"),
    }
}

/// The differences of all pairs; equal ones share a row.
pub(crate) fn table(pairs: &[Pair<'_>]) -> anyhow::Result<Table> {
    let columns = vec![
        Column::text("field"),
        Column::text("reference"),
        Column::text("compared"),
        Column::text("of"),
    ];
    let mut table = Table::new("What differs before any measurement", columns);
    let mut rows: Vec<(Difference, Vec<&str>)> = Vec::new();
    let (mut same_field, mut same_results) = (0, 0);
    for pair in pairs {
        let (a, b) = (&pair.reference.loaded.record, &pair.compared.loaded.record);
        let found = differences(a, b)?;
        same_field += usize::from(found.is_empty());
        same_results += usize::from(a.results_blake3 == b.results_blake3);
        for difference in found {
            match rows.iter_mut().find(|(known, _)| *known == difference) {
                Some((_, of)) => of.push(&pair.compared.name),
                None => rows.push((difference, vec![&pair.compared.name])),
            }
        }
    }
    // Values of one field below each other.
    rows.sort_by_key(|(difference, _)| (difference.field.starts_with("env."), difference.field.clone()));
    for (difference, of) in rows {
        let of = if of.len() == pairs.len() && of.len() > 1 {
            format!("all {}", of.len())
        } else {
            of.join(", ")
        };
        table.push(vec![
            Cell::text(difference.field),
            Cell::text(difference.reference),
            Cell::text(difference.compared),
            Cell::text(of),
        ])?;
    }
    let n = pairs.len();
    if same_field > 0 {
        table.notes.push(format!(
            "No field of the specification or of the environment differs in {same_field} of {n} {}.",
            comparisons(n)
        ));
    }
    if same_results > 0 {
        table.notes.push(format!(
            "Every measurement is the same to the last digit in {same_results} of {n} {}.",
            comparisons(n)
        ));
    }
    table.notes.extend(cautions(pairs));
    Ok(table)
}

pub(crate) fn comparisons(n: usize) -> &'static str {
    if n == 1 { "comparison" } else { "comparisons" }
}

/// What the pairing by letter cannot take out of a comparison.
fn cautions(pairs: &[Pair<'_>]) -> Vec<String> {
    type Differs = fn(&Record, &Record) -> bool;
    let checks: [(Differs, &str); 4] = [
        (
            |a, b| a.spec.letters != b.spec.letters,
            "The letters differ: only the common ones are compared.",
        ),
        (
            |a, b| a.spec.model.hash != b.spec.model.hash || a.spec.site != b.spec.site,
            "Model or site differ: each share is relative to its own model's ceiling at its own site.",
        ),
        (
            |a, b| a.spec.words_hash != b.spec.words_hash || a.spec.prompts_hash != b.spec.prompts_hash,
            "Words or prompts differ: pairing by letter does not take their noise out of the differences.",
        ),
        (
            |a, b| a.spec.limit != b.spec.limit || a.status != b.status,
            "One side is a limited run: do not quote these differences.",
        ),
    ];
    let of = |differs: Differs| {
        pairs
            .iter()
            .any(|pair| differs(&pair.reference.loaded.record, &pair.compared.loaded.record))
    };
    checks
        .into_iter()
        .filter(|(differs, _)| of(*differs))
        .map(|(_, caution)| caution.to_owned())
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values_that_differ_never_look_alike() {
        let long = |c: char| json!(c.to_string().repeat(64));
        assert_eq!(
            words(Some(&long('a')), Some(&long('b'))),
            ("a".repeat(SHORT), "b".repeat(SHORT))
        );
        let (x, y) = (json!("a".repeat(63) + "0"), json!("a".repeat(63) + "1"));
        assert_eq!(words(Some(&x), Some(&y)).0.len(), 64);
        assert_eq!(words(None, Some(&json!(3))), ("(none)".to_owned(), "3".to_owned()));
        let (x, y) = (json!(["a", "b", "q"]), json!(["a", "b"]));
        assert_eq!(
            words(Some(&x), Some(&y)),
            ("3 entries, only here: q".to_owned(), "2 entries".to_owned())
        );
    }
}
