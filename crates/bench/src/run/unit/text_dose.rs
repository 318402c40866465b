//! What each factor of a dose sweep does to unrelated text.
//!
//! A part of the run's text is enough to match arms by it, and the same part serves all of them. Deliberately absent: the damage at
//! the natural dose on all of the text, which side effects report.

use ablation::dose::{ALPHAS, TextDose};
use ablation::side::text::{TextStage, text_kl};
use ablation::{Arm, arms};
use sae::{Sae, SparseLatents};

use super::Lab;

/// Damage of the reference at its natural dose and of every swept arm at every factor; nothing where there is no text.
pub(super) fn text_doses(lab: Lab<'_>, swept: &[Arm], sae: Option<&Sae>) -> anyhow::Result<Vec<TextDose>> {
    let Some(text) = lab.side.and_then(|side| side.dose_text.as_ref()) else {
        return Ok(Vec::new());
    };
    lab.profile.time("text", None, || measure(lab, text, swept, sae))
}

fn measure(lab: Lab<'_>, text: &TextStage<'_>, swept: &[Arm], sae: Option<&Sae>) -> anyhow::Result<Vec<TextDose>> {
    let latents = sae.map(|sae| sae.encode(text.stream()));
    let mut found = Vec::new();
    let mut put = |arm: &Arm, alpha: f64, latents: Option<&SparseLatents>| -> anyhow::Result<()> {
        let kl = text_kl(text, &arms::at_dose(arm, alpha), latents)?;
        found.extend(kl.into_iter().zip(&lab.plan.letters).map(|(kl, letter)| TextDose {
            arm: arm.name.clone(),
            letter: letter.lower(),
            alpha,
            kl,
        }));
        Ok(())
    };
    let reference = arms::leace_1(&lab.site.directions, &lab.site.train);
    if swept.iter().all(|arm| arm.name != reference.name) {
        put(&reference, 1.0, None)?;
    }
    for arm in swept {
        for alpha in ALPHAS {
            put(arm, alpha, latents.as_ref())?;
        }
    }
    Ok(found)
}
