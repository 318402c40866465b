//! Effects of changing vectors by given deltas.

use crate::effects::{LetterLogits, log_odds};
use crate::error::Result;
use crate::readout::Readout;

/// A row, the alphabet index of its letter, and what is added to its vector, `[d_model]`.
pub(super) struct Change {
    pub(super) row: usize,
    pub(super) letter: usize,
    pub(super) delta: Vec<f64>,
}

/// Fall of each row's letter log-odds, nats; exactly 0 for a change of exactly zero.
pub(super) fn falls(
    readout: &dyn Readout,
    clean: &[LetterLogits],
    changes: impl Iterator<Item = Change>,
) -> Result<Vec<f64>> {
    let mut out = Vec::new();
    let mut waiting: Vec<(usize, usize, usize)> = Vec::new();
    let mut vectors: Vec<f32> = Vec::new();
    let run = |waiting: &mut Vec<(usize, usize, usize)>, vectors: &mut Vec<f32>, out: &mut Vec<f64>| {
        let rows: Vec<usize> = waiting.iter().map(|w| w.1).collect();
        let logits = readout.edited_logits(&rows, vectors)?;
        for ((slot, row, letter), logits) in waiting.drain(..).zip(&logits) {
            out[slot] = log_odds(&clean[row], letter) - log_odds(logits, letter);
        }
        vectors.clear();
        Ok::<(), crate::AblationError>(())
    };
    for change in changes {
        if change.delta.iter().any(|&delta| delta != 0.0) {
            waiting.push((out.len(), change.row, change.letter));
            let x = readout.site(change.row);
            vectors.extend(
                x.iter()
                    .zip(&change.delta)
                    .map(|(&x, delta)| (f64::from(x) + delta) as f32),
            );
        }
        out.push(0.0);
        if waiting.len() >= readout.most_edits() {
            run(&mut waiting, &mut vectors, &mut out)?;
        }
    }
    run(&mut waiting, &mut vectors, &mut out)?;
    Ok(out)
}

/// `-amount` of a direction.
pub(super) fn along(direction: &[f64], amount: f64) -> Vec<f64> {
    direction.iter().map(|u| -amount * u).collect()
}
