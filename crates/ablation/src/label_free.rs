//! Editors that are one for all letters: what a set of 26 latents, or a span of 26 directions, mediates of spelling at large.
//!
//! Such an editor is not told which letter to remove. It is applied to every word and takes out whatever letter is there, so words
//! of other letters are targets too: the damage share `O` counts what it is meant to do, and only its mediated share is
//! a score.
//!
//! Deliberately absent: how specific such an edit is, which needs tasks other than the letter.

use rand::RngExt;

use crate::arms::{Arm, SaeSide};
use crate::directions::{Directions, Labelled};
use crate::editor::{Editor, Reader, Term, norm};

/// A vector of which the directions before it leave less than this share has no direction of its own.
const PARALLEL: f64 = 1e-6;

/// Joint LEACE with every letter coordinate brought to its mean over all words.
#[must_use]
pub fn leace_span(directions: &Directions, classes: usize) -> Arm {
    let leace = &directions.leace_joint;
    let pairs = leace
        .reads
        .chunks_exact(leace.d)
        .zip(leace.writes.chunks_exact(leace.d));
    // The reads are of `x - mu`: their mean over all train words is 0.
    let terms = pairs.map(|(read, write)| Term::linear(read, &leace.mu, write, 0.0));
    for_all("leace-25u", terms.collect(), classes)
}

/// Projects out the span of all letters' logistic probes; what lay in it becomes the mean over all train words.
#[must_use]
pub fn lr_span(directions: &Directions, train: &Labelled) -> Arm {
    let mut mean = vec![0.0; train.d];
    for i in 0..train.n() {
        for (mean, &x) in mean.iter_mut().zip(train.row(i)) {
            *mean += f64::from(x) / train.n() as f64;
        }
    }
    let weights = (0..train.classes).map(|class| directions.lr.direction(class).to_vec());
    let basis = orthonormal(weights);
    let terms = basis.iter().map(|v| Term::linear(v, &mean, v, 0.0));
    for_all("lr-span", terms.collect(), train.classes)
}

/// Sets every latent of any of the sets to zero, whatever the word.
#[must_use]
pub fn union_of(side: &SaeSide<'_>, name: &str, sets: &[Vec<u32>]) -> Arm {
    for_all(name, zeroed(side, &union(sets)), sets.len())
}

/// As [`union_of`] with as many random latents: for each set one of the ten nearest on its letter's words to the set's first
/// latent, as for `sae:random`. No latent is drawn twice, and none of `sets`.
#[must_use]
pub fn random_union(
    side: &SaeSide<'_>,
    name: &str,
    sets: &[Vec<u32>],
    train: &Labelled,
    (draws, seed): (usize, u64),
) -> Arm {
    let pools = side.random_pools(sets, &union(sets), train);
    let draw = |i: usize| -> Vec<Editor> {
        let mut rng = stats::seed::rng(seed, &format!("label-free/random-latents/{i}"));
        let (mut drawn, mut matched): (Vec<u32>, Vec<u32>) = (Vec::new(), Vec::new());
        for (pool, set) in pools.iter().zip(sets) {
            // A latent that stands for two letters is one latent of the union, and is matched once.
            let Some(&first) = set.first().filter(|first| !matched.contains(first)) else {
                continue;
            };
            matched.push(first);
            let left: Vec<u32> = pool.iter().copied().filter(|latent| !drawn.contains(latent)).collect();
            if !left.is_empty() {
                drawn.push(left[rng.random_range(0..left.len())]);
            }
        }
        vec![editor(zeroed(side, &drawn)); sets.len()]
    };
    Arm {
        name: name.to_owned(),
        draws: (0..draws).map(draw).collect(),
    }
}

/// The different latents of some sets, ascending.
#[must_use]
pub fn union(sets: &[Vec<u32>]) -> Vec<u32> {
    let all: std::collections::BTreeSet<u32> = sets.iter().flatten().copied().collect();
    all.into_iter().collect()
}

fn zeroed(side: &SaeSide<'_>, latents: &[u32]) -> Vec<Term> {
    let term = |&latent: &u32| Term {
        reader: Reader::Latent { latent },
        write: side
            .sae
            .decoder_row(latent as usize)
            .iter()
            .map(|&w| f64::from(w))
            .collect(),
        target: 0.0,
    };
    latents.iter().map(term).collect()
}

fn for_all(name: &str, terms: Vec<Term>, classes: usize) -> Arm {
    Arm::fixed(name, vec![editor(terms); classes])
}

fn editor(terms: Vec<Term>) -> Editor {
    if terms.is_empty() {
        return Editor::Null;
    }
    Editor::Terms { terms, dose: 1.0 }
}

/// Orthonormal vectors with the same span (Gram-Schmidt, twice); fewer where some are combinations of others.
fn orthonormal(vectors: impl Iterator<Item = Vec<f64>>) -> Vec<Vec<f64>> {
    let mut basis: Vec<Vec<f64>> = Vec::new();
    for mut v in vectors {
        let length = norm(&v);
        for _ in 0..2 {
            for b in &basis {
                let dot: f64 = v.iter().zip(b).map(|(v, b)| v * b).sum();
                for (v, b) in v.iter_mut().zip(b) {
                    *v -= dot * b;
                }
            }
        }
        let left = norm(&v);
        if left > PARALLEL * length {
            basis.push(v.into_iter().map(|v| v / left).collect());
        }
    }
    basis
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_has_as_many_directions_as_it_needs() {
        let vectors = [
            vec![3.0, 0.0, 0.0],
            vec![1.0, 1.0, 0.0],
            vec![5.0, -2.0, 0.0],
            vec![0.0; 3],
        ];
        let basis = orthonormal(vectors.clone().into_iter());
        assert_eq!(basis.len(), 2);
        for v in vectors {
            let inside: Vec<f64> = (0..3)
                .map(|i| {
                    basis
                        .iter()
                        .map(|b| b[i] * b.iter().zip(&v).map(|(b, v)| b * v).sum::<f64>())
                        .sum()
                })
                .collect();
            assert!(v.iter().zip(&inside).all(|(a, b)| (a - b).abs() < 1e-12), "{v:?}");
        }
        assert!(
            (norm(&basis[0]) - 1.0).abs() < 1e-12
                && basis[0].iter().zip(&basis[1]).map(|(a, b)| a * b).sum::<f64>().abs() < 1e-12
        );
    }

    #[test]
    fn a_latent_of_two_sets_is_one_latent_of_the_union() {
        assert_eq!(union(&[vec![5, 2], vec![], vec![2, 9]]), [2, 5, 9]);
    }
}
