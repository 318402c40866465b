//! The toy models of "A is for Absorption" (Chanin et al. 2025, section 3 and appendix A.3), trained as the paper trained them.
//!
//! A few orthonormal features fire by a known rule, their sum is the activation, and an autoencoder with one latent per feature
//! is fitted to it. What it ought to find is known, so what it finds instead is seen without a judge: [`Setting`] names the rules,
//! [`train`] fits one autoencoder, [`ToySae::cosines`] and [`ToySae::activations`] are the paper's heat maps and tables,
//! [`absorption()`] the verdict on one autoencoder, [`table2`] and [`table3`] the two tables of the paper for one seed, and
//! [`DeltaFamily`] the closed form by which absorption lowers the loss.
//!
//! Training follows `SAELens` 3, which the paper used, and not [`mod@crate::train`], which follows `SAELens` 6. Rows with equal
//! magnitudes have equal gradients, so that a batch is a few weighted rows; see `gradient.rs` for why the sums are those of the
//! whole batch and not an approximation. Numbers are f64.
//!
//! One value of the paper is not followed: its L1 coefficient, "3e-5", cannot give its tables at the stated learning rate, number
//! of activations and optimiser; [`Setting::lambda`] gives those that do. What it does not say, how the encoder starts, is
//! [`EncoderStart`].
//!
//! Equal configurations give equal bytes, whatever the number of threads.
//!
//! Deliberately absent: warm-up, decay, dead-latent resampling and ghost gradients (all off in the paper's toys), noise in the
//! activations, widths other than one latent per feature, plotting.

mod absorption;
mod adam;
mod alias;
mod batch;
mod config;
mod data;
mod delta;
mod gradient;
mod params;
mod select;
mod setting;
mod stream;
mod tables;
mod toy_sae;
mod trainer;
mod view;

#[cfg(test)]
mod tests;

pub use absorption::{Absorption, AbsorptionVerdict, absorption};
pub use config::{EncoderStart, ToyConfig};
pub use data::ToyData;
pub use delta::{DecoderNorm, DeltaFamily};
pub use setting::{Firing, Setting};
pub use tables::{
    TABLE2_PROBES, TABLE2_PUBLISHED, TABLE3_PROBES, TABLE3_PUBLISHED, mean_and_deviation, table_of, table2, table3,
};
pub use toy_sae::{Cosines, ToySae};
pub use trainer::{train, train_all};
