//! Unrelated text: what an editor costs where no letter is asked for.
//!
//! `K_text(E_c) = mean over tokens of KL(p_0 || p_E)`, the editor `E_c` active at every position of the text at once, in nats per token,
//! and the rise of the cross-entropy of the text itself. The text is run once up to the site's layer and once to the end, for all
//! arms; a sequence that an editor leaves alone costs nothing and counts as exactly 0.
//!
//! The one position that is not edited is the beginning-of-sequence token: it stands for no text, its vector is many times longer
//! than any other in most models, and autoencoders are trained without it. It is not counted among the tokens.
//!
//! Deliberately absent: where text comes from, and how it is cut.

use rayon::prelude::*;

use model_runner::{Keep, Transformer};
use sae::SparseLatents;

use super::divergence::{Streams, log_sum_exp, over_vocabulary};
use crate::arms::Arm;
use crate::editor::{Editor, Subject};
use crate::error::{AblationError, Result};

/// Edited positions, over all letters, whose streams are held at a time.
const EDITS_AT_ONCE: usize = 1 << 14;

/// Text run once: the stream at the site's layer and after the last one, at every position.
pub struct TextStage<'a> {
    model: &'a Transformer,
    layer: usize,
    sequences: Vec<Sequence>,
    /// Leaving the site's layer, `[rows, d_model]`.
    stream: Vec<f32>,
    /// Leaving the last layer, `[rows, d_model]`.
    last: Vec<f32>,
}

struct Sequence {
    ids: Vec<u32>,
    /// Row of its first position.
    row: usize,
    /// First position that is text.
    from: usize,
}

/// What one letter's editor does to text, mean over tokens (and over an arm's draws).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TextDamage {
    /// `KL(p_0 || p_E)`, nats per token.
    pub kl: f64,
    /// Rise of the cross-entropy of the next token, nats per token; negative where the edit helps.
    pub cross_entropy: f64,
}

impl<'a> TextStage<'a> {
    /// Runs `sequences` (token ids) through the model. `start`: the beginning-of-sequence token, where they begin with one.
    ///
    /// # Errors
    /// No sequence has two tokens of text, the layer does not exist, or the model refuses a sequence.
    pub fn new(model: &'a Transformer, sequences: Vec<Vec<u32>>, layer: usize, start: Option<u32>) -> Result<Self> {
        let layers = model.config().layers;
        if layer >= layers {
            return Err(AblationError::Edit(format!(
                "layer {layer} of a model with {layers} layers"
            )));
        }
        let mut row = 0;
        let sequences: Vec<Sequence> = sequences
            .into_iter()
            .map(|ids| {
                let from = usize::from(ids.first().is_some_and(|first| Some(*first) == start));
                let sequence = Sequence { ids, row, from };
                row += sequence.ids.len();
                sequence
            })
            .collect();
        if sequences.iter().all(|s| s.ids.len() < s.from + 2) {
            return Err(AblationError::Edit(
                "text damage needs at least one sequence of two tokens".to_owned(),
            ));
        }
        model.warm(0..layers)?;
        let run = |sequence: &Sequence| -> Result<(Vec<f32>, Vec<f32>)> {
            let x = model.embed(&sequence.ids, 1, 0)?;
            let site = model.run(x, 1, 0..layer + 1, None, Keep::All)?;
            let last = model.run(site.clone(), 1, layer + 1..layers, None, Keep::All)?;
            Ok((site, last))
        };
        let done = sequences
            .par_iter()
            .filter(|s| !s.ids.is_empty())
            .map(run)
            .collect::<Result<Vec<_>>>()?;
        let (mut stream, mut last) = (Vec::new(), Vec::new());
        for (site, end) in done {
            stream.extend(site);
            last.extend(end);
        }
        Ok(Self {
            model,
            layer,
            sequences,
            stream,
            last,
        })
    }

    /// The stream at the site's layer at every position, `[rows, d_model]`: what an SAE encodes, once for all arms.
    #[must_use]
    pub fn stream(&self) -> &[f32] {
        &self.stream
    }

    /// Positions, those of beginning-of-sequence tokens included.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.stream.len() / self.d()
    }

    /// Tokens that damage is averaged over.
    #[must_use]
    pub fn tokens(&self) -> usize {
        self.sequences.iter().map(|s| s.ids.len().saturating_sub(s.from)).sum()
    }

    /// Tokens whose successor is known.
    fn predicted(&self) -> usize {
        self.sequences
            .iter()
            .map(|s| s.ids.len().saturating_sub(s.from + 1))
            .sum()
    }

    fn d(&self) -> usize {
        self.model.config().hidden_size
    }

    /// The stream after the last layer with an editor at every position of a sequence, from the first position that it changes
    /// on: `(position, [positions, d_model])`; none where it changes none.
    fn edited(
        &self,
        sequence: &Sequence,
        editor: &Editor,
        latents: Option<&SparseLatents>,
    ) -> Result<Option<(usize, Vec<f32>)>> {
        let d = self.d();
        let mut x = self.stream[sequence.row * d..(sequence.row + sequence.ids.len()) * d].to_vec();
        let mut first = None;
        for position in sequence.from..sequence.ids.len() {
            let row = sequence.row + position;
            let subject = Subject {
                x: &self.stream[row * d..(row + 1) * d],
                latents: latents.map(|l| (l, row)),
            };
            let delta = editor.delta(subject)?;
            if delta.iter().all(|&d| d == 0.0) {
                continue;
            }
            first.get_or_insert(position);
            for (x, delta) in x[position * d..(position + 1) * d].iter_mut().zip(delta) {
                *x = (f64::from(*x) + delta) as f32;
            }
        }
        let Some(first) = first else { return Ok(None) };
        let layers = self.layer + 1..self.model.config().layers;
        let mut last = self.model.run(x, 1, layers, None, Keep::All)?;
        last.drain(..first * d);
        Ok(Some((first, last)))
    }

    /// Sequences in runs whose edits, for `classes` letters, fit in memory.
    fn groups(&self, classes: usize) -> Vec<&[Sequence]> {
        let mut groups = Vec::new();
        let (mut from, mut edits) = (0, 0);
        for (at, sequence) in self.sequences.iter().enumerate() {
            edits += sequence.ids.len() * classes;
            if edits >= EDITS_AT_ONCE || at + 1 == self.sequences.len() {
                groups.push(&self.sequences[from..=at]);
                (from, edits) = (at + 1, 0);
            }
        }
        groups
    }
}

/// Damage of each letter's editor of an arm, mean over its draws. `latents`: of [`TextStage::stream`], for arms that read latents.
///
/// # Errors
/// An editor cannot apply, a prediction is not a number, or the model refuses a run.
pub fn text_damage(text: &TextStage<'_>, arm: &Arm, latents: Option<&SparseLatents>) -> Result<Vec<TextDamage>> {
    if latents.is_some_and(|l| l.rows() != text.rows()) {
        return Err(AblationError::Edit(format!(
            "{} rows of latents for a text of {} positions",
            latents.map_or(0, SparseLatents::rows),
            text.rows()
        )));
    }
    let classes = arm.draws.first().map_or(0, Vec::len);
    let mut sums = vec![[0.0; 2]; classes];
    for editors in &arm.draws {
        for group in text.groups(classes) {
            add_group(text, group, editors, latents, &mut sums)?;
        }
    }
    let draws = arm.draws.len() as f64;
    let (tokens, predicted) = (text.tokens() as f64 * draws, text.predicted() as f64 * draws);
    let damage: Vec<TextDamage> = sums
        .into_iter()
        .map(|[kl, rise]| TextDamage {
            kl: kl / tokens,
            cross_entropy: rise / predicted,
        })
        .collect();
    if damage.iter().any(|d| !d.kl.is_finite() || !d.cross_entropy.is_finite()) {
        return Err(AblationError::Edit(format!(
            "arm `{}` makes the model's predictions on text no longer finite",
            arm.name
        )));
    }
    Ok(damage)
}

/// `K_text` of each letter's editor, nats per token.
///
/// # Errors
/// As [`text_damage`].
pub fn text_kl(text: &TextStage<'_>, arm: &Arm, latents: Option<&SparseLatents>) -> Result<Vec<f64>> {
    Ok(text_damage(text, arm, latents)?.into_iter().map(|d| d.kl).collect())
}

/// Adds the divergence and the rise of surprise of every edited position, by letter.
fn add_group(
    text: &TextStage<'_>,
    group: &[Sequence],
    editors: &[Editor],
    latents: Option<&SparseLatents>,
    sums: &mut [[f64; 2]],
) -> Result<()> {
    let d = text.d();
    let work: Vec<(&Sequence, usize)> = group
        .iter()
        .flat_map(|sequence| (0..editors.len()).map(move |class| (sequence, class)))
        .collect();
    let run = |&(sequence, class): &(&Sequence, usize)| text.edited(sequence, &editors[class], latents);
    let streams = work.par_iter().map(run).collect::<Result<Vec<_>>>()?;
    // Edits in the order of their rows, so that the letters share each row's unedited prediction.
    let mut edits: Vec<(usize, usize, Option<u32>, &[f32])> = Vec::new();
    for (&(sequence, class), stream) in work.iter().zip(&streams) {
        let Some((first, last)) = stream else { continue };
        for (at, vector) in last.chunks_exact(d).enumerate() {
            let position = first + at;
            let next = sequence.ids.get(position + 1).copied();
            edits.push((sequence.row + position, class, next, vector));
        }
    }
    edits.sort_by_key(|&(row, class, ..)| (row, class));
    let row_of: Vec<usize> = edits.iter().map(|e| e.0).collect();
    let edited: Vec<f32> = edits.iter().flat_map(|e| e.3.iter().copied()).collect();
    let streams = Streams {
        clean: &text.last,
        edited: &edited,
        row_of: &row_of,
    };
    let found = over_vocabulary(text.model, streams, |edit, clean, logits| {
        let lse = log_sum_exp(logits);
        let rise = edits[edit].2.map_or(0.0, |next| {
            lse - f64::from(logits[next as usize]) - clean.surprise(next)
        });
        (clean.kl(logits, lse), rise)
    })?;
    for ((_, class, ..), (kl, rise)) in edits.iter().zip(found) {
        sums[*class][0] += kl;
        sums[*class][1] += rise;
    }
    Ok(())
}
