//! Other spellings of one world.

use ablation::planted::defects::{Defects, Planting, Shares};
use ablation::planted::{World, invariance, rescaled};
use ablation::{ClassScore, Scored};
use sae::Sae;

use super::{Check, Setting, measure, one_each};

pub(super) fn checks(setting: &Setting) -> anyhow::Result<Vec<Check>> {
    const EXACT: &str = "identity; these operations do not round";
    const ROUNDED: &str = "identity; vectors, latents and logits are f32, which rounds at 6e-8 of a logit of 8";
    let planted = Defects {
        letters: 12,
        ..setting.size(Defects::small(Shares::ALL), Defects::full(Shares::ALL))
    }
    .plant(setting.seed)?;
    let base = both(&planted.world, &planted.sae, &planted.main)?;
    let of = |world: &World, sae: &Sae| -> anyhow::Result<f64> {
        Ok(worst(&base, &both(world, sae, &planted.main)?, |l| l))
    };
    let powers = rescaled(&planted.sae, |latent| [2.0, 0.25][latent % 2])?;
    let odd = rescaled(&planted.sae, |latent| 0.3 + (latent % 7) as f32)?;
    let (turned, turned_sae) = invariance::rotated(&planted.world, &planted.sae, setting.seed)?;
    let (renamed, to) = invariance::relabelled(&planted.world, setting.seed);
    let renamed = both(&renamed, &planted.sae, &main_of(&planted, &to))?;
    let letter = |c: char| char::from(b'a' + to[usize::from(c as u8 - b'a')] as u8);
    Ok(vec![
        Check::below("latents times 2 or 1/4", 1e-9, of(&planted.world, &powers)?, EXACT),
        Check::below("latents times .3 to 6.3", 1e-5, of(&planted.world, &odd)?, ROUNDED),
        Check::below(
            "latents times .3 to 6.3, decoder norms folded",
            1e-5,
            of(&planted.world, &odd.fold_decoder_norms()?)?,
            ROUNDED,
        ),
        Check::below(
            "rotation of vectors and weights",
            1e-5,
            of(&turned, &turned_sae)?,
            ROUNDED,
        ),
        Check::below("letters dealt out anew", 1e-9, worst(&base, &renamed, letter), EXACT),
        Check::below(
            "3 added to all logits",
            1e-5,
            of(&invariance::shifted(&planted.world, 3.0), &planted.sae)?,
            ROUNDED,
        ),
    ])
}

/// Main latents where letter `c` is now called `to[c]`.
fn main_of(planted: &Planting, to: &[usize]) -> Vec<u32> {
    let mut out = planted.main.clone();
    for (from, &to) in to.iter().enumerate() {
        out[to] = planted.main[from];
    }
    out
}

/// Scores of the main latents, and of the reference.
fn both(world: &World, sae: &Sae, main: &[u32]) -> anyhow::Result<[Scored; 2]> {
    measure(world, |measured| {
        Ok([measured.latents(sae, &one_each(main))?, measured.leace()?])
    })
}

/// The largest difference of any score of any letter; `letter` is what a letter is called in `b`. Infinite where a letter lacks
/// a score on one side only.
fn worst(a: &[Scored; 2], b: &[Scored; 2], letter: impl Fn(char) -> char) -> f64 {
    let numbers = |s: &ClassScore| {
        [
            s.ms,
            s.o_mean,
            s.o_max,
            s.m_star,
            s.m_star_max,
            s.fi,
            s.effect,
            s.effect_m,
        ]
    };
    let mut worst = 0.0f64;
    for (a, b) in a.iter().zip(b) {
        if a.letters.len() != b.letters.len() || a.letters.is_empty() {
            return f64::INFINITY;
        }
        for (&name, score) in &a.letters {
            let Some(other) = b.letters.get(&letter(name)) else {
                return f64::INFINITY;
            };
            for (a, b) in numbers(score).into_iter().zip(numbers(other)) {
                worst = worst.max((a - b).abs());
            }
        }
    }
    worst
}
