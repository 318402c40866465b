//! An SAE as a detector of letters, and how good it is as an SAE.

use std::collections::BTreeMap;

use ablation::absorption::{decoder_cosines, full_absorption};
use linear_probe::metrics;
use sae::{evaluate, l0_warning};
use store::{Estimate, LetterRow, Warning};

use super::Lab;
use super::sae::OfSae;
use crate::run::plan::{Plan, SaeInput};
use crate::run::site::Site;
use crate::run::summary::{Summary, macro_estimate};

/// What the SAE is as a detector of letters, and how good it is as an SAE.
pub(super) fn detection(lab: Lab<'_>, of: &OfSae<'_>, input: &SaeInput, summary: &mut Summary) -> anyhow::Result<()> {
    let Lab { plan, site, .. } = lab;
    let OfSae {
        sae, probes, own, test, ..
    } = of;
    let n = site.test.n();
    let main: Vec<u32> = probes.iter().map(|p| p.latent).collect();
    let columns = test.columns();
    let lr_scores = scores_of(site)?;
    let (mut f1s, mut rates, mut rates_k1) = (Vec::new(), Vec::new(), Vec::new());
    for (class, probe) in probes.iter().enumerate() {
        let positive: Vec<bool> = site.test.y.iter().map(|&y| y == class).collect();
        let mut activation = vec![0.0f64; n];
        let (rows, values) = columns.latent(probe.latent as usize);
        for (&row, &value) in rows.iter().zip(values) {
            activation[row as usize] = f64::from(value);
        }
        let at_threshold = metrics::confusion(&activation, &positive, probe.threshold);
        let fires = metrics::confusion(&activation, &positive, 0.0);
        f1s.push(at_threshold.f1());

        let direction = site.directions.lr.direction(class);
        let length = direction.iter().map(|v| v * v).sum::<f64>().sqrt();
        let cosines = decoder_cosines(sae, direction);
        let found: Vec<usize> = (0..n)
            .filter(|&row| positive[row] && lr_scores[row * plan.letters.len() + class] > 0.0)
            .collect();
        let absorbed_by = |own: &[u32]| {
            let absorbed = found.iter().filter(|&&row| {
                let projection: f64 = site
                    .test
                    .row(row)
                    .iter()
                    .zip(direction)
                    .map(|(&x, v)| f64::from(x) * v)
                    .sum();
                full_absorption(test, row, own, &cosines, projection / length).is_some()
            });
            absorbed.count()
        };
        let count = absorbed_by(&own[class]);
        if !found.is_empty() {
            rates.push(count as f64 / found.len() as f64);
            rates_k1.push(absorbed_by(&main[class..=class]) as f64 / found.len() as f64);
        }
        let point = |value: f64, of: usize| Estimate::point(value, of as u64, "share");
        let words = positive.iter().filter(|&&p| p).count();
        let mut values = BTreeMap::from([
            ("f1".to_owned(), point(at_threshold.f1(), words)),
            ("f1_fires".to_owned(), point(fires.f1(), words)),
            ("precision".to_owned(), point(at_threshold.precision(), words)),
            ("recall".to_owned(), point(at_threshold.recall(), words)),
            (
                "latent".to_owned(),
                Estimate::point(f64::from(probe.latent), words as u64, "index"),
            ),
            (
                "split_latents".to_owned(),
                Estimate::point((own[class].len() - 1) as f64, words as u64, "latents"),
            ),
        ]);
        if !found.is_empty() {
            values.insert(
                "absorbed".to_owned(),
                point(count as f64 / found.len() as f64, found.len()),
            );
        }
        summary.letters.push(LetterRow {
            letter: plan.letters[class].lower(),
            arm: "latent".to_owned(),
            values,
        });
    }
    let split_counts: Vec<f64> = own.iter().map(|own| (own.len() - 1) as f64).collect();
    summary.put("latent/f1", macro_estimate(&f1s, "share").higher_is_better());
    summary.put("latent/split_latents", macro_estimate(&split_counts, "latents"));
    if !rates.is_empty() {
        summary.put(
            "latent/full_absorption",
            macro_estimate(&rates, "share").lower_is_better(),
        );
        summary.put(
            "latent/full_absorption_k1",
            macro_estimate(&rates_k1, "share").lower_is_better(),
        );
    }
    let quality = evaluate(sae, &site.test.x);
    summary.put("sae/l0", Estimate::point(quality.l0, n as u64, "latents"));
    summary.put(
        "sae/explained_variance",
        Estimate::point(quality.explained_variance, n as u64, "share").higher_is_better(),
    );
    summary.put(
        "sae/dead_share",
        Estimate::point(quality.dead_share, n as u64, "share").lower_is_better(),
    );
    warn_mismatch(plan, input, quality.l0, summary);
    Ok(())
}

/// Warns where the SAE is not used as its files say it was trained.
fn warn_mismatch(plan: &Plan, input: &SaeInput, l0: f64, summary: &mut Summary) {
    if let Some(found) = input.declared_l0.and_then(|declared| l0_warning(declared, l0)) {
        summary.warnings.push(Warning::L0Mismatch {
            sae: input.id.clone(),
            declared: found.declared,
            measured: found.measured,
        });
    }
    if input.spec.hook != plan.hook {
        summary.warnings.push(Warning::HookMismatch {
            sae: input.id.clone(),
            trained: input.spec.hook.clone(),
            used: plan.hook.clone(),
        });
    }
}

/// Logistic scores of all test words, `[n, classes]`.
pub(super) fn scores_of(site: &Site) -> anyhow::Result<Vec<f64>> {
    let design = linear_probe::Design::new(&site.test.x, site.test.n(), site.test.d)?;
    Ok(site.directions.lr.scores(design)?)
}
