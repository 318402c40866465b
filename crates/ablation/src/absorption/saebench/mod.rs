//! Absorption of one word as `SAEBench` scores it (`absorption_first_letter`).
//!
//! With `P` the vector's projection on the unit probe direction, `p_j` what latent `j` carries of
//! it, `M` the sum over main latents and `S` the sum over all latents:
//!
//! - full absorption, all versions: every main latent is silent, and the latent of largest `p_j`
//!   has a cosine of at least 0.025 and carries at least 0.4 `P`, which is not negative;
//! - fraction, 0.6.0 (since 2025-03-08): with `A` the sum of the 3 largest `p_j > 0` among other
//!   latents of cosine at least 0.1, 0 if `M >= P` or `A < 0.4 P`, else 1 if `M <= 0`, else
//!   `B / (B + M)` with `B = min(A, P - M)`;
//! - fraction, 0.3.2 (before that, and in the published result sets of January 2025): 0 if
//!   `M >= P` or `S <= 0`, else `(S - M) / S` clipped to 0 and 1. No gate on cosine or size, so
//!   that many small latents count. The two differ about ten-fold on the same SAE: always say which.
//!
//! # Deviations from the released code
//! - `P = 0`: the released code divides by zero; here the word has fraction 0 and is not fully
//!   absorbed, since there is nothing to carry. Version 0.3.2 never divides by `P` and is as it was.
//! - A main latent with a strongly negative activation fires ([`super::SILENT`]).
//! - Computed in f64. Of equal `p_j` the lowest latent comes first; torch's `topk` leaves the order
//!   open. Equal values cannot change a sum of the largest three, but if the largest `p_j` is
//!   shared by latents on both sides of a cosine of 0.025, they decide full absorption.
//!
//! Deliberately absent: the guard on letters ([`LetterScore`]) and choosing words. All
//! words that the probe finds count, whether or not main latents fire on them.

mod aggregate;

pub use aggregate::{Guard, LetterMark, LetterScore, LetterWords, SaeMark, SaeScore, Spread};

use serde::{Deserialize, Serialize};

use super::full::{Absorber, MIN_COSINE, MIN_SHARE};
use super::{Entry, SILENT, Word};

/// Version of the absorption fraction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Definition {
    /// `SAEBench` 0.3.2: January to March 2025.
    #[serde(rename = "0.3.2")]
    V0_3_2,
    /// `SAEBench` 0.6.0: since March 2025.
    #[serde(rename = "0.6")]
    V0_6,
}

/// Constants of the definition; [`Default`] has those of `SAEBench` 0.6.0.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Thresholds {
    /// Magnitude of activation below which a main latent is silent (full absorption).
    pub main_silent: f64,
    /// Smallest cosine of the absorbing latent (full absorption).
    pub full_cosine: f64,
    /// Smallest cosine of an absorbing latent (fraction, 0.6).
    pub fraction_cosine: f64,
    /// Smallest share of the projection that absorbing latents carry (full, and fraction 0.6).
    pub share: f64,
    /// Most latents that absorb together (fraction, 0.6).
    pub max_absorbers: usize,
}

impl Default for Thresholds {
    fn default() -> Self {
        Self {
            main_silent: SILENT,
            full_cosine: MIN_COSINE,
            fraction_cosine: 0.1,
            share: MIN_SHARE,
            max_absorbers: 3,
        }
    }
}

/// Scores of one word; projections in the units of the vector.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct WordScore {
    /// `P`: projection of the vector.
    pub projection: f64,
    /// `M`: what main latents carry.
    pub main: f64,
    /// `A`: what absorbing latents carry under 0.6.
    pub absorbers: f64,
    /// `S`: what all latents carry.
    pub all: f64,
    /// Absorption fraction of 0.6, from 0 to 1.
    pub fraction_0_6: f64,
    /// Absorption fraction of 0.3.2, from 0 to 1.
    pub fraction_0_3_2: f64,
    /// The latent that absorbs the letter alone, if the word is fully absorbed.
    pub absorbed_by: Option<u32>,
}

impl WordScore {
    /// Absorption fraction, from 0 to 1.
    #[must_use]
    pub fn fraction(&self, definition: Definition) -> f64 {
        match definition {
            Definition::V0_3_2 => self.fraction_0_3_2,
            Definition::V0_6 => self.fraction_0_6,
        }
    }

    /// Whether one latent absorbs the letter alone.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.absorbed_by.is_some()
    }
}

/// Scores one word. `main`: the letter's main latents.
#[must_use]
pub fn score_word(word: &Word, main: &[u32], thresholds: &Thresholds) -> WordScore {
    let projection = word.projection();
    let carried = word.carried_by(main);
    let carriers = word.carriers(main, thresholds.fraction_cosine, thresholds.max_absorbers);
    let absorbers = carriers.iter().map(|entry| entry.carried).sum();
    let all = word.entries().iter().map(|entry| entry.carried).sum();
    let absorbed_by = absorber(word.entries().iter().copied(), projection, main, thresholds);
    WordScore {
        projection,
        main: carried,
        absorbers,
        all,
        fraction_0_6: fraction_0_6(projection, carried, absorbers, thresholds.share),
        fraction_0_3_2: fraction_0_3_2(projection, carried, all),
        absorbed_by: absorbed_by.map(|absorber| absorber.latent),
    }
}

fn fraction_0_6(projection: f64, main: f64, absorbers: f64, share: f64) -> f64 {
    // Below zero the share is negative, which never passes.
    if main >= projection || projection <= 0.0 || absorbers / projection < share {
        0.0
    } else if main <= 0.0 {
        1.0
    } else {
        let absorbed = absorbers.min(projection - main);
        (absorbed / (absorbed + main)).clamp(0.0, 1.0)
    }
}

fn fraction_0_3_2(projection: f64, main: f64, all: f64) -> f64 {
    if main >= projection || all <= 0.0 {
        0.0
    } else {
        ((all - main) / all).clamp(0.0, 1.0)
    }
}

/// The latent that fully absorbs. `entries`: the word's non-zero latents.
pub(super) fn absorber(
    entries: impl Iterator<Item = Entry>,
    projection: f64,
    main: &[u32],
    thresholds: &Thresholds,
) -> Option<Absorber> {
    // A silent latent can only be on top if none carries anything, and then nothing is absorbed.
    let mut top: Option<Entry> = None;
    for entry in entries {
        if entry.activation.abs() >= thresholds.main_silent && main.contains(&entry.latent) {
            return None;
        }
        let leads = |top: Entry| {
            let order = entry.carried.total_cmp(&top.carried);
            order.then(top.latent.cmp(&entry.latent)).is_gt()
        };
        if top.is_none_or(leads) {
            top = Some(entry);
        }
    }
    let top = top.filter(|_| projection > 0.0)?;
    let share = top.carried / projection;
    (top.cosine >= thresholds.full_cosine && share >= thresholds.share).then_some(Absorber {
        latent: top.latent,
        activation: top.activation as f32,
        cosine: top.cosine,
        share,
    })
}
