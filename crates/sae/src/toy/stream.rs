//! Named random streams, as in [`mod@crate::train`], and the f64 draws that the toys need.

use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// The stream of `seed` for `purpose`.
pub(super) fn rng(seed: u64, purpose: &str) -> ChaCha8Rng {
    let mut bytes = seed.to_le_bytes().to_vec();
    bytes.extend_from_slice(purpose.as_bytes());
    ChaCha8Rng::from_seed(*blake3::hash(&bytes).as_bytes())
}

/// Standard normal numbers, by the method of Box and Muller.
pub(super) fn fill_normal(rng: &mut impl Rng, out: &mut [f64]) {
    for pair in out.chunks_mut(2) {
        // In (0, 1], so that the logarithm is finite.
        let radius = (-2.0 * (1.0 - rng.random::<f64>()).ln()).sqrt();
        let (sin, cos) = (std::f64::consts::TAU * rng.random::<f64>()).sin_cos();
        pair.iter_mut()
            .zip([cos, sin])
            .for_each(|(value, direction)| *value = radius * direction);
    }
}

/// Random orthonormal rows `[count, d]`, `count <= d`, by Gram and Schmidt.
pub(super) fn orthonormal(rng: &mut impl Rng, count: usize, d: usize) -> Vec<f64> {
    let mut rows = vec![0.0; count * d];
    fill_normal(rng, &mut rows);
    for at in 0..count {
        let (done, rest) = rows.split_at_mut(at * d);
        let row = &mut rest[..d];
        // The second round removes what rounding left of the first.
        for other in done.chunks_exact(d).chain(done.chunks_exact(d)) {
            let along: f64 = row.iter().zip(other).map(|(a, b)| a * b).sum();
            row.iter_mut()
                .zip(other)
                .for_each(|(value, other)| *value -= along * other);
        }
        let norm = row.iter().map(|value| value * value).sum::<f64>().sqrt();
        for value in row {
            *value /= norm;
        }
    }
    rows
}
