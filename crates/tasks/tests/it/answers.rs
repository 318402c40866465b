//! Letters and the tokens that answer.

use tasks::{AnswerTokens, Letter, TaskError, Tokenize, parse_letters};

use crate::toy::Toy;

#[test]
fn letters() {
    let all: Vec<Letter> = Letter::all().collect();
    assert_eq!(all.len(), Letter::COUNT);
    assert!(
        all.iter()
            .enumerate()
            .all(|(index, letter)| letter.index() == index && Letter::from_index(index) == Some(*letter))
    );
    assert_eq!(Letter::from_index(26), None);
    let c: Letter = "C".parse().expect("a letter");
    assert_eq!(
        (c.index(), c.upper(), c.lower(), c.answer_text().as_str()),
        (2, 'C', 'c', " C")
    );
    assert_eq!(c.to_string(), "c");
    assert_eq!(Letter::from_char('é'), None);
    assert_eq!(serde_json::to_string(&c).expect("serialise"), "\"c\"");
    assert_eq!(serde_json::from_str::<Letter>("\"C\"").expect("parse"), c);
    assert!(serde_json::from_str::<Letter>("\"cc\"").is_err());
    for text in ["", "cc", "1", "é", "-"] {
        assert!(text.parse::<Letter>().is_err(), "{text}");
    }
}

#[test]
fn letter_lists() {
    let parse =
        |text: &str| parse_letters(text).map(|letters| letters.into_iter().map(Letter::lower).collect::<String>());
    for (text, expected) in [
        ("a", "a"),
        ("c,a,B,a", "abc"),
        (" x - z , a", "axyz"),
        ("a-z", "abcdefghijklmnopqrstuvwxyz"),
        ("q-q", "q"),
    ] {
        assert_eq!(parse(text).expect(text), expected);
    }
    for text in ["", "a,", ",a", "abc", "z-a", "a-", "1-3", "a b"] {
        let message = parse(text).expect_err(text).to_string();
        assert!(
            message.contains(&format!("`{text}`")) && message.contains("hint: "),
            "{message}"
        );
    }
}

#[test]
fn answer_tokens() {
    let toy = Toy::full();
    let answers = AnswerTokens::new(&toy).expect("26 answers");
    assert!(answers.warnings.is_empty());
    for letter in Letter::all() {
        assert_eq!(toy.token_string(answers.id(letter)), Some(letter.answer_text()));
        assert_eq!(answers.ids()[letter.index()], answers.id(letter));
    }
}

#[test]
fn answers_of_two_tokens_are_a_warning() {
    // ` Q` becomes ` ` and the byte token of `Q`.
    let toy = Toy::full().unreachable(&[" Q"]);
    let answers = AnswerTokens::new(&toy).expect("26 answers");
    let [warning] = &answers.warnings[..] else {
        panic!("one warning")
    };
    assert_eq!((warning.letter.lower(), warning.tokens.len()), ('q', 2));
    assert_eq!(answers.id(warning.letter), toy.id("<0x51>"));
}

/// Encodes every text as its length.
struct Length(usize);

impl Tokenize for Length {
    fn encode(&self, text: &str) -> Result<Vec<u32>, TaskError> {
        Ok(vec![u32::try_from(text.len()).expect("short"); self.0])
    }
    fn token_string(&self, _: u32) -> Option<String> {
        None
    }
    fn vocab_size(&self) -> usize {
        0
    }
    fn bos(&self) -> Option<u32> {
        None
    }
}

#[test]
fn shared_or_missing_answers_are_errors() {
    let shared = AnswerTokens::new(&Length(1)).expect_err("all answers are token 2");
    assert!(matches!(shared, TaskError::AnswerCollision { id: 2, .. }));
    assert!(shared.to_string().contains("` A` and ` B`"), "{shared}");
    assert!(matches!(
        AnswerTokens::new(&Length(0)),
        Err(TaskError::AnswerEmpty { .. })
    ));
}
