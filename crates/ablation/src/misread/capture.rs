//! How much of what a linear read finds of the letter a set of latents carries, word by word.
//!
//! For a read `v` (rank-1 LEACE, `v . u = 1`) an editor that changes a vector by `delta` takes `-(v . delta)` of the letter out of
//! it. For the LEACE editor itself that is `r = v . (x - mu) - t`, the whole of it; for a set of latents it is
//! `m = sum_j (z_j - t_j) v . W_j`. Both are centred by their off-class means. The capture share of a word is `m / r`; sums are taken before
//! ratios, as `r` of a single word may be next to nothing.

use crate::editor::{Editor, Subject};
use crate::error::{AblationError, Result};
use crate::misread::instrument::covariance;

/// One word as the reference reads it and as a set carries it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Reading {
    /// Whether the word has the letter.
    pub own: bool,
    /// Whether any latent of the set is active.
    pub fires: bool,
    /// `r`: what the reference would take out.
    pub signal: f64,
    /// `m`: what the set's edit takes out of the same read.
    pub measure: f64,
}

/// Reads one word: `(signal, measure)`.
///
/// `read`: `v`, `[d_model]`; `reference`: the editor that erases along it; `set`: the latents' editor.
///
/// # Errors
/// An editor does not fit the vector, or the read.
pub fn readings(read: &[f64], reference: &Editor, set: &Editor, subject: Subject<'_>) -> Result<(f64, f64)> {
    if read.len() != subject.x.len() {
        return Err(AblationError::Edit(format!(
            "a read of width {} cannot read a vector of width {}",
            read.len(),
            subject.x.len()
        )));
    }
    let taken = |editor: &Editor| -> Result<f64> {
        let delta = editor.delta(subject)?;
        Ok(-read.iter().zip(&delta).map(|(v, d)| v * d).sum::<f64>())
    };
    Ok((taken(reference)?, taken(set)?))
}

/// A set as an instrument that measures the reference's read. What the data do not define is none.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Reliability {
    /// Reliability ratio `cov(r, m) / var(m)` over all words: what a unit of `m` is worth in `r`. 1 for classical errors in none
    /// of it, above 1 where the set carries too little per unit.
    pub kappa: Option<f64>,
    /// Slope of `m` on `r` over all words; `1 - slope` is the bias, what shrinkage takes from every word.
    pub slope: Option<f64>,
    /// `var(r - m | own)` over `var(r)` of all words: the noise, what holes take from some words.
    pub noise: Option<f64>,
    /// `sum m / sum r` over the letter's words: the share of the reference's effect that the set should have, if the answer is
    /// locally linear and writes agree.
    pub predicted: Option<f64>,
    /// The same over those on which the set fires: how full the measure is where there is one.
    pub when_firing: Option<f64>,
    /// Words of the letter.
    pub own: usize,
}

/// Reliability of one letter's set.
///
/// # Shapes
/// - `words`: `[words]`, the letter's own and others
#[must_use]
pub fn reliability(words: &[Reading]) -> Reliability {
    let signal: Vec<f64> = words.iter().map(|w| w.signal).collect();
    let measure: Vec<f64> = words.iter().map(|w| w.measure).collect();
    let together = covariance(&signal, &measure);
    let per = |variance: f64| (variance > 0.0).then(|| together / variance);
    let share = |of: &dyn Fn(&&Reading) -> bool| {
        let (m, r) = words
            .iter()
            .filter(of)
            .fold((0.0, 0.0), |(m, r), w| (m + w.measure, r + w.signal));
        (r > 0.0).then(|| m / r)
    };
    let left: Vec<f64> = words.iter().filter(|w| w.own).map(|w| w.signal - w.measure).collect();
    let variance = covariance(&signal, &signal);
    Reliability {
        kappa: per(covariance(&measure, &measure)),
        slope: per(variance),
        noise: (variance > 0.0 && left.len() > 1).then(|| covariance(&left, &left) / variance),
        predicted: share(&|w| w.own),
        when_firing: share(&|w| w.own && w.fires),
        own: left.len(),
    }
}

/// How observed ratios follow predicted ones over letters.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Agreement {
    /// Pearson correlation.
    pub correlation: f64,
    /// Least-squares slope of the observed on the predicted.
    pub slope: f64,
}

/// The agreement of `[letters]` pairs `(predicted, observed)`; none with fewer than three, or where one of them does not vary.
#[must_use]
pub fn agreement(pairs: &[(f64, f64)]) -> Option<Agreement> {
    let (x, y): (Vec<f64>, Vec<f64>) = pairs.iter().copied().unzip();
    let (xx, yy, xy) = (covariance(&x, &x), covariance(&y, &y), covariance(&x, &y));
    (pairs.len() >= 3 && xx > 0.0 && yy > 0.0).then(|| Agreement {
        correlation: xy / (xx * yy).sqrt(),
        slope: xy / xx,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn word(own: bool, signal: f64, measure: f64) -> Reading {
        Reading {
            own,
            fires: measure != 0.0,
            signal,
            measure,
        }
    }

    #[test]
    fn shares_are_of_sums() {
        let words = [
            word(true, 1.0, 0.5),
            word(true, 3.0, 1.5),
            word(true, 4.0, 0.0),
            word(false, 0.0, 0.0),
        ];
        let found = reliability(&words);
        assert_eq!(found.predicted, Some(0.25));
        assert_eq!(found.when_firing, Some(0.5));
        assert_eq!(found.own, 3);
    }

    #[test]
    fn shrinkage_is_bias_and_holes_are_noise() {
        let half: Vec<Reading> = (0..10)
            .map(|i| word(i < 5, f64::from(i < 5) * (1.0 + f64::from(i)), 0.0))
            .collect();
        // Every word at half: slope .5, kappa 2, and what is left of own words varies only as they do themselves.
        let shrunk: Vec<Reading> = half.iter().map(|w| word(w.own, w.signal, 0.5 * w.signal)).collect();
        let found = reliability(&shrunk);
        assert!((found.slope.unwrap() - 0.5).abs() < 1e-12 && (found.kappa.unwrap() - 2.0).abs() < 1e-12);
        // The perfect measure has neither bias nor noise.
        let perfect: Vec<Reading> = half.iter().map(|w| word(w.own, w.signal, w.signal)).collect();
        let perfect = reliability(&perfect);
        assert!((perfect.slope.unwrap() - 1.0).abs() < 1e-12 && perfect.noise.unwrap().abs() < 1e-12);
        // A silent set measures nothing: no reliability ratio, not a number.
        let silent = reliability(&half);
        assert_eq!(
            (silent.kappa, silent.slope, silent.when_firing),
            (None, Some(0.0), None)
        );
        assert_eq!(reliability(&[]).predicted, None);
    }

    #[test]
    fn agreement_by_hand() {
        let found = agreement(&[(0.0, 1.0), (1.0, 1.5), (2.0, 2.0)]).unwrap();
        assert!((found.slope - 0.5).abs() < 1e-12 && (found.correlation - 1.0).abs() < 1e-12);
        assert_eq!(agreement(&[(0.0, 1.0), (1.0, 1.5)]), None);
        assert_eq!(agreement(&[(1.0, 1.0), (1.0, 1.5), (1.0, 2.0)]), None);
    }

    #[test]
    fn the_reference_reads_itself_whole() {
        let x = [1.0f32, -2.0, 0.5];
        let subject = Subject { x: &x, latents: None };
        let (read, write) = ([0.5, 0.0, 1.0], [1.0, 3.0, 0.5]);
        let reference = Editor::linear(&read, &[0.0; 3], &write, 0.25);
        // read . write = 1: it takes out r - t = 1.0 - .25.
        let half = Editor::linear(&read, &[0.0; 3], &[0.5, 7.0, 0.25], 0.25);
        let (signal, measure) = readings(&read, &reference, &half, subject).unwrap();
        assert!((signal - 0.75).abs() < 1e-12 && (measure - 0.375).abs() < 1e-12);
        assert!(readings(&read[..2], &reference, &half, subject).is_err());
    }
}
