//! What can go wrong between a vector and its effect.

use model_runner::ModelError;

/// Why an edit, a capture or a score cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum AblationError {
    /// The model refused a run.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// A probe could not be fitted.
    #[error(transparent)]
    Probe(#[from] linear_probe::ProbeError),
    /// A statistic lacks data.
    #[error(transparent)]
    Stats(#[from] stats::StatsError),
    /// Absorption cannot be scored.
    #[error(transparent)]
    Absorption(#[from] crate::absorption::AbsorptionError),
    /// An edit that cannot apply.
    #[error("{0}")]
    Edit(String),
}

/// Short form used across this crate.
pub type Result<T> = std::result::Result<T, AblationError>;
