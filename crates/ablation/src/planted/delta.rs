//! The family between no and full absorption (Chanin et al. 2025, appendix A.2), as words of a letter.
//!
//! A letter's words carry the parent feature `f`; a share of them carries a child feature too. The parent's latent reads
//! `f - delta * (all children)`, a child's latent reads the child and writes `child + delta f`: reconstruction is perfect for
//! every delta, and the share of the letter that the children's latents write is `delta p11 / (p11 + p10)`, exactly.
//!
//! The closed form needs words of which nothing but the parent tells the letter, so the words of the two other letters have no
//! parent, only unrelated features.
//!
//! Deliberately absent: training ([`sae::toy`] has it) and noise.

use sae::Sae;

use super::draw::{add, orthonormal};
use super::{Dictionary, Head, Outcome, World};
use crate::directions::Labelled;
use crate::error::{AblationError, Result};

/// Width of the vectors.
const D: usize = 64;
/// Letters: the one with the parent and two others, so that replacing a word by the mean of another letter's means something.
const LETTERS: usize = 3;
/// Unrelated features of the words of each other letter.
const OTHERS: usize = 4;
/// Threshold of every latent: what orthogonal features read of each other in f32 must not count as firing.
const ROUNDING: f64 = 1e-4;

/// Settings of the family.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Family {
    /// Words of the letter that have the parent alone, of `words`.
    pub alone: usize,
    /// Words of the letter.
    pub words: usize,
    /// Child features, which share the other words evenly. With one, its latent fires on many of the letter's words; with many,
    /// on few each, as absorbing latents of single words do.
    pub children: usize,
}

/// One member of the family.
pub struct Member {
    /// Words: class 0 has the parent, the others have not.
    pub world: World,
    /// The autoencoder.
    pub sae: Sae,
    /// What tells the letters apart, `[3]` of `[d]`: the parent, and the sums of the other letters' features.
    pub letters: Vec<Vec<f64>>,
    /// The parent's latent.
    pub main: u32,
    /// The children's latents.
    pub absorbing: Vec<u32>,
    /// Share of the letter that the children's latents write: `delta p11 / (p11 + p10)`.
    pub absorbed: f64,
    /// Share of the letter that LEACE reads from the parent. Words of the other letters always have one of `n` features, so their
    /// absence tells the letter as surely as the parent does; of two sure signs the shortest read takes `n` parts from the parent
    /// and one from the absence.
    pub read_by_leace: f64,
}

impl Family {
    /// The member at `delta` in `[0, 1]`.
    ///
    /// # Errors
    /// No child, more words alone than words, or more features than the vectors have room for.
    pub fn member(&self, delta: f64, seed: u64) -> Result<Member> {
        let features = 1 + self.children + (LETTERS - 1) * OTHERS;
        if self.children == 0 || self.alone > self.words || features > D {
            return Err(AblationError::Edit(format!(
                "the family needs a child, no more words alone than words, and at most {D} features: {self:?}"
            )));
        }
        let basis = orthonormal(features, D, &mut stats::seed::rng(seed, "planted/delta"));
        let (parent, rest) = basis.split_at(1);
        let parent = parent[0].clone();
        let (children, others) = rest.split_at(self.children);
        let mut words = Labelled {
            x: Vec::new(),
            y: Vec::new(),
            d: D,
            classes: LETTERS,
        };
        let mut push = |v: &[f64], class: usize| {
            words.x.extend(v.iter().map(|&v| v as f32));
            words.y.push(class);
        };
        for word in 0..self.words {
            let mut v = parent.clone();
            if word >= self.alone {
                add(&mut v, &children[(word - self.alone) % children.len()], 1.0);
            }
            push(&v, 0);
        }
        let mut letters = vec![parent.clone()];
        for (at, own) in others.chunks_exact(OTHERS).enumerate() {
            for word in 0..self.words {
                push(&own[word % OTHERS], 1 + at);
            }
            let mut letter = vec![0.0; D];
            for feature in own {
                add(&mut letter, feature, 1.0);
            }
            letters.push(letter);
        }
        let mut dictionary = Dictionary::new(D);
        let mut reads = parent.clone();
        for child in children {
            add(&mut reads, child, -delta);
        }
        let main = dictionary.push(reads, 0.0, ROUNDING, parent.clone());
        let absorbing = children
            .iter()
            .map(|child| {
                let mut writes = child.clone();
                add(&mut writes, &parent, delta);
                dictionary.push(child.clone(), 0.0, ROUNDING, writes)
            })
            .collect();
        for other in others {
            dictionary.push(other.clone(), 0.0, ROUNDING, other.clone());
        }
        Ok(Member {
            world: World {
                train: words.clone(),
                test: words,
                head: Head::new(&letters, 8.0, Outcome::Linear),
            },
            sae: dictionary.build()?,
            letters,
            main,
            absorbing,
            read_by_leace: {
                let n = ((LETTERS - 1) * OTHERS) as f64;
                n / (n + 1.0)
            },
            absorbed: delta * (self.words - self.alone) as f64 / self.words as f64,
        })
    }
}
