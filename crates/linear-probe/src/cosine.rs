//! Latents by cosine with a probe direction (Chanin et al. 2025, section 5.1).
//!
//! The paper compares a probe with the one latent whose *encoder* column points most in its
//! direction, and decides by `pre-activation - threshold > 1e-8`, that is by whether the latent
//! fires ([`FIRES`]).
//!
//! Deliberately absent: encoding, and decoder cosines, which the absorption metric takes for
//! single latents.

use crate::error::ProbeError;
use crate::logistic::LogisticProbe;

/// Latents per letter that the released code keeps; its figures use the first.
pub const PAPER_TOP: usize = 5;

/// Distance of a pre-activation to the threshold of its latent above which the released code says
/// that the latent fires, in units of the activation.
pub const FIRES: f64 = 1e-8;

/// The `top` latents of each class by cosine between its weights and the encoder columns, with
/// their cosines, best first; equal ones by ascending latent. A direction or column of length zero
/// has cosine zero.
///
/// # Shapes
/// - `encoder`: `[d, width]`, row-major, as `SAELens` stores `W_enc`
/// - returns: `[n_classes][top]`, fewer if `width` is smaller
///
/// # Errors
/// [`ProbeError::Length`] if the encoder is not `[d, width]`, [`ProbeError::EmptyDesign`] if it has
/// no columns.
pub fn by_encoder_cosine(
    probe: &LogisticProbe,
    encoder: &[f32],
    width: usize,
    top: usize,
) -> Result<Vec<Vec<(usize, f64)>>, ProbeError> {
    let d = probe.d;
    if width == 0 || d == 0 {
        return Err(ProbeError::EmptyDesign { n: d, d: width });
    }
    let expected = d.saturating_mul(width);
    if encoder.len() != expected {
        let (what, found) = ("encoder", encoder.len());
        return Err(ProbeError::Length { what, expected, found });
    }
    let mut lengths = vec![0.0_f64; width];
    for row in encoder.chunks_exact(width) {
        for (length, &entry) in lengths.iter_mut().zip(row) {
            *length += f64::from(entry) * f64::from(entry);
        }
    }
    Ok((0..probe.bias.len())
        .map(|class| {
            let direction = probe.direction(class);
            let length: f64 = direction.iter().map(|w| w * w).sum();
            let mut products = vec![0.0; width];
            for (weight, row) in direction.iter().zip(encoder.chunks_exact(width)) {
                for (product, &entry) in products.iter_mut().zip(row) {
                    *product += weight * f64::from(entry);
                }
            }
            let cosine = |(product, square): (f64, &f64)| {
                let norm = (length * square).sqrt();
                if norm > 0.0 { product / norm } else { 0.0 }
            };
            let cosines = products.into_iter().zip(&lengths).map(cosine);
            let mut ranked: Vec<(usize, f64)> = cosines.enumerate().collect();
            ranked.sort_by(|a, b| b.1.total_cmp(&a.1));
            ranked.truncate(top);
            ranked
        })
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The unit test of the released code, scaled: a probe row that is an encoder column finds it.
    #[test]
    fn a_column_finds_itself() {
        let (d, width) = (7, 40);
        let encoder: Vec<f32> = (0..d * width).map(|at| (1.0 + at as f32 * 1.7).sin()).collect();
        let column = |latent: usize| (0..d).map(move |row| row * width + latent);
        let mut weight: Vec<f64> = column(23).map(|at| 3.0 * f64::from(encoder[at])).collect();
        weight.extend([0.0; 7]);
        let bias = vec![0.0; 2];
        let probe = LogisticProbe { d, weight, bias };
        let found = by_encoder_cosine(&probe, &encoder, width, PAPER_TOP).expect("valid");
        assert_eq!((found[0].len(), found[0][0].0), (5, 23));
        assert!((found[0][0].1 - 1.0).abs() < 1e-12 && found[0][1].1 < 1.0);
        assert_eq!(found[1][0], (0, 0.0));
        assert!(by_encoder_cosine(&probe, &encoder[1..], width, 1).is_err());
    }
}
