//! The same editors at other sets of positions.
//!
//! Four sets: (a) the last token of the word, the site of all other results; (b) all tokens of the word, which is the same set for words
//! of one token, the only ones that the task has; (c) all tokens from the word on; (d) the answer position only. A [`Span`] is a
//! read-out whose "vector" is the vectors of the set side by side, so that the very code that measures the site measures a set: one
//! editor edits all of its positions at once, and the ceiling is recomputed, each position going to its own off-class mean.
//!
//! What stands at a position is fitted there: means and LEACE on the train words' vectors at that position, because the letter is
//! written in another direction at each (and the tokens behind the word are the same in every prompt, so that the word's own
//! mean means nothing there). An SAE's latents are the ones chosen at the word, with their off-class means at each position: an SAE
//! is one dictionary for every token, and choosing anew would change two things at once. Where the vectors of a position do not vary
//! over words, nothing can be read, and LEACE leaves the position alone.
//!
//! Deliberately absent: a search for the best position. Letting a dictionary choose its position is a source of variance between
//! dictionaries.

use std::ops::Range;

use linear_probe::{Leace, Moments, Shrinkage};
use sae::{Sae, SparseLatents};

use crate::arms::Arm;
use crate::directions::{Labelled, off_class_mean_of, off_class_means};
use crate::editor::{Editor, Reader, Term};
use crate::effects::{LetterLogits, pair_difference};
use crate::error::{AblationError, Result};
use crate::measure::Bench;
use crate::readout::{Captured, Readout};
use crate::select::contribution_scale;
use crate::stage::Capture;

/// Below this variance, in shares of the squared length of the mean, differences between words are rounding of f32.
const ROUNDING: f64 = 1e-10;

/// A named set of neighbouring positions, counted from the query word (0).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PositionSet {
    /// Name in tables.
    pub name: &'static str,
    /// The positions.
    pub positions: Range<usize>,
}

/// The sets for prompts with `positions` tokens from the word on, of words of one token.
#[must_use]
pub fn sets(positions: usize) -> Vec<PositionSet> {
    let set = |name, positions| PositionSet { name, positions };
    vec![
        set("last word token", 0..1),
        set("all word tokens", 0..1),
        set("from the word on", 0..positions),
        set("answer position", positions.saturating_sub(1)..positions),
    ]
}

/// Captured prompts, edited at a set of positions at once.
#[derive(Clone)]
pub struct Span<'a> {
    /// The prompts.
    pub captured: Captured<'a>,
    /// The positions.
    pub positions: Range<usize>,
}

impl Readout for Span<'_> {
    fn rows(&self) -> usize {
        self.captured.rows()
    }

    /// Width of all positions together.
    fn d(&self) -> usize {
        self.positions.len() * self.captured.d()
    }

    fn site(&self, row: usize) -> &[f32] {
        self.captured.capture.span(row, self.positions.clone())
    }

    fn set(&self, row: usize) -> u32 {
        self.captured.set(row)
    }

    fn edited_logits(&self, rows: &[usize], vectors: &[f32]) -> Result<Vec<LetterLogits>> {
        let Captured { stage, capture } = self.captured;
        stage.edited_logits_over(capture, self.positions.clone(), rows, vectors)
    }
}

/// What the train words say at each position.
pub struct PositionFits {
    d: usize,
    classes: usize,
    positions: Vec<PositionFit>,
}

struct PositionFit {
    train: Labelled,
    off_mean: Vec<Vec<f64>>,
    /// Per class; empty where the vectors do not vary.
    leace: Vec<(Leace, f64)>,
}

impl PositionFits {
    /// Fits every position of captured train words, whose classes are `y`.
    ///
    /// # Errors
    /// A class has no words, a value is not finite, or a fit fails.
    pub fn new(capture: &Capture, y: &[usize], classes: usize) -> Result<Self> {
        let d = capture.d();
        let positions = (0..capture.positions()).map(|position| {
            let train = Labelled {
                x: (0..capture.rows.len())
                    .flat_map(|row| capture.at(row, position).iter().copied())
                    .collect(),
                y: y.to_vec(),
                d,
                classes,
            };
            PositionFit::new(train)
        });
        Ok(Self {
            d,
            classes,
            positions: positions.collect::<Result<_>>()?,
        })
    }

    /// Positions whose vectors vary over words.
    #[must_use]
    pub fn varying(&self) -> Vec<usize> {
        (0..self.positions.len())
            .filter(|&p| !self.positions[p].leace.is_empty())
            .collect()
    }

    /// The ceiling: every position of a set to its off-class mean.
    #[must_use]
    pub fn full_site(&self, set: &PositionSet) -> Arm {
        let editor = |class: usize| Editor::FullSite {
            target: self
                .of(set)
                .flat_map(|(_, fit)| fit.off_mean[class].iter().copied())
                .collect(),
        };
        Arm::fixed("full-site", (0..self.classes).map(editor).collect())
    }

    /// Rank-1 LEACE of each position of a set.
    #[must_use]
    pub fn leace_1(&self, set: &PositionSet) -> Arm {
        let editor = |class: usize| {
            let terms = self.of(set).filter_map(|(at, fit)| {
                let (leace, target) = fit.leace.get(class)?;
                let wide = |values: &[f64]| self.padded(set, at, values);
                Some(Term::linear(
                    &wide(&leace.reads),
                    &wide(&leace.mu),
                    &wide(&leace.writes),
                    *target,
                ))
            });
            Editor::Terms {
                terms: terms.collect(),
                dose: 1.0,
            }
        };
        Arm::fixed("leace-1", (0..self.classes).map(editor).collect())
    }

    /// One latent set per class, at every position of a set. Its editors read [`span_latents`].
    ///
    /// # Errors
    /// The SAE is of another width than the vectors.
    pub fn sae_arm(&self, sae: &Sae, name: &str, latents: &[Vec<u32>], set: &PositionSet) -> Result<Arm> {
        if sae.d_in() != self.d || latents.len() != self.classes {
            return Err(AblationError::Edit(format!(
                "an SAE of width {} with {} latent sets for {} letters of vectors of width {}",
                sae.d_in(),
                latents.len(),
                self.classes,
                self.d
            )));
        }
        let mut terms: Vec<Vec<Term>> = vec![Vec::new(); self.classes];
        for (at, fit) in self.of(set) {
            let encoded = sae.encode(&fit.train.x);
            for (class, chosen) in latents.iter().enumerate() {
                for &latent in chosen {
                    let values = (0..encoded.rows())
                        .map(|row| f64::from(encoded.get(row, latent) * contribution_scale(&encoded, row)));
                    let decoder: Vec<f64> = sae.decoder_row(latent as usize).iter().map(|&w| f64::from(w)).collect();
                    terms[class].push(Term {
                        reader: Reader::Latent {
                            latent: (at * sae.d_sae()) as u32 + latent,
                        },
                        write: self.padded(set, at, &decoder),
                        target: off_class_mean_of(values, &fit.train.y, self.classes)[class],
                    });
                }
            }
        }
        let editors = terms.into_iter().map(|terms| Editor::Terms { terms, dose: 1.0 });
        Ok(Arm::fixed(name, editors.collect()))
    }

    /// The fits of a set's positions, each with its place in the set.
    fn of(&self, set: &PositionSet) -> impl Iterator<Item = (usize, &PositionFit)> {
        self.positions[set.positions.clone()].iter().enumerate()
    }

    /// Values of one position in a vector of all positions of the set.
    fn padded(&self, set: &PositionSet, at: usize, values: &[f64]) -> Vec<f64> {
        let mut out = vec![0.0; set.positions.len() * self.d];
        out[at * self.d..(at + 1) * self.d].copy_from_slice(values);
        out
    }
}

impl PositionFit {
    fn new(train: Labelled) -> Result<Self> {
        let moments = Moments::new(train.design()?, &train.labels()?)?;
        let variance: f64 = moments.covariance().iter().step_by(train.d + 1).sum();
        let length: f64 = moments.mean().iter().map(|m| m * m).sum();
        let erasers = if variance > ROUNDING * length {
            Leace::per_class(&moments, Shrinkage::LedoitWolf)?
        } else {
            Vec::new()
        };
        let target = |(class, leace): (usize, Leace)| {
            let reads = (0..train.n()).map(|row| leace.read(train.row(row))[0]);
            let target = off_class_mean_of(reads, &train.y, train.classes)[class];
            (leace, target)
        };
        Ok(Self {
            off_mean: off_class_means(&train),
            leace: erasers.into_iter().enumerate().map(target).collect(),
            train,
        })
    }
}

/// Latents of every position of a span side by side: latent `j` at place `p` of the set is `p d_sae + j`, on the scale of the vector.
#[must_use]
pub fn span_latents(sae: &Sae, span: &Span<'_>) -> SparseLatents {
    let (places, width) = (span.positions.len(), sae.d_sae());
    // Rows of `sites` are the positions of a prompt one after the other.
    let encoded = sae.encode(&span.sites());
    let (mut bounds, mut index, mut value) = (vec![0], Vec::new(), Vec::new());
    for row in 0..encoded.rows() {
        let (latents, values) = encoded.row(row);
        let scale = contribution_scale(&encoded, row);
        index.extend(latents.iter().map(|&j| ((row % places) * width) as u32 + j));
        value.extend(values.iter().map(|z| z * scale));
        if row % places + 1 == places {
            bounds.push(index.len());
        }
    }
    SparseLatents::new(places * width, bounds, index, value)
}

/// Share of the effect of really changing the word that goes through a set: per class, the effect of patching the whole set from
/// the donor's prompt over that of the donor's word, in sums; none where the words' answers do not differ.
#[must_use]
pub fn site_share(bench: &Bench<'_>) -> Vec<Option<f64>> {
    let (class_of, letters) = (bench.class_of(), bench.letters());
    let mut sums = vec![[0.0; 2]; letters.len()];
    for row in 0..bench.readout().rows() {
        let (Some(donor), Some(full)) = (bench.donor(row), bench.patched_full(row)) else {
            continue;
        };
        let (from, to) = (letters[class_of[row]], letters[class_of[donor]]);
        let difference = |logits| pair_difference(logits, from, to);
        let before = difference(&bench.clean()[row]);
        sums[class_of[row]][0] += difference(full) - before;
        sums[class_of[row]][1] += difference(&bench.clean()[donor]) - before;
    }
    sums.iter()
        .map(|&[patched, total]| (total > 0.0).then_some(patched / total))
        .collect()
}
