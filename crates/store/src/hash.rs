//! A BLAKE3 digest as a type, so that a key cannot be mistaken for a name.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A BLAKE3 digest, written as 64 lower-case hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Blake3(String);

/// The text is not a BLAKE3 digest.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is not a BLAKE3 digest: 64 lower-case hexadecimal digits expected")]
pub struct ParseHashError(String);

impl Blake3 {
    /// Number of digits of a key that go into file names.
    pub(crate) const SHORT: usize = 12;

    /// Digest of `bytes`.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self::from(blake3::hash(bytes))
    }

    /// The 64 digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The first twelve digits, for file names and messages.
    #[must_use]
    pub fn short(&self) -> &str {
        &self.0[..Self::SHORT]
    }
}

impl From<blake3::Hash> for Blake3 {
    fn from(hash: blake3::Hash) -> Self {
        Self(hash.to_hex().to_string())
    }
}

impl From<Blake3> for String {
    fn from(hash: Blake3) -> Self {
        hash.0
    }
}

impl TryFrom<String> for Blake3 {
    type Error = ParseHashError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let digit = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
        if text.len() == 64 && text.bytes().all(digit) {
            Ok(Self(text))
        } else {
            Err(ParseHashError(text))
        }
    }
}

impl FromStr for Blake3 {
    type Err = ParseHashError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::try_from(text.to_owned())
    }
}

impl fmt::Display for Blake3 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
