//! Adam with decoupled weight decay on host parameters.

use rayon::prelude::*;

/// Moments and constants of Adam with decoupled weight decay (Loshchilov & Hutter 2019).
pub struct AdamW {
    beta1: f32,
    beta2: f32,
    epsilon: f32,
    first: Vec<Vec<f32>>,
    second: Vec<Vec<f32>>,
    step: i32,
}

impl AdamW {
    /// Zero moments for tensors of the given sizes.
    #[must_use]
    pub fn new(sizes: &[usize], beta1: f32, beta2: f32) -> Self {
        let zeros: Vec<Vec<f32>> = sizes.iter().map(|&n| vec![0.0; n]).collect();
        Self {
            beta1,
            beta2,
            epsilon: 1e-8,
            first: zeros.clone(),
            second: zeros,
            step: 0,
        }
    }

    /// One step on every tensor; `decay` is each tensor's weight decay.
    pub fn step(&mut self, values: &mut [Vec<f32>], gradients: &[Vec<f32>], rate: f32, decay: &[f32]) {
        const CHUNK: usize = 1 << 14;
        self.step += 1;
        let correct1 = 1.0 - self.beta1.powi(self.step);
        let correct2 = 1.0 - self.beta2.powi(self.step);
        let (beta1, beta2, epsilon) = (self.beta1, self.beta2, self.epsilon);
        for (i, gradient) in gradients.iter().enumerate() {
            let shrink = 1.0 - rate * decay[i];
            let work = (values[i].par_chunks_mut(CHUNK), self.first[i].par_chunks_mut(CHUNK));
            let work = (
                work.0,
                work.1,
                self.second[i].par_chunks_mut(CHUNK),
                gradient.par_chunks(CHUNK),
            );
            work.into_par_iter().for_each(|(values, first, second, gradient)| {
                kernels::math::simd(
                    #[inline(always)]
                    || {
                        for (((value, m), v), &g) in values.iter_mut().zip(first).zip(second).zip(gradient) {
                            *m = beta1 * *m + (1.0 - beta1) * g;
                            *v = beta2 * *v + (1.0 - beta2) * g * g;
                            let size = (*v / correct2).sqrt() + epsilon;
                            *value = *value * shrink - rate * (*m / correct1) / size;
                        }
                    },
                );
            });
        }
    }
}

/// Scales gradients so that their joint norm is at most `limit`; returns the norm before.
pub(super) fn clip(gradients: &mut [Vec<f32>], limit: f32) -> f32 {
    let square: f64 = gradients
        .iter()
        .map(|g| g.iter().map(|&x| f64::from(x) * f64::from(x)).sum::<f64>())
        .sum();
    let norm = square.sqrt() as f32;
    if norm > limit {
        let scale = limit / norm;
        gradients
            .par_iter_mut()
            .for_each(|g| g.iter_mut().for_each(|x| *x *= scale));
    }
    norm
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_minimum_of_a_parabola_and_decays_what_has_no_gradient() {
        let mut values = vec![vec![3.0f32], vec![1.0f32]];
        let mut adam = AdamW::new(&[1, 1], 0.9, 0.95);
        for _ in 0..400 {
            let gradient = vec![vec![2.0 * (values[0][0] - 0.5)], vec![0.0]];
            adam.step(&mut values, &gradient, 0.05, &[0.0, 0.1]);
        }
        assert!((values[0][0] - 0.5).abs() < 1e-2, "{values:?}");
        // (1 - 0.05 * 0.1)^400
        assert!((values[1][0] - 0.1347).abs() < 1e-3, "{values:?}");
    }

    #[test]
    fn clipping_keeps_the_direction() {
        let mut gradients = vec![vec![3.0, 0.0], vec![4.0]];
        assert!((clip(&mut gradients, 1.0) - 5.0).abs() < 1e-6);
        assert!((gradients[0][0] - 0.6).abs() < 1e-6 && (gradients[1][0] - 0.8).abs() < 1e-6);
    }
}
