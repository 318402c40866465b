//! The whole first-letter task against what the reference libraries computed on a small trained model: `sae-spelling` (torch 2.2.2,
//! transformer-lens 2.4.0, sae-lens 3.19.2) and `SAEBench` 0.6.0 (torch 2.7.1, transformer-lens 2.17.0, sae-lens 6.54.12).
//!
//! Their random choices (words of each prompt, split, probe weights) are stored, so that what remains to differ is arithmetic, and
//! every number below is held to rounding. Where we choose at random ourselves, the tests say how much of a difference is noise.
//! The data and where they come from: `tests/golden/task/README.md`.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod absorption;
mod effects;
mod golden;
mod probes;
mod select;
mod world;
