//! Other spellings of one world, which must not change a score.
//!
//! Deliberately absent: the comparison. Vectors and latents are f32, so a rotation agrees to rounding only; a permutation of
//! letters, a power of two as the factor of a latent, and a constant on logits that f32 can add without rounding agree exactly.

use sae::Sae;

use super::dictionary::refused;
use super::draw::{dot, permutation, unit};
use super::{Head, World};
use crate::directions::Labelled;
use crate::error::Result;

/// Reflections that make up a rotation.
const REFLECTIONS: usize = 6;

/// The world and its autoencoder in rotated coordinates (six random reflections).
///
/// # Errors
/// The parts do not fit, which cannot happen for an autoencoder that exists.
pub fn rotated(world: &World, sae: &Sae, seed: u64) -> Result<(World, Sae)> {
    let d = world.train.d;
    let mut rng = stats::seed::rng(seed, "planted/rotation");
    let mirrors: Vec<Vec<f64>> = (0..REFLECTIONS).map(|_| unit(d, &mut rng)).collect();
    let turn = |row: &[f64]| -> Vec<f64> {
        let mut out = row.to_vec();
        for mirror in &mirrors {
            let along = 2.0 * dot(&out, mirror);
            super::draw::add(&mut out, mirror, -along);
        }
        out
    };
    let turn32 = |row: &[f32]| -> Vec<f32> {
        let wide: Vec<f64> = row.iter().map(|&v| f64::from(v)).collect();
        turn(&wide).into_iter().map(|v| v as f32).collect()
    };
    let words = |words: &Labelled| Labelled {
        x: words.x.chunks_exact(d).flat_map(turn32).collect(),
        ..words.clone()
    };
    let head = Head {
        rows: world.head.rows.chunks_exact(d).flat_map(turn).collect(),
        ..world.head.clone()
    };
    let (config, mut weights) = sae.clone().into_parts();
    let width = config.d_sae;
    for latent in 0..width {
        let column: Vec<f32> = (0..d).map(|i| weights.w_enc[i * width + latent]).collect();
        for (i, value) in turn32(&column).into_iter().enumerate() {
            weights.w_enc[i * width + latent] = value;
        }
    }
    weights.w_dec = weights.w_dec.chunks_exact(d).flat_map(turn32).collect();
    weights.b_dec = turn32(&weights.b_dec);
    let turned = World {
        train: words(&world.train),
        test: words(&world.test),
        head,
    };
    Ok((turned, Sae::new(config, weights).map_err(|error| refused(&error))?))
}

/// The world with its letters dealt out anew, and the new class of each old one.
#[must_use]
pub fn relabelled(world: &World, seed: u64) -> (World, Vec<usize>) {
    let (d, classes) = (world.train.d, world.train.classes);
    let to = permutation(classes, &mut stats::seed::rng(seed, "planted/relabelled"));
    let words = |words: &Labelled| Labelled {
        y: words.y.iter().map(|&class| to[class]).collect(),
        ..words.clone()
    };
    let mut rows = world.head.rows.clone();
    for (from, &to) in to.iter().enumerate() {
        rows[to * d..(to + 1) * d].copy_from_slice(&world.head.rows[from * d..(from + 1) * d]);
    }
    let renamed = World {
        train: words(&world.train),
        test: words(&world.test),
        head: Head {
            rows,
            ..world.head.clone()
        },
    };
    (renamed, to)
}

/// The world whose 26 logits all have `constant` added.
#[must_use]
pub fn shifted(world: &World, constant: f32) -> World {
    World {
        head: Head {
            constant: world.head.constant + constant,
            ..world.head.clone()
        },
        ..world.clone()
    }
}
