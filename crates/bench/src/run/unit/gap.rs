//! Why an SAE's letter latents mediate less than the reference: the gap in parts, and a name for it per letter.

use std::collections::BTreeMap;

use ablation::gap::{
    Absorbed, Accounting, ClassEffects, Config, GapTerms, Reference, Rule, STEPS, Symptoms, Terms, WriteOrder,
    diagnose, measure_effects, sequence, shapley_check, shares,
};
use stats::{LetterRows, MIN_LETTERS, StatsError, cluster_bootstrap};
use store::{Estimate, LetterRow, Record, TableRow, Warning};

use super::sae::OfSae;
use super::{KS, Lab, Unit, k_latents, one_latent};
use crate::run::plan::SaeInput;
use crate::run::summary::{Summary, by_letter, macro_estimate};

/// The rule whose latents the gap is about: the one of the conclusions.
const MAIN: &str = "probe";

/// Cosines and carried shares at which the partition is tried again.
const COSINES: [f64; 4] = [0.025, 0.05, 0.1, 0.2];
const CARRIED: [f64; 2] = [0.5, 1.0];

/// Divides the gap between the reference and the main latents, and names its cause for every letter.
pub(super) fn gap(
    lab: Lab<'_>,
    of: &OfSae<'_>,
    input: &SaeInput,
    reference: &Record,
    unit: &mut Unit,
) -> anyhow::Result<()> {
    let Lab { args, site, bench, .. } = lab;
    if of.sae.is_transcoder() || of.sae.config().output.skip {
        unit.summary.warnings.push(Warning::NotApplicable {
            sae: input.id.clone(),
            analysis: "gap accounting".to_owned(),
            reason: "what its latents write is not the vector that they are read from".to_owned(),
        });
        return Ok(());
    }
    let main = of.by_probe();
    let references = Reference::leace(&site.directions, &site.train)?;
    let account = |config: Config| Accounting::new(&of.side, &site.train, references.clone(), &main, config);
    let accounting = account(Config::default())?;
    let effects = measure_effects(bench, &accounting, &of.scored)?;
    let absorbed = Absorbed::measure(bench, &accounting, &of.scored)?;
    unit.measured(lab, &absorbed.full)?;
    unit.measured(lab, &absorbed.component)?;

    let identified: Vec<(&ClassEffects, GapTerms)> = effects
        .iter()
        .filter_map(|class| Some((class, class.terms()?)))
        .collect();
    let summary = &mut unit.summary;
    warn_order(lab, input, &identified, summary);
    letters(lab, &accounting, &identified, summary);
    macro_terms(&identified, summary)?;
    absorption(&absorbed, summary);
    diagnoses(lab, &identified, reference, summary);
    if args.full() && !identified.is_empty() {
        let checks = shapley_check(bench, &accounting, &effects)?;
        deviation(&checks, input, summary);
        let told = sequence(bench, &accounting, &effects)?;
        steps(&told, summary);
        let x = bench.readout().sites();
        let mut rows = Vec::new();
        for cosine in COSINES {
            for carried in CARRIED {
                let other = account(Config {
                    cosine,
                    carried,
                    ..Config::default()
                })?;
                let mut again = Vec::new();
                for (class, _) in &identified {
                    again.extend(class.divided_by(&other, &x, &of.scored)?.terms());
                }
                rows.push(sensitivity(cosine, carried, &other, &again));
            }
        }
        summary.tables.insert("gap_sensitivity".to_owned(), rows);
    }
    Ok(())
}

fn letter(lab: Lab<'_>, class: usize) -> char {
    lab.plan.letters[class].lower()
}

fn warn_order(lab: Lab<'_>, input: &SaeInput, identified: &[(&ClassEffects, GapTerms)], summary: &mut Summary) {
    let one = identified
        .iter()
        .filter(|(class, _)| !matches!(class.order, WriteOrder::Both { .. }));
    let letters: Vec<char> = one.map(|(class, _)| letter(lab, class.class)).collect();
    if !letters.is_empty() {
        summary.warnings.push(Warning::OneWriteOrder {
            sae: input.id.clone(),
            letters,
        });
    }
}

/// One row per letter, with the shares of the read and how many words are partly absorbed.
fn letters(lab: Lab<'_>, accounting: &Accounting<'_>, identified: &[(&ClassEffects, GapTerms)], summary: &mut Summary) {
    let mut rows = Vec::new();
    for (class, terms) in identified {
        let words = class.words.len() as u64;
        let share = |value: f64| Estimate::point(value, words, "share");
        let mut values: BTreeMap<String, Estimate> = GapTerms::NAMES
            .iter()
            .zip(terms.to_array())
            .map(|(name, value)| ((*name).to_owned(), share(value)))
            .collect();
        let reads: Vec<_> = class.words.iter().map(|word| word.read).collect();
        if let Some(reads) = shares(&reads) {
            for (name, value) in Terms::NAMES.iter().zip(reads.to_array()) {
                values.insert(format!("read_{name}"), share(value));
            }
        }
        let tagged = Accounting::partially_absorbed(&reads).len();
        values.insert("partly_absorbed".to_owned(), share(tagged as f64 / words.max(1) as f64));
        if let WriteOrder::Both { length } = class.order {
            values.insert("write_length".to_owned(), Estimate::point(length, words, "times"));
        }
        let groups = &accounting.partition().classes[class.class];
        let list = |latents: &[u32]| latents.iter().map(u32::to_string).collect::<Vec<_>>().join(" ");
        rows.push(TableRow {
            at: BTreeMap::from([
                ("letter".to_owned(), letter(lab, class.class).to_string()),
                ("main".to_owned(), list(&groups.main)),
                ("split".to_owned(), list(&groups.split)),
            ]),
            values: values.clone(),
        });
        summary.letters.push(LetterRow {
            letter: letter(lab, class.class),
            arm: "gap".to_owned(),
            values,
        });
    }
    summary.tables.insert("gap".to_owned(), rows);
}

/// Means over letters, with intervals that draw letters and their words again.
fn macro_terms(identified: &[(&ClassEffects, GapTerms)], summary: &mut Summary) -> anyhow::Result<()> {
    let n = identified.len() as u64;
    // The arms have said that letters are too few.
    if identified.len() < MIN_LETTERS {
        return Ok(());
    }
    let rows: Vec<LetterRows<1, { ablation::gap::COLUMNS }>> = identified
        .iter()
        .map(|(class, _)| LetterRows { groups: [class.sums()] })
        .collect();
    let statistic = |sums: &[[f64; ablation::gap::COLUMNS]; 1]| GapTerms::of_sums(&sums[0]).map(GapTerms::to_array);
    let bootstrap = cluster_bootstrap(&rows, statistic, &summary.bootstrap())?;
    for (i, name) in GapTerms::NAMES.iter().enumerate() {
        let values: Vec<f64> = identified.iter().map(|(_, terms)| terms.to_array()[i]).collect();
        let point = Estimate::point(stats::mean(&values)?, n, "share");
        let estimate = match &bootstrap.metrics[i] {
            Ok(metric) => point.with_interval(metric.bootstrap_t.lo, metric.bootstrap_t.hi),
            // A part that no letter has.
            Err(StatsError::ZeroVariance { .. }) => point,
            Err(error) => {
                summary.warnings.push(Warning::NoInterval {
                    measurement: format!("gap/{name}"),
                    reason: error.to_string(),
                });
                point
            }
        };
        summary.put(&format!("gap/{name}"), estimate);
    }
    for name in Terms::NAMES {
        let key = format!("read_{name}");
        let values: Vec<f64> = by_letter(&summary.letters, "gap", &key).into_values().collect();
        if !values.is_empty() {
            summary.put(&format!("gap/{key}"), macro_estimate(&values, "share"));
        }
    }
    Ok(())
}

/// What adding the absorbing latents gains in mediated share, and what it costs.
fn absorption(absorbed: &Absorbed, summary: &mut Summary) {
    let main = one_latent(MAIN);
    for (name, arm) in [("full", Absorbed::FULL), ("component", Absorbed::COMPONENT)] {
        for (metric, key) in [("ms", "ms_gain"), ("o_mean", "o_rise")] {
            let before = by_letter(&summary.letters, &main, metric);
            let after = by_letter(&summary.letters, arm, metric);
            let changes: Vec<f64> = after
                .iter()
                .filter_map(|(letter, value)| Some(value - before.get(letter)?))
                .collect();
            if !changes.is_empty() {
                summary.put(&format!("absorption/{name}_{key}"), macro_estimate(&changes, "share"));
            }
        }
        if let Some(damage) = summary.values.get(&format!("{arm}/o_mean")).cloned() {
            summary.put(&format!("absorption/{name}_o"), damage);
        }
    }
    summary.put(
        "absorption/words",
        Estimate::point(absorbed.words as f64, absorbed.words as u64, "words"),
    );
}

/// A named cause per letter.
fn diagnoses(lab: Lab<'_>, identified: &[(&ClassEffects, GapTerms)], reference: &Record, summary: &mut Summary) {
    let curves: Vec<(usize, BTreeMap<char, f64>)> = KS
        .iter()
        .map(|&k| {
            let arm = if k == 1 { one_latent("effect") } else { k_latents(k) };
            (k, by_letter(&summary.letters, &arm, "ms"))
        })
        .collect();
    let damage = by_letter(&summary.letters, &one_latent(MAIN), "o_max");
    let damage_of_reference = by_letter(&reference.letters, "leace-1", "o_max");
    let mut rows = Vec::new();
    for (class, _) in identified {
        let letter = letter(lab, class.class);
        let symptoms = Symptoms {
            words: class.sums(),
            curve: curves
                .iter()
                .filter_map(|(k, ms)| Some((*k, *ms.get(&letter)?)))
                .collect(),
            damage: damage.get(&letter).copied(),
            damage_of_reference: damage_of_reference.get(&letter).copied(),
        };
        let mut rng = stats::seed::rng(lab.args.seed, &format!("gap/diagnosis/letter={letter}"));
        let Some(found) = diagnose(&symptoms, &Rule::default(), &mut rng) else {
            continue;
        };
        let words = class.words.len() as u64;
        let share = |value: f64| Estimate::point(value, words, "share");
        let text = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let mut at = BTreeMap::from([
            text("letter", &letter.to_string()),
            text("cause", found.cause.name()),
            text("clear", if found.clear { "yes" } else { "no" }),
            text("evidence", &found.sentence()),
        ]);
        at.extend(found.second.map(|(cause, _)| text("second", cause.name())));
        at.extend(found.curve.map(|curve| text("curve", curve.name())));
        let agrees = found.curve_agrees().map(|agrees| if agrees { "yes" } else { "no" });
        at.extend(agrees.map(|agrees| text("curve_agrees", agrees)));
        let mut values = BTreeMap::from([
            ("gap".to_owned(), share(found.terms.total)),
            ("amount".to_owned(), share(found.amount)),
            ("support".to_owned(), share(found.support)),
        ]);
        values.extend(found.second.map(|(_, amount)| ("second".to_owned(), share(amount))));
        values.extend(found.damage.map(|damage| ("o_max".to_owned(), share(damage))));
        rows.push(TableRow { at, values });
    }
    summary.tables.insert("diagnosis".to_owned(), rows);
}

/// How far the proportional division is from the Shapley values.
fn deviation(checks: &[ablation::gap::ClassShapley], input: &SaeInput, summary: &mut Summary) {
    const ALLOWED: f64 = 0.02;
    if checks.is_empty() {
        return;
    }
    let n = checks.len() as f64;
    let mean = |part: usize| checks.iter().map(|c| c.exact[part] - c.proportional[part]).sum::<f64>() / n;
    let of_means = (0..5).map(mean).map(f64::abs).fold(0.0, f64::max);
    // Threshold and dark matter are two names for parts of the error, and often of opposite sign: how far the division is right apart from
    // theirs is a number of its own.
    let pooled = [mean(0), mean(1), mean(2), mean(3) + mean(4)];
    let of_pooled = pooled.into_iter().map(f64::abs).fold(0.0, f64::max);
    let of_letters = checks
        .iter()
        .map(ablation::gap::ClassShapley::deviation)
        .fold(0.0, f64::max);
    if of_means > ALLOWED {
        summary.warnings.push(Warning::DivisionUncertain {
            sae: input.id.clone(),
            deviation: of_means,
            allowed: ALLOWED,
        });
    }
    let point = |value: f64| Estimate::point(value, checks.len() as u64, "share").lower_is_better();
    summary.put("gap/shapley_deviation", point(of_means));
    summary.put("gap/shapley_deviation_letter", point(of_letters));
    summary.put("gap/shapley_deviation_error_pooled", point(of_pooled));
}

/// The gap told step by step, in one order.
fn steps(told: &[(usize, [f64; 8])], summary: &mut Summary) {
    let row = |(i, name): (usize, &&str)| {
        let values: Vec<f64> = told.iter().map(|(_, steps)| steps[i]).collect();
        TableRow {
            at: BTreeMap::from([
                ("step".to_owned(), (*name).to_owned()),
                ("order".to_owned(), i.to_string()),
            ]),
            values: BTreeMap::from([("ms".to_owned(), macro_estimate(&values, "share"))]),
        }
    };
    if !told.is_empty() {
        let rows = STEPS.iter().enumerate().map(row).collect();
        summary.tables.insert("gap_sequence".to_owned(), rows);
    }
}

/// The parts under another partition rule.
fn sensitivity(cosine: f64, carried: f64, accounting: &Accounting<'_>, terms: &[GapTerms]) -> TableRow {
    let mut values: BTreeMap<String, Estimate> = GapTerms::NAMES
        .iter()
        .enumerate()
        .filter(|(_, name)| matches!(**name, "split" | "absorb" | "diffuse" | "partial" | "shared"))
        .map(|(i, name)| {
            let values: Vec<f64> = terms.iter().map(|terms| terms.to_array()[i]).collect();
            ((*name).to_owned(), macro_estimate(&values, "share"))
        })
        .collect();
    let groups = accounting.partition().classes.iter();
    let candidates: Vec<f64> = groups.map(|groups| groups.absorb.len() as f64).collect();
    values.insert("candidates".to_owned(), macro_estimate(&candidates, "latents"));
    TableRow {
        at: BTreeMap::from([
            ("cosine".to_owned(), cosine.to_string()),
            ("carried".to_owned(), carried.to_string()),
        ]),
        values,
    }
}
