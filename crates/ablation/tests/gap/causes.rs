//! Planted causes are found, in their planted amounts.

use ablation::gap::{
    Absorbed, Cause, ClassEffects, GapTerms, Rule, STEPS, Symptoms, Terms, WriteOrder, diagnose, measure_effects,
    sequence, shapley_check, shares,
};
use ablation::score;

use crate::planted::{CLASSES, Defects, FAINT, WORDS, sae, with_world};

const MIXED: Defects = Defects {
    split: 3,
    absorb: 4,
    dark: 3,
    threshold: 2,
    diffuse: 2,
    hedge: 0.0,
};

fn effects(defects: Defects, bend: f64) -> Vec<ClassEffects> {
    with_world(defects, bend, &sae(defects), |bench, accounting, latents| {
        measure_effects(bench, accounting, latents).unwrap()
    })
}

fn terms(effects: &[ClassEffects]) -> Vec<GapTerms> {
    effects.iter().map(|class| class.terms().unwrap()).collect()
}

fn reads(class: &ClassEffects) -> Terms {
    let words: Vec<_> = class.words.iter().map(|word| word.read).collect();
    shares(&words).unwrap()
}

#[test]
fn planted_amounts_of_the_read_are_found_exactly() {
    let faint = MIXED.threshold as f64 * FAINT;
    let total = (WORDS - MIXED.threshold) as f64 + faint;
    // The diffuse latent fires for two words of the letter before, where the error takes back what it writes.
    let mean = MIXED.diffuse as f64 / ((CLASSES - 1) * WORDS) as f64;
    let expected = [
        (WORDS - 3 - 4 - 3 - 2 - 2) as f64,
        3.0,
        4.0,
        2.0 - mean * WORDS as f64,
        faint,
        3.0 + mean * WORDS as f64,
    ];
    for class in effects(MIXED, 0.0) {
        let found = reads(&class).to_array();
        for ((found, expected), name) in found.iter().zip(expected).zip(Terms::NAMES) {
            assert!(
                (found - expected / total).abs() < 1e-6,
                "{name}: {found} {}",
                expected / total
            );
        }
    }
}

#[test]
fn parts_sum_to_the_gap() {
    for bend in [0.0, 1.5] {
        for gap in terms(&effects(Defects { hedge: 0.3, ..MIXED }, bend)) {
            assert!(gap.total > 0.3, "{gap:?}");
            assert!((gap.read + gap.write - gap.total).abs() < 1e-9);
            let read = gap.split + gap.absorb + gap.diffuse + gap.threshold + gap.dark;
            assert!((read - gap.read).abs() < 1e-9);
        }
    }
}

/// The answer is nearly linear here, so every part of the gap is its part of the read.
#[test]
fn a_linear_answer_gives_every_part_its_share_of_the_read() {
    for class in effects(MIXED, 0.0) {
        let (gap, read) = (class.terms().unwrap(), reads(&class));
        let reference = 1.0 - gap.ceiling;
        for (found, share) in [
            (gap.split, read.split),
            (gap.absorb, read.absorb),
            (gap.diffuse, read.diffuse),
            (gap.threshold, read.threshold),
            (gap.dark, read.dark),
        ] {
            assert!((found - share * reference).abs() < 0.01, "{gap:?} {read:?}");
        }
        assert!(gap.write.abs() < 0.01);
    }
}

#[test]
fn without_defects_there_is_no_gap() {
    for gap in terms(&effects(Defects::default(), 1.0)) {
        let all = GapTerms { ceiling: 0.0, ..gap };
        assert!(all.to_array().iter().all(|term| term.abs() < 1e-6), "{gap:?}");
    }
}

#[test]
fn each_defect_alone_is_named() {
    let none = Defects::default();
    let worlds = [
        (Defects { split: 8, ..none }, Cause::Splitting),
        (Defects { absorb: 8, ..none }, Cause::Absorption),
        (Defects { dark: 8, ..none }, Cause::DarkMatter),
        (Defects { threshold: 12, ..none }, Cause::Thresholding),
        (Defects { diffuse: 8, ..none }, Cause::Diffuse),
        (none, Cause::NoGap),
    ];
    for (defects, expected) in worlds {
        for class in effects(defects, 0.0) {
            let symptoms = Symptoms {
                words: class.sums(),
                ..Symptoms::default()
            };
            let mut rng = stats::seed::rng(3, "test/causes");
            let found = diagnose(&symptoms, &Rule::default(), &mut rng).unwrap();
            assert_eq!(found.cause, expected, "{}", found.sentence());
            if expected != Cause::NoGap {
                assert!(found.amount > 0.6 * found.terms.total, "{}", found.sentence());
            }
        }
    }
}

/// A main latent that writes another letter too keeps its mediated share and damages that letter.
#[test]
fn a_hedging_latent_is_named_by_its_damage() {
    let defects = Defects {
        hedge: 0.7,
        ..Defects::default()
    };
    with_world(defects, 0.0, &sae(defects), |bench, accounting, latents| {
        let classes = measure_effects(bench, accounting, latents).unwrap();
        // Firing on a quarter of another letter's words moves the mean that the edit goes to.
        let rule = Rule {
            gap: 0.12,
            ..Rule::default()
        };
        let arm = accounting
            .side()
            .arm("main", &(0..CLASSES as u32).map(|c| vec![c]).collect::<Vec<_>>());
        let rows = bench.rows(&bench.measure(&arm, Some(latents), false).unwrap(), |row| {
            row.to_string()
        });
        let scored = score(&rows).unwrap();
        for class in classes {
            let letter = char::from(b'a' + class.class as u8);
            let symptoms = Symptoms {
                words: class.sums(),
                damage: Some(scored.letters[&letter].o_max),
                damage_of_reference: Some(0.0),
                ..Symptoms::default()
            };
            let mut rng = stats::seed::rng(3, "test/causes");
            let found = diagnose(&symptoms, &rule, &mut rng).unwrap();
            assert_eq!(found.cause, Cause::Mixing, "{} {:?}", found.sentence(), found.damage);
        }
    });
}

#[test]
fn the_proportional_division_agrees_with_shapley_values() {
    for (bend, limit) in [(0.0, 1e-3), (1.0, 0.02)] {
        with_world(MIXED, bend, &sae(MIXED), |bench, accounting, latents| {
            let classes = measure_effects(bench, accounting, latents).unwrap();
            let checks = shapley_check(bench, accounting, &classes).unwrap();
            assert_eq!(checks.len(), CLASSES);
            for (check, class) in checks.iter().zip(&classes) {
                let sum: f64 = check.exact.iter().sum();
                assert!((sum - class.terms().unwrap().read).abs() < 1e-9);
                assert!(check.deviation() < limit, "{bend} {check:?}");
            }
        });
    }
}

#[test]
fn the_sequence_begins_at_the_latent_and_ends_at_the_ceiling() {
    with_world(MIXED, 0.7, &sae(MIXED), |bench, accounting, latents| {
        let classes = measure_effects(bench, accounting, latents).unwrap();
        let told = sequence(bench, accounting, &classes).unwrap();
        assert_eq!(told.len(), CLASSES);
        for ((_, steps), class) in told.iter().zip(&classes) {
            let gap = class.terms().unwrap();
            let reference = 1.0 - gap.ceiling;
            assert!((steps[0] - (reference - gap.total)).abs() < 1e-9);
            assert!((steps[STEPS.len() - 2] - reference).abs() < 1e-9 && (steps[STEPS.len() - 1] - 1.0).abs() < 1e-12);
            // The SAE writes what the reference writes here, so a word regained is regained wherever it was.
            assert!(steps.windows(2).all(|pair| pair[1] > pair[0] - 1e-6), "{steps:?}");
        }
    });
}

/// Both ways of adding the absorbers regain what they hold; taking their letter only leaves the words be.
#[test]
fn both_absorption_edits_regain_the_absorbed_words() {
    let defects = Defects {
        absorb: 8,
        ..Defects::default()
    };
    with_world(defects, 0.0, &sae(defects), |bench, accounting, latents| {
        let classes = measure_effects(bench, accounting, latents).unwrap();
        let absorbed = Absorbed::measure(bench, accounting, latents).unwrap();
        assert_eq!(absorbed.words, 8 * CLASSES);
        let score = |measured| score(&bench.rows(measured, |row| row.to_string())).unwrap();
        let (full, component) = (score(&absorbed.full), score(&absorbed.component));
        for class in classes {
            let gap = class.terms().unwrap();
            let letter = char::from(b'a' + class.class as u8);
            let main = 1.0 - gap.ceiling - gap.total;
            for scored in [&full, &component] {
                let gain = scored.letters[&letter].ms - main;
                assert!((gain - gap.absorb).abs() < 1e-3, "{gain} {gap:?}");
            }
        }
    });
}

/// A main latent that hardly writes the letter cannot stand in as a writer; the parts still sum.
#[test]
fn a_latent_that_does_not_write_leaves_one_order() {
    let (config, mut weights) = sae(MIXED).into_parts();
    let d = config.d_in;
    for class in 0..CLASSES {
        weights.w_dec[class * d + class] = 0.0;
        weights.w_dec[class * d + d - 1] = 1.0;
    }
    let silent = sae::Sae::new(config, weights).unwrap();
    with_world(MIXED, 0.5, &silent, |bench, accounting, latents| {
        for class in measure_effects(bench, accounting, latents).unwrap() {
            assert!(matches!(class.order, WriteOrder::NoWrite { cosine } if cosine.abs() < 1e-6));
            let gap = class.terms().unwrap();
            let parts = gap.write + gap.split + gap.absorb + gap.diffuse + gap.threshold + gap.dark;
            assert!((parts - gap.total).abs() < 1e-9 && gap.dark > 0.3, "{gap:?}");
        }
    });
}
