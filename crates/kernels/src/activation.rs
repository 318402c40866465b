//! The nonlinearities of MLPs, applied to slices.

use crate::math::{exp, simd, tanh};

/// A nonlinearity of an MLP, under the names of `transformers`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activation {
    /// `gelu_pytorch_tanh`, `gelu_new`, `gelu_fast`: the tanh approximation of GELU.
    GeluTanh,
    /// `gelu`: `x * Phi(x)` with the error function.
    Gelu,
    /// `silu`, `swish`: `x * sigmoid(x)`.
    Silu,
    /// `relu`.
    Relu,
}

/// Error function, within 4e-7 absolute: the rational approximation on `[-4, 4]` that Eigen uses.
#[inline(always)]
#[must_use]
pub fn erf(x: f32) -> f32 {
    let x = x.clamp(-4.0, 4.0);
    let z = x * x;
    let mut p = -2.726_142_3e-10;
    p = p * z + 2.770_681_4e-8;
    p = p * z - 2.101_024e-6;
    p = p * z - 5.692_506_5e-5;
    p = p * z - 7.349_906_4e-4;
    p = p * z - 2.954_6e-3;
    p = p * z - 1.609_603_3e-2;
    let mut q = -1.456_607_2e-5;
    q = q * z - 2.133_740_5e-4;
    q = q * z - 1.682_827e-3;
    q = q * z - 7.373_329_3e-3;
    q = q * z - 1.426_473_9e-2;
    x * p / q
}

#[inline(always)]
fn gelu_tanh(x: f32) -> f32 {
    const ROOT: f32 = 0.797_884_6; // sqrt(2 / pi)
    0.5 * x * (1.0 + tanh(ROOT * (x + 0.044_715 * x * x * x)))
}

#[inline(always)]
fn gelu(x: f32) -> f32 {
    0.5 * x * (1.0 + erf(x * std::f32::consts::FRAC_1_SQRT_2))
}

#[inline(always)]
fn silu(x: f32) -> f32 {
    x / (1.0 + exp(-x))
}

#[inline(always)]
fn relu(x: f32) -> f32 {
    x.max(0.0)
}

impl Activation {
    /// `f(gate) * up` for rows of `[gate | up]`: `[rows, 2 * width]` into `[rows, width]`.
    pub fn gated(self, gate_up: &[f32], width: usize, out: &mut [f32]) {
        // One loop per function: a call through a pointer would not vectorise.
        match self {
            Self::GeluTanh => gated(gelu_tanh, gate_up, width, out),
            Self::Gelu => gated(gelu, gate_up, width, out),
            Self::Silu => gated(silu, gate_up, width, out),
            Self::Relu => gated(relu, gate_up, width, out),
        }
    }

    /// `f(x)` in place.
    pub fn apply(self, x: &mut [f32]) {
        match self {
            Self::GeluTanh => apply(gelu_tanh, x),
            Self::Gelu => apply(gelu, x),
            Self::Silu => apply(silu, x),
            Self::Relu => apply(relu, x),
        }
    }
}

fn gated(f: impl Fn(f32) -> f32, gate_up: &[f32], width: usize, out: &mut [f32]) {
    simd(
        #[inline(always)]
        || {
            for (row, out) in gate_up.chunks_exact(2 * width).zip(out.chunks_exact_mut(width)) {
                let (gates, ups) = row.split_at(width);
                for ((out, &gate), &up) in out.iter_mut().zip(gates).zip(ups) {
                    *out = f(gate) * up;
                }
            }
        },
    );
}

fn apply(f: impl Fn(f32) -> f32, x: &mut [f32]) {
    simd(
        #[inline(always)]
        || {
            for value in x {
                *value = f(*value);
            }
        },
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The series `2/sqrt(pi) * sum (-1)^n x^(2n+1) / (n! (2n+1))`, in f64.
    fn erf_series(x: f64) -> f64 {
        let (mut term, mut sum) = (x, x);
        for n in 1..200 {
            term *= -x * x / f64::from(n);
            sum += term / f64::from(2 * n + 1);
        }
        sum * std::f64::consts::FRAC_2_SQRT_PI
    }

    #[test]
    fn erf_is_accurate_and_odd() {
        let mut worst = 0f64;
        for i in -4_500..4_500 {
            let x = i as f32 * 1e-3;
            worst = worst.max((f64::from(erf(x)) - erf_series(f64::from(x))).abs());
            assert_eq!(erf(-x).abs().to_bits(), erf(x).abs().to_bits());
        }
        assert!(worst < 4e-7, "{worst:e}");
    }

    #[test]
    fn known_values() {
        // From the definitions, in f64.
        let cases: [(Activation, f64); 4] = [
            (Activation::GeluTanh, 1.399_571_6),
            (Activation::Gelu, 1.399_789_2),
            (Activation::Silu, 1.226_361_7),
            (Activation::Relu, 1.5),
        ];
        for (activation, want) in cases {
            let mut x = [1.5];
            activation.apply(&mut x);
            assert!((f64::from(x[0]) - want).abs() < 1e-6, "{activation:?} {}", x[0]);
            let mut out = [0.0];
            activation.gated(&[1.5, 2.0], 1, &mut out);
            assert!((out[0] - 2.0 * x[0]).abs() < 1e-7);
        }
        let mut far = [-100.0, 100.0];
        Activation::Silu.apply(&mut far);
        assert!(far[0].abs() < 1e-30 && (far[1] - 100.0).abs() < 1e-4);
    }
}
