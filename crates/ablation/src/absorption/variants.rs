//! The three variants of the absorption metric that the paper proposes and does not run
//! (Chanin et al. 2025, A.13).
//!
//! With `d` the unit probe direction, `a` the vector, `a_l = f_l W_dec[l]` what latent `l` adds to
//! it and `r_l = (a_l . d) / (a . d)` its share:
//!
//! 1. projection instead of ablation: one latent has `r_l > tau_c`. Works at all layers and needs
//!    no answer of the model;
//! 2. several absorbers: the `N` largest `r_l` sum to more than `tau_c`;
//! 3. weak main latents: the shares of the main latents sum to at most `tau_m` instead of being 0.
//!
//! They combine, so there is one function: 1 is `N = 1`, `tau_m = 0`. Main latents never count as
//! absorbers. Words must be read with [`Accounting::Exact`](super::Accounting::Exact), which holds
//! for decoder rows of any length.
//!
//! # Choices where the paper is silent
//! - It gives no values; the default `tau_c` of 0.4 is that of `SAEBench`.
//! - Where `a . d` is zero or negative, shares mean nothing and the word has no score.
//! - The main latents' condition is on their shares alone: one that fires across the probe, or
//!   against it, has no positive share and does not prevent absorption.
//!
//! Deliberately absent: the condition on the cosine. A share above `tau_c > 0` implies that it is
//! positive.

use serde::{Deserialize, Serialize};

use super::Word;
use super::full::MIN_SHARE;

/// Constants of a variant; shares of the projection.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct VariantThresholds {
    /// `tau_c`: absorbing latents carry more than this.
    pub share: f64,
    /// `N`: most latents that absorb together.
    pub absorbers: usize,
    /// `tau_m`: main latents carry at most this.
    pub main_share: f64,
}

impl Default for VariantThresholds {
    /// Variant 1 with the share of `SAEBench`.
    fn default() -> Self {
        Self::projection(MIN_SHARE)
    }
}

impl VariantThresholds {
    /// Variant 1: one latent, no main latent.
    #[must_use]
    pub fn projection(share: f64) -> Self {
        Self {
            share,
            absorbers: 1,
            main_share: 0.0,
        }
    }

    /// Variant 2: up to `absorbers` latents, no main latent.
    #[must_use]
    pub fn several(share: f64, absorbers: usize) -> Self {
        Self {
            absorbers,
            ..Self::projection(share)
        }
    }

    /// Variant 3: one latent, main latents may carry up to `main_share`.
    #[must_use]
    pub fn weak_main(share: f64, main_share: f64) -> Self {
        Self {
            main_share,
            ..Self::projection(share)
        }
    }
}

/// One word under a variant.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct VariantScore {
    /// Share of the main latents, signed.
    pub main_share: f64,
    /// Share of the absorbers.
    pub absorbed_share: f64,
    /// The latents with the largest positive shares, largest first, at most `N`, main ones excluded;
    /// equal shares by ascending latent.
    pub absorbers: Vec<u32>,
    /// Whether the letter is absorbed.
    pub is_absorption: bool,
}

/// Scores one word; `None` where its projection is not positive. `main`: the letter's main latents.
#[must_use]
pub fn score_variant(word: &Word, main: &[u32], thresholds: &VariantThresholds) -> Option<VariantScore> {
    let projection = word.projection();
    if projection <= 0.0 {
        return None;
    }
    let carriers = word.carriers(main, f64::NEG_INFINITY, thresholds.absorbers);
    let main_share = word.carried_by(main) / projection;
    let absorbed_share = carriers.iter().map(|entry| entry.carried).sum::<f64>() / projection;
    Some(VariantScore {
        main_share,
        absorbed_share,
        absorbers: carriers.iter().map(|entry| entry.latent).collect(),
        is_absorption: main_share <= thresholds.main_share && absorbed_share > thresholds.share,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::absorption::Entry;

    /// A word of projection 2 whose latents carry `carried`; activations and cosines do not enter.
    fn word(carried: &[f64]) -> Word {
        let entry = |(latent, &carried): (usize, &f64)| Entry {
            latent: latent as u32,
            activation: 1.0,
            cosine: 0.0,
            carried,
        };
        Word::new(2.0, carried.iter().enumerate().map(entry).collect()).expect("valid")
    }

    fn absorbed(carried: &[f64], thresholds: VariantThresholds) -> bool {
        let score = score_variant(&word(carried), &[0], &thresholds);
        score.expect("positive projection").is_absorption
    }

    #[test]
    fn one_two_and_three() {
        let (one, two) = (VariantThresholds::projection(0.4), VariantThresholds::several(0.4, 2));
        let weak = VariantThresholds::weak_main(0.4, 0.25);
        assert!(absorbed(&[0.0, 1.0, 0.5], one));
        assert!(!absorbed(&[0.0, 0.8, 0.5], one), "strict: .4 is not above .4");
        assert!(absorbed(&[0.0, 0.8, 0.5], two));
        assert!(!absorbed(&[0.0, 0.5, 0.2, 0.5], one));
        assert!(absorbed(&[0.0, 0.5, 0.2, 0.5], two));
        assert!(!absorbed(&[0.0, 0.4, 0.4, 0.4], two), "three would do, two do not");
        assert!(!absorbed(&[0.5, 1.0], one), "the main latent carries a quarter");
        assert!(absorbed(&[0.5, 1.0], weak));
        assert!(!absorbed(&[0.6, 1.0], weak));
        assert!(
            absorbed(&[-0.5, 1.0], one),
            "a main latent against the probe carries nothing"
        );
        assert!(!absorbed(&[2.0, 0.0], weak), "the main latent is no absorber");
    }

    #[test]
    fn shares_and_absorbers() {
        let thresholds = VariantThresholds::several(0.4, 2);
        let score = score_variant(&word(&[0.25, -1.0, 0.5, 0.75, 0.5]), &[0], &thresholds).expect("positive");
        assert_eq!(score.absorbers, [3, 2], "the largest, then the lower of two equal ones");
        assert!((score.main_share - 0.125).abs() < 1e-15 && (score.absorbed_share - 0.625).abs() < 1e-15);
        let score = score_variant(&word(&[0.0, -1.0]), &[0], &thresholds).expect("positive");
        assert!(score.absorbers.is_empty() && !score.is_absorption);
        for projection in [0.0, -2.0] {
            let word = Word::new(projection, vec![]).expect("valid");
            assert_eq!(score_variant(&word, &[0], &thresholds), None);
        }
    }
}
