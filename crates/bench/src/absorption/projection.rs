//! `--definition chanin-projection`: the three variants of appendix A.13.

use ablation::absorption::companions::Companions;
use ablation::absorption::variants::{VariantThresholds, score_variant};
use ablation::absorption::{Accounting, MIN_SHARE};
use report::Column;
use serde_json::{Value, json};

use super::Outcome;
use super::args::AbsorptionArgs;
use super::main_latents::Letter;
use super::material::Material;
use super::saebench::{companions_of, letter_fields, summary};

/// Names of the variants: one absorber, several, one beside weak main latents.
const NAMES: [&str; 3] = ["projection", "several", "weak_main"];

/// Scores an SAE.
pub(super) fn score(args: &AbsorptionArgs, material: &Material, letters: &[Letter]) -> anyhow::Result<Outcome> {
    let share = args.share.unwrap_or(MIN_SHARE);
    let rules = [
        VariantThresholds::projection(share),
        VariantThresholds::several(share, args.absorbers.unwrap_or(3)),
        VariantThresholds::weak_main(share, args.main_share.unwrap_or(0.1)),
    ];
    let mut rates: [Vec<f64>; 3] = Default::default();
    let (mut list, mut companions) = (Vec::new(), Vec::new());
    for (class, letter) in letters.iter().enumerate() {
        let words = material.words(class, Accounting::Exact)?;
        let beside = companions_of(material, letters, class, &words)?;
        let mut entry = letter_fields(material, letter, class, &beside);
        let scored: Vec<[bool; 3]> = words
            .iter()
            .map(|word| {
                rules.map(|rule| score_variant(word, &letter.main, &rule).is_some_and(|score| score.is_absorption))
            })
            .collect();
        for (at, name) in NAMES.into_iter().enumerate() {
            let absorbed = scored.iter().filter(|word| word[at]).count();
            let rate = (!words.is_empty()).then(|| absorbed as f64 / words.len() as f64);
            entry[name] = json!(rate);
            rates[at].extend(rate);
        }
        if args.words {
            let rows = material.found[class].iter().zip(&scored).zip(&words);
            let rows = rows.map(|((row, absorbed), word)| {
                let mut listed = json!({ "row": row, "along": word.projection() });
                for (name, absorbed) in NAMES.into_iter().zip(absorbed) {
                    listed[name] = json!(absorbed);
                }
                listed
            });
            entry["words"] = rows.collect::<Vec<Value>>().into();
        }
        if !words.is_empty() {
            companions.push(beside);
        }
        list.push(entry);
    }
    let each = |of: fn(&[f64]) -> Option<f64>| json!({ "projection": of(&rates[0]), "several": of(&rates[1]), "weak_main": of(&rates[2]) });
    let mut mean = each(|values| stats::mean(values).ok());
    mean["letters"] = json!(rates[0].len());
    let known = letters.iter().all(|letter| letter.k_sparse.is_some());
    Ok(Outcome {
        valid: !rates[0].is_empty(),
        mark: json!(if rates[0].is_empty() { "no_words" } else { "valid" }),
        settings: json!({ "projection": rules[0], "several": rules[1], "weak_main": rules[2] }),
        mean,
        sd: each(|values| stats::sd(values).ok()),
        companions: summary(&Companions::new(&companions), known),
        letters: list,
        columns: vec![
            ("letter", Column::text("letter")),
            (
                "true_positives",
                Column::number("words").with_help("test words that the dense probe finds"),
            ),
            ("projection", Column::lower("one absorber")),
            ("several", Column::lower("several absorbers")),
            ("weak_main", Column::lower("weak main latents")),
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
