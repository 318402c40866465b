//! Writing another first letter into a word (Chanin et al. 2025, appendix A.6).
//!
//! Through latents: the latent of the true letter A is set to zero, that of another letter B to its mean over words that begin
//! with B, and the SAE's error stays. Through probe directions: what the vector has along A's direction is moved to B's. A good
//! pair of latents lowers the probability of A and raises that of B, in the softmax over the whole vocabulary.
//!
//! Deliberately absent: which latents stand for a letter (see [`crate::select`]) and means over letters.

use sae::{Sae, SparseLatents};
use serde::{Deserialize, Serialize};

use crate::error::{AblationError, Result};
use crate::select::contribution_scale;
use crate::stage::{Capture, Stage};

/// One word and the letter it is to get.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rewrite {
    /// Row of the capture.
    pub row: usize,
    /// Class of the word's letter.
    pub from: usize,
    /// Class of the other letter.
    pub to: usize,
}

/// What became of one word.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Rewritten {
    /// The word and the letters.
    pub rewrite: Rewrite,
    /// Fall of the true letter's probability.
    pub lost: f64,
    /// Rise of the other letter's probability.
    pub gained: f64,
    /// Whether the other letter is now the most likely of the 26.
    pub flipped: bool,
}

/// A letter's latent and the activation that stands for the letter.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct LetterLatent {
    /// The latent.
    pub latent: u32,
    /// Its mean activation on words of the letter, on the scale of the vector.
    pub mean: f64,
}

/// Rewrites words through one latent per class. `latents`: of the capture's site vectors.
///
/// # Errors
/// Sizes disagree, or the model refuses a run.
pub fn by_latents(
    stage: &Stage<'_>,
    (capture, latents): (&Capture, &SparseLatents),
    sae: &Sae,
    letters: &[LetterLatent],
    rewrites: &[Rewrite],
    alphabet: &[usize],
) -> Result<Vec<Rewritten>> {
    let active = |row: usize, latent: u32| f64::from(latents.get(row, latent) * contribution_scale(latents, row));
    edit(stage, capture, rewrites, alphabet, |rewrite, x| {
        let (a, b) = (letters[rewrite.from], letters[rewrite.to]);
        if a.latent == b.latent {
            // One latent for both letters: it cannot tell them apart, and is set to the other letter's mean.
            add(
                x,
                &sae.decoder_row(b.latent as usize),
                b.mean - active(rewrite.row, b.latent),
            );
            return;
        }
        add(x, &sae.decoder_row(a.latent as usize), -active(rewrite.row, a.latent));
        add(
            x,
            &sae.decoder_row(b.latent as usize),
            b.mean - active(rewrite.row, b.latent),
        );
    })
}

/// Rewrites words along directions, `[classes][d_model]` of any length above 0: the projection on the true letter's unit
/// direction is taken away and written along the other letter's.
///
/// # Errors
/// A direction is zero or of another width, or the model refuses a run.
pub fn by_directions(
    stage: &Stage<'_>,
    capture: &Capture,
    directions: &[Vec<f64>],
    rewrites: &[Rewrite],
    alphabet: &[usize],
) -> Result<Vec<Rewritten>> {
    let unit: Vec<Vec<f32>> = directions
        .iter()
        .map(|direction| {
            let length = crate::editor::norm(direction);
            if direction.len() != capture.d() || length <= 0.0 {
                return Err(AblationError::Edit(format!(
                    "a direction of {} values and length {length:.1e} for a stream of width {}",
                    direction.len(),
                    capture.d()
                )));
            }
            Ok(direction.iter().map(|v| (v / length) as f32).collect())
        })
        .collect::<Result<_>>()?;
    edit(stage, capture, rewrites, alphabet, |rewrite, x| {
        let along: f64 = x
            .iter()
            .zip(&unit[rewrite.from])
            .map(|(&x, &v)| f64::from(x) * f64::from(v))
            .sum();
        add(x, &unit[rewrite.from], -along);
        add(x, &unit[rewrite.to], along);
    })
}

fn add(x: &mut [f32], direction: &[f32], by: f64) {
    for (x, &v) in x.iter_mut().zip(direction) {
        *x += by as f32 * v;
    }
}

/// `alphabet`: alphabet index of each class.
fn edit(
    stage: &Stage<'_>,
    capture: &Capture,
    rewrites: &[Rewrite],
    alphabet: &[usize],
    change: impl Fn(&Rewrite, &mut [f32]),
) -> Result<Vec<Rewritten>> {
    const AT_ONCE: usize = 1 << 11;
    let mut out = Vec::with_capacity(rewrites.len());
    for part in rewrites.chunks(AT_ONCE) {
        let rows: Vec<usize> = part.iter().map(|rewrite| rewrite.row).collect();
        let sites: Vec<f32> = rows.iter().flat_map(|&row| capture.site(row).iter().copied()).collect();
        let mut vectors = sites.clone();
        for (rewrite, x) in part.iter().zip(vectors.chunks_exact_mut(capture.d())) {
            change(rewrite, x);
        }
        let before = stage.edited_probabilities(capture, &rows, &sites)?;
        let after = stage.edited_probabilities(capture, &rows, &vectors)?;
        for ((rewrite, before), after) in part.iter().zip(before).zip(after) {
            let (from, to) = (alphabet[rewrite.from], alphabet[rewrite.to]);
            out.push(Rewritten {
                rewrite: *rewrite,
                lost: before[from] - after[from],
                gained: after[to] - before[to],
                flipped: (0..26).all(|letter| letter == to || after[letter] < after[to]),
            });
        }
    }
    Ok(out)
}
