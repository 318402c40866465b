//! Planted truths are what the arms and scores find.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use ablation::planted::defects::{Defects, Planting, Shares};
use ablation::planted::delta::Family;
use ablation::planted::hedging::hedging;
use ablation::planted::hierarchy::Hierarchy;
use ablation::planted::room::{Pairs, hedging_rate};
use ablation::planted::{self, World, invariance};
use ablation::{SaeSide, Scored, arms, select};
use sae::Sae;

fn main_arm(world: &World, sae: &Sae, sets: &[Vec<u32>]) -> Scored {
    let directions = planted::directions(&world.train).unwrap();
    let site = world.site();
    let bench = world.bench(&site, &arms::full_site(&directions), 5).unwrap();
    let side = SaeSide::new(sae, &world.train).unwrap();
    let latents = sae.encode(&world.test.x);
    planted::scores(&bench, &side.arm("main", sets), Some(&latents)).unwrap()
}

fn reference(world: &World) -> Scored {
    let directions = planted::directions(&world.train).unwrap();
    let site = world.site();
    let bench = world.bench(&site, &arms::full_site(&directions), 5).unwrap();
    planted::scores(&bench, &arms::leace_1(&directions, &world.train), None).unwrap()
}

fn one_each(latents: &[u32]) -> Vec<Vec<u32>> {
    latents.iter().map(|&latent| vec![latent]).collect()
}

#[test]
fn the_delta_family_loses_what_its_children_write() {
    let family = Family {
        alone: 160,
        words: 200,
        children: 1,
    };
    for delta in [0.0, 0.25, 0.5, 0.9, 1.0] {
        let member = family.member(delta, 0).unwrap();
        let scored = main_arm(&member.world, &member.sae, &[vec![member.main], vec![], vec![]]);
        let ms = scored.letters[&'a'].ms;
        assert!((ms - (1.0 - member.absorbed)).abs() < 1e-5, "{delta}: {ms}");
    }
}

#[test]
fn hedging_shows_in_the_damage_and_not_in_the_mediated_share() {
    for eta in [0.2, 0.4, 0.7] {
        let planted = hedging(eta, 6, 0).unwrap();
        let sets: Vec<Vec<u32>> = (0..26).map(|latent| vec![latent]).collect();
        let scored = main_arm(&planted.world, &planted.sae, &sets);
        let (ms, o_max) = (
            planted::macro_mean(&scored, |s| s.ms).unwrap(),
            planted::macro_mean(&scored, |s| s.o_max).unwrap(),
        );
        assert!((ms - planted.ms).abs() < 1e-4, "{eta}: {ms} {}", planted.ms);
        assert!((o_max - planted.o_max).abs() < 1e-4, "{eta}: {o_max}");
    }
}

fn plant(shares: Shares) -> Planting {
    Defects::small(shares).plant(0).unwrap()
}

#[test]
fn planted_defects_lower_the_mediated_share_to_what_the_main_latent_writes() {
    let planted = plant(Shares::ALL);
    let scored = main_arm(&planted.world, &planted.sae, &one_each(&planted.main));
    let ms = planted::macro_mean(&scored, |s| s.ms).unwrap();
    assert!((ms - planted.truth.main).abs() < 0.01, "{ms} {:?}", planted.truth);
    let truth = planted.truth;
    let sum = truth.main + truth.split + truth.absorb + truth.threshold + truth.dark;
    assert!((sum - 1.0).abs() < 1e-9, "{truth:?}");
    // The rule that the runs use finds the planted latent.
    let found = select::by_sparse_probe(&planted.sae.encode(&planted.world.train.x), &planted.world.train).unwrap();
    assert!(
        found
            .iter()
            .zip(&planted.main)
            .all(|(found, main)| found.latent == *main)
    );
}

#[test]
fn shares_that_are_none_are_refused() {
    for shares in [
        Shares {
            main: 0.5,
            ..Shares::NONE
        },
        Shares {
            threshold: 0.2,
            main: 0.8,
            ..Shares::NONE
        },
    ] {
        assert!(Defects::small(shares).plant(0).is_err(), "{shares:?}");
    }
}

#[test]
fn without_defects_the_main_latent_is_as_good_as_the_reference() {
    let planted = plant(Shares::NONE);
    let scored = main_arm(&planted.world, &planted.sae, &one_each(&planted.main));
    let main = planted::macro_mean(&scored, |s| s.ms).unwrap();
    let leace = planted::macro_mean(&reference(&planted.world), |s| s.ms).unwrap();
    assert!((leace - main).abs() < 0.01, "{leace} {main}");
}

/// The true dictionary of a hierarchy carries its letters, one with its decoder rows dealt out anew does not.
#[test]
fn the_true_dictionary_is_far_above_the_same_one_permuted() {
    let features = Hierarchy::small().plant(0).unwrap();
    assert_eq!(features.count(), 1024);
    let world = &features.world;
    let oracle = features.oracle().unwrap();
    let m_star = |sae: &Sae| {
        let probes = select::by_sparse_probe(&sae.encode(&world.train.x), &world.train).unwrap();
        let sets: Vec<Vec<u32>> = probes.iter().map(|probe| vec![probe.latent]).collect();
        planted::macro_mean(&main_arm(world, sae, &sets), |s| s.m_star).unwrap()
    };
    assert!(m_star(&oracle) > 0.95);
    assert!(m_star(&planted::permuted_decoder(&oracle, 0).unwrap()) < 0.1);
}

#[test]
fn a_random_dictionary_has_the_l0_that_was_asked_for() {
    let features = Hierarchy::small().plant(1).unwrap();
    let corpus = features.corpus(2000, 1);
    let sae = planted::random_of_l0(&corpus, 256, 128, 6.0, 1).unwrap();
    let l0 = sae::evaluate(&sae, &corpus).l0;
    assert!((l0 - 6.0).abs() < 0.01, "{l0}");
}

#[test]
fn a_hedge_is_given_back_when_there_is_room() {
    let pairs = Pairs {
        pairs: 2,
        d: 20,
        first: 0.3,
        together: 0.5,
        alone: 0.0,
    };
    let old = pairs.first_features(0).unwrap();
    // Two more latents, and rows that turn by what they take over: the change lies within the new rows.
    let (config, mut weights) = old.clone().into_parts();
    let grown = |turn: f32| {
        let mut rows = weights.w_dec.clone();
        let new = [[0.0f32; 20], [0.0; 20]].map(|mut row| {
            row[3] = 1.0;
            row
        });
        rows[3] += turn;
        rows[20 + 3] += turn;
        rows.extend(new.into_iter().flatten());
        rows
    };
    let rows = [grown(0.0), grown(0.4)];
    let rates = rows.map(|w_dec| {
        weights.w_dec = w_dec;
        let wide = sae::Weights {
            w_enc: vec![0.0; 80],
            b_enc: vec![0.0; 4],
            ..weights.clone()
        };
        let config = sae::SaeConfig {
            d_sae: 4,
            ..config.clone()
        };
        hedging_rate(&old, &Sae::new(config, wide).unwrap(), 0).unwrap()
    });
    assert!(rates[0].rate == 0.0 && rates[0].p == 0.0);
    assert!((rates[1].p - 0.4).abs() < 1e-6, "{:?}", rates[1]);
    // One dimension of twenty: a random direction holds about a fifth of the change.
    assert!(rates[1].p_random > 0.04 && rates[1].p_random < 0.12, "{:?}", rates[1]);
    assert!(hedging_rate(&old, &old, 0).is_err());
}

/// What does not round agrees exactly, the rest to f32.
#[test]
fn other_spellings_of_a_world_score_alike() {
    let planted = plant(Shares::ALL);
    let arm = |world: &World, sae: &Sae| main_arm(world, sae, &one_each(&planted.main));
    let base = arm(&planted.world, &planted.sae);
    let worst = |other: &Scored| {
        assert_eq!(base.letters.len(), other.letters.len());
        let pairs = base.letters.values().zip(other.letters.values());
        pairs
            .map(|(a, b)| (a.ms - b.ms).abs().max((a.o_max - b.o_max).abs()))
            .fold(0.0, f64::max)
    };
    let powers = planted::rescaled(&planted.sae, |j| if j % 2 == 0 { 2.0 } else { 0.25 }).unwrap();
    assert!(worst(&arm(&planted.world, &powers)) < 1e-12);
    let odd = planted::rescaled(&planted.sae, |j| 0.3 + (j % 7) as f32).unwrap();
    assert!(worst(&arm(&planted.world, &odd)) < 1e-5);
    let (world, sae) = invariance::rotated(&planted.world, &planted.sae, 1).unwrap();
    assert!(world.test.x != planted.world.test.x);
    assert!(worst(&arm(&world, &sae)) < 1e-5);
    assert!(worst(&arm(&invariance::shifted(&planted.world, 3.0), &planted.sae)) < 1e-5);
}
