//! From words and examples to checked token ids.
//!
//! The paper reads the word at position -6 because its template has five tokens after the word, which is true only if the word stays one
//! token. Here it is checked, for every prompt: the ids begin with those of the example set alone, the next id is the word's own, and the
//! rest equals the tail that most prompts have. A word that fails is left out with all its prompts, and listed.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::prompt_report::{DropReason, Dropped, PromptReport, nothing_left};
use crate::{IclDraw, IclSet, TaskError, Template, Tokenize, Vocabulary};

/// A query, ready for a model.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Prompt {
    /// Index of the query word in the vocabulary.
    pub word: usize,
    /// Index of the example set.
    pub icl: usize,
    /// All token ids, with the beginning-of-sequence token if the model has one. The answer comes after the last.
    pub ids: Vec<u32>,
    /// Position of the query word, counted from 0.
    pub word_position: usize,
    /// Tokens before the query word, which depend on the example set only. Equal to `word_position`.
    pub prefix_len: usize,
}

/// Prompts that share one tail.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PromptSet {
    /// The prompts, in the order of the assignments.
    pub prompts: Vec<Prompt>,
    /// The example sets.
    pub sets: Vec<IclSet>,
    /// Token ids before the query word, for each example set.
    pub prefixes: Vec<Vec<u32>>,
    /// Token ids after the query word, the same in all prompts.
    pub tail: Vec<u32>,
    /// What was left out.
    pub report: PromptReport,
}

/// Encodes the prompts of `draw` and checks each one.
///
/// # Errors
/// [`TaskError::EveryWordDropped`] if no word passes, [`TaskError::NothingSelected`] if there are no assignments,
/// [`TaskError::Tokenizer`] if encoding fails, [`TaskError::BadIndex`] if `draw` belongs to another vocabulary.
pub fn build_prompts(
    tokenizer: &dyn Tokenize,
    template: &Template,
    vocabulary: &Vocabulary,
    draw: IclDraw,
) -> Result<PromptSet, TaskError> {
    let with_bos = |text: &str| -> Result<Vec<u32>, TaskError> {
        Ok(tokenizer.bos().into_iter().chain(tokenizer.encode(text)?).collect())
    };
    let prefixes = draw
        .sets
        .iter()
        .map(|set| with_bos(&set.prefix_text))
        .collect::<Result<Vec<_>, _>>()?;
    let mut prompts = Vec::with_capacity(draw.assignments.len());
    for assignment in &draw.assignments {
        let out_of_range = TaskError::BadIndex {
            index: assignment.icl,
            words: draw.sets.len(),
        };
        let set = draw.sets.get(assignment.icl).ok_or(out_of_range)?;
        let text = format!(
            "{}{}{}",
            set.prefix_text,
            vocabulary.word(assignment.word)?.text,
            template.after
        );
        let prefix_len = prefixes[assignment.icl].len();
        let ids = with_bos(&text)?;
        prompts.push(Prompt {
            word: assignment.word,
            icl: assignment.icl,
            ids,
            word_position: prefix_len,
            prefix_len,
        });
    }
    let token = |prompt: &Prompt| vocabulary.words[prompt.word].token;
    let tail = common_tail(&prompts, &prefixes, token);
    let mut dropped: BTreeMap<usize, DropReason> = BTreeMap::new();
    for prompt in &prompts {
        if let Some(reason) = problem(tokenizer, prompt, &prefixes[prompt.icl], token(prompt), &tail) {
            dropped.entry(prompt.word).or_insert(reason);
        }
    }
    let words = prompts.iter().map(|prompt| prompt.word).collect::<BTreeSet<_>>().len();
    prompts.retain(|prompt| !dropped.contains_key(&prompt.word));
    let dropped: Vec<Dropped> = dropped
        .into_iter()
        .map(|(word, reason)| Dropped {
            word,
            text: vocabulary.words[word].text.clone(),
            reason,
        })
        .collect();
    if prompts.is_empty() {
        return Err(nothing_left(words, dropped));
    }
    Ok(PromptSet {
        prompts,
        sets: draw.sets,
        prefixes,
        tail,
        report: PromptReport { words, dropped },
    })
}

/// The tokens behind the word that most prompts have, among those where the word is its own token.
fn common_tail(prompts: &[Prompt], prefixes: &[Vec<u32>], token: impl Fn(&Prompt) -> u32) -> Vec<u32> {
    let mut counts: BTreeMap<&[u32], usize> = BTreeMap::new();
    for prompt in prompts {
        if let Some([first, tail @ ..]) = prompt.ids.strip_prefix(prefixes[prompt.icl].as_slice())
            && *first == token(prompt)
        {
            *counts.entry(tail).or_default() += 1;
        }
    }
    // Ties go to the smaller key, so that the result does not depend on the order of the prompts.
    counts
        .into_iter()
        .rev()
        .max_by_key(|&(_, count)| count)
        .map_or_else(Vec::new, |(tail, _)| tail.to_vec())
}

fn problem(tokenizer: &dyn Tokenize, prompt: &Prompt, prefix: &[u32], token: u32, tail: &[u32]) -> Option<DropReason> {
    let Some(rest) = prompt.ids.strip_prefix(prefix) else {
        return Some(DropReason::PrefixChanged);
    };
    let Some(word) = rest.strip_suffix(tail) else {
        return Some(DropReason::TailChanged);
    };
    if word == [token] {
        return None;
    }
    let piece = |&id: &u32| tokenizer.token_string(id).unwrap_or_else(|| format!("<{id}>"));
    Some(DropReason::Split {
        pieces: word.iter().map(piece).collect(),
    })
}

impl PromptSet {
    /// Tokens from the query word to the end; the word is at position minus this, counted from the end (-6 for the verbose template
    /// in Gemma-2's tokenizer).
    #[must_use]
    pub const fn suffix_len(&self) -> usize {
        1 + self.tail.len()
    }

    /// Token ids from the query word to the end, `[suffix_len]`.
    #[must_use]
    pub fn suffix<'a>(&self, prompt: &'a Prompt) -> &'a [u32] {
        &prompt.ids[prompt.prefix_len..]
    }

    /// Identity of the prompts: BLAKE3 over a version number, then for each prompt the number of ids, the ids, and the position of the
    /// word, as little-endian integers. 64 hexadecimal digits.
    #[must_use]
    pub fn hash(&self) -> String {
        let mut hasher = blake3::Hasher::new();
        hasher.update(b"prompts/1");
        for prompt in &self.prompts {
            hasher.update(&(prompt.ids.len() as u64).to_le_bytes());
            for id in &prompt.ids {
                hasher.update(&id.to_le_bytes());
            }
            hasher.update(&(prompt.word_position as u64).to_le_bytes());
        }
        hasher.finalize().to_hex().to_string()
    }
}
