//! Batch top-k over weighted rows.
//!
//! A batch of `B` rows keeps its `k B` largest positive latents. Equal rows have equal latents, so whole groups of equal values
//! are kept or dropped; only the group at the bar may be kept in part. Which of its equal rows keep the latent cannot matter to
//! any sum, so the row is split in two: one with the latent, as often as there is room, and one without. Equal values of
//! different rows or latents, which are not a matter of counts, go in the order of rows and latents.

use std::cmp::Ordering;

use super::batch::Batch;

/// A positive latent.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry {
    value: f64,
    weight: f64,
    row: u32,
    latent: u32,
}

/// Sets to zero all but the `keep` largest of the positive `latents`, counting each as often as its row. Returns the smallest
/// one kept.
///
/// # Shapes
/// - `latents`: one row per row of `batch`; both grow by one if the group at the bar is split
pub(super) fn batch_top_k<const N: usize>(
    latents: &mut Vec<[f64; N]>,
    batch: &mut Batch,
    keep: f64,
    entries: &mut Vec<Entry>,
) -> Option<f64> {
    entries.clear();
    for (row, (latents, &weight)) in latents.iter().zip(&batch.weights).enumerate() {
        for (latent, &value) in latents.iter().enumerate() {
            if value > 0.0 {
                entries.push(Entry {
                    value,
                    weight,
                    row: row as u32,
                    latent: latent as u32,
                });
            }
        }
    }
    let total: f64 = entries.iter().map(|entry| entry.weight).sum();
    if total <= keep {
        return entries.iter().map(|entry| entry.value).reduce(f64::min);
    }
    let (bar, room) = find_bar(entries, keep);
    for entry in &entries[bar + 1..] {
        latents[entry.row as usize][entry.latent as usize] = 0.0;
    }
    let last = entries[bar];
    if room < last.weight {
        let row = last.row as usize;
        let mut without = latents[row];
        without[last.latent as usize] = 0.0;
        latents.push(without);
        batch.magnitudes.extend_from_within(row * N..(row + 1) * N);
        batch.weights[row] = room;
        batch.weights.push(last.weight - room);
    }
    Some(last.value)
}

/// Reorders `entries`, whose weights exceed `keep`, so that those before the returned index are kept, those behind it are not,
/// and the one there is kept as often as is returned with it, at least once.
///
/// Halves by `select_nth_unstable`: a fixed number of passes over the entries, where sorting would take a dozen.
fn find_bar(entries: &mut [Entry], keep: f64) -> (usize, f64) {
    let (mut low, mut high, mut room) = (0, entries.len(), keep);
    loop {
        let middle = (high - low) / 2;
        let (before, at, _) = entries[low..high].select_nth_unstable_by(middle, order);
        let above: f64 = before.iter().map(|entry| entry.weight).sum();
        if above >= room {
            high = low + middle;
        } else if above + at.weight >= room {
            return (low + middle, room - above);
        } else {
            room -= above + at.weight;
            low += middle + 1;
        }
    }
}

/// Largest first, then by row and latent.
fn order(a: &Entry, b: &Entry) -> Ordering {
    let tie = || (a.row, a.latent).cmp(&(b.row, b.latent));
    b.value.total_cmp(&a.value).then_with(tie)
}
