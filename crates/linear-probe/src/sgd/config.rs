//! Settings of the stochastic probe, with the ones that were published.
//!
//! Deliberately absent: a default. The released code has three sets of numbers for one probe, so
//! the caller names the one it means.

use serde::{Deserialize, Serialize};

use super::SgdProbe;
use crate::error::ProbeError;

/// How to train.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct SgdConfig {
    /// Rows per update; the last batch of an epoch may be smaller.
    pub batch_size: usize,
    /// Passes over the rows.
    pub epochs: usize,
    /// Learning rate of the first epoch.
    pub rate: f64,
    /// Learning rate to which [`super::learning_rates`] decays.
    pub end_rate: f64,
    /// Coupled L2 penalty: this times the parameter is added to the gradient, biases included.
    pub weight_decay: f64,
    /// Adds this times the mean over classes of `sum_j |w_j|` to the loss.
    pub l1: f64,
}

impl SgdConfig {
    /// The dense probe of Chanin et al. 2025: batches of 2048, 50 epochs, weight decay 1e-4. (The
    /// batch size of the function that their pipeline calls is 4096, but the pipeline passes
    /// 32 * 64.)
    #[must_use]
    pub fn paper() -> Self {
        Self {
            batch_size: 2048,
            epochs: 50,
            rate: 1e-2,
            end_rate: 1e-5,
            weight_decay: 1e-4,
            l1: 0.0,
        }
    }

    /// The dense probe of `SAEBench` 0.6: as [`SgdConfig::paper`], but batches of 64.
    #[must_use]
    pub fn saebench() -> Self {
        Self {
            batch_size: 64,
            ..Self::paper()
        }
    }

    /// The probe on SAE latents whose weights rank them, of both libraries: batches of 4096, 50
    /// epochs, weight decay 1e-6, L1 coefficient 0.01.
    #[must_use]
    pub fn ranking() -> Self {
        Self {
            batch_size: 4096,
            weight_decay: 1e-6,
            l1: 0.01,
            ..Self::paper()
        }
    }

    pub(super) fn check(&self) -> Result<(), ProbeError> {
        let setting = |name, value: f64, fine: bool, range| {
            if fine {
                Ok(())
            } else {
                Err(ProbeError::Setting { name, value, range })
            }
        };
        for (name, value) in [("batch size", self.batch_size), ("epochs", self.epochs)] {
            setting(name, value as f64, value > 0, "at least 1")?;
        }
        for (name, value) in [("learning rate", self.rate), ("last learning rate", self.end_rate)] {
            setting(name, value, value > 0.0 && value.is_finite(), "positive and finite")?;
        }
        for (name, value) in [("weight decay", self.weight_decay), ("l1", self.l1)] {
            setting(name, value, value >= 0.0 && value.is_finite(), "zero or positive")?;
        }
        Ok(())
    }
}

/// Where the rows of a batch come from.
#[derive(Clone, Copy, Debug)]
pub enum RowOrder<'a> {
    /// A new permutation for every epoch, from this run seed.
    Seeded(u64),
    /// A permutation `[n]` for each epoch, `[epochs]`; batches are consecutive slices.
    Given(&'a [Vec<usize>]),
}

/// Where the first weights come from.
#[derive(Clone, Copy, Debug)]
pub enum Init<'a> {
    /// `torch.nn.Linear`'s distribution, uniform in `+-1 / sqrt(d)`, from this run seed.
    Seeded(u64),
    /// These.
    Given(&'a SgdProbe),
}

/// Everything that is random about a training run.
#[derive(Clone, Copy, Debug)]
pub struct Start<'a> {
    /// Initial weights.
    pub init: Init<'a>,
    /// Row orders.
    pub order: RowOrder<'a>,
}

impl Start<'_> {
    /// Both from one run seed; each has its own name under it.
    #[must_use]
    pub fn seeded(seed: u64) -> Self {
        Self {
            init: Init::Seeded(seed),
            order: RowOrder::Seeded(seed),
        }
    }
}
