//! The folder of cached matrices: find, add, list, check, make room.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::file::{self, Matrix, Source};
use crate::atomic::remove_abandoned;
use crate::error::StoreError;

const EXTENSION: &str = "act";

/// A folder of cached activations.
#[derive(Clone, Debug)]
pub struct Activations {
    dir: PathBuf,
}

/// One file of the folder.
#[derive(Debug)]
pub struct Cached {
    /// The file.
    pub path: PathBuf,
    /// Its size, bytes.
    pub bytes: u64,
    /// When it was written or last read.
    pub used: SystemTime,
    /// What it holds, or why it cannot be read.
    pub state: Result<CachedState, StoreError>,
}

/// What a readable file holds.
#[derive(Clone, Debug)]
pub struct CachedState {
    /// What its numbers were computed from.
    pub source: Source,
    /// Rows.
    pub rows: u64,
    /// Width of a row.
    pub width: u64,
}

impl Activations {
    /// The cache in `dir`, which need not exist yet.
    #[must_use]
    pub fn open(dir: &Path) -> Self {
        Self { dir: dir.to_owned() }
    }

    /// The folder.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    fn path(&self, source: &Source) -> Result<PathBuf, StoreError> {
        Ok(self.dir.join(format!("{}.{EXTENSION}", source.key()?)))
    }

    /// The matrix of a source, checked, or nothing where it is not there. Its time of last use becomes now.
    ///
    /// # Errors
    /// [`StoreError::CorruptCache`] when the file was damaged, [`StoreError::Io`] when it cannot be read.
    pub fn get(&self, source: &Source) -> Result<Option<Matrix>, StoreError> {
        let path = self.path(source)?;
        if !path.is_file() {
            return Ok(None);
        }
        let (_, matrix) = file::read(&path, Some(source))?;
        // A folder that cannot be written to still serves; its files then leave in the order they came.
        let _ = std::fs::File::options()
            .append(true)
            .open(&path)
            .and_then(|file| file.set_modified(SystemTime::now()));
        Ok(Some(matrix))
    }

    /// Keeps a matrix, after removing what was used longest ago until the folder with it is at most `limit` bytes. Returns whether
    /// it was kept: one that is larger than the limit alone is not.
    ///
    /// # Errors
    /// [`StoreError::Io`] when the folder cannot be written to; its numbers are not whole rows.
    pub fn put(&self, source: &Source, matrix: &Matrix, limit: u64) -> Result<bool, StoreError> {
        // The header is a few hundred bytes.
        let bytes = 4 * matrix.values.len() as u64 + 4096;
        if bytes > limit {
            return Ok(false);
        }
        fs_err::create_dir_all(&self.dir).map_err(StoreError::io("create", &self.dir))?;
        self.shrink(limit - bytes)?;
        file::write(&self.path(source)?, source, matrix)?;
        Ok(true)
    }

    /// Every file, the one used last first.
    ///
    /// # Errors
    /// [`StoreError::Io`] when the folder cannot be read; a folder that is not there holds nothing.
    pub fn list(&self) -> Result<Vec<Cached>, StoreError> {
        self.entries(|path| {
            let header = file::header(path)?;
            Ok(CachedState {
                source: header.source,
                rows: header.rows,
                width: header.width,
            })
        })
    }

    /// As [`Activations::list`], reading every number and checking that each file has the name of its source.
    ///
    /// # Errors
    /// As [`Activations::list`].
    pub fn verify(&self) -> Result<Vec<Cached>, StoreError> {
        self.entries(|path| {
            let (header, _) = file::read(path, None)?;
            if self.path(&header.source)? != *path {
                return Err(StoreError::CorruptCache {
                    path: path.to_owned(),
                    what: "its name is not that of its source".to_owned(),
                });
            }
            Ok(CachedState {
                source: header.source,
                rows: header.rows,
                width: header.width,
            })
        })
    }

    fn entries(&self, read: impl Fn(&Path) -> Result<CachedState, StoreError>) -> Result<Vec<Cached>, StoreError> {
        if !self.dir.is_dir() {
            return Ok(Vec::new());
        }
        let io = |e| StoreError::io("read", &self.dir)(e);
        let mut found = Vec::new();
        for entry in fs_err::read_dir(&self.dir).map_err(io)? {
            let path = entry.map_err(io)?.path();
            if path.extension().is_none_or(|extension| extension != EXTENSION) {
                continue;
            }
            // Another process may have removed it in between.
            let Ok(facts) = fs_err::metadata(&path) else { continue };
            found.push(Cached {
                bytes: facts.len(),
                used: facts.modified().unwrap_or(SystemTime::UNIX_EPOCH),
                state: read(&path),
                path,
            });
        }
        found.sort_by(|a, b| b.used.cmp(&a.used).then_with(|| a.path.cmp(&b.path)));
        Ok(found)
    }

    /// Removes what was used longest ago until the folder holds at most `limit` bytes, and what killed processes left half-written.
    /// Returns what was removed.
    ///
    /// # Errors
    /// [`StoreError::Io`] when a file cannot be removed.
    pub fn shrink(&self, limit: u64) -> Result<Vec<Cached>, StoreError> {
        if self.dir.is_dir() {
            remove_abandoned(&self.dir)?;
        }
        let mut held = 0u64;
        let mut removed = Vec::new();
        for entry in self.list()? {
            held = held.saturating_add(entry.bytes);
            // Once over the limit, everything older goes too: what is left is what was used last.
            if held > limit {
                fs_err::remove_file(&entry.path).map_err(StoreError::io("remove", &entry.path))?;
                removed.push(entry);
            }
        }
        Ok(removed)
    }

    /// Removes one file of this folder.
    ///
    /// # Errors
    /// [`StoreError::Io`] when it cannot be removed.
    pub fn remove(&self, entry: &Cached) -> Result<(), StoreError> {
        fs_err::remove_file(&entry.path).map_err(StoreError::io("remove", &entry.path))
    }
}
