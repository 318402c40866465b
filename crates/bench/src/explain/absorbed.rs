//! The held-out words whose letter is fully absorbed, over all SAEs.

use ablation::Subject as Vector;
use ablation::absorption::{Absorber, full_absorption};
use ablation::effects::log_odds;
use ablation::select::single_effects;
use ablation::{Captured, arms};
use report::{Cell, Column, Table};
use sae::SparseLatents;

use super::{Setup, Subject};
use crate::run::site::capture;

/// An absorbed word.
struct Found {
    word: usize,
    class: usize,
    item: usize,
    absorber: Absorber,
    effect: f64,
    ceiling: f64,
}

/// Absorbed words of all SAEs, strongest absorber first.
pub(super) fn table(setup: &Setup<'_>, subjects: &[Subject<'_>], limit: usize) -> anyhow::Result<Table> {
    let plan = setup.plan;
    let scores = setup.lr_scores(&setup.site.test.x)?;
    let counted = (0..setup.site.test.n())
        .filter(|&row| found_by_probe(setup, &scores, row))
        .count();
    let mut all: Vec<(&Subject<'_>, Found)> = Vec::new();
    let mut counts = Vec::new();
    for subject in subjects {
        let found = absorbed(setup, subject, &scores)?;
        counts.push(format!("{} {}", subject.id, found.len()));
        all.extend(found.into_iter().map(|found| (subject, found)));
    }
    let total = all.len();
    all.sort_by(|(_, a), (_, b)| b.effect.total_cmp(&a.effect).then(a.word.cmp(&b.word)));
    all.truncate(limit);

    let columns = vec![
        Column::text("word"),
        Column::text("letter"),
        Column::text("SAE"),
        Column::number("main").with_help("the letter's main latent (best one-latent probe); it and the latents that split the letter are silent at this word"),
        Column::number("absorber").with_help("the latent that carries the letter instead"),
        Column::number("activation").with_help("of the absorber"),
        Column::number("cosine").with_help("of the absorber's decoder row with the letter's logistic probe"),
        Column::number("share").with_help("of the vector's projection on that probe that the absorber carries; above 1 where others pull the other way"),
        Column::number("precision").with_help("share of the train words on which the absorber fires that have the letter: high for a second latent of the letter, as in splitting"),
        Column::number("fires").with_help("train words on which the absorber fires"),
        Column::number("effect").with_help("exact: fall of the letter log-odds when the absorber alone is removed, nats"),
        Column::number("ceiling").with_help("the same when the whole vector is replaced by the mean of the other letters' words; removing a latent can do more, since it goes to zero and not to a mean"),
    ];
    let mut table = Table::new("Words whose letter is fully absorbed", columns);
    for (subject, found) in &all {
        let number = |value: f64, digits: usize| Cell::Number { value, digits };
        let (on, fires) = subject.fires(&setup.site.train.y, found.absorber.latent, found.class);
        table.push(vec![
            Cell::text(plan.vocabulary.words[found.word].text.as_str()),
            Cell::text(plan.letters[found.class].upper()),
            Cell::text(subject.id),
            Cell::text(subject.main(found.class).to_string()),
            Cell::text(found.absorber.latent.to_string()),
            number(f64::from(found.absorber.activation), 2),
            number(found.absorber.cosine, 2),
            number(found.absorber.share, 2),
            if fires == 0 {
                Cell::Missing("it fires on no train word".to_owned())
            } else {
                number(on as f64 / fires as f64, 2)
            },
            Cell::count(fires as u64),
            number(found.effect, 2),
            number(found.ceiling, 2),
        ])?;
    }
    table.notes.push(format!(
        "{total} cases among {counted} held-out words whose letter the logistic probe finds, by SAE: {}.",
        counts.join(", ")
    ));
    if total > limit {
        table.notes.push(format!(
            "The {limit} with the largest effects are shown; `--limit {total}` shows all."
        ));
    }
    if let Some((subject, found)) = all.first() {
        let text = &plan.vocabulary.words[found.word].text;
        let exact = if text.starts_with(' ') { "" } else { " --exact" };
        table.notes.push(format!(
            "Look at one: `bench explain {}{exact} --sae {}`.",
            text.trim(),
            subject.id
        ));
    }
    Ok(table)
}

fn found_by_probe(setup: &Setup<'_>, scores: &[f64], row: usize) -> bool {
    scores[row * setup.plan.letters.len() + setup.site.test.y[row]] > 0.0
}

/// Absorbed held-out words of one SAE, with the exact effects of their absorbers.
fn absorbed(setup: &Setup<'_>, subject: &Subject<'_>, scores: &[f64]) -> anyhow::Result<Vec<Found>> {
    let (plan, test, stage) = (setup.plan, &setup.site.test, &setup.stages.test);
    let encoded = subject.sae.encode(&test.x);
    // The site's rows are the prompts of the letters that take part, in order.
    let prompts = plan.test.prompts.iter().enumerate();
    let items: Vec<usize> = prompts
        .filter(|(_, prompt)| plan.class_of(prompt.word).is_some())
        .map(|(item, _)| item)
        .collect();
    let mut found = Vec::new();
    for class in 0..plan.letters.len() {
        let direction = setup.direction(class);
        let cosines = subject.cosines(&direction);
        for row in (0..test.n()).filter(|&row| test.y[row] == class && found_by_probe(setup, scores, row)) {
            let projection: f64 = test
                .row(row)
                .iter()
                .zip(&direction)
                .map(|(&x, v)| f64::from(x) * v)
                .sum();
            if let Some(absorber) = full_absorption(&encoded, row, &subject.own[class], &cosines, projection) {
                let item = items[row];
                found.push(Found {
                    word: plan.test.prompts[item].word,
                    class,
                    item,
                    absorber,
                    effect: 0.0,
                    ceiling: 0.0,
                });
            }
        }
    }
    if found.is_empty() {
        return Ok(found);
    }
    let items: Vec<usize> = found.iter().map(|f| f.item).collect();
    let captured = capture(stage, plan.layer, &items)?;
    let clean = stage.clean_logits(&captured)?;
    let letters: Vec<usize> = found.iter().map(|f| plan.letters[f.class].index()).collect();
    // Rows that hold their absorber only: it alone is removed from each.
    let only = SparseLatents::new(
        encoded.width(),
        (0..=found.len()).collect(),
        found.iter().map(|f| f.absorber.latent).collect(),
        found.iter().map(|f| f.absorber.activation).collect(),
    );
    for effect in single_effects(
        &Captured {
            stage,
            capture: &captured,
        },
        &subject.side,
        &only,
        &letters,
        &clean,
    )? {
        found[effect.row].effect = effect.effect;
    }
    let full = arms::full_site(&setup.site.directions);
    let mut vectors = Vec::with_capacity(found.len() * captured.d());
    for (row, f) in found.iter().enumerate() {
        let x = captured.site(row);
        let delta = full.draws[0][f.class].delta(Vector { x, latents: None })?;
        vectors.extend(x.iter().zip(&delta).map(|(&x, d)| (f64::from(x) + d) as f32));
    }
    let rows: Vec<usize> = (0..found.len()).collect();
    let edited = stage.edited_logits(&captured, &rows, &vectors)?;
    for (row, (f, logits)) in found.iter_mut().zip(&edited).enumerate() {
        f.ceiling = log_odds(&clean[row], letters[row]) - log_odds(logits, letters[row]);
    }
    Ok(found)
}
