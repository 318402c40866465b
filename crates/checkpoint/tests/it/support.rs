//! Files to test on.

use std::collections::BTreeMap;
use std::path::Path;

use checkpoint::write::{TensorData, safetensors};

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
