//! The gap told as a sequence: what is regained by adding one part of the read after another, then by writing cleanly.
//!
//! The order decides how much each step gets, so these numbers are for reading, not for comparing parts; [`super::GapTerms`] do not depend on an
//! order. Main latents' write throughout, until the last step.

use super::effects::{ClassEffects, WriteOrder};
use super::line::{Change, along, falls};
use super::read::Accounting;
use crate::error::{AblationError, Result};
use crate::measure::Bench;

/// Steps, in their order: mediated share after each. The first is the main latents, the one before the last is the reference.
pub const STEPS: [&str; 8] = [
    "main",
    "+ split",
    "+ threshold",
    "+ absorb",
    "+ diffuse",
    "+ dark",
    "clean write",
    "ceiling",
];

/// Mediated share after each step, for the classes whose main latents have a write of their own and that are identified: `(class, shares)`.
///
/// # Errors
/// The model refuses a run.
pub fn sequence(
    bench: &Bench<'_>,
    accounting: &Accounting<'_>,
    effects: &[ClassEffects],
) -> Result<Vec<(usize, [f64; 8])>> {
    const EDITS: usize = 4;
    let usable: Vec<(&ClassEffects, Vec<f64>)> = effects
        .iter()
        .filter(|class| class.identified() && matches!(class.order, WriteOrder::Both { .. }))
        .filter_map(|class| Some((class, accounting.main_write(class.class).1?)))
        .collect();
    let changes = usable.iter().flat_map(|(class, write)| {
        let letter = bench.letters()[class.class];
        class.words.iter().flat_map(move |word| {
            let terms = word.read.terms;
            let mut dose = terms.main;
            [terms.split, terms.threshold, terms.absorb, terms.diffuse].map(|part| {
                dose += part;
                Change {
                    row: word.read.row,
                    letter,
                    delta: along(write, dose),
                }
            })
        })
    });
    let values = falls(bench.readout(), bench.clean(), changes)?;
    let mut words = values.chunks_exact(EDITS);
    let mut out = Vec::new();
    for (class, _) in &usable {
        let (mut sums, mut full) = ([0.0; 8], 0.0);
        for word in &class.words {
            let steps = words
                .next()
                .ok_or_else(|| AblationError::Edit("the model answered fewer edits than it was given".to_owned()))?;
            let all = [
                word.main,
                steps[0],
                steps[1],
                steps[2],
                steps[3],
                word.sae_write.unwrap_or(word.reference),
                word.reference,
                word.full,
            ];
            sums.iter_mut().zip(all).for_each(|(sum, value)| *sum += value);
            full += word.full;
        }
        out.push((class.class, sums.map(|sum| sum / full)));
    }
    Ok(out)
}
