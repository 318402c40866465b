//! Documents that teach a small model the letters of words.
//!
//! The training text of the embedded model: lines of a few formats, packed into documents of
//! fixed length. Lines that state a word's first letter in the benchmark's own format are made
//! for training words only; the other formats show every word, so that the first letter of a
//! held-out word can be learnt while its first-letter line is new. A word is always its own
//! single token, so text is built from ids. Deliberately absent: reading word lists or
//! dictionaries (the caller passes encoded text), and any model.

use std::collections::BTreeMap;

use rand::seq::IndexedRandom;
use rand::{Rng, RngExt};
use serde::{Deserialize, Serialize};

use crate::{AnswerTokens, Letter, Split, TaskError, Template, Tokenize, Vocabulary};

/// A kind of line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Format {
    /// ` cat has the first letter: C`, training words only: the benchmark's format.
    First,
    /// ` cat is written with: C`, all words.
    One,
    /// ` cat has the letters: C A`, all words of two letters and more.
    Two,
    /// ` cat, cow, Clay`: words with one first letter.
    List,
    /// ` cat, cast, Canal`: words with the same first two letters.
    PrefixList,
    /// ` cat and cow same letter: true`.
    Same,
    /// Running text of the caller's.
    Text,
}

impl Format {
    /// All formats.
    pub const ALL: [Self; 7] = [
        Self::First,
        Self::One,
        Self::Two,
        Self::List,
        Self::PrefixList,
        Self::Same,
        Self::Text,
    ];
    /// Formats with an exact answer.
    pub const GRADED: [Self; 4] = [Self::First, Self::One, Self::Two, Self::Same];
}

/// How documents are composed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CorpusPlan {
    /// Kinds of document: the formats that one mixes line by line, and how often it is drawn.
    pub mix: Vec<(Vec<Format>, f64)>,
    /// Tokens that a document predicts; it has one more.
    pub length: usize,
    /// Share of words drawn uniformly; the others draw their letter first, so that rare letters are seen.
    pub uniform: f64,
    /// Loss weight of the words of a list (letters weigh 1).
    pub list_weight: f32,
    /// Loss weight of running text.
    pub text_weight: f32,
    /// Words of a list, at most.
    pub list_longest: usize,
}

/// A document: `ids` `[length + 1]`, and for each the loss weight of predicting it.
#[derive(Clone, Debug, PartialEq)]
pub struct Document {
    /// Token ids, beginning with the start token.
    pub ids: Vec<u32>,
    /// Loss weight of each id as a target; 0 where it cannot be predicted.
    pub weights: Vec<f32>,
}

/// Everything from which documents are drawn.
pub struct Corpus<'a> {
    vocabulary: &'a Vocabulary,
    plan: CorpusPlan,
    all: Pool,
    train: Pool,
    by_prefix: Vec<Vec<usize>>,
    prefix_of: BTreeMap<usize, usize>,
    answers: [u32; Letter::COUNT],
    pieces: Pieces,
    text: Vec<Vec<u32>>,
    start: u32,
}

/// Words, also by letter.
struct Pool {
    words: Vec<usize>,
    by_letter: BTreeMap<Letter, Vec<usize>>,
    letters: Vec<Letter>,
}

impl Pool {
    fn new(vocabulary: &Vocabulary, words: &[usize]) -> Result<Self, TaskError> {
        let by_letter = vocabulary.by_letter(words)?;
        Ok(Self {
            words: words.to_vec(),
            letters: by_letter.keys().copied().collect(),
            by_letter,
        })
    }

    fn draw(&self, rng: &mut impl Rng, uniform: f64) -> usize {
        if !rng.random_bool(uniform)
            && let Some(letter) = self.letters.choose(rng)
            && let Some(&word) = self.by_letter[letter].choose(rng)
        {
            return word;
        }
        self.words.choose(rng).copied().unwrap_or_default()
    }
}

/// Token ids of the fixed parts of the formats.
struct Pieces {
    newline: u32,
    comma: u32,
    first: Vec<u32>,
    one: Vec<u32>,
    two: Vec<u32>,
    and: Vec<u32>,
    same: Vec<u32>,
    yes: u32,
    no: u32,
}

impl Pieces {
    fn new(tokenizer: &dyn Tokenize) -> Result<Self, TaskError> {
        let single = |text: &str| -> Result<u32, TaskError> {
            match tokenizer.encode(text)?.as_slice() {
                [id] => Ok(*id),
                ids => Err(TaskError::Tokenizer {
                    text: text.to_owned(),
                    reason: format!("the corpus needs it as one token, and it has {}", ids.len()),
                }),
            }
        };
        let template = Template::verbose();
        Ok(Self {
            newline: single("\n")?,
            comma: single(",")?,
            first: tokenizer.encode(&template.after)?,
            one: tokenizer.encode(" is written with:")?,
            two: tokenizer.encode(" has the letters:")?,
            and: tokenizer.encode(" and")?,
            same: tokenizer.encode(" same letter:")?,
            yes: single(" true")?,
            no: single(" false")?,
        })
    }
}

impl<'a> Corpus<'a> {
    /// Prepares the formats for a tokenizer, its vocabulary and a split; `text` is encoded running
    /// text for [`Format::Text`], one entry a line.
    ///
    /// # Errors
    /// The tokenizer lacks a token that a format needs, the mix is empty or names no probability,
    /// or it asks for text and there is none.
    pub fn new(
        tokenizer: &dyn Tokenize,
        vocabulary: &'a Vocabulary,
        split: &Split,
        plan: CorpusPlan,
        text: Vec<Vec<u32>>,
    ) -> Result<Self, TaskError> {
        let positive = plan
            .mix
            .iter()
            .all(|(formats, share)| !formats.is_empty() && *share > 0.0);
        if plan.mix.is_empty() || !positive || plan.length < 32 {
            return Err(TaskError::Zero {
                what: "every share of the corpus mix, and a length of 32,",
            });
        }
        let wants_text = plan.mix.iter().any(|(formats, _)| formats.contains(&Format::Text));
        if wants_text && text.iter().all(Vec::is_empty) {
            return Err(TaskError::Zero {
                what: "running text for the corpus",
            });
        }
        let mut prefixes: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        for index in vocabulary.indices() {
            let letters = vocabulary.words[index].letters().to_ascii_lowercase();
            prefixes
                .entry(letters.chars().take(2).collect())
                .or_default()
                .push(index);
        }
        let by_prefix: Vec<Vec<usize>> = prefixes.into_values().filter(|words| words.len() > 5).collect();
        let prefix_of = by_prefix
            .iter()
            .enumerate()
            .flat_map(|(i, words)| words.iter().map(move |&w| (w, i)))
            .collect();
        let all = vocabulary.indices();
        Ok(Self {
            all: Pool::new(vocabulary, &all)?,
            train: Pool::new(vocabulary, &split.train)?,
            by_prefix,
            prefix_of,
            answers: *AnswerTokens::new(tokenizer)?.ids(),
            pieces: Pieces::new(tokenizer)?,
            text: text.into_iter().filter(|line| !line.is_empty()).collect(),
            start: tokenizer.bos().unwrap_or_default(),
            vocabulary,
            plan,
        })
    }

    /// The formats with an exact answer that the mix uses.
    #[must_use]
    pub fn graded(&self) -> Vec<Format> {
        let used = |format: &Format| self.plan.mix.iter().any(|(formats, _)| formats.contains(format));
        Format::GRADED.into_iter().filter(used).collect()
    }

    /// Draws one document.
    pub fn document(&self, rng: &mut impl Rng) -> Document {
        let total: f64 = self.plan.mix.iter().map(|(_, share)| share).sum();
        let mut mark = rng.random_range(0.0..total);
        let mut formats = &self.plan.mix[0].0;
        for (candidate, share) in &self.plan.mix {
            formats = candidate;
            mark -= share;
            if mark < 0.0 {
                break;
            }
        }
        self.document_of(formats, rng)
    }

    /// Draws one document that mixes the given formats line by line.
    pub fn document_of(&self, formats: &[Format], rng: &mut impl Rng) -> Document {
        let mut document = Document {
            ids: vec![self.start],
            weights: vec![0.0],
        };
        while document.ids.len() <= self.plan.length {
            if let Some(&format) = formats.choose(rng) {
                self.line(format, rng, &mut document);
            }
        }
        document.ids.truncate(self.plan.length + 1);
        document.weights.truncate(self.plan.length + 1);
        document
    }

    fn line(&self, format: Format, rng: &mut impl Rng, out: &mut Document) {
        let pieces = &self.pieces;
        let uniform = self.plan.uniform;
        let mut say = |ids: &[u32], weight: f32| {
            out.ids.extend_from_slice(ids);
            out.weights.extend(std::iter::repeat_n(weight, ids.len()));
        };
        match format {
            Format::First => {
                let word = self.train.draw(rng, uniform);
                say(&[self.token(word)], 0.0);
                say(&pieces.first, 0.0);
                say(&[self.answers[self.letter(word).index()]], 1.0);
            }
            Format::One => {
                let word = self.all.draw(rng, uniform);
                say(&[self.token(word)], 0.0);
                say(&pieces.one, 0.0);
                say(&[self.answers[self.letter(word).index()]], 1.0);
            }
            Format::Two => {
                let mut word = self.all.draw(rng, uniform);
                while self.vocabulary.words[word].letters().len() < 2 {
                    word = self.all.draw(rng, uniform);
                }
                say(&[self.token(word)], 0.0);
                say(&pieces.two, 0.0);
                for character in self.vocabulary.words[word].letters().chars().take(2) {
                    if let Some(letter) = Letter::from_char(character) {
                        say(&[self.answers[letter.index()]], 1.0);
                    }
                }
            }
            Format::List | Format::PrefixList => {
                let group = self.group(format, rng);
                let count = rng.random_range(3..=self.plan.list_longest.max(3));
                for i in 0..count {
                    if i > 0 {
                        say(&[pieces.comma], 0.0);
                    }
                    let weight = if i > 0 { self.plan.list_weight } else { 0.0 };
                    say(&[self.token(group.choose(rng).copied().unwrap_or_default())], weight);
                }
            }
            Format::Same => {
                let first = self.all.draw(rng, uniform);
                let letter = self.letter(first);
                let second = if rng.random_bool(0.5) {
                    self.all.by_letter[&letter].choose(rng).copied().unwrap_or(first)
                } else {
                    self.all.draw(rng, uniform)
                };
                say(&[self.token(first)], 0.0);
                say(&pieces.and, 0.0);
                say(&[self.token(second)], 0.0);
                say(&pieces.same, 0.0);
                say(
                    &[if self.letter(second) == letter {
                        pieces.yes
                    } else {
                        pieces.no
                    }],
                    1.0,
                );
            }
            Format::Text => {
                if let Some(line) = self.text.choose(rng) {
                    say(line, self.plan.text_weight);
                }
            }
        }
        say(&[pieces.newline], 0.0);
    }

    /// Words that share a first letter, or the first two.
    fn group(&self, format: Format, rng: &mut impl Rng) -> &[usize] {
        loop {
            let word = self.all.draw(rng, self.plan.uniform);
            if format == Format::List {
                return &self.all.by_letter[&self.letter(word)];
            }
            if let Some(&group) = self.prefix_of.get(&word) {
                return &self.by_prefix[group];
            }
        }
    }

    fn token(&self, word: usize) -> u32 {
        self.vocabulary.words[word].token
    }

    fn letter(&self, word: usize) -> Letter {
        self.vocabulary.words[word].letter
    }
}
