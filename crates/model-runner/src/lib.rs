//! A transformer that runs by parts: any layers, any positions, edited anywhere.
//!
//! [`Transformer`] offers embed, run layers `a..b` on positions `p..` against a key/value prefix,
//! and unembed chosen positions onto chosen tokens. Engines compute the same numbers: the CPU
//! engine on plain slices (the default), and a graph of array operations ([`plain`]) for gradients,
//! training, and whole passes on a GPU ([`Transformer::open_on`]). Residuals equal those of `transformers`: no weight
//! folding, no centring.
//!
//! Invariants: no code is generic over a tensor backend; foreign bytes never panic; nothing here
//! prints or draws random numbers without a named seed.

mod accel;
#[cfg(feature = "wgpu")]
mod adapters;
mod bos;
mod budget;
mod config;
mod device;
mod error;
mod flops;
#[doc(hidden)]
pub mod fuzz;
mod host;
mod layout;
mod linear;
mod names;
mod passes;
pub mod plain;
#[doc(hidden)]
pub mod testing;
mod tokenizer;
pub mod train;
mod transformer;
mod weights;

pub use bos::{BosChoice, BosPolicy, choose_bos};
pub use budget::Budget;
pub use config::{Biases, FieldUse, Layout, ModelConfig, Norm, Positions, Rope, Scaling, Verdict, Window};
pub use device::{ComputeDevice, DeviceKind, Precision, device, devices, has_wgpu};
pub use error::{ModelError, Result};
pub use flops::run_flops;
pub use host::PrefixCache;
pub use layout::tensor_shapes;
pub use names::{HookName, Point};
pub use passes::PromptGroup;
pub use tokenizer::Tokenizer;
pub use transformer::{Keep, NamedTap, Transformer, Unembedding};
pub use weights::Residency;
