//! The division of the read part by brute force: a check of the proportional one.
//!
//! Exact Shapley values of the five parts of the read, the main latents' part always present: 32 edits along the reference's write
//! per word. They differ from the proportional division where the effect bends between the doses and words differ in what they
//! miss, so their distance says how far the division can be trusted.

use serde::{Deserialize, Serialize};

use super::effects::ClassEffects;
use super::line::{Change, along, falls};
use super::read::Accounting;
use super::terms::{READERS, scaled_to};
use crate::error::{AblationError, Result};
use crate::measure::Bench;

/// Sets of the five parts.
const SETS: usize = 1 << READERS;

/// One class's check.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClassShapley {
    /// The class.
    pub class: usize,
    /// Shapley values of split, absorb, diffuse, threshold and dark, scaled to sum to the read part as the proportional ones are; shares.
    pub exact: [f64; READERS],
    /// The proportional ones.
    pub proportional: [f64; READERS],
}

impl ClassShapley {
    /// Largest distance of the two, in shares of the full-site effect.
    #[must_use]
    pub fn deviation(&self) -> f64 {
        let pairs = self.exact.iter().zip(&self.proportional);
        pairs.map(|(a, b)| (a - b).abs()).fold(0.0, f64::max)
    }
}

/// Divides the read part of every identified class again, with 32 edits per word.
///
/// # Errors
/// The model refuses a run.
pub fn shapley_check(
    bench: &Bench<'_>,
    accounting: &Accounting<'_>,
    effects: &[ClassEffects],
) -> Result<Vec<ClassShapley>> {
    let identified = || effects.iter().filter_map(|class| Some((class, class.terms()?)));
    let changes = identified().flat_map(|(class, _)| {
        let write = &accounting.references()[class.class].write;
        let letter = bench.letters()[class.class];
        class.words.iter().flat_map(move |word| {
            let terms = word.read.terms;
            let parts = [terms.split, terms.absorb, terms.diffuse, terms.threshold, terms.dark];
            (0..SETS).map(move |set| {
                let dose: f64 = (0..READERS).filter(|i| set >> i & 1 == 1).map(|i| parts[i]).sum();
                Change {
                    row: word.read.row,
                    letter,
                    delta: along(write, terms.main + dose),
                }
            })
        })
    });
    let values = falls(bench.readout(), bench.clean(), changes)?;
    let mut games = values.chunks_exact(SETS);
    let mut out = Vec::new();
    for (class, terms) in identified() {
        let mut sums = [0.0; READERS];
        let mut full = 0.0;
        for word in &class.words {
            let game = games
                .next()
                .ok_or_else(|| AblationError::Edit("the model answered fewer edits than it was given".to_owned()))?;
            let values = shapley(game);
            sums.iter_mut().zip(values).for_each(|(sum, value)| *sum += value);
            full += word.full;
        }
        out.push(ClassShapley {
            class: class.class,
            exact: scaled_to(sums.map(|sum| sum / full), terms.read),
            proportional: [terms.split, terms.absorb, terms.diffuse, terms.threshold, terms.dark],
        });
    }
    Ok(out)
}

/// Shapley values of five players from the worth of their 32 sets.
fn shapley(worth: &[f64]) -> [f64; READERS] {
    // |S|! (n - 1 - |S|)! / n! for n = 5.
    const WEIGHTS: [f64; READERS] = [1.0 / 5.0, 1.0 / 20.0, 1.0 / 30.0, 1.0 / 20.0, 1.0 / 5.0];
    std::array::from_fn(|player| {
        let without = (0..SETS).filter(|set| set >> player & 1 == 0);
        without
            .map(|set| WEIGHTS[set.count_ones() as usize] * (worth[set | 1 << player] - worth[set]))
            .sum()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_known_games() {
        let amounts = [0.3, -0.1, 0.7, 0.0, 1.1];
        let total = |set: usize| -> f64 { (0..READERS).filter(|i| set >> i & 1 == 1).map(|i| amounts[i]).sum() };
        let additive: Vec<f64> = (0..SETS).map(total).collect();
        for (value, amount) in shapley(&additive).iter().zip(amounts) {
            assert!((value - amount).abs() < 1e-12);
        }
        // A square: each player gets its own square and half of each product with another, twice over.
        let square: Vec<f64> = (0..SETS).map(|set| total(set).powi(2)).collect();
        let all = total(SETS - 1);
        for (value, amount) in shapley(&square).iter().zip(amounts) {
            assert!((value - amount * all).abs() < 1e-12);
        }
        // Nobody alone, all together: equal parts.
        let unanimous: Vec<f64> = (0..SETS).map(|set| f64::from(u8::from(set == SETS - 1))).collect();
        assert!(shapley(&unanimous).iter().all(|value| (value - 0.2).abs() < 1e-12));
    }
}
