//! Planted truths are what the arms and scores find.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use ablation::planted::defects::{Defects, Planting, Shares};
use ablation::planted::delta::Family;
use ablation::planted::hedging::hedging;
use ablation::planted::hierarchy::Hierarchy;
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
    println!("{:?}", planted.truth);
    let start = std::time::Instant::now();
    let scored = main_arm(&planted.world, &planted.sae, &one_each(&planted.main));
    println!("{:?}", start.elapsed());
    let ms = planted::macro_mean(&scored, |s| s.ms).unwrap();
    let leace = planted::macro_mean(&reference(&planted.world), |s| s.ms).unwrap();
    println!("main {ms} leace {leace}");
    assert!((ms - planted.truth.main).abs() < 0.01, "{ms} {:?}", planted.truth);
    // The rule that the runs use finds the planted latent.
    let found = select::by_sparse_probe(&planted.sae.encode(&planted.world.train.x), &planted.world.train).unwrap();
    assert!(found.iter().zip(&planted.main).all(|(found, main)| found.latent == *main));
}

#[test]
fn without_defects_the_main_latent_is_as_good_as_the_reference() {
    let planted = plant(Shares::NONE);
    let main = planted::macro_mean(&main_arm(&planted.world, &planted.sae, &one_each(&planted.main)), |s| s.ms).unwrap();
    let leace = planted::macro_mean(&reference(&planted.world), |s| s.ms).unwrap();
    println!("main {main} leace {leace}");
    assert!((leace - main).abs() < 0.01);
}

#[test]
fn hierarchy() {
    let features = Hierarchy::small().plant(0).unwrap();
    let start = std::time::Instant::now();
    let corpus = features.corpus(40_000, 0);
    println!("corpus {:?}", start.elapsed());
    let start = std::time::Instant::now();
    let oracle = features.oracle().unwrap();
    let q = sae::evaluate(&oracle, &corpus[..4000 * 256]);
    println!("oracle {q:?}");
    let mut config = sae::TrainConfig::new(256, sae::Objective::BatchTopK { k: 8, threshold_rate: 0.01 }, 1000);
    config.batch_size = 512;
    config.learning_rate = 1e-3;
    let (trained, report) = sae::train(&config, &sae::train::Rows::new(&corpus, 256), 0).unwrap();
    println!("trained {:?} {report:?}", start.elapsed());
    let saes = [
        ("oracle", oracle),
        ("permuted", planted::permuted_decoder(&trained, 0).unwrap()),
        ("random", planted::random_of_l0(&corpus[..4000 * 256], 256, 256, report.l0, 0).unwrap()),
        ("trained", trained),
    ];
    let world = &features.world;
    let directions = planted::directions(&world.train).unwrap();
    let site = world.site();
    let bench = world.bench(&site, &arms::full_site(&directions), 6).unwrap();
    let leace = planted::scores(&bench, &arms::leace_1(&directions, &world.train), None).unwrap();
    let m = |s: &Scored| (planted::macro_mean(s, |s| s.ms), planted::macro_mean(s, |s| s.o_mean), planted::macro_mean(s, |s| s.m_star));
    println!("leace {:?} {:?}", m(&leace), leace.unidentified);
    for (name, sae) in &saes {
        let latents = sae.encode(&world.train.x);
        let probes = select::by_sparse_probe(&latents, &world.train).unwrap();
        let side = SaeSide::new(sae, &world.train).unwrap();
        let sets: Vec<Vec<u32>> = probes.iter().map(|p| vec![p.latent]).collect();
        let test = sae.encode(&world.test.x);
        let s = planted::scores(&bench, &side.arm("main", &sets), Some(&test)).unwrap();
        let own = select::own_latents(&latents, &world.train, &probes);
        let t = planted::scores(&bench, &side.arm("own", &own), Some(&test)).unwrap();
        println!("{name} {:?} own {:?} f1 {:.3}", m(&s), m(&t), probes.iter().map(|p| p.f1).sum::<f64>() / 24.0);
    }
}

#[test]
fn invariances() {
    let planted = plant(Shares::ALL);
    let arm = |world: &World, sae: &Sae, latents: &[u32]| main_arm(world, sae, &one_each(latents));
    let base = arm(&planted.world, &planted.sae, &planted.main);
    let worst = |other: &Scored| {
        base.letters
            .values()
            .zip(other.letters.values())
            .map(|(a, b)| (a.ms - b.ms).abs().max((a.o_mean - b.o_mean).abs()).max((a.o_max-b.o_max).abs()).max((a.fi - b.fi).abs()))
            .fold(0.0, f64::max)
    };
    let doubled = planted::rescaled(&planted.sae, |j| if j % 2 == 0 { 2.0 } else { 0.25 }).unwrap();
    println!("doubled {}", worst(&arm(&planted.world, &doubled, &planted.main)));
    let odd = planted::rescaled(&planted.sae, |j| 0.3 + (j % 7) as f32).unwrap();
    println!("odd {}", worst(&arm(&planted.world, &odd, &planted.main)));
    println!("odd folded {}", worst(&arm(&planted.world, &odd.fold_decoder_norms().unwrap(), &planted.main)));
    let (world, sae) = invariance::rotated(&planted.world, &planted.sae, 1).unwrap();
    println!("rotated {}", worst(&arm(&world, &sae, &planted.main)));
    println!("shift 3 {}", worst(&arm(&invariance::shifted(&planted.world, 3.0), &planted.sae, &planted.main)));
    let (world, to) = invariance::relabelled(&planted.world, 1);
    let mut main = planted.main.clone();
    for (from, &to) in to.iter().enumerate() { main[to] = planted.main[from]; }
    let s = arm(&world, &planted.sae, &main);
    let letter = |c: usize| char::from(b'a' + c as u8);
    let w = to.iter().enumerate().map(|(from, &to)| (base.letters[&letter(from)].ms - s.letters[&letter(to)].ms).abs()
        .max((base.letters[&letter(from)].o_mean - s.letters[&letter(to)].o_mean).abs())).fold(0.0, f64::max);
    println!("relabelled {w}");
}
