//! A site whose truth is planted: letters and words are directions, letters are answered from their directions alone.
//!
//! Of each letter's words, some are lost to the main latent for a known reason each.

use ablation::effects::LetterLogits;
use ablation::gap::{Accounting, Config};
use ablation::{Arm, Bench, Editor, Labelled, Pair, Readout, Result, SaeSide};
use sae::{Architecture, Normalization, Sae, SparseLatents, Weights};

use crate::made::{axes, config};

pub(crate) const CLASSES: usize = 4;
pub(crate) const WORDS: usize = 20;
pub(crate) const D: usize = CLASSES + CLASSES * WORDS;
/// How strongly a letter below the threshold stands in its words.
pub(crate) const FAINT: f64 = 0.4;

/// How many of each letter's words the main latent loses, and to what.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Defects {
    pub(crate) split: usize,
    pub(crate) absorb: usize,
    pub(crate) dark: usize,
    pub(crate) threshold: usize,
    pub(crate) diffuse: usize,
    /// How much of the next letter the main latent writes; it fires on [`HEDGED`] of that letter's words too.
    pub(crate) hedge: f64,
}

/// Words of the next letter on which a hedging latent fires.
const HEDGED: usize = 5;

/// What becomes of a word.
#[derive(Clone, Copy, PartialEq)]
enum Fate {
    Main,
    Split,
    Absorb,
    Dark,
    Threshold,
    Diffuse,
}

impl Defects {
    fn fate(self, word: usize) -> Fate {
        let bounds = [
            (self.split, Fate::Split),
            (self.absorb, Fate::Absorb),
            (self.dark, Fate::Dark),
            (self.threshold, Fate::Threshold),
            (self.diffuse, Fate::Diffuse),
        ];
        let mut from = 0;
        for (count, fate) in bounds {
            if (from..from + count).contains(&word) {
                return fate;
            }
            from += count;
        }
        Fate::Main
    }
}

/// Where a letter's and a word's directions are.
fn word_at(class: usize, word: usize) -> usize {
    CLASSES + class * WORDS + word
}

/// Latents: main of each class, split of each, diffuse of each, then words.
const SPLIT: usize = CLASSES;
const DIFFUSE: usize = 2 * CLASSES;
const WORD: usize = 3 * CLASSES;
const WIDTH: usize = WORD + CLASSES * WORDS;

/// Words in the order of their classes.
pub(crate) fn words(defects: Defects) -> Labelled {
    let mut x = vec![0.0f32; CLASSES * WORDS * D];
    for (row, x) in x.chunks_exact_mut(D).enumerate() {
        let (class, word) = (row / WORDS, row % WORDS);
        x[class] = if defects.fate(word) == Fate::Threshold {
            FAINT as f32
        } else {
            1.0
        };
        x[word_at(class, word)] = 1.0;
    }
    Labelled {
        x,
        y: (0..CLASSES * WORDS).map(|row| row / WORDS).collect(),
        d: D,
        classes: CLASSES,
    }
}

pub(crate) fn sae(defects: Defects) -> Sae {
    let mut w_enc = vec![0.0f32; D * WIDTH];
    let mut w_dec = vec![0.0f32; WIDTH * D];
    for class in 0..CLASSES {
        let next = (class + 1) % CLASSES;
        w_enc[class * WIDTH + class] = 1.0;
        w_dec[class * D + class] = 1.0;
        w_dec[class * D + next] = defects.hedge as f32;
        w_dec[(SPLIT + class) * D + class] = 1.0;
        w_dec[(DIFFUSE + class) * D + class] = 1.0;
        for word in 0..WORDS {
            let (at, latent) = (word_at(class, word), WORD + class * WORDS + word);
            w_enc[at * WIDTH + latent] = 1.0;
            w_dec[latent * D + at] = 1.0;
            if defects.hedge > 0.0 && word < HEDGED {
                w_enc[word_at(next, word) * WIDTH + class] = 1.0;
            }
            let fate = defects.fate(word);
            if !matches!(fate, Fate::Main | Fate::Threshold) {
                w_enc[at * WIDTH + class] = -1.0;
            }
            match fate {
                Fate::Split => w_enc[at * WIDTH + SPLIT + class] = 1.0,
                Fate::Absorb => w_dec[latent * D + class] = 1.0,
                Fate::Diffuse => {
                    w_enc[at * WIDTH + DIFFUSE + class] = 1.0;
                    // It fires for the same words of the next letter too, so that it is precise for none.
                    w_enc[word_at(next, word) * WIDTH + DIFFUSE + class] = 1.0;
                }
                Fate::Main | Fate::Dark | Fate::Threshold => {}
            }
        }
    }
    let mut threshold = vec![0.0f32; WIDTH];
    threshold[..CLASSES].fill(0.5);
    let weights = Weights {
        w_enc,
        w_dec,
        b_enc: vec![0.0; WIDTH],
        b_dec: vec![0.0; D],
        threshold,
        ..Weights::default()
    };
    Sae::new(config(D, WIDTH, Architecture::JumpRelu, Normalization::None), weights).unwrap()
}

/// Answers a letter by how much of its direction there is.
pub(crate) struct Truth {
    pub(crate) x: Vec<f32>,
    /// Bends the answer; 0 is linear.
    pub(crate) bend: f64,
}

impl Readout for Truth {
    fn rows(&self) -> usize {
        self.x.len() / D
    }

    fn d(&self) -> usize {
        D
    }

    fn site(&self, row: usize) -> &[f32] {
        &self.x[row * D..(row + 1) * D]
    }

    fn set(&self, _: usize) -> u32 {
        0
    }

    fn edited_logits(&self, _: &[usize], vectors: &[f32]) -> Result<Vec<LetterLogits>> {
        let answer = |x: &[f32]| {
            let mut logits = [0.0; 26];
            for (logit, &x) in logits.iter_mut().zip(&x[..CLASSES]) {
                let x = f64::from(x);
                let bent = if self.bend > 0.0 {
                    (self.bend * x).tanh() / self.bend
                } else {
                    x
                };
                *logit = (4.0 * bent) as f32;
            }
            logits
        };
        Ok(vectors.chunks_exact(D).map(answer).collect())
    }
}

/// The evaluation and the accounting of one world, on all its words.
pub(crate) fn with_world<T>(
    defects: Defects,
    bend: f64,
    sae: &Sae,
    run: impl FnOnce(&Bench<'_>, &Accounting<'_>, &SparseLatents) -> T,
) -> T {
    let words = words(defects);
    let truth = Truth {
        x: words.x.clone(),
        bend,
    };
    let side = SaeSide::new(sae, &words).unwrap();
    let main: Vec<Vec<u32>> = (0..CLASSES as u32).map(|class| vec![class]).collect();
    let accounting = Accounting::new(&side, &words, axes(&words), &main, Config::default()).unwrap();
    let off_mean = |class: usize| -> Vec<f64> {
        let rows: Vec<usize> = (0..words.n()).filter(|&row| words.y[row] != class).collect();
        let sum = |at: usize| rows.iter().map(|&row| f64::from(words.row(row)[at])).sum::<f64>();
        (0..D).map(|at| sum(at) / rows.len() as f64).collect()
    };
    let full = Arm::fixed(
        "full-site",
        (0..CLASSES).map(|c| Editor::FullSite { target: off_mean(c) }).collect(),
    );
    let pairs = (0..CLASSES)
        .flat_map(|class| (0..words.n()).map(move |row| (class, row)))
        .map(|(class, row)| Pair {
            class,
            row,
            on: words.y[row] == class,
        })
        .collect();
    let donors = vec![None; words.n()];
    let bench = Bench::new(&truth, (0..CLASSES).collect(), words.y.clone(), pairs, donors, &full).unwrap();
    let latents = sae.encode(&words.x);
    run(&bench, &accounting, &latents)
}
