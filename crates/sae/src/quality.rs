//! How well an autoencoder reconstructs, and how sparsely.

use serde::{Deserialize, Serialize};

use crate::Sae;

/// Rows that are encoded at a time.
const ROWS: usize = 4096;

/// Reconstruction and sparsity on a set of rows.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Quality {
    /// Mean number of active latents per row.
    pub l0: f64,
    /// `1 - sum |x - x^|^2 / sum |x - mean|^2`, over all rows and components.
    pub explained_variance: f64,
    /// Share of latents that are active in none of the rows.
    pub dead_share: f64,
    /// Mean over rows of the squared distance `|x - x^|^2`, in squared units of the activations.
    pub mse: f64,
}

/// Measures `sae` on `x`.
///
/// # Shapes
/// - `x`: `[n, d_in]`, `n > 0`
///
/// # Panics
/// If `x` is not whole rows.
#[must_use]
pub fn evaluate(sae: &Sae, x: &[f32]) -> Quality {
    let d_in = sae.d_in();
    let rows = sae.rows_of(x) as f64;
    let mut mean = vec![0f64; d_in];
    for row in x.chunks_exact(d_in) {
        mean.iter_mut()
            .zip(row)
            .for_each(|(mean, &value)| *mean += f64::from(value) / rows);
    }
    let (mut active, mut error, mut variance) = (0u64, 0f64, 0f64);
    let mut fired = vec![false; sae.d_sae()];
    for x in x.chunks(ROWS * d_in) {
        let latents = sae.encode(x);
        for row in 0..latents.rows() {
            let (index, _) = latents.row(row);
            active += index.len() as u64;
            for &latent in index {
                fired[latent as usize] = true;
            }
        }
        error += sae
            .error_term(x, &latents)
            .iter()
            .map(|&e| f64::from(e).powi(2))
            .sum::<f64>();
        for row in x.chunks_exact(d_in) {
            variance += row
                .iter()
                .zip(&mean)
                .map(|(&value, mean)| (f64::from(value) - mean).powi(2))
                .sum::<f64>();
        }
    }
    Quality {
        l0: active as f64 / rows,
        explained_variance: 1.0 - error / variance,
        dead_share: fired.iter().filter(|&&fired| !fired).count() as f64 / fired.len() as f64,
        mse: error / rows,
    }
}
