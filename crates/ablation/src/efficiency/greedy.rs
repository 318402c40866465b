//! Sets grown one latent at a time by what the whole set does.
//!
//! Single effects do not add up: two latents that write the same direction do together little more than one, and a
//! weak latent may complete a strong one. Greedy growth asks at each step which latent raises the *joint* effect of the set most,
//! on train words.
//!
//! Deliberately absent: taking latents out again, and a guarantee: the best set of a size may be another one.

use sae::SparseLatents;

use crate::arms::SaeSide;
use crate::editor::Subject;
use crate::effects::{LetterLogits, log_odds};
use crate::error::{AblationError, Result};
use crate::readout::Readout;

/// What greedy growth starts from.
#[derive(Clone, Copy, Debug)]
pub struct GreedyPlan<'a> {
    /// Per class, latents to choose from, the likeliest first.
    pub candidates: &'a [Vec<u32>],
    /// Class of each row.
    pub class_of: &'a [usize],
    /// Alphabet index of each class.
    pub letters: &'a [usize],
    /// Largest set.
    pub largest: usize,
}

/// A set as it grew.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Growth {
    /// Latents in the order in which they were taken.
    pub latents: Vec<u32>,
    /// Total effect on the class's rows after each, nats.
    pub effects: Vec<f64>,
}

/// Grows a set for each class. A set stops where no candidate raises its effect.
///
/// # Shapes
/// - `latents`: one row per row of `readout`
/// - `clean`: unedited logits of each row
/// - returns: `[classes]`
///
/// # Errors
/// Sizes disagree, or the model refuses a run.
pub fn greedy(
    readout: &dyn Readout,
    side: &SaeSide<'_>,
    latents: &SparseLatents,
    clean: &[LetterLogits],
    plan: GreedyPlan<'_>,
) -> Result<Vec<Growth>> {
    let rows = readout.rows();
    let classes = plan.candidates.len();
    let misfit = latents.rows() != rows
        || clean.len() != rows
        || plan.class_of.len() != rows
        || plan.letters.len() != classes
        || plan.class_of.iter().any(|&class| class >= classes);
    if misfit {
        return Err(AblationError::Edit(
            "greedy sets need latents, logits and a class for every row, and candidates for every class".to_owned(),
        ));
    }
    let mut rows_of = vec![Vec::new(); classes];
    for (row, &class) in plan.class_of.iter().enumerate() {
        rows_of[class].push(row);
    }
    let mut grown = vec![Growth::default(); classes];
    let mut open: Vec<usize> = (0..classes).collect();
    for _ in 0..plan.largest {
        let tries: Vec<(usize, u32)> = open
            .iter()
            .flat_map(|&class| plan.candidates[class].iter().map(move |&latent| (class, latent)))
            .filter(|(class, latent)| !grown[*class].latents.contains(latent))
            .collect();
        let step = Step {
            readout,
            side,
            latents,
            clean,
            letters: plan.letters,
        };
        let effects = step.effects(&tries, &grown, &rows_of)?;
        let mut best: Vec<Option<(f64, u32)>> = vec![None; classes];
        for (&(class, latent), effect) in tries.iter().zip(effects) {
            // Ties go to the earlier candidate.
            if best[class].is_none_or(|(most, _)| effect > most) {
                best[class] = Some((effect, latent));
            }
        }
        open.retain(|&class| {
            let now = grown[class].effects.last().copied().unwrap_or(0.0);
            let Some((effect, latent)) = best[class].filter(|(effect, _)| *effect > now) else {
                return false;
            };
            grown[class].latents.push(latent);
            grown[class].effects.push(effect);
            true
        });
        if open.is_empty() {
            break;
        }
    }
    Ok(grown)
}

/// What one step of growth sees.
#[derive(Clone, Copy)]
struct Step<'a> {
    readout: &'a dyn Readout,
    side: &'a SaeSide<'a>,
    latents: &'a SparseLatents,
    clean: &'a [LetterLogits],
    letters: &'a [usize],
}

impl Step<'_> {
    /// Total effect of each try: the class's set so far with one more latent, on the class's rows.
    fn effects(&self, tries: &[(usize, u32)], grown: &[Growth], rows_of: &[Vec<usize>]) -> Result<Vec<f64>> {
        let mut effects = vec![0.0; tries.len()];
        let (mut slots, mut rows, mut vectors) = (Vec::new(), Vec::new(), Vec::new());
        for (slot, &(class, latent)) in tries.iter().enumerate() {
            let set: Vec<u32> = grown[class].latents.iter().copied().chain([latent]).collect();
            let editor = self.side.editor(&set, class);
            for &row in &rows_of[class] {
                let x = self.readout.site(row);
                let subject = Subject {
                    x,
                    latents: Some((self.latents, row)),
                };
                let delta = editor.delta(subject)?;
                // As in the measurement: a change of exactly zero has exactly no effect.
                if delta.iter().any(|&d| d != 0.0) {
                    vectors.extend(x.iter().zip(delta).map(|(&x, d)| (f64::from(x) + d) as f32));
                    rows.push(row);
                    slots.push((slot, self.letters[class]));
                }
                if rows.len() >= self.readout.most_edits() {
                    self.add(&slots, &rows, &vectors, &mut effects)?;
                    slots.clear();
                    rows.clear();
                    vectors.clear();
                }
            }
        }
        self.add(&slots, &rows, &vectors, &mut effects)?;
        Ok(effects)
    }

    fn add(&self, slots: &[(usize, usize)], rows: &[usize], vectors: &[f32], effects: &mut [f64]) -> Result<()> {
        if rows.is_empty() {
            return Ok(());
        }
        let logits = self.readout.edited_logits(rows, vectors)?;
        for ((&(slot, letter), &row), logits) in slots.iter().zip(rows).zip(&logits) {
            effects[slot] += log_odds(&self.clean[row], letter) - log_odds(logits, letter);
        }
        Ok(())
    }
}
