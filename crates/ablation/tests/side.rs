//! Side effects, on a random Gemma-2 checkpoint: exact zeros, hand-made cases, identities.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "side/common.rs"]
mod common;
#[path = "side/text.rs"]
mod text;
