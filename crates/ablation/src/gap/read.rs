//! The exact accounting of the reference's read, word by word, without a forward pass.
//!
//! `x = b + sum_j z_j W_j + e`, so the read divides into what each group of latents writes into it and what is left:
//! `r(x) - t = main + split + absorb + diffuse + threshold + dark`. Every term is centred by its own mean over train words of other
//! classes, latent by latent, as the editors are: a latent counts by how far it is from where an edit would bring it.
//!
//! - `threshold`: what silent main and split latents would add were their threshold, gate or top-k cut removed. An active latent
//!   adds all that it can.
//! - `dark`: what no latent carries, less `threshold`. Of an SAE that normalises its input this holds the row's own scale of the
//!   decoder bias and its offset too, since no latent carries those either.
//!
//! The terms sum to the read by construction: `dark` is the read of the vector less that of its active latents, in f64, which
//! is the read of the SAE's error without its rounding.

use sae::{Architecture, SparseLatents};
use serde::{Deserialize, Serialize};

use super::alignment::Alignment;
use super::partition::{Config, Kind, Partition};
use super::reference::Reference;
use super::terms::Terms;
use crate::arms::SaeSide;
use crate::directions::Labelled;
use crate::error::{AblationError, Result};
use crate::select::contribution_scale;

/// Words whose pre-activations are computed at a time.
const WORDS_AT_ONCE: usize = 1 << 12;

/// One word's read, divided.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct WordRead {
    /// Row of the word in what was given.
    pub row: usize,
    /// `r(x) - t`.
    pub excess: f64,
    /// Its parts; they sum to `excess`.
    pub terms: Terms,
    /// The part of `terms.diffuse` that candidate absorbers hold although main and split latents carry the larger part of the
    /// read: partial absorption. `terms.absorb + partial` is absorption without the limit [`Config::carried`].
    pub partial: f64,
    /// The part of `terms.diffuse` in latents that fire on much of the class and on words of other classes too.
    pub shared: f64,
    /// Whether a main latent fires.
    pub main_fires: bool,
    /// Whether main and split latents carry less than [`Config::carried`] of the read, so that candidates count as absorbing.
    pub absorbed: bool,
}

/// The accounting of one SAE at one site.
pub struct Accounting<'a> {
    side: &'a SaeSide<'a>,
    references: Vec<Reference>,
    partition: Partition,
    config: Config,
    alignment: Alignment,
    /// `[classes][d_sae]`.
    kinds: Vec<Vec<Kind>>,
    /// Means over train words of other classes, per class.
    centres: Vec<Centre>,
    /// Class of each train word.
    train_classes: Vec<usize>,
    /// What a latent's decoder row is divided by: its length, for a rescaling top-k; empty otherwise.
    divisors: Vec<f32>,
}

/// Off-class means of what groups write into a read.
#[derive(Clone, Copy, Debug, Default)]
struct Centre {
    main: f64,
    split: f64,
    candidates: f64,
    shared: f64,
    diffuse: f64,
    threshold: f64,
}

impl<'a> Accounting<'a> {
    /// Divides the latents into groups on train words and takes the means of what they write.
    ///
    /// `references`: of each class; `main`: main latents of each class, empty where there is none.
    ///
    /// # Errors
    /// Sizes disagree, or the SAE's output does not stand for its input.
    pub fn new(
        side: &'a SaeSide<'a>,
        train: &Labelled,
        references: Vec<Reference>,
        main: &[Vec<u32>],
        config: Config,
    ) -> Result<Self> {
        let sae = side.sae;
        if sae.is_transcoder() || sae.config().output.skip {
            return Err(AblationError::Edit(
                "the accounting needs an autoencoder: latents of a transcoder or a skip connection do not add up to the vector that they are \
                 read from"
                    .to_owned(),
            ));
        }
        if references.len() != train.classes || references.iter().any(|reference| reference.read.len() != sae.d_in()) {
            return Err(AblationError::Edit(format!(
                "{} references for {} classes and vectors of width {}",
                references.len(),
                train.classes,
                sae.d_in()
            )));
        }
        let alignment = Alignment::new(sae, &references);
        let partition = Partition::new(&side.train, train, &alignment, main, &config)?;
        let kinds = (0..train.classes).map(|c| partition.kinds(c, sae.d_sae())).collect();
        let mut accounting = Self {
            side,
            references,
            partition,
            config,
            alignment,
            kinds,
            centres: vec![Centre::default(); train.classes],
            train_classes: train.y.clone(),
            divisors: if sae.config().architecture.rescales() {
                sae.decoder_norms()
            } else {
                Vec::new()
            },
        };
        for class in 0..train.classes {
            accounting.centres[class] = accounting.centre(class);
        }
        accounting.centre_thresholds(train);
        Ok(accounting)
    }

    /// The groups of latents.
    #[must_use]
    pub fn partition(&self) -> &Partition {
        &self.partition
    }

    /// The references, one per class.
    #[must_use]
    pub fn references(&self) -> &[Reference] {
        &self.references
    }

    /// The SAE with its train words.
    #[must_use]
    pub fn side(&self) -> &'a SaeSide<'a> {
        self.side
    }

    /// `v . W_j` of a class and a latent: what one unit of the latent adds to the class's read.
    #[must_use]
    pub fn written(&self, class: usize, latent: u32) -> f64 {
        self.alignment.product[class][latent as usize]
    }

    /// Cosine of the class's read with the latent's decoder row.
    #[must_use]
    pub fn cosine(&self, class: usize, latent: u32) -> f64 {
        self.alignment.cosine(class, latent as usize)
    }

    /// Train words of a class.
    pub(super) fn own_rows(&self, class: usize) -> Vec<usize> {
        (0..self.train_classes.len())
            .filter(|&row| self.train_classes[row] == class)
            .collect()
    }

    /// Adds `weight` times what one unit of a latent adds to the vector.
    pub(super) fn add_row(&self, to: &mut [f64], latent: u32, weight: f64) {
        let divisor = self
            .divisors
            .get(latent as usize)
            .map_or(1.0, |norm| f64::from(norm.max(f32::MIN_POSITIVE)));
        let row = self.side.sae.decoder_row(latent as usize);
        to.iter_mut()
            .zip(&*row)
            .for_each(|(to, &w)| *to += weight * f64::from(w) / divisor);
    }

    /// Divides the read of `class` of some rows. The rule never sees the words' labels.
    ///
    /// # Shapes
    /// - `x`: `[n, d_model]`, `latents`: `n` rows, those of `x`
    /// - `rows`: which of them, repeats allowed
    ///
    /// # Errors
    /// Sizes disagree.
    pub fn words(&self, x: &[f32], latents: &SparseLatents, class: usize, rows: &[usize]) -> Result<Vec<WordRead>> {
        let d = self.side.sae.d_in();
        if latents.rows() * d != x.len() || rows.iter().any(|&row| row >= latents.rows()) || class >= self.kinds.len() {
            return Err(AblationError::Edit(format!(
                "the accounting of class {class} was given {} values and latents of {} rows",
                x.len(),
                latents.rows()
            )));
        }
        let own = self.own(class);
        let mut out = Vec::with_capacity(rows.len());
        for part in rows.chunks(WORDS_AT_ONCE) {
            let vectors: Vec<f32> = part
                .iter()
                .flat_map(|&row| &x[row * d..(row + 1) * d])
                .copied()
                .collect();
            let linear = self.unthresholded(&vectors, &own);
            for (at, &row) in part.iter().enumerate() {
                let linear = &linear[at * own.len()..(at + 1) * own.len()];
                out.push(self.word(&x[row * d..(row + 1) * d], latents, row, (class, &own, linear)));
            }
        }
        Ok(out)
    }

    /// Rows whose main latent fires with less than half of its usual share of the read while absorbers hold some of it.
    #[must_use]
    pub fn partially_absorbed(words: &[WordRead]) -> Vec<usize> {
        let share = |word: &WordRead| word.terms.main / word.excess;
        let usable = |word: &&WordRead| word.main_fires && word.excess > 0.0;
        let mut shares: Vec<f64> = words.iter().filter(usable).map(share).collect();
        shares.sort_by(f64::total_cmp);
        let Some(&median) = shares.get(shares.len() / 2) else {
            return Vec::new();
        };
        let partial = |word: &&WordRead| share(word) < 0.5 * median && word.terms.absorb + word.partial > 0.0;
        words
            .iter()
            .filter(usable)
            .filter(partial)
            .map(|word| word.row)
            .collect()
    }

    /// Main and split latents of a class.
    fn own(&self, class: usize) -> Vec<usize> {
        let groups = &self.partition.classes[class];
        groups
            .main
            .iter()
            .chain(&groups.split)
            .map(|&latent| latent as usize)
            .collect()
    }

    /// Latents without their threshold; empty where there is no threshold to remove.
    fn unthresholded(&self, x: &[f32], latents: &[usize]) -> Vec<f32> {
        if self.side.sae.config().architecture == Architecture::Standard {
            return vec![0.0; x.len() / self.side.sae.d_in() * latents.len()];
        }
        self.side.sae.unthresholded(x, latents)
    }

    fn word(
        &self,
        x: &[f32],
        latents: &SparseLatents,
        row: usize,
        (class, own, linear): (usize, &[usize], &[f32]),
    ) -> WordRead {
        let (centre, products) = (&self.centres[class], &self.alignment.product[class]);
        let scale = f64::from(contribution_scale(latents, row));
        let (mut main, mut split, mut candidates, mut diffuse) =
            (-centre.main, -centre.split, -centre.candidates, -centre.diffuse);
        let mut shared = -centre.shared;
        let mut main_fires = false;
        let (index, value) = latents.row(row);
        for (&latent, &z) in index.iter().zip(value) {
            let written = f64::from(z) * scale * products[latent as usize];
            match self.kinds[class][latent as usize] {
                Kind::Main => {
                    main += written;
                    main_fires |= z != 0.0;
                }
                Kind::Split => split += written,
                Kind::Candidate => candidates += written,
                Kind::Shared => shared += written,
                Kind::Diffuse => diffuse += written,
            }
        }
        let threshold = self.silent(latents, row, (class, own, linear)) - centre.threshold;
        diffuse += shared;
        let excess = self.references[class].excess(x);
        let dark = excess - main - split - candidates - diffuse - threshold;
        // A word that the reference does not read as the class at all has no letter to be absorbed.
        let carries = main + split;
        let absorbed = excess > 0.0 && carries < self.config.carried * excess;
        let partial = excess > 0.0 && !absorbed && carries < excess;
        WordRead {
            row,
            excess,
            terms: Terms {
                main,
                split,
                absorb: if absorbed { candidates } else { 0.0 },
                diffuse: if absorbed { diffuse } else { diffuse + candidates },
                threshold,
                dark,
            },
            partial: if partial { candidates } else { 0.0 },
            shared,
            main_fires,
            absorbed,
        }
    }

    /// What silent main and split latents would write without their threshold.
    fn silent(&self, latents: &SparseLatents, row: usize, (class, own, linear): (usize, &[usize], &[f32])) -> f64 {
        let scale = f64::from(contribution_scale(latents, row));
        let each = own.iter().zip(linear).map(|(&latent, &linear)| {
            if latents.get(row, latent as u32) == 0.0 {
                f64::from(linear) * scale * self.alignment.product[class][latent]
            } else {
                0.0
            }
        });
        each.sum()
    }

    /// Means of what groups write, from the means of the latents.
    fn centre(&self, class: usize) -> Centre {
        let mut centre = Centre::default();
        let means = self.side.off_mean(class).iter().zip(&self.alignment.product[class]);
        for ((mean, product), kind) in means.zip(&self.kinds[class]) {
            let slot = match kind {
                Kind::Main => &mut centre.main,
                Kind::Split => &mut centre.split,
                Kind::Candidate => &mut centre.candidates,
                Kind::Shared => &mut centre.shared,
                Kind::Diffuse => &mut centre.diffuse,
            };
            *slot += mean * product;
        }
        centre
    }

    /// Means of what silent latents would write, over train words of other classes.
    fn centre_thresholds(&mut self, train: &Labelled) {
        if self.side.sae.config().architecture == Architecture::Standard {
            return;
        }
        let lists: Vec<Vec<usize>> = (0..train.classes).map(|class| self.own(class)).collect();
        let all: Vec<usize> = lists.iter().flatten().copied().collect();
        let mut sums = vec![0.0; train.classes];
        for (part, x) in train.x.chunks(WORDS_AT_ONCE * train.d).enumerate() {
            let linear = self.unthresholded(x, &all);
            for at in 0..x.len() / train.d {
                let row = part * WORDS_AT_ONCE + at;
                let mut linear = &linear[at * all.len()..(at + 1) * all.len()];
                for (class, own) in lists.iter().enumerate() {
                    let (here, rest) = linear.split_at(own.len());
                    linear = rest;
                    if train.y[row] != class {
                        sums[class] += self.silent(&self.side.train, row, (class, own, here));
                    }
                }
            }
        }
        for (class, sum) in sums.into_iter().enumerate() {
            let others = train.y.iter().filter(|&&y| y != class).count().max(1);
            self.centres[class].threshold = sum / others as f64;
        }
    }
}

/// Shares of a class's read by destination, a ratio of sums over words; none where the words read no more than other classes'.
#[must_use]
pub fn shares(words: &[WordRead]) -> Option<Terms> {
    let total: f64 = words.iter().map(|word| word.excess).sum();
    if total <= 0.0 || !total.is_finite() {
        return None;
    }
    let sum = words.iter().fold(Terms::default(), |sum, word| sum.plus(word.terms));
    Some(sum.map(|term| term / total))
}
