//! Adam with unit decoder rows, in place.

use kernels::math;
use rayon::prelude::*;

use super::params::Params;

const EPSILON: f32 = 1e-8;
/// Values of one task.
const TASK: usize = 1 << 14;

/// Moments of the gradient and the number of steps taken.
pub(crate) struct Adam {
    first: Params,
    second: Params,
    betas: (f32, f32),
    /// Products of the betas over the steps, for the bias correction.
    decayed: (f64, f64),
}

impl Adam {
    pub(crate) fn new(params: &Params, betas: (f32, f32)) -> Self {
        Self {
            first: params.zeros_like(),
            second: params.zeros_like(),
            betas,
            decayed: (1.0, 1.0),
        }
    }

    /// One step. The gradient is first made tangent to the sphere of each decoder row, and shortened to `clip`; the decoder
    /// rows are unit vectors again afterwards.
    pub(crate) fn step(&mut self, params: &mut Params, gradient: &mut Params, rate: f32, clip: Option<f32>) {
        let d_in = params.d_in;
        project(&params.w_dec, &mut gradient.w_dec, d_in);
        let factor = clip.map_or(1.0, |clip| {
            (f64::from(clip) / norm(gradient).max(1e-30)).min(1.0) as f32
        });
        self.decayed.0 *= f64::from(self.betas.0);
        self.decayed.1 *= f64::from(self.betas.1);
        let correction = ((1.0 - self.decayed.0) as f32, (1.0 - self.decayed.1) as f32);
        let tensors = params.tensors_mut().into_iter().zip(gradient.tensors());
        let moments = self.first.tensors_mut().into_iter().zip(self.second.tensors_mut());
        for ((values, gradient), (first, second)) in tensors.zip(moments) {
            let chunks = values.par_chunks_mut(TASK).zip(gradient.par_chunks(TASK));
            let moments = first.par_chunks_mut(TASK).zip(second.par_chunks_mut(TASK));
            let (betas, rate) = (self.betas, rate / correction.0);
            chunks.zip(moments).for_each(|((values, gradient), (first, second))| {
                math::simd(
                    #[inline(always)]
                    || {
                        update(
                            values,
                            gradient,
                            first,
                            second,
                            (betas, rate, 1.0 / correction.1, factor),
                        );
                    },
                );
            });
        }
        normalise(&mut params.w_dec, d_in);
    }

    /// Forgets the moments of one latent.
    pub(crate) fn forget(&mut self, latent: usize) {
        for moments in [&mut self.first, &mut self.second] {
            let row = latent * moments.d_in..(latent + 1) * moments.d_in;
            moments.w_enc[row.clone()].fill(0.0);
            moments.w_dec[row].fill(0.0);
            moments.b_enc[latent] = 0.0;
        }
    }
}

#[expect(
    clippy::inline_always,
    reason = "it has to be compiled with the instruction set of its caller"
)]
#[inline(always)]
fn update(
    values: &mut [f32],
    gradient: &[f32],
    first: &mut [f32],
    second: &mut [f32],
    (betas, rate, unbias, factor): ((f32, f32), f32, f32, f32),
) {
    for (((value, gradient), first), second) in values.iter_mut().zip(gradient).zip(first).zip(second) {
        let gradient = gradient * factor;
        *first = betas.0 * *first + (1.0 - betas.0) * gradient;
        *second = betas.1 * *second + (1.0 - betas.1) * gradient * gradient;
        *value -= rate * *first / ((*second * unbias).sqrt() + EPSILON);
    }
}

/// Removes from each row of the gradient its component along the decoder row, a unit vector.
fn project(decoder: &[f32], gradient: &mut [f32], d_in: usize) {
    gradient
        .par_chunks_mut(d_in)
        .zip(decoder.par_chunks(d_in))
        .with_min_len(64)
        .for_each(|(gradient, row)| {
            math::simd(
                #[inline(always)]
                || {
                    let along = math::dot(gradient, row);
                    gradient
                        .iter_mut()
                        .zip(row)
                        .for_each(|(gradient, row)| *gradient -= along * row);
                },
            );
        });
}

/// Makes every row a unit vector; a row of zeros stays.
pub(crate) fn normalise(decoder: &mut [f32], d_in: usize) {
    decoder.par_chunks_mut(d_in).with_min_len(64).for_each(|row| {
        math::simd(
            #[inline(always)]
            || {
                let norm = math::square_sum(row).sqrt();
                if norm > 0.0 {
                    for value in row.iter_mut() {
                        *value /= norm;
                    }
                }
            },
        );
    });
}

fn norm(gradient: &Params) -> f64 {
    let squares = gradient.tensors().into_iter().flat_map(|tensor| tensor.chunks(TASK));
    squares
        .map(|chunk| {
            f64::from(math::simd(
                #[inline(always)]
                || math::square_sum(chunk),
            ))
        })
        .sum::<f64>()
        .sqrt()
}
