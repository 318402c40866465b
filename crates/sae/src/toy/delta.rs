//! The closed form by which absorption pays (Chanin et al. 2025, appendix A.2).
//!
//! Two orthonormal features, a parent `f1` and a child `f2` that fires only with it, and a family of autoencoders without biases
//! between no absorption (`delta = 0`) and full absorption (`delta = 1`). All reconstruct perfectly; the mean L1 norm of the
//! latents falls with `delta`, so that an L1 penalty of any weight prefers absorption.

use serde::{Deserialize, Serialize};

/// How decoder rows are scaled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DecoderNorm {
    /// As in the paper's proof: the child's decoder row `f2 + delta f1` has norm `sqrt(1 + delta^2)`.
    Free,
    /// Rows of norm 1, as trained autoencoders have them: the child's decoder row is divided by that norm, and its encoder row
    /// multiplied by it.
    Unit,
}

/// The family for one distribution of two features: both fire with probability `p11`, the parent alone with `p10`, the child never
/// alone, and neither otherwise. Magnitudes are 1.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct DeltaFamily {
    /// Probability that both fire.
    pub p11: f64,
    /// Probability that the parent fires alone.
    pub p10: f64,
    /// How decoder rows are scaled.
    pub norm: DecoderNorm,
}

impl DeltaFamily {
    /// Encoder rows `[latent][feature]`: `f1 - delta f2` and `f2`, the second times the child's scale.
    #[must_use]
    pub fn encoder(&self, delta: f64) -> [[f64; 2]; 2] {
        [[1.0, -delta], [0.0, self.scale(delta)]]
    }

    /// Decoder rows `[latent][feature]`: `f1` and `f2 + delta f1`, the second divided by the child's scale.
    #[must_use]
    pub fn decoder(&self, delta: f64) -> [[f64; 2]; 2] {
        let scale = self.scale(delta);
        [[1.0, 0.0], [delta / scale, 1.0 / scale]]
    }

    /// Latents of the row in which parent and child have these magnitudes.
    #[must_use]
    pub fn latents(&self, delta: f64, magnitudes: [f64; 2]) -> [f64; 2] {
        self.encoder(delta)
            .map(|row| (row[0] * magnitudes[0] + row[1] * magnitudes[1]).max(0.0))
    }

    /// Reconstruction of that row, as magnitudes of the two features.
    #[must_use]
    pub fn reconstruction(&self, delta: f64, magnitudes: [f64; 2]) -> [f64; 2] {
        let (z, decoder) = (self.latents(delta, magnitudes), self.decoder(delta));
        [0, 1].map(|feature| z[0] * decoder[0][feature] + z[1] * decoder[1][feature])
    }

    /// Mean squared reconstruction error: 0 for every `delta` in `[0, 1]`.
    #[must_use]
    pub fn reconstruction_loss(&self, delta: f64) -> f64 {
        let error = |magnitudes: [f64; 2]| {
            let [parent, child] = self.reconstruction(delta, magnitudes);
            (parent - magnitudes[0]).powi(2) + (child - magnitudes[1]).powi(2)
        };
        self.p11 * error([1.0, 1.0]) + self.p10 * error([1.0, 0.0])
    }

    /// Mean L1 norm of the latents for `delta` in `[0, 1]`: `p11 (s + 1 - delta) + p10`, where the child's scale `s` is 1 with free
    /// decoder rows and `sqrt(1 + delta^2)` with unit ones.
    #[must_use]
    pub fn sparsity_loss(&self, delta: f64) -> f64 {
        self.p11 * (self.scale(delta) + 1.0 - delta) + self.p10
    }

    /// Derivative of [`DeltaFamily::sparsity_loss`]: `-p11`, or `p11 (delta / sqrt(1 + delta^2) - 1)`. Negative wherever `p11 > 0`.
    #[must_use]
    pub fn derivative(&self, delta: f64) -> f64 {
        let growth = match self.norm {
            DecoderNorm::Free => 0.0,
            DecoderNorm::Unit => delta / self.scale(delta),
        };
        self.p11 * (growth - 1.0)
    }

    /// What full absorption saves: `p11`, or `(2 - sqrt 2) p11` with unit decoder rows.
    #[must_use]
    pub fn saving(&self) -> f64 {
        self.sparsity_loss(0.0) - self.sparsity_loss(1.0)
    }

    /// Share of what represents the parent, over all its firings, that is written by the child's latent: `delta p11 / (p11 + p10)`.
    #[must_use]
    pub fn absorbed_share(&self, delta: f64) -> f64 {
        delta * self.p11 / (self.p11 + self.p10)
    }

    /// Norm of `f2 + delta f1` where decoder rows are divided by it, else 1.
    fn scale(&self, delta: f64) -> f64 {
        match self.norm {
            DecoderNorm::Free => 1.0,
            DecoderNorm::Unit => (1.0 + delta * delta).sqrt(),
        }
    }
}
