//! The SAE that learnt nothing.

use rand::RngExt;
use sae::{Architecture, Normalization, Output, Reshape, Sae, SaeConfig, SaeError, Weights};

/// Rows of train words that thresholds are set on.
const CALIBRATION_ROWS: usize = 4096;

/// An autoencoder with as many latents as `sae` in random unit directions, encoder and decoder alike, that fires as often: on
/// average each latent on a share `l0 / d_sae` of the given words, or the `k` strongest of each word where `sae` selects so. The words' mean is
/// its bias, without which one latent would fire on all of them.
///
/// # Shapes
/// - `x`: `[n, d_model]`, train words
///
/// # Errors
/// The parts do not make an autoencoder: `x` holds no row or a value that is not finite.
pub fn random_like(sae: &Sae, x: &[f32], l0: f64, seed: u64) -> Result<Sae, SaeError> {
    let (d, width) = (sae.d_in(), sae.d_sae());
    let rows = x.len() / d;
    let mut draw = stats::seed::rng(seed, "paper/random-sae");
    let mut w_dec = Vec::with_capacity(width * d);
    for _ in 0..width {
        // Twelve uniform draws make a normal one closely enough for a direction.
        let row: Vec<f64> = (0..d)
            .map(|_| (0..12).map(|_| draw.random::<f64>()).sum::<f64>() - 6.0)
            .collect();
        let length = crate::editor::norm(&row);
        w_dec.extend(row.iter().map(|v| (v / length) as f32));
    }
    let mut w_enc = vec![0.0; d * width];
    for (latent, row) in w_dec.chunks_exact(d).enumerate() {
        for (i, &v) in row.iter().enumerate() {
            w_enc[i * width + latent] = v;
        }
    }
    let mut mean = vec![0.0f64; d];
    for row in x.chunks_exact(d) {
        for (mean, &v) in mean.iter_mut().zip(row) {
            *mean += f64::from(v) / rows.max(1) as f64;
        }
    }
    let limit = sae.config().architecture.limit().map(|k| k.clamp(1, width));
    let architecture = match limit {
        Some(k) => Architecture::TopK {
            k,
            rescale_acts_by_decoder_norm: false,
        },
        None => Architecture::Standard,
    };
    let config = SaeConfig {
        d_in: d,
        d_sae: width,
        architecture,
        apply_b_dec_to_input: true,
        normalize_activations: Normalization::None,
        reshape_activations: Reshape::None,
        output: Output::autoencoder(d),
        metadata: sae.config().metadata.clone(),
    };
    let mut weights = Weights {
        w_enc,
        b_enc: vec![0.0; width],
        w_dec,
        b_dec: mean.iter().map(|&v| v as f32).collect(),
        ..Weights::default()
    };
    if limit.is_none() {
        weights.b_enc = biases(&Sae::new(config.clone(), weights.clone())?, x, l0 / width as f64);
    }
    Sae::new(config, weights)
}

/// For each latent minus the pre-activation at which a share `rate` of all (word, latent) pairs lies above, when every latent is
/// measured in its own deviations: one latent's share is too small to be counted on the rows at hand.
fn biases(open: &Sae, x: &[f32], rate: f64) -> Vec<f32> {
    const BLOCK: usize = 256;
    const POOL: usize = 1 << 22;
    let (d, width) = (open.d_in(), open.d_sae());
    // Rows from all over the words: their order is that of the vocabulary.
    let step = (x.len() / d).div_ceil(CALIBRATION_ROWS).max(1);
    let rows: Vec<f32> = x.chunks_exact(d).step_by(step).flatten().copied().collect();
    let n = rows.len() / d;
    let mut moments = Vec::with_capacity(width);
    let mut pool: Vec<f64> = Vec::new();
    for start in (0..width).step_by(BLOCK) {
        let block: Vec<usize> = (start..(start + BLOCK).min(width)).collect();
        let values = open.pre_activations(&rows, &block);
        for at in 0..block.len() {
            let column = || values.iter().skip(at).step_by(block.len()).map(|&v| f64::from(v));
            let mean = column().sum::<f64>() / n.max(1) as f64;
            let sd = (column().map(|v| (v - mean).powi(2)).sum::<f64>() / n.max(1) as f64).sqrt();
            moments.push((mean, sd));
            if sd > 0.0 && pool.len() < POOL {
                pool.extend(column().map(|v| (v - mean) / sd));
            }
        }
    }
    let above = ((pool.len() as f64 * rate).round() as usize).min(pool.len().saturating_sub(1));
    let bar = if pool.is_empty() {
        0.0
    } else {
        *pool.select_nth_unstable_by(above, |a, b| b.total_cmp(a)).1
    };
    moments.iter().map(|(mean, sd)| -(mean + bar * sd) as f32).collect()
}
