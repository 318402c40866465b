//! An entry point for fuzzing: it takes any bytes, returns nothing, and must not panic.

use std::path::Path;

use crate::names;
use crate::record::{self, Record};

/// Parses `bytes` as the JSON file of one unit, with and without its own hashes, and reads what any user of a record reads.
///
/// # Panics
/// A record that was read is not the same after it was written and read again.
pub fn record(bytes: &[u8]) {
    // Hashes that fit cannot be found by chance, so what comes behind them is tried on its own.
    match record::parse(Path::new("fuzz"), bytes) {
        Ok(record) => exercise(&record),
        Err(error) => drop(error.to_string()),
    }
    if let Ok(record) = serde_json::from_slice::<Record>(bytes) {
        exercise(&record);
    }
}

fn exercise(record: &Record) {
    drop(names::stem(&record.spec, &record.key));
    for warning in &record.warnings {
        drop((warning.code(), warning.message(), warning.remedy()));
    }
    drop(record.results().check());
    let Ok(text) = serde_json::to_vec(record) else { return };
    let again: Record = serde_json::from_slice(&text).expect("what was written can be read");
    assert_eq!(*record, again);
    assert_eq!(record.altered_part().ok(), again.altered_part().ok());
}
