//! The autoencoder: a configuration and the weights that fit it.

use crate::{Architecture, Normalization, SaeConfig, SaeError};

/// The tensors of an autoencoder, row-major f32.
///
/// # Shapes
/// - `w_enc`: `[d_in, d_sae]`
/// - `b_enc`: `[d_sae]`
/// - `w_dec`: `[d_sae, d_in]`
/// - `b_dec`: `[d_in]`
/// - `threshold`: `[d_sae]` for `JumpReLU`, else empty
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Weights {
    /// Encoder, one column per latent.
    pub w_enc: Vec<f32>,
    /// Encoder bias.
    pub b_enc: Vec<f32>,
    /// Decoder, one row per latent.
    pub w_dec: Vec<f32>,
    /// Decoder bias.
    pub b_dec: Vec<f32>,
    /// Thresholds of a `JumpReLU`, in units of the pre-activations.
    pub threshold: Vec<f32>,
}

/// A sparse autoencoder. Its fields are private so that the shapes and finiteness that [`Sae::new`] checks keep holding.
#[derive(Clone, Debug)]
pub struct Sae {
    pub(crate) config: SaeConfig,
    pub(crate) weights: Weights,
    /// What a pre-activation must exceed to be a latent of its own right: `max(threshold, 0)`. Top-k bars move with the row.
    pub(crate) bars: Vec<f32>,
    /// Decoder norms where pre-activations are multiplied by them, else empty.
    pub(crate) rescale: Vec<f32>,
    /// Content hash of the files this was opened from.
    pub(crate) file_hash: Option<String>,
}

impl Sae {
    /// An autoencoder from its parts.
    ///
    /// # Errors
    /// [`SaeError::Invalid`] if a weight has the wrong length or is not finite, or `k` is 0 or above `d_sae`.
    pub fn new(config: SaeConfig, weights: Weights) -> Result<Self, SaeError> {
        check(&config, &weights)?;
        let bars = if config.architecture == Architecture::JumpRelu {
            weights.threshold.iter().map(|threshold| threshold.max(0.0)).collect()
        } else {
            vec![0.0; config.d_sae]
        };
        let mut sae = Self {
            config,
            weights,
            bars,
            rescale: Vec::new(),
            file_hash: None,
        };
        if sae.config.architecture.rescales() {
            sae.rescale = sae.decoder_norms();
        }
        Ok(sae)
    }

    /// The configuration.
    #[must_use]
    pub fn config(&self) -> &SaeConfig {
        &self.config
    }

    /// All weights.
    #[must_use]
    pub fn weights(&self) -> &Weights {
        &self.weights
    }

    /// The parts, for building a changed autoencoder with [`Sae::new`].
    #[must_use]
    pub fn into_parts(self) -> (SaeConfig, Weights) {
        (self.config, self.weights)
    }

    /// Width of the activations.
    #[must_use]
    pub fn d_in(&self) -> usize {
        self.config.d_in
    }

    /// Number of latents.
    #[must_use]
    pub fn d_sae(&self) -> usize {
        self.config.d_sae
    }

    /// Decoder row of a latent.
    ///
    /// # Shapes
    /// - returns: `[d_in]`
    ///
    /// # Panics
    /// If there is no such latent.
    #[must_use]
    pub fn decoder_row(&self, latent: usize) -> &[f32] {
        &self.weights.w_dec[latent * self.config.d_in..][..self.config.d_in]
    }

    /// Encoder column of a latent.
    ///
    /// # Shapes
    /// - returns: `[d_in]`
    ///
    /// # Panics
    /// If there is no such latent.
    #[must_use]
    pub fn encoder_column(&self, latent: usize) -> Vec<f32> {
        assert!(latent < self.config.d_sae, "latent {latent} of {}", self.config.d_sae);
        self.weights
            .w_enc
            .iter()
            .skip(latent)
            .step_by(self.config.d_sae)
            .copied()
            .collect()
    }

    /// `JumpReLU` thresholds, in units of the pre-activations; `None` for other architectures.
    ///
    /// # Shapes
    /// - returns: `[d_sae]`
    #[must_use]
    pub fn thresholds(&self) -> Option<&[f32]> {
        (self.config.architecture == Architecture::JumpRelu).then_some(&self.weights.threshold)
    }

    /// Rows in `x`.
    pub(crate) fn rows_of(&self, x: &[f32]) -> usize {
        assert!(
            x.len().is_multiple_of(self.config.d_in),
            "{} values are not rows of width {}",
            x.len(),
            self.config.d_in
        );
        x.len() / self.config.d_in
    }
}

fn check(config: &SaeConfig, weights: &Weights) -> Result<(), SaeError> {
    let SaeConfig { d_in, d_sae, .. } = *config;
    let invalid = |field, expected: String, found: String| Err(SaeError::Invalid { field, expected, found });
    let Some(elements) = d_in.checked_mul(d_sae).filter(|&elements| elements > 0) else {
        return invalid(
            "d_sae",
            "a positive width and number of latents".to_owned(),
            format!("{d_in} x {d_sae}"),
        );
    };
    if u32::try_from(d_sae).is_err() {
        return invalid("d_sae", "at most 4294967295 latents".to_owned(), d_sae.to_string());
    }
    if config.normalize_activations == Normalization::LayerNorm && d_in < 2 {
        return invalid("d_in", "at least 2 for `layer_norm`".to_owned(), d_in.to_string());
    }
    if let Architecture::TopK { k, .. } = config.architecture
        && !(1..=d_sae).contains(&k)
    {
        return invalid("k", format!("between 1 and {d_sae}"), k.to_string());
    }
    let thresholds = if config.architecture == Architecture::JumpRelu {
        d_sae
    } else {
        0
    };
    for (field, values, length) in [
        ("w_enc", &weights.w_enc, elements),
        ("b_enc", &weights.b_enc, d_sae),
        ("w_dec", &weights.w_dec, elements),
        ("b_dec", &weights.b_dec, d_in),
        ("threshold", &weights.threshold, thresholds),
    ] {
        if values.len() != length {
            return invalid(field, format!("{length} values"), values.len().to_string());
        }
        if let Some(at) = values.iter().position(|value| !value.is_finite()) {
            return invalid(
                field,
                "finite values".to_owned(),
                format!("{} at index {at}", values[at]),
            );
        }
    }
    Ok(())
}
