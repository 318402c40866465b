//! Words on which an edit that is aimed at one letter should do nothing.

use std::collections::BTreeMap;

use rand::seq::SliceRandom;
use serde::{Deserialize, Serialize};

use crate::seed::rng;
use crate::{Letter, TaskError, Vocabulary};

/// What to sample.
#[derive(Clone, Copy, Debug)]
pub struct OffTargetRequest<'a> {
    /// The words that indices refer to.
    pub vocabulary: &'a Vocabulary,
    /// Words to sample from.
    pub pool: &'a [usize],
    /// The letters that edits are aimed at.
    pub letters: &'a [Letter],
    /// Words of each other letter, or all there are if there are fewer.
    pub per_letter: usize,
    /// The seed of the run.
    pub seed: u64,
}

/// The off-target words of one letter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OffTarget {
    /// The letter that the edit is aimed at.
    pub letter: Letter,
    /// Words of the other letters, letter by letter.
    pub words: Vec<usize>,
}

/// Samples for every letter some words of each other letter. The samples of two letters are independent.
///
/// # Errors
/// [`TaskError::NothingSelected`] if a letter has no words of other letters beside it, [`TaskError::Zero`] if none are asked for,
/// [`TaskError::BadIndex`] if an index is outside the vocabulary.
pub fn off_target(request: &OffTargetRequest<'_>) -> Result<Vec<OffTarget>, TaskError> {
    let OffTargetRequest {
        vocabulary,
        pool,
        letters,
        per_letter,
        seed,
    } = *request;
    if per_letter == 0 {
        return Err(TaskError::Zero {
            what: "off-target words per letter",
        });
    }
    let mut available: BTreeMap<Letter, Vec<usize>> = vocabulary.by_letter(pool)?;
    for words in available.values_mut() {
        words.sort_unstable();
        words.dedup();
    }
    let sample = |letter: Letter| {
        let mut sampled = Vec::new();
        for (other, words) in available.iter().filter(|(other, _)| **other != letter) {
            let mut words = words.clone();
            words.shuffle(&mut rng(seed, &format!("off-target/letter={letter}/other={other}")));
            words.truncate(per_letter);
            words.sort_unstable();
            sampled.extend(words);
        }
        if sampled.is_empty() {
            let reason = format!("there are no words of other letters than `{letter}`");
            return Err(TaskError::NothingSelected { reason });
        }
        Ok(OffTarget { letter, words: sampled })
    };
    letters.iter().copied().map(sample).collect()
}
