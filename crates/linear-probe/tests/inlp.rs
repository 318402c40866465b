//! Iterative nullspace projection on planted classes.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use linear_probe::inlp::{InlpConfig, inlp};
use linear_probe::{Design, Labels, LogisticConfig};
use rand::RngExt;
use stats::seed;

const N: usize = 1500;
const D: usize = 10;

fn config() -> InlpConfig {
    InlpConfig {
        logistic: LogisticConfig::balanced(1.0),
        held_out: 0.2,
        z: 1.645,
        max_rank: 8,
        most_others: 100_000,
        seed: 5,
    }
}

/// Noise of unit variance in `D` columns; class 0 is shifted along `shifted` columns.
fn planted(shifted: &[usize]) -> (Vec<f32>, Labels) {
    let mut draw = seed::rng(11, "inlp");
    let classes: Vec<usize> = (0..N).map(|row| row % 3).collect();
    let mut x = Vec::with_capacity(N * D);
    for &class in &classes {
        for column in 0..D {
            let noise = (0..12).map(|_| draw.random::<f64>()).sum::<f64>() - 6.0;
            let shift = if class == 0 && shifted.contains(&column) {
                2.0
            } else {
                0.0
            };
            x.push((noise + shift) as f32);
        }
    }
    (x, Labels::new(&classes, 3).unwrap())
}

#[test]
fn a_shift_along_one_line_needs_one_direction() {
    let (x, labels) = planted(&[3, 7]);
    let found = inlp(Design::new(&x, N, D).unwrap(), &labels, &config()).unwrap();
    let first = &found[0];
    assert!(first.at_chance && first.auc[0] > 0.95, "{:?}", first.auc);
    // The line is estimated, not known: what the first probe misses may take one or two more.
    assert!((1..=3).contains(&first.rank()), "{:?}", first.auc);
    let along: f64 = [3, 7].iter().map(|&c| first.basis[c] / 2f64.sqrt()).sum();
    assert!(along.abs() > 0.97, "{along}");
    // Classes 1 and 2 differ in nothing but that they are not class 0, and one direction tells that.
    for other in &found[1..] {
        assert!(other.at_chance && other.auc[0] > 0.6, "{:?}", other.auc);
    }
}

#[test]
fn the_basis_is_orthonormal_and_the_limit_is_said() {
    let (x, labels) = planted(&[0, 1, 2, 3]);
    let one = InlpConfig {
        max_rank: 1,
        ..config()
    };
    // A bar that no probe stays below: only the limit ends it.
    let strict = InlpConfig {
        z: -1e6,
        max_rank: 4,
        ..config()
    };
    let design = Design::new(&x, N, D).unwrap();
    for (config, rank) in [(one, 1), (strict, 4)] {
        let found = inlp(design, &labels, &config).unwrap();
        for class in &found {
            assert!(class.rank() <= rank && class.basis.len() == class.rank() * D);
            for (i, a) in class.basis.chunks_exact(D).enumerate() {
                for (j, b) in class.basis.chunks_exact(D).enumerate() {
                    let dot: f64 = a.iter().zip(b).map(|(a, b)| a * b).sum();
                    assert!((dot - f64::from(u8::from(i == j))).abs() < 1e-10);
                }
            }
        }
        if rank == 4 {
            assert!(found.iter().all(|class| class.rank() == 4 && !class.at_chance));
        }
    }
}

#[test]
fn noise_has_no_direction_and_fewer_rows_are_enough() {
    let (x, labels) = planted(&[]);
    let design = Design::new(&x, N, D).unwrap();
    let found = inlp(design, &labels, &config()).unwrap();
    // One-sided 5 %: three independent classes are rarely all above the bar.
    assert!(found.iter().filter(|class| class.rank() == 0).count() >= 2);
    let (x, labels) = planted(&[5]);
    let few = InlpConfig {
        most_others: 200,
        ..config()
    };
    let found = inlp(Design::new(&x, N, D).unwrap(), &labels, &few).unwrap();
    assert!(found[0].basis[5].abs() > 0.9, "{:?}", found[0].basis);
}
