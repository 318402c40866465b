//! The tensors of an autoencoder as this crate holds them: two matrices, each in memory or in its file, and vectors.

use std::sync::Arc;

use crate::factor::{Factor, divide};
use crate::matrix::Matrix;
use crate::{SaeConfig, Weights};

/// Values of both matrices together from which on they stay in their file unless the caller says otherwise: 2 GiB of f32.
const STAYS_MAPPED: usize = (2 << 30) / size_of::<f32>();

/// What [`Weights`] holds, with matrices that may be in their file.
#[derive(Clone, Debug)]
pub(crate) struct Parts {
    pub(crate) encoder: Matrix,
    pub(crate) decoder: Matrix,
    /// Everything else; its matrices are empty.
    pub(crate) vectors: Weights,
}

impl Parts {
    /// Parts in memory, whose lengths nobody has checked yet.
    pub(crate) fn resident(mut weights: Weights, config: &SaeConfig) -> Self {
        let (d_in, d_sae, d_out) = (config.d_in, config.d_sae, config.output.d_out);
        let (w_enc, w_dec) = (std::mem::take(&mut weights.w_enc), std::mem::take(&mut weights.w_dec));
        Self {
            encoder: Matrix::resident(w_enc, [d_sae, d_in], false),
            decoder: Matrix::resident(w_dec, [d_sae, d_out], true),
            vectors: weights,
        }
    }

    /// Everything in memory.
    pub(crate) fn into_weights(self) -> Weights {
        Weights {
            w_enc: self.encoder.into_resident(false),
            w_dec: self.decoder.into_resident(true),
            ..self.vectors
        }
    }

    /// The same with both matrices in memory.
    pub(crate) fn into_resident(self) -> Self {
        let Self {
            encoder,
            decoder,
            vectors,
        } = self;
        Self {
            encoder: encoder.widen(false),
            decoder: decoder.widen(true),
            vectors,
        }
    }

    /// Whether a matrix stays in its file.
    pub(crate) fn is_mapped(&self) -> bool {
        self.encoder.is_stored() || self.decoder.is_stored()
    }

    /// Whether the matrices are so large that they stay in their file unless the caller says otherwise.
    pub(crate) fn is_large(&self) -> bool {
        self.encoder.len().saturating_add(self.decoder.len()) > STAYS_MAPPED
    }

    /// Folds a factor of the input, leaving latents and what thresholds compare as they are.
    pub(crate) fn fold_factor(&mut self, scale: f32) {
        self.encoder.scale(Factor::Times(scale));
        self.decoder.scale(Factor::Over(scale));
        divide(&mut self.vectors.b_dec, scale);
    }

    /// Gives the decoder unit rows. Norms below `smallest` count as that.
    pub(crate) fn fold_norms(&mut self, smallest: f32) {
        let norms: Arc<[f32]> = self
            .decoder
            .norms()
            .into_iter()
            .map(|norm| norm.max(smallest))
            .collect();
        let Weights {
            b_enc,
            threshold,
            b_gate,
            b_mag,
            ..
        } = &mut self.vectors;
        for values in [b_enc, threshold, b_gate, b_mag] {
            values.iter_mut().zip(&*norms).for_each(|(value, norm)| *value *= norm);
        }
        self.decoder.scale(Factor::EachOver(norms.clone()));
        self.encoder.scale(Factor::EachTimes(norms));
    }
}
