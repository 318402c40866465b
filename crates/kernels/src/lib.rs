//! Matrix products and vectorised elementwise functions on f32 slices.
//!
//! The inner loops that the model's CPU engine and the autoencoders share. Its one `unsafe` block
//! is the call of the multiplication kernel, behind a checked wrapper. Deliberately absent: tensors, threads of its own, files.

mod activation;
mod gemm;
pub mod math;
pub mod norm;

pub use activation::{Activation, erf};
pub use gemm::{Layout, Threads, gemm_f32};
