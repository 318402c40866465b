//! Side effects, on a random Gemma-2 checkpoint and a linear fake: exact zeros, hand-made cases, identities.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
#![expect(clippy::float_cmp, reason = "zeros and identities are exact")]

#[path = "side/answers.rs"]
mod answers;
#[path = "side/common.rs"]
mod common;
#[path = "side/error_term.rs"]
mod error_term;
#[path = "side/positions.rs"]
mod positions;
#[path = "side/text.rs"]
mod text;
