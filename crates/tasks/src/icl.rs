//! In-context examples.
//!
//! Two ways to give each word its examples. [`IclPlan::Fresh`] draws them for every prompt, as the paper does. [`IclPlan::Shared`] draws a
//! few sets and lets many words share each one: the prefix of a prompt is then computed once per set, and the set becomes a factor that
//! is crossed with the words, so that the share of the noise that comes from the examples can be estimated.
//!
//! Either way a word is never among its own examples. Texts in a vocabulary are distinct, so unequal indices are unequal texts; other
//! casings and spacings of the same word are allowed, as in the paper.

use std::collections::BTreeSet;

use rand::seq::{SliceRandom, index};
use serde::{Deserialize, Serialize};

use crate::seed::rng;
use crate::{TaskError, Template, Vocabulary};

/// Draws for one prompt before giving up (released code, `create_icl_prompt`).
const MAX_ATTEMPTS: usize = 1000;

/// How examples are given to words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum IclPlan {
    /// Few sets, each shared by many words.
    Shared {
        /// Number of sets. Sets share no word while the pool lasts.
        sets: usize,
        /// Prompts of each word, all with different sets.
        prompts_per_word: usize,
    },
    /// A set for each prompt.
    Fresh {
        /// Prompts of each word.
        prompts_per_word: usize,
    },
}

/// What to draw examples for, and from.
#[derive(Clone, Copy, Debug)]
pub struct IclRequest<'a> {
    /// The words that indices refer to.
    pub vocabulary: &'a Vocabulary,
    /// The lines that examples are written in.
    pub template: &'a Template,
    /// Words to ask about.
    pub words: &'a [usize],
    /// Words to draw examples from: train words for train prompts, test words for test prompts.
    pub pool: &'a [usize],
    /// Examples per prompt; 10 in the paper.
    pub examples: usize,
    /// How examples are given to words.
    pub plan: IclPlan,
    /// The seed of the run.
    pub seed: u64,
    /// What the prompts are for, such as `test`; part of the name of every draw.
    pub purpose: &'a str,
}

/// A list of examples and the text they make.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IclSet {
    /// Its index in the list of sets.
    pub id: usize,
    /// The example words, in the order of the prompt.
    pub words: Vec<usize>,
    /// Everything before the query word.
    pub prefix_text: String,
}

/// A prompt to be made: a query word and an example set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Assignment {
    /// Index of the word.
    pub word: usize,
    /// Index of the set.
    pub icl: usize,
}

/// Example sets and which word is asked after which.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IclDraw {
    /// The sets.
    pub sets: Vec<IclSet>,
    /// The prompts to be made, in the order of the requested words.
    pub assignments: Vec<Assignment>,
}

/// Draws examples for every requested word. Equal requests give equal draws, and a word's examples do not depend on the other words.
///
/// # Errors
/// [`TaskError::PoolTooSmall`], [`TaskError::Contaminated`] or [`TaskError::TooFewSets`] if the pool or the plan cannot serve a word,
/// [`TaskError::Zero`] if the plan asks for no sets or prompts, [`TaskError::BadIndex`] if an index is outside the vocabulary.
pub fn draw_icl(request: &IclRequest<'_>) -> Result<IclDraw, TaskError> {
    let pool: Vec<usize> = request
        .pool
        .iter()
        .copied()
        .collect::<BTreeSet<_>>()
        .into_iter()
        .collect();
    for &index in request.words.iter().chain(&pool) {
        request.vocabulary.word(index)?;
    }
    if pool.len() < request.examples {
        return Err(TaskError::PoolTooSmall {
            examples: request.examples,
            pool: pool.len(),
        });
    }
    let (sets, prompts_per_word) = match request.plan {
        IclPlan::Shared { sets, prompts_per_word } => (Some(sets), prompts_per_word),
        IclPlan::Fresh { prompts_per_word } => (None, prompts_per_word),
    };
    for (what, value) in [
        ("the number of example sets", sets),
        ("prompts per word", Some(prompts_per_word)),
    ] {
        if value == Some(0) {
            return Err(TaskError::Zero { what });
        }
    }
    match sets {
        Some(sets) => shared(request, &pool, sets, prompts_per_word),
        None => fresh(request, &pool, prompts_per_word),
    }
}

fn set(request: &IclRequest<'_>, id: usize, words: Vec<usize>) -> IclSet {
    let prefix_text = request
        .template
        .prefix(words.iter().map(|&index| &request.vocabulary.words[index]));
    IclSet { id, words, prefix_text }
}

fn shared(
    request: &IclRequest<'_>,
    pool: &[usize],
    sets: usize,
    prompts_per_word: usize,
) -> Result<IclDraw, TaskError> {
    let IclRequest {
        seed,
        purpose,
        examples,
        ..
    } = *request;
    let mut random = rng(seed, &format!("icl/{purpose}/sets"));
    let mut deck: Vec<usize> = Vec::new();
    let sets: Vec<IclSet> = (0..sets)
        .map(|id| {
            // A deck that is dealt out before it is shuffled again keeps the sets disjoint for as long as it can.
            if deck.len() < examples {
                deck = pool.to_vec();
                deck.shuffle(&mut random);
            }
            set(request, id, deck.split_off(deck.len() - examples))
        })
        .collect();
    let mut assignments = Vec::with_capacity(request.words.len() * prompts_per_word);
    for &word in request.words {
        let text = &request.vocabulary.word(word)?.text;
        let mut eligible: Vec<usize> = sets
            .iter()
            .filter(|set| !set.words.contains(&word))
            .map(|set| set.id)
            .collect();
        if eligible.len() < prompts_per_word {
            return Err(TaskError::TooFewSets {
                word: text.clone(),
                wanted: prompts_per_word,
                eligible: eligible.len(),
                sets: sets.len(),
            });
        }
        eligible.shuffle(&mut rng(seed, &format!("icl/{purpose}/assign/word={text}")));
        assignments.extend(
            eligible
                .into_iter()
                .take(prompts_per_word)
                .map(|icl| Assignment { word, icl }),
        );
    }
    Ok(IclDraw { sets, assignments })
}

fn fresh(request: &IclRequest<'_>, pool: &[usize], prompts_per_word: usize) -> Result<IclDraw, TaskError> {
    let IclRequest {
        seed,
        purpose,
        examples,
        ..
    } = *request;
    let mut draw = IclDraw {
        sets: Vec::new(),
        assignments: Vec::new(),
    };
    for &word in request.words {
        let text = &request.vocabulary.word(word)?.text;
        for number in 0..prompts_per_word {
            let mut random = rng(seed, &format!("icl/{purpose}/fresh/word={text}/prompt={number}"));
            let words = (0..MAX_ATTEMPTS)
                .map(|_| {
                    index::sample(&mut random, pool.len(), examples)
                        .iter()
                        .map(|i| pool[i])
                        .collect::<Vec<_>>()
                })
                .find(|words| !words.contains(&word))
                .ok_or_else(|| TaskError::Contaminated {
                    word: text.clone(),
                    attempts: MAX_ATTEMPTS,
                })?;
            let icl = draw.sets.len();
            draw.sets.push(set(request, icl, words));
            draw.assignments.push(Assignment { word, icl });
        }
    }
    Ok(draw)
}
