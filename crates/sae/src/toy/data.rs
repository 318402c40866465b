//! The planted truth.

use serde::{Deserialize, Serialize};

use super::Setting;
use super::batch::Sampler;
use super::config::require;
use super::stream;
use crate::SaeError;

/// Features of a toy and the rule by which they fire.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ToyData {
    setting: Setting,
    d_in: usize,
    seed: u64,
    features: Vec<f64>,
}

impl ToyData {
    /// Random orthonormal features in `d_in` dimensions.
    ///
    /// # Errors
    /// [`SaeError::Train`] if there are fewer dimensions than features.
    pub fn new(setting: Setting, d_in: usize, seed: u64) -> Result<Self, SaeError> {
        let count = setting.features();
        require(
            d_in >= count,
            "d_in",
            d_in,
            &format!("{count} orthogonal features need as many dimensions"),
        )?;
        let features = stream::orthonormal(&mut stream::rng(seed, "toy features"), count, d_in);
        Ok(Self {
            setting,
            d_in,
            seed,
            features,
        })
    }

    /// The rule.
    #[must_use]
    pub fn setting(&self) -> Setting {
        self.setting
    }

    /// The orthonormal directions, `[features, d_in]`.
    #[must_use]
    pub fn features(&self) -> &[f64] {
        &self.features
    }

    /// Magnitudes `[rows, features]` of rows drawn from the rule, in order: 0 where a feature does not fire. They are of another
    /// stream than those of training.
    #[must_use]
    pub fn magnitudes(&self, rows: usize) -> Vec<f64> {
        let mut sampler = Sampler::new(self.setting, stream::rng(self.seed, "toy sample"));
        let mut out = Vec::with_capacity(rows * self.setting.features());
        for _ in 0..rows {
            sampler.row(&mut out);
        }
        out
    }

    /// Activations `[rows, d_in]` of rows with these magnitudes, `[rows, features]`.
    #[must_use]
    pub fn activations(&self, magnitudes: &[f64]) -> Vec<f64> {
        let rows = magnitudes.chunks_exact(self.setting.features());
        rows.flat_map(|row| combine(row, &self.features, self.d_in)).collect()
    }
}

/// `sum_i magnitudes[i] features[i]`.
pub(super) fn combine(magnitudes: &[f64], features: &[f64], d_in: usize) -> Vec<f64> {
    let mut out = vec![0.0; d_in];
    for (magnitude, feature) in magnitudes.iter().zip(features.chunks_exact(d_in)) {
        out.iter_mut()
            .zip(feature)
            .for_each(|(sum, value)| *sum += magnitude * value);
    }
    out
}
