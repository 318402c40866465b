//! The words that have no usable prompt, and why.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::TaskError;

/// What was left out of a [`PromptSet`](crate::PromptSet), and why.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PromptReport {
    /// Number of words that were asked for.
    pub words: usize,
    /// The words left out, each with the first problem found.
    pub dropped: Vec<Dropped>,
}

/// A word that was left out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dropped {
    /// Index of the word.
    pub word: usize,
    /// Its text.
    pub text: String,
    /// Why.
    pub reason: DropReason,
}

/// Why the prompt of a word cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum DropReason {
    /// The word is not its own token inside the prompt.
    Split {
        /// Texts of the tokens that stand in its place.
        pieces: Vec<String>,
    },
    /// The word changes the tokens before it.
    PrefixChanged,
    /// The word changes the tokens after it.
    TailChanged,
}

impl fmt::Display for DropReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Split { pieces } => write!(f, "the prompt has {pieces:?} in its place"),
            Self::PrefixChanged => f.write_str("it changes the tokens before it"),
            Self::TailChanged => f.write_str("it changes the tokens after it"),
        }
    }
}

/// The error for a list of prompts of which none is left.
pub(crate) fn nothing_left(words: usize, dropped: Vec<Dropped>) -> TaskError {
    let Some(example) = dropped.into_iter().next() else {
        return TaskError::NothingSelected {
            reason: "no words were given".to_owned(),
        };
    };
    let reason = example.reason.to_string();
    let pieces = match example.reason {
        DropReason::Split { pieces } => pieces,
        DropReason::PrefixChanged | DropReason::TailChanged => Vec::new(),
    };
    TaskError::EveryWordDropped {
        words,
        word: example.text,
        pieces,
        reason,
    }
}
