//! Vectorised elementwise functions on slices.
//!
//! The scalar bodies are branch-free so that the compiler turns the loops into SIMD inside
//! `pulp`'s dispatch, which picks the widest instruction set of the machine at run time. `exp`
//! and `tanh` follow the Cephes range reductions and polynomials (S. L. Moshier); the tests bound
//! their error against f64. Deliberately absent: libm's scalar `exp` and `tanh`, which were most
//! of the time of a small model's forward pass.

use std::sync::LazyLock;

static ARCH: LazyLock<pulp::Arch> = LazyLock::new(pulp::Arch::new);

/// Runs `body` compiled for the widest instruction set of this machine.
///
/// Its closure must be `#[inline(always)]`: otherwise it is a function of its own, compiled for the narrowest.
#[inline]
pub fn simd<R>(body: impl FnOnce() -> R) -> R {
    ARCH.dispatch(body)
}

/// `e^x`, within 2 units in the last place; saturates outside about `[-87.3, 88.3]`.
#[inline(always)]
#[must_use]
pub fn exp(x: f32) -> f32 {
    const ROUND: f32 = 12_582_912.0; // 1.5 * 2^23: adding it rounds to an integer.
    let x = x.clamp(-87.3, 88.3);
    let shifted = x * std::f32::consts::LOG2_E + ROUND;
    let n = shifted - ROUND;
    let r = (x - n * 0.693_359_4) - n * -2.121_944_4e-4;
    let mut p = 1.987_569_1e-4;
    p = p * r + 1.398_199_9e-3;
    p = p * r + 8.333_452e-3;
    p = p * r + 4.166_579_6e-2;
    p = p * r + 1.666_666_5e-1;
    p = p * r + 0.5;
    let value = p * (r * r) + r + 1.0;
    // The integer `n` in [-126, 127] stands in the low bits of `shifted`, whose upper ones the shift drops. A conversion to an
    // integer type would be one lane at a time, because it has to saturate.
    value * f32::from_bits(shifted.to_bits().wrapping_add(127) << 23)
}

/// Arguments of smaller size are those of [`tanh_small`].
pub const TANH_SMALL: f32 = 0.625;

/// [`tanh`] where `|x| <` [`TANH_SMALL`], with the same bits: a third of the work, for callers that know their arguments.
#[inline(always)]
#[must_use]
pub fn tanh_small(x: f32) -> f32 {
    let z = x * x;
    let mut p = -5.704_988_7e-3;
    p = p * z + 2.063_909e-2;
    p = p * z - 5.373_971_5e-2;
    p = p * z + 1.333_144_2e-1;
    p = p * z - 3.333_328e-1;
    p * z * x + x
}

/// `tanh(x)`, within 4e-7 relative.
#[inline(always)]
#[must_use]
pub fn tanh(x: f32) -> f32 {
    let small = tanh_small(x);
    let size = x.abs().min(10.0);
    let large = (1.0 - 2.0 / (exp(2.0 * size) + 1.0)).copysign(x);
    if size < TANH_SMALL { small } else { large }
}

/// Sum of `f(x)` in sixteen fixed lanes: the same order of additions whatever the machine.
#[inline(always)]
fn lanes(x: &[f32], f: impl Fn(f32) -> f32) -> f32 {
    let mut sums = [0f32; 16];
    let (body, tail) = x.as_chunks::<16>();
    for chunk in body {
        for (sum, &value) in sums.iter_mut().zip(chunk) {
            *sum += f(value);
        }
    }
    for (sum, &value) in sums.iter_mut().zip(tail) {
        *sum += f(value);
    }
    sums.iter().sum()
}

/// Inner product in sixteen fixed lanes.
#[inline(always)]
#[must_use]
pub fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut sums = [0f32; 16];
    let (a_body, a_tail) = a.as_chunks::<16>();
    let (b_body, b_tail) = b.as_chunks::<16>();
    for (x, y) in a_body.iter().zip(b_body) {
        for lane in 0..16 {
            sums[lane] += x[lane] * y[lane];
        }
    }
    for ((sum, x), y) in sums.iter_mut().zip(a_tail).zip(b_tail) {
        *sum += x * y;
    }
    sums.iter().sum()
}

/// Sum in sixteen fixed lanes.
#[inline(always)]
#[must_use]
pub fn sum(x: &[f32]) -> f32 {
    lanes(x, |value| value)
}

/// Sum of squares.
#[inline(always)]
#[must_use]
pub fn square_sum(x: &[f32]) -> f32 {
    lanes(x, |value| value * value)
}

/// `cap * tanh(x / cap)` in place.
pub fn softcap(x: &mut [f32], cap: f32) {
    let inverse = 1.0 / cap;
    simd(
        #[inline(always)]
        || {
            for value in x {
                *value = cap * tanh(*value * inverse);
            }
        },
    );
}

/// Largest absolute value.
#[inline(always)]
#[must_use]
pub fn largest(x: &[f32]) -> f32 {
    let mut tops = [0f32; 16];
    let (body, tail) = x.as_chunks::<16>();
    for chunk in body {
        for (top, value) in tops.iter_mut().zip(chunk) {
            *top = if value.abs() > *top { value.abs() } else { *top };
        }
    }
    let rest = tail.iter().fold(0f32, |top, value| top.max(value.abs()));
    tops.iter().fold(rest, |top, &value| top.max(value))
}

/// Softmax of a row in place; every entry must be finite.
#[inline(always)]
pub fn softmax_row(row: &mut [f32]) {
    let top = row
        .iter()
        .fold(f32::NEG_INFINITY, |top, &value| if value > top { value } else { top });
    for value in row.iter_mut() {
        *value = exp(*value - top);
    }
    let scale = 1.0 / sum(row);
    for value in row {
        *value *= scale;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exp_is_within_two_units_in_the_last_place() {
        let mut worst = 0f64;
        for i in -87_000..88_000 {
            let x = i as f32 * 1e-3;
            let truth = f64::from(x).exp();
            worst = worst.max((f64::from(exp(x)) - truth).abs() / truth);
        }
        assert!(worst < 2.4e-7, "{worst:e}");
    }

    #[test]
    fn tanh_is_accurate_near_zero_and_saturates() {
        let mut worst = 0f64;
        for i in 1..200_000 {
            let x = i as f32 * 1e-4;
            let truth = f64::from(x).tanh();
            worst = worst.max((f64::from(tanh(x)) - truth).abs() / truth);
            assert_eq!(tanh(-x).to_bits(), (-tanh(x)).to_bits());
            if x < TANH_SMALL {
                assert_eq!(tanh(x).to_bits(), tanh_small(x).to_bits());
            }
        }
        assert!(worst < 4e-7, "{worst:e}");
        assert_eq!(tanh(1e30).to_bits(), 1f32.to_bits());
        assert_eq!(tanh(0.0).to_bits(), 0f32.to_bits());
    }

    #[test]
    fn softmax_sums_to_one_and_ignores_a_common_shift() {
        let mut a = vec![1.0, -2.0, 3.5, 0.25, 80.0];
        let mut b: Vec<f32> = a.iter().map(|x| x - 80.0).collect();
        softmax_row(&mut a);
        softmax_row(&mut b);
        assert!((a.iter().sum::<f32>() - 1.0).abs() < 1e-6);
        for (x, y) in a.iter().zip(&b) {
            assert!((x - y).abs() < 1e-6);
        }
    }
}
