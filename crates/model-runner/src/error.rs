//! Everything that can go wrong between a checkpoint folder and a logit.

use std::path::PathBuf;

use checkpoint::CheckpointError;

/// Why a model could not be read or run.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    /// A file of the checkpoint is missing, damaged or has the wrong tensors.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// `config.json` names a family that is not implemented.
    #[error("`{}`: `model_type` is `{found}`, which is not implemented\nhint: implemented families: {known}", file.display())]
    UnknownFamily {
        /// The configuration file.
        file: PathBuf,
        /// The family it names.
        found: String,
        /// What would have been accepted.
        known: String,
    },
    /// A field of `config.json` is missing, has a wrong type, or asks for something that is not implemented.
    #[error("`{}`: field `{field}`: {reason}", file.display())]
    Config {
        /// The configuration file.
        file: PathBuf,
        /// The field at fault.
        field: String,
        /// What is wrong with it and what would be accepted.
        reason: String,
    },
    /// The weights hold a tensor that the configuration has no use for.
    #[error("`{}`: tensor `{tensor}` has no place in a `{family}` model as `config.json` describes it\nhint: it would be left out and the numbers would be wrong; check that configuration and weights belong together", folder.display())]
    ExtraTensor {
        /// The checkpoint.
        folder: PathBuf,
        /// The tensor.
        tensor: String,
        /// The family.
        family: String,
    },
    /// `tokenizer.json` is missing or unreadable.
    #[error("`{}`: {reason}\nhint: a checkpoint folder needs the `tokenizer.json` that Hugging Face `tokenizers` writes", file.display())]
    Tokenizer {
        /// The tokenizer file.
        file: PathBuf,
        /// What the parser said.
        reason: String,
    },
    /// A run was asked for that this model cannot do.
    #[error("{0}")]
    Run(String),
    /// A name that is no hook point of this model.
    #[error("`{name}` is no hook point of this model with {layers} layers\nhint: names are TransformerLens's, for example `blocks.{last}.hook_resid_post`", last = layers.saturating_sub(1))]
    UnknownHook {
        /// The name as given.
        name: String,
        /// How many layers the model has.
        layers: usize,
    },
    /// The device is unknown or not compiled in.
    #[error("device `{name}`: {reason}")]
    Device {
        /// The name as given.
        name: String,
        /// Why it cannot be used, and what can.
        reason: String,
    },
    /// No number type of passes.
    #[error("number type `{name}` is unknown; expected `f32`, `f16` or `bf16`")]
    Precision {
        /// The name as given.
        name: String,
    },
    /// Training data or settings that cannot be used.
    #[error("training: {0}")]
    Training(String),
}

/// Short form used across this crate.
pub type Result<T> = std::result::Result<T, ModelError>;
