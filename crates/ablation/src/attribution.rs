//! Attribution of an answer metric to latents by gradients: first order and integrated.
//!
//! Integrated gradients as the absorption metric of Chanin et al. 2025 uses them (appendix A.4, after Marks et al. 2024): the
//! latents of the query word's position fade to zero in `steps` equal steps, the gradient with respect to each latent is
//! averaged over the points `0, 1/S, ..., (S-1)/S` and multiplied by how far the latent moved. In the released code the SAE's
//! error fades with them ([`ErrorTerm::Faded`]). With one step this is first-order attribution, gradient times activation.
//!
//! With many steps the attributions of all that moves add up to the change of the metric along the path (completeness), which
//! [`Attribution::end`] makes checkable. Neither is the effect of removing one latent: see [`crate::select::single_effects`].
//!
//! Deliberately absent: corrupted prompts as the path's end, and latents at other positions than the query word.

use model_runner::plain::PlainModel;
use sae::{Sae, SparseLatents};
use serde::{Deserialize, Serialize};

use crate::effects::{best_other, logit_difference};
use crate::error::{AblationError, Result};
use crate::select::contribution_scale;
use crate::stage::{Capture, Stage};

/// What happens to the SAE's error along the path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ErrorTerm {
    /// It fades to zero with the latents, as in the released code.
    Faded,
    /// It stays: only latents move.
    Held,
}

/// Which token is the right answer's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PositiveToken {
    /// `" S"`, as the paper's formula says.
    Paper,
    /// `"s"`, which the released code passes, while the negatives are `" A"` to `" Z"`.
    Released,
}

/// What the right answer's logit is compared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Against {
    /// The mean of the other 25 capitals: the metric `m`.
    Mean,
    /// The largest of them: `m_max` (appendix A.10).
    Max,
}

/// How to attribute.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Path {
    /// Points of the path, at least 1; 6 in the paper's absorption runs.
    pub steps: usize,
    /// What happens to the SAE's error.
    pub error: ErrorTerm,
    /// Which token is the right answer's.
    pub positive: PositiveToken,
    /// What it is compared with.
    pub against: Against,
}

impl Path {
    /// The path of the paper's absorption metric, with the positive token of its formula.
    #[must_use]
    pub fn paper() -> Self {
        Self {
            steps: 6,
            error: ErrorTerm::Faded,
            positive: PositiveToken::Paper,
            against: Against::Mean,
        }
    }

    /// Gradient times activation at the unedited word.
    #[must_use]
    pub fn first_order() -> Self {
        Self {
            steps: 1,
            ..Self::paper()
        }
    }
}

/// Answer tokens of both kinds, `a` first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AnswerSet {
    /// `" A"` to `" Z"`.
    pub capitals: [u32; 26],
    /// `"a"` to `"z"`, the last token of each.
    pub lower: [u32; 26],
}

/// What each latent of one word contributes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Attribution {
    /// Row of the capture.
    pub row: usize,
    /// Active latents by ascending index, with the estimated change of the metric if they were removed: negative where a
    /// latent supports the right letter. In logits.
    pub latents: Vec<(u32, f64)>,
    /// The same for the SAE's error; 0 where it is held.
    pub error: f64,
    /// The metric at the unedited word.
    pub start: f64,
    /// The metric at the end of the path. The attributions add up to `end - start` as the number of steps grows.
    pub end: f64,
}

/// What is attributed to.
#[derive(Clone, Copy)]
pub struct Subjects<'a> {
    /// The prompts.
    pub stage: &'a Stage<'a>,
    /// The same model on an autodiff device.
    pub plain: &'a PlainModel,
    /// The answers.
    pub answers: &'a AnswerSet,
    /// Stream at the site.
    pub capture: &'a Capture,
    /// The autoencoder.
    pub sae: &'a Sae,
    /// Latents of the capture's site vectors, one row each.
    pub latents: &'a SparseLatents,
}

/// Words whose paths are held in memory at a time.
const WORDS_AT_ONCE: usize = 256;

/// Attributions of some words. `rows`: rows of the capture; `letters`: alphabet index of each one's letter.
///
/// # Errors
/// No steps, sizes disagree, or the model refuses a run.
pub fn integrated_gradients(
    subjects: Subjects<'_>,
    rows: &[usize],
    letters: &[usize],
    path: Path,
) -> Result<Vec<Attribution>> {
    if path.steps == 0 {
        return Err(AblationError::Edit(
            "integrated gradients need at least one step".to_owned(),
        ));
    }
    if rows.len() != letters.len()
        || subjects.latents.rows() != subjects.capture.rows.len()
        || rows.iter().any(|&row| row >= subjects.latents.rows())
        || letters.iter().any(|&letter| letter >= 26)
    {
        return Err(AblationError::Edit(
            "rows, letters, latents and capture do not fit each other".to_owned(),
        ));
    }
    let mut out = Vec::with_capacity(rows.len());
    for (rows, letters) in rows.chunks(WORDS_AT_ONCE).zip(letters.chunks(WORDS_AT_ONCE)) {
        out.extend(block(subjects, rows, letters, path)?);
    }
    Ok(out)
}

/// Points `0, 1/S, ..., (S-1)/S`, and 1, where the path ends.
fn block(subjects: Subjects<'_>, rows: &[usize], letters: &[usize], path: Path) -> Result<Vec<Attribution>> {
    let Subjects {
        stage,
        plain,
        answers,
        capture,
        sae,
        latents,
    } = subjects;
    let d = capture.d();
    let points = path.steps + 1;
    let own = latents.select_rows(rows);
    let mut paths = Vec::with_capacity(rows.len() * points * d);
    let (mut of_row, mut moved) = (Vec::new(), Vec::new());
    for (at, &row) in rows.iter().enumerate() {
        let x = capture.site(row);
        let parts = parts(sae, latents, row, x);
        for point in 0..points {
            let alpha = point as f32 / path.steps as f32;
            of_row.push(row);
            paths.extend((0..d).map(|i| match path.error {
                ErrorTerm::Faded => x[i] - alpha * (x[i] - parts.base[i]),
                ErrorTerm::Held => x[i] - alpha * parts.latent[i],
            }));
        }
        debug_assert_eq!(own.row(at), latents.row(row));
        moved.push(parts);
    }
    let tokens: Vec<u32> = answers.capitals.iter().chain(&answers.lower).copied().collect();
    let weights = weights(stage, capture, (&of_row, &paths), letters, path, points)?;
    let (logits, gradients) = stage.site_gradients(plain, capture, (&of_row, &paths), (&tokens, &weights))?;
    let value = |edit: usize| -> f64 {
        let of = |values: &[f32]| values[edit * tokens.len()..(edit + 1) * tokens.len()].to_vec();
        of(&logits)
            .iter()
            .zip(of(&weights))
            .map(|(&l, w)| f64::from(l) * f64::from(w))
            .sum()
    };
    Ok(rows
        .iter()
        .zip(&moved)
        .enumerate()
        .map(|(at, (&row, parts))| {
            let mut mean = vec![0.0f64; d];
            for point in 0..path.steps {
                let gradient = &gradients[(at * points + point) * d..][..d];
                for (mean, &g) in mean.iter_mut().zip(gradient) {
                    *mean += f64::from(g) / path.steps as f64;
                }
            }
            let scale = f64::from(contribution_scale(latents, row));
            let (index, value_of) = latents.row(row);
            let attributed = index.iter().zip(value_of).map(|(&latent, &activation)| {
                let decoder = sae.decoder_row(latent as usize);
                let slope: f64 = mean.iter().zip(&*decoder).map(|(g, &w)| g * f64::from(w)).sum();
                (latent, -f64::from(activation) * scale * slope)
            });
            let error = match path.error {
                ErrorTerm::Held => 0.0,
                ErrorTerm::Faded => -mean
                    .iter()
                    .zip(&parts.error)
                    .map(|(g, &e)| g * f64::from(e))
                    .sum::<f64>(),
            };
            Attribution {
                row,
                latents: attributed.collect(),
                error,
                start: value(at * points),
                end: value(at * points + path.steps),
            }
        })
        .collect())
}

/// A vector as what its latents write, what the SAE misses, and the rest (its bias).
struct Parts {
    latent: Vec<f32>,
    error: Vec<f32>,
    base: Vec<f32>,
}

fn parts(sae: &Sae, latents: &SparseLatents, row: usize, x: &[f32]) -> Parts {
    let one = latents.select_rows(&[row]);
    let recon = sae.decode_with_input(&one, x);
    let (index, value) = latents.row(row);
    let scale = contribution_scale(latents, row);
    let mut latent = vec![0.0f32; x.len()];
    for (&j, &activation) in index.iter().zip(value) {
        for (sum, &w) in latent.iter_mut().zip(&*sae.decoder_row(j as usize)) {
            *sum += activation * scale * w;
        }
    }
    Parts {
        error: x.iter().zip(&recon).map(|(x, r)| x - r).collect(),
        base: recon.iter().zip(&latent).map(|(r, l)| r - l).collect(),
        latent,
    }
}

/// The metric as weights over capitals and lower-case letters at every point, `[edits, 52]`.
fn weights(
    stage: &Stage<'_>,
    capture: &Capture,
    (rows, paths): (&[usize], &[f32]),
    letters: &[usize],
    path: Path,
    points: usize,
) -> Result<Vec<f32>> {
    // The largest other letter is that of each point: the gradient of a maximum is that of its argument.
    let best: Option<Vec<usize>> = match path.against {
        Against::Mean => None,
        Against::Max => {
            let logits = stage.edited_logits(capture, rows, paths)?;
            Some(
                logits
                    .iter()
                    .enumerate()
                    .map(|(edit, logits)| best_other(logits, letters[edit / points]))
                    .collect(),
            )
        }
    };
    let mut out = vec![0.0f32; rows.len() * 52];
    for (edit, weights) in out.chunks_exact_mut(52).enumerate() {
        let letter = letters[edit / points];
        match &best {
            None => (0..26)
                .filter(|&other| other != letter)
                .for_each(|other| weights[other] = -1.0 / 25.0),
            Some(best) => weights[best[edit]] = -1.0,
        }
        let positive = match path.positive {
            PositiveToken::Paper => letter,
            PositiveToken::Released => 26 + letter,
        };
        weights[positive] += 1.0;
    }
    Ok(out)
}

/// Effect of removing one latent of one word, on the metric `m`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct LatentEffect {
    /// Row of the capture.
    pub row: usize,
    /// The latent.
    pub latent: u32,
    /// Change of `m`, in logits: negative where the latent supports the right letter (Algorithm 1, with the sign of the code).
    pub effect: f64,
    /// The same after the part of its contribution along the letter's probe was left in place: near zero where that part is
    /// all that acts (section 5.2, "projection control").
    pub without_probe: f64,
}

/// Words whose edits are made at a time: bounds memory, and fills every thread many times over.
const PAIRS_AT_ONCE: usize = 1 << 12;

/// Exact single-latent ablation of every active latent of some rows, on the metric `m`, each with its projection control.
///
/// `directions`: for each of `rows`, the letter's probe direction (`[d_model]`, any length above 0). `positive`: the right answers'
/// tokens, `a` first, where they are not the capitals (see [`PositiveToken::Released`]).
///
/// # Errors
/// Sizes disagree, a direction is zero, or the model refuses a run.
pub fn latent_effects(
    stage: &Stage<'_>,
    (capture, latents): (&Capture, &SparseLatents),
    sae: &Sae,
    (rows, letters): (&[usize], &[usize]),
    directions: &[&[f64]],
    positive: Option<&[u32; 26]>,
) -> Result<Vec<LatentEffect>> {
    if rows.len() != letters.len() || rows.len() != directions.len() || latents.rows() != capture.rows.len() {
        return Err(AblationError::Edit(
            "rows, letters, directions, latents and capture do not fit each other".to_owned(),
        ));
    }
    let d = capture.d();
    for direction in directions {
        let length = crate::editor::norm(direction);
        if direction.len() != d || length <= 0.0 {
            return Err(AblationError::Edit(format!(
                "a probe direction of {} values and length {length:.1e} for a stream of width {d}",
                direction.len()
            )));
        }
    }
    let metric = |rows: &[usize], letters: &[usize], vectors: &[f32]| -> Result<Vec<f64>> {
        let capitals = stage.edited_logits(capture, rows, vectors)?;
        let own = positive
            .map(|tokens| stage.edited_logits_of(capture, rows, vectors, tokens))
            .transpose()?;
        let of = |at: usize| {
            let letter = letters[at];
            let m = logit_difference(&capitals[at], letter);
            own.as_ref().map_or(m, |own| {
                m + f64::from(own[at][letter]) - f64::from(capitals[at][letter])
            })
        };
        Ok((0..rows.len()).map(of).collect())
    };
    let sites: Vec<f32> = rows.iter().flat_map(|&row| capture.site(row).iter().copied()).collect();
    let clean = metric(rows, letters, &sites)?;
    let pairs: Vec<(usize, u32, f32)> = (0..rows.len())
        .flat_map(|at| {
            let (index, value) = latents.row(rows[at]);
            let scale = contribution_scale(latents, rows[at]);
            index
                .iter()
                .zip(value)
                .map(move |(&latent, &activation)| (at, latent, activation * scale))
        })
        .collect();
    let mut out = Vec::with_capacity(pairs.len());
    for part in pairs.chunks(PAIRS_AT_ONCE) {
        let mut vectors = Vec::with_capacity(2 * part.len() * d);
        for &(at, latent, size) in part {
            let (x, direction) = (capture.site(rows[at]), directions[at]);
            let decoder = sae.decoder_row(latent as usize);
            let dot: f64 = decoder.iter().zip(direction).map(|(&w, p)| f64::from(w) * p).sum();
            let along = dot / direction.iter().map(|p| p * p).sum::<f64>();
            vectors.extend(x.iter().zip(&*decoder).map(|(x, w)| x - size * w));
            vectors.extend((0..d).map(|i| x[i] - size * (f64::from(decoder[i]) - along * direction[i]) as f32));
        }
        let edited: Vec<usize> = part.iter().flat_map(|&(at, ..)| [rows[at]; 2]).collect();
        let own: Vec<usize> = part.iter().flat_map(|&(at, ..)| [letters[at]; 2]).collect();
        let values = metric(&edited, &own, &vectors)?;
        out.extend(
            part.iter()
                .zip(values.chunks_exact(2))
                .map(|(&(at, latent, _), pair)| LatentEffect {
                    row: rows[at],
                    latent,
                    effect: pair[0] - clean[at],
                    without_probe: pair[1] - clean[at],
                }),
        );
    }
    Ok(out)
}
