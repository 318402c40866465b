//! An autoencoder that hedges: the latent of letter `c` reads and writes `W_c + eta W_{c+1}`.
//!
//! Reads and writes are tied, as hedging leaves them (features that a latent must stand for together are mixed into both), so the
//! latent fires at `eta` on the next letter's words and, edited, takes `eta` times that from them: the largest damage on one other
//! letter is `eta^2`, while the mediated share only loses `eta / 25`, the off-class mean of its activation.
//!
//! Deliberately absent: why a trained autoencoder hedges.

use sae::Sae;

use super::draw::{add, orthonormal};
use super::{Dictionary, Head, Outcome, World};
use crate::directions::Labelled;
use crate::error::Result;

/// Letters.
const LETTERS: usize = 26;
/// Width of the vectors.
const D: usize = 64;

/// The world and its hedging autoencoder; latent `c` is letter `c`'s.
pub struct Hedging {
    /// Words, `[letters * words]`.
    pub world: World,
    /// The autoencoder.
    pub sae: Sae,
    /// Expected mediated share of every letter's latent: `1 - eta / 25`.
    pub ms: f64,
    /// Expected damage share on the next letter's words: `eta^2`.
    pub o_max: f64,
}

/// Plants a hedge of `eta`; each letter has `words` words, all alike.
///
/// # Errors
/// There are no words.
pub fn hedging(eta: f64, words: usize, seed: u64) -> Result<Hedging> {
    let letters = orthonormal(LETTERS, D, &mut stats::seed::rng(seed, "planted/hedging"));
    let (mut x, mut y) = (Vec::new(), Vec::new());
    for (class, letter) in letters.iter().enumerate() {
        for _ in 0..words {
            x.extend(letter.iter().map(|&v| v as f32));
            y.push(class);
        }
    }
    let all = Labelled {
        x,
        y,
        d: D,
        classes: LETTERS,
    };
    let mut dictionary = Dictionary::new(D);
    for class in 0..LETTERS {
        let mut direction = letters[class].clone();
        add(&mut direction, &letters[(class + 1) % LETTERS], eta);
        dictionary.push(direction.clone(), 0.0, 1e-4, direction);
    }
    Ok(Hedging {
        world: World {
            train: all.clone(),
            test: all,
            head: Head::new(&letters, 8.0, Outcome::Linear),
        },
        sae: dictionary.build()?,
        ms: 1.0 - eta / (LETTERS - 1) as f64,
        o_max: eta * eta,
    })
}
