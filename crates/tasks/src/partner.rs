//! Minimal pairs: for each word, a word of another letter that is otherwise like it.
//!
//! The partner is the donor when a vector is patched from one prompt into another. Position and template are the same in both prompts, so
//! what is left to match is the kind of token: leading space first, then case.

use std::collections::BTreeMap;

use rand::RngExt;
use serde::{Deserialize, Serialize};

use crate::seed::rng;
use crate::{Case, Letter, TaskError, Vocabulary, Word};

/// What to pair.
#[derive(Clone, Copy, Debug)]
pub struct PartnerRequest<'a> {
    /// The words that indices refer to.
    pub vocabulary: &'a Vocabulary,
    /// Words that need a partner.
    pub words: &'a [usize],
    /// Words that may be one.
    pub pool: &'a [usize],
    /// The seed of the run.
    pub seed: u64,
}

/// A word and its partner.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Partner {
    /// Index of the word.
    pub word: usize,
    /// Index of a word with another first letter.
    pub partner: usize,
    /// How alike they are.
    pub matched: PartnerMatch,
}

/// What a word has in common with its partner.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PartnerMatch {
    /// Leading space (or none) and case.
    SpaceAndCase,
    /// Leading space (or none).
    Space,
    /// Nothing that was looked at.
    Nothing,
}

/// The kinds of word that count as alike at each level of matching.
type Kind = (Option<bool>, Option<Case>);

fn kinds(word: &Word) -> [(Kind, PartnerMatch); 3] {
    let (space, case) = (word.stratum.leading_space, word.stratum.case);
    [
        ((Some(space), Some(case)), PartnerMatch::SpaceAndCase),
        ((Some(space), None), PartnerMatch::Space),
        ((None, None), PartnerMatch::Nothing),
    ]
}

/// Finds a partner for each word: uniformly among the words of other letters at the closest level of matching that has any.
///
/// # Errors
/// [`TaskError::NothingSelected`] if the pool has no word of another letter, [`TaskError::BadIndex`] if an index is outside the
/// vocabulary.
pub fn partners(request: &PartnerRequest<'_>) -> Result<Vec<Partner>, TaskError> {
    let PartnerRequest {
        vocabulary,
        words,
        pool,
        seed,
    } = *request;
    // Sorted by letter, so that the words of one letter are a range that a draw can skip.
    let mut groups: BTreeMap<Kind, Vec<(Letter, usize)>> = BTreeMap::new();
    for &index in pool {
        let word = vocabulary.word(index)?;
        for (kind, _) in kinds(word) {
            groups.entry(kind).or_default().push((word.letter, index));
        }
    }
    for group in groups.values_mut() {
        group.sort_unstable();
        group.dedup();
    }
    let find = |&index: &usize| {
        let word = vocabulary.word(index)?;
        for (kind, matched) in kinds(word) {
            let group = groups.get(&kind).map_or(&[][..], Vec::as_slice);
            let start = group.partition_point(|&(letter, _)| letter < word.letter);
            let same = group.partition_point(|&(letter, _)| letter <= word.letter) - start;
            if same < group.len() {
                let mut random = rng(seed, &format!("partner/word={}", word.text));
                let drawn = random.random_range(0..group.len() - same);
                let (_, partner) = group[if drawn < start { drawn } else { drawn + same }];
                return Ok(Partner {
                    word: index,
                    partner,
                    matched,
                });
            }
        }
        let reason = format!("`{}` has no partner: all words begin with `{}`", word.text, word.letter);
        Err(TaskError::NothingSelected { reason })
    };
    words.iter().map(find).collect()
}
