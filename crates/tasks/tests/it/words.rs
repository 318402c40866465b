//! The filter of the paper, duplicates, strata.

use tasks::{Case, Stratum, TaskError, Tokenize, Vocabulary, Word, vocabulary};

use crate::toy::Toy;

#[test]
fn filter() {
    for (text, letter) in [
        ("cat", 'c'),
        (" cat", 'c'),
        (" Cat", 'c'),
        ("CAT", 'c'),
        ("z", 'z'),
        (" null", 'n'),
        ("NaN", 'n'),
    ] {
        let word = Word::new(text, 7).expect(text);
        assert_eq!((word.text.as_str(), word.token, word.letter.lower()), (text, 7, letter));
        assert_eq!(word.letters(), text.trim_start());
    }
    for text in [
        "",
        " ",
        "  cat",
        "cat ",
        "ca t",
        "cat1",
        "don't",
        "naïve",
        "é",
        "ßa",
        "<bos>",
        "\ncat",
        "\tcat",
        "▁cat",
        "Ωmega",
        "cat\u{301}",
    ] {
        assert_eq!(Word::new(text, 7), None, "{text:?}");
    }
}

#[test]
fn strata() {
    let check = |text: &str, leading_space, case, length, fragment| {
        let expected = Stratum {
            leading_space,
            case,
            length,
            fragment,
        };
        assert_eq!(Word::new(text, 0).expect(text).stratum, expected, "{text}");
    };
    check(" cat", true, Case::Lower, 3, false);
    check("cat", false, Case::Lower, 3, true);
    check("Cat", false, Case::Capitalised, 3, false);
    check(" Cat", true, Case::Capitalised, 3, false);
    check("CAT", false, Case::Upper, 3, false);
    check("A", false, Case::Upper, 1, false);
    check(" a", true, Case::Lower, 1, false);
    check("cAt", false, Case::Mixed, 3, true);
    check(" CaT", true, Case::Mixed, 3, false);
    check("CAt", false, Case::Mixed, 3, false);
}

#[test]
fn duplicates_keep_the_token_that_is_encoded() {
    // Byte tokens exist for all letters; `A` also has a token of its own, before which the byte token comes.
    let toy = Toy::new(&["A", " cat", "cat"]);
    let words = toy.words();
    assert_eq!(words.duplicates_removed, 1);
    // 52 letters, ` A` to ` Z`, four template words, ` cat` and `cat`.
    assert_eq!(words.len(), 52 + 26 + 4 + 2);
    assert_eq!(words.entries, toy.vocab_size());
    let token = |words: &Vocabulary, text| words.words[words.find(text).expect("a word")].token;
    assert_eq!(token(&words, "A"), toy.id("A"));
    assert_eq!(token(&words, "B"), toy.id("<0x42>"));
    // If encoding gives the byte token, that is the word.
    let unreachable = Toy::new(&["A"]).unreachable(&["A"]);
    assert_eq!(token(&unreachable.words(), "A"), unreachable.id("<0x41>"));
}

#[test]
fn order_and_lookup() {
    let forward = Toy::new(&["dog", " cat", "cat", "Cat"]).words();
    let backward = Toy::new(&["Cat", "cat", " cat", "dog"]).words();
    let texts = |words: &Vocabulary| words.words.iter().map(|word| word.text.clone()).collect::<Vec<_>>();
    assert_eq!(texts(&forward), texts(&backward));
    assert!(forward.words.is_sorted_by(|a, b| a.text < b.text));
    assert!(
        forward
            .words
            .iter()
            .enumerate()
            .all(|(index, word)| forward.find(&word.text) == Some(index))
    );
    assert_eq!(forward.find("  cat"), None);
    assert_eq!(forward.indices().len(), forward.len());
    assert!(!forward.is_empty());
    let text = serde_json::to_string(&forward).expect("serialise");
    assert_eq!(serde_json::from_str::<Vocabulary>(&text).expect("parse"), forward);
}

/// A tokenizer of digits.
struct Digits;

impl Tokenize for Digits {
    fn encode(&self, _: &str) -> Result<Vec<u32>, TaskError> {
        Ok(Vec::new())
    }
    fn token_string(&self, id: u32) -> Option<String> {
        (id != 3).then(|| id.to_string())
    }
    fn vocab_size(&self) -> usize {
        10
    }
    fn bos(&self) -> Option<u32> {
        None
    }
}

#[test]
fn no_words() {
    let error = vocabulary(&Digits).expect_err("no words");
    assert!(matches!(error, TaskError::NoWords { entries: 10 }), "{error}");
}
