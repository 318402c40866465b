//! A folder of records, for reading. Needs no lock: files appear complete or not at all, also while another process writes.

use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;

use crate::error::StoreError;
use crate::hash::Blake3;
use crate::names;
use crate::record::{self, Record};
use crate::rows_read::{self, RowsReader};

/// A folder of records.
#[derive(Debug, Clone)]
pub struct Store {
    dir: PathBuf,
}

/// One record file of a folder.
#[derive(Debug)]
pub struct Entry {
    /// The file.
    pub path: PathBuf,
    /// Its content, or why it cannot be used; one bad file does not hide the others.
    pub record: Result<Record, StoreError>,
}

impl Store {
    /// The folder `dir`. Nothing is created: a folder that does not exist yet has no records.
    #[must_use]
    pub fn open(dir: &Path) -> Self {
        Self { dir: dir.to_owned() }
    }

    /// The folder.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The finished record of `key`, if there is one: checked against its own hashes, its rows checked against theirs. A failed
    /// unit counts as not there.
    ///
    /// # Errors
    /// When a file of this key is there and cannot be trusted: [`StoreError::CorruptRecord`], [`StoreError::SchemaVersion`],
    /// [`StoreError::Altered`], [`StoreError::RowsMismatch`]. Such a file is never taken for "not there", because the next step
    /// would be to overwrite it.
    pub fn find(&self, key: &Blake3) -> Result<Option<Record>, StoreError> {
        for path in self.record_paths()? {
            if names::key_digits(&file_name(&path)) != Some(key.short()) {
                continue;
            }
            let record = read(&path)?;
            if record.key == *key && record.status.is_finished() {
                if let Some(rows) = &record.rows {
                    rows_read::verify(&self.dir, rows)?;
                }
                return Ok(Some(record));
            }
        }
        Ok(None)
    }

    /// Every record of the folder, failed ones too, in the order of file names. Rows are not checked.
    ///
    /// # Errors
    /// [`StoreError::Io`] when the folder cannot be read; a bad file is an [`Entry`] with an error.
    pub fn list(&self) -> Result<Vec<Entry>, StoreError> {
        let entry = |path: PathBuf| Entry {
            record: read(&path),
            path,
        };
        Ok(self.record_paths()?.into_iter().map(entry).collect())
    }

    /// The long table of `record`, after checking it against the record.
    ///
    /// # Errors
    /// [`StoreError::NoRows`], [`StoreError::RowsMismatch`] or [`StoreError::Io`].
    pub fn rows<T: DeserializeOwned>(&self, record: &Record) -> Result<RowsReader<T>, StoreError> {
        match &record.rows {
            Some(rows) => RowsReader::open(&self.dir, rows),
            None => Err(StoreError::NoRows {
                key: record.key.short().to_owned(),
            }),
        }
    }

    /// Reads one record file, wherever it lies, and checks it against its own hashes.
    ///
    /// # Errors
    /// As [`Store::find`], except that rows are not checked.
    pub fn read_record(path: &Path) -> Result<Record, StoreError> {
        read(path)
    }

    fn record_paths(&self) -> Result<Vec<PathBuf>, StoreError> {
        if !self.dir.exists() {
            return Ok(Vec::new());
        }
        let mut paths = Vec::new();
        for entry in fs_err::read_dir(&self.dir).map_err(StoreError::io("read", &self.dir))? {
            let path = entry.map_err(StoreError::io("read", &self.dir))?.path();
            if names::key_digits(&file_name(&path)).is_some() {
                paths.push(path);
            }
        }
        paths.sort();
        Ok(paths)
    }
}

fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

fn read(path: &Path) -> Result<Record, StoreError> {
    let bytes = fs_err::read(path).map_err(StoreError::io("read", path))?;
    record::parse(path, &bytes)
}
