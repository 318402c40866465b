//! Normalisations of rows.

use crate::math::{simd, square_sum, sum};

/// RMS norm of each row: `x / sqrt(mean(x^2) + eps) * weight`, where `weight` is what the row is multiplied by (Gemma's `1 + w`).
///
/// `add`: whether the result is added to `out` or written over it.
pub fn rms_norm(x: &[f32], weight: &[f32], eps: f32, out: &mut [f32], add: bool) {
    let width = weight.len();
    simd(
        #[inline(always)]
        || {
            for (row, out) in x.chunks_exact(width).zip(out.chunks_exact_mut(width)) {
                let scale = 1.0 / (square_sum(row) / width as f32 + eps).sqrt();
                if add {
                    for ((out, &value), &weight) in out.iter_mut().zip(row).zip(weight) {
                        *out += value * scale * weight;
                    }
                } else {
                    for ((out, &value), &weight) in out.iter_mut().zip(row).zip(weight) {
                        *out = value * scale * weight;
                    }
                }
            }
        },
    );
}

/// RMS norm of one row in place.
#[inline(always)]
pub fn rms_norm_row(row: &mut [f32], weight: &[f32], eps: f32) {
    let scale = 1.0 / (square_sum(row) / row.len() as f32 + eps).sqrt();
    for (value, &weight) in row.iter_mut().zip(weight) {
        *value *= scale * weight;
    }
}

/// Layer norm of each row: `(x - mean) / sqrt(variance + eps) * weight + bias`, with the biased variance.
pub fn layer_norm(x: &[f32], weight: &[f32], bias: &[f32], eps: f32, out: &mut [f32]) {
    let width = weight.len();
    simd(
        #[inline(always)]
        || {
            for (row, out) in x.chunks_exact(width).zip(out.chunks_exact_mut(width)) {
                let mean = sum(row) / width as f32;
                // Two passes: the one-pass formula loses half of the digits where the mean is large.
                for (out, &value) in out.iter_mut().zip(row) {
                    *out = value - mean;
                }
                let scale = 1.0 / (square_sum(out) / width as f32 + eps).sqrt();
                for ((out, &weight), &bias) in out.iter_mut().zip(weight).zip(bias) {
                    *out = *out * scale * weight + bias;
                }
            }
        },
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rms_norm_gives_unit_mean_square() {
        let x: Vec<f32> = (0..40).map(|i| (i as f32).sin() * 3.0).collect();
        let mut out = vec![0.0; 40];
        rms_norm(&x, &[1.0; 20], 0.0, &mut out, false);
        for row in out.chunks(20) {
            assert!((square_sum(row) / 20.0 - 1.0).abs() < 1e-5);
        }
        let before = out.clone();
        rms_norm(&x, &[1.0; 20], 0.0, &mut out, true);
        assert!((out[7] - 2.0 * before[7]).abs() < 1e-6);
    }

    #[test]
    fn layer_norm_has_no_mean_and_unit_variance() {
        let x: Vec<f32> = (0..40).map(|i| 1000.0 + (i as f32).sin()).collect();
        let mut out = vec![0.0; 40];
        layer_norm(&x, &[1.0; 20], &[0.5; 20], 0.0, &mut out);
        for row in out.chunks(20) {
            assert!((sum(row) / 20.0 - 0.5).abs() < 1e-4);
            let variance = row.iter().map(|v| (v - 0.5) * (v - 0.5)).sum::<f32>() / 20.0;
            // 1000 + sin has eleven bits left for the sine.
            assert!((variance - 1.0).abs() < 1e-2, "{variance}");
        }
    }

    #[test]
    fn one_row_in_place_equals_the_rows() {
        let x: Vec<f32> = (0..16).map(|i| (i as f32).cos()).collect();
        let weight: Vec<f32> = (0..16).map(|i| i as f32 * 0.1).collect();
        let (mut out, mut row) = (vec![0.0; 16], x.clone());
        rms_norm(&x, &weight, 1e-6, &mut out, false);
        rms_norm_row(&mut row, &weight, 1e-6);
        for (a, b) in out.iter().zip(&row) {
            assert!((a - b).abs() < 1e-6);
        }
    }
}
