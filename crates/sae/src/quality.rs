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
    /// `1 - sum |x - x^|^2 / sum |x - mean|^2`, over all rows and components; `x` is the target.
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
/// If `x` is not whole rows, or `sae` is a transcoder: see [`evaluate_against`].
#[must_use]
pub fn evaluate(sae: &Sae, x: &[f32]) -> Quality {
    assert!(
        !sae.is_transcoder(),
        "a transcoder's output is not its input: use `evaluate_against`"
    );
    evaluate_against(sae, x, x)
}

/// Measures how well the output of `sae` for `x` is `target`: for a transcoder the activations at its output hook.
///
/// # Shapes
/// - `x`: `[n, d_in]`, `n > 0`
/// - `target`: `[n, d_out]`
///
/// # Panics
/// If `x` is not whole rows or `target` has others.
#[must_use]
pub fn evaluate_against(sae: &Sae, x: &[f32], target: &[f32]) -> Quality {
    let (d_in, d_out) = (sae.d_in(), sae.d_out());
    let rows = sae.rows_of(x) as f64;
    let mut mean = vec![0f64; d_out];
    for row in target.chunks_exact(d_out) {
        mean.iter_mut()
            .zip(row)
            .for_each(|(mean, &value)| *mean += f64::from(value) / rows);
    }
    let (mut active, mut error, mut variance) = (0u64, 0f64, 0f64);
    let mut fired = vec![false; sae.d_sae()];
    for (x, target) in x.chunks(ROWS * d_in).zip(target.chunks(ROWS * d_out)) {
        let latents = sae.encode(x);
        for row in 0..latents.rows() {
            let (index, _) = latents.row(row);
            active += index.len() as u64;
            for &latent in index {
                fired[latent as usize] = true;
            }
        }
        error += sae
            .error_against(target, x, &latents)
            .iter()
            .map(|&e| f64::from(e).powi(2))
            .sum::<f64>();
        for row in target.chunks_exact(d_out) {
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
