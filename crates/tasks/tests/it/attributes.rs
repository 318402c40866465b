//! Other questions about the same words.

use tasks::{
    Assignment, Attribute, IclDraw, IclSet, PromptSet, Question, TaskError, Template, ask_instead, build_prompts,
};

use crate::toy::Toy;

const WORDS: [&str; 6] = ["cat", " Cat", "dog", "horse", " mouse", "PIG"];

fn toy() -> Toy {
    let rest = [
        " last", " this", " many", "s", " is", " same", " word", " as", " begins", " with", " a", " capital",
    ];
    let answers = [" yes", " no", "3", "5", " cat", " dog", " horse", " PIG"];
    Toy::new(&WORDS.iter().chain(&rest).chain(&answers).copied().collect::<Vec<_>>())
}

/// First-letter prompts of four words after two examples.
fn prompts(toy: &Toy) -> PromptSet {
    let words = toy.words();
    let find = |text: &str| words.find(text).expect("a word");
    let template = Template::verbose();
    let examples = vec![find("horse"), find("PIG")];
    let prefix_text = template.prefix(examples.iter().map(|&i| &words.words[i]));
    let set = IclSet {
        id: 0,
        words: examples,
        prefix_text,
    };
    let assignments = ["cat", " Cat", "dog", " mouse"].map(|text| Assignment {
        word: find(text),
        icl: 0,
    });
    let draw = IclDraw {
        sets: vec![set],
        assignments: assignments.to_vec(),
    };
    build_prompts(toy, &template, &words, draw).expect("prompts")
}

fn ask(toy: &Toy, attribute: Attribute) -> Result<Question, TaskError> {
    ask_instead(toy, &toy.words(), &prompts(toy), 0..4, attribute)
}

#[test]
fn the_question_changes_and_words_and_examples_stay() {
    let toy = toy();
    let first = prompts(&toy);
    for attribute in Attribute::ALL {
        let question = ask(&toy, attribute).expect("a question");
        assert_eq!(question.prompts.sets[0].words, first.sets[0].words);
        for (asked, before) in question.prompts.prompts.iter().zip(&first.prompts) {
            assert_eq!(asked.word, before.word);
            let token = toy.words().words[asked.word].token;
            assert_eq!(question.prompts.suffix(asked)[0], token, "the word is at the site");
        }
        assert_eq!(question.answers.len(), 4);
    }
    let last = ask(&toy, Attribute::LastLetter).expect("a question");
    assert_eq!(
        last.prompts.sets[0].prefix_text,
        "horse has the last letter: E\nPIG has the last letter: G\n"
    );
    assert_eq!(last.answers[0], toy.id(" T"));
    let capital = ask(&toy, Attribute::Capitalisation).expect("a question");
    assert_eq!(capital.answers, [" no", " yes", " no", " no"].map(|text| toy.id(text)));
}

#[test]
fn a_space_token_before_every_answer_becomes_part_of_the_prompt() {
    let toy = toy();
    let length = ask(&toy, Attribute::Length).expect("a question");
    assert_eq!(length.prompts.tail.last(), Some(&toy.id(" ")));
    for prompt in &length.prompts.prompts {
        assert_eq!(prompt.ids.last(), Some(&toy.id(" ")));
        assert_eq!(length.prompts.suffix(prompt).len(), length.prompts.suffix_len());
    }
    assert_eq!(length.answers, ["3", "3", "3", "5"].map(|text| toy.id(text)));
    let copy = ask(&toy, Attribute::Copy).expect("a question");
    assert_ne!(copy.prompts.tail.last(), Some(&toy.id(" ")));
    assert_eq!(copy.answers[0], toy.id(" cat"));
}

#[test]
fn some_of_the_words_can_be_asked_and_none_is_an_error() {
    let toy = toy();
    let some = ask_instead(&toy, &toy.words(), &prompts(&toy), [2], Attribute::Length).expect("a question");
    assert_eq!(some.prompts.prompts.len(), 1);
    let none = ask_instead(&toy, &toy.words(), &prompts(&toy), [], Attribute::Length);
    assert!(matches!(none, Err(TaskError::NothingSelected { .. })), "{none:?}");
}
