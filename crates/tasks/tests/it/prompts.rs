//! Prompt text, token ids, and the words that do not fit.

use tasks::{DropReason, IclPlan, IclRequest, PromptSet, TaskError, Template, Tokenize, Word, build_prompts, draw_icl};

use crate::toy::Toy;

fn build(toy: &Toy, template: &Template, plan: IclPlan, texts: &[&str]) -> Result<PromptSet, TaskError> {
    let words = toy.words();
    // Examples that encode in the ordinary way.
    let pool: Vec<usize> = ["one", "two", "three", "four"]
        .iter()
        .flat_map(|end| ('a'..='h').map(move |c| format!(" {c}{end}")))
        .filter_map(|text| words.find(&text))
        .collect();
    let queries: Vec<usize> = texts.iter().map(|text| words.find(text).expect("a word")).collect();
    let request = IclRequest {
        vocabulary: &words,
        template,
        words: &queries,
        pool: &pool,
        examples: 10,
        plan,
        seed: 1,
        purpose: "test",
    };
    build_prompts(toy, template, &words, draw_icl(&request)?)
}

const FRESH: IclPlan = IclPlan::Fresh { prompts_per_word: 1 };
const SHARED: IclPlan = IclPlan::Shared {
    sets: 3,
    prompts_per_word: 2,
};

#[test]
fn text_of_the_paper() {
    let word = |text| Word::new(text, 0).expect("a word");
    let examples = [word("tartan"), word("mirth")];
    assert_eq!(
        Template::verbose().prompt(&examples, &word("dog")),
        "tartan has the first letter: T\nmirth has the first letter: M\ndog has the first letter:"
    );
    assert_eq!(
        Template::short().prompt(&examples[..1], &word(" dog")),
        "tartan: T\n dog:"
    );
    let saebench = Template {
        leading_separator: true,
        ..Template::verbose()
    };
    assert!(saebench.prompt(&examples, &word("dog")).starts_with("\ntartan has"));
    assert_eq!(Template::verbose().prefix([]), "");
}

#[test]
fn template_texts() {
    assert_eq!(
        Template::parse("{word} has the first letter:").expect("a template"),
        Template::verbose()
    );
    assert_eq!(Template::parse("{word}:").expect("a template"), Template::short());
    let question = Template::parse("The word {word} begins with").expect("a template");
    let word = Word::new("dog", 0).expect("a word");
    assert_eq!(
        question.prompt([&word], &word),
        "The word dog begins with D\nThe word dog begins with"
    );
    for text in ["", "word", "{word}{word}"] {
        let message = Template::parse(text).expect_err(text).to_string();
        assert!(message.contains("hint: "), "{message}");
    }
}

#[test]
fn ids_and_positions() {
    let toy = Toy::full();
    let texts = [" zone", "Zcap", "zfrag", " aone"];
    for plan in [FRESH, SHARED] {
        for (template, tail) in [
            (Template::verbose(), vec![" has", " the", " first", " letter", ":"]),
            (Template::short(), vec![":"]),
        ] {
            let set = build(&toy, &template, plan, &texts).expect("prompts");
            assert_eq!(set.tail, tail.iter().map(|text| toy.id(text)).collect::<Vec<_>>());
            assert_eq!(set.suffix_len(), tail.len() + 1);
            assert!(set.report.dropped.is_empty());
            assert_eq!(set.report.words, 4);
            let words = toy.words();
            for prompt in &set.prompts {
                let word = &words.words[prompt.word];
                assert_eq!(prompt.ids[0], toy.id("<bos>"));
                assert_eq!(prompt.ids[prompt.word_position], word.token);
                assert_eq!(prompt.word_position, prompt.ids.len() - set.suffix_len());
                assert_eq!(prompt.prefix_len, prompt.word_position);
                assert_eq!(prompt.ids[..prompt.prefix_len], set.prefixes[prompt.icl]);
                assert_eq!(set.suffix(prompt)[1..], set.tail);
                // The whole prompt, rendered and encoded at once.
                let examples = set.sets[prompt.icl].words.iter().map(|&index| &words.words[index]);
                assert_eq!(
                    prompt.ids[1..],
                    toy.encode(&template.prompt(examples, word)).expect("ids")
                );
            }
        }
    }
}

#[test]
fn no_bos() {
    let mut toy = Toy::full();
    let with = build(&toy, &Template::verbose(), SHARED, &[" zone"]).expect("prompts");
    toy.bos = None;
    let without = build(&toy, &Template::verbose(), SHARED, &[" zone"]).expect("prompts");
    assert_eq!(with.prompts[0].ids[1..], without.prompts[0].ids);
    assert_eq!(with.prompts[0].word_position, without.prompts[0].word_position + 1);
}

#[test]
fn words_that_do_not_fit_are_reported() {
    let mut words: Vec<String> = ('a'..='z')
        .flat_map(|c| ["one", "two", "three", "four"].map(|end| format!(" {c}{end}")))
        .collect();
    // A token over the line break, one over the word's end, and a word that is never produced.
    words.extend(["zoo", "\nzoo", " on", " on has", " qux", "pea"].map(str::to_owned));
    let toy = Toy::new(&words).unreachable(&[" qux"]);
    let texts = [" aone", "zoo", " on", " qux", "pea"];
    for plan in [FRESH, SHARED] {
        let set = build(&toy, &Template::verbose(), plan, &texts).expect("two words are left");
        let dropped: Vec<(&str, &DropReason)> = set
            .report
            .dropped
            .iter()
            .map(|d| (d.text.as_str(), &d.reason))
            .collect();
        let pieces = [" ", "q", "u", "x"].map(str::to_owned).to_vec();
        assert_eq!(
            dropped,
            [
                (" on", &DropReason::TailChanged),
                (" qux", &DropReason::Split { pieces }),
                ("zoo", &DropReason::PrefixChanged)
            ]
        );
        assert_eq!(set.report.words, 5);
        let vocabulary = toy.words();
        assert!(
            set.prompts
                .iter()
                .all(|prompt| [" aone", "pea"].contains(&vocabulary.words[prompt.word].text.as_str()))
        );
        let text = serde_json::to_string(&set).expect("serialise");
        assert_eq!(serde_json::from_str::<PromptSet>(&text).expect("parse"), set);
    }
}

#[test]
fn a_tokenizer_that_splits_every_word() {
    let all = ["one", "two", "three", "four"]
        .iter()
        .flat_map(|end| ('a'..='e').map(move |c| format!(" {c}{end}")))
        .collect::<Vec<_>>();
    let texts: Vec<&str> = all.iter().map(String::as_str).collect();
    let toy = Toy::new(&all).unreachable(&texts);
    let error = build(&toy, &Template::verbose(), FRESH, &texts[..2]).expect_err("every word is split");
    assert!(matches!(error, TaskError::EveryWordDropped { words: 2, .. }));
    let message = error.to_string();
    for part in ["no word of 2", "` aone`", "`o`, `n`, `e`", "hint: ", "--template"] {
        assert!(message.contains(part), "`{part}` is not in: {message}");
    }
    assert!(matches!(
        build(&toy, &Template::verbose(), FRESH, &[]),
        Err(TaskError::NothingSelected { .. })
    ));
}

#[test]
fn hash_is_of_the_ids() {
    let toy = Toy::full();
    let hash = |template: &Template, texts: &[&str]| build(&toy, template, SHARED, texts).expect("prompts").hash();
    let verbose = hash(&Template::verbose(), &[" zone", "Zcap"]);
    assert_eq!(verbose.len(), 64);
    assert_eq!(verbose, hash(&Template::verbose(), &[" zone", "Zcap"]));
    assert_ne!(verbose, hash(&Template::verbose(), &["Zcap", " zone"]));
    assert_ne!(verbose, hash(&Template::short(), &[" zone", "Zcap"]));
}

#[test]
fn examples_are_pinned() {
    // As in `sampling::draws_are_pinned`: other hashes mean other prompts for every user.
    let toy = Toy::full();
    let hash = |plan| {
        build(&toy, &Template::verbose(), plan, &[" zone", "Zcap"])
            .expect("prompts")
            .hash()
    };
    assert_eq!(
        hash(SHARED),
        "7ffaeebe16e0e1722a01a33ff0e3985297a4f7abf0eb0f76d8fd5e5369f9b0cd"
    );
    assert_eq!(
        hash(FRESH),
        "89740051ba41bc15d406e1ebf78960ed45b91841094a7f0d8000739a96d18f07"
    );
}
