//! Full absorption as `SAEBench` scores it, on rows of encoded vectors: detection only, no edit.
//!
//! A word that the probe finds but none of the letter's main latents does, while one other latent
//! along the probe carries at least 0.4 of the vector's projection (`SAEBench` 0.6.0,
//! `absorption_first_letter`; the fraction is in [`super::saebench`]).

use sae::{Sae, SparseLatents};

use super::saebench::{Thresholds, absorber};
use super::word::{Entry, decoder_along};
use crate::select::contribution_scale;

/// Smallest cosine between the absorbing latent's decoder row and the probe.
pub const MIN_COSINE: f64 = 0.025;
/// Smallest share of the probe projection that the absorbing latent carries.
pub const MIN_SHARE: f64 = 0.4;

/// The latent that absorbed a word's letter.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Absorber {
    /// The latent.
    pub latent: u32,
    /// Its activation.
    pub activation: f32,
    /// Cosine of its decoder row with the probe.
    pub cosine: f64,
    /// Its share of the vector's projection on the probe.
    pub share: f64,
}

/// Cosine of every decoder row (`[d_out]`) with a direction.
#[must_use]
pub fn decoder_cosines(sae: &Sae, direction: &[f64]) -> Vec<f64> {
    decoder_along(sae, direction).into_cosines()
}

/// Whether a word's letter is fully absorbed, and by which latent. `projection`: the vector's
/// inner product with the unit probe direction; `cosines`: of all decoder rows with it. Decoder
/// rows must have unit length for the share to mean what it says.
#[must_use]
pub fn full_absorption(
    latents: &SparseLatents,
    row: usize,
    main: &[u32],
    cosines: &[f64],
    projection: f64,
) -> Option<Absorber> {
    let (index, value) = latents.row(row);
    let scale = f64::from(contribution_scale(latents, row));
    let entries = index.iter().zip(value).map(|(&latent, &activation)| {
        let (activation, cosine) = (f64::from(activation), cosines[latent as usize]);
        Entry {
            latent,
            activation,
            cosine,
            carried: activation * scale * cosine,
        }
    });
    absorber(entries, projection, main, &Thresholds::default())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Activations, cosines, main latents, projection, fully absorbed: vectors of `SAEBench` 0.6.0's
    /// own calculator run with a stub model.
    #[test]
    fn equals_the_reference_calculator() {
        type Case = (&'static [f32], &'static [f64], &'static [u32], f64, bool);
        let cases: [Case; 12] = [
            (&[10.0, 2.0], &[0.5, 0.2], &[0], 5.0, false),
            (&[0.0, 8.0], &[0.5, 0.4], &[0], 5.0, true),
            (&[4.0, 6.0], &[0.5, 0.3], &[0], 5.0, false),
            (&[6.0, 10.0], &[0.5, 0.3], &[0], 5.0, false),
            (&[4.0, 3.0], &[0.5, 0.3], &[0], 5.0, false),
            (&[0.0, 50.0], &[0.5, 0.05], &[0], 5.0, true),
            (&[2.0, 4.0, 4.0, 4.0, 4.0], &[0.5, 0.2, 0.2, 0.2, 0.2], &[0], 5.0, false),
            (&[1e-6, 8.0], &[0.5, 0.4], &[0], 5.0, false),
            (&[3.0, 8.0], &[-0.2, 0.4], &[0], 5.0, false),
            (&[1.0, 1.0, 9.0], &[0.4, 0.3, 0.3], &[0, 1], 4.0, false),
            (&[0.0, 8.0], &[0.5, 0.4], &[0], -2.0, false),
            (&[0.0, 8.0], &[0.5, 0.25], &[0], 5.0, true),
        ];
        for (i, (acts, cosines, main, projection, want)) in cases.into_iter().enumerate() {
            let active: Vec<u32> = (0..acts.len() as u32).filter(|&j| acts[j as usize] != 0.0).collect();
            let values = active.iter().map(|&j| acts[j as usize]).collect();
            let latents = SparseLatents::new(acts.len(), vec![0, active.len()], active, values);
            assert_eq!(
                full_absorption(&latents, 0, main, cosines, projection).is_some(),
                want,
                "T{}",
                i + 1
            );
        }
    }
}
