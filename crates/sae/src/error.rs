//! What can go wrong between a folder and an autoencoder.
//!
//! Every message names the file or the argument, the field, what was found, and ends with a `hint:` line.

use std::path::PathBuf;

use checkpoint::CheckpointError;

/// An error of this crate.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SaeError {
    /// A file cannot be read or written, or a tensor has the wrong shape or type.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// A configuration field has a value that this crate does not apply, or that contradicts another.
    #[error("`{file}`: field `{field}` is `{value}`: {reason}\nhint: {hint}")]
    Field {
        /// The configuration file.
        file: PathBuf,
        /// Path of the field, such as `metadata.hook_head_index`.
        field: String,
        /// The value as JSON.
        value: String,
        /// Why it is refused.
        reason: String,
        /// The way out.
        hint: String,
    },
    /// A configuration field is not there.
    #[error("`{file}` has no field `{field}`\nhint: {hint}")]
    MissingField {
        /// The configuration file.
        file: PathBuf,
        /// The field.
        field: String,
        /// The way out.
        hint: String,
    },
    /// A tensor of the weight file is not one that the configured architecture has, or holds what it may not.
    #[error("tensor `{tensor}` in `{file}`: {reason}\nhint: {hint}")]
    Tensor {
        /// The weight file.
        file: PathBuf,
        /// The tensor.
        tensor: String,
        /// What is wrong.
        reason: String,
        /// The way out.
        hint: String,
    },
    /// The files are of no known format, or of several.
    #[error("cannot tell what autoencoder `{path}` is\nlooked for: {looked_for}\nfound: {found}\nhint: {hint}")]
    Unrecognised {
        /// The path that was asked for.
        path: PathBuf,
        /// What the formats look like that could be meant.
        looked_for: String,
        /// What is there.
        found: String,
        /// The way out.
        hint: String,
    },
    /// The files are of a kind that this crate does not compute.
    #[error("`{path}` is {what}: {reason}\nhint: {hint}")]
    Unsupported {
        /// The weight file.
        path: PathBuf,
        /// What it is.
        what: String,
        /// Why it is not computed.
        reason: String,
        /// The way out.
        hint: String,
    },
    /// The files leave open what has to be known, and nobody decided it.
    #[error("`{file}` does not decide `{what}`: {reason}\nhint: {hint}")]
    Undecided {
        /// The file.
        file: PathBuf,
        /// What is not decided.
        what: String,
        /// Why not.
        reason: String,
        /// The way out.
        hint: String,
    },
    /// An option of [`crate::OpenOptions`] that has no use for the files.
    #[error("option `{option}` cannot be followed for an autoencoder of format {format}: {reason}\nhint: leave it out")]
    Option {
        /// The option.
        option: &'static str,
        /// The format of the files.
        format: crate::Format,
        /// Why not.
        reason: String,
    },
    /// An autoencoder that the written format cannot express.
    #[error("cannot write this autoencoder for SAELens 6: {reason}\nhint: keep the files that it was opened from")]
    Save {
        /// What is missing there.
        reason: String,
    },
    /// Weights or a configuration made in memory do not fit together.
    #[error("`{field}` of the autoencoder is wrong: expected {expected}, found {found}")]
    Invalid {
        /// The weight or configuration field.
        field: &'static str,
        /// What would do.
        expected: String,
        /// What was given.
        found: String,
    },
    /// Decoder norms cannot be folded without changing what the autoencoder computes.
    #[error("cannot fold the decoder norms: {reason}\nhint: {hint}")]
    Fold {
        /// Why not.
        reason: String,
        /// The way out.
        hint: String,
    },
    /// A training setting makes no sense, alone or for this data.
    #[error("training setting `{field}` is `{value}`: {reason}")]
    Train {
        /// The setting.
        field: &'static str,
        /// Its value.
        value: String,
        /// What it has to be.
        reason: String,
    },
    /// The source of activations failed.
    #[error("cannot read activations for training: {cause}")]
    Source {
        /// What the source said.
        cause: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Training left the finite numbers.
    #[error(
        "training diverged at step {step}: the loss is `{loss}`\nhint: lower `learning_rate`, or set `gradient_clip`"
    )]
    Diverged {
        /// The step, from 0.
        step: usize,
        /// The loss there.
        loss: f64,
    },
}
