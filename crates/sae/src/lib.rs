//! Sparse autoencoders: formats, encode, decode, training.
//!
//! An [`Sae`] is a checked configuration with weights widened to f32. It is read from and written to the `SAELens` 6 layout
//! ([`Sae::open`], [`Sae::save`]), turns rows of activations into [`SparseLatents`] and back, and can be rewritten into an equal
//! autoencoder with unit decoder rows ([`Sae::fold_decoder_norms`]). [`train()`] fits one from activations with gradients written
//! by hand, and [`evaluate`] says how good it is.
//!
//! Latents are sparse everywhere: encoding streams over the width, so that an autoencoder with a million latents never has a
//! dense row in memory, and decoding touches active latents only.
//!
//! Invariants: the shapes and finiteness of weights hold from construction on; equal inputs give equal bytes whatever the
//! number of threads; a configuration value that this crate does not apply is an error that names it, never ignored.
//!
//! Deliberately absent: gated, signed top-k, temporal and transcoder architectures, language models and hooks (callers bring
//! activations), automatic differentiation, downloads and printing.

mod cfg_json;
mod columns;
mod config;
mod decode;
mod encode;
mod error;
mod fields;
mod fold;
mod io;
mod latents;
mod metadata;
mod normalize;
mod pre_activations;
mod quality;
mod sae;
pub mod train;

pub use columns::Columns;
pub use config::{Architecture, Normalization, SaeConfig};
pub use error::SaeError;
pub use io::StoredDtype;
pub use latents::SparseLatents;
pub use metadata::Metadata;
pub use normalize::RowNorm;
pub use quality::{Quality, evaluate};
pub use sae::{Sae, Weights};
pub use train::{ActivationSource, Objective, TrainConfig, TrainReport, train};
