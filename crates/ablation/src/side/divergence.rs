//! `KL(p_0 || p_E)` over the whole vocabulary.
//!
//! `KL = sum_v p_0(v) (l_0(v) - l_E(v)) - lse(l_0) + lse(l_E)` with logits `l`, in nats: no probability is divided by another, so nothing
//! underflows. Exponentials are taken in f32 (2 units in the last place), sums over blocks in f64; equal rows give exactly 0, and
//! what rounding leaves is below 1e-6 nats and cut at 0. Logits of a block of rows at a time, never of all: a vocabulary of 256,000
//! tokens and a thousand edits would be a gigabyte.

use kernels::math::{exp, simd};
use model_runner::Transformer;
use rayon::prelude::*;

use crate::error::{AblationError, Result};

/// Logits that one task holds of the edited rows, and as many of the clean ones at most: 8 MiB each.
const LOGITS_AT_ONCE: usize = 1 << 21;

/// Fewest rows of a task: the unembedding is widened once for each.
const FEWEST_ROWS: usize = 64;

/// Terms that are added in f32 before they go into an f64 sum.
const BLOCK: usize = 1 << 10;

/// An unedited prediction, ready to be compared with many edited ones.
pub(super) struct Clean {
    logits: Vec<f32>,
    /// `exp(logit - top)`.
    weights: Vec<f32>,
    total: f64,
    /// `ln sum exp(logit)`.
    pub(super) lse: f64,
}

impl Clean {
    /// `logits`: `[vocabulary]`.
    pub(super) fn new(logits: Vec<f32>) -> Self {
        let top = largest(&logits);
        let mut weights = logits.clone();
        simd(
            #[inline(always)]
            || {
                for weight in &mut weights {
                    *weight = exp(*weight - top);
                }
            },
        );
        let total = blockwise(&weights, &weights, |w, _| w);
        Self {
            lse: f64::from(top) + total.ln(),
            logits,
            weights,
            total,
        }
    }

    /// Divergence of a prediction from this one, nats; `lse` is that of `edited`, see [`log_sum_exp`].
    pub(super) fn kl(&self, edited: &[f32], lse: f64) -> f64 {
        let mut differences = self.logits.clone();
        simd(
            #[inline(always)]
            || {
                for (difference, &edited) in differences.iter_mut().zip(edited) {
                    *difference -= edited;
                }
            },
        );
        let mean = blockwise(&self.weights, &differences, |w, d| w * d) / self.total;
        // Cut at 0 without hiding a value that is not a number.
        let kl = mean + (lse - self.lse);
        if kl < 0.0 { 0.0 } else { kl }
    }

    /// Surprise at a token, nats.
    pub(super) fn surprise(&self, token: u32) -> f64 {
        self.lse - f64::from(self.logits[token as usize])
    }

    /// The most likely token.
    pub(super) fn top(&self) -> usize {
        top(&self.logits)
    }

    /// The prediction renormalised outside some tokens (ascending).
    pub(super) fn without(&self, tokens: &[u32]) -> Self {
        Self::new(without(&self.logits, tokens))
    }
}

/// `ln sum exp(logit)`.
pub(super) fn log_sum_exp(logits: &[f32]) -> f64 {
    let top = largest(logits);
    f64::from(top) + blockwise(logits, logits, |l, _| exp(l - top)).ln()
}

/// The row without some tokens (ascending), `[vocabulary - tokens]`.
pub(super) fn without(logits: &[f32], tokens: &[u32]) -> Vec<f32> {
    let mut out = Vec::with_capacity(logits.len());
    let mut from = 0;
    for &token in tokens {
        out.extend_from_slice(&logits[from..token as usize]);
        from = token as usize + 1;
    }
    out.extend_from_slice(&logits[from..]);
    out
}

/// The most likely token; the first of equals.
pub(super) fn top(logits: &[f32]) -> usize {
    let mut best = 0;
    for (token, &logit) in logits.iter().enumerate() {
        if logit > logits[best] {
            best = token;
        }
    }
    best
}

fn largest(logits: &[f32]) -> f32 {
    logits.iter().copied().fold(f32::NEG_INFINITY, f32::max)
}

/// `sum f(a, b)`, in sixteen fixed lanes of f32 within a block and f64 over blocks.
fn blockwise(a: &[f32], b: &[f32], f: impl Fn(f32, f32) -> f32 + Copy) -> f64 {
    simd(
        #[inline(always)]
        || {
            let mut total = 0.0;
            for (a, b) in a.chunks(BLOCK).zip(b.chunks(BLOCK)) {
                let mut lanes = [0f32; 16];
                let (a_body, a_tail) = a.as_chunks::<16>();
                let (b_body, b_tail) = b.as_chunks::<16>();
                for (a, b) in a_body.iter().zip(b_body) {
                    for lane in 0..16 {
                        lanes[lane] += f(a[lane], b[lane]);
                    }
                }
                for ((lane, &a), &b) in lanes.iter_mut().zip(a_tail).zip(b_tail) {
                    *lane += f(a, b);
                }
                total += f64::from(lanes.iter().sum::<f32>());
            }
            total
        },
    )
}

/// Streams after the last layer: unedited rows, and edits with the row that each one changes.
#[derive(Clone, Copy)]
pub(super) struct Streams<'a> {
    /// `[rows, d_model]`.
    pub(super) clean: &'a [f32],
    /// `[edits, d_model]`.
    pub(super) edited: &'a [f32],
    /// Unedited row of each edit, ascending: edits of one row share its logits.
    pub(super) row_of: &'a [usize],
}

/// Compares every edit's prediction with its row's: `measure(edit, clean, edited logits)`, in the order of the edits.
pub(super) fn over_vocabulary<T: Send>(
    model: &Transformer,
    streams: Streams<'_>,
    measure: impl Fn(usize, &Clean, &[f32]) -> T + Sync,
) -> Result<Vec<T>> {
    let (d, vocabulary) = (model.config().hidden_size, model.config().vocab_size);
    let Streams { clean, edited, row_of } = streams;
    if edited.len() != row_of.len() * d
        || !row_of.is_sorted()
        || row_of.last().is_some_and(|&r| (r + 1) * d > clean.len())
    {
        return Err(AblationError::Edit(format!(
            "{} edited values for {} edits of width {d}, in the order of {} rows",
            edited.len(),
            row_of.len(),
            clean.len() / d
        )));
    }
    let at_once = (LOGITS_AT_ONCE / vocabulary).max(FEWEST_ROWS);
    let parts: Vec<usize> = (0..row_of.len()).step_by(at_once).collect();
    let run = |&first: &usize| -> Result<Vec<T>> {
        let part = first..row_of.len().min(first + at_once);
        let mut rows = row_of[part.clone()].to_vec();
        rows.dedup();
        let stream: Vec<f32> = rows
            .iter()
            .flat_map(|&row| clean[row * d..(row + 1) * d].iter().copied())
            .collect();
        let before = model.all_logits(&model.final_norm(&stream))?;
        let after = model.all_logits(&model.final_norm(&edited[part.start * d..part.end * d]))?;
        let mut out = Vec::with_capacity(part.len());
        let mut edits = part.clone().zip(after.chunks_exact(vocabulary)).peekable();
        for (&row, logits) in rows.iter().zip(before.chunks_exact(vocabulary)) {
            let clean = Clean::new(logits.to_vec());
            while let Some((edit, logits)) = edits.next_if(|(edit, _)| row_of[*edit] == row) {
                out.push(measure(edit, &clean, logits));
            }
        }
        Ok(out)
    };
    let done = parts.par_iter().map(run).collect::<Result<Vec<_>>>()?;
    Ok(done.into_iter().flatten().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exact(clean: &[f32], edited: &[f32]) -> f64 {
        let lse = |l: &[f32]| l.iter().map(|&l| f64::from(l).exp()).sum::<f64>().ln();
        let (a, b) = (lse(clean), lse(edited));
        let terms = clean.iter().zip(edited).map(|(&l, &m)| {
            let (l, m) = (f64::from(l) - a, f64::from(m) - b);
            l.exp() * (l - m)
        });
        terms.sum()
    }

    fn rows(n: usize) -> (Vec<f32>, Vec<f32>) {
        let clean: Vec<f32> = (0..n).map(|i| 6.0 * (i as f32 * 0.37).sin()).collect();
        let edited = clean
            .iter()
            .enumerate()
            .map(|(i, l)| l + (i as f32 * 1.7).cos())
            .collect();
        (clean, edited)
    }

    #[test]
    fn agrees_with_double_precision_and_is_exactly_zero_for_equal_rows() {
        let (clean, edited) = rows(5003);
        let row = Clean::new(clean.clone());
        let kl = row.kl(&edited, log_sum_exp(&edited));
        assert!((kl - exact(&clean, &edited)).abs() < 1e-6, "{kl}");
        assert!(kl > 0.1);
        assert_eq!(row.kl(&clean, log_sum_exp(&clean)).to_bits(), 0f64.to_bits());
    }

    #[test]
    fn renormalised_outside_tokens_it_ignores_their_logits() {
        let (clean, mut edited) = rows(300);
        let letters: Vec<u32> = (0..26).map(|i| 5 + 11 * i).collect();
        let outside = |edited: &[f32]| {
            let rest = without(edited, &letters);
            Clean::new(clean.clone())
                .without(&letters)
                .kl(&rest, log_sum_exp(&rest))
        };
        let before = outside(&edited);
        for &letter in &letters {
            edited[letter as usize] += 7.5;
        }
        assert_eq!(before.to_bits(), outside(&edited).to_bits());
        assert_eq!(without(&clean, &letters).len(), 300 - 26);
    }

    #[test]
    fn hopeless_tokens_and_broken_predictions_are_neither_infinite_nor_hidden() {
        let clean = Clean::new(vec![0.0, -400.0, 1.0]);
        let edited = [0.0, 400.0, 1.0];
        let kl = clean.kl(&edited, log_sum_exp(&edited));
        assert!((kl - (400.0 - clean.lse)).abs() < 1.0, "{kl}");
        assert!(clean.kl(&[f32::NAN, 0.0, 0.0], f64::NAN).is_nan());
    }
}
