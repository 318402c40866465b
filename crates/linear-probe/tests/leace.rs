//! Identities of closed-form erasure, and the covariance estimate against scikit-learn.

mod common;

use common::{clusters, golden_data};
use linear_probe::metrics::evaluate;
use linear_probe::{Design, Labels, Leace, LogisticConfig, Moments, Shrinkage, fit_logistic};
use stats::seed;

const N: usize = 400;
const D: usize = 12;
const CLASSES: usize = 5;
const SHRINKAGES: [Shrinkage; 3] = [
    Shrinkage::LedoitWolf,
    Shrinkage::Ridge { relative: 0.0 },
    Shrinkage::Ridge { relative: 0.1 },
];

fn data() -> (Vec<f32>, Labels) {
    let (x, classes) = clusters(N, D, CLASSES, &mut seed::rng(3, "leace"));
    (x, Labels::new(&classes, CLASSES).expect("valid"))
}

fn moments(x: &[f32], labels: &Labels) -> Moments {
    Moments::new(Design::new(x, labels.n(), x.len() / labels.n()).expect("valid"), labels).expect("valid")
}

/// Largest absolute `cov(column, 1[y = class])`, by hand from f64 rows.
fn largest_covariance(rows: &[f64], labels: &Labels, class: usize) -> f64 {
    let (n, d) = (labels.n(), rows.len() / labels.n());
    let prior = labels.counts()[class] as f64 / n as f64;
    (0..d)
        .map(|j| {
            let mean: f64 = (0..n).map(|i| rows[i * d + j]).sum::<f64>() / n as f64;
            let sum: f64 = (0..n)
                .map(|i| (rows[i * d + j] - mean) * (f64::from(u8::from(labels.classes()[i] == class)) - prior))
                .sum();
            (sum / n as f64).abs()
        })
        .fold(0.0, f64::max)
}

fn wide(x: &[f32]) -> Vec<f64> {
    x.iter().map(|&x| f64::from(x)).collect()
}

#[test]
fn one_class_is_erased_exactly_under_any_shrinkage() {
    let (x, labels) = data();
    let design = Design::new(&x, N, D).expect("valid");
    for shrinkage in SHRINKAGES {
        let erasers = Leace::per_class(&moments(&x, &labels), shrinkage).expect("valid");
        for (class, eraser) in erasers.iter().enumerate() {
            let unit: f64 = eraser.reads.iter().zip(&eraser.writes).map(|(v, u)| v * u).sum();
            assert!((unit - 1.0).abs() < 1e-12, "{unit}");
            let erased = eraser.erase(design).expect("valid");
            let before = largest_covariance(&wide(&x), &labels, class);
            assert!(largest_covariance(&erased, &labels, class) < 1e-9 * before);
        }
    }
}

#[test]
fn all_classes_are_erased_exactly_with_one_rank_less() {
    let (x, labels) = data();
    let design = Design::new(&x, N, D).expect("valid");
    for shrinkage in SHRINKAGES {
        let eraser = Leace::joint(&moments(&x, &labels), shrinkage).expect("valid");
        assert_eq!(eraser.rank, CLASSES - 1);
        for i in 0..eraser.rank {
            for j in 0..eraser.rank {
                let (v, u) = (&eraser.reads[i * D..][..D], &eraser.writes[j * D..][..D]);
                let product: f64 = v.iter().zip(u).map(|(v, u)| v * u).sum();
                assert!((product - f64::from(u8::from(i == j))).abs() < 1e-10);
            }
        }
        let erased = eraser.erase(design).expect("valid");
        for class in 0..CLASSES {
            let before = largest_covariance(&wide(&x), &labels, class);
            assert!(largest_covariance(&erased, &labels, class) < 1e-9 * before);
        }
    }
}

#[test]
fn a_probe_on_erased_activations_is_at_chance() {
    let (x, labels) = data();
    let eraser = Leace::joint(&moments(&x, &labels), Shrinkage::LedoitWolf).expect("valid");
    let erased: Vec<f32> = eraser
        .erase(Design::new(&x, N, D).expect("valid"))
        .expect("valid")
        .iter()
        .map(|&x| x as f32)
        .collect();
    let fit = |x: &[f32]| {
        let design = Design::new(x, N, D).expect("valid");
        let config = LogisticConfig {
            tolerance: 1e-8,
            ..LogisticConfig::balanced(1.0)
        };
        let probe = fit_logistic(design, &labels, &config).expect("valid").probe;
        let scores = probe.scores(design).expect("valid");
        (
            evaluate(&scores, &labels, 0.0).expect("valid").macro_mean(|c| c.auc),
            scores,
        )
    };
    assert!(fit(&x).0.expect("defined") > 0.65);
    // Without covariance the balanced loss has its minimum at w = 0: all logits vanish, up to the
    // rounding of the erased rows to f32.
    assert!(fit(&erased).1.iter().all(|score| score.abs() < 1e-4));
}

#[test]
fn rotation_of_the_activations_rotates_the_erased_rows() {
    let (x, labels) = data();
    // A quarter turn of each pair of columns is exact in f32.
    let turn = |x: &[f64]| -> Vec<f64> { x.chunks_exact(2).flat_map(|p| [-p[1], p[0]]).collect() };
    let turned: Vec<f32> = turn(&wide(&x)).iter().map(|&x| x as f32).collect();
    for shrinkage in SHRINKAGES {
        let pair = |x: &[f32]| {
            let moments = moments(x, &labels);
            let design = Design::new(x, N, D).expect("valid");
            let one = Leace::per_class(&moments, shrinkage).expect("valid").swap_remove(2);
            let all = Leace::joint(&moments, shrinkage).expect("valid");
            [one.erase(design).expect("valid"), all.erase(design).expect("valid")]
        };
        for (plain, rotated) in pair(&x).iter().zip(pair(&turned)) {
            for (a, b) in turn(plain).iter().zip(rotated) {
                assert!((a - b).abs() < 1e-9, "{a} {b}");
            }
        }
    }
}

/// `sklearn.covariance.ledoit_wolf`, scikit-learn 1.9.1, on `common::golden_data`.
#[test]
fn ledoit_wolf_equals_scikit_learn() {
    let (x, classes) = golden_data();
    let labels = Labels::new(&classes, 3).expect("valid");
    let found = moments(&x, &labels).ledoit_wolf_intensity();
    assert!((found - 0.019_260_197_112).abs() < 1e-11, "{found}");
}
