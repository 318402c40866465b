//! The unit of all arms that need no SAE, with the site map and the scored words.

use std::collections::BTreeMap;

use ablation::arms;
use store::{Estimate, LetterRow, TableRow, Warning};

use super::{Lab, Unit, efficiency, misread};
use crate::run::plan::Plan;
use crate::run::site::{Site, Stages, layer_map};
use crate::run::summary::{Summary, macro_estimate};

/// The unit of all arms that need no SAE, with the site map.
pub(crate) fn directions(lab: Lab<'_>) -> anyhow::Result<Unit> {
    let Lab {
        args,
        plan,
        site,
        stages,
        ..
    } = lab;
    let mut unit = Unit::new(args);
    let (d, seed) = (site.train.d, plan.directions.seed);
    let leace = arms::leace_1(&site.directions, &site.train);
    let all = [
        arms::null(plan.letters.len()),
        arms::full_site(&site.directions),
        arms::random(&leace, d, args.random_draws, seed),
        arms::random_pca(&leace, &site.directions, args.random_draws, seed),
        arms::diff_mean(&site.directions, &site.train),
        arms::lr(&site.directions, &site.train),
        arms::lr_haufe(&site.directions, &site.train),
        leace,
        arms::leace_joint(&site.directions, &site.train),
    ];
    for mut arm in all {
        // With 26 letters the joint rank is 25; with fewer it is smaller, and the name stays.
        if arm.name.starts_with("leace-") && arm.name != "leace-1" {
            "leace-25".clone_into(&mut arm.name);
        }
        unit.arm(lab, &arm, None)?;
    }
    for floor in ["random", "random-pca"] {
        unit.summary.excess("leace-1", floor);
    }
    let components = site.directions.spectrum.components_for(arms::PCA_SHARE);
    efficiency::spans(lab, &mut unit)?;
    misread::of_probe(lab, &mut unit.summary)?;
    let n = plan.letters.len() as u64;
    unit.summary.put(
        "random-pca/components",
        Estimate::point(components as f64, n, "components"),
    );
    if args.full() {
        super::full::of_directions(lab, &mut unit)?;
    }
    let probe = |field: fn(&linear_probe::metrics::ClassScores) -> f64| {
        let values: Vec<f64> = site.lr.classes.iter().flatten().map(field).collect();
        macro_estimate(&values, "share").higher_is_better()
    };
    let summary = &mut unit.summary;
    summary.put("probe/f1", probe(|c| c.f1));
    summary.put("probe/precision", probe(|c| c.precision));
    summary.put("probe/recall", probe(|c| c.recall));
    summary.put("probe/auc", probe(|c| c.auc));
    summary.put("probe/c", Estimate::point(site.directions.lr_c, n, "1"));
    summary.put(
        "model/accuracy",
        Estimate::point(site.accuracy, site.asked as u64, "share").higher_is_better(),
    );
    for (class, scores) in site.lr.classes.iter().enumerate() {
        let Some(c) = scores else { continue };
        let values = [
            ("f1", c.f1),
            ("precision", c.precision),
            ("recall", c.recall),
            ("auc", c.auc),
        ];
        let values = values
            .into_iter()
            .map(|(k, v)| (k.to_owned(), Estimate::point(v, c.positives as u64, "share")));
        summary.letters.push(LetterRow {
            letter: plan.letters[class].lower(),
            arm: "probe".to_owned(),
            values: values.collect(),
        });
    }
    lab.profile
        .time("layer map", Some(stages), || site_share(plan, site, stages, summary))?;
    summary.tables.insert("words".to_owned(), words(plan, site));
    if let Some(side) = lab.side {
        lab.profile.time("side effects", None, || {
            super::side::directions(lab, side, &mut unit)?;
            super::positions::directions(lab, side, &mut unit)
        })?;
    }
    Ok(unit)
}

/// The scored words with their strata, so that any result can be broken down by them.
fn words(plan: &Plan, site: &Site) -> Vec<TableRow> {
    let row = |row: usize| {
        let word = &plan.vocabulary.words[plan.test.prompts[site.scored.rows[row]].word];
        let at = [
            ("word", word.text.clone()),
            ("letter", word.letter.to_string()),
            ("case", format!("{:?}", word.stratum.case).to_lowercase()),
            ("leading_space", word.stratum.leading_space.to_string()),
            ("fragment", word.stratum.fragment.to_string()),
        ];
        TableRow {
            at: at.into_iter().map(|(k, v)| (k.to_owned(), v)).collect(),
            values: BTreeMap::from([(
                "length".to_owned(),
                Estimate::point(word.stratum.length as f64, 1, "letters"),
            )]),
        }
    };
    (0..site.words).map(row).collect()
}

/// The site share of every layer, and the gate at the chosen one.
fn site_share(plan: &Plan, site: &Site, stages: &Stages<'_>, summary: &mut Summary) -> anyhow::Result<()> {
    const NEEDED: f64 = 0.5;
    let mut rows = Vec::new();
    for (layer, effects) in layer_map(plan, site, stages)?.into_iter().enumerate() {
        let mut by_letter: BTreeMap<usize, [f64; 2]> = BTreeMap::new();
        let flipped = effects
            .iter()
            .filter(|e| e.patched > 0.5 * e.total && e.total > 0.0)
            .count();
        for effect in &effects {
            let sums = by_letter.entry(effect.letter).or_default();
            sums[0] += effect.patched;
            sums[1] += effect.total;
        }
        let Some(share) = shares_of(&by_letter) else {
            // No pair of words differs in the model's answer: nothing says that the letter is here.
            if layer == plan.layer {
                summary.warnings.push(Warning::SiteNotIdentifiable {
                    hook: plan.hook.clone(),
                    full_site_effect: 0.0,
                    needed: NEEDED,
                });
            }
            continue;
        };
        let shares: Vec<f64> = by_letter.values().filter(|s| s[1] > 0.0).map(|s| s[0] / s[1]).collect();
        let more_than_half = Estimate::point(
            flipped as f64 / effects.len().max(1) as f64,
            effects.len() as u64,
            "share",
        );
        if layer == plan.layer {
            let t = t_statistic(&by_letter.values().map(|s| s[1]).collect::<Vec<_>>());
            if share.value < NEEDED || t.abs() <= 5.0 {
                summary.warnings.push(Warning::SiteNotIdentifiable {
                    hook: plan.hook.clone(),
                    full_site_effect: share.value,
                    needed: NEEDED,
                });
            }
            summary.put("site/share", share.clone());
            summary.put("site/t", Estimate::point(t, shares.len() as u64, "1"));
        }
        rows.push(TableRow {
            at: BTreeMap::from([("layer".to_owned(), layer.to_string())]),
            values: BTreeMap::from([("site_share".to_owned(), share), ("flipped".to_owned(), more_than_half)]),
        });
    }
    summary.tables.insert("layers".to_owned(), rows);
    Ok(())
}

/// Mean over letters of the patched share; none where no letter's words can be changed.
fn shares_of(by_letter: &BTreeMap<usize, [f64; 2]>) -> Option<Estimate> {
    let shares: Vec<f64> = by_letter.values().filter(|s| s[1] > 0.0).map(|s| s[0] / s[1]).collect();
    (!shares.is_empty()).then(|| macro_estimate(&shares, "share").higher_is_better())
}

fn t_statistic(values: &[f64]) -> f64 {
    match (stats::mean(values), stats::sd(values)) {
        (Ok(mean), Ok(sd)) if sd > 0.0 => mean / sd * (values.len() as f64).sqrt(),
        _ => 0.0,
    }
}
