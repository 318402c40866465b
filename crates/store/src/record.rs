//! The JSON file of one unit.
//!
//! A record explains itself: what was asked ([`Spec`]), by what and where it was run ([`Env`]), what it took ([`Timing`]) and what
//! came out. Unknown fields are errors on reading, because a field that is silently dropped looks like a field that was never
//! measured; a record of another schema version is refused by its number before its fields are looked at.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::error::StoreError;
use crate::estimate::Estimate;
use crate::hash::Blake3;
use crate::results::{LetterRow, Results, TableRow};
use crate::spec::Spec;
use crate::warning::Warning;

/// Version of the record's layout. Raised when a field is added, removed or changes its meaning.
pub const SCHEMA_VERSION: u32 = 1;

/// How a unit ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// Everything was measured.
    Done,
    /// An error ended the unit; it is run again next time.
    Failed,
    /// Complete, but on fewer words than the task has.
    Limited,
}

impl Status {
    /// Whether the unit need not be run again.
    #[must_use]
    pub fn is_finished(self) -> bool {
        match self {
            Self::Done | Self::Limited => true,
            Self::Failed => false,
        }
    }
}

/// The result of one unit. Made by [`Writer::put`](crate::Writer::put) from a [`Draft`](crate::Draft).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    /// Layout of this file: [`SCHEMA_VERSION`].
    pub schema_version: u32,
    /// Hash of `spec`.
    pub key: Blake3,
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
    /// Measurements by slash name: `sae.k1_exact/ms`, `leace1/m_star`.
    pub summary: BTreeMap<String, Estimate>,
    /// Measurements by letter and arm.
    pub letters: Vec<LetterRow>,
    /// Further tables by name: `layers`, `k_curve`.
    pub tables: BTreeMap<String, Vec<TableRow>>,
    /// The long table beside this file.
    pub rows: Option<RowsRef>,
    /// Fingerprint of summary, letters, tables and rows; the same on every machine that measures the same.
    pub results_blake3: Blake3,
}

/// The long table of a record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RowsRef {
    /// File name, in the folder of the record.
    pub path: String,
    /// Number of rows.
    pub n: u64,
    /// Hash of the table before compression (`zstd -dc FILE | b3sum`), so that it depends on no version of zstd.
    pub blake3: Blake3,
}

/// By what and where a unit was run. Not part of the key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Env {
    /// Version of this program.
    pub tool_version: String,
    /// Commit it was built from, where known.
    pub git_commit: Option<String>,
    /// Target triple.
    pub target: String,
    /// Device as it names itself.
    pub device: String,
    /// Processor model.
    pub cpu: String,
    /// Worker threads.
    pub threads: u32,
    /// Cargo features of the build.
    pub features: Vec<String>,
}

/// What a unit took. Not part of the key.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Timing {
    /// Start in RFC 3339, UTC; see [`rfc3339`](crate::rfc3339).
    pub started: String,
    /// Wall-clock seconds of the whole unit.
    pub wall_s: f64,
    /// Seconds by stage, in order of first use.
    pub stages: Vec<Stage>,
    /// Tokens of the run's own prompts that went through the model; text and other questions of side effects are not counted.
    pub tokens: u64,
    /// Highest resident memory of the process, where the system tells: what it owns, and pages of mapped files that the system
    /// may drop at any time.
    pub peak_rss_bytes: Option<u64>,
    /// Highest memory that the process owned, mapped files left out, sampled ten times a second.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peak_owned_bytes: Option<u64>,
    /// Highest resident part of mapped files, sampled likewise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peak_mapped_bytes: Option<u64>,
}

/// Time of one stage.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stage {
    /// Name, for example `capture`.
    pub name: String,
    /// Seconds in all.
    pub seconds: f64,
    /// How often it was entered.
    pub count: u64,
    /// Positions of prompts that it ran through the model.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub tokens: u64,
    /// Floating-point operations of its matrix products, as far as they are counted.
    #[serde(default, skip_serializing_if = "is_nothing")]
    pub flops: f64,
    /// Bytes of weights that these products went through, as they lie in memory or in their files.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub bytes: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the form that serde asks for")]
fn is_zero(count: &u64) -> bool {
    *count == 0
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the form that serde asks for")]
fn is_nothing(flops: &f64) -> bool {
    *flops <= 0.0
}

impl Record {
    pub(crate) fn results(&self) -> Results<'_> {
        let rows = self.rows.as_ref().map(Into::into);
        Results {
            summary: &self.summary,
            letters: &self.letters,
            tables: &self.tables,
            rows,
        }
    }

    /// The name of the first part that is not what the record's own hashes say, if any.
    pub(crate) fn altered_part(&self) -> Result<Option<&'static str>, StoreError> {
        if self.spec.key()? != self.key {
            return Ok(Some("spec"));
        }
        if self.results().fingerprint()? != self.results_blake3 {
            return Ok(Some("results"));
        }
        Ok(None)
    }
}

/// Reads the bytes of the file `path` as a record and checks it against its own hashes.
pub(crate) fn parse(path: &Path, bytes: &[u8]) -> Result<Record, StoreError> {
    /// The one field that every layout has.
    #[derive(Deserialize)]
    struct Versioned {
        schema_version: u64,
    }

    let corrupt = |source| StoreError::CorruptRecord {
        path: path.to_owned(),
        source,
    };
    let Versioned { schema_version } = serde_json::from_slice(bytes).map_err(corrupt)?;
    if schema_version != u64::from(SCHEMA_VERSION) {
        return Err(StoreError::SchemaVersion {
            path: path.to_owned(),
            found: schema_version,
        });
    }
    let record: Record = serde_json::from_slice(bytes).map_err(corrupt)?;
    match record.altered_part()? {
        Some(part) => Err(StoreError::Altered {
            path: path.to_owned(),
            part,
        }),
        None => Ok(record),
    }
}
