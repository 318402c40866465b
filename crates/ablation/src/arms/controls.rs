//! What an SAE's arm is read against: latents of other letters, latents that fire alike, decoders that mean nothing, labels that
//! mean nothing.
//!
//! Permuted decoder and random dictionary keep the encoder. A rule that looks at activations alone (the one-latent probe) chooses
//! the same latents with them, so "selection repeated on the control" is the selection at hand, and only the writes change. A
//! random autoencoder is another one altogether: see [`crate::paper::random_like`].
//!
//! Deliberately absent: autoencoders trained with a frozen decoder, which somebody has to train; such a checkpoint is an SAE like any
//! other and is measured as one.

use rand::RngExt;
use rand::seq::SliceRandom;

use super::random::normal;
use super::{Arm, SaeSide};
use crate::directions::Labelled;
use crate::editor::{Editor, norm};

/// How many of the nearest latents a random one is drawn from.
const NEAREST: usize = 10;

impl SaeSide<'_> {
    /// Random latents that are on a class's words what the given ones are: per draw one of the ten nearest in firing rate, mean
    /// activation where it fires, and decoder norm, each in its deviations over the latents that fire on the class's train words.
    /// The floor of "any active latent". A class without a latent gets no edit.
    #[must_use]
    pub fn random_arm(&self, controls: &[Vec<u32>], train: &Labelled, draws: usize, seed: u64) -> Arm {
        let pools = self.random_pools(controls, &[], train);
        let draw = |i: usize| -> Vec<Editor> {
            let mut rng = stats::seed::rng(seed, &format!("arms/random-latents/{i}"));
            let pick = |(class, pool): (usize, &Vec<u32>)| match pool.len() {
                0 => Editor::Null,
                n => self.editor(&[pool[rng.random_range(0..n)]], class),
            };
            pools.iter().enumerate().map(pick).collect()
        };
        Arm {
            name: "sae:random".to_owned(),
            draws: (0..draws).map(draw).collect(),
        }
    }

    /// Per class, the ten latents nearest to its control's first one in what [`SaeSide::random_arm`] matches; the control itself and
    /// the latents of `excluded` are not among them. Empty where a class has no control, or no other latent fires on it.
    pub(crate) fn random_pools(&self, controls: &[Vec<u32>], excluded: &[u32], train: &Labelled) -> Vec<Vec<u32>> {
        let norms: Vec<f64> = self.sae.decoder_norms().iter().map(|&norm| f64::from(norm)).collect();
        controls
            .iter()
            .enumerate()
            .map(|(class, control)| match control.first() {
                Some(&wanted) => {
                    let left_out = [control, excluded].concat();
                    nearest(wanted, &left_out, &self.activity(train, class), &norms)
                }
                None => Vec::new(),
            })
            .collect()
    }

    /// Each class's editor uses the latent of another class, drawn anew in every draw. A class is never given a latent that is
    /// its own too; where no other is left it gets no edit.
    #[must_use]
    pub fn other_letter_arm(&self, own: &[Vec<u32>], draws: usize, seed: u64) -> Arm {
        let draw = |i: usize| -> Vec<Editor> {
            let mut rng = stats::seed::rng(seed, &format!("arms/other-letter/{i}"));
            (0..own.len())
                .map(|class| {
                    let others: Vec<u32> = (0..own.len())
                        .filter(|&other| other != class)
                        .filter_map(|other| own[other].first().copied())
                        .filter(|latent| !own[class].contains(latent))
                        .collect();
                    match others.len() {
                        0 => Editor::Null,
                        n => self.editor(&[others[rng.random_range(0..n)]], class),
                    }
                })
                .collect()
        };
        Arm {
            name: "sae:other-letter".to_owned(),
            draws: (0..draws).map(draw).collect(),
        }
    }

    /// Per latent: train words of a class on which it fires, and the sum of its activations there.
    fn activity(&self, train: &Labelled, class: usize) -> Vec<(f64, f64)> {
        let mut activity = vec![(0.0, 0.0); self.train.width()];
        for row in (0..train.n()).filter(|&row| train.y[row] == class) {
            let (index, value) = self.train.row(row);
            let scale = crate::select::contribution_scale(&self.train, row);
            for (&latent, &z) in index.iter().zip(value) {
                let slot = &mut activity[latent as usize];
                slot.0 += 1.0;
                slot.1 += f64::from(z * scale);
            }
        }
        activity
    }
}

/// The latents nearest to `wanted` in standardised rate, mean activation and decoder norm, without those of `control`.
fn nearest(wanted: u32, control: &[u32], activity: &[(f64, f64)], norms: &[f64]) -> Vec<u32> {
    let features = |latent: usize| -> [f64; 3] {
        let (fires, sum) = activity[latent];
        [fires, if fires > 0.0 { sum / fires } else { 0.0 }, norms[latent]]
    };
    let active: Vec<usize> = (0..activity.len()).filter(|&j| activity[j].0 > 0.0).collect();
    let n = active.len().max(1) as f64;
    let mut deviation = [0.0; 3];
    for (at, deviation) in deviation.iter_mut().enumerate() {
        let mean = active.iter().map(|&j| features(j)[at]).sum::<f64>() / n;
        let variance = active.iter().map(|&j| (features(j)[at] - mean).powi(2)).sum::<f64>() / n;
        *deviation = variance.sqrt();
    }
    let target = features(wanted as usize);
    let distance = |latent: u32| -> f64 {
        let own = features(latent as usize);
        // A feature that all latents share tells none of them apart.
        (0..3)
            .filter(|&at| deviation[at] > 1e-9 * target[at].abs().max(1e-30))
            .map(|at| ((own[at] - target[at]) / deviation[at]).powi(2))
            .sum()
    };
    let mut pool: Vec<(f64, u32)> = active
        .iter()
        .map(|&j| j as u32)
        .filter(|latent| !control.contains(latent))
        .map(|latent| (distance(latent), latent))
        .collect();
    pool.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
    pool.truncate(NEAREST);
    pool.into_iter().map(|(_, latent)| latent).collect()
}

/// The given latents, writing the decoder rows of others: the decoder with its rows permuted, another permutation in every draw.
#[must_use]
pub fn permuted_decoder(side: &SaeSide<'_>, sets: &[Vec<u32>], draws: usize, seed: u64) -> Arm {
    let draw = |i: usize| -> Vec<Editor> {
        let mut order: Vec<u32> = (0..side.train.width() as u32).collect();
        order.shuffle(&mut stats::seed::rng(seed, &format!("arms/permuted-decoder/{i}")));
        let write = |latent: u32| -> Vec<f64> { wide(&side.sae.decoder_row(order[latent as usize] as usize)) };
        let editors = sets.iter().enumerate();
        editors
            .map(|(class, set)| side.editor_writing(set, class, write))
            .collect()
    };
    Arm {
        name: "sae:permuted-decoder".to_owned(),
        draws: (0..draws).map(draw).collect(),
    }
}

/// The given latents, writing random directions as long as their decoder rows: a dictionary of random directions behind the trained
/// encoder, another one in every draw.
#[must_use]
pub fn random_dictionary(side: &SaeSide<'_>, sets: &[Vec<u32>], draws: usize, seed: u64) -> Arm {
    let draw = |i: usize| -> Vec<Editor> {
        let write = |latent: u32| -> Vec<f64> {
            let row = wide(&side.sae.decoder_row(latent as usize));
            let purpose = format!("arms/random-dictionary/{i}/latent={latent}");
            let mut rng = stats::seed::rng(seed, &purpose);
            let random: Vec<f64> = row.iter().map(|_| normal(&mut rng)).collect();
            let factor = norm(&row) / norm(&random);
            random.into_iter().map(|v| v * factor).collect()
        };
        let editors = sets.iter().enumerate();
        editors
            .map(|(class, set)| side.editor_writing(set, class, write))
            .collect()
    };
    Arm {
        name: "sae:random-dictionary".to_owned(),
        draws: (0..draws).map(draw).collect(),
    }
}

/// The words with their classes permuted among them: what a rule finds here it finds by chance.
#[must_use]
pub fn permuted(train: &Labelled, seed: u64, draw: usize) -> Labelled {
    let mut out = train.clone();
    out.y
        .shuffle(&mut stats::seed::rng(seed, &format!("arms/permuted-labels/{draw}")));
    out
}

fn wide(row: &[f32]) -> Vec<f64> {
    row.iter().map(|&v| f64::from(v)).collect()
}
