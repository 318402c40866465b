//! The gap of mediated shares, divided between reading and writing by edits.
//!
//! Two players, each either the reference's or the SAE's: who reads the word and who writes the change. `M11` is the reference, `M00` the
//! main latents; `M10` reads all and writes the main latents' decoder rows, scaled so that the read falls as far; `M01` reads the
//! main latents and writes the reference's direction. The parts are the Shapley values of two players:
//! `write = ((M01 - M00) + (M11 - M10)) / 2`, `read = ((M11 - M01) + (M10 - M00)) / 2`, and their sum is the gap exactly.
//!
//! All parts of the read move the word along the same line, so the read part divides in proportion to their amounts, word by
//! word, which are the Aumann-Shapley values for any effect along that line: `R_G / (r - t) D(R)`.
//!
//! Where a word's parts cancel, what is left of its read says nothing about them, and the ratio to it can be anything; there the
//! slope of the whole class stands for the word's.
//!
//! Deliberately absent: intervals over letters; [`ClassEffects::sums`] are the rows of a cluster bootstrap, and
//! [`GapTerms::of_sums`] its statistic.

use sae::SparseLatents;
use serde::{Deserialize, Serialize};

use super::line::{Change, along, falls};
use super::read::{Accounting, WordRead};
use super::reference::dot;
use super::terms::{GapTerms, READERS, scaled_to};
use crate::editor::norm;
use crate::effects::log_odds;
use crate::error::{AblationError, Result};
use crate::measure::{Bench, Pair};
use crate::score::MIN_CEILING;
use crate::select::contribution_scale;

/// Sums per word: full-site effect, `M11`, `M10`, `M01`, `M00`, the five parts of the read, and of its diffuse part what is
/// partly absorbed and what is shared.
pub const COLUMNS: usize = 12;

/// How many times as long as the reference's write the main latents' write may be to count as one: what moves the read only when it is
/// made longer still breaks the vector before it writes a letter.
pub const MOST_WRITE: f64 = 10.0;

/// A word's read must be at least this share of the sizes of its parts for its own slope to count.
const LEFT: f64 = 0.25;

/// Effects on one word of the class: falls of its letter log-odds, nats.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct WordEffects {
    /// The word's read, divided.
    pub read: WordRead,
    /// Log-odds before any edit, nats.
    pub before: f64,
    /// Full-site edit: the ceiling.
    pub full: f64,
    /// The reference's read and write: `M11`.
    pub reference: f64,
    /// The reference's read, the main latents' write: `M10`; not measured where it would be no write.
    pub sae_write: Option<f64>,
    /// The main latents' read, the reference's write: `M01`.
    pub main_read: f64,
    /// The main latents' read and write: `M00`.
    pub main: f64,
}

/// Whether the main latents' write can stand in for the reference's.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WriteOrder {
    /// Both orders of changing read and write were measured.
    Both {
        /// Length of the main latents' write over the reference's, both scaled to move the read by one.
        length: f64,
    },
    /// There is no main latent.
    NoMain,
    /// The main latents hardly write along the read, or against it: only the order "read first, write then" was measured.
    NoWrite {
        /// Cosine of their write with the read.
        cosine: f64,
    },
}

/// Effects on all words of a class.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClassEffects {
    /// The class.
    pub class: usize,
    /// Its words, in the order of the evaluation's pairs.
    pub words: Vec<WordEffects>,
    /// How read and write were separated.
    pub order: WriteOrder,
}

/// Measures the edits on every class's own words. `latents`: those of the readout's rows.
///
/// # Errors
/// Sizes disagree, or the model refuses a run.
pub fn measure_effects(
    bench: &Bench<'_>,
    accounting: &Accounting<'_>,
    latents: &SparseLatents,
) -> Result<Vec<ClassEffects>> {
    let classes = accounting.references().len();
    if bench.letters().len() != classes {
        return Err(AblationError::Edit(format!(
            "an accounting of {classes} classes for an evaluation of {}",
            bench.letters().len()
        )));
    }
    let x = bench.readout().sites();
    let (mut out, mut writes) = (Vec::with_capacity(classes), Vec::with_capacity(classes));
    for class in 0..classes {
        let own = || {
            bench
                .pairs()
                .iter()
                .enumerate()
                .filter(|(_, pair)| pair.on && pair.class == class)
        };
        let rows: Vec<usize> = own().map(|(_, pair)| pair.row).collect();
        let reads = accounting.words(&x, latents, class, &rows)?;
        let (order, write) = accounting.main_write(class);
        let letter = bench.letters()[class];
        let word = |((at, pair), read): ((usize, &Pair), WordRead)| {
            let before = log_odds(&bench.clean()[pair.row], letter);
            WordEffects {
                read,
                before,
                full: before - log_odds(&bench.full()[at], letter),
                reference: 0.0,
                sae_write: write.as_ref().map(|_| 0.0),
                main_read: 0.0,
                main: 0.0,
            }
        };
        out.push(ClassEffects {
            class,
            words: own().zip(reads).map(word).collect(),
            order,
        });
        writes.push(write);
    }
    // Made as they are run: all of them together would take as much memory as a large SAE.
    let changes = out.iter().zip(&writes).flat_map(|(effects, write)| {
        let class = effects.class;
        let (letter, direction) = (bench.letters()[class], &accounting.references()[class].write);
        effects.words.iter().flat_map(move |word| {
            let row = word.read.row;
            let deltas = [
                Some(along(direction, word.read.excess)),
                Some(along(direction, word.read.terms.main)),
                Some(accounting.main_change(class, latents, row)),
                write.as_ref().map(|write| along(write, word.read.excess)),
            ];
            deltas
                .into_iter()
                .flatten()
                .map(move |delta| Change { row, letter, delta })
        })
    });
    let mut measured = falls(bench.readout(), bench.clean(), changes)?.into_iter();
    let mut next = || {
        measured
            .next()
            .ok_or_else(|| AblationError::Edit("the model answered fewer edits than it was given".to_owned()))
    };
    for word in out.iter_mut().flat_map(|class| &mut class.words) {
        word.reference = next()?;
        word.main_read = next()?;
        word.main = next()?;
        if let Some(effect) = &mut word.sae_write {
            *effect = next()?;
        }
    }
    Ok(out)
}

impl ClassEffects {
    /// Whether the full-site edit removes enough of the class's log-odds for shares of it to mean something: the rule of the scores.
    #[must_use]
    pub fn identified(&self) -> bool {
        let full: f64 = self.words.iter().map(|word| word.full).sum();
        let before: f64 = self.words.iter().map(|word| word.before).sum();
        full > 0.0 && full >= MIN_CEILING * before
    }

    /// The same effects with the reads divided by another rule; the edits of main latents and reference do not change with it.
    ///
    /// # Errors
    /// Sizes disagree.
    pub fn divided_by(&self, accounting: &Accounting<'_>, x: &[f32], latents: &SparseLatents) -> Result<Self> {
        let rows: Vec<usize> = self.words.iter().map(|word| word.read.row).collect();
        let reads = accounting.words(x, latents, self.class, &rows)?;
        let words = self
            .words
            .iter()
            .zip(reads)
            .map(|(word, read)| WordEffects { read, ..*word });
        Ok(Self {
            words: words.collect(),
            ..self.clone()
        })
    }

    /// One row of sums per word.
    #[must_use]
    pub fn sums(&self) -> Vec<[f64; COLUMNS]> {
        let sum = |of: fn(&WordEffects) -> f64| self.words.iter().map(of).sum::<f64>();
        let (effect, read) = (sum(|word| word.reference), sum(|word| word.read.excess));
        let slope = if read > 0.0 { effect / read } else { 0.0 };
        self.words.iter().map(|word| word.sums(slope)).collect()
    }

    /// The divided gap; none where the class is not identified.
    #[must_use]
    pub fn terms(&self) -> Option<GapTerms> {
        let total = self
            .sums()
            .iter()
            .fold([0.0; COLUMNS], |sum, row| std::array::from_fn(|i| sum[i] + row[i]));
        GapTerms::of_sums(&total).filter(|_| self.identified())
    }
}

impl WordEffects {
    /// Aumann-Shapley values of the five parts of the read, and of what is partly absorbed and shared, nats. `class_slope`: nats per
    /// unit of the read over the class.
    fn shares(&self, class_slope: f64) -> ([f64; READERS], [f64; 2]) {
        let terms = self.read.terms;
        let parts = [terms.split, terms.absorb, terms.diffuse, terms.threshold, terms.dark];
        let size: f64 = parts.iter().map(|part| part.abs()).sum::<f64>() + terms.main.abs();
        let slope = if self.read.excess.abs() < LEFT * size {
            class_slope
        } else if size > 0.0 {
            self.reference / self.read.excess
        } else {
            0.0
        };
        (
            parts.map(|part| part * slope),
            [self.read.partial * slope, self.read.shared * slope],
        )
    }

    fn sums(&self, class_slope: f64) -> [f64; COLUMNS] {
        let ([split, absorb, diffuse, threshold, dark], [partial, shared]) = self.shares(class_slope);
        // Without the second order the two players are taken not to interact, which leaves the first.
        let sae_write = self.sae_write.unwrap_or(self.reference - self.main_read + self.main);
        [
            self.full,
            self.reference,
            sae_write,
            self.main_read,
            self.main,
            split,
            absorb,
            diffuse,
            threshold,
            dark,
            partial,
            shared,
        ]
    }
}

impl GapTerms {
    /// The divided gap from sums over words; none where the full-site edit does nothing.
    #[must_use]
    pub fn of_sums(sums: &[f64; COLUMNS]) -> Option<Self> {
        if sums[0] <= 0.0 {
            return None;
        }
        let shares = sums.map(|sum| sum / sums[0]);
        let [_, m11, m10, m01, m00, parts @ .., partial, shared] = shares;
        let write = f64::midpoint(m01 - m00, m11 - m10);
        let read = f64::midpoint(m11 - m01, m10 - m00);
        let [split, absorb, diffuse, threshold, dark] = scaled_to(parts, read);
        // What is a part of `diffuse` is scaled with it.
        let of_diffuse = |part: f64| {
            if parts[2] == 0.0 {
                part
            } else {
                part * diffuse / parts[2]
            }
        };
        Some(Self {
            total: m11 - m00,
            read,
            write,
            split,
            absorb,
            diffuse,
            threshold,
            dark,
            ceiling: 1.0 - m11,
            partial: of_diffuse(partial),
            shared: of_diffuse(shared),
        })
    }
}

impl Accounting<'_> {
    /// What the main latents write when they move the read by one, `[d_model]`.
    pub(super) fn main_write(&self, class: usize) -> (WriteOrder, Option<Vec<f64>>) {
        let reference = &self.references()[class];
        let main = &self.partition().classes[class].main;
        let mut write = vec![0.0; reference.read.len()];
        // Several main latents write together what they write on the class's words; one latent writes its row whatever its weight.
        for &latent in main {
            let weight = if main.len() == 1 {
                1.0
            } else {
                self.own_excess(class, latent)
            };
            self.add_row(&mut write, latent, weight);
        }
        if norm(&write) <= 0.0 {
            return (WriteOrder::NoMain, None);
        }
        let product = dot(&reference.read, &write);
        let length = norm(&write) / product / norm(&reference.write);
        if product <= 0.0 || length > MOST_WRITE {
            let cosine = product / norm(&write) / norm(&reference.read);
            return (WriteOrder::NoWrite { cosine }, None);
        }
        let unit = write.iter().map(|w| w / product).collect();
        (WriteOrder::Both { length }, Some(unit))
    }

    /// What the editor of the main latents adds to a row's vector, `[d_model]`.
    pub(super) fn main_change(&self, class: usize, latents: &SparseLatents, row: usize) -> Vec<f64> {
        let mut delta = vec![0.0; self.side().sae.d_out()];
        for &latent in &self.partition().classes[class].main {
            self.add_row(&mut delta, latent, -self.latent_excess(class, latents, row, latent));
        }
        delta
    }

    /// How far a latent is from its mean over other classes' train words, on the scale of the vector.
    pub(super) fn latent_excess(&self, class: usize, latents: &SparseLatents, row: usize, latent: u32) -> f64 {
        f64::from(latents.get(row, latent) * contribution_scale(latents, row))
            - self.side().off_mean(class)[latent as usize]
    }

    /// Mean of that over the class's train words.
    fn own_excess(&self, class: usize, latent: u32) -> f64 {
        let rows = self.own_rows(class);
        let train = &self.side().train;
        let sum: f64 = rows
            .iter()
            .map(|&row| self.latent_excess(class, train, row, latent))
            .sum();
        sum / rows.len().max(1) as f64
    }
}
