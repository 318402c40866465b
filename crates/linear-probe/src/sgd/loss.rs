//! The loss of the released probes: binary cross-entropy on logits with a weight on positives.
//!
//! Deliberately absent: the penalties, which the optimiser adds.

use crate::labels::Labels;

/// Weight of the positive rows of each class, `negatives / positives`, over all training rows
/// (Chanin et al. 2025, released code of both libraries). A class without positives has weight 0
/// here; the released code divides by zero and trains on NaN.
///
/// # Shapes
/// - `positives`: `[n_classes]`, rows of each class among `n`
/// - returns: `[n_classes]`
#[must_use]
pub fn positive_weights(positives: &[usize], n: usize) -> Vec<f32> {
    positives
        .iter()
        .map(|&positives| match positives {
            0 => 0.0,
            positives => (n - positives) as f32 / positives as f32,
        })
        .collect()
}

/// Turns the logits of `chosen` rows into the gradient of the mean loss over rows and classes;
/// returns the mean loss, in nats.
///
/// With `y` the label and `a` the positive weight of the class, a loss is
/// `(1 - y) z + (1 + (a - 1) y) softplus(-z)`.
///
/// # Shapes
/// - `logits`: `[chosen, n_classes]`, overwritten by `dL/dz`
pub(crate) fn residuals(logits: &mut [f32], labels: &Labels, chosen: &[usize], weights: &[f32]) -> f64 {
    let share = 1.0 / logits.len() as f32;
    let mut sum = 0.0;
    for (row, &source) in logits.chunks_exact_mut(weights.len()).zip(chosen) {
        let class = labels.classes()[source];
        let mut of_row = 0.0_f32;
        kernels::math::simd(
            #[inline(always)]
            || {
                for z in row.iter_mut() {
                    let tail = kernels::math::exp(-z.abs());
                    // The loss is only reported: 6e-8 lost in `1 + tail` does not matter.
                    of_row += (1.0 + tail).ln() + z.max(0.0);
                }
            },
        );
        let z = row[class];
        let softplus = |z: f32| (-z.abs()).exp().ln_1p() + z.max(0.0);
        sum += f64::from(of_row - softplus(z) + weights[class] * softplus(-z));
        for z in row.iter_mut() {
            *z = share * sigmoid(*z);
        }
        row[class] = share * (weights[class] * (sigmoid(z) - 1.0));
    }
    sum * f64::from(share)
}

#[inline]
fn sigmoid(z: f32) -> f32 {
    1.0 / (1.0 + kernels::math::exp(-z))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The unit tests of the released code: 5/5, 5/15, 20/5, and a multi-hot case of six rows.
    #[test]
    fn weights() {
        assert_eq!(positive_weights(&[5], 10), [1.0]);
        assert_eq!(positive_weights(&[5], 20), [3.0]);
        assert_eq!(positive_weights(&[20], 25), [0.25]);
        assert_eq!(positive_weights(&[3, 5], 6), [1.0, 0.2]);
        assert_eq!(positive_weights(&[0], 6), [0.0]);
    }
}
