//! Adam as `SAELens` 3 sets it up by default, after clipping the gradient.
//!
//! The decay rate of the first moment is 0 there: a step follows the gradient of its batch alone, divided by the running root mean
//! square of each coordinate. So there is no first moment to keep.

use kernels::math;

use super::params::Params;
use super::view::dot;

/// Decay rate of the second moment.
const BETA2: f64 = 0.999;
const EPSILON: f64 = 1e-8;
/// Largest norm of the gradient over all parameters.
const CLIP: f64 = 1.0;
/// What `torch` adds to a norm before dividing by it.
const CLIP_EPSILON: f64 = 1e-6;

/// Running mean square of the gradient.
pub(super) struct Adam {
    second: Vec<f64>,
    /// `BETA2` to the power of the number of steps, for the bias correction.
    decayed: f64,
}

impl Adam {
    pub(super) fn new(params: &Params) -> Self {
        Self {
            second: vec![0.0; params.values.len()],
            decayed: 1.0,
        }
    }

    pub(super) fn step(&mut self, params: &mut Params, gradient: &Params, rate: f64) {
        self.decayed *= BETA2;
        let root = (1.0 - self.decayed).sqrt();
        let (values, gradient, second) = (&mut params.values, &gradient.values, &mut self.second);
        math::simd(
            #[inline(always)]
            || {
                let norm = dot(gradient, gradient).sqrt();
                let clip = (CLIP / (norm + CLIP_EPSILON)).min(1.0);
                for ((value, gradient), second) in values.iter_mut().zip(gradient).zip(second) {
                    let gradient = clip * gradient;
                    *second = BETA2 * *second + (1.0 - BETA2) * gradient * gradient;
                    *value -= rate * gradient / (second.sqrt() / root + EPSILON);
                }
            },
        );
    }
}
