//! Train and test words.
//!
//! The split is over the vocabulary, so that no test word occurs in training, neither as a query nor, if callers draw examples
//! from the same part, as an example (Chanin et al. 2024, section 4). As in the paper, texts are compared exactly: `cat` may be in one
//! part and ` cat` in the other.

use std::collections::BTreeSet;

use rand::seq::SliceRandom;
use serde::{Deserialize, Serialize};

use crate::seed::rng;
use crate::{TaskError, Vocabulary};

/// Two disjoint lists of word indices that together hold the vocabulary, each sorted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Split {
    /// Words to fit on.
    pub train: Vec<usize>,
    /// Words to score on.
    pub test: Vec<usize>,
}

impl Split {
    /// The split of the paper: the shuffled vocabulary, of which the first `int(0.8 * n)` words are the train part.
    ///
    /// # Errors
    /// [`TaskError::EmptySplit`] if a part is empty.
    pub fn random(vocabulary: &Vocabulary, seed: u64) -> Result<Self, TaskError> {
        let mut order = vocabulary.indices();
        order.shuffle(&mut rng(seed, "split/random"));
        let test = order.split_off(four_fifths(order.len()));
        Self::checked(order, test)
    }

    /// The same within each letter, so that a letter with at least two words has words in both parts. The only word of a letter is a
    /// train word.
    ///
    /// # Errors
    /// [`TaskError::EmptySplit`] if a part is empty.
    pub fn stratified(vocabulary: &Vocabulary, seed: u64) -> Result<Self, TaskError> {
        let (mut train, mut test) = (Vec::new(), Vec::new());
        for (letter, mut words) in vocabulary.by_letter(&vocabulary.indices())? {
            words.shuffle(&mut rng(seed, &format!("split/stratified/letter={letter}")));
            test.extend(words.split_off(four_fifths(words.len()).max(1)));
            train.extend(words);
        }
        Self::checked(train, test)
    }

    /// The split whose test part is a given list, for a model that was trained without these words.
    ///
    /// # Errors
    /// [`TaskError::UnknownWords`] if a text is not in the vocabulary, [`TaskError::EmptySplit`] if a part is empty.
    pub fn from_test_words<S: AsRef<str>>(vocabulary: &Vocabulary, words: &[S]) -> Result<Self, TaskError> {
        let mut held_out = BTreeSet::new();
        let mut unknown = Vec::new();
        for word in words.iter().map(AsRef::as_ref) {
            match vocabulary.find(word) {
                Some(index) => _ = held_out.insert(index),
                None => unknown.push(word.to_owned()),
            }
        }
        if !unknown.is_empty() {
            let total = unknown.len();
            unknown.truncate(10);
            return Err(TaskError::UnknownWords { words: unknown, total });
        }
        let train = vocabulary
            .indices()
            .into_iter()
            .filter(|index| !held_out.contains(index))
            .collect();
        Self::checked(train, held_out.into_iter().collect())
    }

    fn checked(mut train: Vec<usize>, mut test: Vec<usize>) -> Result<Self, TaskError> {
        let words = train.len() + test.len();
        for (part, indices) in [("train", &mut train), ("test", &mut test)] {
            if indices.is_empty() {
                return Err(TaskError::EmptySplit { part, words });
            }
            indices.sort_unstable();
        }
        Ok(Self { train, test })
    }
}

/// `int(0.8 * n)`.
const fn four_fifths(n: usize) -> usize {
    n / 5 * 4 + n % 5 * 4 / 5
}
