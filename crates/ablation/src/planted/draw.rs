//! Random vectors of planted worlds; all from named sub-seeds that the caller opens.

use rand::{Rng, RngExt};

use crate::editor::norm;

/// A standard normal draw (Box-Muller).
pub(super) fn normal(rng: &mut impl Rng) -> f64 {
    let radius = (-2.0 * (1.0 - rng.random::<f64>()).ln()).sqrt();
    radius * (std::f64::consts::TAU * rng.random::<f64>()).cos()
}

/// A random unit vector, `[d]`.
pub(super) fn unit(d: usize, rng: &mut impl Rng) -> Vec<f64> {
    let mut v: Vec<f64> = (0..d).map(|_| normal(rng)).collect();
    scale_to(&mut v, 1.0);
    v
}

/// `count` random orthonormal vectors of width `d`; `count` must not exceed `d`.
pub(super) fn orthonormal(count: usize, d: usize, rng: &mut impl Rng) -> Vec<Vec<f64>> {
    let mut out: Vec<Vec<f64>> = Vec::with_capacity(count);
    for _ in 0..count {
        let mut v = unit(d, rng);
        // Twice: one pass of Gram-Schmidt leaves an error that grows with the count.
        remove_span(&mut v, &out);
        remove_span(&mut v, &out);
        scale_to(&mut v, 1.0);
        out.push(v);
    }
    out
}

/// Takes the span of orthonormal vectors out of `v`.
pub(super) fn remove_span(v: &mut [f64], basis: &[Vec<f64>]) {
    for b in basis {
        add(v, b, -dot(v, b));
    }
}

/// Gives `v` this length; a vector of zeros stays one.
pub(super) fn scale_to(v: &mut [f64], length: f64) {
    let now = norm(v);
    if now > 0.0 {
        for v in v {
            *v *= length / now;
        }
    }
}

/// Inner product.
pub(super) fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// `v += factor * u`.
pub(super) fn add(v: &mut [f64], u: &[f64], factor: f64) {
    for (v, u) in v.iter_mut().zip(u) {
        *v += factor * u;
    }
}

/// A permutation of `0..n` (Fisher-Yates).
pub(super) fn permutation(n: usize, rng: &mut impl Rng) -> Vec<usize> {
    let mut out: Vec<usize> = (0..n).collect();
    for last in (1..n).rev() {
        out.swap(last, rng.random_range(0..=last));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bases_are_orthonormal_and_permutations_are_permutations() {
        let mut rng = stats::seed::rng(3, "test");
        let basis = orthonormal(8, 8, &mut rng);
        for (i, a) in basis.iter().enumerate() {
            for (j, b) in basis.iter().enumerate() {
                assert!((dot(a, b) - f64::from(u8::from(i == j))).abs() < 1e-12);
            }
        }
        let mut order = permutation(50, &mut rng);
        assert_ne!(order, (0..50).collect::<Vec<_>>());
        order.sort_unstable();
        assert_eq!(order, (0..50).collect::<Vec<_>>());
    }
}
