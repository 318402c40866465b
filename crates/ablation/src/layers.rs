//! Where the letter is: the site share of every layer.
//!
//! `SS = sum D(full patch) / sum TE` over word pairs: the effect of giving the word's vector at
//! one layer the donor word's value, over the effect of really changing the word. It is 1 where
//! everything still passes through the word's position and 0 once the letter has left it.

use crate::effects::{LetterLogits, pair_difference};
use crate::error::Result;
use crate::stage::{Capture, Stage};

/// A word and the word that replaces it.
#[derive(Clone, Copy, Debug)]
pub struct WordPair {
    /// Row of the word.
    pub row: usize,
    /// Row of the same prompt with the donor word.
    pub donor: usize,
    /// Alphabet index of the word's letter.
    pub from: usize,
    /// Alphabet index of the donor's letter.
    pub to: usize,
}

/// Effects of one pair at one layer, in logits of `L_to - L_from`.
#[derive(Clone, Copy, Debug)]
pub struct PairEffect {
    /// Alphabet index of the word's letter.
    pub letter: usize,
    /// Effect of patching the site.
    pub patched: f64,
    /// Effect of changing the word.
    pub total: f64,
}

/// Patches every pair's site vector at the capture's layer. `clean`: logits of all rows.
///
/// # Errors
/// The model refuses a run.
pub fn patch_pairs(
    stage: &Stage<'_>,
    capture: &Capture,
    clean: &[LetterLogits],
    pairs: &[WordPair],
) -> Result<Vec<PairEffect>> {
    patch_pairs_at(stage, capture, 0, clean, pairs)
}

/// As [`patch_pairs`], at any position from the query word (0) on: one cell of a map of layers and positions (Chanin et al.
/// 2025, appendix A.12).
///
/// # Errors
/// The model refuses a run, or there is no such position.
pub fn patch_pairs_at(
    stage: &Stage<'_>,
    capture: &Capture,
    position: usize,
    clean: &[LetterLogits],
    pairs: &[WordPair],
) -> Result<Vec<PairEffect>> {
    let rows: Vec<usize> = pairs.iter().map(|p| p.row).collect();
    let vectors: Vec<f32> = pairs
        .iter()
        .flat_map(|p| capture.at(p.donor, position).iter().copied())
        .collect();
    let patched = stage.edited_logits_at(capture, position, &rows, &vectors)?;
    Ok(pairs
        .iter()
        .zip(patched)
        .map(|(pair, logits)| {
            let base = pair_difference(&clean[pair.row], pair.from, pair.to);
            PairEffect {
                letter: pair.from,
                patched: pair_difference(&logits, pair.from, pair.to) - base,
                total: pair_difference(&clean[pair.donor], pair.from, pair.to) - base,
            }
        })
        .collect())
}
