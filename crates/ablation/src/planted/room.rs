//! Hedging that training makes, and its rate: what a narrow autoencoder's latents give back when it gets room.
//!
//! Features come in pairs, of which the second often fires with the first. An autoencoder with one latent per pair writes some of
//! the second with the first (hedging); given more latents, it gives the second features to those. The rate (Chanin et al. 2025,
//! "Feature Hedging"): `p` is the length of the change of the old decoder rows within the span of the new ones, over the mean length
//! of a decoder row; `rate = max(0, (p - p_random) / (1 - p_random))` with as many random directions in place of the new rows.
//!
//! Deliberately absent: the choice of a width or a penalty; the caller trains.

use rand::RngExt;
use sae::{Architecture, Sae, Weights};

use super::dictionary::sae_of;
use super::draw::{add, dot, orthonormal, remove_span, scale_to};
use crate::error::{AblationError, Result};

/// Random spans that the baseline is averaged over.
const DRAWS: usize = 50;
/// A row whose part outside the others is shorter than this share of it adds no dimension to their span.
const FLAT: f64 = 1e-6;

/// Pairs of features.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pairs {
    /// How many.
    pub pairs: usize,
    /// Width of the vectors.
    pub d: usize,
    /// Rate of first features.
    pub first: f64,
    /// Rate of a second feature where its first fires.
    pub together: f64,
    /// Rate of a second feature where its first does not fire.
    pub alone: f64,
}

/// What became of the old latents.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct HedgingRate {
    /// Change within the span of the new rows, in mean lengths of a row.
    pub p: f64,
    /// The same within random spans.
    pub p_random: f64,
    /// The rate.
    pub rate: f64,
}

impl Pairs {
    fn directions(&self, seed: u64) -> Vec<Vec<f64>> {
        orthonormal(2 * self.pairs, self.d, &mut stats::seed::rng(seed, "planted/pairs"))
    }

    /// Rows to train on, `[n, d]`; magnitudes are 1.
    ///
    /// # Errors
    /// Fewer dimensions than features.
    pub fn rows(&self, n: usize, seed: u64) -> Result<Vec<f32>> {
        self.check()?;
        let directions = self.directions(seed);
        let mut rng = stats::seed::rng(seed, "planted/pairs/rows");
        let mut out = Vec::with_capacity(n * self.d);
        for _ in 0..n {
            let mut x = vec![0.0; self.d];
            for pair in directions.chunks_exact(2) {
                let first = rng.random::<f64>() < self.first;
                let second = rng.random::<f64>() < if first { self.together } else { self.alone };
                for (feature, fires) in pair.iter().zip([first, second]) {
                    if fires {
                        add(&mut x, feature, 1.0);
                    }
                }
            }
            out.extend(x.iter().map(|&v| v as f32));
        }
        Ok(out)
    }

    /// An autoencoder with one latent per pair that reads and writes the first feature: where training starts, so that which latent
    /// stands for which pair is not left to chance.
    ///
    /// # Errors
    /// Fewer dimensions than features.
    pub fn first_features(&self, seed: u64) -> Result<Sae> {
        self.check()?;
        let directions = self.directions(seed);
        let firsts = || directions.chunks_exact(2).map(|pair| &pair[0]);
        let mut w_enc = vec![0.0f32; self.d * self.pairs];
        for (latent, direction) in firsts().enumerate() {
            for (input, &value) in direction.iter().enumerate() {
                w_enc[input * self.pairs + latent] = value as f32;
            }
        }
        let weights = Weights {
            w_enc,
            b_enc: vec![0.0; self.pairs],
            w_dec: firsts().flatten().map(|&v| v as f32).collect(),
            b_dec: vec![0.0; self.d],
            ..Weights::default()
        };
        sae_of(weights, self.d, self.pairs, Architecture::Standard)
    }

    fn check(&self) -> Result<()> {
        if self.pairs == 0 || 2 * self.pairs > self.d {
            return Err(AblationError::Edit(format!(
                "{} pairs of features do not fit {} dimensions",
                self.pairs, self.d
            )));
        }
        Ok(())
    }
}

/// The hedging rate of `old`, whose latents are the first ones of `extended`.
///
/// # Errors
/// `extended` has another width of vectors or no more latents.
pub fn hedging_rate(old: &Sae, extended: &Sae, seed: u64) -> Result<HedgingRate> {
    let (d, n) = (old.d_out(), old.d_sae());
    if extended.d_out() != d || extended.d_sae() <= n {
        return Err(AblationError::Edit(
            "a hedging rate compares an autoencoder with the same one grown by some latents".to_owned(),
        ));
    }
    let row = |sae: &Sae, j: usize| -> Vec<f64> { sae.decoder_row(j).iter().map(|&v| f64::from(v)).collect() };
    let changes: Vec<Vec<f64>> = (0..n)
        .map(|j| {
            let mut change = row(extended, j);
            add(&mut change, &row(old, j), -1.0);
            change
        })
        .collect();
    let length = |v: &[f64]| dot(v, v).sqrt();
    let mean = (0..n).map(|j| length(&row(old, j))).sum::<f64>() / n as f64;
    let share = |span: &[Vec<f64>]| {
        let within = |v: &Vec<f64>| span.iter().map(|b| dot(b, v).powi(2)).sum::<f64>().sqrt();
        changes.iter().map(within).sum::<f64>() / n as f64 / mean
    };
    let mut span: Vec<Vec<f64>> = Vec::new();
    for j in n..extended.d_sae() {
        let mut v = row(extended, j);
        let before = length(&v);
        remove_span(&mut v, &span);
        remove_span(&mut v, &span);
        if length(&v) > FLAT * before {
            scale_to(&mut v, 1.0);
            span.push(v);
        }
    }
    let mut rng = stats::seed::rng(seed, "planted/hedging-rate");
    let p = share(&span);
    let p_random = (0..DRAWS)
        .map(|_| share(&orthonormal(span.len(), d, &mut rng)))
        .sum::<f64>()
        / DRAWS as f64;
    Ok(HedgingRate {
        p,
        p_random,
        rate: ((p - p_random) / (1.0 - p_random)).max(0.0),
    })
}
