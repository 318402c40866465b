//! Identity of weights from their content.
//!
//! Nothing is cached: a hash costs one sequential read, and whoever asks twice keeps the answer. Deliberately absent: any reading of
//! tensors. Two files with equal tensors and different headers have different hashes.

use std::path::{Path, PathBuf};

use crate::CheckpointError;
use crate::locate::{Located, locate};

/// BLAKE3 of the weights at `path`, as 64 hexadecimal digits.
///
/// A file of any format, and a folder with one weight file, have the hash of that file (what `b3sum` prints). The hash of a sharded
/// checkpoint is that of its shards' lines `{hash}  {name}\n` in name order, which is `b3sum *.safetensors | b3sum`.
///
/// # Errors
/// [`CheckpointError::Missing`] if there are no weights, [`CheckpointError::Io`] if they cannot be read.
pub fn content_hash(path: &Path) -> Result<String, CheckpointError> {
    let shards = match locate(path)? {
        Located::Single(file) => return Ok(file_hash(&file)?.to_hex().to_string()),
        Located::Sharded { shards, .. } => shards,
    };
    let mut files: Vec<PathBuf> = shards.into_values().collect();
    files.sort();
    files.dedup();
    let mut lines = Vec::with_capacity(files.len());
    for file in &files {
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        lines.push(format!("{}  {name}\n", file_hash(file)?.to_hex()));
    }
    let lines = lines.concat();
    Ok(blake3::hash(lines.as_bytes()).to_hex().to_string())
}

fn file_hash(path: &Path) -> Result<blake3::Hash, CheckpointError> {
    let file = fs_err::File::open(path).map_err(CheckpointError::io("open", path))?;
    let mut hasher = blake3::Hasher::new();
    hasher.update_reader(file).map_err(CheckpointError::io("read", path))?;
    Ok(hasher.finalize())
}
