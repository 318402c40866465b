//! Files to test on.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use checkpoint::write::{TensorData, safetensors};
use checkpoint::{Checkpoint, CheckpointError};

/// A folder that is removed after the test.
pub(crate) fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("a temporary folder")
}

/// Writes `tensors` without metadata.
#[track_caller]
pub(crate) fn write(path: &Path, tensors: &[TensorData<'_>]) {
    safetensors(path, tensors, &BTreeMap::new()).expect("a file that can be written");
}

/// A safetensors file with any header and any data.
pub(crate) fn raw(header: &str, data: &[u8]) -> Vec<u8> {
    [&(header.len() as u64).to_le_bytes(), header.as_bytes(), data].concat()
}

/// Checks that a message contains all of `parts`.
#[track_caller]
pub(crate) fn says(error: &dyn std::error::Error, parts: &[&str]) {
    let message = error.to_string();
    for part in parts {
        assert!(message.contains(part), "`{part}` is not in: {message}");
    }
}

/// A file of the folder of fixtures.
pub(crate) fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

/// Writes `bytes` to a file of this name and opens it.
pub(crate) fn open_as(name: &str, bytes: &[u8]) -> Result<Checkpoint, CheckpointError> {
    let folder = folder();
    let path = folder.path().join(name);
    fs_err::write(&path, bytes).expect("write");
    Checkpoint::open(&path)
}

/// Checks that two checkpoints hold the same tensors, byte for byte.
#[track_caller]
pub(crate) fn same_tensors(found: &Checkpoint, expected: &Checkpoint) {
    let names: Vec<&str> = expected.names().collect();
    assert_eq!(found.names().collect::<Vec<_>>(), names);
    for name in names {
        let found = found.get(name).unwrap_or_else(|error| panic!("{error}"));
        let expected = expected.get(name).expect("a reference");
        assert_eq!((found.dtype, found.shape), (expected.dtype, expected.shape), "{name}");
        assert_eq!(found.bytes, expected.bytes, "{name}");
    }
}
