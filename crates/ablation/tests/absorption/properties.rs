//! What holds for every word.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use ablation::absorption::saebench::{Definition, Thresholds, score_word};
use ablation::absorption::variants::{VariantThresholds, score_variant};
use ablation::absorption::{Accounting, Along, Entry, SILENT, Word};
use proptest::prelude::*;
use sae::SparseLatents;

/// Latents 0 and 1 are main. Few latents, and many silent ones, so that every branch is met.
fn latents() -> impl Strategy<Value = Vec<(f64, f64)>> {
    let activation = prop_oneof![2 => Just(0.0), 1 => Just(5e-9), 3 => 0.1..9.0_f64, 1 => -9.0..-0.1_f64];
    prop::collection::vec((activation, -0.3..0.6_f64), 2..8)
}

fn word(latents: &[(f64, f64)], projection: f64, scale: f64) -> Word {
    let entries = latents.iter().zip(0..).map(|(&(activation, cosine), latent)| Entry {
        latent,
        activation,
        cosine,
        carried: scale * activation * cosine,
    });
    Word::new(scale * projection, entries.collect()).unwrap()
}

const MAIN: [u32; 2] = [0, 1];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn fractions_are_fractions(latents in latents(), projection in -3.0..6.0_f64) {
        let score = score_word(&word(&latents, projection, 1.0), &MAIN, &Thresholds::default());
        for definition in [Definition::V0_3_2, Definition::V0_6] {
            let fraction = score.fraction(definition);
            prop_assert!((0.0..=1.0).contains(&fraction), "{definition:?} {score:?}");
        }
        if projection <= 0.0 {
            prop_assert!(score.fraction_0_6 == 0.0 && !score.is_full());
        }
    }

    #[test]
    fn units_do_not_matter(latents in latents(), projection in -3.0..6.0_f64, power in -20..20_i32) {
        // A power of two, so that thresholds are compared to the same bits.
        let scale = 2.0_f64.powi(power);
        let thresholds = Thresholds::default();
        let [a, b] = [1.0, scale].map(|scale| score_word(&word(&latents, projection, scale), &MAIN, &thresholds));
        prop_assert_eq!(a.fraction_0_6.to_bits(), b.fraction_0_6.to_bits());
        prop_assert_eq!(a.fraction_0_3_2.to_bits(), b.fraction_0_3_2.to_bits());
        prop_assert_eq!(a.absorbed_by, b.absorbed_by);
        prop_assert_eq!((scale * a.main).to_bits(), b.main.to_bits());
        let thresholds = VariantThresholds { share: 0.3, absorbers: 2, main_share: 0.1 };
        let [a, b] = [1.0, scale].map(|scale| score_variant(&word(&latents, projection, scale), &MAIN, &thresholds));
        prop_assert_eq!(a, b);
    }

    #[test]
    fn full_absorption_means_silent_main_latents(latents in latents(), projection in 0.01..3.0_f64) {
        let word = word(&latents, projection, 1.0);
        let score = score_word(&word, &MAIN, &Thresholds::default());
        if let Some(by) = score.absorbed_by {
            prop_assert!(latents[..2].iter().all(|main| main.0.abs() < SILENT));
            prop_assert!(!word.any_fires(&MAIN, SILENT));
            let entry = word.get(by).unwrap();
            prop_assert!(entry.carried >= 0.4 * projection * (1.0 - 1e-12) && entry.cosine >= 0.025);
            prop_assert!(word.entries().iter().all(|other| other.carried <= entry.carried));
        }
    }

    /// More absorbers, weaker main latents and smaller shares only let more words in, and full
    /// absorption by a latent well above the threshold is also found by variant 1.
    #[test]
    fn variants_are_nested(latents in latents(), projection in 0.01..3.0_f64, share in 0.0..0.8_f64, more in 0.0..0.5_f64) {
        let word = word(&latents, projection, 1.0);
        let absorbed = |thresholds| score_variant(&word, &MAIN, &thresholds).unwrap().is_absorption;
        let one = absorbed(VariantThresholds::projection(share));
        for wider in [
            VariantThresholds::several(share, 3),
            VariantThresholds::weak_main(share, more),
            VariantThresholds::projection(share - more),
        ] {
            prop_assert!(!one || absorbed(wider), "{wider:?}");
        }
        let score = score_variant(&word, &MAIN, &VariantThresholds::projection(share)).unwrap();
        prop_assert!(score.absorbers.iter().all(|latent| !MAIN.contains(latent)));
        if score_word(&word, &MAIN, &Thresholds::default()).is_full() && score.main_share <= 0.0 {
            prop_assert!(score.absorbed_share >= 0.4 * (1.0 - 1e-12));
        }
    }

    /// A latent may be written as large activation times short row or the other way: true
    /// contributions stay, those by cosine do not.
    #[test]
    fn true_contributions_do_not_depend_on_decoder_norms(latents in latents(), projection in 0.01..3.0_f64) {
        let width = latents.len();
        let cosines: Vec<f64> = latents.iter().map(|latent| latent.1).collect();
        let score = |norm: f64, accounting| {
            let index: Vec<u32> = (0..width as u32).collect();
            let values = latents.iter().map(|latent| (latent.0 / norm) as f32).collect();
            let row = SparseLatents::new(width, vec![0, width], index, values);
            let products = cosines.iter().map(|cosine| cosine * norm).collect();
            let along = Along::new(cosines.clone(), products).unwrap();
            let word = Word::of_row(&row, 0, projection, &along, accounting).unwrap();
            score_variant(&word, &MAIN, &VariantThresholds::several(0.4, 2)).unwrap()
        };
        prop_assert_eq!(score(1.0, Accounting::Exact), score(4.0, Accounting::Exact));
        let (unit, short) = (score(1.0, Accounting::Cosine), score(4.0, Accounting::Cosine));
        prop_assert!((unit.absorbed_share - 4.0 * short.absorbed_share).abs() < 1e-9);
    }
}
