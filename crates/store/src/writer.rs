//! The right to add records to a folder. There is one at a time, and what it does is ordered so that a kill at any moment
//! leaves either a finished unit or no unit.

use std::path::Path;
use std::time::Duration;

use serde::Serialize;

use crate::atomic::{remove_abandoned, sync_folder, write_atomic};
use crate::draft::Draft;
use crate::error::StoreError;
use crate::folder::Store;
use crate::lock::Lock;
use crate::names::{self, RECORD_ENDING, ROWS_ENDING};
use crate::record::Record;
use crate::rows::{FinishedRows, RowsWriter};
use crate::spec::Spec;

/// A folder of records, locked for writing until dropped.
#[derive(Debug)]
pub struct Writer {
    store: Store,
    _lock: Lock,
}

impl Writer {
    /// Creates `dir` if need be, locks it (waiting up to `wait` for another writer to end), and removes what killed writers
    /// left behind.
    ///
    /// # Errors
    /// [`StoreError::Locked`] names the process that holds the folder; [`StoreError::Io`] when it cannot be written to.
    pub fn open(dir: &Path, wait: Duration) -> Result<Self, StoreError> {
        fs_err::create_dir_all(dir).map_err(StoreError::io("create", dir))?;
        let lock = Lock::acquire(dir, wait)?;
        remove_abandoned(dir)?;
        Ok(Self {
            store: Store::open(dir),
            _lock: lock,
        })
    }

    /// The same folder, for reading.
    #[must_use]
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// Starts the long table of a unit. It becomes visible with its record.
    ///
    /// # Errors
    /// [`StoreError::Io`] when the folder does not take new files, or as [`Spec::key`].
    pub fn rows<T: Serialize>(&self, spec: &Spec) -> Result<RowsWriter<T>, StoreError> {
        let stem = names::stem(spec, &spec.key()?);
        RowsWriter::create(&self.store.dir().join(stem + ROWS_ENDING))
    }

    /// Stores a unit: first its rows, then its record. An older record of the same key is taken away before, so that at no
    /// moment a record stands beside rows that are not its own; a kill in between only means that the unit is run again.
    ///
    /// # Errors
    /// [`StoreError::UnsoundEstimate`] and [`StoreError::NullSetting`] for numbers that cannot be stored,
    /// [`StoreError::RowsOfAnotherUnit`] for rows of another spec, [`StoreError::Io`] for the rest.
    pub fn put(&self, draft: Draft, rows: Option<FinishedRows>) -> Result<Record, StoreError> {
        let record = draft.into_record(rows.as_ref().map(FinishedRows::reference))?;
        let stem = names::stem(&record.spec, &record.key);
        let rows_name = format!("{stem}{ROWS_ENDING}");
        if let Some(rows) = rows
            .as_ref()
            .map(FinishedRows::file_name)
            .filter(|name| *name != rows_name)
        {
            return Err(StoreError::RowsOfAnotherUnit { rows, record: stem });
        }
        let mut text = serde_json::to_vec_pretty(&record).map_err(|source| StoreError::Encode { source })?;
        text.push(b'\n');

        let dir = self.store.dir();
        let record_path = dir.join(format!("{stem}{RECORD_ENDING}"));
        remove_if_there(&record_path)?;
        match rows {
            Some(rows) => {
                sync_folder(dir)?;
                rows.commit()?;
            }
            None => remove_if_there(&dir.join(rows_name))?,
        }
        write_atomic(&record_path, &text)?;
        Ok(record)
    }
}

fn remove_if_there(path: &Path) -> Result<(), StoreError> {
    match fs_err::remove_file(path) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(StoreError::io("remove", path)(e)),
        _ => Ok(()),
    }
}
