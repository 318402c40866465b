//! The trained numbers, in one vector.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use super::EncoderStart;
use super::view::{add_scaled, dot};

/// Decoder, encoder bias, decoder bias, and the encoder unless it is the decoder: one vector, so that the optimiser is one loop
/// and a tied autoencoder is a shorter vector. A gradient has the same form.
///
/// # Shapes
/// - decoder and encoder: `[latents, d_in]`
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Params {
    pub(super) latents: usize,
    pub(super) d_in: usize,
    pub(super) tied: bool,
    pub(super) values: Vec<f64>,
}

impl Params {
    pub(super) fn zeros(latents: usize, d_in: usize, tied: bool) -> Self {
        let matrices = if tied { 1 } else { 2 };
        Self {
            latents,
            d_in,
            tied,
            values: vec![0.0; matrices * latents * d_in + latents + d_in],
        }
    }

    /// First weights as in `SAELens` 3: matrices by `torch`'s `kaiming_uniform_`, whose fan-in is the second axis of a tensor,
    /// here `latents` for the encoder (stored `[d_in, latents]` there) and `d_in` for the decoder; unit decoder rows, also those
    /// that the encoder starts from; biases 0.
    pub(super) fn random(latents: usize, d_in: usize, tied: bool, start: EncoderStart, rng: &mut ChaCha8Rng) -> Self {
        let mut params = Self::zeros(latents, d_in, tied);
        kaiming(params.parts_mut()[0], d_in, rng);
        params.normalise_decoder();
        let [decoder, _, _, encoder] = params.parts_mut();
        if !tied {
            match start {
                EncoderStart::Independent => kaiming(encoder, latents, rng),
                EncoderStart::Decoder => encoder.copy_from_slice(decoder),
            }
        }
        params
    }

    pub(super) fn decoder(&self) -> &[f64] {
        &self.values[..self.latents * self.d_in]
    }

    pub(super) fn b_enc(&self) -> &[f64] {
        &self.values[self.latents * self.d_in..][..self.latents]
    }

    pub(super) fn b_dec(&self) -> &[f64] {
        &self.values[self.latents * (self.d_in + 1)..][..self.d_in]
    }

    pub(super) fn encoder(&self) -> &[f64] {
        if self.tied {
            self.decoder()
        } else {
            &self.values[self.latents * (self.d_in + 1) + self.d_in..]
        }
    }

    /// Decoder, encoder bias, decoder bias and encoder, the last empty if tied.
    pub(super) fn parts_mut(&mut self) -> [&mut [f64]; 4] {
        let (decoder, rest) = self.values.split_at_mut(self.latents * self.d_in);
        let (b_enc, rest) = rest.split_at_mut(self.latents);
        let (b_dec, encoder) = rest.split_at_mut(self.d_in);
        [decoder, b_enc, b_dec, encoder]
    }

    /// Takes out of the decoder rows of a gradient what is along the decoder rows of `params`, which are unit vectors.
    pub(super) fn project(&mut self, params: &Self) {
        let d_in = self.d_in;
        let [decoder, ..] = self.parts_mut();
        for (gradient, row) in decoder.chunks_exact_mut(d_in).zip(params.decoder().chunks_exact(d_in)) {
            let along = dot(gradient, row);
            add_scaled(gradient, -along, row);
        }
    }

    /// Makes every decoder row a unit vector; a row of zeros stays.
    pub(super) fn normalise_decoder(&mut self) {
        let d_in = self.d_in;
        let [decoder, ..] = self.parts_mut();
        for row in decoder.chunks_exact_mut(d_in) {
            let norm = row.iter().map(|value| value * value).sum::<f64>().sqrt();
            if norm > 0.0 {
                for value in row {
                    *value /= norm;
                }
            }
        }
    }
}

/// `torch`'s `kaiming_uniform_`: uniform within `sqrt(6 / fan_in)`.
fn kaiming(values: &mut [f64], fan_in: usize, rng: &mut ChaCha8Rng) {
    let bound = (6.0 / fan_in as f64).sqrt();
    for value in values {
        *value = bound * (2.0 * rng.random::<f64>() - 1.0);
    }
}
