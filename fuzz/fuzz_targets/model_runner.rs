//! The parsers of `model-runner` from its own files, without the crate: it links burn, whose kernels, built for a fuzzer, take more
//! time and memory than everything else together, and no target runs them.

#![cfg(feature = "model")]
#![allow(dead_code, reason = "the rest of the crate uses it")]

#[path = "../../crates/model-runner/src/bos.rs"]
mod bos;
#[path = "../../crates/model-runner/src/config/mod.rs"]
mod config;
#[path = "../../crates/model-runner/src/error.rs"]
mod error;
#[path = "../../crates/model-runner/src/fuzz.rs"]
pub mod fuzz;
#[path = "../../crates/model-runner/src/layout.rs"]
mod layout;
#[path = "../../crates/model-runner/src/tokenizer.rs"]
mod tokenizer;

use bos::{BosPolicy, choose_bos};
use config::ModelConfig;
use layout::tensor_shapes;
use tokenizer::Tokenizer;
