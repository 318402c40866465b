//! A word of the vocabulary and what kind of word it is.

use serde::{Deserialize, Serialize};

use crate::Letter;

/// A token whose text is a word.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Word {
    /// The token's text, with its leading space if it has one, in its own case.
    pub text: String,
    /// The token's id.
    pub token: u32,
    /// Its first letter.
    pub letter: Letter,
    /// What kind of word it is.
    pub stratum: Stratum,
}

/// How the letters of a word are cased.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Case {
    /// `cat`.
    Lower,
    /// `CAT`, and a single capital.
    Upper,
    /// `Cat`.
    Capitalised,
    /// `cAt`, `CaT`.
    Mixed,
}

/// The properties of a word by which results are broken down and partners are matched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Stratum {
    /// Whether the text begins with a space.
    pub leading_space: bool,
    /// Case of the letters.
    pub case: Case,
    /// Number of letters.
    pub length: usize,
    /// Whether this is a piece from inside a word: no leading space, and a lower-case first letter.
    pub fragment: bool,
}

impl Word {
    /// The word of a token text, if it passes the filter of the paper: one optional leading space, then at least one character, all of
    /// them ASCII letters (Chanin et al. 2024, section 4; `get_alpha_tokens` in the released code).
    #[must_use]
    pub fn new(text: &str, token: u32) -> Option<Self> {
        let letters = text.strip_prefix(' ').unwrap_or(text);
        let letter = Letter::from_char(letters.chars().next()?)?;
        if !letters.bytes().all(|byte| byte.is_ascii_alphabetic()) {
            return None;
        }
        let leading_space = letters.len() < text.len();
        let case = Case::of(letters);
        let fragment = !leading_space && letters.starts_with(|c: char| c.is_ascii_lowercase());
        let stratum = Stratum {
            leading_space,
            case,
            length: letters.len(),
            fragment,
        };
        Some(Self {
            text: text.to_owned(),
            token,
            letter,
            stratum,
        })
    }

    /// The text without its leading space.
    #[must_use]
    pub fn letters(&self) -> &str {
        self.text.strip_prefix(' ').unwrap_or(&self.text)
    }
}

impl Case {
    /// The case of a run of ASCII letters.
    fn of(letters: &str) -> Self {
        let lower = |text: &str| text.bytes().all(|byte| byte.is_ascii_lowercase());
        if lower(letters) {
            Self::Lower
        } else if letters.bytes().all(|byte| byte.is_ascii_uppercase()) {
            Self::Upper
        } else if lower(&letters[1..]) {
            Self::Capitalised
        } else {
            Self::Mixed
        }
    }
}
