//! The long table, written.
//!
//! A row is any flat struct that serde can turn into CSV. The bytes are a function of the rows alone: one zstd level, one
//! thread, no time stamps, floats with the fewest digits that read back as the same number. Use `f32` for measured values: they
//! are as exact as the forward pass and half as long. The hash is taken before compression, so that it outlives versions of
//! zstd.
//!
//! CSV rather than a columnar format: a table can be read by anything, and compresses to about the same size.

use std::io::{self, Write};
use std::marker::PhantomData;
use std::path::Path;

use serde::Serialize;

use crate::atomic::AtomicFile;
use crate::error::StoreError;
use crate::hash::Blake3;
use crate::record::RowsRef;

/// zstd's own default; higher levels cost more time than they save space on tables of numbers.
const LEVEL: i32 = 3;
const BUFFER: usize = 1 << 16;

/// A table under construction; disappears when dropped without [`RowsWriter::finish`]. Made by
/// [`Writer::rows`](crate::Writer::rows).
#[derive(Debug)]
pub struct RowsWriter<T> {
    csv: csv::Writer<HashedZstd>,
    n: u64,
    row: PhantomData<fn(&T)>,
}

/// A complete table that is not visible yet. [`Writer::put`](crate::Writer::put) makes it so; dropping it removes it.
#[derive(Debug)]
pub struct FinishedRows {
    file: AtomicFile,
    n: u64,
    blake3: Blake3,
}

impl<T: Serialize> RowsWriter<T> {
    pub(crate) fn create(target: &Path) -> Result<Self, StoreError> {
        let file = AtomicFile::create(target)?;
        let out = HashedZstd::new(file).map_err(StoreError::io("write", target))?;
        Ok(Self {
            csv: csv::WriterBuilder::new().buffer_capacity(BUFFER).from_writer(out),
            n: 0,
            row: PhantomData,
        })
    }

    /// Adds a row; the first one decides the header.
    ///
    /// # Errors
    /// [`StoreError::Row`] when the row is not flat, has another number of fields, or the disk is full.
    pub fn write(&mut self, row: &T) -> Result<(), StoreError> {
        let Self { csv, n, .. } = self;
        if let Err(source) = csv.serialize(row) {
            return Err(StoreError::Row {
                path: csv.get_ref().target().to_owned(),
                source,
            });
        }
        *n += 1;
        Ok(())
    }

    /// Completes the table.
    ///
    /// # Errors
    /// [`StoreError::Io`] when the rest of the table cannot be written.
    pub fn finish(self) -> Result<FinishedRows, StoreError> {
        let target = self.csv.get_ref().target().to_owned();
        let out = self
            .csv
            .into_inner()
            .map_err(|e| StoreError::io("write", &target)(e.into_error()))?;
        let (file, blake3) = out.finish().map_err(StoreError::io("write", &target))?;
        Ok(FinishedRows {
            file,
            n: self.n,
            blake3,
        })
    }
}

impl FinishedRows {
    /// Number of rows.
    #[must_use]
    pub fn n(&self) -> u64 {
        self.n
    }

    /// Name of the file it will be.
    pub(crate) fn file_name(&self) -> String {
        self.file
            .target()
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned()
    }

    pub(crate) fn reference(&self) -> RowsRef {
        RowsRef {
            path: self.file_name(),
            n: self.n,
            blake3: self.blake3.clone(),
        }
    }

    pub(crate) fn commit(self) -> Result<(), StoreError> {
        self.file.commit()
    }
}

/// Hashes what goes through, compresses it and passes it on.
struct HashedZstd {
    hasher: blake3::Hasher,
    zstd: zstd::Encoder<'static, AtomicFile>,
}

impl HashedZstd {
    fn new(file: AtomicFile) -> io::Result<Self> {
        let mut zstd = zstd::Encoder::new(file, LEVEL)?;
        zstd.include_checksum(true)?;
        Ok(Self {
            hasher: blake3::Hasher::new(),
            zstd,
        })
    }

    fn target(&self) -> &Path {
        self.zstd.get_ref().target()
    }

    fn finish(self) -> io::Result<(AtomicFile, Blake3)> {
        Ok((self.zstd.finish()?, self.hasher.finalize().into()))
    }
}

impl Write for HashedZstd {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let n = self.zstd.write(bytes)?;
        self.hasher.update(&bytes[..n]);
        Ok(n)
    }

    fn flush(&mut self) -> io::Result<()> {
        // Flushing the compressor would end a block early and let the caller's rhythm reach the bytes.
        Ok(())
    }
}

impl std::fmt::Debug for HashedZstd {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HashedZstd")
            .field("target", &self.target())
            .finish_non_exhaustive()
    }
}
