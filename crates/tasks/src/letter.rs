//! The 26 classes.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::TaskError;

/// A letter `a` to `z`: the class of a word, 0 to 25. Case does not matter (Chanin et al. 2024, section 4).
///
/// Shown and serialised in lower case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Letter(u8);

impl Letter {
    /// Number of letters.
    pub const COUNT: usize = 26;

    /// All letters, `a` first.
    #[must_use]
    pub fn all() -> impl DoubleEndedIterator<Item = Self> + ExactSizeIterator {
        let letters: [Self; Self::COUNT] = std::array::from_fn(|index| Self(index as u8));
        letters.into_iter()
    }

    /// The letter of class `index`, if it is below 26.
    #[must_use]
    pub fn from_index(index: usize) -> Option<Self> {
        Self::all().nth(index)
    }

    /// The letter of an ASCII character, of either case.
    #[must_use]
    pub const fn from_char(c: char) -> Option<Self> {
        if c.is_ascii_alphabetic() {
            Some(Self(c.to_ascii_lowercase() as u8 - b'a'))
        } else {
            None
        }
    }

    /// The class, 0 to 25.
    #[must_use]
    pub const fn index(self) -> usize {
        self.0 as usize
    }

    /// `'C'`.
    #[must_use]
    pub const fn upper(self) -> char {
        (b'A' + self.0) as char
    }

    /// `'c'`.
    #[must_use]
    pub const fn lower(self) -> char {
        (b'a' + self.0) as char
    }

    /// What the model should say after the prompt: `" C"`.
    #[must_use]
    pub fn answer_text(self) -> String {
        format!(" {}", self.upper())
    }
}

impl fmt::Display for Letter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.lower().encode_utf8(&mut [0; 4]))
    }
}

impl FromStr for Letter {
    type Err = TaskError;

    fn from_str(text: &str) -> Result<Self, TaskError> {
        let mut chars = text.trim().chars();
        match (chars.next().and_then(Self::from_char), chars.next()) {
            (Some(letter), None) => Ok(letter),
            _ => Err(TaskError::BadLetter { text: text.to_owned() }),
        }
    }
}

impl TryFrom<String> for Letter {
    type Error = TaskError;

    fn try_from(text: String) -> Result<Self, TaskError> {
        text.parse()
    }
}

impl From<Letter> for String {
    fn from(letter: Letter) -> Self {
        letter.to_string()
    }
}

/// Letters of a comma-separated list of letters and ranges, such as `a,b,s-z`: sorted, each once.
///
/// # Errors
/// [`TaskError::BadLetter`] for an empty list, an item that is neither, or a range that runs backwards.
pub fn parse_letters(text: &str) -> Result<Vec<Letter>, TaskError> {
    let bad = || TaskError::BadLetter { text: text.to_owned() };
    let mut letters = BTreeSet::new();
    for item in text.split(',') {
        let (first, last) = item.split_once('-').unwrap_or((item, item));
        let first: Letter = first.parse().map_err(|_| bad())?;
        let last: Letter = last.parse().map_err(|_| bad())?;
        if last < first {
            return Err(bad());
        }
        letters.extend(Letter::all().filter(|letter| (first..=last).contains(letter)));
    }
    Ok(letters.into_iter().collect())
}
