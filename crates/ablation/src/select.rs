//! Which latents stand for a letter: four rules, all on train words except the labelled oracle.

use std::ops::Range;

use linear_probe::latent::best_thresholds;
use linear_probe::{Labels, LogisticProbe};
use rayon::prelude::*;
use sae::{Sae, SparseLatents};

use crate::arms::SaeSide;
use crate::directions::Labelled;
use crate::effects::{LetterLogits, log_odds};
use crate::error::{AblationError, Result};
use crate::readout::Readout;

/// Cosine of every latent's encoder column with each class's probe direction, `[classes][d_sae]`; 0 for a column of length 0.
#[must_use]
pub fn encoder_cosines(sae: &Sae, probe: &LogisticProbe) -> Vec<Vec<f64>> {
    let (width, classes) = (sae.config().d_sae, probe.bias.len());
    let mut dots = vec![vec![0.0f64; width]; classes];
    let mut squares = vec![0.0f64; width];
    sae.visit_encoder(|latents, block| {
        for row in block.chunks_exact(latents.len()) {
            for (square, &v) in squares[latents.clone()].iter_mut().zip(row) {
                *square += f64::from(v) * f64::from(v);
            }
        }
        dots.par_iter_mut().enumerate().for_each(|(class, dots)| {
            for (&p, row) in probe.direction(class).iter().zip(block.chunks_exact(latents.len())) {
                for (dot, &v) in dots[latents.clone()].iter_mut().zip(row) {
                    *dot += p * f64::from(v);
                }
            }
        });
    });
    for (class, dots) in dots.iter_mut().enumerate() {
        let length = crate::editor::norm(probe.direction(class));
        for (dot, square) in dots.iter_mut().zip(&squares) {
            let both = length * square.sqrt();
            *dot = if both > 0.0 { *dot / both } else { 0.0 };
        }
    }
    dots
}

/// The latent whose encoder direction is nearest to each letter's probe (Chanin et al. 2024,
/// section 5.1): one latent per class.
#[must_use]
pub fn by_encoder_cosine(sae: &Sae, probe: &LogisticProbe) -> Vec<u32> {
    let nearest = |cosines: &Vec<f64>| {
        (0..cosines.len())
            .max_by(|&a, &b| cosines[a].total_cmp(&cosines[b]).then(b.cmp(&a)))
            .unwrap_or_default() as u32
    };
    encoder_cosines(sae, probe).iter().map(nearest).collect()
}

/// The best one-latent probe of each class on train words, and its score there.
#[derive(Clone, Copy, Debug)]
pub struct LatentProbe {
    /// The latent.
    pub latent: u32,
    /// Fires above this activation.
    pub threshold: f64,
    /// F1 at that threshold on train words.
    pub f1: f64,
}

/// The `k = 1` sparse probe, found by trying every latent and threshold: per class the latent
/// whose best threshold has the highest F1 on train words.
///
/// # Errors
/// Labels and latents differ in length.
pub fn by_sparse_probe(latents: &SparseLatents, train: &Labelled) -> Result<Vec<LatentProbe>> {
    let labels = Labels::new(&train.y, train.classes)?;
    let columns = latents.columns();
    let none = LatentProbe {
        latent: 0,
        threshold: 0.0,
        f1: -1.0,
    };
    let of_some = |latents: Range<usize>| -> Result<Vec<LatentProbe>> {
        let mut best = vec![none; train.classes];
        for latent in latents {
            let (rows, values) = columns.latent(latent);
            let entries: Vec<(usize, f32)> = rows.iter().map(|&r| r as usize).zip(values.iter().copied()).collect();
            for (best, score) in best.iter_mut().zip(best_thresholds(&entries, &labels)?) {
                if let Some(score) = score
                    && score.best.f1() > best.f1
                {
                    *best = LatentProbe {
                        latent: latent as u32,
                        threshold: score.threshold,
                        f1: score.best.f1(),
                    };
                }
            }
        }
        Ok(best)
    };
    let width = columns.width();
    let starts: Vec<usize> = (0..width).step_by(LATENTS_AT_ONCE).collect();
    let parts = starts
        .into_par_iter()
        .map(|start| of_some(start..width.min(start + LATENTS_AT_ONCE)));
    // Of equals the first latent, as in one walk over all of them.
    let mut best = vec![none; train.classes];
    for part in parts.collect::<Result<Vec<_>>>()? {
        for (best, other) in best.iter_mut().zip(part) {
            if other.f1 > best.f1 {
                *best = other;
            }
        }
    }
    Ok(best)
}

/// Latents of one task of [`by_sparse_probe`].
const LATENTS_AT_ONCE: usize = 64;

/// What a latent's activation is multiplied by, beside its decoder row, in its contribution to the
/// vector: 1, or what undoes the input normalisation of that row.
pub(crate) fn contribution_scale(latents: &SparseLatents, row: usize) -> f32 {
    latents.row_norm(row).map_or(1.0, |norm| norm.scale)
}

/// Effect of removing one latent from one word.
#[derive(Clone, Copy, Debug)]
pub struct SingleEffect {
    /// Row of the capture.
    pub row: usize,
    /// The latent.
    pub latent: u32,
    /// Fall of the letter log-odds, nats; positive where the latent supports the right letter.
    pub effect: f64,
}

/// Exact single-latent ablation: every active latent of every row is set to zero alone,
/// the SAE's error kept (Chanin et al. 2024, appendix A.4).
///
/// Only the first `letters.len()` rows are used. `letters`: alphabet index of each
/// row's letter; `clean`: unedited logits of at least those rows.
///
/// # Errors
/// The model refuses a run.
pub fn single_effects(
    readout: &dyn Readout,
    side: &SaeSide<'_>,
    latents: &SparseLatents,
    letters: &[usize],
    clean: &[LetterLogits],
) -> Result<Vec<SingleEffect>> {
    let words = letters.len();
    if latents.rows() != readout.rows() || words > latents.rows() || clean.len() < words {
        return Err(AblationError::Edit(
            "latents, letters and vectors have different numbers of rows".to_owned(),
        ));
    }
    let edits: Vec<(usize, u32, f32)> = (0..words)
        .flat_map(|row| {
            let (index, value) = latents.row(row);
            let scale = contribution_scale(latents, row);
            index.iter().zip(value).map(move |(&j, &z)| (row, j, z * scale))
        })
        .filter(|(_, _, z)| *z != 0.0)
        .collect();
    let mut out = Vec::with_capacity(edits.len());
    for part in edits.chunks(readout.most_edits()) {
        let rows: Vec<usize> = part.iter().map(|e| e.0).collect();
        let mut vectors = Vec::with_capacity(part.len() * readout.d());
        for &(row, latent, z) in part {
            vectors.extend(
                readout
                    .site(row)
                    .iter()
                    .zip(&*side.sae.decoder_row(latent as usize))
                    .map(|(x, w)| x - z * w),
            );
        }
        let logits = readout.edited_logits(&rows, &vectors)?;
        for (&(row, latent, _), logits) in part.iter().zip(&logits) {
            let effect = log_odds(&clean[row], letters[row]) - log_odds(logits, letters[row]);
            out.push(SingleEffect { row, latent, effect });
        }
    }
    Ok(out)
}

/// Latents of each class by falling total effect on that class's words; only supporting ones.
#[must_use]
pub fn rank_by_effect(effects: &[SingleEffect], class_of: &[usize], classes: usize, width: usize) -> Vec<Vec<u32>> {
    let mut sums = vec![vec![0.0; width]; classes];
    for effect in effects {
        sums[class_of[effect.row]][effect.latent as usize] += effect.effect;
    }
    sums.iter()
        .map(|sums| {
            let mut order: Vec<u32> = (0..width as u32).filter(|&j| sums[j as usize] > 0.0).collect();
            order.sort_by(|&a, &b| sums[b as usize].total_cmp(&sums[a as usize]).then(a.cmp(&b)));
            order
        })
        .collect()
}

/// Each class's own latents: its `k = 1` probe latent first, then those that split the letter.
#[must_use]
pub fn own_latents(latents: &SparseLatents, train: &Labelled, probes: &[LatentProbe]) -> Vec<Vec<u32>> {
    let main: Vec<u32> = probes.iter().map(|probe| probe.latent).collect();
    let splits = split_latents(latents, train, &main);
    main.iter()
        .zip(splits)
        .map(|(&main, splits)| [vec![main], splits].concat())
        .collect()
}

/// Latents that split a letter beside its main one: precision at least .8 and firing on at least
/// 3 % of the letter's train words and on two (the partition rule of the gap accounting).
#[must_use]
pub fn split_latents(latents: &SparseLatents, train: &Labelled, main: &[u32]) -> Vec<Vec<u32>> {
    const PRECISION: f64 = 0.8;
    const COVERAGE: f64 = 0.03;
    let width = latents.width();
    let mut fires = vec![vec![0u32; width]; train.classes];
    let mut all = vec![0u32; width];
    let mut words = vec![0u32; train.classes];
    for row in 0..train.n() {
        words[train.y[row]] += 1;
        let (index, value) = latents.row(row);
        for (&latent, _) in index.iter().zip(value).filter(|(_, v)| **v > 0.0) {
            fires[train.y[row]][latent as usize] += 1;
            all[latent as usize] += 1;
        }
    }
    (0..train.classes)
        .map(|class| {
            let splits = |latent: &u32| {
                let n = f64::from(fires[class][*latent as usize]);
                *latent != main[class]
                    && n >= PRECISION * f64::from(all[*latent as usize]).max(1.0)
                    && n >= COVERAGE * f64::from(words[class])
                    // One word is no sub-class, however few words the letter has.
                    && n >= 2.0
            };
            (0..width as u32).filter(splits).collect()
        })
        .collect()
}
