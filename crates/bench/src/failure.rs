//! Exit codes, and which error gets which.

use std::process::ExitCode;

/// All done, also "nothing left to do".
pub(crate) const DONE: u8 = 0;
/// A failure that should not have happened.
pub(crate) const UNEXPECTED: u8 = 1;
/// Wrong usage; also clap's own code.
pub(crate) const USAGE: u8 = 2;
/// An input is missing or wrong.
pub(crate) const INPUT: u8 = 3;
/// The selection matched nothing.
pub(crate) const NOTHING_SELECTED: u8 = 4;
/// Finished, but some units failed; their records say why.
pub(crate) const SOME_FAILED: u8 = 5;

/// An error with the exit code that it deserves.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) code: u8,
    pub(crate) message: String,
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Failure {}

/// A usage error.
pub(crate) fn usage(message: impl Into<String>) -> anyhow::Error {
    Failure {
        code: USAGE,
        message: message.into(),
    }
    .into()
}

/// An input error.
pub(crate) fn input(message: impl Into<String>) -> anyhow::Error {
    Failure {
        code: INPUT,
        message: message.into(),
    }
    .into()
}

/// An empty selection.
pub(crate) fn nothing_selected(message: impl Into<String>) -> anyhow::Error {
    Failure {
        code: NOTHING_SELECTED,
        message: message.into(),
    }
    .into()
}

/// The code of an error: its own, or that of the library error in its chain.
pub(crate) fn code_of(error: &anyhow::Error) -> u8 {
    for cause in error.chain() {
        if let Some(failure) = cause.downcast_ref::<Failure>() {
            return failure.code;
        }
        if let Some(error) = cause.downcast_ref::<tasks::TaskError>() {
            return match error {
                tasks::TaskError::LetterWithoutWords { .. } | tasks::TaskError::NothingSelected { .. } => {
                    NOTHING_SELECTED
                }
                tasks::TaskError::BadLetter { .. }
                | tasks::TaskError::BadTemplate { .. }
                | tasks::TaskError::Zero { .. } => USAGE,
                _ => INPUT,
            };
        }
        if let Some(error) = cause.downcast_ref::<model_runner::ModelError>() {
            return match error {
                model_runner::ModelError::UnknownHook { .. }
                | model_runner::ModelError::Device { .. }
                | model_runner::ModelError::Precision { .. } => USAGE,
                _ => INPUT,
            };
        }
        if let Some(error) = cause.downcast_ref::<ablation::AblationError>() {
            return match error {
                ablation::AblationError::Model(_) | ablation::AblationError::Edit(_) => INPUT,
                _ => UNEXPECTED,
            };
        }
        if cause.is::<checkpoint::hub::HubError>() {
            return INPUT;
        }
        #[cfg(feature = "download")]
        if cause.is::<checkpoint::hub::DownloadError>() {
            return INPUT;
        }
        if cause.is::<checkpoint::CheckpointError>() || cause.is::<sae::SaeError>() || cause.is::<store::StoreError>() {
            return INPUT;
        }
    }
    UNEXPECTED
}

/// Code as the process's result.
pub(crate) fn exit(code: u8) -> ExitCode {
    ExitCode::from(code)
}
