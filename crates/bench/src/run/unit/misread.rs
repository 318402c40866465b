//! A letter's latents as an instrument: how they detect, how much of the letter's read they carry, on which words they fail.

use std::collections::BTreeMap;

use ablation::effects::log_odds;
use ablation::misread::{
    Detection, Reading, Reliability, WordOutcome, agreement, detect, differential, readings, reliability,
};
use ablation::{Arm, Editor, Subject, arms};
use store::{Estimate, LetterRow, Record, TableRow, Warning};
use tasks::Case;

use super::Lab;
use super::detection::scores_of;
use super::sae::OfSae;
use crate::run::summary::{Summary, by_letter, macro_estimate};

/// What a word is, beside its letter. No frequency comes with a vocabulary; ids of merged tokens rise as frequency falls.
const COVARIATES: [&str; 6] = [
    "log token id (proxy of rarity)",
    "length",
    "capitalised",
    "upper or mixed case",
    "leading space",
    "model margin",
];

/// Name of the regression of silence in tables and warnings.
const DIFFERENTIAL: &str = "differential";

/// How the letters' latents detect and carry them: `detect/...` of the main latent alone, `detect_set/...` with those that split
/// the letter beside it.
pub(super) fn misread(lab: Lab<'_>, of: &OfSae<'_>, reference: &Record, summary: &mut Summary) -> anyhow::Result<()> {
    let main = of.by_probe();
    let leace = arms::leace_1(&lab.site.directions, &lab.site.train);
    let (predicted, outcomes) = instrument(lab, of, ("detect", &main), &leace, summary)?;
    instrument(lab, of, ("detect_set", &of.own_sets()), &leace, summary)?;
    ratios(&predicted, reference, summary);
    differential_errors(&outcomes, summary);
    Ok(())
}

/// The probe as a detector, in the unit without an SAE.
pub(super) fn of_probe(lab: Lab<'_>, summary: &mut Summary) -> anyhow::Result<()> {
    let Lab { plan, site, .. } = lab;
    let classes = plan.letters.len();
    let scores = scores_of(site)?;
    let mut found = Vec::new();
    for class in 0..classes {
        let column: Vec<f64> = scores.iter().skip(class).step_by(classes).copied().collect();
        let positive: Vec<bool> = site.test.y.iter().map(|&y| y == class).collect();
        found.push(detect(&column, &positive));
    }
    put_detections("detect", &found, summary);
    for (class, found) in found.iter().enumerate() {
        let values = detection_values(found.as_ref());
        push(summary, plan.letters[class].lower(), "detect", values);
    }
    Ok(())
}

/// Measures one set per letter as an instrument. Returns predicted ratios by letter, and every scored word of a letter with whether
/// the set is silent on it.
fn instrument(
    lab: Lab<'_>,
    of: &OfSae<'_>,
    (name, sets): (&str, &[Vec<u32>]),
    leace: &Arm,
    summary: &mut Summary,
) -> anyhow::Result<(BTreeMap<char, f64>, Vec<WordOutcome>)> {
    let Lab { plan, site, .. } = lab;
    let columns = of.test.columns();
    let (mut detections, mut reliabilities) = (Vec::new(), Vec::new());
    let (mut predicted, mut outcomes) = (BTreeMap::new(), Vec::new());
    for (class, set) in sets.iter().enumerate() {
        let letter = plan.letters[class].lower();
        let positive: Vec<bool> = site.test.y.iter().map(|&y| y == class).collect();
        let mut activation = vec![0.0f64; site.test.n()];
        for &latent in set {
            let (rows, values) = columns.latent(latent as usize);
            for (&row, &value) in rows.iter().zip(values) {
                activation[row as usize] += f64::from(value);
            }
        }
        let detection = detect(&activation, &positive);
        let words = words_of(lab, of, class, set, &leace.draws[0][class])?;
        let measured = reliability(&words);
        for (row, word) in words.iter().enumerate().filter(|(_, word)| word.own) {
            outcomes.push(WordOutcome {
                class,
                silent: !word.fires,
                covariates: covariates(lab, row),
            });
        }
        if let Some(share) = measured.predicted {
            predicted.insert(letter, share);
        }
        let mut values = detection_values(detection.as_ref());
        values.extend(reliability_values(&measured));
        push(summary, letter, name, values);
        detections.push(detection);
        reliabilities.push(measured);
    }
    put_detections(name, &detections, summary);
    let mut columns: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
    for (field, value) in reliabilities.iter().flat_map(carried) {
        columns.entry(field).or_default().extend(value);
    }
    for (field, values) in columns {
        put_macro(&format!("{name}/{field}"), &values, summary);
    }
    Ok((predicted, outcomes))
}

/// Every scored word as the reference reads the letter in it, and as a set carries it.
fn words_of(lab: Lab<'_>, of: &OfSae<'_>, class: usize, set: &[u32], leace: &Editor) -> anyhow::Result<Vec<Reading>> {
    let site = lab.site;
    let editor = if set.is_empty() {
        Editor::Null
    } else {
        of.side.editor(set, class)
    };
    (0..site.words)
        .map(|row| {
            let subject = Subject {
                x: site.scored.site(row),
                latents: Some((&of.scored, row)),
            };
            let (signal, measure) = readings(&site.directions.leace[class].reads, leace, &editor, subject)?;
            let (index, value) = of.scored.row(row);
            Ok(Reading {
                own: site.scored_class[row] == class,
                fires: index
                    .iter()
                    .zip(value)
                    .any(|(latent, &z)| z > 0.0 && set.contains(latent)),
                signal,
                measure,
            })
        })
        .collect()
}

/// [`COVARIATES`] of a scored word.
fn covariates(lab: Lab<'_>, row: usize) -> Vec<f64> {
    let Lab { plan, site, bench, .. } = lab;
    let word = &plan.vocabulary.words[plan.test.prompts[site.scored.rows[row]].word];
    let is = |holds: bool| f64::from(u8::from(holds));
    vec![
        f64::from(word.token).ln_1p(),
        word.stratum.length as f64,
        is(word.stratum.case == Case::Capitalised),
        is(matches!(word.stratum.case, Case::Upper | Case::Mixed)),
        is(word.stratum.leading_space),
        log_odds(&bench.clean()[row], word.letter.index()),
    ]
}

/// What the read predicts of the effect, beside the effect: `MS(main) / MS(LEACE)`.
fn ratios(predicted: &BTreeMap<char, f64>, reference: &Record, summary: &mut Summary) {
    let main = by_letter(&summary.letters, &super::one_latent("probe"), "ms");
    let leace = by_letter(&reference.letters, "leace-1", "ms");
    let mut pairs = Vec::new();
    for (letter, &predicted) in predicted {
        let (Some(main), Some(&leace)) = (main.get(letter), leace.get(letter).filter(|ms| **ms > 0.0)) else {
            continue;
        };
        let observed = main / leace;
        pairs.push((predicted, observed));
        let row = summary
            .letters
            .iter_mut()
            .find(|row| row.letter == *letter && row.arm == "detect");
        if let Some(row) = row {
            let estimate = Estimate::point(observed, 1, "share");
            row.values.insert("observed_ratio".to_owned(), estimate);
        }
    }
    let observed: Vec<f64> = pairs.iter().map(|(_, o)| *o).collect();
    let left: Vec<f64> = pairs.iter().map(|(p, o)| o - p).collect();
    put_macro("detect/observed_ratio", &observed, summary);
    put_macro("detect/observed_less_predicted", &left, summary);
    match agreement(&pairs) {
        Some(found) => {
            let n = pairs.len() as u64;
            summary.put("detect/ratio_correlation", Estimate::point(found.correlation, n, "1"));
            summary.put("detect/ratio_slope", Estimate::point(found.slope, n, "1"));
        }
        None => summary.warnings.push(Warning::NotMeasured {
            measurement: "detect/ratio_slope".to_owned(),
            reason: format!(
                "{} letters have a predicted and an observed ratio that vary",
                pairs.len()
            ),
        }),
    }
}

/// The regression of the main latent's silence on what the word is, as a table.
fn differential_errors(outcomes: &[WordOutcome], summary: &mut Summary) {
    let silent = outcomes.iter().filter(|word| word.silent).count();
    summary.put(
        "detect/silent",
        Estimate::point(
            silent as f64 / outcomes.len().max(1) as f64,
            outcomes.len() as u64,
            "share of scored words",
        ),
    );
    let found = match differential(&COVARIATES, outcomes) {
        Ok(found) => found,
        Err(error) => {
            summary.warnings.push(Warning::NotMeasured {
                measurement: DIFFERENTIAL.to_owned(),
                reason: error.to_string(),
            });
            return;
        }
    };
    let row = |name: &str, values: BTreeMap<String, Estimate>, note: &str| TableRow {
        at: BTreeMap::from([
            ("covariate".to_owned(), name.to_owned()),
            ("note".to_owned(), note.to_owned()),
        ]),
        values,
    };
    let words = found.words as u64;
    let mut rows: Vec<TableRow> = found
        .covariates
        .iter()
        .map(|c| {
            let slope = Estimate::point(c.slope.value, words, "log-odds of silence per SD");
            let values = BTreeMap::from([
                ("slope".to_owned(), slope.with_interval(c.slope.lo, c.slope.hi)),
                ("p".to_owned(), Estimate::point(c.slope.p, words, "1")),
                ("q".to_owned(), Estimate::point(c.q, words, "1")),
            ]);
            row(&c.name, values, if c.slope.separated { "separated" } else { "" })
        })
        .collect();
    rows.extend(found.unusable.iter().map(|(name, why)| row(name, BTreeMap::new(), why)));
    summary.tables.insert(DIFFERENTIAL.to_owned(), rows);
    summary.put(
        "detect/differential_letters",
        Estimate::point(found.letters as f64, words, "letters"),
    );
    let separated: Vec<String> = found
        .covariates
        .iter()
        .filter(|c| c.slope.separated)
        .map(|c| c.name.clone())
        .collect();
    if !separated.is_empty() {
        summary.warnings.push(Warning::SeparatedCovariates {
            measurement: DIFFERENTIAL.to_owned(),
            covariates: separated,
            ridge: found.ridge,
        });
    }
}

/// Rates of a detector by name; what is undefined is left out.
fn rates(found: &Detection) -> [(&'static str, Option<f64>); 8] {
    [
        ("se", Some(found.se)),
        ("sp", Some(found.sp)),
        ("j", Some(found.j())),
        ("ppv", found.ppv),
        ("npv", found.npv),
        ("f1", Some(found.f1)),
        ("auroc", Some(found.auroc)),
        ("attenuation", found.attenuation()),
    ]
}

fn detection_values(found: Option<&Detection>) -> BTreeMap<String, Estimate> {
    let Some(found) = found else { return BTreeMap::new() };
    rates(found)
        .into_iter()
        .filter_map(|(name, value)| {
            Some((
                name.to_owned(),
                Estimate::point(value?, found.positives as u64, "share"),
            ))
        })
        .collect()
}

/// What a set carries of the reference's read, by name; what is undefined is left out.
fn carried(found: &Reliability) -> [(&'static str, Option<f64>); 5] {
    [
        ("capture", found.when_firing),
        ("predicted_ratio", found.predicted),
        ("reliability", found.kappa),
        ("slope", found.slope),
        ("noise", found.noise),
    ]
}

fn reliability_values(found: &Reliability) -> BTreeMap<String, Estimate> {
    carried(found)
        .into_iter()
        .filter_map(|(name, value)| Some((name.to_owned(), Estimate::point(value?, found.own as u64, unit(name)))))
        .collect()
}

/// Unit of a measurement by the last part of its name.
fn unit(name: &str) -> &'static str {
    match name.rsplit('/').next() {
        // Worth of a unit of one quantity in another, or a regression slope: no part of a whole.
        Some("reliability" | "slope") => "1",
        _ => "share",
    }
}

/// Macro means of all rates; `n` of each says in how many letters it is defined.
fn put_detections(name: &str, found: &[Option<Detection>], summary: &mut Summary) {
    let mut columns: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
    for (rate, value) in found.iter().flatten().flat_map(rates) {
        columns.entry(rate).or_default().extend(value);
    }
    for (rate, values) in columns {
        put_macro(&format!("{name}/{rate}"), &values, summary);
    }
}

fn put_macro(name: &str, values: &[f64], summary: &mut Summary) {
    if !values.is_empty() {
        summary.put(name, macro_estimate(values, unit(name)));
    }
}

fn push(summary: &mut Summary, letter: char, arm: &str, values: BTreeMap<String, Estimate>) {
    if !values.is_empty() {
        let arm = arm.to_owned();
        summary.letters.push(LetterRow { letter, arm, values });
    }
}
