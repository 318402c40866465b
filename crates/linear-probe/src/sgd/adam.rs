//! Adam as torch computes it, in f32.
//!
//! Weight decay is the coupled L2 of `torch.optim.Adam`, not the decoupled one of `AdamW`: it is
//! added to the gradient before the moments, biases included. The moments and the quotient are in
//! f32, the bias corrections and the learning rate in f64, each in torch's order of operations.
//!
//! Deliberately absent: `AMSGrad`, other betas, and skipping of columns that never fire (their
//! weights still decay and, with an L1 term, shrink).

use rayon::prelude::*;

/// `torch.optim.Adam`'s defaults.
const BETA: [f64; 2] = [0.9, 0.999];
const EPSILON: f32 = 1e-8;

/// Numbers that one thread updates at a time.
const CHUNK: usize = 1 << 15;

/// Moments of one block of parameters.
#[derive(Clone, Debug)]
pub(crate) struct Adam {
    first: Vec<f32>,
    second: Vec<f32>,
    updates: i32,
}

/// What changes the gradient of the data before the moments see it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pull {
    /// Times the parameter.
    pub(crate) decay: f32,
    /// Times the sign of the parameter, zero at zero.
    pub(crate) l1: f32,
}

impl Adam {
    pub(crate) fn new(parameters: usize) -> Self {
        Self {
            first: vec![0.0; parameters],
            second: vec![0.0; parameters],
            updates: 0,
        }
    }

    /// One update of `parameters` with the gradient of the data.
    pub(crate) fn update(&mut self, parameters: &mut [f32], gradient: &[f32], rate: f64, pull: Pull) {
        self.updates += 1;
        let correction = BETA.map(|beta| 1.0 - beta.powi(self.updates));
        let step = -(rate / correction[0]) as f32;
        let root = correction[1].sqrt() as f32;
        let keep = (1.0 - BETA[0]) as f32;
        let (old, new) = (BETA[1] as f32, (1.0 - BETA[1]) as f32);
        parameters
            .par_chunks_mut(CHUNK)
            .zip(gradient.par_chunks(CHUNK))
            .zip(self.first.par_chunks_mut(CHUNK))
            .zip(self.second.par_chunks_mut(CHUNK))
            .for_each(|(((parameters, gradient), first), second)| {
                kernels::math::simd(
                    #[inline(always)]
                    || {
                        for (((p, &g), m), v) in parameters.iter_mut().zip(gradient).zip(first).zip(second) {
                            let sign = if *p > 0.0 { 1.0 } else { 0.0 } - if *p < 0.0 { 1.0 } else { 0.0 };
                            let g = g + pull.l1 * sign + pull.decay * *p;
                            *m += keep * (g - *m);
                            *v = *v * old + new * g * g;
                            *p += step * *m / (v.sqrt() / root + EPSILON);
                        }
                    },
                );
            });
    }
}

/// Learning rate of each epoch: `rate * (end / rate)^(epoch / epochs)`, so the last epoch is one
/// factor above `end`. Multiplied up epoch by epoch, as torch's `ExponentialLR` does.
///
/// # Shapes
/// - returns: `[epochs]`
#[must_use]
pub fn learning_rates(rate: f64, end: f64, epochs: usize) -> Vec<f64> {
    let factor = ((end / rate).ln() / epochs as f64).exp();
    std::iter::successors(Some(rate), |rate| Some(rate * factor))
        .take(epochs)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The scheduler facts of both libraries' unit tests, and `SAEBench`'s decay factor.
    #[test]
    fn scheduler() {
        let rates = learning_rates(0.01, 1e-5, 100);
        assert_eq!(rates.len(), 100);
        assert!((rates[0] - 0.01).abs() < 1e-15 && (rates[99] - 1e-5).abs() < 1e-6);
        assert!((rates[99] - 1.071_519e-5).abs() < 1e-11);
        let rates = learning_rates(0.01, 1e-5, 50);
        assert!((rates[1] / rates[0] - 0.870_963_59).abs() < 1e-8);
        assert!((rates[49] - 0.01 * 10.0_f64.powf(-3.0 * 49.0 / 50.0)).abs() < 1e-15);
    }

    #[test]
    fn first_update_is_the_learning_rate_against_the_sign() {
        let mut parameters = [1.0, -1.0, 0.0, 0.0];
        let pull = Pull { decay: 0.1, l1: 0.5 };
        Adam::new(4).update(&mut parameters, &[0.0, 0.0, 0.0, 3.0], 0.01, pull);
        for (found, expected) in parameters.iter().zip([0.99, -0.99, 0.0, -0.01]) {
            assert!((found - expected).abs() < 1e-6, "{found} {expected}");
        }
    }
}
