//! The text of a prompt.
//!
//! ```text
//! base = sep.join(template(example) + answer(example)  for each example) + sep + template(word)
//! ```
//!
//! (Chanin et al. 2024, section 4; `create_icl_prompt` in the released code). Words are inserted verbatim, so a word with a leading
//! space gives a line that begins with a space. The position of the word is not part of a template: it is found by
//! tokenising (see [`crate::build_prompts`]).

use serde::{Deserialize, Serialize};

use crate::{TaskError, Word};

/// A line around a word, and how lines are joined.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Template {
    /// Text of a line before the word; empty in the paper.
    pub before: String,
    /// Text of a line after the word.
    pub after: String,
    /// Text between lines.
    pub separator: String,
    /// Whether the prompt also begins with the separator. `SAEBench` does this for the sake of Mistral's tokenizer
    /// (`prepend_separator_to_first_example`); the paper does not.
    pub leading_separator: bool,
}

impl Template {
    /// `{word} has the first letter:`, the template of all results of the paper.
    #[must_use]
    pub fn verbose() -> Self {
        Self::after(" has the first letter:")
    }

    /// `{word}:`, the template of the paper's first experiments.
    #[must_use]
    pub fn short() -> Self {
        Self::after(":")
    }

    fn after(after: &str) -> Self {
        Self {
            before: String::new(),
            after: after.to_owned(),
            separator: "\n".to_owned(),
            leading_separator: false,
        }
    }

    /// Reads a line such as `{word} has the first letter:`, with the separator and start of the paper.
    ///
    /// # Errors
    /// [`TaskError::BadTemplate`] if `{word}` does not occur exactly once.
    pub fn parse(text: &str) -> Result<Self, TaskError> {
        let bad = |reason| TaskError::BadTemplate {
            text: text.to_owned(),
            reason,
        };
        let (before, after) = text
            .split_once("{word}")
            .ok_or_else(|| bad("does not contain `{word}`"))?;
        if after.contains("{word}") {
            return Err(bad("contains `{word}` more than once"));
        }
        Ok(Self {
            before: before.to_owned(),
            ..Self::after(after)
        })
    }

    /// The line that asks about `word`.
    #[must_use]
    pub fn line(&self, word: &Word) -> String {
        format!("{}{}{}", self.before, word.text, self.after)
    }

    /// Everything before the query word: the examples with their answers, each followed by the separator, and the start of the
    /// query line.
    #[must_use]
    pub fn prefix<'a>(&self, examples: impl IntoIterator<Item = &'a Word>) -> String {
        let mut text = if self.leading_separator {
            self.separator.clone()
        } else {
            String::new()
        };
        for word in examples {
            text += &self.line(word);
            text += &word.letter.answer_text();
            text += &self.separator;
        }
        text + &self.before
    }

    /// The whole prompt, without the answer.
    #[must_use]
    pub fn prompt<'a>(&self, examples: impl IntoIterator<Item = &'a Word>, word: &Word) -> String {
        self.prefix(examples) + &word.text + &self.after
    }
}
