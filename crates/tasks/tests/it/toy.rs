//! A tokenizer small enough to reason about: always the longest token of a table that matches.

use std::collections::{BTreeMap, BTreeSet};

use tasks::{TaskError, Tokenize, Vocabulary, vocabulary};

/// A table of tokens. Texts of the form `<0x41>` are byte tokens; `<...>` is special.
pub(crate) struct Toy {
    tokens: Vec<String>,
    /// Token texts that encoding never produces.
    unreachable: BTreeSet<String>,
    pub(crate) bos: Option<u32>,
}

impl Toy {
    /// A toy with `<bos>`, the byte tokens of the letters, what the templates need, and `words`.
    pub(crate) fn new<S: AsRef<str>>(words: &[S]) -> Self {
        let mut tokens = vec!["<bos>".to_owned()];
        tokens.extend((b'A'..=b'Z').chain(b'a'..=b'z').map(|byte| format!("<0x{byte:02X}>")));
        tokens.extend(["\n", ":", " ", " has", " the", " first", " letter"].map(str::to_owned));
        tokens.extend(('A'..='Z').map(|letter| format!(" {letter}")));
        tokens.extend(words.iter().map(|word| word.as_ref().to_owned()));
        Self {
            tokens,
            unreachable: BTreeSet::new(),
            bos: Some(0),
        }
    }

    /// Ten words for each letter: five with a leading space, then capitalised, upper case, mixed, and two fragments.
    pub(crate) fn full() -> Self {
        let mut words = Vec::new();
        for c in 'a'..='z' {
            let upper = c.to_ascii_uppercase();
            words.extend(["one", "two", "three", "four", "five"].map(|end| format!(" {c}{end}")));
            words.extend([
                format!("{upper}cap"),
                format!("{upper}UP"),
                format!("{c}Mix"),
                format!("{c}frag"),
                format!("{c}ing"),
            ]);
        }
        Self::new(&words)
    }

    pub(crate) fn unreachable(mut self, words: &[&str]) -> Self {
        self.unreachable.extend(words.iter().map(|&word| word.to_owned()));
        self
    }

    pub(crate) fn words(&self) -> Vocabulary {
        vocabulary(self).expect("a toy vocabulary")
    }

    pub(crate) fn id(&self, text: &str) -> u32 {
        let index = self
            .tokens
            .iter()
            .position(|token| token == text)
            .expect("a token of the toy");
        u32::try_from(index).expect("a small table")
    }
}

impl Tokenize for Toy {
    fn encode(&self, text: &str) -> Result<Vec<u32>, TaskError> {
        let table: BTreeMap<&str, u32> = (0..)
            .zip(&self.tokens)
            .filter(|(_, token)| !token.starts_with('<') && !self.unreachable.contains(*token))
            .map(|(id, token)| (token.as_str(), id))
            .collect();
        let mut ids = Vec::new();
        let mut rest = text;
        while let Some(first) = rest.chars().next() {
            let longest = (1..=rest.len().min(20))
                .rev()
                .find_map(|n| Some((n, *table.get(rest.get(..n)?)?)));
            let byte = || {
                self.tokens
                    .iter()
                    .position(|token| *token == format!("<0x{:02X}>", u32::from(first)))
            };
            let (length, id) = match (longest, byte()) {
                (Some(found), _) => found,
                (None, Some(id)) => (1, u32::try_from(id).expect("a small table")),
                (None, None) => {
                    return Err(TaskError::Tokenizer {
                        text: text.to_owned(),
                        reason: format!("no token for {first:?}"),
                    });
                }
            };
            ids.push(id);
            rest = &rest[length..];
        }
        Ok(ids)
    }

    fn token_string(&self, id: u32) -> Option<String> {
        let token = self.tokens.get(id as usize)?;
        match token.strip_prefix("<0x").and_then(|hex| hex.strip_suffix('>')) {
            Some(hex) => Some(char::from(u8::from_str_radix(hex, 16).ok()?).to_string()),
            None => Some(token.clone()),
        }
    }

    fn vocab_size(&self) -> usize {
        self.tokens.len()
    }

    fn bos(&self) -> Option<u32> {
        self.bos
    }
}
