//! The same reads and writes brought elsewhere: to zero, to a random other word's value, or part of the way.
//!
//! Bringing a read to its off-class mean is the primary edit. Zero is the habit of the SAE literature: for a sparse latent it is
//! nearly the same, for a dense direction it is an arbitrary origin. A random off-class word's value keeps the read's distribution.
//!
//! Deliberately absent: negative values of a latent, which are steering and not ablation.

use rand::RngExt;
use sae::SparseLatents;

use super::Arm;
use crate::directions::Labelled;
use crate::editor::{Editor, Reader, Subject};
use crate::error::{AblationError, Result};

/// The arm with every edit multiplied by `alpha`, under the same name.
#[must_use]
pub fn at_dose(arm: &Arm, alpha: f64) -> Arm {
    let scaled = |editor: &Editor| Editor::Scaled {
        dose: alpha,
        editor: Box::new(editor.clone()),
    };
    Arm {
        name: arm.name.clone(),
        draws: arm.draws.iter().map(|d| d.iter().map(scaled).collect()).collect(),
    }
}

/// The arm whose reads are brought to zero: a latent to silence, a direction to `v . x = 0`. Named `ARM@zero`.
///
/// # Errors
/// An editor has no reads.
pub fn at_zero(arm: &Arm) -> Result<Arm> {
    let origin = |reader: &Reader, _: usize| match reader {
        // The read is centred; its zero is not that of the raw projection.
        Reader::Linear { offset, .. } => Ok(-offset),
        Reader::Latent { .. } => Ok(0.0),
    };
    Ok(Arm::fixed(&format!("{}@zero", arm.name), with_targets(arm, origin)?))
}

/// The arm whose reads are brought to their values in a random train word of another class: one word per draw and class. Named
/// `ARM@resample`.
///
/// `latents`: those of the train words, where the arm reads latents.
///
/// # Errors
/// An editor has no reads, latents are read and not given, or a class has all train words.
pub fn resampled(arm: &Arm, train: &Labelled, latents: Option<&SparseLatents>, draws: usize, seed: u64) -> Result<Arm> {
    let draw = |i: usize| -> Result<Vec<Editor>> {
        let mut rng = stats::seed::rng(seed, &format!("arms/resample/{i}"));
        let words = (0..train.classes)
            .map(|class| {
                let others: Vec<usize> = (0..train.n()).filter(|&row| train.y[row] != class).collect();
                if others.is_empty() {
                    return Err(AblationError::Edit(format!("class {class} has all train words")));
                }
                Ok(others[rng.random_range(0..others.len())])
            })
            .collect::<Result<Vec<usize>>>()?;
        with_targets(arm, |reader, class| {
            let row = words[class];
            reader.read(Subject {
                x: train.row(row),
                latents: latents.map(|latents| (latents, row)),
            })
        })
    };
    Ok(Arm {
        name: format!("{}@resample", arm.name),
        draws: (0..draws).map(draw).collect::<Result<_>>()?,
    })
}

/// The first draw's editors with other targets, given each read and its class.
fn with_targets(arm: &Arm, target: impl Fn(&Reader, usize) -> Result<f64>) -> Result<Vec<Editor>> {
    let editors = arm.draws[0].iter().enumerate();
    editors
        .map(|(class, editor)| {
            let Editor::Terms { terms, dose } = editor else {
                return Err(AblationError::Edit(format!(
                    "arm `{}` has no reads that could be brought elsewhere",
                    arm.name
                )));
            };
            let terms = terms.iter().map(|term| {
                let mut term = term.clone();
                term.target = target(&term.reader, class)?;
                Ok(term)
            });
            Ok(Editor::Terms {
                terms: terms.collect::<Result<_>>()?,
                dose: *dose,
            })
        })
        .collect()
}
