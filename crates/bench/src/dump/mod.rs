//! Tensors in, tensors out: `bench activations` and `bench encode`, streaming.

pub(crate) mod activations;
pub(crate) mod encode;
mod prompts;
mod rows;

pub(crate) use activations::ActivationsArgs;
pub(crate) use encode::{EncodeArgs, OpenArgs};
pub(crate) use rows::Rows;
