//! JSON files, with errors that point at the place.

use std::path::Path;

use serde::de::DeserializeOwned;

use crate::json_path::field_at;
use crate::{CheckpointError, locate};

/// Reads a JSON file into `T`.
///
/// # Errors
/// [`CheckpointError::Missing`] if there is no such file, [`CheckpointError::Io`] if it cannot be read, [`CheckpointError::Json`] with
/// line, column and field if it is not JSON or does not fit `T`.
pub fn read_json<T: DeserializeOwned>(path: &Path) -> Result<T, CheckpointError> {
    let bytes = match fs_err::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Err(locate::missing_file(path));
        }
        Err(error) => return Err(CheckpointError::io("read", path)(error)),
    };
    serde_json::from_slice(&bytes).map_err(|error| CheckpointError::Json {
        file: path.to_owned(),
        reason: error.to_string(),
        field: field_at(&bytes, error.line(), error.column()),
    })
}

/// Reads a JSON file as a value whose fields are looked at later. Field order is that of the file.
///
/// # Errors
/// Those of [`read_json`].
pub fn read_json_value(path: &Path) -> Result<serde_json::Value, CheckpointError> {
    read_json(path)
}
