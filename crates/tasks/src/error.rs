//! What can go wrong between a tokenizer and a list of prompts.

use crate::Letter;

/// An error of this crate.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TaskError {
    /// The tokenizer failed.
    #[error("the tokenizer cannot encode `{text}`: {reason}")]
    Tokenizer {
        /// The text.
        text: String,
        /// The tokenizer's message.
        reason: String,
    },
    /// The tokenizer has no token that is a word.
    #[error(
        "none of the {entries} tokens is a word of the letters a to z\nhint: the first-letter task needs a tokenizer with word tokens"
    )]
    NoWords {
        /// Number of tokens that were looked at.
        entries: usize,
    },
    /// A text is not a letter or a list of letters.
    #[error("`{text}` is not a list of letters\nhint: write letters and ranges, such as `a,b,s-z`")]
    BadLetter {
        /// The text.
        text: String,
    },
    /// A template text cannot be used.
    #[error("template `{text}` {reason}\nhint: write something like `{{word}} has the first letter:`")]
    BadTemplate {
        /// The text.
        text: String,
        /// What is wrong.
        reason: &'static str,
    },
    /// An answer text has no tokens.
    #[error("the tokenizer gives no token for the answer `{}`", letter.answer_text())]
    AnswerEmpty {
        /// The letter.
        letter: Letter,
    },
    /// An answer to another question has no tokens.
    #[error("the tokenizer gives no token for the answer `{text}`")]
    AnswerWithoutTokens {
        /// The answer.
        text: String,
    },
    /// Two answers cannot be told apart.
    #[error("the answers `{}` and `{}` end in the same token {id}, so their logits cannot differ", first.answer_text(), second.answer_text())]
    AnswerCollision {
        /// One letter.
        first: Letter,
        /// Another letter.
        second: Letter,
        /// The shared token.
        id: u32,
    },
    /// A word list names words that are not in the vocabulary.
    #[error(
        "{total} listed words are not in the vocabulary: {}\nhint: words are compared exactly, with case and leading space",
        quoted(words)
    )]
    UnknownWords {
        /// Up to ten of them.
        words: Vec<String>,
        /// How many there are.
        total: usize,
    },
    /// A part of a split has no words.
    #[error("the {part} part of the split is empty: the vocabulary has {words} words")]
    EmptySplit {
        /// `train` or `test`.
        part: &'static str,
        /// Size of the vocabulary.
        words: usize,
    },
    /// A word index does not belong to the vocabulary.
    #[error("word index {index} is outside the vocabulary of {words} words")]
    BadIndex {
        /// The index.
        index: usize,
        /// Size of the vocabulary.
        words: usize,
    },
    /// A plan asks for nothing.
    #[error("{what} must be at least 1")]
    Zero {
        /// The setting.
        what: &'static str,
    },
    /// There are too few words to draw examples from.
    #[error(
        "{examples} examples need a pool of at least that many words, and it has {pool}\nhint: use fewer examples or more words"
    )]
    PoolTooSmall {
        /// Examples per prompt.
        examples: usize,
        /// Distinct words in the pool.
        pool: usize,
    },
    /// No draw of examples avoided the query word.
    #[error("{attempts} draws of examples for `{word}` all contained it\nhint: use a larger pool of examples")]
    Contaminated {
        /// The query word.
        word: String,
        /// Draws made.
        attempts: usize,
    },
    /// A word is itself in too many of the shared example sets.
    #[error(
        "`{word}` needs {wanted} example sets that do not contain it, and {eligible} of {sets} do not\nhint: use more sets, or fewer prompts per word"
    )]
    TooFewSets {
        /// The query word.
        word: String,
        /// Prompts per word.
        wanted: usize,
        /// Sets without the word.
        eligible: usize,
        /// All sets.
        sets: usize,
    },
    /// Not one word survived the checks of its prompt.
    #[error(
        "no word of {words} stays one token inside the template, for example `{word}` becomes {}: {reason}\nhint: use a template that leaves the word alone (`--template`), or a model whose tokenizer has word tokens",
        quoted(pieces)
    )]
    EveryWordDropped {
        /// Number of words tried.
        words: usize,
        /// One of them.
        word: String,
        /// What it became.
        pieces: Vec<String>,
        /// Why it was dropped.
        reason: String,
    },
    /// A letter that was asked for has no words.
    #[error("no word of this part begins with `{letter}`\nhint: leave the letter out, or use a larger vocabulary")]
    LetterWithoutWords {
        /// The letter.
        letter: Letter,
    },
    /// A selection is empty.
    #[error("nothing is selected: {reason}")]
    NothingSelected {
        /// Why.
        reason: String,
    },
}

fn quoted(texts: &[String]) -> String {
    texts
        .iter()
        .map(|text| format!("`{text}`"))
        .collect::<Vec<_>>()
        .join(", ")
}
