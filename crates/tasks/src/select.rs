//! Some words of each letter.
//!
//! The draw for a letter depends on the seed, the part and the letter only, and a larger cap extends a smaller one, so that a quick run
//! scores a subset of the words of a full run.

use std::collections::BTreeMap;

use rand::seq::SliceRandom;
use serde::{Deserialize, Serialize};

use crate::seed::rng;
use crate::{Letter, TaskError, Vocabulary};

/// What to select.
#[derive(Clone, Copy, Debug)]
pub struct SelectionRequest<'a> {
    /// The words that indices refer to.
    pub vocabulary: &'a Vocabulary,
    /// The part of a split to select from.
    pub part: &'a [usize],
    /// Most words per letter.
    pub per_letter: usize,
    /// Fewest words for a letter to be kept.
    pub minimum: usize,
    /// Letters to select, all if `None`.
    pub letters: Option<&'a [Letter]>,
    /// The seed of the run.
    pub seed: u64,
    /// What the words are for, such as `test`; part of the name of every draw.
    pub purpose: &'a str,
}

/// Selected words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Selection {
    /// Words by letter, each list sorted.
    pub letters: BTreeMap<Letter, Vec<usize>>,
    /// Letters left out for having too few words; a warning.
    pub dropped: Vec<DroppedLetter>,
}

/// A letter with too few words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DroppedLetter {
    /// The letter.
    pub letter: Letter,
    /// Words that it has.
    pub found: usize,
    /// Words that it needs.
    pub minimum: usize,
}

impl Selection {
    /// All selected words, letter by letter.
    #[must_use]
    pub fn words(&self) -> Vec<usize> {
        self.letters.values().flatten().copied().collect()
    }
}

/// Selects up to `per_letter` words of each letter.
///
/// # Errors
/// [`TaskError::LetterWithoutWords`] if a letter in `letters` has no words at all, [`TaskError::NothingSelected`] if no letter is left,
/// [`TaskError::Zero`] if the cap is 0, [`TaskError::BadIndex`] if an index is outside the vocabulary.
pub fn select_words(request: &SelectionRequest<'_>) -> Result<Selection, TaskError> {
    let SelectionRequest {
        vocabulary,
        part,
        per_letter,
        minimum,
        letters,
        seed,
        purpose,
    } = *request;
    if per_letter == 0 {
        return Err(TaskError::Zero {
            what: "words per letter",
        });
    }
    let mut available = vocabulary.by_letter(part)?;
    if let Some(&letter) = letters
        .into_iter()
        .flatten()
        .find(|letter| !available.contains_key(letter))
    {
        return Err(TaskError::LetterWithoutWords { letter });
    }
    let mut selection = Selection {
        letters: BTreeMap::new(),
        dropped: Vec::new(),
    };
    for letter in Letter::all().filter(|letter| letters.is_none_or(|wanted| wanted.contains(letter))) {
        let mut words = available.remove(&letter).unwrap_or_default();
        if words.is_empty() || words.len() < minimum {
            selection.dropped.push(DroppedLetter {
                letter,
                found: words.len(),
                minimum,
            });
            continue;
        }
        words.sort_unstable();
        words.dedup();
        words.shuffle(&mut rng(seed, &format!("select/{purpose}/letter={letter}")));
        words.truncate(per_letter);
        words.sort_unstable();
        selection.letters.insert(letter, words);
    }
    if selection.letters.is_empty() {
        let reason = format!("no letter has {} words among {}", minimum.max(1), part.len());
        return Err(TaskError::NothingSelected { reason });
    }
    Ok(selection)
}
