//! Named random generators.

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

/// The generator of `purpose` in the run with this seed: `ChaCha8` seeded with `blake3(seed as 8 little-endian bytes ++ purpose)`.
pub(crate) fn rng(seed: u64, purpose: &str) -> ChaCha8Rng {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&seed.to_le_bytes());
    hasher.update(purpose.as_bytes());
    ChaCha8Rng::from_seed(*hasher.finalize().as_bytes())
}
