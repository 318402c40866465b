//! `--definition saebench-0.6` and `saebench-0.3.2`: shares of the projection on the probe.

use ablation::absorption::Accounting;
use ablation::absorption::companions::{Companions, LetterCompanions};
use ablation::absorption::saebench::{
    Definition, Guard, LetterScore, LetterWords, SaeScore, Spread, Thresholds, WordScore, score_word,
};
use report::Column;
use serde_json::{Value, json};

use super::Outcome;
use super::args::{self, AbsorptionArgs};
use super::main_latents::Letter;
use super::material::Material;
use crate::failure;

/// Scores an SAE.
pub(super) fn score(args: &AbsorptionArgs, material: &Material, letters: &[Letter]) -> anyhow::Result<Outcome> {
    let definition = match args.definition {
        args::Definition::Saebench0_3_2 => Definition::V0_3_2,
        _ => Definition::V0_6,
    };
    let usual = Guard::of(definition);
    let guard = Guard {
        min_probe_f1: args.min_probe_f1.unwrap_or(usual.min_probe_f1),
        min_letters: args.min_letters.unwrap_or(usual.min_letters),
    };
    let (mut scores, mut companions) = (Vec::new(), Vec::new());
    for (class, letter) in letters.iter().enumerate() {
        let words = material.words(class, Accounting::Cosine)?;
        let scored = words
            .iter()
            .map(|word| score_word(word, &letter.main, &Thresholds::default()));
        scores.push(scored.collect::<Vec<WordScore>>());
        companions.push(companions_of(material, letters, class, &words)?);
    }
    let words: Vec<LetterWords<'_>> = scores
        .iter()
        .enumerate()
        .map(|(class, words)| LetterWords {
            letter: material.letter(class),
            probe_f1: material.probe_f1[class].unwrap_or(0.0),
            main_latents: letters[class].main.len(),
            true_positives: words.len(),
            words,
        })
        .collect();
    let score = SaeScore::new(&words, definition, &guard).map_err(|error| failure::input(error.to_string()))?;
    let counted: Vec<LetterCompanions> = score
        .letters
        .iter()
        .zip(&companions)
        .filter(|(letter, _)| letter.counts())
        .map(|(_, companions)| *companions)
        .collect();
    let known = letters.iter().all(|letter| letter.k_sparse.is_some());
    let list = score
        .letters
        .iter()
        .zip(&companions)
        .enumerate()
        .map(|(class, (letter, companions))| {
            let words = args.words.then(|| listed(material, class, &scores[class], definition));
            of_letter(
                material,
                &letters[class],
                class,
                (letter, companions),
                definition,
                words,
            )
        });
    let list = list.collect();
    let mean = |spread: Option<Spread>| spread.map(|spread| spread.mean);
    let sd = |spread: Option<Spread>| spread.and_then(|spread| spread.sd);
    Ok(Outcome {
        valid: score.is_valid(),
        mark: json!(score.mark),
        settings: json!({ "guard": guard, "thresholds": Thresholds::default() }),
        mean: json!({
            "absorption_fraction": mean(score.fraction),
            "full_absorption": mean(score.full),
            "main_latents": mean(score.main_latents),
            "letters": score.n,
        }),
        sd: json!({
            "absorption_fraction": sd(score.fraction),
            "full_absorption": sd(score.full),
            "main_latents": sd(score.main_latents),
        }),
        companions: summary(&Companions::new(&counted), known),
        letters: list,
        columns: vec![
            ("letter", Column::text("letter")),
            ("mark", Column::text("mark")),
            (
                "true_positives",
                Column::number("words").with_help("test words that the dense probe finds"),
            ),
            ("absorption_fraction", Column::lower("fraction")),
            ("full_absorption_rate", Column::lower("full")),
            ("main", Column::text("main latents")),
            (
                "main_recall",
                Column::higher("main recall").with_help("share of the words on which a main latent fires"),
            ),
            ("k_sparse_f1", Column::higher("k-sparse F1")),
            ("probe_f1", Column::higher("probe F1")),
            ("l0", Column::number("L0")),
        ],
    })
}

/// What stands beside a letter's score under every definition.
pub(super) fn companions_of(
    material: &Material,
    letters: &[Letter],
    class: usize,
    words: &[ablation::absorption::Word],
) -> anyhow::Result<LetterCompanions> {
    let k_sparse = letters[class].k_sparse.as_ref().and_then(|probe| probe.f1);
    LetterCompanions::new(
        material.letter(class),
        words,
        &letters[class].main,
        k_sparse.unwrap_or(0.0),
        material.probe_f1[class].unwrap_or(0.0),
    )
    .map_err(|error| failure::input(error.to_string()))
}

/// Means of the companions; `known`: whether there are k-sparse probes.
pub(super) fn summary(companions: &Companions, known: bool) -> Value {
    json!({
        "letters": companions.n,
        "main_recall": companions.main_recall,
        "k_sparse_f1": companions.k_sparse_f1.filter(|_| known),
        "probe_f1": companions.probe_f1,
        "l0": companions.l0,
    })
}

/// The fields that letters have under every definition.
pub(super) fn letter_fields(
    material: &Material,
    letter: &Letter,
    class: usize,
    companions: &LetterCompanions,
) -> Value {
    json!({
        "letter": material.names[class],
        "class": class,
        "main": letter.main,
        "positives": material.positives[class],
        "true_positives": material.found[class].len(),
        "probe_f1": material.probe_f1[class],
        "k_sparse_f1": letter.k_sparse.as_ref().and_then(|probe| probe.f1),
        "main_recall": companions.main_recall,
        "l0": companions.l0,
    })
}

fn of_letter(
    material: &Material,
    letter: &Letter,
    class: usize,
    (score, companions): (&LetterScore, &LetterCompanions),
    definition: Definition,
    words: Option<Vec<Value>>,
) -> Value {
    let mut entry = letter_fields(material, letter, class, companions);
    entry["mark"] = json!(score.mark);
    entry["absorption_fraction"] = json!(score.fraction(definition));
    entry["full_absorption_rate"] = json!(score.full_rate());
    entry["full"] = json!(score.full);
    if let Some(words) = words {
        entry["words"] = json!(words);
    }
    entry
}

fn listed(material: &Material, class: usize, scores: &[WordScore], definition: Definition) -> Vec<Value> {
    let rows = material.found[class].iter().zip(scores);
    rows.map(|(row, score)| {
        json!({
            "row": row,
            "projection": score.projection,
            "main": score.main,
            "absorbers": score.absorbers,
            "all": score.all,
            "fraction": score.fraction(definition),
            "full": score.is_full(),
            "absorbed_by": score.absorbed_by,
        })
    })
    .collect()
}
