//! Find and read model and SAE weights on disk.
//!
//! A [`Checkpoint`] is a set of named tensors in memory-mapped files: one file of any [`WeightFormat`] (safetensors, `.npz` and `.npy`
//! of `NumPy`, archives of `torch.save`), told by its content, or a folder as the Hugging Face hub lays it out
//! (`model.safetensors`, or shards behind `model.safetensors.index.json`). A [`TensorView`] borrows a tensor's bytes
//! in the dtype they are stored in and widens what is asked for, so that opening a checkpoint costs nothing and reading 26 rows of a
//! 256,000-row embedding touches 26 rows. [`write`](mod@write) is the other half: every file appears under its name complete, or not at all.
//!
//! Weight files come from elsewhere, so their bytes are hostile until checked: lengths are compared with the file before anything
//! is allocated, offsets must tile the data section exactly, and a damaged file is a [`CheckpointError`] that names it, never a panic.
//! A pickle is read as data: nothing that it names is imported or called.
//!
//! [`hub`] finds models and SAEs by name in the cache of Hugging Face's tools.
//!
//! Deliberately absent: tensor arithmetic and devices (this crate does not link burn), any network access outside the cargo feature
//! `download`, any printing, and the interpretation of tensor names, which belongs to the crates that know an architecture.

mod contents;
mod convert;
mod dtype;
mod entry;
mod error;
mod fault;
mod format;
#[doc(hidden)]
pub mod fuzz;
mod hash;
mod header;
pub mod hub;
mod inflate;
mod json;
mod json_path;
mod layout;
mod locate;
mod npy;
mod npz;
mod open;
mod pickle;
mod py_literal;
mod reader;
mod stream;
mod strided;
mod torch;
mod view;
pub mod write;
mod zip;

pub use dtype::Dtype;
pub use error::CheckpointError;
pub use format::WeightFormat;
pub use hash::content_hash;
pub use json::{read_json, read_json_value};
pub use open::Checkpoint;
pub use stream::{SafetensorsStream, TensorSlot};
pub use view::TensorView;
