//! Named random streams: the seed of each is a hash of the run's seed and of what it is for.

use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// The stream of `seed` for `purpose`.
pub(crate) fn rng(seed: u64, purpose: &str) -> ChaCha8Rng {
    let mut bytes = seed.to_le_bytes().to_vec();
    bytes.extend_from_slice(purpose.as_bytes());
    ChaCha8Rng::from_seed(*blake3::hash(&bytes).as_bytes())
}

/// Standard normal numbers, by the method of Box and Muller.
pub(crate) fn fill_normal(rng: &mut impl Rng, out: &mut [f32]) {
    for value in out {
        // In (0, 1], so that the logarithm is finite.
        let radius = (-2.0 * (1.0 - rng.random::<f64>()).ln()).sqrt();
        *value = (radius * (std::f64::consts::TAU * rng.random::<f64>()).cos()) as f32;
    }
}
