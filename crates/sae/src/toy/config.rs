//! What is trained.

use std::fmt::Display;

use serde::{Deserialize, Serialize};

use super::Setting;
use crate::SaeError;

/// First weights of the encoder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EncoderStart {
    /// Drawn by themselves, the default of `SAELens` 3. About half of all seeds then stay in poorer minima: an encoder row whose
    /// product with a feature starts below 0 is silent wherever that feature fires, and what is silent has no gradient.
    Independent,
    /// The unit rows of the decoder, the option `init_encoder_as_decoder_transpose` of `SAELens` 3.
    Decoder,
}

/// Settings of one toy. Equal settings give equal bytes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ToyConfig {
    /// The rule by which features fire, and the kind of autoencoder.
    pub setting: Setting,
    /// Weight of the mean L1 norm of the latents; 0 for batch top-k.
    pub lambda: f64,
    /// Whether the encoder is the decoder, transposed. Not in the paper; its authors' remedy for absorption in toys.
    pub tied: bool,
    /// First weights of the encoder; those of the decoder if tied.
    pub encoder_start: EncoderStart,
    /// Whether the component of the decoder's gradient along the decoder rows is taken out before the step.
    ///
    /// `SAELens` 3 means to, but does it after the step, to no effect. What Adam, which scales each coordinate by itself, then makes
    /// of that component turns the rows, by an amount that depends on how the features lie to the axes: in
    /// [`Setting::PartialCoOccurrence`] the parent's activation with its child differs by 0.08 (one standard deviation) from seed
    /// to seed, and does however long the training. With the component taken out it is 0.007, around the same optimum.
    pub project_gradient: bool,
    /// Optimiser steps.
    pub steps: usize,
    /// Rows per step.
    pub batch: usize,
    /// Width of the activations.
    pub d_in: usize,
    /// Learning rate of Adam, constant.
    pub learning_rate: f64,
    /// Of features, first weights and rows, each with a stream of its own.
    pub seed: u64,
}

impl ToyConfig {
    /// The paper's settings: 24,414 steps of 4,096 rows (a hundred million activations) in 50 dimensions at a learning rate of
    /// 3e-4. With them, where the paper is silent or cannot be followed, the setting's [`Setting::lambda`] and
    /// [`EncoderStart::Decoder`].
    #[must_use]
    pub fn new(setting: Setting, seed: u64) -> Self {
        Self {
            setting,
            lambda: setting.lambda(),
            tied: false,
            encoder_start: EncoderStart::Decoder,
            project_gradient: false,
            steps: 24_414,
            batch: 4096,
            d_in: 50,
            learning_rate: 3e-4,
            seed,
        }
    }

    /// The same with tied weights.
    #[must_use]
    pub fn tied(setting: Setting, seed: u64) -> Self {
        Self {
            tied: true,
            ..Self::new(setting, seed)
        }
    }

    /// Checks that the settings make sense, but for `d_in`, which is for [`super::ToyData::new`] to check.
    pub(super) fn check(&self) -> Result<(), SaeError> {
        require(self.steps > 0, "steps", self.steps, "it has to be positive")?;
        require(
            self.batch > 0 && u32::try_from(self.batch).is_ok(),
            "batch",
            self.batch,
            "it has to be positive and below 2^32",
        )?;
        require(
            self.learning_rate > 0.0 && self.learning_rate.is_finite(),
            "learning_rate",
            self.learning_rate,
            "it has to be positive",
        )?;
        require(
            self.lambda >= 0.0 && self.lambda.is_finite(),
            "lambda",
            self.lambda,
            "it has to be zero or positive",
        )?;
        require(
            !self.tied || self.encoder_start == EncoderStart::Decoder,
            "encoder_start",
            "independent",
            "a tied encoder is the decoder from the start",
        )?;
        require(
            self.setting.top_k().is_none() || self.lambda <= 0.0,
            "lambda",
            self.lambda,
            "batch top-k has no penalty, so it has to be zero",
        )
    }
}

pub(super) fn require(holds: bool, field: &'static str, value: impl Display, reason: &str) -> Result<(), SaeError> {
    if holds {
        return Ok(());
    }
    Err(SaeError::Train {
        field,
        value: value.to_string(),
        reason: reason.to_owned(),
    })
}
