//! Everything that can go wrong with stored results, each with the way out.

use std::io;
use std::path::{Path, PathBuf};

/// An error of the store.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The system refused a file operation.
    #[error("cannot {action} `{}`", path.display())]
    Io {
        /// What was tried, as a verb.
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
    /// Another process writes to the folder.
    #[error(
        "`{}` is in use by {holder}\nhint: wait until it ends, stop it, or write to another folder with `--out`",
        dir.display()
    )]
    Locked {
        /// The folder.
        dir: PathBuf,
        /// Process number and start time of the holder, as it wrote them.
        holder: String,
    },
    /// The file is not a record: cut off, or not JSON of the expected form.
    #[error(
        "`{}` is not a readable record\nhint: move it away or delete it, and run the same command again to make it anew",
        path.display()
    )]
    CorruptRecord {
        /// The file.
        path: PathBuf,
        /// Where reading failed.
        source: serde_json::Error,
    },
    /// The record's layout is not the one this program knows.
    #[error(
        "`{}` has schema version {found}, this program reads {}\nhint: use the program version that wrote it, or another folder",
        path.display(), crate::SCHEMA_VERSION
    )]
    SchemaVersion {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: u64,
    },
    /// The record's content does not match its own hashes.
    #[error(
        "the {part} of `{}` changed after it was written\nhint: restore it from a copy, or delete it and run again",
        path.display()
    )]
    Altered {
        /// The file.
        path: PathBuf,
        /// `spec` or `results`.
        part: &'static str,
    },
    /// The file is not a cached matrix, or was damaged.
    #[error(
        "`{}` is not a sound file of cached activations: {what}\nhint: `bench cache verify --remove` deletes damaged files; what they held is computed again",
        path.display()
    )]
    CorruptCache {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        what: String,
    },
    /// The record has no long table.
    #[error("record `{key}` has no rows")]
    NoRows {
        /// Its key, shortened.
        key: String,
    },
    /// The long table is not the one the record was made with.
    #[error(
        "rows `{}` do not match their record: {what}\nhint: delete the record and run the same command again",
        path.display()
    )]
    RowsMismatch {
        /// The file of rows.
        path: PathBuf,
        /// What differs.
        what: String,
    },
    /// A row cannot be written or read.
    #[error("bad row in `{}`", path.display())]
    Row {
        /// The file of rows.
        path: PathBuf,
        /// What the CSV reader or writer says.
        source: csv::Error,
    },
    /// Rows of one unit were handed in with the record of another.
    #[error("rows were written for `{rows}` and the record is `{record}`")]
    RowsOfAnotherUnit {
        /// File name of the rows.
        rows: String,
        /// Stem of the record.
        record: String,
    },
    /// A setting is `null`.
    #[error("setting `{name}` is null, or a number that is not finite\nhint: leave the setting out of the spec")]
    NullSetting {
        /// Name of the setting.
        name: String,
    },
    /// A measurement is not finite, or its interval is upside down.
    #[error("measurement `{name}` cannot be stored: {value} with interval {lo:?} to {hi:?}")]
    UnsoundEstimate {
        /// Slash name.
        name: String,
        /// Point estimate.
        value: f64,
        /// Lower end.
        lo: Option<f64>,
        /// Upper end.
        hi: Option<f64>,
    },
    /// The value cannot be expressed as JSON.
    #[error("cannot express the value as JSON")]
    Encode {
        /// What the serialiser says.
        source: serde_json::Error,
    },
}

impl StoreError {
    /// For `map_err`: an [`StoreError::Io`] about `path`.
    pub(crate) fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { action, path, source }
    }
}
