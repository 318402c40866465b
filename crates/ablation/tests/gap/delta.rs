//! The delta family with many children (Chanin et al. 2025, appendix A.2): the absorbed share is known exactly.

use ablation::gap::{Accounting, Config, Terms, shares};
use ablation::{Labelled, SaeSide};
use sae::{Architecture, Normalization, Sae, Weights};

use crate::made::{axes, config};

/// Words of the class in which a child fires too; each has a child of its own.
const WITH_CHILD: usize = 10;
const ALONE: usize = 40;
const D: usize = 2 + WITH_CHILD;
const DELTAS: [f64; 5] = [0.0, 0.25, 0.5, 0.9, 1.0];

/// Words of the parent's class, then as many of another.
fn words() -> Labelled {
    let mut x = Vec::new();
    for word in 0..WITH_CHILD + ALONE {
        let mut row = [0.0f32; D];
        row[0] = 1.0;
        if word < WITH_CHILD {
            row[2 + word] = 1.0;
        }
        x.extend(row);
    }
    for _ in 0..WITH_CHILD + ALONE {
        let mut row = [0.0f32; D];
        row[1] = 1.0;
        x.extend(row);
    }
    Labelled {
        y: (0..2 * (WITH_CHILD + ALONE))
            .map(|i| i / (WITH_CHILD + ALONE))
            .collect(),
        x,
        d: D,
        classes: 2,
    }
}

/// Latent 0: the parent less `delta` of every child; latent 1: the other class; then the children, which write `delta` of the parent.
fn family(delta: f64) -> Sae {
    let delta = delta as f32;
    let mut w_enc = vec![0.0f32; D * D];
    let mut w_dec = vec![0.0f32; D * D];
    for latent in 0..D {
        w_enc[latent * D + latent] = 1.0;
        w_dec[latent * D + latent] = 1.0;
    }
    for child in 2..D {
        w_enc[child * D] = -delta;
        w_dec[child * D] = delta;
    }
    let weights = Weights {
        w_enc,
        w_dec,
        b_enc: vec![0.0; D],
        b_dec: vec![0.0; D],
        ..Weights::default()
    };
    Sae::new(config(D, D, Architecture::Standard, Normalization::None), weights).unwrap()
}

fn accounted(delta: f64, config: Config) -> (Terms, f64) {
    let (words, sae) = (words(), family(delta));
    let side = SaeSide::new(&sae, &words).unwrap();
    let accounting = Accounting::new(&side, &words, axes(&words), &[vec![0], vec![1]], config).unwrap();
    let rows: Vec<usize> = (0..WITH_CHILD + ALONE).collect();
    let divided = accounting.words(&words.x, &side.train, 0, &rows).unwrap();
    let total: f64 = divided.iter().map(|word| word.excess).sum();
    let partial: f64 = divided.iter().map(|word| word.partial).sum();
    (shares(&divided).unwrap(), partial / total)
}

#[test]
fn every_shortfall_counted_gives_the_closed_form() {
    for delta in DELTAS {
        let expected = delta * WITH_CHILD as f64 / (WITH_CHILD + ALONE) as f64;
        let (terms, partial) = accounted(
            delta,
            Config {
                carried: 1.0,
                ..Config::default()
            },
        );
        assert!((terms.absorb - expected).abs() < 1e-6, "{delta}: {terms:?}");
        assert!((terms.main - (1.0 - expected)).abs() < 1e-6, "{delta}: {terms:?}");
        assert!(partial.abs() < 1e-12 && terms.dark.abs() < 1e-6 && terms.threshold.abs() < 1e-12);
    }
}

/// The default limit calls it absorption only where the main latent carries less than half; what it holds elsewhere is partial.
#[test]
fn the_default_rule_divides_it_into_full_and_partial() {
    for delta in DELTAS {
        let expected = delta * WITH_CHILD as f64 / (WITH_CHILD + ALONE) as f64;
        let (terms, partial) = accounted(delta, Config::default());
        assert!((terms.absorb + partial - expected).abs() < 1e-6, "{delta}: {terms:?}");
        let full = if delta > 0.5 { expected } else { 0.0 };
        assert!((terms.absorb - full).abs() < 1e-6, "{delta}: {terms:?}");
        assert!((terms.main - (1.0 - expected)).abs() < 1e-6);
    }
}

#[test]
fn words_whose_main_latent_is_weakened_are_tagged() {
    let tagged = |delta: f64| {
        let (words, sae) = (words(), family(delta));
        let side = SaeSide::new(&sae, &words).unwrap();
        let accounting = Accounting::new(&side, &words, axes(&words), &[vec![0], vec![1]], Config::default()).unwrap();
        let rows: Vec<usize> = (0..WITH_CHILD + ALONE).collect();
        Accounting::partially_absorbed(&accounting.words(&words.x, &side.train, 0, &rows).unwrap())
    };
    assert_eq!(tagged(0.9), (0..WITH_CHILD).collect::<Vec<_>>());
    // At 1 the main latent is silent there: full absorption, not partial; at .25 it keeps three quarters.
    assert!(tagged(1.0).is_empty() && tagged(0.25).is_empty());
}
