//! Find and read model and SAE weights on disk.
//!
//! A [`Checkpoint`] is a set of named tensors in memory-mapped safetensors files: one file, or a folder as the Hugging Face hub
//! lays it out (`model.safetensors`, or shards behind `model.safetensors.index.json`). A [`TensorView`] borrows a tensor's bytes
//! in the dtype they are stored in and widens what is asked for, so that opening a checkpoint costs nothing and reading 26 rows of a
//! 256,000-row embedding touches 26 rows. [`write`](mod@write) is the other half: every file appears under its name complete, or not at all.
//!
//! Weight files come from elsewhere, so their bytes are hostile until checked: lengths are compared with the file before anything
//! is allocated, offsets must tile the data section exactly, and a damaged file is a [`CheckpointError`] that names it, never a panic.
//!
//! Deliberately absent: tensor arithmetic and devices (this crate does not link burn), any network access, any printing, and the
//! interpretation of tensor names, which belongs to the crates that know an architecture.

mod convert;
mod dtype;
mod error;
mod hash;
mod header;
mod json;
mod json_path;
mod layout;
mod locate;
mod open;
mod view;
pub mod write;

pub use dtype::Dtype;
pub use error::CheckpointError;
pub use hash::content_hash;
pub use json::{read_json, read_json_value};
pub use open::Checkpoint;
pub use view::TensorView;
