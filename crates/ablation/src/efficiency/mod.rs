//! Efficiency: how much of the letter a set of latents mediates, by the size of the set.
//!
//! A curve over sizes is made of measured arms; here are the numbers that are read off it ([`auc`], [`matches_at`]) and one way to
//! grow the sets ([`greedy`]). Sets are grown on train words and measured elsewhere.
//!
//! Deliberately absent: measuring (arms are measured by [`crate::Bench`] like any other), and averages over letters of sizes
//! that some letters never reach, which need `stats::product_limit`.

mod curve;
mod greedy;

pub use curve::{CurvePoint, Goal, auc, matches_at};
pub use greedy::{GreedyPlan, Growth, greedy};
