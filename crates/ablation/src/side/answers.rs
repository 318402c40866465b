//! What an editor does to the whole prediction at the answer position.
//!
//! Two uses. On prompts that ask the *same word* for something else (its last letter, its length, a copy of it, whether it is
//! capitalised; crate `tasks` renders them), everything that changes is damage: word identity must survive the loss of the first
//! letter. On the first-letter prompts themselves, the prediction renormalised outside the answer tokens (the letter-free
//! divergence) says what happens beside the letters, which log-odds among letters cannot see.
//!
//! Deliberately absent: whether the model knows the answers; callers compare [`Answers::tops`] with the truth and say so.

use model_runner::Transformer;
use sae::SparseLatents;

use super::divergence::{Clean, Streams, log_sum_exp, over_vocabulary, top, without};
use crate::arms::Arm;
use crate::editor::{Editor, Subject};
use crate::error::{AblationError, Result};
use crate::measure::Pair;
use crate::readout::{Captured, Readout};

/// Captured prompts with their unedited predictions.
pub struct Answers<'a> {
    captured: Captured<'a>,
    /// Stream after the last layer at the last position, `[rows, d_model]`.
    last: Vec<f32>,
    /// Tokens that the second divergence leaves out, ascending, each once.
    tokens: Vec<u32>,
}

/// What one edit does to one prediction.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct AnswerDamage {
    /// `KL(p_0 || p_E)` over the vocabulary, nats.
    pub kl: f64,
    /// The same of the two predictions renormalised outside the given tokens, nats.
    pub outside: f64,
    /// Whether the most likely token is another one.
    pub flipped: bool,
}

impl<'a> Answers<'a> {
    /// Runs the prompts unedited. `tokens`: those that [`AnswerDamage::outside`] leaves out (the answer tokens; may be empty).
    ///
    /// # Errors
    /// A token is outside the vocabulary, none is left inside it, or the model refuses the run.
    pub fn new(captured: Captured<'a>, tokens: &[u32]) -> Result<Self> {
        let vocabulary = captured.stage.model().config().vocab_size;
        let mut tokens = tokens.to_vec();
        tokens.sort_unstable();
        tokens.dedup();
        if tokens.last().is_some_and(|&t| t as usize >= vocabulary) || tokens.len() >= vocabulary {
            return Err(AblationError::Edit(format!(
                "{} tokens cannot be left out of a vocabulary of {vocabulary}",
                tokens.len()
            )));
        }
        let rows: Vec<usize> = (0..captured.rows()).collect();
        let last = captured
            .stage
            .edited_last(captured.capture, &rows, &captured.capture.sites())?;
        Ok(Self { captured, last, tokens })
    }

    fn model(&self) -> &Transformer {
        self.captured.stage.model()
    }

    /// The prompts.
    #[must_use]
    pub fn captured(&self) -> Captured<'a> {
        self.captured
    }

    /// The most likely token of each row, unedited.
    ///
    /// # Errors
    /// The unembedding cannot be read.
    pub fn tops(&self) -> Result<Vec<u32>> {
        let row_of: Vec<usize> = (0..self.captured.rows()).collect();
        let streams = Streams {
            clean: &self.last,
            edited: &self.last,
            row_of: &row_of,
        };
        over_vocabulary(self.model(), streams, |_, clean, _| clean.top() as u32)
    }

    /// Damage of an arm's editors on pairs of letter and row, `[draws][pairs]`. `latents`: of the captured site vectors, for arms that
    /// read latents. An edit of exactly zero does exactly nothing.
    ///
    /// # Errors
    /// An editor cannot apply, a pair names a row or class that does not exist, a prediction is no longer finite, or the model refuses a run.
    pub fn damage(&self, arm: &Arm, pairs: &[Pair], latents: Option<&SparseLatents>) -> Result<Vec<Vec<AnswerDamage>>> {
        let rows = self.captured.rows();
        let unfit = |editors: &Vec<Editor>| pairs.iter().any(|p| p.row >= rows || p.class >= editors.len());
        if arm.draws.iter().any(unfit) || latents.is_some_and(|l| l.rows() != rows) {
            return Err(AblationError::Edit(format!(
                "the pairs or latents of arm `{}` do not fit its prompts",
                arm.name
            )));
        }
        arm.draws
            .iter()
            .map(|editors| self.of_draw(&arm.name, editors, pairs, latents))
            .collect()
    }

    fn of_draw(
        &self,
        arm: &str,
        editors: &[Editor],
        pairs: &[Pair],
        latents: Option<&SparseLatents>,
    ) -> Result<Vec<AnswerDamage>> {
        // In the order of rows, so that edits of one prompt share its unedited prediction.
        let mut order: Vec<usize> = (0..pairs.len()).collect();
        order.sort_by_key(|&at| pairs[at].row);
        let (mut slots, mut row_of, mut vectors) = (Vec::new(), Vec::new(), Vec::new());
        for at in order {
            let Pair { class, row, .. } = pairs[at];
            let x = self.captured.site(row);
            let subject = Subject {
                x,
                latents: latents.map(|l| (l, row)),
            };
            let delta = editors[class].delta(subject)?;
            if delta.iter().any(|&d| d != 0.0) {
                slots.push(at);
                row_of.push(row);
                vectors.extend(x.iter().zip(&delta).map(|(&x, d)| (f64::from(x) + d) as f32));
            }
        }
        let mut out = vec![AnswerDamage::default(); pairs.len()];
        let edited = self
            .captured
            .stage
            .edited_last(self.captured.capture, &row_of, &vectors)?;
        let streams = Streams {
            clean: &self.last,
            edited: &edited,
            row_of: &row_of,
        };
        let found = over_vocabulary(self.model(), streams, |_, clean, logits| self.compare(clean, logits))?;
        if found.iter().any(|d| !d.kl.is_finite() || !d.outside.is_finite()) {
            return Err(AblationError::Edit(format!(
                "arm `{arm}` makes the model's answers no longer finite"
            )));
        }
        for (slot, damage) in slots.into_iter().zip(found) {
            out[slot] = damage;
        }
        Ok(out)
    }

    fn compare(&self, clean: &Clean, logits: &[f32]) -> AnswerDamage {
        let kl = clean.kl(logits, log_sum_exp(logits));
        let outside = if self.tokens.is_empty() {
            kl
        } else {
            let rest = without(logits, &self.tokens);
            clean.without(&self.tokens).kl(&rest, log_sum_exp(&rest))
        };
        AnswerDamage {
            kl,
            outside,
            flipped: top(logits) != clean.top(),
        }
    }
}
