//! Other questions about the same word.
//!
//! An edit that removes the first letter of a word should leave the rest of the word alone. Each [`Attribute`] asks for something
//! else; [`ask_instead`] asks it of words that already have prompts, after the same examples in the same order, so that nothing but the
//! question differs. Deliberately absent: whether a model knows the answers, which is measured and not assumed.

use serde::{Deserialize, Serialize};

use crate::answer::{AnswerFormat, AnswerStyle};
use crate::{
    Assignment, Case, IclDraw, IclSet, Prompt, PromptSet, TaskError, Template, Tokenize, Vocabulary, Word,
    build_prompts,
};

/// What is asked instead of the first letter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Attribute {
    /// `cat` gives `" T"`.
    LastLetter,
    /// `cat` gives `" 3"`.
    Length,
    /// ` Cat` gives `" Cat"`: the word itself, as it is cased, with a leading space.
    Copy,
    /// `Cat` gives `" yes"`, `cat` gives `" no"`: whether it begins with a capital.
    Capitalisation,
}

impl Attribute {
    /// All of them, in the order of tables.
    pub const ALL: [Self; 4] = [Self::LastLetter, Self::Length, Self::Copy, Self::Capitalisation];

    /// Name in records.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::LastLetter => "last_letter",
            Self::Length => "length",
            Self::Copy => "copy",
            Self::Capitalisation => "capitalisation",
        }
    }

    /// The line that asks.
    #[must_use]
    pub fn template(self) -> Template {
        let after = match self {
            Self::LastLetter => " has the last letter:",
            Self::Length => " has this many letters:",
            Self::Copy => " is the same word as:",
            Self::Capitalisation => " begins with a capital:",
        };
        Template {
            after: after.to_owned(),
            ..Template::verbose()
        }
    }

    /// The right answer, with its leading space.
    #[must_use]
    pub fn answer(self, word: &Word) -> String {
        match self {
            // A word has at least one letter, so it has a last one.
            Self::LastLetter => AnswerFormat::LastLetter
                .text(&word.text, &AnswerStyle::paper())
                .unwrap_or_default(),
            Self::Length => format!(" {}", word.stratum.length),
            Self::Copy => format!(" {}", word.letters()),
            Self::Capitalisation => match word.stratum.case {
                Case::Upper | Case::Capitalised => " yes".to_owned(),
                Case::Mixed if word.letters().starts_with(|c: char| c.is_ascii_uppercase()) => " yes".to_owned(),
                Case::Lower | Case::Mixed => " no".to_owned(),
            },
        }
    }
}

/// Prompts of one question, and what should be said.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Question {
    /// What is asked.
    pub attribute: Attribute,
    /// The prompts.
    pub prompts: PromptSet,
    /// The first token of each prompt's answer, in the order of the prompts.
    pub answers: Vec<u32>,
}

/// Asks for `attribute` where `asked`, some prompts of `prompts`, ask for the first letter: the same words, the same examples.
///
/// Where the tokenizer begins every answer with the same token, as one that writes the space before a digit as a token of its own, that
/// token is given as the end of the prompt: the next one is the first that tells answers apart.
///
/// # Errors
/// As [`build_prompts`]; also [`TaskError::AnswerWithoutTokens`] if an answer has no token.
pub fn ask_instead(
    tokenizer: &dyn Tokenize,
    vocabulary: &Vocabulary,
    prompts: &PromptSet,
    asked: impl IntoIterator<Item = usize>,
    attribute: Attribute,
) -> Result<Question, TaskError> {
    let template = attribute.template();
    let render = |set: &IclSet| -> Result<IclSet, TaskError> {
        let mut prefix_text = String::new();
        for &index in &set.words {
            let word = vocabulary.word(index)?;
            prefix_text += &template.line(word);
            prefix_text += &attribute.answer(word);
            prefix_text += &template.separator;
        }
        Ok(IclSet {
            prefix_text,
            ..set.clone()
        })
    };
    let assignments = asked.into_iter().filter_map(|at| prompts.prompts.get(at));
    let draw = IclDraw {
        sets: prompts.sets.iter().map(render).collect::<Result<_, _>>()?,
        assignments: assignments
            .map(|p: &Prompt| Assignment {
                word: p.word,
                icl: p.icl,
            })
            .collect(),
    };
    let mut built = build_prompts(tokenizer, &template, vocabulary, draw)?;
    let answers = built
        .prompts
        .iter()
        .map(|prompt| {
            let text = attribute.answer(vocabulary.word(prompt.word)?);
            match tokenizer.encode(&text)? {
                tokens if tokens.is_empty() => Err(TaskError::AnswerWithoutTokens { text }),
                tokens => Ok(tokens),
            }
        })
        .collect::<Result<Vec<_>, TaskError>>()?;
    let shared = shared_start(&answers);
    let lead = answers[0][..shared].to_vec();
    for prompt in &mut built.prompts {
        prompt.ids.extend(&lead);
    }
    built.tail.extend(&lead);
    Ok(Question {
        attribute,
        prompts: built,
        answers: answers.iter().map(|tokens| tokens[shared]).collect(),
    })
}

/// How many tokens all answers begin with, each keeping at least one behind them; none where all answers are one.
fn shared_start(answers: &[Vec<u32>]) -> usize {
    if answers.iter().all(|tokens| *tokens == answers[0]) {
        return 0;
    }
    let most = answers.iter().map(|tokens| tokens.len() - 1).min().unwrap_or(0);
    (0..most)
        .take_while(|&at| answers.iter().all(|tokens| tokens[at] == answers[0][at]))
        .count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: [&str; 4]) {
        let word = Word::new(text, 0).expect("a word");
        assert_eq!(Attribute::ALL.map(|a| a.answer(&word)), expected.map(str::to_owned));
    }

    #[test]
    fn answers() {
        check("cat", [" T", " 3", " cat", " no"]);
        check(" Cat", [" T", " 3", " Cat", " yes"]);
        check(" A", [" A", " 1", " A", " yes"]);
        check("iPhone", [" E", " 6", " iPhone", " no"]);
        check("PhD", [" D", " 3", " PhD", " yes"]);
    }

    #[test]
    fn a_shared_space_token_is_given_and_a_shared_answer_is_not() {
        assert_eq!(shared_start(&[vec![7, 1], vec![7, 2]]), 1);
        assert_eq!(shared_start(&[vec![7, 1], vec![7]]), 0);
        assert_eq!(shared_start(&[vec![7, 1], vec![7, 1]]), 0);
        assert_eq!(shared_start(&[vec![1], vec![2]]), 0);
    }
}
