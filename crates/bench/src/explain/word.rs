//! One word: what the model says, what the probe sees, and what every active latent does.

use ablation::effects::{log_odds, top_letter};
use ablation::{Capture, Editor, Stage, Subject as Vector, arms};
use report::{Cell, Column, Table};
use tasks::Letter;

use super::latents::Latents;
use super::{Setup, Subject};
use crate::failure;
use crate::run::plan::Plan;
use crate::run::site::capture;

/// Words that are suggested for one that is not there.
const SUGGESTIONS: usize = 6;

/// A word that can be explained.
#[derive(Clone, Copy)]
pub(super) struct Query {
    /// Index in the vocabulary.
    pub(super) word: usize,
    pub(super) class: usize,
    held_out: bool,
    /// Its prompt, in the stage of its part.
    item: usize,
}

/// Finds a word by its text: with a leading space first, unless `exact`.
pub(super) fn find(plan: &Plan, text: &str, exact: bool) -> anyhow::Result<Query> {
    let spaced = (!exact && !text.starts_with(' '))
        .then(|| plan.vocabulary.find(&format!(" {text}")))
        .flatten();
    let Some(word) = spaced.or_else(|| plan.vocabulary.find(text)) else {
        let similar = similar(plan, text);
        let hint = if similar.is_empty() {
            "words are single tokens of letters only".to_owned()
        } else {
            format!("there are {}", similar.join(", "))
        };
        return Err(failure::input(format!(
            "`{text}` is not one of the {} words of this vocabulary\nhint: {hint}",
            plan.vocabulary.len()
        )));
    };
    let text = &plan.vocabulary.words[word].text;
    let Some(class) = plan.class_of(word) else {
        let letter = plan.vocabulary.words[word].letter;
        return Err(failure::nothing_selected(format!(
            "`{text}`: the letter `{letter}` has too few words to take part"
        )));
    };
    for (prompts, held_out) in [(&plan.test, true), (&plan.train, false)] {
        if let Some(item) = prompts.prompts.iter().position(|prompt| prompt.word == word) {
            return Ok(Query {
                word,
                class,
                held_out,
                item,
            });
        }
    }
    Err(failure::input(format!(
        "`{text}` has no prompt: the tokenizer splits it in context, or it is beyond the 40,000 probe words"
    )))
}

/// Words that begin alike, the longest common beginning first.
fn similar(plan: &Plan, text: &str) -> Vec<String> {
    let wanted = text.trim().to_lowercase();
    for length in (2..=wanted.chars().count().min(4)).rev() {
        let start: String = wanted.chars().take(length).collect();
        let words = plan
            .vocabulary
            .words
            .iter()
            .filter(|word| word.letters().to_lowercase().starts_with(&start));
        let found: Vec<String> = words.take(SUGGESTIONS).map(|word| format!("`{}`", word.text)).collect();
        if !found.is_empty() {
            return found;
        }
    }
    Vec::new()
}

/// The tables of a word: the model and the probe, then one for each SAE.
pub(super) fn tables(
    setup: &Setup<'_>,
    subjects: &[Subject<'_>],
    query: Query,
    limit: usize,
) -> anyhow::Result<Vec<Table>> {
    let stage = if query.held_out {
        &setup.stages.test
    } else {
        &setup.stages.train
    };
    let captured = capture(stage, setup.plan.layer, &[query.item])?;
    let mut tables = vec![model(setup, stage, &captured, query)?];
    for (i, subject) in subjects.iter().enumerate() {
        let measured = Latents::new(setup, stage, &captured, query, subject)?;
        tables.push(measured.table(setup, query, subject, i == 0, limit)?);
    }
    Ok(tables)
}

/// Log-odds after an edit of the captured vector.
fn edited(stage: &Stage<'_>, captured: &Capture, editor: &Editor, letter: usize) -> anyhow::Result<f64> {
    let x = captured.site(0);
    let delta = editor.delta(Vector { x, latents: None })?;
    let vector: Vec<f32> = x.iter().zip(&delta).map(|(&x, d)| (f64::from(x) + d) as f32).collect();
    let logits = stage.edited_logits(captured, &[0], &vector)?;
    Ok(log_odds(&logits[0], letter))
}

fn model(setup: &Setup<'_>, stage: &Stage<'_>, captured: &Capture, query: Query) -> anyhow::Result<Table> {
    let (plan, site) = (setup.plan, setup.site);
    let word = &plan.vocabulary.words[query.word];
    let letter = word.letter.index();
    let clean = stage.clean_logits(captured)?[0];
    let upper = |index: usize| Letter::from_index(index).map_or('?', Letter::upper);
    let name = |class: usize| plan.letters[class].upper();
    let top = top_letter(&clean);
    let answer = if top == letter {
        format!("{}, which is right", upper(top))
    } else {
        format!("{}, which is wrong", upper(top))
    };
    let scores = setup.lr_scores(captured.site(0))?;
    let best = (0..scores.len())
        .max_by(|&a, &b| scores[a].total_cmp(&scores[b]))
        .unwrap_or_default();
    let before = log_odds(&clean, letter);

    let mut table = Table::new(
        format!("`{}` at {}", word.text, plan.hook),
        vec![Column::text("what"), Column::text("value")],
    );
    let mut fact = |what: String, value: Cell| table.push(vec![Cell::text(what), value]);
    let nats = |value: f64| Cell::Number { value, digits: 2 };
    fact("letter".to_owned(), Cell::text(word.letter.upper()))?;
    fact(
        "part".to_owned(),
        Cell::text(if query.held_out {
            "held out: no probe was fitted on it"
        } else {
            "train: probes were fitted on it"
        }),
    )?;
    fact("model's answer".to_owned(), Cell::text(answer))?;
    fact("letter log-odds, nats (0 is chance)".to_owned(), nats(before))?;
    fact(
        format!("logistic probe's score for {} (above 0: found)", name(query.class)),
        nats(scores[query.class]),
    )?;
    fact(
        "letter with the probe's highest score".to_owned(),
        Cell::text(name(best)),
    )?;
    let edits = [
        (
            "fall when the whole vector is replaced, nats",
            arms::full_site(&site.directions),
        ),
        (
            "fall when the probe's direction is erased, nats",
            arms::lr(&site.directions, &site.train),
        ),
        (
            "fall when LEACE erases the letter, nats",
            arms::leace_1(&site.directions, &site.train),
        ),
    ];
    for (what, arm) in edits {
        let after = edited(stage, captured, &arm.draws[0][query.class], letter)?;
        fact(what.to_owned(), nats(before - after))?;
    }
    table
        .notes
        .push("Falls are of the letter log-odds: how much of the answer goes through what was edited.".to_owned());
    Ok(table)
}
