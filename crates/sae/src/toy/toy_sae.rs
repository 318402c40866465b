//! A trained toy and what the paper reads off it.

use serde::{Deserialize, Serialize};

use super::ToyConfig;
use super::data::combine;
use super::view::dot;
use crate::{Architecture, Metadata, Normalization, Output, Reshape, Sae, SaeConfig, SaeError, Weights};

/// A trained toy, in units of the activations.
///
/// # Shapes
/// - `features`: `[features, d_in]`, orthonormal
/// - `w_enc`, `w_dec`: `[latents, d_in]`, decoder rows of unit norm; equal if tied
/// - `b_enc`: `[latents]`
/// - `b_dec`: `[d_in]`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ToySae {
    /// What was trained.
    pub config: ToyConfig,
    /// The planted features.
    pub features: Vec<f64>,
    /// Encoder, one row per latent.
    pub w_enc: Vec<f64>,
    /// Encoder bias.
    pub b_enc: Vec<f64>,
    /// Decoder, one row per latent.
    pub w_dec: Vec<f64>,
    /// Decoder bias, which is also subtracted from the input.
    pub b_dec: Vec<f64>,
    /// For batch top-k, what a latent must exceed outside a batch: the running mean of the smallest value that batches kept.
    pub threshold: Option<f64>,
    /// Mean training loss of the last steps, up to 500.
    pub loss: f64,
}

/// Cosines with the planted features (the heat maps of figures 2, 10, 11 and 12), `[latent][feature]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Cosines {
    /// Of encoder rows.
    pub encoder: Vec<Vec<f64>>,
    /// Of the part of encoder rows that lies in the span of the features. Activations have no other part, so the rest of a row
    /// has no gradient and is what its first weights left there: these cosines are what training found.
    pub encoder_in_span: Vec<Vec<f64>>,
    /// Of decoder rows.
    pub decoder: Vec<Vec<f64>>,
}

impl Cosines {
    /// The latent of each feature: pairs with the largest encoder cosine in the span first, each latent and feature once.
    ///
    /// The encoder decides because absorption writes the parent into the child's decoder, while the child's encoder stays clean.
    #[must_use]
    pub fn latent_of_feature(&self) -> Vec<usize> {
        let count = self.encoder.len();
        let mut out = vec![usize::MAX; count];
        let mut taken = vec![false; count];
        for _ in 0..count {
            let pairs = (0..count).flat_map(|latent| (0..count).map(move |feature| (latent, feature)));
            let free = pairs.filter(|&(latent, feature)| !taken[latent] && out[feature] == usize::MAX);
            let best = free.max_by(|a, b| self.encoder_in_span[a.0][a.1].total_cmp(&self.encoder_in_span[b.0][b.1]));
            if let Some((latent, feature)) = best {
                taken[latent] = true;
                out[feature] = latent;
            }
        }
        out
    }

    /// The same cosines with latent `i` of the result being the one of feature `i`, as figures show them.
    #[must_use]
    pub fn by_feature(&self) -> Self {
        let order = self.latent_of_feature();
        let pick = |rows: &[Vec<f64>]| order.iter().map(|&latent| rows[latent].clone()).collect();
        Self {
            encoder: pick(&self.encoder),
            encoder_in_span: pick(&self.encoder_in_span),
            decoder: pick(&self.decoder),
        }
    }
}

impl ToySae {
    /// Cosines of encoder and decoder rows with the planted features; 0 for a row of zeros.
    #[must_use]
    pub fn cosines(&self) -> Cosines {
        let d_in = self.config.d_in;
        let cosines = |rows: &[f64], in_span: bool| {
            let of = |row: &[f64]| {
                let products: Vec<f64> = self
                    .features
                    .chunks_exact(d_in)
                    .map(|feature| dot(row, feature))
                    .collect();
                let square = if in_span {
                    dot(&products, &products)
                } else {
                    dot(row, row)
                };
                let norm = square.sqrt().max(f64::MIN_POSITIVE);
                products.iter().map(|product| product / norm).collect()
            };
            rows.chunks_exact(d_in).map(of).collect()
        };
        Cosines {
            encoder: cosines(&self.w_enc, false),
            encoder_in_span: cosines(&self.w_enc, true),
            decoder: cosines(&self.w_dec, false),
        }
    }

    /// Latents `[latents]` of the row in which feature `i` has magnitude `magnitudes[i]`, and features beyond those given have 0.
    #[must_use]
    pub fn activations(&self, magnitudes: &[f64]) -> Vec<f64> {
        let d_in = self.config.d_in;
        let mut input = combine(magnitudes, &self.features, d_in);
        input
            .iter_mut()
            .zip(&self.b_dec)
            .for_each(|(value, bias)| *value -= bias);
        let bar = self.threshold.unwrap_or(0.0).max(0.0);
        self.w_enc
            .chunks_exact(d_in)
            .zip(&self.b_enc)
            .map(|(row, bias)| dot(row, &input) + bias)
            .map(|pre| if pre > bar { pre } else { 0.0 })
            .collect()
    }

    /// The toy as an autoencoder of this crate, in f32; batch top-k becomes a `JumpReLU` with its threshold.
    ///
    /// # Errors
    /// [`SaeError::Invalid`] if the fields do not fit together or are not finite in f32.
    pub fn to_sae(&self) -> Result<Sae, SaeError> {
        let (d_in, d_sae) = (self.config.d_in, self.b_enc.len());
        let narrow = |values: &[f64]| values.iter().map(|&value| value as f32).collect::<Vec<_>>();
        let mut w_enc = vec![0.0; d_in * d_sae];
        for (latent, row) in self.w_enc.chunks_exact(d_in).enumerate() {
            for (input, &weight) in row.iter().enumerate() {
                w_enc[input * d_sae + latent] = weight as f32;
            }
        }
        let config = SaeConfig {
            d_in,
            d_sae,
            architecture: match self.threshold {
                Some(_) => Architecture::JumpRelu,
                None => Architecture::Standard,
            },
            apply_b_dec_to_input: true,
            normalize_activations: Normalization::None,
            reshape_activations: Reshape::None,
            output: Output::autoencoder(d_in),
            metadata: Metadata::new(),
        };
        let weights = Weights {
            w_enc,
            b_enc: narrow(&self.b_enc),
            w_dec: narrow(&self.w_dec),
            b_dec: narrow(&self.b_dec),
            threshold: self.threshold.map_or_else(Vec::new, |bar| vec![bar as f32; d_sae]),
            ..Weights::default()
        };
        Sae::new(config, weights)
    }
}
