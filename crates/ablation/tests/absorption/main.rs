//! Absorption against the released code of Chanin et al. 2025 and of `SAEBench` 0.6.0, and what
//! holds for every word.

mod chanin;
mod golden;
mod properties;
mod saebench;
mod schema;
