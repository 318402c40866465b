//! Training, with gradients written by hand.
//!
//! A step is one matrix product for the pre-activations, a selection, and sums over active latents: for the top-k family and
//! for sparse L1 autoencoders that is a fraction of the dense products that automatic differentiation would run. The losses
//! are those of `SAELens` 6 and of the papers named at [`Objective`]; `step.rs` has their derivatives and the tests compare
//! these with finite differences.
//!
//! Deliberately absent: gated autoencoders, the tanh penalty and pre-activation loss of `SAELens`'s `JumpReLU`, mixed precision,
//! several autoencoders in one pass, checkpoints of unfinished runs (a run takes minutes).

mod adam;
mod batches;
mod check;
mod config;
mod finish;
mod objective;
mod params;
mod products;
mod resample;
mod seed;
mod select;
mod source;
mod step;
mod trainer;
mod workspace;

#[cfg(test)]
mod gradient_tests;

use serde::{Deserialize, Serialize};

pub use config::{DeadLatents, TrainConfig};
pub use objective::Objective;
pub use source::{ActivationSource, Rows};
pub use trainer::{extend, train};

/// How a run went. Everything but the loss curve is measured on held-out rows in their own, unscaled units.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TrainReport {
    /// Mean number of active latents per row.
    pub l0: f64,
    /// `1 - sum |x - x^|^2 / sum |x - mean|^2`.
    pub explained_variance: f64,
    /// Share of latents that are active in none of the rows.
    pub dead_share: f64,
    /// Mean of `|x - x^|^2`.
    pub mse: f64,
    /// Steps taken.
    pub steps: usize,
    /// Factor by which rows were multiplied in training; it is folded into the weights.
    pub input_scale: f32,
    /// Up to a hundred (step, loss) pairs, in scaled units.
    pub loss_curve: Vec<(usize, f64)>,
    /// Wall-clock time of the run, in seconds.
    pub seconds: f64,
}
