//! F1 of one sparse latent as a classifier, from its nonzero activations alone.
//!
//! A latent of an SAE fires on a few rows. Deciding "class `c` iff activation > threshold" for the
//! best threshold on training words is the sparse probe with `k = 1`,
//! without a fit: one sort gives the best threshold for every class at once, which makes a scan of
//! all latents of a wide SAE against 26 letters affordable.
//!
//! Deliberately absent: negative thresholds. A latent that is silent on a row says nothing.

use serde::{Deserialize, Serialize};

use crate::error::ProbeError;
use crate::labels::Labels;
use crate::metrics::Confusion;

/// A latent as a classifier of one class.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct LatentScore {
    /// Fires iff activation > threshold; zero, or halfway between two training activations.
    pub threshold: f64,
    /// Counts at the threshold.
    pub best: Confusion,
    /// Counts at threshold zero: the latent fires at all.
    pub fires: Confusion,
}

/// The best threshold of one latent for one class; `None` if the class has no rows. Equal F1 goes
/// to the highest threshold.
///
/// # Shapes
/// - `nonzero`: `[m]`, pairs of row and activation; entries that are zero or less do not fire
/// - `positive`: `[n]`
///
/// # Errors
/// A row that does not exist or is listed twice, or an activation that is not finite.
pub fn best_threshold_f1(nonzero: &[(usize, f32)], positive: &[bool]) -> Result<Option<LatentScore>, ProbeError> {
    let hits = positive.iter().filter(|&&positive| positive).count();
    let counts = [hits, positive.len() - hits];
    let class = |row: usize| positive.get(row).map(|&positive| usize::from(!positive));
    Ok(sweep(nonzero, positive.len(), &counts, class)?.swap_remove(0))
}

/// [`best_threshold_f1`] for all classes of `labels` with one sort, `O(m log m + n_classes)`.
///
/// # Shapes
/// - `nonzero`: `[m]`, pairs of row and activation
/// - `labels`: `[n]`
/// - returns: `[n_classes]`, `None` for a class without rows
///
/// # Errors
/// A row that does not exist or is listed twice, or an activation that is not finite.
pub fn best_thresholds(nonzero: &[(usize, f32)], labels: &Labels) -> Result<Vec<Option<LatentScore>>, ProbeError> {
    sweep(nonzero, labels.n(), labels.counts(), |row| {
        labels.classes().get(row).copied()
    })
}

fn sweep(
    nonzero: &[(usize, f32)],
    n: usize,
    counts: &[usize],
    class_of: impl Fn(usize) -> Option<usize>,
) -> Result<Vec<Option<LatentScore>>, ProbeError> {
    let mut firing = Vec::with_capacity(nonzero.len());
    for &(row, value) in nonzero {
        let class = class_of(row).ok_or(ProbeError::RowOutOfRange { row, n })?;
        if !value.is_finite() {
            return Err(ProbeError::NonFinite {
                row,
                column: 0,
                value: f64::from(value),
            });
        }
        if value > 0.0 {
            firing.push((f64::from(value), class, row));
        }
    }
    refuse_duplicates(&firing)?;
    firing.sort_unstable_by(|a, b| b.0.total_cmp(&a.0));

    let mut hits = vec![0; counts.len()];
    // Best so far: threshold and hits and firing rows there.
    let mut best = vec![(firing.first().map_or(0.0, |row| row.0), 0, 0); counts.len()];
    let mut start = 0;
    while start < firing.len() {
        let value = firing[start].0;
        let end = start + firing[start..].partition_point(|row| row.0 >= value);
        for row in &firing[start..end] {
            hits[row.1] += 1;
        }
        // Halfway down to the next activation, exact in f64 for two f32 neighbours.
        let threshold = firing.get(end).map_or(0.0, |next| f64::midpoint(value, next.0));
        // Only a class that gains a hit can improve: more rows with equal hits lower F1.
        for &(_, class, _) in &firing[start..end] {
            let (_, best_hits, best_rows) = best[class];
            // Compares 2 h / (rows + n_c) without division.
            if hits[class] * (best_rows + counts[class]) > best_hits * (end + counts[class]) {
                best[class] = (threshold, hits[class], end);
            }
        }
        start = end;
    }
    let confusion = |class: usize, true_positives: usize, rows: usize| Confusion {
        true_positives,
        false_positives: rows - true_positives,
        false_negatives: counts[class] - true_positives,
    };
    Ok((0..counts.len())
        .map(|class| {
            let (threshold, best_hits, rows) = best[class];
            (counts[class] > 0).then(|| LatentScore {
                threshold,
                best: confusion(class, best_hits, rows),
                fires: confusion(class, hits[class], firing.len()),
            })
        })
        .collect())
}

/// Latents are usually listed by ascending row, which needs no sort to check.
fn refuse_duplicates(firing: &[(f64, usize, usize)]) -> Result<(), ProbeError> {
    if firing.is_sorted_by(|a, b| a.2 < b.2) {
        return Ok(());
    }
    let mut rows: Vec<usize> = firing.iter().map(|row| row.2).collect();
    rows.sort_unstable();
    match rows.windows(2).find(|pair| pair[0] == pair[1]) {
        Some(pair) => Err(ProbeError::DuplicateRow { row: pair[0] }),
        None => Ok(()),
    }
}
