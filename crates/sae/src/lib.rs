//! Sparse autoencoders: formats, encode, decode, training.
//!
//! An [`Sae`] is a checked configuration with weights that compute as f32: widened in memory, or, of large autoencoders, left in their
//! mapped file and widened as they are used ([`Residency`]). [`Sae::open`] reads every [`Format`] that researchers publish
//! or that their libraries write, recognised from the files, and keeps a verdict on every field and tensor in an [`Identity`];
//! [`Sae::save`] writes the `SAELens` 6 layout. An autoencoder turns rows of activations into [`SparseLatents`] and back, and can be
//! rewritten into an equal one with unit decoder rows ([`Sae::fold_decoder_norms`]). [`train()`] fits one from activations with
//! gradients written by hand, and [`evaluate`] says how good it is.
//!
//! Latents are sparse everywhere: encoding streams over the width, so that an autoencoder with a million latents never has a
//! dense row in memory, and decoding touches active latents only. They may be negative: signed top-k keeps magnitudes.
//!
//! Invariants: the shapes and finiteness of weights hold from construction on; equal inputs give equal bytes whatever the
//! number of threads; a configuration value that this crate does not apply is an error that names it, never ignored; what was
//! guessed from a name is reported as a guess.
//!
//! Deliberately absent: architectures whose latents depend on other positions or on each other in turn (temporal, matching
//! pursuit), several layers at once (crosscoders, cross-layer transcoders), language models and hooks (callers bring activations),
//! automatic differentiation, downloads and printing.

mod candidates;
mod columns;
mod config;
mod decode;
mod encode;
mod error;
mod factor;
mod fields;
mod fold;
mod formats;
#[doc(hidden)]
pub mod fuzz;
mod identity;
mod io;
mod latents;
mod matrix;
mod metadata;
mod normalize;
mod options;
mod parts;
mod pre_activations;
mod quality;
mod sae;
mod tally;
pub mod toy;
pub mod train;

pub use columns::Columns;
pub use config::{Architecture, Normalization, Output, Reshape, SaeConfig};
pub use error::SaeError;
pub use formats::Format;
pub use identity::{FieldRecord, Identity, L0Warning, Note, NoteKind, Sourced, TensorRecord, Verdict, l0_warning};
pub use io::StoredDtype;
pub use latents::SparseLatents;
pub use metadata::Metadata;
pub use normalize::RowNorm;
pub use options::{OpenOptions, Residency};
pub use quality::{Quality, evaluate, evaluate_against};
pub use sae::{Sae, Weights};
pub use tally::{Measured, Tally};
pub use train::{ActivationSource, Objective, TrainConfig, TrainReport, train};
