//! Absorption by effect, as published (Chanin et al. 2025, section 5; `sae-spelling`).
//!
//! Candidates are test words that the dense probe finds and the k-sparse probe misses. Of those on
//! which every main latent is silent, at most 200 per letter are looked at: each latent's
//! attribution is its effect on the letter's logit, by integrated gradients or by exact ablation,
//! negative where the latent supports the letter. A word is absorbed if one latent along the probe
//! supports the letter by at least 1.0 more than any other.
//!
//! # Deviations from the released code
//! - A main latent with a strongly negative activation fires ([`super::SILENT`]).
//! - Attributions are sparse: a latent that is not listed has attribution and activation 0, and of
//!   latents with equal attributions the lowest comes first; torch's `topk` leaves that order open.
//! - A lone latent (an SAE of width 1) has no second one; its lead is over 0. The released code
//!   cannot index that.
//! - Thresholds are compared in f64.
//!
//! Deliberately absent: attributions, prompts and drawing the sample.

mod frame;
mod rate;

pub use frame::{FrameRow, PromptFacts, rates_of_frame};
pub use rate::{Aggregation, LetterRate, SaeRate, aggregate};

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::error::{AbsorptionError, finite};
use super::{MIN_COSINE, SILENT};

/// Constants of the definition; [`Default`] has the published ones.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct ChaninThresholds {
    /// Smallest lead of the top latent's attribution over the second one's, in logits; the paper
    /// finds 0.5 to 3 equally good (A.11).
    pub delta: f64,
    /// Smallest cosine of the top latent's decoder row with the probe; 0 to 0.05 equally good.
    pub cosine: f64,
    /// Magnitude of activation below which a main latent is silent.
    pub main_silent: f64,
    /// Latents that are listed per word; the decision looks at two.
    pub top: usize,
    /// Most words per letter.
    pub max_prompts: usize,
    /// What puts a latent on top.
    pub order: Order,
}

impl Default for ChaninThresholds {
    fn default() -> Self {
        Self {
            delta: 1.0,
            cosine: MIN_COSINE,
            main_silent: SILENT,
            top: 10,
            max_prompts: 200,
            order: Order::Support,
        }
    }
}

impl ChaninThresholds {
    /// The earlier definition of the same repository (commit `51e9615`), whose rate is
    /// [`LetterRate::earlier_rate`]. It compared strictly; the difference is values that are equal
    /// to a threshold.
    #[must_use]
    pub fn earlier() -> Self {
        Self {
            max_prompts: 50,
            order: Order::Magnitude,
            ..Self::default()
        }
    }

    /// Whether a candidate is looked at: the activations of its main latents sum to less than
    /// [`ChaninThresholds::main_silent`], in magnitudes.
    #[must_use]
    pub fn passes_filter(&self, main_activations: &[f32]) -> bool {
        main_activations.iter().map(|&a| f64::from(a).abs()).sum::<f64>() < self.main_silent
    }

    /// Share of `survivors` of the filter that are looked at: 1, or what leaves
    /// [`ChaninThresholds::max_prompts`] of them.
    #[must_use]
    pub fn sample_portion(&self, survivors: usize) -> f64 {
        if survivors > self.max_prompts {
            self.max_prompts as f64 / survivors as f64
        } else {
            1.0
        }
    }
}

/// Whether a test word of the letter may be absorbed: the dense probe finds it and the k-sparse
/// logistic regression on the letter's main latents misses it. Both in logits.
#[must_use]
pub fn is_candidate(dense: f64, k_sparse: f64) -> bool {
    dense > 0.0 && k_sparse <= 0.0
}

/// What puts a latent on top.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Order {
    /// The most negative attribution (published).
    Support,
    /// The attribution of largest magnitude (the earlier definition).
    Magnitude,
}

/// A latent at one word.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct ScoredLatent {
    /// The latent.
    pub latent: u32,
    /// Its activation.
    pub activation: f64,
    /// Its attribution, in logits; negative where it supports the letter.
    pub score: f64,
    /// Cosine of its decoder row with the letter's probe.
    pub cosine: f64,
}

/// Attributions of one word.
#[derive(Clone, Copy, Debug)]
pub struct Evidence<'a> {
    /// Latents with an attribution, in any order: `[m]`.
    pub latents: &'a [u32],
    /// Their attributions, in logits, negative where they support the letter: `[m]`.
    pub scores: &'a [f64],
    /// Their activations: `[m]`.
    pub activations: &'a [f32],
    /// Cosine of every decoder row with the letter's probe: `[d_sae]`.
    pub cosines: &'a [f64],
    /// The letter's main latents.
    pub main: &'a [u32],
}

/// Why a word is not absorbed: the first condition that fails, in the order of the released code.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rejection {
    /// A main latent fires.
    MainFires {
        /// The main latent.
        latent: u32,
    },
    /// There is no latent at all.
    NoLatents,
    /// The top latent works against the letter.
    Opposes {
        /// Its attribution, in logits.
        score: f64,
    },
    /// The top latent does not lead by enough.
    NoLead {
        /// Its lead, in logits.
        lead: f64,
    },
    /// The top latent does not lie along the probe.
    Misaligned {
        /// Its cosine with the probe.
        cosine: f64,
    },
}

/// Whether one word's letter is absorbed.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Decision {
    /// It is.
    Absorbed {
        /// The absorbing latent.
        latent: u32,
        /// Its lead over the second one, in logits.
        lead: f64,
    },
    /// It is not.
    Not(Rejection),
}

impl Decision {
    /// Whether the letter is absorbed.
    #[must_use]
    pub fn is_absorption(self) -> bool {
        matches!(self, Self::Absorbed { .. })
    }
}

/// Decides one word from its main latents and its top latents, best first (section 5, "absorption
/// metric"; `_is_absorption` of the released code).
#[must_use]
pub fn decide(main: &[ScoredLatent], top: &[ScoredLatent], thresholds: &ChaninThresholds) -> Decision {
    let fires = |latent: &&ScoredLatent| latent.activation.abs() >= thresholds.main_silent;
    if let Some(main) = main.iter().find(fires) {
        return Decision::Not(Rejection::MainFires { latent: main.latent });
    }
    let Some(first) = top.first() else {
        return Decision::Not(Rejection::NoLatents);
    };
    let lead = first.score.abs() - top.get(1).map_or(0.0, |second| second.score.abs());
    if first.score > 0.0 {
        Decision::Not(Rejection::Opposes { score: first.score })
    } else if lead < thresholds.delta {
        Decision::Not(Rejection::NoLead { lead })
    } else if first.cosine < thresholds.cosine {
        Decision::Not(Rejection::Misaligned { cosine: first.cosine })
    } else {
        Decision::Absorbed {
            latent: first.latent,
            lead,
        }
    }
}

/// What the decision looks at: main latents in their order, and the top latents, best first.
#[derive(Clone, Debug, PartialEq)]
pub struct Ranked {
    /// Main latents.
    pub main: Vec<ScoredLatent>,
    /// [`ChaninThresholds::top`] latents, fewer if the SAE has fewer.
    pub top: Vec<ScoredLatent>,
}

impl Ranked {
    /// Ranks the latents of one word. Latents without an attribution take part with 0.
    ///
    /// # Errors
    /// Arrays of different length, a latent that is listed twice or does not exist, or a number
    /// that is not finite.
    pub fn new(evidence: &Evidence<'_>, thresholds: &ChaninThresholds) -> Result<Self, AbsorptionError> {
        let (m, width) = (evidence.latents.len(), evidence.cosines.len());
        for (what, found) in [
            ("attributions", evidence.scores.len()),
            ("activations", evidence.activations.len()),
        ] {
            if found != m {
                return Err(AbsorptionError::Length {
                    what,
                    expected: m,
                    found,
                });
            }
        }
        if let Some(&latent) = evidence
            .latents
            .iter()
            .chain(evidence.main)
            .find(|&&latent| latent as usize >= width)
        {
            return Err(AbsorptionError::Latent { latent, width });
        }
        let mut listed = BTreeSet::new();
        let mut all = Vec::with_capacity(m);
        for ((&latent, &score), &activation) in evidence.latents.iter().zip(evidence.scores).zip(evidence.activations) {
            if !listed.insert(latent) {
                return Err(AbsorptionError::Twice { latent });
            }
            all.push(ScoredLatent {
                latent,
                activation: finite("an activation", f64::from(activation))?,
                score: finite("an attribution", score)?,
                cosine: finite("a cosine", evidence.cosines[latent as usize])?,
            });
        }
        let silent = |latent: u32| ScoredLatent {
            latent,
            activation: 0.0,
            score: 0.0,
            cosine: evidence.cosines[latent as usize],
        };
        let find = |latent: u32| all.iter().copied().find(|known| known.latent == latent);
        let main = evidence
            .main
            .iter()
            .map(|&latent| find(latent).unwrap_or_else(|| silent(latent)))
            .collect();
        // More silent latents than places are never needed.
        all.extend(
            (0..width as u32)
                .filter(|latent| !listed.contains(latent))
                .take(thresholds.top)
                .map(silent),
        );
        let key = |latent: &ScoredLatent| match thresholds.order {
            Order::Support => latent.score,
            Order::Magnitude => -latent.score.abs(),
        };
        // Adding zero makes the two zeros equal.
        all.sort_by(|a, b| {
            let order = (key(a) + 0.0).total_cmp(&(key(b) + 0.0));
            order.then(a.latent.cmp(&b.latent))
        });
        all.truncate(thresholds.top);
        Ok(Self { main, top: all })
    }

    /// Decides the word.
    #[must_use]
    pub fn decide(&self, thresholds: &ChaninThresholds) -> Decision {
        decide(&self.main, &self.top, thresholds)
    }
}
