//! The measurement-error view on planted truths.

use ablation::misread::{WordOutcome, attenuated, detect, differential, wald};
use proptest::prelude::*;
use rand::RngExt;
use stats::seed;

/// Words of a planted world: letter, detector, outcome.
struct World {
    t: Vec<f64>,
    z: Vec<f64>,
    y: Vec<f64>,
}

/// The letter's effect in every world here, as a mean over its words.
const TRUTH: f64 = 2.0;

/// Three in ten words have the letter; the detector has specificity .99. Words of the letter are of two kinds in equal
/// parts, of effect `2 +- spread` and sensitivity `.6 +- tilt`: with a tilt, misses fall on words of small effect.
fn world(spread: f64, tilt: f64) -> World {
    let mut rng = seed::rng(11, "misread/world");
    let mut world = World {
        t: Vec::new(),
        z: Vec::new(),
        y: Vec::new(),
    };
    for _ in 0..400_000 {
        let has = rng.random::<f64>() < 0.3;
        let kind = if rng.random::<bool>() { 1.0 } else { -1.0 };
        let fires = if has { 0.6 + kind * tilt } else { 0.01 };
        let effect = if has { TRUTH + kind * spread } else { 0.0 };
        world.t.push(f64::from(u8::from(has)));
        world.z.push(f64::from(u8::from(rng.random::<f64>() < fires)));
        world.y.push(effect + rng.random::<f64>() - 0.5);
    }
    world
}

#[test]
fn random_misses_shrink_the_slope_by_a_known_factor_and_the_instrument_undoes_it() {
    let world = world(0.66, 0.0);
    let slope = attenuated(&world.y, &world.z).unwrap();
    assert!((slope - 1.630).abs() < 0.01, "{slope}");
    let positive: Vec<bool> = world.t.iter().map(|&t| t > 0.5).collect();
    let found = detect(&world.z, &positive).unwrap();
    assert!(
        (found.se - 0.6).abs() < 0.005 && (found.sp - 0.99).abs() < 0.001,
        "{found:?}"
    );
    let predicted = TRUTH * found.attenuation().unwrap();
    assert!((slope - predicted).abs() < 0.01, "{slope} {predicted}");
    let instrument = wald(&world.y, &world.t, &world.z).unwrap();
    assert!((instrument.slope - TRUTH).abs() < 0.02, "{instrument:?}");
    // p (1 - p) J.
    assert!((instrument.first_stage - 0.21 * 0.59).abs() < 0.002 && instrument.f > 1e5);
}

#[test]
fn misses_on_words_of_small_effect_mislead_both() {
    // Sensitivity .9 where the effect is 2.66 and .3 where it is 1.34: the same Se and Sp as above.
    let world = world(0.66, 0.3);
    let positive: Vec<bool> = world.t.iter().map(|&t| t > 0.5).collect();
    let found = detect(&world.z, &positive).unwrap();
    assert!((found.se - 0.6).abs() < 0.005 && (found.sp - 0.99).abs() < 0.001);
    let instrument = wald(&world.y, &world.t, &world.z).unwrap();
    assert!((instrument.slope - 2.48).abs() < 0.02, "{instrument:?}");
    let corrected = attenuated(&world.y, &world.z).unwrap() / found.attenuation().unwrap();
    assert!(
        (corrected - TRUTH).abs() > 0.3,
        "the correction must not work here: {corrected}"
    );
}

#[test]
fn an_instrument_that_does_not_vary_is_none() {
    assert_eq!(wald(&[1.0, 2.0], &[0.0, 1.0], &[1.0, 1.0]), None);
    assert_eq!(attenuated(&[1.0, 2.0], &[1.0, 1.0]), None);
}

/// Words of 20 letters; silence depends on the first covariate where `slope` is not 0, never on the others.
fn words(slope: f64) -> Vec<WordOutcome> {
    let mut rng = seed::rng(5, "misread/words");
    let mut words = Vec::new();
    for class in 0..20 {
        let base = rng.random::<f64>() - 1.0;
        for _ in 0..40 {
            let length = (3.0 + 7.0 * rng.random::<f64>()).floor();
            let capital = f64::from(u8::from(rng.random::<f64>() < 0.3));
            let eta: f64 = base + slope * (length - 6.0) / 2.0;
            words.push(WordOutcome {
                class,
                silent: rng.random::<f64>() < 1.0 / (1.0 + (-eta).exp()),
                covariates: vec![length, capital, 1.0, 2.0 * length],
            });
        }
    }
    words
}

const NAMES: [&str; 4] = ["length", "capital", "constant", "twice the length"];

#[test]
fn misses_that_depend_on_the_word_are_found_and_named() {
    let found = differential(&NAMES, &words(1.0)).unwrap();
    let unusable: Vec<(&str, &str)> = found
        .unusable
        .iter()
        .map(|(n, why)| (n.as_str(), why.as_str()))
        .collect();
    let expected = [
        ("constant", "varies within 0 letters, at least 6 are needed"),
        ("twice the length", "is a combination of the covariates before it"),
    ];
    assert_eq!(unusable, expected);
    assert_eq!(found.letters, 20);
    let [length, capital] = found.covariates.as_slice() else {
        panic!("{found:?}")
    };
    assert_eq!((length.name.as_str(), capital.name.as_str()), ("length", "capital"));
    // Per standard deviation of the length, which is about 2 letters.
    assert!(
        (length.slope.value - 1.0).abs() < 0.25 && length.q < 0.001,
        "{length:?}"
    );
    assert!(capital.q > 0.01, "{capital:?}");
}

/// Capital words in five letters only, all missed: their clustered error would be next to nothing.
#[test]
fn a_covariate_that_few_letters_inform_is_left_out() {
    let mut all = words(0.0);
    for word in &mut all {
        word.covariates[1] = 0.0;
    }
    for class in 0..5 {
        let word = all.iter_mut().find(|word| word.class == class).unwrap();
        word.covariates[1] = 1.0;
        word.silent = true;
    }
    let found = differential(&NAMES, &all).unwrap();
    assert!(found.covariates.iter().all(|c| c.name != "capital"), "{found:?}");
    assert!(found.unusable[0].1.contains("within 5 letters"), "{found:?}");
}

#[test]
fn random_misses_give_no_slope() {
    let found = differential(&NAMES, &words(0.0)).unwrap();
    assert!(found.covariates.iter().all(|c| c.q > 0.05), "{found:?}");
}

#[test]
fn what_cannot_be_regressed_is_refused() {
    let mut all = words(1.0);
    for word in &mut all {
        word.silent = false;
    }
    assert!(differential(&NAMES, &all).is_err(), "no letter has both outcomes");
    assert!(
        differential(&NAMES[..2], &words(1.0)).is_err(),
        "names and covariates differ in number"
    );
}

proptest! {
    /// Rates depend on which words the detector fires on, not on their order; other words turned over swap Se and Sp.
    #[test]
    fn rates_do_not_depend_on_the_order_of_words(
        words in proptest::collection::vec((0.0..2.0f64, any::<bool>()), 4..40),
        by in 0..40usize,
    ) {
        let scores: Vec<f64> = words.iter().map(|w| (w.0 - 1.0).max(0.0)).collect();
        let positive: Vec<bool> = words.iter().map(|w| w.1).collect();
        let (mut moved, mut turned) = (scores.clone(), positive.clone());
        let by = by % words.len();
        moved.rotate_left(by);
        turned.rotate_left(by);
        let found = detect(&scores, &positive);
        prop_assert_eq!(found, detect(&moved, &turned));
        if let Some(found) = found {
            // The opposite detector of the opposite letter.
            let silent: Vec<f64> = scores.iter().map(|&s| f64::from(u8::from(s <= 0.0))).collect();
            let others: Vec<bool> = positive.iter().map(|p| !p).collect();
            let mirror = detect(&silent, &others).unwrap();
            prop_assert!((mirror.se - found.sp).abs() < 1e-12 && (mirror.sp - found.se).abs() < 1e-12);
            prop_assert!((mirror.j() - found.j()).abs() < 1e-12);
            match (mirror.attenuation(), found.attenuation()) {
                (Some(a), Some(b)) => prop_assert!((a - b).abs() < 1e-12),
                (a, b) => prop_assert_eq!(a, b),
            }
        }
    }
}
