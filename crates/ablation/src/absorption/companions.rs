//! What must stand beside an absorption score.
//!
//! An SAE whose main latents are no classifier of the letter, or that was never trained, has little
//! to absorb and scores low, which looks good. These numbers tell the two apart.
//!
//! Deliberately absent: the control with a random SAE, which is another run.

use serde::{Deserialize, Serialize};

use super::error::{AbsorptionError, finite};
use super::{SILENT, Word};

/// Companions of one letter.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct LetterCompanions {
    /// The letter.
    pub letter: char,
    /// Test words of the letter that the dense probe finds.
    pub true_positives: usize,
    /// Share of them on which at least one main latent fires; `None` without words.
    pub main_recall: Option<f64>,
    /// Mean number of latents that fire on them; `None` without words.
    pub l0: Option<f64>,
    /// F1 of the k-sparse probe on the main latents, on test words.
    pub k_sparse_f1: f64,
    /// F1 of the dense probe on test words.
    pub probe_f1: f64,
}

impl LetterCompanions {
    /// Reads one letter. `words`: its test words that the dense probe finds; `main`: its main
    /// latents; F1 on test words.
    ///
    /// # Errors
    /// An F1 that is not finite.
    pub fn new(
        letter: char,
        words: &[Word],
        main: &[u32],
        k_sparse_f1: f64,
        probe_f1: f64,
    ) -> Result<Self, AbsorptionError> {
        let fires = words.iter().filter(|word| word.any_fires(main, SILENT)).count();
        let active: usize = words.iter().map(Word::l0).sum();
        let per_word = |count: usize| (!words.is_empty()).then(|| count as f64 / words.len() as f64);
        Ok(Self {
            letter,
            true_positives: words.len(),
            main_recall: per_word(fires),
            l0: per_word(active),
            k_sparse_f1: finite("the F1 of a k-sparse probe", k_sparse_f1)?,
            probe_f1: finite("the F1 of a probe", probe_f1)?,
        })
    }
}

/// Companions of an SAE: unweighted means over letters.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Companions {
    /// Letters with words, over which recall and `L0` are averaged.
    pub n: usize,
    /// Mean share of words on which a main latent fires.
    pub main_recall: Option<f64>,
    /// Mean number of latents that fire.
    pub l0: Option<f64>,
    /// Mean F1 of the k-sparse probes.
    pub k_sparse_f1: Option<f64>,
    /// Mean F1 of the dense probe.
    pub probe_f1: Option<f64>,
}

impl Companions {
    /// Sums up letters: those that count in the score they stand beside.
    #[must_use]
    pub fn new(letters: &[LetterCompanions]) -> Self {
        let mean = |value: &dyn Fn(&LetterCompanions) -> Option<f64>| {
            let values: Vec<f64> = letters.iter().filter_map(value).collect();
            stats::mean(&values).ok()
        };
        Self {
            n: letters.iter().filter(|letter| letter.true_positives > 0).count(),
            main_recall: mean(&|letter| letter.main_recall),
            l0: mean(&|letter| letter.l0),
            k_sparse_f1: mean(&|letter| Some(letter.k_sparse_f1)),
            probe_f1: mean(&|letter| Some(letter.probe_f1)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::absorption::Entry;

    fn word(latents: &[(u32, f64)]) -> Word {
        let entry = |&(latent, activation): &(u32, f64)| Entry {
            latent,
            activation,
            cosine: 0.1,
            carried: 0.1 * activation,
        };
        Word::new(1.0, latents.iter().map(entry).collect()).expect("valid")
    }

    #[test]
    fn recall_counts_words_not_latents() {
        let words = [
            word(&[(1, 1.0), (2, 1.0)]),
            word(&[(2, 3.0), (5, 1.0), (6, 1.0)]),
            word(&[(5, 1.0), (1, 1e-9)]),
            word(&[]),
        ];
        let letter = LetterCompanions::new('a', &words, &[1, 2], 0.5, 0.75).expect("valid");
        assert_eq!(letter.main_recall, Some(0.5));
        assert_eq!(letter.l0, Some(1.5), "1e-9 is silent");
        let empty = LetterCompanions::new('b', &[], &[1, 2], 0.25, 0.25).expect("valid");
        assert_eq!((empty.main_recall, empty.l0), (None, None));
        let all = Companions::new(&[letter, empty]);
        assert_eq!((all.n, all.main_recall), (1, Some(0.5)));
        assert_eq!((all.k_sparse_f1, all.probe_f1), (Some(0.375), Some(0.5)));
        assert!(LetterCompanions::new('c', &[], &[], f64::NAN, 0.5).is_err());
    }
}
