//! What a parser found wrong, before the name of the file is known.

use std::path::Path;

use crate::{CheckpointError, WeightFormat};

/// Advice for bytes that no writer of the format produces.
const DAMAGED: &str = "the file is damaged; fetch it again";

/// A reason not to read a file or one of its tensors.
#[derive(Debug)]
pub(crate) enum Fault {
    /// The file contradicts itself, or is of a kind that is not read.
    Invalid { reason: String, hint: String },
    /// The file ends too early.
    Truncated(String),
    /// One tensor or member is at fault.
    Tensor {
        tensor: String,
        reason: String,
        hint: String,
    },
}

impl Fault {
    /// Damage: nothing to be done but another copy.
    pub(crate) fn damaged(reason: impl Into<String>) -> Self {
        Self::Invalid {
            reason: reason.into(),
            hint: DAMAGED.to_owned(),
        }
    }

    /// A sound file of a kind that is not read.
    pub(crate) fn refused(reason: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::Invalid {
            reason: reason.into(),
            hint: hint.into(),
        }
    }

    /// Damage inside one tensor or archive member.
    pub(crate) fn tensor(tensor: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::Tensor {
            tensor: tensor.into(),
            reason: reason.into(),
            hint: DAMAGED.to_owned(),
        }
    }

    /// What is wrong, without the way out.
    pub(crate) fn reason(self) -> String {
        match self {
            Self::Invalid { reason, .. } | Self::Truncated(reason) | Self::Tensor { reason, .. } => reason,
        }
    }

    pub(crate) fn into_error(self, file: &Path, format: WeightFormat) -> CheckpointError {
        let file = file.to_owned();
        match self {
            Self::Invalid { reason, hint } => CheckpointError::Format {
                file,
                format,
                reason,
                hint,
            },
            Self::Truncated(reason) => CheckpointError::Truncated { file, reason },
            Self::Tensor { tensor, reason, hint } => CheckpointError::Tensor {
                file,
                tensor,
                reason,
                hint,
            },
        }
    }
}
