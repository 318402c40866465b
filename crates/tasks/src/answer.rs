//! The answer texts of spelling tasks (Chanin et al. 2024, released code, `prompting.py`).
//!
//! The benchmark asks for the first letter, whose answer is [`Letter::answer_text`](crate::Letter::answer_text); the other formats write
//! the lines from which the embedded model learns to spell.

/// What is said about a word. Characters that are not alphabetic are left out first, so a leading space does not count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AnswerFormat {
    /// `cat` gives `" C"`.
    FirstLetter,
    /// `cat` gives `" T"`.
    LastLetter,
    /// The letter at this position, from 0: `cat` at 1 gives `" A"`.
    FromStart(usize),
    /// The letter this far from the end, from 1: `cat` at 1 gives `" T"`.
    FromEnd(usize),
    /// All letters, joined by this text: `cat` with `-` gives `" C-A-T"`.
    Spelling(String),
}

/// How an answer is dressed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AnswerStyle {
    /// Text before the answer.
    pub prefix: String,
    /// Whether letters are upper-cased.
    pub capitalise: bool,
}

impl AnswerStyle {
    /// The style of the paper: a space, and capitals.
    #[must_use]
    pub fn paper() -> Self {
        Self {
            prefix: " ".to_owned(),
            capitalise: true,
        }
    }
}

impl AnswerFormat {
    /// The answer for `word`, or `None` if the word has no such letter.
    #[must_use]
    pub fn text(&self, word: &str, style: &AnswerStyle) -> Option<String> {
        let letters: Vec<char> = word.chars().filter(|c| c.is_alphabetic()).collect();
        let one = |letter: Option<&char>| letter.map(|&letter| dress(letter, style));
        let body = match self {
            Self::FirstLetter => one(letters.first())?,
            Self::LastLetter => one(letters.last())?,
            Self::FromStart(position) => one(letters.get(*position))?,
            Self::FromEnd(distance) => one(letters
                .len()
                .checked_sub(*distance)
                .and_then(|position| letters.get(position)))?,
            Self::Spelling(_) if letters.is_empty() => return None,
            Self::Spelling(separator) => letters
                .iter()
                .map(|&letter| dress(letter, style))
                .collect::<Vec<_>>()
                .join(separator),
        };
        Some(format!("{}{body}", style.prefix))
    }
}

fn dress(letter: char, style: &AnswerStyle) -> String {
    if style.capitalise {
        letter.to_uppercase().collect()
    } else {
        letter.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::AnswerFormat::{FirstLetter, FromEnd, FromStart, LastLetter, Spelling};
    use super::{AnswerFormat, AnswerStyle};

    #[track_caller]
    fn check(format: &AnswerFormat, word: &str, expected: Option<&str>) {
        assert_eq!(
            format.text(word, &AnswerStyle::paper()).as_deref(),
            expected,
            "{format:?} of {word}"
        );
    }

    #[test]
    fn published_formats() {
        check(&FirstLetter, "cat", Some(" C"));
        check(&FirstLetter, " cat", Some(" C"));
        check(&FirstLetter, "'cat", Some(" C"));
        check(&LastLetter, "cat", Some(" T"));
        check(&LastLetter, " cat!", Some(" T"));
        check(&FromStart(0), " cat", Some(" C"));
        check(&FromStart(1), "cat", Some(" A"));
        check(&FromEnd(1), "cat", Some(" T"));
        check(&FromEnd(3), "cat", Some(" C"));
        check(&Spelling("-".to_owned()), "cat", Some(" C-A-T"));
        check(&Spelling(" ".to_owned()), " Cat", Some(" C A T"));
    }

    #[test]
    fn missing_letters() {
        for format in [FirstLetter, LastLetter, Spelling("-".to_owned())] {
            check(&format, " 42", None);
        }
        check(&FromStart(3), "cat", None);
        check(&FromEnd(4), "cat", None);
        check(&FromEnd(0), "cat", None);
    }

    #[test]
    fn style() {
        let style = AnswerStyle {
            prefix: String::new(),
            capitalise: false,
        };
        assert_eq!(Spelling("-".to_owned()).text("Cat", &style).as_deref(), Some("C-a-t"));
        assert_eq!(FirstLetter.text("cat", &style).as_deref(), Some("c"));
    }
}
