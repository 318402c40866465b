//! The balanced logistic regression on a few latents.
//!
//! `LogisticRegression(max_iter=500, class_weight="balanced")` of scikit-learn minimises
//! `|w|^2 / 2 + sum_i s_i loss_i` with `C = 1` and a free intercept: [`LogisticConfig::balanced`]
//! with 1, for one class.
//!
//! Deliberately absent: scikit-learn's stopping rule, which ends short of the optimum.

use serde::{Deserialize, Serialize};

use crate::blocks::Centred;
use crate::design::Design;
use crate::error::ProbeError;
use crate::labels::Labels;
use crate::lbfgs::ClassOutcome;
use crate::logistic::LogisticConfig;
use crate::solver::fit_prepared;
use crate::whitening::Whitening;

/// Gradient tolerance in the whitened basis; scikit-learn's is 1e-4, in the raw one.
const TOLERANCE: f64 = 1e-9;

/// A logistic regression on a few latents.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct KSparseProbe {
    /// `[k]`, latents by rank.
    pub latents: Vec<usize>,
    /// `[k]`, in logits per unit of activation.
    pub weight: Vec<f64>,
    /// In logits.
    pub bias: f64,
    /// How the fit ended.
    pub outcome: ClassOutcome,
}

impl KSparseProbe {
    /// Logit of one row; the row is of the class iff it is above zero.
    ///
    /// # Shapes
    /// - `activations`: `[k]`, of [`KSparseProbe::latents`], in that order
    #[must_use]
    pub fn score(&self, activations: &[f32]) -> f64 {
        let product = |(weight, &x): (&f64, &f32)| weight * f64::from(x);
        self.weight.iter().zip(activations).map(product).sum::<f64>() + self.bias
    }
}

/// Fits class `class` of `labels` against all others on `activations` of `latents`.
///
/// # Shapes
/// - `activations`: `[n, k]`, row-major, of `latents` `[k]`, in that order
/// - `labels`: `[n]`
///
/// # Errors
/// Labels of another length, an unknown class, a class without positives or negatives, no latents,
/// or an activation that is not finite.
pub fn refit(
    activations: &[f32],
    latents: &[usize],
    labels: &Labels,
    class: usize,
) -> Result<KSparseProbe, ProbeError> {
    let design = Design::new(activations, labels.n(), latents.len())?;
    match labels.counts().get(class) {
        None | Some(0) => return Err(ProbeError::EmptyClass { class }),
        Some(&count) if count == labels.n() => return Err(ProbeError::FullClass { class }),
        Some(_) => {}
    }
    let config = LogisticConfig {
        tolerance: TOLERANCE,
        ..LogisticConfig::balanced(1.0)
    };
    let centred = Centred::new(design);
    let whitening = Whitening::new(&centred)?;
    let fit = fit_prepared(&centred, &whitening, labels, class..class + 1, &config, None);
    Ok(KSparseProbe {
        latents: latents.to_vec(),
        weight: fit.probe.weight,
        bias: fit.probe.bias[0],
        outcome: fit.outcomes[0],
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn assert_fit(x: &[f32], k: usize, y: &[usize], expected: &[f64], tolerance: f64) {
        let labels = Labels::new(y, 2).expect("valid");
        let latents: Vec<usize> = (0..k).collect();
        let probe = refit(x, &latents, &labels, 1).expect("valid");
        let found = probe.weight.iter().chain([&probe.bias]);
        for (found, expected) in found.zip(expected) {
            assert!((found - expected).abs() < tolerance, "{found} {expected}");
        }
    }

    /// scikit-learn 1.9.1 at its default tolerance, and at a tolerance of 1e-10.
    #[test]
    fn equals_scikit_learn() {
        let x = [0.0, 0.5, 1.0, 1.5, 2.0, 3.0];
        assert_fit(&x, 1, &[0, 0, 0, 1, 0, 1], &[0.866_742, -1.348_506], 2e-4);
        let x = [
            0.0, 0.0, 1.0, 0.0, 0.0, 2.0, 3.0, 1.0, 0.0, 0.0, 2.0, 0.5, 0.0, 0.1, 0.2, 0.0,
        ];
        let y = [0, 0, 1, 1, 0, 1, 0, 0];
        assert_fit(&x, 2, &y, &[0.858_615, 1.127_950, -1.440_411], 2e-4);
        assert_fit(&x, 2, &y, &[0.858_582, 1.127_806, -1.440_317], 1e-6);
    }

    #[test]
    fn a_dead_latent_gets_no_weight_and_bad_classes_are_refused() {
        let labels = Labels::new(&[0, 1, 0, 1], 3).expect("valid");
        let x = [0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 2.0];
        let probe = refit(&x, &[7, 9], &labels, 1).expect("valid");
        assert!(probe.weight[0].abs() < 1e-12 && probe.weight[1] > 0.1);
        assert!(probe.score(&[0.0, 2.0]) > 0.0 && probe.score(&[0.0, 0.0]) < 0.0);
        for class in [2, 3] {
            let refused = refit(&x, &[7, 9], &labels, class);
            assert_eq!(refused, Err(ProbeError::EmptyClass { class }));
        }
    }
}
