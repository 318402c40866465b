//! The 26 tokens whose logits are the answer.
//!
//! The answer of a letter is the last token of `" C"`. A tokenizer that writes the space as a token of its own still has 26 distinct last
//! tokens, and the effects that are computed from them remain comparable, but the model is then asked for its second token first: a
//! warning. Deliberately absent: lower-case answers. (The released code of the paper reads the lower-case token without space
//! as the positive logit; a caller that wants this for parity encodes it itself.)

use serde::{Deserialize, Serialize};

use crate::{Letter, TaskError, Tokenize};

/// Ids of the answers `" A"` to `" Z"`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AnswerTokens {
    ids: [u32; Letter::COUNT],
    /// Letters whose answer is more than one token.
    pub warnings: Vec<AnswerWarning>,
}

/// An answer that is more than one token; its last one stands for it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AnswerWarning {
    /// The letter.
    pub letter: Letter,
    /// All tokens of its answer.
    pub tokens: Vec<u32>,
}

impl AnswerTokens {
    /// Finds the answer tokens.
    ///
    /// # Errors
    /// [`TaskError::AnswerCollision`] if two letters share a token, [`TaskError::AnswerEmpty`] if a letter has none,
    /// [`TaskError::Tokenizer`] if encoding fails.
    pub fn new(tokenizer: &dyn Tokenize) -> Result<Self, TaskError> {
        let mut ids = [0; Letter::COUNT];
        let mut warnings = Vec::new();
        for letter in Letter::all() {
            let tokens = tokenizer.encode(&letter.answer_text())?;
            let &id = tokens.last().ok_or(TaskError::AnswerEmpty { letter })?;
            if let Some(first) = Letter::all()
                .take(letter.index())
                .find(|first| ids[first.index()] == id)
            {
                return Err(TaskError::AnswerCollision {
                    first,
                    second: letter,
                    id,
                });
            }
            ids[letter.index()] = id;
            if tokens.len() > 1 {
                warnings.push(AnswerWarning { letter, tokens });
            }
        }
        Ok(Self { ids, warnings })
    }

    /// The token of a letter.
    #[must_use]
    pub const fn id(&self, letter: Letter) -> u32 {
        self.ids[letter.index()]
    }

    /// All tokens, `a` first.
    #[must_use]
    pub const fn ids(&self) -> &[u32; Letter::COUNT] {
        &self.ids
    }
}
