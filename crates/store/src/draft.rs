//! A record before it is stored: what the caller knows. Key, rows reference and fingerprint are the store's to fill in, so they
//! cannot be wrong.

use std::collections::BTreeMap;

use crate::error::StoreError;
use crate::estimate::Estimate;
use crate::record::{Env, Record, RowsRef, SCHEMA_VERSION, Status, Timing};
use crate::results::{LetterRow, Results, TableRow};
use crate::spec::Spec;
use crate::warning::Warning;

/// What a finished or failed unit hands to [`Writer::put`](crate::Writer::put). The fields are those of [`Record`].
#[derive(Debug, Clone, PartialEq)]
pub struct Draft {
    /// How the unit ended.
    pub status: Status,
    /// Text of the error when it failed.
    pub error: Option<String>,
    /// What a reader should know before using the numbers.
    pub warnings: Vec<Warning>,
    /// What was asked for.
    pub spec: Spec,
    /// By what and where it was run.
    pub env: Env,
    /// What it took.
    pub timing: Timing,
    /// Measurements by slash name.
    pub summary: BTreeMap<String, Estimate>,
    /// Measurements by letter and arm.
    pub letters: Vec<LetterRow>,
    /// Further tables by name.
    pub tables: BTreeMap<String, Vec<TableRow>>,
}

impl Draft {
    /// A unit that ran through, without any measurements yet. It is [`Status::Limited`] when the spec has a limit.
    #[must_use]
    pub fn finished(spec: Spec, env: Env, timing: Timing) -> Self {
        let status = if spec.limit.is_some() {
            Status::Limited
        } else {
            Status::Done
        };
        Self {
            status,
            error: None,
            warnings: Vec::new(),
            spec,
            env,
            timing,
            summary: BTreeMap::new(),
            letters: Vec::new(),
            tables: BTreeMap::new(),
        }
    }

    /// A unit that an error ended.
    #[must_use]
    pub fn failed(spec: Spec, env: Env, timing: Timing, error: impl Into<String>) -> Self {
        Self {
            status: Status::Failed,
            error: Some(error.into()),
            ..Self::finished(spec, env, timing)
        }
    }

    /// The record, with key and fingerprint.
    pub(crate) fn into_record(self, rows: Option<RowsRef>) -> Result<Record, StoreError> {
        let results = Results {
            summary: &self.summary,
            letters: &self.letters,
            tables: &self.tables,
            rows: rows.as_ref().map(Into::into),
        };
        results.check()?;
        let results_blake3 = results.fingerprint()?;
        self.check_timing()?;
        Ok(Record {
            schema_version: SCHEMA_VERSION,
            key: self.spec.key()?,
            status: self.status,
            error: self.error,
            warnings: self.warnings,
            spec: self.spec,
            env: self.env,
            timing: self.timing,
            summary: self.summary,
            letters: self.letters,
            tables: self.tables,
            rows,
            results_blake3,
        })
    }

    fn check_timing(&self) -> Result<(), StoreError> {
        let stages = self
            .timing
            .stages
            .iter()
            .map(|stage| (stage.name.as_str(), stage.seconds));
        match stages
            .chain([("wall_s", self.timing.wall_s)])
            .find(|(_, seconds)| !seconds.is_finite())
        {
            Some((name, value)) => Err(StoreError::UnsoundEstimate {
                name: format!("timing/{name}"),
                value,
                lo: None,
                hi: None,
            }),
            None => Ok(()),
        }
    }
}
