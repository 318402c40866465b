//! Arms: named families of editors, one editor per letter.
//!
//! To add an arm, write a function here that returns an [`Arm`] and list it in the runner.

use rand::RngExt;
use sae::{Sae, SparseLatents};

use crate::directions::{Directions, Labelled, off_class_mean_of};
use crate::editor::{Editor, Reader, Term, norm};
use crate::error::{AblationError, Result};
use crate::select::contribution_scale;

/// A named editor family.
#[derive(Clone, Debug)]
pub struct Arm {
    /// Name as it stands in tables and records.
    pub name: String,
    /// Per draw (one for arms without randomness) and class, the editor.
    pub draws: Vec<Vec<Editor>>,
}

impl Arm {
    /// An arm without randomness.
    #[must_use]
    pub fn fixed(name: &str, editors: Vec<Editor>) -> Self {
        Self {
            name: name.to_owned(),
            draws: vec![editors],
        }
    }
}

/// Changes nothing; MS and O are 0.
#[must_use]
pub fn null(classes: usize) -> Arm {
    Arm::fixed("null", vec![Editor::Null; classes])
}

/// Replaces the vector by the mean of the other letters' words: MS is 1 by definition.
#[must_use]
pub fn full_site(directions: &Directions) -> Arm {
    let editors = directions
        .off_mean
        .iter()
        .map(|mean| Editor::FullSite { target: mean.clone() });
    Arm::fixed("full-site", editors.collect())
}

/// Rank-1 LEACE of each letter: the reference arm.
#[must_use]
pub fn leace_1(directions: &Directions, train: &Labelled) -> Arm {
    let editors = directions.leace.iter().enumerate().map(|(class, leace)| {
        let target = off_mean_read(&leace.reads, &leace.mu, train, class);
        Editor::linear(&leace.reads, &leace.mu, &leace.writes, target)
    });
    Arm::fixed("leace-1", editors.collect())
}

/// Joint LEACE of all letters: every letter coordinate goes to the other letters' mean.
#[must_use]
pub fn leace_joint(directions: &Directions, train: &Labelled) -> Arm {
    let leace = &directions.leace_joint;
    let d = leace.d;
    let pairs: Vec<(&[f64], &[f64])> = leace.reads.chunks_exact(d).zip(leace.writes.chunks_exact(d)).collect();
    let targets: Vec<Vec<f64>> = pairs
        .iter()
        .map(|(read, _)| off_mean_reads(read, &leace.mu, train))
        .collect();
    let editor = |class: usize| {
        let terms = pairs
            .iter()
            .zip(&targets)
            .map(|((r, w), t)| Term::linear(r, &leace.mu, w, t[class]));
        Editor::Terms {
            terms: terms.collect(),
            dose: 1.0,
        }
    };
    Arm::fixed(
        &format!("leace-{}", leace.rank),
        (0..train.classes).map(editor).collect(),
    )
}

/// Projection onto the logistic probe's weight: read and write are one vector.
#[must_use]
pub fn lr(directions: &Directions, train: &Labelled) -> Arm {
    Arm::fixed(
        "lr",
        (0..train.classes)
            .map(|c| projection(directions.lr.direction(c), train, c))
            .collect(),
    )
}

/// Projection onto the difference of class means.
#[must_use]
pub fn diff_mean(directions: &Directions, train: &Labelled) -> Arm {
    let rows = directions.diff.directions.chunks_exact(train.d);
    Arm::fixed(
        "diff-mean",
        rows.enumerate().map(|(c, v)| projection(v, train, c)).collect(),
    )
}

/// Random directions, as long per word as another arm's edit.
#[must_use]
pub fn random(control: &Arm, d: usize, draws: usize, seed: u64) -> Arm {
    let draw = |i: usize| -> Vec<Editor> {
        let mut rng = stats::seed::rng(seed, &format!("arms/random/{i}"));
        let editors = &control.draws[0];
        editors
            .iter()
            .map(|editor| {
                let mut direction: Vec<f64> = (0..d).map(|_| normal(&mut rng)).collect();
                let length = norm(&direction);
                for v in &mut direction {
                    *v /= length;
                }
                Editor::MatchedNorm {
                    direction,
                    control: Box::new(editor.clone()),
                }
            })
            .collect()
    };
    Arm {
        name: "random".to_owned(),
        draws: (0..draws).map(draw).collect(),
    }
}

/// A standard normal draw (Box-Muller).
fn normal(rng: &mut impl rand::Rng) -> f64 {
    let radius = (-2.0 * (1.0 - rng.random::<f64>()).ln()).sqrt();
    radius * (std::f64::consts::TAU * rng.random::<f64>()).cos()
}

fn projection(v: &[f64], train: &Labelled, class: usize) -> Editor {
    let square: f64 = v.iter().map(|v| v * v).sum();
    let read: Vec<f64> = v.iter().map(|v| v / square).collect();
    let zero = vec![0.0; v.len()];
    let target = off_mean_read(&read, &zero, train, class);
    Editor::linear(&read, &zero, v, target)
}

fn off_mean_reads(read: &[f64], mu: &[f64], train: &Labelled) -> Vec<f64> {
    let values = (0..train.n()).map(|i| {
        read.iter()
            .zip(train.row(i))
            .zip(mu)
            .map(|((r, &x), m)| r * (f64::from(x) - m))
            .sum::<f64>()
    });
    off_class_mean_of(values, &train.y, train.classes)
}

fn off_mean_read(read: &[f64], mu: &[f64], train: &Labelled, class: usize) -> f64 {
    off_mean_reads(read, mu, train)[class]
}

/// An SAE with everything that its arms need from the train words.
pub struct SaeSide<'a> {
    /// The autoencoder.
    pub sae: &'a Sae,
    /// Latents of the train words, one row each.
    pub train: SparseLatents,
    /// `E[z_j | y != c]`, `[classes][d_sae]`.
    off_mean: Vec<Vec<f64>>,
}

impl<'a> SaeSide<'a> {
    /// Encodes the train words and takes their off-class means.
    ///
    /// # Errors
    /// The SAE is of another width than the vectors.
    pub fn new(sae: &'a Sae, train: &Labelled) -> Result<Self> {
        if sae.d_in() != train.d {
            return Err(AblationError::Edit(format!(
                "the SAE reads vectors of width {}, the model's stream has width {}\nhint: choose an SAE that was trained on this model",
                sae.d_in(),
                train.d
            )));
        }
        let latents = sae.encode(&train.x);
        let width = latents.width();
        let mut sums = vec![vec![0.0; width]; train.classes];
        let mut counts = vec![0usize; train.classes];
        for i in 0..train.n() {
            counts[train.y[i]] += 1;
            let (index, value) = latents.row(i);
            let scale = contribution_scale(&latents, i);
            for (&j, &z) in index.iter().zip(value) {
                sums[train.y[i]][j as usize] += f64::from(z * scale);
            }
        }
        let total: Vec<f64> = (0..width).map(|j| sums.iter().map(|s| s[j]).sum()).collect();
        let off_mean = (0..train.classes)
            .map(|c| {
                let n = (train.n() - counts[c]).max(1) as f64;
                total.iter().zip(&sums[c]).map(|(all, own)| (all - own) / n).collect()
            })
            .collect();
        Ok(Self {
            sae,
            train: latents,
            off_mean,
        })
    }

    /// `E[z_j | y != class]` of every latent on train words, on the scale of the vector, `[d_sae]`.
    #[must_use]
    pub fn off_mean(&self, class: usize) -> &[f64] {
        &self.off_mean[class]
    }

    /// The editor that brings a set of latents to their off-class means.
    #[must_use]
    pub fn editor(&self, latents: &[u32], class: usize) -> Editor {
        let term = |&latent: &u32| Term {
            reader: Reader::Latent { latent },
            write: self
                .sae
                .decoder_row(latent as usize)
                .iter()
                .map(|&w| f64::from(w))
                .collect(),
            target: self.off_mean[class][latent as usize],
        };
        Editor::Terms {
            terms: latents.iter().map(term).collect(),
            dose: 1.0,
        }
    }

    /// An arm from one latent set per class.
    #[must_use]
    pub fn arm(&self, name: &str, sets: &[Vec<u32>]) -> Arm {
        Arm::fixed(
            name,
            sets.iter().enumerate().map(|(c, set)| self.editor(set, c)).collect(),
        )
    }

    /// Random latents that fire on a class's words about as often as the given one (the floor of
    /// "any active latent"): drawn among the ten nearest in firing rate on that class's train words.
    #[must_use]
    pub fn random_arm(&self, controls: &[Vec<u32>], train: &Labelled, draws: usize, seed: u64) -> Arm {
        let pools = self.random_pools(controls, &[], train);
        let draw = |i: usize| -> Vec<Editor> {
            let mut rng = stats::seed::rng(seed, &format!("arms/random-latents/{i}"));
            let pick = |(class, pool): (usize, &Vec<u32>)| match pool.len() {
                0 => Editor::Null,
                n => self.editor(&[pool[rng.random_range(0..n)]], class),
            };
            pools.iter().enumerate().map(pick).collect()
        };
        Arm {
            name: "sae:random".to_owned(),
            draws: (0..draws).map(draw).collect(),
        }
    }

    /// Per class, the ten latents whose firing rate on the class's train words is nearest to that of its control; the control
    /// itself and the latents of `excluded` are not among them. Empty where no other latent fires on the class.
    pub(crate) fn random_pools(&self, controls: &[Vec<u32>], excluded: &[u32], train: &Labelled) -> Vec<Vec<u32>> {
        let mut rates = vec![vec![0u32; self.train.width()]; train.classes];
        for i in 0..train.n() {
            for &latent in self.train.row(i).0 {
                rates[train.y[i]][latent as usize] += 1;
            }
        }
        controls
            .iter()
            .zip(&rates)
            .map(|(control, rates)| {
                let wanted = control.first().map_or(0, |&latent| rates[latent as usize]);
                let mut pool: Vec<u32> = (0..rates.len() as u32)
                    .filter(|j| !control.contains(j) && !excluded.contains(j) && rates[*j as usize] > 0)
                    .collect();
                pool.sort_by_key(|&j| (rates[j as usize].abs_diff(wanted), j));
                pool.truncate(10);
                pool
            })
            .collect()
    }
}
