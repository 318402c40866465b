//! The long table, read: first the hash of the whole, then row by row. No row of a damaged table is ever handed out.

use std::io::{BufReader, Read, Seek as _};
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;

use crate::error::StoreError;
use crate::hash::Blake3;
use crate::record::RowsRef;

type Decoder = zstd::Decoder<'static, BufReader<fs_err::File>>;

/// The rows of a record, as an iterator. Made by [`Store::rows`](crate::Store::rows).
pub struct RowsReader<T> {
    rows: csv::DeserializeRecordsIntoIter<Decoder, T>,
    path: PathBuf,
}

impl<T: DeserializeOwned> RowsReader<T> {
    /// Opens the rows of a record in `dir` after checking them.
    pub(crate) fn open(dir: &Path, rows: &RowsRef) -> Result<Self, StoreError> {
        let (mut file, path) = open_verified(dir, rows)?;
        file.rewind().map_err(StoreError::io("read", &path))?;
        let decoder = Decoder::new(file).map_err(StoreError::io("read", &path))?;
        let reader = csv::ReaderBuilder::new().buffer_capacity(1 << 16).from_reader(decoder);
        Ok(Self {
            rows: reader.into_deserialize(),
            path,
        })
    }
}

impl<T: DeserializeOwned> Iterator for RowsReader<T> {
    type Item = Result<T, StoreError>;

    fn next(&mut self) -> Option<Self::Item> {
        let row = self.rows.next()?;
        Some(row.map_err(|source| StoreError::Row {
            path: self.path.clone(),
            source,
        }))
    }
}

impl<T> std::fmt::Debug for RowsReader<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RowsReader")
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

/// Checks that the table of a record is there and is the one it was made with.
pub(crate) fn verify(dir: &Path, rows: &RowsRef) -> Result<(), StoreError> {
    open_verified(dir, rows).map(|_| ())
}

fn open_verified(dir: &Path, rows: &RowsRef) -> Result<(fs_err::File, PathBuf), StoreError> {
    let path = dir.join(&rows.path);
    let mismatch = |what: &str| StoreError::RowsMismatch {
        path: path.clone(),
        what: what.to_owned(),
    };
    // The name comes from a file that anybody may have edited; it must not lead out of the folder.
    if Path::new(&rows.path)
        .file_name()
        .is_none_or(|name| name != rows.path.as_str())
    {
        return Err(mismatch("the path is not a plain file name"));
    }
    let file = match fs_err::File::open(&path) {
        Ok(file) => file,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
            return Err(mismatch("the file is missing"));
        }
        Err(e) => return Err(StoreError::io("open", &path)(e)),
    };
    let mut decoder = Decoder::new(file).map_err(StoreError::io("read", &path))?;
    let mut hasher = blake3::Hasher::new();
    let mut buffer = vec![0; 1 << 17];
    loop {
        match decoder.read(&mut buffer) {
            Ok(0) => break,
            Ok(n) => hasher.update(&buffer[..n]),
            Err(e) => return Err(mismatch(&format!("it does not decompress: {e}"))),
        };
    }
    if Blake3::from(hasher.finalize()) != rows.blake3 {
        return Err(mismatch("the content has another hash"));
    }
    Ok((decoder.finish().into_inner(), path))
}
