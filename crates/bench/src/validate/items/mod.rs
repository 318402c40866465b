//! What is planted, item by item.

mod causes;
mod defects;
mod delta;
mod hedging;
mod hierarchy;
mod invariances;
mod statistics;
mod toys;
mod transformer;

use ablation::planted::{self, World};
use ablation::{Bench, Directions, SaeSide, Scored, arms};
use sae::Sae;

use super::check::Check;

/// How large, and from which seed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Setting {
    pub(super) small: bool,
    pub(super) seed: u64,
}

impl Setting {
    /// One of two values by size.
    fn size<T>(self, small: T, full: T) -> T {
        if self.small { small } else { full }
    }
}

/// An item of `bench validate`.
#[derive(Debug)]
pub(super) struct Item {
    pub(super) name: &'static str,
    /// What is planted.
    pub(super) plants: &'static str,
    /// What a pass shows.
    pub(super) shows: &'static str,
    pub(super) run: fn(&Setting) -> anyhow::Result<Vec<Check>>,
}

/// All of them, from the simplest truth to the whole program.
pub(super) const ITEMS: [Item; 10] = [
    Item {
        name: "delta",
        plants: "the closed-form family between no and full absorption",
        shows: "the accounting of reads and the mediated share are exact",
        run: delta::checks,
    },
    Item {
        name: "defects",
        plants: "an SAE that splits, absorbs, cuts off and misses known shares",
        shows: "each share is recovered with LEACE as the reference, and a sound SAE has no gap",
        run: defects::checks,
    },
    Item {
        name: "causes",
        plants: "one defect at a time",
        shows: "the named cause of a letter's gap is the planted one",
        run: causes::checks,
    },
    Item {
        name: "hedging",
        plants: "decoder rows that write the next letter too",
        shows: "hedging is seen in the damage and not in the mediated share",
        run: hedging::checks,
    },
    Item {
        name: "toys",
        plants: "toy models of the absorption paper, trained",
        shows: "training gives absorption, partial absorption and hedging where theory says so",
        run: toys::checks,
    },
    Item {
        name: "hierarchy",
        plants: "1,024 features in trees, an SAE trained on them, and degraded controls",
        shows: "scores order the true dictionary, a trained one, and broken ones",
        run: hierarchy::checks,
    },
    Item {
        name: "invariances",
        plants: "other spellings of one world",
        shows: "scores do not depend on scale, rotation, names of letters, or a constant on logits",
        run: invariances::checks,
    },
    Item {
        name: "transformer",
        plants: "a checkpoint whose attention heads copy the letter at known layers",
        shows: "site shares, captures and edits of a real model file are right",
        run: transformer::checks,
    },
    Item {
        name: "coverage",
        plants: "panels of letters with known means",
        shows: "letter-level intervals cover 95 %, word-level ones do not",
        run: statistics::coverage,
    },
    Item {
        name: "size",
        plants: "pairs of methods that do not differ",
        shows: "the sign-flip test rejects 5 %, its p-values are uniform, word-level tests reject far more",
        run: statistics::size,
    },
];

/// A planted world with what the arms need of it.
struct Measured<'a> {
    world: &'a World,
    directions: &'a Directions,
    bench: &'a Bench<'a>,
}

/// Words of each other letter that an editor is applied to.
const OTHERS: usize = 5;

/// Calls `with` on a world's evaluation.
fn measure<T>(world: &World, with: impl FnOnce(&Measured<'_>) -> anyhow::Result<T>) -> anyhow::Result<T> {
    let directions = planted::directions(&world.train)?;
    let site = world.site();
    let bench = world.bench(&site, &arms::full_site(&directions), OTHERS)?;
    with(&Measured {
        world,
        directions: &directions,
        bench: &bench,
    })
}

impl Measured<'_> {
    /// Scores of editing one latent set per letter.
    fn latents(&self, sae: &Sae, sets: &[Vec<u32>]) -> anyhow::Result<Scored> {
        let side = SaeSide::new(sae, &self.world.train)?;
        let latents = sae.encode(&self.world.test.x);
        Ok(planted::scores(self.bench, &side.arm("latents", sets), Some(&latents))?)
    }

    /// Scores of the reference.
    fn leace(&self) -> anyhow::Result<Scored> {
        let arm = arms::leace_1(self.directions, &self.world.train);
        Ok(planted::scores(self.bench, &arm, None)?)
    }
}

/// One latent per letter as sets.
fn one_each(latents: &[u32]) -> Vec<Vec<u32>> {
    latents.iter().map(|&latent| vec![latent]).collect()
}

/// A macro mean, or NaN, which no expectation accepts, where no letter has a score.
fn mean_of(scored: &Scored, value: impl Fn(&ablation::ClassScore) -> f64) -> f64 {
    planted::macro_mean(scored, value).unwrap_or(f64::NAN)
}
