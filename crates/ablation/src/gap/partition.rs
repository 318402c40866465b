//! Which latents are main, split, absorbing or none of these, by a rule that was fixed before any result was seen.
//!
//! For a class, on train words: the precision of a latent is the share of the class among the words on which it fires, its coverage
//! the share of the class's words on which it fires. A latent is
//! - main where it was given as such;
//! - split if it is precise and covers some of the class, two words at least: a broad sub-class;
//! - a candidate absorber if it covers next to nothing of the class (often one word) and writes along the reference's read.
//!   It counts as absorbing on those words only where main and split latents together carry little of the read;
//! - diffuse otherwise.
//!
//! Candidates need not fire on any train word: an absorber of a held-out word may have been silent on all others.

use sae::SparseLatents;
use serde::{Deserialize, Serialize};

use super::alignment::Alignment;
use crate::directions::Labelled;
use crate::error::{AblationError, Result};

/// A latent of one word is of no sub-class, however few words the class has.
const SUB_CLASS: f64 = 2.0;

/// Limits of the partition rule.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Config {
    /// Least precision of a split latent, share.
    pub precision: f64,
    /// Least coverage of a split latent; a candidate absorber has less. Share.
    pub coverage: f64,
    /// Least cosine of an absorber's write with the reference's read.
    pub cosine: f64,
    /// A word counts as absorbed where main and split latents carry less than this share of its read. With 1 every shortfall
    /// counts, so that partial absorption is absorption.
    pub carried: f64,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            precision: 0.8,
            coverage: 0.03,
            cosine: 0.1,
            carried: 0.5,
        }
    }
}

/// Latents of one class, each list ascending. All others are diffuse, as are the shared ones.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Groups {
    /// Main latents: one, as a rule; none where no latent classifies.
    pub main: Vec<u32>,
    /// Latents of broad sub-classes.
    pub split: Vec<u32>,
    /// Candidate absorbers.
    pub absorb: Vec<u32>,
    /// Of the diffuse ones, those that cover as much of the class as a split latent and are not precise: they stand for something that
    /// words of several classes share.
    pub shared: Vec<u32>,
}

/// Groups of all classes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Partition {
    /// `[classes]`.
    pub classes: Vec<Groups>,
}

/// Where a latent belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Main,
    Split,
    Candidate,
    /// Diffuse, and it fires on as much of the class as a split latent would.
    Shared,
    Diffuse,
}

impl Partition {
    /// Applies the rule on train words. `main`: main latents of each class.
    pub(super) fn new(
        latents: &SparseLatents,
        train: &Labelled,
        alignment: &Alignment,
        main: &[Vec<u32>],
        config: &Config,
    ) -> Result<Self> {
        let width = latents.width();
        if latents.rows() != train.n() || main.len() != train.classes {
            return Err(AblationError::Edit(format!(
                "latents of {} words and main latents of {} classes for {} words and {} classes",
                latents.rows(),
                main.len(),
                train.n(),
                train.classes
            )));
        }
        if let Some(&latent) = main.iter().flatten().find(|&&latent| latent as usize >= width) {
            return Err(AblationError::Edit(format!("main latent {latent} of {width}")));
        }
        let firing = Firing::new(latents, train);
        let classes = main
            .iter()
            .enumerate()
            .map(|(class, main)| {
                let mut groups = Groups {
                    main: main.clone(),
                    ..Groups::default()
                };
                groups.main.sort_unstable();
                groups.main.dedup();
                let words = firing.words[class].max(1) as f64;
                for latent in 0..width {
                    if groups.main.binary_search(&(latent as u32)).is_ok() {
                        continue;
                    }
                    let own = f64::from(firing.own[class][latent]);
                    let coverage = own / words;
                    if coverage >= config.coverage && own >= SUB_CLASS {
                        if own >= config.precision * f64::from(firing.all[latent]) {
                            groups.split.push(latent as u32);
                        } else {
                            groups.shared.push(latent as u32);
                        }
                    } else if alignment.cosine(class, latent) * firing.sign(latent) >= config.cosine {
                        groups.absorb.push(latent as u32);
                    }
                }
                groups
            })
            .collect();
        Ok(Self { classes })
    }

    /// The group of every latent for one class, `[width]`.
    pub(super) fn kinds(&self, class: usize, width: usize) -> Vec<Kind> {
        let mut kinds = vec![Kind::Diffuse; width];
        let groups = &self.classes[class];
        for (list, kind) in [
            (&groups.shared, Kind::Shared),
            (&groups.absorb, Kind::Candidate),
            (&groups.split, Kind::Split),
            (&groups.main, Kind::Main),
        ] {
            for &latent in list {
                kinds[latent as usize] = kind;
            }
        }
        kinds
    }
}

/// How often latents fire on train words.
struct Firing {
    /// `[classes][width]`.
    own: Vec<Vec<u32>>,
    /// `[width]`.
    all: Vec<u32>,
    /// Words of each class.
    words: Vec<usize>,
    /// Sum of each latent's activations, `[width]`: negative for one that a signed SAE uses downwards.
    total: Vec<f64>,
}

impl Firing {
    fn new(latents: &SparseLatents, train: &Labelled) -> Self {
        let width = latents.width();
        let mut firing = Self {
            own: vec![vec![0; width]; train.classes],
            all: vec![0; width],
            words: vec![0; train.classes],
            total: vec![0.0; width],
        };
        for row in 0..train.n() {
            let class = train.y[row];
            firing.words[class] += 1;
            let (index, value) = latents.row(row);
            for (&latent, &value) in index.iter().zip(value).filter(|(_, value)| **value != 0.0) {
                firing.own[class][latent as usize] += 1;
                firing.all[latent as usize] += 1;
                firing.total[latent as usize] += f64::from(value);
            }
        }
        firing
    }

    fn sign(&self, latent: usize) -> f64 {
        if self.total[latent] < 0.0 { -1.0 } else { 1.0 }
    }
}
