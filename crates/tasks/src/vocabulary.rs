//! The words of a tokenizer.
//!
//! The filter is that of the paper (see [`Word::new`]). Two deviations make the list usable as a set: it is sorted instead of being in the
//! tokenizer's dictionary order, and each text is kept once. Byte-fallback tokenizers have a token `<0x41>` beside the token `A`, and only
//! one of the two is what the text encodes to.
//!
//! Deliberately absent: dictionaries and frequencies. Fragments, foreign words and code identifiers are words here, as in the paper.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{Letter, TaskError, Tokenize, Word};

/// The words of a tokenizer, each text once, in byte order of their texts. Words are referred to by their index in this list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Vocabulary {
    /// The words.
    pub words: Vec<Word>,
    /// Tokens of the tokenizer that were looked at.
    pub entries: usize,
    /// Tokens left out because another token has the same text.
    pub duplicates_removed: usize,
}

/// The words of `tokenizer`.
///
/// # Errors
/// [`TaskError::NoWords`] if no token passes the filter, [`TaskError::Tokenizer`] if a text with several tokens cannot be encoded.
pub fn vocabulary(tokenizer: &dyn Tokenize) -> Result<Vocabulary, TaskError> {
    let entries = tokenizer.vocab_size();
    let mut tokens: BTreeMap<String, Vec<u32>> = BTreeMap::new();
    for id in 0..u32::try_from(entries).unwrap_or(u32::MAX) {
        if let Some(word) = tokenizer.token_string(id).and_then(|text| Word::new(&text, id)) {
            tokens.entry(word.text).or_default().push(id);
        }
    }
    let found: usize = tokens.values().map(Vec::len).sum();
    let mut words = Vec::with_capacity(tokens.len());
    for (text, ids) in tokens {
        let id = choose(tokenizer, &text, &ids)?;
        words.extend(Word::new(&text, id));
    }
    if words.is_empty() {
        return Err(TaskError::NoWords { entries });
    }
    Ok(Vocabulary {
        duplicates_removed: found - words.len(),
        words,
        entries,
    })
}

/// Of several tokens with one text, the one that the text encodes to at the start of a line, where prompts have it. Failing that, the
/// last one: byte tokens come first.
fn choose(tokenizer: &dyn Tokenize, text: &str, ids: &[u32]) -> Result<u32, TaskError> {
    if let &[id] = ids {
        return Ok(id);
    }
    let encoded = tokenizer.encode(&format!("\n{text}"))?;
    let last = encoded.last().filter(|id| ids.contains(id)).or(ids.last());
    last.copied().ok_or(TaskError::NoWords { entries: 0 })
}

impl Vocabulary {
    /// Number of words.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.words.len()
    }

    /// Whether there are no words.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.words.is_empty()
    }

    /// The index of a text, compared exactly.
    #[must_use]
    pub fn find(&self, text: &str) -> Option<usize> {
        self.words.binary_search_by(|word| word.text.as_str().cmp(text)).ok()
    }

    /// All indices.
    #[must_use]
    pub fn indices(&self) -> Vec<usize> {
        (0..self.len()).collect()
    }

    /// The indices of `part` by letter, each list in the order of `part`.
    ///
    /// # Errors
    /// [`TaskError::BadIndex`] if an index is outside the vocabulary.
    pub fn by_letter(&self, part: &[usize]) -> Result<BTreeMap<Letter, Vec<usize>>, TaskError> {
        let mut letters: BTreeMap<Letter, Vec<usize>> = BTreeMap::new();
        for &index in part {
            letters.entry(self.word(index)?.letter).or_default().push(index);
        }
        Ok(letters)
    }

    /// The word at `index`.
    ///
    /// # Errors
    /// [`TaskError::BadIndex`] if it is outside the vocabulary.
    pub fn word(&self, index: usize) -> Result<&Word, TaskError> {
        self.words.get(index).ok_or(TaskError::BadIndex {
            index,
            words: self.len(),
        })
    }
}
