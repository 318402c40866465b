//! What an SAE leaves out of the site vector, `e = x - x^`, and what goes through it.
//!
//! The main arms keep `e` (pure deltas). Three further measurements say what that hides:
//!
//! - *splice*: `D(x -> x^)`, what the reconstruction alone costs, beside the ceiling;
//! - *dark share*: the mediated share of `E_e(x) = x - (v . e - t) u` with the read `v` and write `u` of LEACE and `t = E[v . e | y != c]`: the
//!   part of the letter that lives only in `e`. It is an arm like any other ([`dark_arm`]), scored by the same code;
//! - *patched parts*: from a donor word `x'` the latents' part alone, `x^' + e`, or the error's alone, `x^ + e'`, beside the whole `x'`. In a
//!   linear read-out the two add up to the whole; in a model they need not.
//!
//! Deliberately absent: encoding and decoding (callers pass `e`), and means over letters.

use sae::SparseLatents;

use crate::arms::Arm;
use crate::directions::{Directions, Labelled, off_class_mean_of};
use crate::editor::{Editor, Reader, Term};
use crate::effects::{LetterLogits, log_odds, pair_difference};
use crate::error::{AblationError, Result};
use crate::measure::Bench;
use crate::score::MIN_CEILING;

/// Which part of a donor's vector is patched in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The reconstruction, `x^' + e`.
    Latents,
    /// The error, `x^ + e'`.
    Error,
}

/// One word's effect beside its ceiling, nats or logits.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PartEffect {
    /// Class of the word.
    pub class: usize,
    /// Effect of the part.
    pub effect: f64,
    /// Effect of the whole.
    pub ceiling: f64,
    /// What the ceiling is to remove at least half of: the log-odds before (0 for patches).
    pub before: f64,
}

/// Replaces the vector of each letter's own words by its reconstruction. `error`: `e` of every row of the bench, `[rows, d_model]`.
///
/// # Errors
/// Sizes disagree, or the model refuses a run.
pub fn splice(bench: &Bench<'_>, error: &[f32]) -> Result<Vec<PartEffect>> {
    let own: Vec<(usize, usize)> = bench
        .pairs()
        .iter()
        .enumerate()
        .filter_map(|(pair, p)| p.on.then_some((pair, p.row)))
        .collect();
    let d = width(bench, error)?;
    let changes: Vec<(usize, Vec<f32>)> = own
        .iter()
        .map(|&(_, row)| (row, error[row * d..(row + 1) * d].iter().map(|e| -e).collect()))
        .collect();
    let logits = moved(bench, &changes)?;
    Ok(own
        .iter()
        .zip(&logits)
        .map(|(&(pair, row), logits)| {
            let class = bench.class_of()[row];
            let letter = bench.letters()[class];
            let before = log_odds(&bench.clean()[row], letter);
            PartEffect {
                class,
                effect: before - log_odds(logits, letter),
                ceiling: before - log_odds(&bench.full()[pair], letter),
                before,
            }
        })
        .collect())
}

/// Patches one part of each word's donor into it. `error`: as for [`splice`], donors' rows included.
///
/// # Errors
/// Sizes disagree, or the model refuses a run.
pub fn patch(bench: &Bench<'_>, error: &[f32], part: Part) -> Result<Vec<PartEffect>> {
    let d = width(bench, error)?;
    let of = |row: usize| &error[row * d..(row + 1) * d];
    let readout = bench.readout();
    let mut changes = Vec::new();
    let mut words = Vec::new();
    for row in 0..readout.rows() {
        let (Some(donor), Some(full)) = (bench.donor(row), bench.patched_full(row)) else {
            continue;
        };
        let errors = of(donor).iter().zip(of(row)).map(|(theirs, own)| theirs - own);
        let change = match part {
            Part::Error => errors.collect(),
            Part::Latents => {
                let whole = readout.site(donor).iter().zip(readout.site(row)).map(|(a, b)| a - b);
                whole.zip(errors).map(|(whole, error)| whole - error).collect()
            }
        };
        changes.push((row, change));
        words.push((row, donor, full));
    }
    let logits = moved(bench, &changes)?;
    let (class_of, letters) = (bench.class_of(), bench.letters());
    Ok(words
        .iter()
        .zip(&logits)
        .map(|(&(row, donor, full), logits)| {
            let (from, to) = (letters[class_of[row]], letters[class_of[donor]]);
            let before = pair_difference(&bench.clean()[row], from, to);
            PartEffect {
                class: class_of[row],
                effect: pair_difference(logits, from, to) - before,
                ceiling: pair_difference(full, from, to) - before,
                before: 0.0,
            }
        })
        .collect())
}

/// Ratio of sums of each class; none where the ceiling does nothing, or removes less than half of the letter.
#[must_use]
pub fn shares(effects: &[PartEffect], classes: usize) -> Vec<Option<f64>> {
    let mut sums = vec![[0.0; 3]; classes];
    for e in effects {
        let sum = &mut sums[e.class];
        sum[0] += e.effect;
        sum[1] += e.ceiling;
        sum[2] += e.before;
    }
    let share = |&[effect, ceiling, before]: &[f64; 3]| {
        (ceiling > 0.0 && ceiling >= MIN_CEILING * before).then_some(effect / ceiling)
    };
    sums.iter().map(share).collect()
}

/// The arm `E_e`, and what its editors read: the number `v_c . e` of each row, given to them as latent `c`.
///
/// # Shapes
/// - `train_error`: `[train words, d_model]`; `error`: `[rows, d_model]` of the bench
///
/// # Errors
/// Sizes disagree.
pub fn dark_arm(
    directions: &Directions,
    train: &Labelled,
    train_error: &[f32],
    error: &[f32],
) -> Result<(Arm, SparseLatents)> {
    let d = train.d;
    if train_error.len() != train.x.len() || !error.len().is_multiple_of(d) {
        return Err(AblationError::Edit(format!(
            "{} and {} error values for {} train words of width {d}",
            train_error.len(),
            error.len(),
            train.n()
        )));
    }
    let read = |class: usize, row: &[f32]| -> f64 {
        let reads = &directions.leace[class].reads;
        reads.iter().zip(row).map(|(v, &e)| v * f64::from(e)).sum()
    };
    let editors = directions.leace.iter().enumerate().map(|(class, leace)| {
        let reads = train_error.chunks_exact(d).map(|row| read(class, row));
        let term = Term {
            reader: Reader::Latent { latent: class as u32 },
            write: leace.writes.clone(),
            target: off_class_mean_of(reads, &train.y, train.classes)[class],
        };
        Editor::Terms {
            terms: vec![term],
            dose: 1.0,
        }
    });
    let editors: Vec<Editor> = editors.collect();
    let (classes, rows) = (editors.len(), error.len() / d);
    let values = error
        .chunks_exact(d)
        .flat_map(|row| (0..classes).map(move |class| read(class, row) as f32));
    let latents = SparseLatents::new(
        classes,
        (0..=rows).map(|row| row * classes).collect(),
        (0..rows).flat_map(|_| 0..classes as u32).collect(),
        values.collect(),
    );
    Ok((Arm::fixed("error:leace-1", editors), latents))
}

fn width(bench: &Bench<'_>, error: &[f32]) -> Result<usize> {
    let (d, rows) = (bench.readout().d(), bench.readout().rows());
    if error.len() != rows * d {
        return Err(AblationError::Edit(format!(
            "{} error values for {rows} rows of width {d}",
            error.len()
        )));
    }
    Ok(d)
}

/// Logits after adding a change to a row's vector; a change of exactly zero keeps the unedited ones.
fn moved(bench: &Bench<'_>, changes: &[(usize, Vec<f32>)]) -> Result<Vec<LetterLogits>> {
    let mut out: Vec<LetterLogits> = changes.iter().map(|(row, _)| bench.clean()[*row]).collect();
    let (mut slots, mut rows, mut vectors) = (Vec::new(), Vec::new(), Vec::new());
    for (slot, (row, change)) in changes.iter().enumerate() {
        if change.iter().any(|&c| c != 0.0) {
            slots.push(slot);
            rows.push(*row);
            vectors.extend(bench.readout().site(*row).iter().zip(change).map(|(x, c)| x + c));
        }
    }
    let logits = bench.readout().edited_logits(&rows, &vectors)?;
    for (slot, logits) in slots.into_iter().zip(logits) {
        out[slot] = logits;
    }
    Ok(out)
}
