//! One cached matrix as a file: eight bytes of magic, the length of a JSON header, the header, then little-endian f32 rows.

use std::io::{BufReader, Read, Write};
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::atomic::AtomicFile;
use crate::canonical::canonical_json;
use crate::error::StoreError;
use crate::hash::Blake3;

const MAGIC: &[u8; 8] = b"VRNRACT1";
/// A header is a few hundred bytes; a longer one is not ours.
const LONGEST_HEADER: u64 = 1 << 16;
/// Bytes that are converted at a time.
const BLOCK: usize = 1 << 20;

/// Everything that the numbers of a matrix follow from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Source {
    /// Name of the model, for people.
    pub model: String,
    /// Hash of its weights and configuration.
    pub model_hash: String,
    /// `TransformerLens` name of the stream point.
    pub hook: String,
    /// Hash of the prompts' token ids.
    pub prompts_hash: String,
    /// Number type of the forward pass.
    pub dtype: String,
    /// Kind of device.
    pub device: String,
    /// Version of the forward pass: raised when its numbers change.
    pub engine: u32,
}

impl Source {
    /// The name under which its matrix is kept.
    ///
    /// # Errors
    /// [`StoreError::Encode`], which does not happen for plain fields.
    pub fn key(&self) -> Result<Blake3, StoreError> {
        let text = canonical_json(self).map_err(|source| StoreError::Encode { source })?;
        Ok(Blake3::of(text.as_bytes()))
    }
}

/// Rows of one width.
#[derive(Clone, Debug, PartialEq)]
pub struct Matrix {
    /// Width of a row.
    pub width: usize,
    /// `[rows, width]`.
    pub values: Vec<f32>,
}

/// What stands before the numbers.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Header {
    pub(super) source: Source,
    pub(super) rows: u64,
    pub(super) width: u64,
    values_blake3: Blake3,
}

impl Header {
    fn bytes(&self) -> Option<u64> {
        self.rows.checked_mul(self.width)?.checked_mul(4)
    }
}

pub(super) fn write(path: &Path, source: &Source, matrix: &Matrix) -> Result<(), StoreError> {
    if matrix.width == 0 || !matrix.values.len().is_multiple_of(matrix.width) {
        return Err(bad(path, "its numbers are not whole rows"));
    }
    let header = Header {
        source: source.clone(),
        rows: (matrix.values.len() / matrix.width) as u64,
        width: matrix.width as u64,
        values_blake3: hash(&matrix.values),
    };
    let text = serde_json::to_vec(&header).map_err(|source| StoreError::Encode { source })?;
    let mut file = AtomicFile::create(path)?;
    let mut put = |bytes: &[u8]| file.write_all(bytes).map_err(StoreError::io("write", path));
    put(MAGIC)?;
    put(&(text.len() as u64).to_le_bytes())?;
    put(&text)?;
    let mut block = Vec::with_capacity(BLOCK);
    for values in matrix.values.chunks(BLOCK / 4) {
        block.clear();
        block.extend(values.iter().flat_map(|v| v.to_le_bytes()));
        put(&block)?;
    }
    file.commit()
}

/// The header alone, its length checked against the file's.
pub(super) fn header(path: &Path) -> Result<Header, StoreError> {
    Ok(open(path)?.0)
}

fn open(path: &Path) -> Result<(Header, BufReader<fs_err::File>), StoreError> {
    let io = |e| StoreError::io("read", path)(e);
    let file = fs_err::File::open(path).map_err(io)?;
    let size = file.metadata().map_err(io)?.len();
    let mut reader = BufReader::with_capacity(BLOCK, file);
    let mut start = [0; 16];
    if size < 16 {
        return Err(bad(path, "it is too short"));
    }
    reader.read_exact(&mut start).map_err(io)?;
    if start[..8] != MAGIC[..] {
        return Err(bad(path, "it does not begin as one"));
    }
    let mut length = [0; 8];
    length.copy_from_slice(&start[8..]);
    let length = u64::from_le_bytes(length);
    if length > LONGEST_HEADER || length > size - 16 {
        return Err(bad(path, "its header is longer than it can be"));
    }
    let mut text = vec![0; length as usize];
    reader.read_exact(&mut text).map_err(io)?;
    let header: Header = serde_json::from_slice(&text).map_err(|e| bad(path, &format!("its header: {e}")))?;
    if header.bytes() != Some(size - 16 - length) || header.width == 0 {
        return Err(bad(path, "its size is not what its header says"));
    }
    Ok((header, reader))
}

/// Reads a matrix and checks its numbers, and that it was made from `wanted` where that is given.
pub(super) fn read(path: &Path, wanted: Option<&Source>) -> Result<(Header, Matrix), StoreError> {
    let (header, mut reader) = open(path)?;
    if wanted.is_some_and(|wanted| *wanted != header.source) {
        return Err(bad(path, "it was made from something else"));
    }
    let mut values = Vec::with_capacity((header.rows * header.width) as usize);
    let mut hasher = blake3::Hasher::new();
    let mut left = header.rows * header.width * 4;
    let mut block = vec![0; BLOCK];
    while left > 0 {
        let take = left.min(BLOCK as u64) as usize;
        reader
            .read_exact(&mut block[..take])
            .map_err(StoreError::io("read", path))?;
        hasher.update(&block[..take]);
        values.extend(
            block[..take]
                .as_chunks::<4>()
                .0
                .iter()
                .map(|bytes| f32::from_le_bytes(*bytes)),
        );
        left -= take as u64;
    }
    if Blake3::from(hasher.finalize()) != header.values_blake3 {
        return Err(bad(path, "its numbers changed after it was written"));
    }
    let width = header.width as usize;
    Ok((header, Matrix { width, values }))
}

fn hash(values: &[f32]) -> Blake3 {
    let mut hasher = blake3::Hasher::new();
    let mut block = Vec::with_capacity(BLOCK);
    for values in values.chunks(BLOCK / 4) {
        block.clear();
        block.extend(values.iter().flat_map(|v| v.to_le_bytes()));
        hasher.update(&block);
    }
    Blake3::from(hasher.finalize())
}

fn bad(path: &Path, what: &str) -> StoreError {
    StoreError::CorruptCache {
        path: path.to_owned(),
        what: what.to_owned(),
    }
}
