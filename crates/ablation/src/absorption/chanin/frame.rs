//! The absorption frame of `sae-spelling`: one row per word that was looked at, columns by name.

use serde::{Deserialize, Serialize};

use super::{ChaninThresholds, Evidence, LetterRate, Ranked, ScoredLatent};
use crate::absorption::error::AbsorptionError;

/// What a row says besides the latents.
#[derive(Clone, Debug, PartialEq)]
pub struct PromptFacts {
    /// The letter, lower case.
    pub letter: char,
    /// The word's token as text.
    pub token: String,
    /// The prompt.
    pub prompt: String,
    /// Share of the letter's words that were looked at.
    pub sample_portion: f64,
    /// Test words of the letter that the dense probe finds.
    pub num_probe_true_positives: usize,
}

/// A row of the frame, with the column names and their order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FrameRow {
    /// The letter, lower case.
    pub letter: char,
    /// The word's token as text.
    pub token: String,
    /// The prompt.
    pub prompt: String,
    /// Share of the letter's words that were looked at.
    pub sample_portion: f64,
    /// Test words of the letter that the dense probe finds.
    pub num_probe_true_positives: usize,
    /// Main latents of the letter.
    pub split_feats: Vec<u32>,
    /// Their activations.
    pub split_feat_acts: Vec<f64>,
    /// Cosines of their decoder rows with the probe.
    pub split_feat_probe_cos: Vec<f64>,
    /// The top latent.
    pub top_ablation_feat: u32,
    /// Its attribution, in logits.
    pub top_ablation_score: f64,
    /// Cosine of its decoder row with the probe.
    pub top_ablation_feat_probe_cos: f64,
    /// The second latent.
    pub second_ablation_feat: u32,
    /// Its attribution, in logits.
    pub second_ablation_score: f64,
    /// Cosine of its decoder row with the probe.
    pub second_ablation_feat_probe_cos: f64,
    /// Attributions of the top latents, in logits: `[top]`.
    pub ablation_scores: Vec<f64>,
    /// The top latents: `[top]`.
    pub ablation_feats: Vec<u32>,
    /// Their activations: `[top]`.
    pub ablation_feat_acts: Vec<f64>,
    /// Cosines of their decoder rows with the probe: `[top]`.
    pub ablation_feat_probe_cos: Vec<f64>,
    /// Whether the letter is absorbed.
    pub is_absorption: bool,
}

impl FrameRow {
    /// Decides one word and writes its row.
    ///
    /// # Errors
    /// Evidence that contradicts itself ([`Ranked::new`]), or fewer than two latents to list.
    pub fn new(
        facts: PromptFacts,
        evidence: &Evidence<'_>,
        thresholds: &ChaninThresholds,
    ) -> Result<Self, AbsorptionError> {
        let ranked = Ranked::new(evidence, thresholds)?;
        let &[first, second, ..] = &*ranked.top else {
            return Err(AbsorptionError::Length {
                what: "top latents",
                expected: 2,
                found: ranked.top.len(),
            });
        };
        let column =
            |list: &[ScoredLatent], value: fn(&ScoredLatent) -> f64| -> Vec<f64> { list.iter().map(value).collect() };
        Ok(Self {
            letter: facts.letter,
            token: facts.token,
            prompt: facts.prompt,
            sample_portion: facts.sample_portion,
            num_probe_true_positives: facts.num_probe_true_positives,
            split_feats: evidence.main.to_vec(),
            split_feat_acts: column(&ranked.main, |l| l.activation),
            split_feat_probe_cos: column(&ranked.main, |l| l.cosine),
            top_ablation_feat: first.latent,
            top_ablation_score: first.score,
            top_ablation_feat_probe_cos: first.cosine,
            second_ablation_feat: second.latent,
            second_ablation_score: second.score,
            second_ablation_feat_probe_cos: second.cosine,
            ablation_scores: column(&ranked.top, |l| l.score),
            ablation_feats: ranked.top.iter().map(|l| l.latent).collect(),
            ablation_feat_acts: column(&ranked.top, |l| l.activation),
            ablation_feat_probe_cos: column(&ranked.top, |l| l.cosine),
            is_absorption: ranked.decide(thresholds).is_absorption(),
        })
    }
}

/// Counts per letter, in the order in which letters first appear. A letter without rows is not
/// there: [`super::aggregate`] has to be told of it.
///
/// # Errors
/// Rows of one letter that disagree on its sample portion or its true positives, or counts that
/// cannot be ([`LetterRate::new`]).
pub fn rates_of_frame(rows: &[FrameRow]) -> Result<Vec<LetterRate>, AbsorptionError> {
    let mut letters: Vec<char> = Vec::new();
    for row in rows {
        if !letters.contains(&row.letter) {
            letters.push(row.letter);
        }
    }
    letters
        .into_iter()
        .map(|letter| {
            let own: Vec<&FrameRow> = rows.iter().filter(|row| row.letter == letter).collect();
            let (portion, positives) = (own[0].sample_portion, own[0].num_probe_true_positives);
            // Written once per letter and copied: equal to the bit or wrong.
            let other = |row: &&FrameRow| row.sample_portion.to_bits() != portion.to_bits();
            if own.iter().any(other) {
                let what = "the sample portion";
                return Err(AbsorptionError::Rows { letter, what });
            }
            if own.iter().any(|row| row.num_probe_true_positives != positives) {
                let what = "the probe true positives";
                return Err(AbsorptionError::Rows { letter, what });
            }
            let absorbed = own.iter().filter(|row| row.is_absorption).count();
            LetterRate::new(letter, own.len(), absorbed, portion, positives)
        })
        .collect()
}
