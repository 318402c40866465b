//! Autoencoders written by hand, one latent at a time.

use sae::{Architecture, Metadata, Normalization, Output, Reshape, Sae, SaeConfig, Weights};

use super::draw::scale_to;
use crate::error::{AblationError, Result};

/// A `JumpReLU` autoencoder under construction: latent `j` is `e_j . x + bias_j` where that exceeds its threshold, and adds its
/// decoder row times that. The decoder bias is zero.
#[derive(Clone, Debug)]
pub struct Dictionary {
    d: usize,
    encoders: Vec<Vec<f64>>,
    biases: Vec<f64>,
    thresholds: Vec<f64>,
    decoders: Vec<Vec<f64>>,
}

impl Dictionary {
    /// No latents, for vectors of width `d`.
    #[must_use]
    pub fn new(d: usize) -> Self {
        Self {
            d,
            encoders: Vec::new(),
            biases: Vec::new(),
            thresholds: Vec::new(),
            decoders: Vec::new(),
        }
    }

    /// Adds a latent and returns its index.
    ///
    /// # Shapes
    /// - `encoder`, `decoder`: `[d]`
    pub fn push(&mut self, encoder: Vec<f64>, bias: f64, threshold: f64, decoder: Vec<f64>) -> u32 {
        self.encoders.push(encoder);
        self.biases.push(bias);
        self.thresholds.push(threshold);
        self.decoders.push(decoder);
        (self.encoders.len() - 1) as u32
    }

    /// Number of latents.
    #[must_use]
    pub fn len(&self) -> usize {
        self.encoders.len()
    }

    /// Whether there are no latents.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.encoders.is_empty()
    }

    /// The autoencoder, in f32.
    ///
    /// # Errors
    /// There are no latents, or a direction has another width.
    pub fn build(&self) -> Result<Sae> {
        let (d, width) = (self.d, self.len());
        if self.encoders.iter().chain(&self.decoders).any(|row| row.len() != d) {
            return Err(AblationError::Edit(format!(
                "a latent of a dictionary of width {d} has a direction of another width"
            )));
        }
        let mut w_enc = vec![0.0f32; d * width];
        for (latent, row) in self.encoders.iter().enumerate() {
            for (input, &value) in row.iter().enumerate() {
                w_enc[input * width + latent] = value as f32;
            }
        }
        let weights = Weights {
            w_enc,
            b_enc: narrow(&self.biases),
            w_dec: self.decoders.iter().flat_map(|row| narrow(row)).collect(),
            b_dec: vec![0.0; d],
            threshold: narrow(&self.thresholds),
            ..Weights::default()
        };
        sae_of(weights, d, width, Architecture::JumpRelu)
    }
}

/// An autoencoder in memory without input normalisation; the decoder bias is not subtracted from the input.
pub(super) fn sae_of(weights: Weights, d: usize, width: usize, architecture: Architecture) -> Result<Sae> {
    let config = SaeConfig {
        d_in: d,
        d_sae: width,
        architecture,
        apply_b_dec_to_input: false,
        normalize_activations: Normalization::None,
        reshape_activations: Reshape::None,
        output: Output::autoencoder(d),
        metadata: Metadata::new(),
    };
    Sae::new(config, weights).map_err(|error| refused(&error))
}

/// An autoencoder that could not be made, as an error of this crate.
pub(super) fn refused(error: &sae::SaeError) -> AblationError {
    AblationError::Edit(error.to_string())
}

fn narrow(values: &[f64]) -> Vec<f32> {
    values.iter().map(|&v| v as f32).collect()
}

/// The same autoencoder with latent `j` multiplied by `factor(j)` and its decoder row divided by it: another spelling of one function.
///
/// # Errors
/// The autoencoder is not of a kind whose latents can be scaled one by one.
pub fn rescaled(sae: &Sae, factor: impl Fn(usize) -> f32) -> Result<Sae> {
    let (config, mut weights) = sae.clone().into_parts();
    if !matches!(config.architecture, Architecture::JumpRelu | Architecture::Standard) {
        return Err(AblationError::Edit(
            "only latents that fire by their own threshold can be scaled one by one".to_owned(),
        ));
    }
    let width = config.d_sae;
    for (i, weight) in weights.w_enc.iter_mut().enumerate() {
        *weight *= factor(i % width);
    }
    for values in [&mut weights.b_enc, &mut weights.threshold] {
        for (latent, value) in values.iter_mut().enumerate() {
            *value *= factor(latent);
        }
    }
    for (latent, row) in weights.w_dec.chunks_exact_mut(config.output.d_out).enumerate() {
        for weight in row {
            *weight /= factor(latent);
        }
    }
    Sae::new(config, weights).map_err(|error| refused(&error))
}

/// The same autoencoder with its decoder rows dealt out anew: every latent reads what it read and writes what another wrote.
///
/// # Errors
/// The parts do not fit, which cannot happen for an autoencoder that exists.
pub fn permuted_decoder(sae: &Sae, seed: u64) -> Result<Sae> {
    let (config, mut weights) = sae.clone().into_parts();
    let order = super::draw::permutation(config.d_sae, &mut stats::seed::rng(seed, "planted/permuted-decoder"));
    let d = config.output.d_out;
    weights.w_dec = order
        .iter()
        .flat_map(|&j| weights.w_dec[j * d..(j + 1) * d].to_vec())
        .collect();
    Sae::new(config, weights).map_err(|error| refused(&error))
}

/// An autoencoder of random unit directions that read and write alike, with one threshold: as many active latents on `x` as `l0`.
///
/// # Shapes
/// - `x`: `[n, d]`
///
/// # Errors
/// There are no rows.
pub fn random_of_l0(x: &[f32], d: usize, width: usize, l0: f64, seed: u64) -> Result<Sae> {
    let mut rng = stats::seed::rng(seed, "planted/random-sae");
    let mut w_dec = Vec::with_capacity(d * width);
    for _ in 0..width {
        let mut row = super::draw::unit(d, &mut rng);
        scale_to(&mut row, 1.0);
        w_dec.extend(narrow(&row));
    }
    let mut w_enc = vec![0.0f32; d * width];
    for (latent, row) in w_dec.chunks_exact(d).enumerate() {
        for (input, &value) in row.iter().enumerate() {
            w_enc[input * width + latent] = value;
        }
    }
    let with = |threshold: f32| {
        let weights = Weights {
            w_enc: w_enc.clone(),
            b_enc: vec![0.0; width],
            w_dec: w_dec.clone(),
            b_dec: vec![0.0; d],
            threshold: vec![threshold; width],
            ..Weights::default()
        };
        sae_of(weights, d, width, Architecture::JumpRelu)
    };
    // The threshold that lets `l0` latents of a row pass, on average.
    let latents = with(0.0)?.encode(x);
    let mut values = latents.arrays().2.to_vec();
    let keep = (l0 * latents.rows() as f64).round() as usize;
    if latents.rows() == 0 {
        return Err(AblationError::Edit(
            "a random autoencoder of a given L0 needs rows to count on".to_owned(),
        ));
    }
    values.sort_by(|a, b| b.total_cmp(a));
    with(values.get(keep).copied().unwrap_or(0.0))
}
