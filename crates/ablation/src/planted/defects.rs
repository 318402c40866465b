//! An autoencoder with planted defects: known shares of every letter are split off, absorbed, cut off and missed.
//!
//! A word is its letter's direction (amplitude .9 to 1.1), its own direction among superposed ones, one of five markers, for half
//! of its letter's words a partner feature that other words rarely have, and a little noise. Markers stand for whatever makes
//! a dictionary treat words differently; they are spread alike over letters, so nothing linear can read a letter from them. What the
//! autoencoder does with the letter of a word depends on its marker:
//!
//! - main: the letter's latent reads and writes it;
//! - split: a second latent of the letter does, and the main one is silent;
//! - absorbed: the word's own latent writes the letter with the word;
//! - cut off: the main latent's pre-activation is half a unit too low and under its threshold; half of the letter is what it would
//!   have written, half is in the error without a trace;
//! - dark: no latent writes it.
//!
//! Shares are of the letter's content, so twice as many words are cut off as the threshold share says, and half of these count as
//! dark. Every other word has a latent of its own that writes the word.
//!
//! Deliberately absent: write errors ([`super::hedging`] has them) and latents that fire on wrong words.

use rand::{Rng, RngExt};
use sae::Sae;

use super::draw::{add, normal, orthonormal, remove_span, scale_to, unit};
use super::{Dictionary, Head, Outcome, World};
use crate::directions::Labelled;
use crate::error::{AblationError, Result};

/// Shares of a letter's content by what becomes of it; they sum to 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Shares {
    /// Written by the main latent.
    pub main: f64,
    /// Written by a latent that splits the letter.
    pub split: f64,
    /// Written by latents of single words.
    pub absorb: f64,
    /// What the main latent would write but for its threshold.
    pub threshold: f64,
    /// In the error, unexplained.
    pub dark: f64,
}

/// What is planted.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Defects {
    /// Letters, 2 to 26.
    pub letters: usize,
    /// Words per letter that directions and rules see.
    pub train_words: usize,
    /// Words per letter that are scored.
    pub test_words: usize,
    /// Width of the vectors.
    pub d: usize,
    /// Shares to plant; those of the words come as near as whole words allow.
    pub shares: Shares,
    /// How answers follow from vectors.
    pub outcome: Outcome,
}

/// What became of a word's letter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Main,
    Split,
    Absorbed,
    CutOff,
    Dark,
}

/// Order of the markers.
const KINDS: [Kind; 5] = [Kind::Main, Kind::Split, Kind::Absorbed, Kind::CutOff, Kind::Dark];
/// Share of a cut-off word's letter that the main latent would write.
const CUT: f64 = 0.5;
/// Length of word directions.
const WORD: f64 = 0.8;
/// Length of partner features.
const PARTNER: f64 = 0.8;
/// Standard deviation of the noise on every coordinate.
const NOISE: f64 = 0.003;
/// Largest change of a letter's amplitude.
const SPREAD: f64 = 0.1;
/// Threshold of the main latents: between what a cut-off word reaches and what others do.
const THRESHOLD: f64 = 0.75;

/// A world, its autoencoder, and the truth about both.
pub struct Planting {
    /// Words.
    pub world: World,
    /// The autoencoder.
    pub sae: Sae,
    /// Directions of the letters, `[letters]` of `[d]`.
    pub letters: Vec<Vec<f64>>,
    /// The main latent of each letter.
    pub main: Vec<u32>,
    /// The latent that splits each letter; it never fires if no share is split.
    pub split: Vec<u32>,
    /// The absorbing latents of each letter's words.
    pub absorbing: Vec<Vec<u32>>,
    /// Shares of the scored words, as planted: means over letters of ratios of sums.
    pub truth: Shares,
}

impl Shares {
    /// Nothing is missing.
    pub const NONE: Self = Self {
        main: 1.0,
        split: 0.0,
        absorb: 0.0,
        threshold: 0.0,
        dark: 0.0,
    };

    /// A dictionary with every defect: the main latent keeps two fifths.
    pub const ALL: Self = Self {
        main: 0.385,
        split: 0.17,
        absorb: 0.21,
        threshold: 0.085,
        dark: 0.15,
    };

    /// Share of the words of each kind.
    fn of_words(&self) -> Result<[f64; 5]> {
        let cut = self.threshold / CUT;
        let dark = self.dark - (1.0 - CUT) * cut;
        let words = [self.main, self.split, self.absorb, cut, dark];
        let sum: f64 = words.iter().sum();
        if words.iter().any(|&share| share < -1e-12) || (sum - 1.0).abs() > 1e-9 {
            return Err(AblationError::Edit(format!(
                "planted shares must not be negative and sum to 1, and the dark share must hold at least that of the threshold: {self:?}"
            )));
        }
        Ok(words)
    }
}

impl Defects {
    /// The full size: 26 letters, 2,600 words to fit on, 512 dimensions.
    #[must_use]
    pub fn full(shares: Shares) -> Self {
        Self {
            letters: 26,
            train_words: 100,
            test_words: 40,
            d: 512,
            shares,
            outcome: Outcome::Linear,
        }
    }

    /// A third of that, for a quick check.
    #[must_use]
    pub fn small(shares: Shares) -> Self {
        Self {
            letters: 26,
            train_words: 60,
            test_words: 20,
            d: 256,
            shares,
            outcome: Outcome::Linear,
        }
    }

    /// Plants them.
    ///
    /// # Errors
    /// Shares that are none, or vectors too narrow for the letters.
    pub fn plant(&self, seed: u64) -> Result<Planting> {
        let words = self.shares.of_words()?;
        let structured = 2 * self.letters + KINDS.len();
        if !(2..=26).contains(&self.letters) || 2 * structured > self.d {
            return Err(AblationError::Edit(format!(
                "{} letters do not fit {} dimensions with words beside them",
                self.letters, self.d
            )));
        }
        let mut rng = stats::seed::rng(seed, "planted/defects");
        let basis = orthonormal(structured, self.d, &mut rng);
        let letters = basis[..self.letters].to_vec();
        let partners = &basis[self.letters..2 * self.letters];
        let markers = &basis[2 * self.letters..];
        let mut dictionary = Dictionary::new(self.d);
        let main = letters
            .iter()
            .map(|letter| main_latent(&mut dictionary, letter, markers))
            .collect();
        let split = letters
            .iter()
            .map(|letter| {
                // The marker counts half as much again as the letter, so that neither alone opens the latent.
                let mut reads = letter.clone();
                add(&mut reads, &markers[1], 1.5);
                dictionary.push(reads, -1.5, 0.5, letter.clone())
            })
            .collect();
        for feature in partners.iter().chain(markers) {
            dictionary.push(feature.clone(), 0.0, 0.3, feature.clone());
        }
        let mut plot = Plot {
            d: self.d,
            words,
            basis: &basis,
            partners,
            markers,
            dictionary,
            absorbing: vec![Vec::new(); self.letters],
        };
        let (train, _) = plot.side(&letters, self.train_words, &mut rng);
        let (test, truth) = plot.side(&letters, self.test_words, &mut rng);
        Ok(Planting {
            world: World {
                train,
                test,
                head: Head::new(&letters, 8.0, self.outcome),
            },
            sae: plot.dictionary.build()?,
            absorbing: plot.absorbing,
            letters,
            main,
            split,
            truth,
        })
    }
}

/// What words are made of.
struct Plot<'a> {
    d: usize,
    /// Shares of the words of each kind.
    words: [f64; 5],
    /// Directions that words keep clear of.
    basis: &'a [Vec<f64>],
    partners: &'a [Vec<f64>],
    markers: &'a [Vec<f64>],
    dictionary: Dictionary,
    absorbing: Vec<Vec<u32>>,
}

impl Plot<'_> {
    /// Words of all letters, and their planted shares.
    fn side(&mut self, letters: &[Vec<f64>], count: usize, rng: &mut impl Rng) -> (Labelled, Shares) {
        let mut side = Labelled {
            x: Vec::new(),
            y: Vec::new(),
            d: self.d,
            classes: letters.len(),
        };
        let mut shares = [0.0; 5];
        // Quotas run on over letters, so that all words together have the shares to one word.
        let mut given = [0usize; 5];
        for (class, letter) in letters.iter().enumerate() {
            let (mut sums, mut total) = ([0.0; 5], 0.0);
            for _ in 0..count {
                let kind = next_kind(&self.words, &mut given);
                let amplitude = 1.0 + SPREAD * (2.0 * rng.random::<f64>() - 1.0);
                let x = self.word(class, letter, kind, amplitude, rng);
                side.x.extend(x.iter().map(|&v| (v + NOISE * normal(rng)) as f32));
                side.y.push(class);
                if kind == Kind::CutOff {
                    sums[Kind::CutOff as usize] += amplitude - CUT;
                    sums[Kind::Dark as usize] += CUT;
                } else {
                    sums[kind as usize] += amplitude;
                }
                total += amplitude;
            }
            for (share, sum) in shares.iter_mut().zip(sums) {
                *share += sum / total / letters.len() as f64;
            }
        }
        let [main, split, absorb, threshold, dark] = shares;
        let shares = Shares {
            main,
            split,
            absorb,
            threshold,
            dark,
        };
        (side, shares)
    }

    /// A word's vector before noise; its latent goes into the dictionary.
    fn word(&mut self, class: usize, letter: &[f64], kind: Kind, amplitude: f64, rng: &mut impl Rng) -> Vec<f64> {
        let mut word = unit(self.d, rng);
        remove_span(&mut word, self.basis);
        scale_to(&mut word, 1.0);
        let mut x = vec![0.0; self.d];
        add(&mut x, letter, amplitude);
        add(&mut x, &word, WORD);
        add(&mut x, &self.markers[kind as usize], 1.0);
        for (other, partner) in self.partners.iter().enumerate() {
            let rate = if other == class { 0.5 } else { 0.05 };
            if rng.random::<f64>() < rate {
                add(&mut x, partner, PARTNER);
            }
        }
        let mut writes: Vec<f64> = word.iter().map(|v| v * WORD).collect();
        if kind == Kind::Absorbed {
            add(&mut writes, letter, 1.0);
        }
        let reads = word.iter().map(|v| v / WORD).collect();
        let latent = self.dictionary.push(reads, 0.0, 0.6, writes);
        if kind == Kind::Absorbed {
            self.absorbing[class].push(latent);
        }
        x
    }
}

/// Fires on its letter's words, but for those whose marker holds it down.
fn main_latent(dictionary: &mut Dictionary, letter: &[f64], markers: &[Vec<f64>]) -> u32 {
    let mut reads = letter.to_vec();
    for (marker, kind) in markers.iter().zip(KINDS) {
        let held = match kind {
            Kind::Main => 0.0,
            // So far down that the threshold is not what keeps it silent.
            Kind::Split | Kind::Absorbed | Kind::Dark => -1.2,
            Kind::CutOff => -CUT,
        };
        add(&mut reads, marker, held);
    }
    dictionary.push(reads, 0.0, THRESHOLD, letter.to_vec())
}

/// The kind that is furthest behind its share.
fn next_kind(shares: &[f64; 5], given: &mut [usize; 5]) -> Kind {
    let n = given.iter().sum::<usize>() as f64 + 1.0;
    let behind = |kind: usize| shares[kind] * n - given[kind] as f64;
    let at = (0..KINDS.len())
        .max_by(|&a, &b| behind(a).total_cmp(&behind(b)).then(b.cmp(&a)))
        .unwrap_or_default();
    given[at] += 1;
    KINDS[at]
}
