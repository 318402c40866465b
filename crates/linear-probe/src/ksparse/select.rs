//! Which latents, and how many of them.
//!
//! Deliberately absent: ranking by absolute weight. The paper says "by magnitude" in section 4 and
//! "highest positive weight" in A.7; the released code takes the largest signed weights, so a
//! latent that speaks against the letter is never chosen.

use serde::{Deserialize, Serialize};

use crate::sgd::SgdProbe;

/// Gain in F1 that another latent must exceed to be called a split (the paper's `tau_fs`).
pub const JUMP: f64 = 0.03;

/// Largest `k` at which the paper's code looks.
pub const LOOK_AHEAD_PAPER: usize = 15;

/// Largest `k` at which `SAEBench` looks.
pub const LOOK_AHEAD_SAEBENCH: usize = 10;

/// Latents of one class by descending weight.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ranking {
    /// `[most]`.
    pub latents: Vec<usize>,
    /// Their weights and that of the next one, `[most + 1]`; `[most]` if there is no next one.
    pub weights: Vec<f32>,
}

impl Ranking {
    /// Weight of latent `k` minus weight of latent `k + 1`, counted from one: by how much the
    /// choice of the first `k` was decided. `None` without a latent `k + 1` in the ranking.
    #[must_use]
    pub fn margin(&self, k: usize) -> Option<f32> {
        Some(self.weights.get(k.checked_sub(1)?)? - self.weights.get(k)?)
    }
}

/// The `most` latents of largest signed weight for each class; equal weights by ascending latent.
/// Fewer if the probe has fewer columns.
///
/// # Shapes
/// - returns: `[n_classes]`
#[must_use]
pub fn rank(probe: &SgdProbe, most: usize) -> Vec<Ranking> {
    let most = most.min(probe.d);
    (0..probe.bias.len())
        .map(|class| {
            let weights = probe.direction(class);
            let mut order: Vec<usize> = (0..probe.d).collect();
            order.sort_by(|&a, &b| weights[b].total_cmp(&weights[a]));
            let weights = order.iter().take(most + 1).map(|&latent| weights[latent]).collect();
            order.truncate(most);
            Ranking {
                latents: order,
                weights,
            }
        })
        .collect()
}

/// Number of main latents of a letter (Chanin et al. 2025, section 5.3): the last `k` up to which
/// every step gained more than `jump` over the one before. Stops at the first step that does not,
/// even if a later one would. At least 1 unless `f1` is empty.
///
/// # Shapes
/// - `f1`: `[..]`, F1 of `k = 1, 2, ...`; entries after `look_ahead` are ignored
#[must_use]
pub fn split_size(f1: &[f64], jump: f64, look_ahead: usize) -> usize {
    // The released code starts from -100, so the first latent always counts.
    let mut best = -100.0;
    f1.iter()
        .take(look_ahead)
        .take_while(|&&f1| {
            let gained = f1 > best + jump;
            best = f1;
            gained
        })
        .count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn splitting() {
        let size = |f1: &[f64]| split_size(f1, JUMP, LOOK_AHEAD_PAPER);
        assert_eq!(size(&[0.50, 0.54, 0.58, 0.60]), 3);
        assert_eq!(size(&[0.50, 0.52, 0.90]), 1, "stops early");
        assert_eq!(size(&[0.0]), 1);
        assert_eq!(size(&[]), 0);
        let rising: Vec<f64> = (0..20).map(|k| 0.04 * f64::from(k)).collect();
        assert_eq!(size(&rising), 15);
        assert_eq!(split_size(&rising, JUMP, LOOK_AHEAD_SAEBENCH), 10);
    }

    #[test]
    fn ranking_is_signed_and_ties_go_by_latent() {
        let probe = SgdProbe {
            d: 4,
            weight: vec![0.5, -2.0, 1.0, 0.5],
            bias: vec![0.0],
        };
        let ranking = rank(&probe, 2).remove(0);
        assert_eq!(
            (&*ranking.latents, &*ranking.weights),
            (&[2, 0][..], &[1.0, 0.5, 0.5][..])
        );
        assert_eq!((ranking.margin(1), ranking.margin(2)), (Some(0.5), Some(0.0)));
        assert_eq!((ranking.margin(0), ranking.margin(3)), (None, None));
        assert_eq!(rank(&probe, 9)[0].latents, [2, 0, 3, 1]);
    }
}
