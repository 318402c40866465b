//! Splits, selections, off-target words and partners.

use proptest::prelude::*;
use std::collections::BTreeSet;
use tasks::{
    Letter, OffTargetRequest, PartnerMatch, PartnerRequest, SelectionRequest, Split, TaskError, Vocabulary, off_target,
    parse_letters, partners, select_words,
};

use crate::toy::Toy;

fn union(split: &Split) -> Vec<usize> {
    let mut all = [&split.train[..], &split.test].concat();
    all.sort_unstable();
    all
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn splits_divide_the_vocabulary(seed in any::<u64>()) {
        let words = Toy::full().words();
        for split in [Split::random(&words, seed), Split::stratified(&words, seed)] {
            let split = split.expect("a split");
            prop_assert_eq!(union(&split), words.indices());
            prop_assert!(split.train.is_sorted() && split.test.is_sorted());
        }
        let random = Split::random(&words, seed).expect("a split");
        prop_assert_eq!(random.train.len(), (0.8 * words.len() as f64) as usize);
        let stratified = Split::stratified(&words, seed).expect("a split");
        prop_assert_eq!(words.by_letter(&stratified.test).expect("letters").len(), 26);
        prop_assert_eq!(words.by_letter(&stratified.train).expect("letters").len(), 26);
        prop_assert_eq!(random, Split::random(&words, seed).expect("a split"));
    }
}

#[test]
fn seeds_matter() {
    let words = Toy::full().words();
    assert_ne!(
        Split::random(&words, 1).expect("a split"),
        Split::random(&words, 2).expect("a split")
    );
}

#[test]
fn held_out_words() {
    let words = Toy::full().words();
    let split = Split::from_test_words(&words, &[" zone", "Acap", " zone"]).expect("a split");
    let texts: Vec<&str> = split
        .test
        .iter()
        .map(|&index| words.words[index].text.as_str())
        .collect();
    assert_eq!(texts, [" zone", "Acap"]);
    assert_eq!(union(&split), words.indices());
    let error = Split::from_test_words(&words, &[" zone", "zone", "acap"]).expect_err("unknown words");
    assert!(
        matches!(&error, TaskError::UnknownWords { total: 2, words } if words == &["zone", "acap"]),
        "{error}"
    );
    assert!(error.to_string().contains("leading space"), "{error}");
    let none: [&str; 0] = [];
    assert!(matches!(
        Split::from_test_words(&words, &none),
        Err(TaskError::EmptySplit { part: "test", .. })
    ));
    let all: Vec<&str> = words.words.iter().map(|word| word.text.as_str()).collect();
    assert!(matches!(
        Split::from_test_words(&words, &all),
        Err(TaskError::EmptySplit { part: "train", .. })
    ));
}

fn request<'a>(vocabulary: &'a Vocabulary, part: &'a [usize]) -> SelectionRequest<'a> {
    SelectionRequest {
        vocabulary,
        part,
        per_letter: 3,
        minimum: 1,
        letters: None,
        seed: 1,
        purpose: "test",
    }
}

#[test]
fn selection() {
    let words = Toy::full().words();
    let all = words.indices();
    let selection = select_words(&request(&words, &all)).expect("words");
    assert!(selection.dropped.is_empty());
    assert_eq!(selection.letters.len(), 26);
    for (letter, chosen) in &selection.letters {
        assert_eq!(chosen.len(), 3);
        assert!(chosen.iter().all(|&index| words.words[index].letter == *letter));
    }
    assert_eq!(selection.words().len(), 78);
    assert_eq!(selection, select_words(&request(&words, &all)).expect("words"));
    let larger = select_words(&SelectionRequest {
        per_letter: 5,
        ..request(&words, &all)
    })
    .expect("words");
    let larger: BTreeSet<usize> = larger.words().into_iter().collect();
    assert!(
        selection.words().iter().all(|word| larger.contains(word)),
        "a larger cap extends a smaller one"
    );
    let letters = parse_letters("q,x-z").expect("letters");
    let some = select_words(&SelectionRequest {
        letters: Some(&letters),
        ..request(&words, &all)
    })
    .expect("words");
    assert_eq!(some.letters.keys().copied().collect::<Vec<_>>(), letters);
    assert!(
        some.letters
            .iter()
            .all(|(letter, chosen)| selection.letters[letter] == *chosen),
        "letters are independent"
    );
}

#[test]
fn selections_that_lack_words() {
    let words = Toy::full().words();
    let part: Vec<usize> = [" aone", " atwo", " athree", " bone"]
        .iter()
        .filter_map(|text| words.find(text))
        .collect();
    let base = SelectionRequest {
        minimum: 2,
        ..request(&words, &part)
    };
    let selection = select_words(&base).expect("the letter a");
    assert_eq!(selection.words().len(), 3);
    let dropped: Vec<(char, usize)> = selection.dropped.iter().map(|d| (d.letter.lower(), d.found)).collect();
    assert_eq!(dropped.len(), 25);
    assert_eq!(dropped[..2], [('b', 1), ('c', 0)]);
    let letters = parse_letters("a,c").expect("letters");
    let error = select_words(&SelectionRequest {
        letters: Some(&letters),
        ..base
    })
    .expect_err("no word with c");
    assert!(matches!(error, TaskError::LetterWithoutWords { letter } if letter.lower() == 'c'));
    let letters = parse_letters("a,b").expect("letters");
    let selection = select_words(&SelectionRequest {
        letters: Some(&letters),
        ..base
    })
    .expect("the letter a");
    assert_eq!(selection.dropped.len(), 1, "b is there, and has too few words");
    assert!(matches!(
        select_words(&SelectionRequest { minimum: 9, ..base }),
        Err(TaskError::NothingSelected { .. })
    ));
    assert!(matches!(
        select_words(&SelectionRequest { per_letter: 0, ..base }),
        Err(TaskError::Zero { .. })
    ));
    assert!(matches!(
        select_words(&SelectionRequest {
            part: &[usize::MAX],
            ..base
        }),
        Err(TaskError::BadIndex { .. })
    ));
}

#[test]
fn off_target_words() {
    let words = Toy::full().words();
    let all = words.indices();
    let letters: Vec<Letter> = parse_letters("a,q").expect("letters");
    let request = OffTargetRequest {
        vocabulary: &words,
        pool: &all,
        letters: &letters,
        per_letter: 2,
        seed: 1,
    };
    let samples = off_target(&request).expect("words");
    assert_eq!(samples.iter().map(|sample| sample.letter).collect::<Vec<_>>(), letters);
    for sample in &samples {
        assert_eq!(sample.words.len(), 50);
        assert_eq!(words.by_letter(&sample.words).expect("letters").len(), 25);
        assert!(
            sample
                .words
                .iter()
                .all(|&index| words.words[index].letter != sample.letter)
        );
    }
    assert_eq!(samples, off_target(&request).expect("words"));
    let only_a: Vec<usize> = [" aone", " atwo"].iter().filter_map(|text| words.find(text)).collect();
    let error = off_target(&OffTargetRequest {
        pool: &only_a,
        ..request
    })
    .expect_err("no other letter");
    assert!(error.to_string().contains("`a`"), "{error}");
    assert!(matches!(
        off_target(&OffTargetRequest {
            per_letter: 0,
            ..request
        }),
        Err(TaskError::Zero { .. })
    ));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn partners_differ_in_the_letter_only(seed in any::<u64>()) {
        let words = Toy::full().words();
        let all = words.indices();
        let pairs = partners(&PartnerRequest { vocabulary: &words, words: &all, pool: &all, seed }).expect("partners");
        prop_assert_eq!(pairs.iter().map(|pair| pair.word).collect::<Vec<_>>(), all);
        for pair in pairs {
            let (word, partner) = (&words.words[pair.word], &words.words[pair.partner]);
            prop_assert_ne!(word.letter, partner.letter);
            prop_assert_eq!(pair.matched, PartnerMatch::SpaceAndCase);
            prop_assert_eq!(word.stratum.leading_space, partner.stratum.leading_space);
            prop_assert_eq!(word.stratum.case, partner.stratum.case);
        }
    }
}

#[test]
fn partners_fall_back() {
    let words = Toy::full().words();
    let find = |texts: &[&str]| {
        texts
            .iter()
            .map(|text| words.find(text).expect("a word"))
            .collect::<Vec<_>>()
    };
    let matched = |word: &str, pool: &[&str]| {
        let (word, pool) = (find(&[word]), find(pool));
        partners(&PartnerRequest {
            vocabulary: &words,
            words: &word,
            pool: &pool,
            seed: 0,
        })
        .map(|pairs| pairs[0].matched)
    };
    assert_eq!(
        matched(" aone", &[" bone", "Bcap", " atwo"]).expect("a partner"),
        PartnerMatch::SpaceAndCase
    );
    assert_eq!(
        matched("Acap", &["bfrag", " bone", "Acap"]).expect("a partner"),
        PartnerMatch::Space
    );
    assert_eq!(
        matched("Acap", &[" bone", "Acap"]).expect("a partner"),
        PartnerMatch::Nothing
    );
    assert!(matched("Acap", &[" aone", "Acap"]).is_err());
}

#[test]
fn draws_are_pinned() {
    // A change of these numbers changes every result: it needs a line in the changelog.
    let words = Toy::full().words();
    let all = words.indices();
    let split = Split::random(&words, 0).expect("a split");
    assert_eq!(split.test[..4], [1, 3, 6, 15]);
    let selection = select_words(&request(&words, &all)).expect("words");
    assert_eq!(selection.words()[..4], [161, 238, 241, 1]);
}
