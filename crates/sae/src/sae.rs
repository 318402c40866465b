//! The autoencoder: a configuration and the weights that fit it.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;

use crate::parts::Parts;
use crate::{Architecture, Identity, Normalization, SaeConfig, SaeError};

/// The tensors of an autoencoder, row-major f32.
///
/// # Shapes
/// - `w_enc`: `[d_in, d_sae]`
/// - `b_enc`: `[d_sae]`, empty for gated
/// - `w_dec`: `[d_sae, d_out]`
/// - `b_dec`: `[d_out]`
/// - `threshold`: `[d_sae]` for `JumpReLU`, else empty
/// - `b_gate`, `b_mag`, `r_mag`: `[d_sae]` for gated, else empty
/// - `w_skip`: `[d_out, d_in]` with a skip connection, else empty
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
    /// What is added to `h W_enc` before a gate is compared with 0.
    pub b_gate: Vec<f32>,
    /// What is added to the magnitude of a gated latent.
    pub b_mag: Vec<f32>,
    /// Logarithm of the factor between gate and magnitude.
    pub r_mag: Vec<f32>,
    /// Skip connection, one row per output.
    pub w_skip: Vec<f32>,
}

/// A sparse autoencoder. Its fields are private so that the shapes and finiteness that [`Sae::new`] checks keep holding.
#[derive(Clone, Debug)]
pub struct Sae {
    pub(crate) config: SaeConfig,
    pub(crate) parts: Parts,
    /// What a pre-activation must exceed to be a latent of its own right: `max(threshold, 0)`. Top-k bars move with the row.
    pub(crate) bars: Vec<f32>,
    /// Decoder norms where pre-activations are multiplied by them, else empty.
    pub(crate) rescale: Vec<f32>,
    /// `e^r_mag` of a gated autoencoder, else empty.
    pub(crate) magnitude: Vec<f32>,
    /// Content hash of the files this was opened from.
    pub(crate) file_hash: Option<String>,
    /// What was found in those files.
    pub(crate) identity: Option<Arc<Identity>>,
}

impl Sae {
    /// An autoencoder from its parts.
    ///
    /// # Errors
    /// [`SaeError::Invalid`] if a weight has the wrong length or is not finite, `k` is 0 or above `d_sae`, groups do not divide the
    /// latents, or the decoder bias is to be subtracted from an input of another width.
    pub fn new(config: SaeConfig, weights: Weights) -> Result<Self, SaeError> {
        let parts = Parts::resident(weights, &config);
        Self::from_parts(config, parts)
    }

    /// [`Sae::new`], with matrices that may be in their file.
    pub(crate) fn from_parts(config: SaeConfig, parts: Parts) -> Result<Self, SaeError> {
        check(&config, &parts)?;
        let weights = &parts.vectors;
        let bars = if config.architecture == Architecture::JumpRelu {
            weights.threshold.iter().map(|threshold| threshold.max(0.0)).collect()
        } else {
            vec![0.0; config.d_sae]
        };
        let magnitude = weights.r_mag.iter().map(|log| log.exp()).collect();
        let mut sae = Self {
            config,
            parts,
            bars,
            rescale: Vec::new(),
            magnitude,
            file_hash: None,
            identity: None,
        };
        if sae.config.architecture.rescales() {
            sae.rescale = sae.decoder_norms();
        }
        Ok(sae)
    }

    /// Active latents per row that the architecture or the files promise; what was measured can be compared with it by
    /// [`crate::l0_warning`].
    #[must_use]
    pub fn declared_l0(&self) -> Option<f64> {
        let stated = self.identity().and_then(Identity::declared_l0);
        stated.or(self.config.architecture.limit().map(|limit| limit as f64))
    }

    /// The configuration.
    #[must_use]
    pub fn config(&self) -> &SaeConfig {
        &self.config
    }

    /// A copy of all weights, widened where they stay in their file. Those who need some of them ask for those: see
    /// [`Sae::decoder_row`], [`Sae::decoder_bias`], [`Sae::visit_encoder`] and [`Sae::visit_decoder`].
    #[must_use]
    pub fn weights(&self) -> Weights {
        self.parts.clone().into_weights()
    }

    /// The parts, for building a changed autoencoder with [`Sae::new`]; widened where they stay in their file.
    #[must_use]
    pub fn into_parts(self) -> (SaeConfig, Weights) {
        (self.config, self.parts.into_weights())
    }

    /// Whether a matrix stays in its mapped file: see [`crate::Residency`].
    #[must_use]
    pub fn is_mapped(&self) -> bool {
        self.parts.is_mapped()
    }

    /// The same autoencoder with all weights widened in memory.
    #[must_use]
    pub fn into_resident(mut self) -> Self {
        self.parts = self.parts.into_resident();
        self
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

    /// Width of the output: that of the activations, but for some transcoders.
    #[must_use]
    pub fn d_out(&self) -> usize {
        self.config.output.d_out
    }

    /// Whether the output stands for activations at another hook than the input.
    #[must_use]
    pub fn is_transcoder(&self) -> bool {
        self.config.output.transcoder
    }

    /// What the files were that this was opened from; `None` for one made in memory.
    #[must_use]
    pub fn identity(&self) -> Option<&Identity> {
        self.identity.as_deref()
    }

    /// Decoder row of a latent.
    ///
    /// # Shapes
    /// - returns: `[d_out]`
    ///
    /// # Panics
    /// If there is no such latent.
    #[must_use]
    pub fn decoder_row(&self, latent: usize) -> Cow<'_, [f32]> {
        assert!(latent < self.config.d_sae, "latent {latent} of {}", self.config.d_sae);
        self.parts.decoder.latent(latent)
    }

    /// Decoder bias.
    ///
    /// # Shapes
    /// - returns: `[d_out]`
    #[must_use]
    pub fn decoder_bias(&self) -> &[f32] {
        &self.parts.vectors.b_dec
    }

    /// Calls `visit` with blocks of consecutive latents that cover all: their range, and their columns of `W_enc`.
    ///
    /// # Shapes
    /// - `visit`: `[d_in, n]` for `n` latents
    pub fn visit_encoder(&self, visit: impl FnMut(Range<usize>, &[f32])) {
        self.parts.encoder.visit(false, visit);
    }

    /// Calls `visit` with blocks of consecutive latents that cover all: their range, and their rows of `W_dec`.
    ///
    /// # Shapes
    /// - `visit`: `[n, d_out]` for `n` latents
    pub fn visit_decoder(&self, visit: impl FnMut(Range<usize>, &[f32])) {
        self.parts.decoder.visit(true, visit);
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
        self.parts.encoder.gather(&[latent])
    }

    /// `JumpReLU` thresholds, in units of the pre-activations; `None` for other architectures.
    ///
    /// # Shapes
    /// - returns: `[d_sae]`
    #[must_use]
    pub fn thresholds(&self) -> Option<&[f32]> {
        (self.config.architecture == Architecture::JumpRelu).then_some(&self.parts.vectors.threshold)
    }

    /// What is added to `h W_enc` before it is compared: `b_enc`, or `b_gate` of a gated autoencoder.
    pub(crate) fn encoder_bias(&self) -> &[f32] {
        let vectors = &self.parts.vectors;
        if vectors.b_enc.is_empty() {
            &vectors.b_gate
        } else {
            &vectors.b_enc
        }
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

fn invalid<T>(field: &'static str, expected: impl Into<String>, found: impl std::fmt::Display) -> Result<T, SaeError> {
    Err(SaeError::Invalid {
        field,
        expected: expected.into(),
        found: found.to_string(),
    })
}

fn check(config: &SaeConfig, parts: &Parts) -> Result<(), SaeError> {
    let SaeConfig {
        d_in, d_sae, output, ..
    } = *config;
    let elements = |width: usize, rows: usize| width.checked_mul(rows).filter(|&elements| elements > 0);
    let (Some(encoder), Some(decoder)) = (elements(d_in, d_sae), elements(output.d_out, d_sae)) else {
        return invalid(
            "d_sae",
            "positive widths and number of latents",
            format!("{d_in} x {d_sae} x {}", output.d_out),
        );
    };
    if u32::try_from(d_sae).is_err() {
        return invalid("d_sae", "at most 4294967295 latents", d_sae);
    }
    check_config(config)?;
    let only = |wanted: bool, length: usize| if wanted { length } else { 0 };
    let (jumps, gated) = (
        config.architecture == Architecture::JumpRelu,
        config.architecture == Architecture::Gated,
    );
    // Cannot overflow: both matrices above exist in memory, and a skip connection is refused where its size is not theirs.
    let skip = output.d_out.saturating_mul(d_in);
    let weights = &parts.vectors;
    for (field, matrix, length) in [("w_enc", &parts.encoder, encoder), ("w_dec", &parts.decoder, decoder)] {
        if matrix.len() != length {
            return invalid(field, format!("{length} values"), matrix.len());
        }
        if let Some((at, value)) = matrix.not_finite() {
            return invalid(field, "finite values", format!("{value} at index {at}"));
        }
    }
    for (field, values, length) in [
        ("b_enc", &weights.b_enc, only(!gated, d_sae)),
        ("b_dec", &weights.b_dec, output.d_out),
        ("threshold", &weights.threshold, only(jumps, d_sae)),
        ("b_gate", &weights.b_gate, only(gated, d_sae)),
        ("b_mag", &weights.b_mag, only(gated, d_sae)),
        ("r_mag", &weights.r_mag, only(gated, d_sae)),
        ("w_skip", &weights.w_skip, only(output.skip, skip)),
    ] {
        if values.len() != length {
            return invalid(field, format!("{length} values"), values.len());
        }
        if let Some(at) = values.iter().position(|value| !value.is_finite()) {
            return invalid(field, "finite values", format!("{} at index {at}", values[at]));
        }
    }
    // `e^r_mag` multiplies products of finite numbers and has to be one.
    if let Some(at) = weights.r_mag.iter().position(|log| !log.exp().is_finite()) {
        return invalid(
            "r_mag",
            "logarithms of finite factors",
            format!("{} at index {at}", weights.r_mag[at]),
        );
    }
    Ok(())
}

/// What does not need the weights.
pub(crate) fn check_config(config: &SaeConfig) -> Result<(), SaeError> {
    let SaeConfig {
        d_in, d_sae, output, ..
    } = *config;
    match config.normalize_activations {
        Normalization::LayerNorm if d_in < 2 => {
            return invalid("d_in", "at least 2 for `layer_norm`", d_in);
        }
        Normalization::ConstantScalarRescale { factor } if !(factor > 0.0 && factor.is_finite()) => {
            return invalid("activation_normalization_factor", "a positive number", factor);
        }
        _ => {}
    }
    if let Architecture::TopK { k, .. } | Architecture::AbsTopK { k, .. } = config.architecture
        && !(1..=d_sae).contains(&k)
    {
        return invalid("k", format!("between 1 and {d_sae}"), k);
    }
    if let Architecture::GroupMax { groups } = config.architecture
        && (groups == 0 || !d_sae.is_multiple_of(groups))
    {
        return invalid("k", format!("a number of groups that divides {d_sae} latents"), groups);
    }
    if config.apply_b_dec_to_input && output.d_out != d_in {
        return invalid(
            "apply_b_dec_to_input",
            format!(
                "`false`, as the decoder bias has width {} and the input {d_in}",
                output.d_out
            ),
            true,
        );
    }
    if !output.transcoder && output.d_out != d_in {
        return invalid("d_out", format!("{d_in}, the width of the input"), output.d_out);
    }
    Ok(())
}
