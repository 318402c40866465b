//! The smaller tables inside a record, and the fingerprint over everything that was measured.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::canonical::canonical_json;
use crate::error::StoreError;
use crate::estimate::Estimate;
use crate::hash::Blake3;
use crate::record::RowsRef;

/// What one arm did to one letter.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LetterRow {
    /// The letter.
    pub letter: char,
    /// The arm.
    pub arm: String,
    /// Measurements by name, as in the summary but without the arm: `ms`, `m_star`. A measurement that could not be made is
    /// absent; the record's warnings say why.
    pub values: BTreeMap<String, Estimate>,
}

/// One row of a named table of the record: a layer of the site map, a k of the k-curve.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TableRow {
    /// What the row is about, for example `layer` -> `12`, `arm` -> `full-site`.
    pub at: BTreeMap<String, String>,
    /// Measurements by name.
    pub values: BTreeMap<String, Estimate>,
}

impl TableRow {
    /// The label `name` as a number (`layer`, `k`), where it is one.
    #[must_use]
    pub fn at_number(&self, name: &str) -> Option<f64> {
        self.at.get(name)?.parse().ok()
    }
}

/// Everything that was measured, borrowed from a record or a draft.
#[derive(Serialize)]
pub(crate) struct Results<'a> {
    pub(crate) summary: &'a BTreeMap<String, Estimate>,
    pub(crate) letters: &'a [LetterRow],
    pub(crate) tables: &'a BTreeMap<String, Vec<TableRow>>,
    pub(crate) rows: Option<RowsContent<'a>>,
}

/// Rows without the name of their file.
#[derive(Serialize)]
pub(crate) struct RowsContent<'a> {
    n: u64,
    blake3: &'a Blake3,
}

impl<'a> From<&'a RowsRef> for RowsContent<'a> {
    fn from(rows: &'a RowsRef) -> Self {
        Self {
            n: rows.n,
            blake3: &rows.blake3,
        }
    }
}

impl Results<'_> {
    /// Hash of the canonical form.
    pub(crate) fn fingerprint(&self) -> Result<Blake3, StoreError> {
        let text = canonical_json(self).map_err(|source| StoreError::Encode { source })?;
        Ok(Blake3::of(text.as_bytes()))
    }

    /// Refuses numbers that JSON cannot hold.
    pub(crate) fn check(&self) -> Result<(), StoreError> {
        let summary = self.summary.iter().map(|(name, e)| (format!("summary/{name}"), e));
        let letters = self.letters.iter().flat_map(|row| {
            row.values
                .iter()
                .map(move |(name, e)| (format!("letters/{}/{}/{name}", row.letter, row.arm), e))
        });
        let tables = self.tables.iter().flat_map(|(table, rows)| {
            rows.iter().enumerate().flat_map(move |(i, row)| {
                row.values
                    .iter()
                    .map(move |(name, e)| (format!("tables/{table}/{i}/{name}"), e))
            })
        });
        match summary.chain(letters).chain(tables).find(|(_, e)| !e.is_sound()) {
            Some((name, e)) => Err(StoreError::UnsoundEstimate {
                name,
                value: e.value,
                lo: e.lo,
                hi: e.hi,
            }),
            None => Ok(()),
        }
    }
}
