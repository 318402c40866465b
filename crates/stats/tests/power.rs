//! Power formulas against published numbers, exact values and simulated comparisons.

use stats::simulate::{PairedModel, PanelModel, Rejections, TestConfig, rejections};
use stats::{PairedDesign, SaeSeeds, StatsError, power_table, words_needed};

/// 26 letters and no word noise beyond what the SD of the difference holds.
const DESIGN: PairedDesign = PairedDesign {
    letters: 26,
    difference_sd: 0.10,
    word_sd: 0.0,
    words: 1,
    sae_seeds: None,
    level: 0.95,
};

fn with_sd(difference_sd: f64) -> PairedDesign {
    PairedDesign {
        difference_sd,
        ..DESIGN
    }
}

/// `(2.059539 + .856236) / sqrt(26) = .571830`, so .029, .057, .086 and .132 for four SDs.
#[test]
fn minimum_detectable_with_the_alphabet() {
    let of = |sd| with_sd(sd).minimum_detectable(0.8).expect("defined");
    assert!((of(1.0) - 0.571_830_467).abs() < 1e-6);
    for (sd, published) in [(0.05, 0.029), (0.10, 0.057), (0.15, 0.086), (0.23, 0.132)] {
        assert!((of(sd) - published).abs() < 0.000_5, "{sd}");
    }
}

/// Published with the factor 2.92 for 2.9158: .077, .091, .112, .150 with 3 seeds of SD .03.
#[test]
fn training_seeds_dominate() {
    for (sd, published) in [(0.05, 0.077), (0.10, 0.091), (0.15, 0.112), (0.23, 0.150)] {
        let design = PairedDesign {
            sae_seeds: Some(SaeSeeds { count: 3, sd: 0.03 }),
            ..with_sd(sd)
        };
        let found = design.minimum_detectable(0.8).expect("defined");
        assert!((found - published).abs() < 0.001, "{sd}: {found}");
    }
}

/// Exact power of the two-sided t test, by numerical integration in a separate implementation.
#[test]
fn power_is_that_of_the_noncentral_t() {
    for (sd, effect, expected) in [
        (0.10, 0.03, 0.312_781_616),
        (0.10, 0.05, 0.688_180_137),
        (0.10, 0.08, 0.974_889_436),
        (0.15, 0.03, 0.165_432_389),
        (0.15, 0.08, 0.743_394_326),
    ] {
        let found = with_sd(sd).power(effect).expect("defined");
        assert!((found - expected).abs() < 1e-7, "{sd} {effect}: {found}");
        assert!((with_sd(sd).power(-effect).expect("defined") - expected).abs() < 1e-7);
    }
    let few = |letters: usize, standard_errors: f64| {
        let design = PairedDesign {
            letters,
            difference_sd: (letters as f64).sqrt(),
            ..DESIGN
        };
        design.power(standard_errors).expect("defined")
    };
    assert!((few(8, 1.7) - 0.312_631_931).abs() < 1e-7);
    assert!((few(3, 3.0) - 0.387_400_129).abs() < 1e-6);
    // Without a difference the power is the level of the test; with a huge one it is certain.
    assert!((few(26, 0.0) - 0.05).abs() < 1e-7);
    assert!((few(26, 40.0) - 1.0).abs() < 1e-9);
}

/// The sum of two quantiles is an approximation; this is how good it is.
#[test]
fn minimum_detectable_has_the_power_it_says() {
    for letters in [8, 15, 26] {
        let design = PairedDesign { letters, ..DESIGN };
        for power in [0.8, 0.9, 0.95] {
            let effect = design.minimum_detectable(power).expect("defined");
            let found = design.power(effect).expect("defined");
            assert!((found - power).abs() < 0.01, "{letters} {power}: {found}");
        }
        let effect = design.minimum_detectable(0.8).expect("defined");
        assert!((design.power(effect).expect("defined") - 0.8).abs() < 0.003);
    }
}

#[test]
fn letters_and_words_needed() {
    // .0572 is the MDE of 26 letters with SD .10, .0571 is not.
    assert_eq!(DESIGN.letters_needed(0.0572, 0.8), Ok(Some(26)));
    assert_eq!(DESIGN.letters_needed(0.0571, 0.8), Ok(None));
    let few = DESIGN.letters_needed(-0.10, 0.8).expect("defined").expect("enough");
    let at = |letters| {
        PairedDesign { letters, ..DESIGN }
            .minimum_detectable(0.8)
            .expect("defined")
    };
    assert!(at(few) <= 0.10 && at(few - 1) > 0.10, "{few}");
    // .25 / (.21 * .01) = 119.05 and .25 / (.21 * .0529) = 22.5, rounded up.
    assert_eq!(words_needed(0.5, 0.10, 0.1), Ok(120));
    assert_eq!(words_needed(0.5, 0.23, 0.1), Ok(23));
    assert_eq!(words_needed(0.0, 0.23, 0.1), Ok(1));
    // What the number of words promises: the SD over letters with word noise is 10 % wider.
    let design = PairedDesign {
        word_sd: 0.5,
        words: 120,
        ..DESIGN
    };
    let ratio = design.standard_error().expect("defined") / DESIGN.standard_error().expect("defined");
    assert!(ratio < 1.1 && ratio > 1.099, "{ratio}");
}

#[test]
fn table_holds_every_pair() {
    let rows = power_table(&DESIGN, &[8, 26], &[0.05, 0.10, 0.23]).expect("defined");
    let keys: Vec<(usize, f64)> = rows
        .iter()
        .map(|row| (row.design.letters, row.design.difference_sd))
        .collect();
    assert_eq!(
        keys,
        [(8, 0.05), (8, 0.10), (8, 0.23), (26, 0.05), (26, 0.10), (26, 0.23)]
    );
    for row in rows {
        assert_eq!(Ok(row.minimum_detectable), row.design.minimum_detectable(0.8));
        assert!(row.minimum_detectable > 2.0 * row.standard_error);
        assert!(row.minimum_detectable_sure > row.minimum_detectable);
    }
}

#[test]
fn impossible_designs_are_refused() {
    let name = |design: PairedDesign| match design.minimum_detectable(0.8) {
        Err(StatsError::OutOfRange { name, .. }) => name,
        other => panic!("{other:?}"),
    };
    assert_eq!(name(with_sd(-0.1)), "SD of the difference over letters");
    assert_eq!(name(with_sd(f64::NAN)), "SD of the difference over letters");
    assert_eq!(name(with_sd(0.0)), "variance of the difference");
    assert_eq!(name(PairedDesign { words: 0, ..DESIGN }), "words per letter");
    let sae_seeds = Some(SaeSeeds { count: 0, sd: 0.1 });
    assert_eq!(name(PairedDesign { sae_seeds, ..DESIGN }), "number of training seeds");
    assert!(matches!(
        DESIGN.minimum_detectable(1.0),
        Err(StatsError::OutOfRange { name: "power", .. })
    ));
    assert!(matches!(
        DESIGN.power(f64::NAN),
        Err(StatsError::OutOfRange { name: "effect", .. })
    ));
    assert!(matches!(
        words_needed(0.5, 0.0, 0.1),
        Err(StatsError::OutOfRange { .. })
    ));
    assert!(matches!(
        PairedDesign { letters: 2, ..DESIGN }.power(0.1),
        Err(StatsError::TooFewLetters { found: 2, .. })
    ));
}

const OWN_WORD_SD: f64 = 0.3;

/// Two methods on the benchmark's words whose differences have SD `difference_sd` over letters.
fn simulated(difference: f64, difference_sd: f64) -> Rejections {
    let model = PairedModel {
        panel: PanelModel::benchmark(0.23),
        difference,
        difference_sd,
        own_word_sd: OWN_WORD_SD,
    };
    let config = TestConfig {
        tests: 4_000,
        flips: 999,
        level: 0.95,
        seed: 2,
    };
    let start = std::time::Instant::now();
    let found = rejections(&model, &config).expect("defined");
    println!("difference {difference}: {found:?} in {:?}", start.elapsed());
    found
}

/// The design that describes [`simulated`]: noise of both methods, weighted by the full effect of
/// each word (variance 1 + Var f = exp(.25)), over the harmonic mean of 15 to 200 words.
fn design_of(difference_sd: f64) -> PairedDesign {
    let panel = PanelModel::benchmark(0.23);
    let inverse: f64 = (0..26).map(|letter| 1.0 / panel.words_of(letter) as f64).sum();
    PairedDesign {
        difference_sd,
        word_sd: OWN_WORD_SD * (2.0 * 0.25_f64.exp()).sqrt(),
        words: (26.0 / inverse).round() as usize,
        ..DESIGN
    }
}

/// Four Monte-Carlo standard errors of a share of .05 over 4,000 comparisons: .014.
#[test]
fn sign_flips_have_their_size() {
    let found = simulated(0.0, 0.10);
    assert!((found.sign_flip - 0.05).abs() < 0.014, "{found:?}");
    assert!((found.letter_t - 0.05).abs() < 0.014, "{found:?}");
    // Words as the unit find a difference that is not there in more than every fourth comparison.
    assert!(found.word_level > 0.25, "{found:?}");
}

/// Four standard errors of a share of .5 to .8 over 4,000 are .03; the rest of the tolerance is for
/// letters that differ in their number of words, which the design describes by one number.
#[test]
fn simulated_power_is_as_designed() {
    let design = design_of(0.10);
    let effect = design.minimum_detectable(0.8).expect("defined");
    let standard_error = design.standard_error().expect("defined");
    for difference in [effect, 0.7 * effect] {
        let expected = design.power(difference).expect("defined");
        let found = simulated(difference, 0.10);
        println!("expected power {expected}");
        assert!((found.sign_flip - expected).abs() < 0.04, "{found:?} {expected}");
        assert!((found.letter_t - expected).abs() < 0.04, "{found:?} {expected}");
        let observed = found.observed_sd / 26.0_f64.sqrt();
        assert!(
            (observed / standard_error - 1.0).abs() < 0.03,
            "{observed} {standard_error}"
        );
    }
}
