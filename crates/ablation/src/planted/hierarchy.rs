//! Many sparse features in trees, after `SynthSAEBench` (2026), scaled down.
//!
//! Roots fire by a Zipf law and are the letters; a node that fires passes on to at most one of its children, so that the leaves of a
//! tree exclude each other and are its words. Besides these there are loose features whose firing is correlated through a few
//! common factors. Directions are superposed unit vectors, magnitudes vary around 1. Autoencoders trained on such vectors split and
//! absorb for the reasons that real ones do, and the true dictionary is known.
//!
//! Words that are scored have one letter, a leaf of its tree, and loose features; leaves are divided between the two sides of a
//! world, so that scored words are new.
//!
//! Deliberately absent: the exact rates of the 16,384-feature benchmark, and directions optimised to be less superposed; here roots
//! are orthogonal to each other, so that the truth about letters is well defined.

use rand::{Rng, RngExt};
use sae::Sae;

use super::draw::{add, normal, orthonormal, unit};
use super::{Dictionary, Head, Outcome, World};
use crate::directions::Labelled;
use crate::error::{AblationError, Result};

/// Children of a node.
const BRANCHING: usize = 3;
/// Levels under a root.
const DEPTH: usize = 3;
/// Nodes of a tree: 1 + 3 + 9 + 27.
const NODES: usize = 40;
/// Leaves of a tree.
const LEAVES: usize = 27;
/// Leaves of each tree whose words are scored.
const SCORED_LEAVES: usize = 9;
/// Common factors behind the loose features.
const FACTORS: usize = 8;
/// Weight of the common factors in a loose feature's propensity.
const COMMON: f64 = 0.4;
/// Expected number of trees that fire in a row of the corpus.
const TREES_AT_ONCE: f64 = 1.5;
/// Exponent of the roots' Zipf law.
const ZIPF: f64 = 0.5;
/// Share of firing nodes that pass on to a child, in the corpus.
const DESCENT: f64 = 0.85;
/// Rate of a loose feature.
const LOOSE_RATE: f64 = 0.04;

/// Size of a hierarchy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hierarchy {
    /// Trees: letters, at most 26.
    pub trees: usize,
    /// Features in no tree.
    pub loose: usize,
    /// Width of the vectors.
    pub d: usize,
    /// Words per leaf, each with loose features of its own.
    pub words_per_leaf: usize,
}

/// The features and a world of words.
pub struct Features {
    size: Hierarchy,
    /// `[trees * NODES + loose]` of `[d]`: tree after tree, roots first, level by level, then loose ones.
    directions: Vec<Vec<f64>>,
    /// Loadings of the loose features on the common factors, `[loose]` of `[FACTORS]`.
    loadings: Vec<Vec<f64>>,
    /// Words with letters.
    pub world: World,
}

impl Hierarchy {
    /// 1,024 features: 24 trees of 40 and 64 loose ones, in 256 dimensions.
    #[must_use]
    pub fn small() -> Self {
        Self {
            trees: 24,
            loose: 64,
            d: 256,
            words_per_leaf: 2,
        }
    }

    /// Draws the directions and a world of words.
    ///
    /// # Errors
    /// No trees, more than the alphabet has letters, or more than dimensions.
    pub fn plant(self, seed: u64) -> Result<Features> {
        if self.trees < 2 || self.trees > 26 || self.trees > self.d {
            return Err(AblationError::Edit(format!(
                "a hierarchy has 2 to 26 trees and at least as many dimensions, not {} in {}",
                self.trees, self.d
            )));
        }
        let mut rng = stats::seed::rng(seed, "planted/hierarchy/directions");
        let roots = orthonormal(self.trees, self.d, &mut rng);
        let mut directions = Vec::with_capacity(self.trees * NODES + self.loose);
        for root in &roots {
            directions.push(root.clone());
            directions.extend((1..NODES).map(|_| unit(self.d, &mut rng)));
        }
        directions.extend((0..self.loose).map(|_| unit(self.d, &mut rng)));
        let loadings = (0..self.loose).map(|_| unit(FACTORS, &mut rng)).collect();
        let head = Head::new(&roots, 8.0, Outcome::Softmax);
        let empty = || Labelled {
            x: Vec::new(),
            y: Vec::new(),
            d: self.d,
            classes: self.trees,
        };
        let mut features = Features {
            size: self,
            directions,
            loadings,
            world: World {
                train: empty(),
                test: empty(),
                head,
            },
        };
        let mut rng = stats::seed::rng(seed, "planted/hierarchy/words");
        for tree in 0..self.trees {
            for leaf in 0..LEAVES {
                for _ in 0..self.words_per_leaf {
                    let x = features.word(tree, leaf, &mut rng);
                    let world = &mut features.world;
                    let side = if leaf < LEAVES - SCORED_LEAVES {
                        &mut world.train
                    } else {
                        &mut world.test
                    };
                    side.x.extend(x);
                    side.y.push(tree);
                }
            }
        }
        Ok(features)
    }
}

/// Nodes from the root to a leaf, as indices within the tree.
fn path(leaf: usize) -> [usize; DEPTH + 1] {
    let mut out = [0; DEPTH + 1];
    let (mut start, mut width, mut per) = (1, BRANCHING, LEAVES / BRANCHING);
    for node in &mut out[1..] {
        *node = start + leaf / per;
        start += width;
        width *= BRANCHING;
        per = (per / BRANCHING).max(1);
    }
    out
}

impl Features {
    /// Number of features.
    #[must_use]
    pub fn count(&self) -> usize {
        self.directions.len()
    }

    /// Rows as an autoencoder is trained on, `[rows, d]`.
    #[must_use]
    pub fn corpus(&self, rows: usize, seed: u64) -> Vec<f32> {
        let mut rng = stats::seed::rng(seed, "planted/hierarchy/corpus");
        let zipf: Vec<f64> = (0..self.size.trees).map(|t| (t as f64 + 1.0).powf(-ZIPF)).collect();
        let sum: f64 = zipf.iter().sum();
        let mut out = Vec::with_capacity(rows * self.size.d);
        for _ in 0..rows {
            let mut x = vec![0.0; self.size.d];
            for (tree, weight) in zipf.iter().enumerate() {
                if rng.random::<f64>() >= (TREES_AT_ONCE * weight / sum).min(1.0) {
                    continue;
                }
                let nodes = path(rng.random_range(0..LEAVES));
                for (level, node) in nodes.into_iter().enumerate() {
                    if level > 0 && rng.random::<f64>() >= DESCENT {
                        break;
                    }
                    add(&mut x, &self.directions[tree * NODES + node], magnitude(&mut rng));
                }
            }
            self.add_loose(&mut x, &mut rng);
            out.extend(x.iter().map(|&v| v as f32));
        }
        out
    }

    fn word(&self, tree: usize, leaf: usize, rng: &mut impl Rng) -> Vec<f32> {
        let mut x = vec![0.0; self.size.d];
        for node in path(leaf) {
            add(&mut x, &self.directions[tree * NODES + node], magnitude(rng));
        }
        self.add_loose(&mut x, rng);
        x.iter().map(|&v| v as f32).collect()
    }

    /// Loose features that fire: a Gaussian propensity of common factors and their own part, cut at the rate's quantile.
    fn add_loose(&self, x: &mut [f64], rng: &mut impl Rng) {
        // The upper 4 % of a standard normal.
        const CUT: f64 = 1.750_686;
        let factors: Vec<f64> = (0..FACTORS).map(|_| normal(rng)).collect();
        debug_assert!((LOOSE_RATE - 0.04).abs() < 1e-9, "the cut is that of this rate");
        let first = self.size.trees * NODES;
        for (i, loading) in self.loadings.iter().enumerate() {
            let common = super::draw::dot(loading, &factors);
            if COMMON.sqrt() * common + (1.0 - COMMON).sqrt() * normal(rng) > CUT {
                add(x, &self.directions[first + i], magnitude(rng));
            }
        }
    }

    /// The true dictionary: every feature reads and writes its own direction, above a threshold of one half.
    ///
    /// # Errors
    /// There are no features.
    pub fn oracle(&self) -> Result<Sae> {
        let mut dictionary = Dictionary::new(self.size.d);
        for direction in &self.directions {
            dictionary.push(direction.clone(), 0.0, 0.5, direction.clone());
        }
        dictionary.build()
    }
}

/// Magnitude of a feature that fires.
fn magnitude(rng: &mut impl Rng) -> f64 {
    (1.0 + 0.15 * normal(rng)).max(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_lead_from_the_root_to_every_leaf() {
        assert_eq!(path(0), [0, 1, 4, 13]);
        assert_eq!(path(26), [0, 3, 12, 39]);
        assert_eq!(path(13), [0, 2, 8, 26]);
        let mut leaves: Vec<usize> = (0..LEAVES).map(|leaf| path(leaf)[3]).collect();
        leaves.dedup();
        assert_eq!(leaves.len(), LEAVES);
    }
}
