//! What an SAE's reconstruction leaves out, and what goes through it.

use ablation::side::error_term::{Part, PartEffect, dark_arm, patch, shares, splice};
use store::Warning;

use super::sae::OfSae;
use super::{Lab, Unit};
use crate::run::summary::{Summary, macro_estimate};

/// Splice, dark share and patched parts of one SAE.
pub(super) fn measure(lab: Lab<'_>, of: &OfSae<'_>, unit: &mut Unit) -> anyhow::Result<()> {
    let site = lab.site;
    let error = of.sae.error_term(&site.scored.sites(), &of.scored);
    let train_error = of.sae.error_term(&site.train.x, &of.side.train);
    let spliced = splice(lab.bench, &error)?;
    put(lab, &mut unit.summary, "error/splice", &spliced);
    let nats: Vec<f64> = mean_effects(&spliced, lab.plan.letters.len());
    if !nats.is_empty() {
        unit.summary
            .put("error/splice_effect", macro_estimate(&nats, "nats").lower_is_better());
    }

    let (arm, reads) = dark_arm(&site.directions, &site.train, &train_error, &error)?;
    unit.arm(lab, &arm, Some(&reads))?;
    match unit.summary.values.get(&format!("{}/ms", arm.name)).cloned() {
        Some(mut estimate) => {
            // More of the letter in the error is worse for the SAE, whatever a high share means for an arm.
            estimate.higher_is_better = Some(false);
            unit.summary.put("error/dark_ms", estimate);
        }
        None => missing(&mut unit.summary, "error/dark_ms"),
    }

    for (name, part) in [
        ("error/patch_latents_ms", Part::Latents),
        ("error/patch_error_ms", Part::Error),
    ] {
        let effects = patch(lab.bench, &error, part)?;
        put(lab, &mut unit.summary, name, &effects);
    }
    Ok(())
}

/// Mean over letters of the ratio of sums.
fn put(lab: Lab<'_>, summary: &mut Summary, name: &str, effects: &[PartEffect]) {
    let known: Vec<f64> = shares(effects, lab.plan.letters.len()).into_iter().flatten().collect();
    if known.is_empty() {
        missing(summary, name);
        return;
    }
    let share = macro_estimate(&known, "share");
    let latents = name == "error/patch_latents_ms";
    summary.put(
        name,
        if latents {
            share.higher_is_better()
        } else {
            share.lower_is_better()
        },
    );
}

fn missing(summary: &mut Summary, name: &str) {
    summary.warnings.push(Warning::NotMeasured {
        measurement: name.to_owned(),
        reason: "no letter has a ceiling that shares can be taken of".to_owned(),
    });
}

/// Mean effect of each class that has words.
fn mean_effects(effects: &[PartEffect], classes: usize) -> Vec<f64> {
    let mut sums = vec![[0.0; 2]; classes];
    for effect in effects {
        sums[effect.class][0] += effect.effect;
        sums[effect.class][1] += 1.0;
    }
    let with_words = sums.iter().filter(|s| s[1] > 0.0);
    with_words.map(|s| s[0] / s[1]).collect()
}
