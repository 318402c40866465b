//! What can go wrong between a path and a tensor.
//!
//! Every message names the file, says what was expected and found, and ends with a `hint:` line where there is a way out.

use std::io;
use std::path::{Path, PathBuf};

use crate::WeightFormat;

/// An error of this crate.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CheckpointError {
    /// There is nothing to read at this place.
    #[error("nothing to read at `{path}`: {reason}\nhint: {hint}")]
    Missing {
        /// The path that was asked for.
        path: PathBuf,
        /// What was looked for.
        reason: String,
        /// The way out.
        hint: String,
    },
    /// The operating system refused.
    #[error("{}", io_message(path, action, cause))]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What was tried, as a verb.
        action: &'static str,
        /// The system's error. It is part of the message, so it is not repeated as a source.
        cause: io::Error,
    },
    /// The file is shorter than its own header says.
    #[error("`{file}` is truncated: {reason}\nhint: the download or copy stopped early; fetch the file again")]
    Truncated {
        /// The file.
        file: PathBuf,
        /// What is missing.
        reason: String,
    },
    /// The file is not safetensors, or its header contradicts itself.
    #[error("`{file}` is not a valid safetensors file: {reason}\nhint: {hint}")]
    Header {
        /// The file.
        file: PathBuf,
        /// What is wrong.
        reason: String,
        /// The way out.
        hint: String,
    },
    /// An archive or array file contradicts itself, or is of a kind that is not read.
    #[error("`{file}` cannot be read as a {format} file: {reason}\nhint: {hint}")]
    Format {
        /// The file.
        file: PathBuf,
        /// The format that its first bytes announce.
        format: WeightFormat,
        /// What is wrong.
        reason: String,
        /// The way out.
        hint: String,
    },
    /// One tensor or archive member is damaged or malformed.
    #[error("`{tensor}` in `{file}` cannot be read: {reason}\nhint: {hint}")]
    Tensor {
        /// The file.
        file: PathBuf,
        /// The tensor or archive member.
        tensor: String,
        /// What is wrong.
        reason: String,
        /// The way out.
        hint: String,
    },
    /// A tensor that was asked for, or that a shard index promises, does not exist.
    #[error("`{file}` has no tensor `{tensor}`\nhint: {hint}")]
    MissingTensor {
        /// The file or checkpoint folder that lacks it.
        file: PathBuf,
        /// The tensor.
        tensor: String,
        /// What the file has instead.
        hint: String,
    },
    /// A tensor has another shape, or a row index lies outside it.
    #[error("tensor `{tensor}` in `{file}` has the wrong shape: expected {expected}, found {found:?}")]
    Shape {
        /// The file.
        file: PathBuf,
        /// The tensor.
        tensor: String,
        /// The shape that was asked for.
        expected: String,
        /// The stored shape.
        found: Vec<usize>,
    },
    /// A tensor has an element type that does not serve the request.
    #[error("tensor `{tensor}` in `{file}` has the wrong type: expected {expected}, found {found}")]
    Dtype {
        /// The file.
        file: PathBuf,
        /// The tensor.
        tensor: String,
        /// The types that would do.
        expected: String,
        /// The stored type.
        found: String,
    },
    /// A JSON file does not parse or does not have the expected fields.
    #[error("`{file}` is not the expected JSON: {reason}{}", at(field.as_deref()))]
    Json {
        /// The file.
        file: PathBuf,
        /// The parser's message, with line and column.
        reason: String,
        /// Path of the field at the point of failure, such as `layers[2].type`.
        field: Option<String>,
    },
    /// Tensors that cannot be written as asked.
    #[error("cannot write tensor `{tensor}` to `{file}`: {reason}")]
    Unwritable {
        /// The file that was to be written.
        file: PathBuf,
        /// The tensor.
        tensor: String,
        /// What is wrong.
        reason: String,
    },
}

/// One sentence with the path in it once: errors that come through `fs_err` already have it.
fn io_message(path: &Path, action: &str, cause: &io::Error) -> String {
    let (path, cause) = (path.display().to_string(), cause.to_string());
    if cause.contains(&path) {
        cause
    } else {
        format!("cannot {action} `{path}`: {cause}")
    }
}

fn at(field: Option<&str>) -> String {
    field.map_or_else(String::new, |field| format!(" (in field `{field}`)"))
}

impl CheckpointError {
    /// Wraps an I/O error with the path and what was tried.
    pub(crate) fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |cause| Self::Io { path, action, cause }
    }

    /// The file or folder that the error is about.
    #[must_use]
    pub fn path(&self) -> &Path {
        match self {
            Self::Missing { path, .. } | Self::Io { path, .. } => path,
            Self::Truncated { file, .. }
            | Self::Header { file, .. }
            | Self::Format { file, .. }
            | Self::Tensor { file, .. }
            | Self::MissingTensor { file, .. }
            | Self::Shape { file, .. }
            | Self::Dtype { file, .. }
            | Self::Json { file, .. }
            | Self::Unwritable { file, .. } => file,
        }
    }
}
