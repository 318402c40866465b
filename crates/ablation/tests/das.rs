//! Subspaces trained on the patch objective, against a planted linear read-out.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod linear;

use ablation::das::{Das, DasConfig, Gradients, train};
use ablation::effects::LetterLogits;
use ablation::{Bench, Directions, Pair, Result, arms, score};
use linear::Linear;
use rand::RngExt;

const D: usize = 16;
const CLASSES: usize = 4;
const WORDS: usize = 160;
/// Small enough that an imperfect patch costs something.
const GAIN: f32 = 2.0;

/// Answers are `GAIN x_c` for the first four letters; a nuisance that goes with the letter but is not read lies in other columns.
fn planted() -> Linear {
    let mut draw = stats::seed::rng(3, "planted");
    let linear = Linear::new(WORDS, D, CLASSES, |class, column| {
        let noise = 0.3 * (draw.random::<f64>() - 0.5);
        let read = if column == class { 1.0 } else { 0.0 };
        // The class mean points here more than along what is read.
        let unread = if column == class + 8 { 2.0 } else { 0.0 };
        noise + read + unread
    });
    Linear {
        gain: GAIN,
        floor: -6.0,
        sets: 2,
        ..linear
    }
}

impl Gradients for Linear {
    fn gradients(&self, rows: &[usize], _: &[f32], weights: &[LetterLogits]) -> Result<Vec<f32>> {
        let mut out = vec![0.0; rows.len() * D];
        for (out, weights) in out.chunks_exact_mut(D).zip(weights) {
            for (out, weight) in out.iter_mut().zip(&weights[..CLASSES]) {
                *out = GAIN * weight;
            }
        }
        Ok(out)
    }
}

fn trained(planted: &Linear, directions: &Directions, rank: usize) -> Das {
    let letters: Vec<usize> = (0..CLASSES).collect();
    train(
        planted,
        (&planted.words.y, &letters),
        directions,
        &DasConfig::of_rank(rank, 9),
    )
    .unwrap()
}

#[test]
fn training_finds_what_is_read_and_not_what_merely_goes_with_the_letter() {
    let planted = planted();
    let labelled = planted.words.clone();
    let directions = Directions::fit(&labelled, 0).unwrap();
    let das = trained(&planted, &directions, 1);
    // A step's pairs are few: means over some steps.
    let mean = |losses: &[f64]| losses.iter().sum::<f64>() / losses.len() as f64;
    let (first, last) = (mean(&das.losses[..3]), mean(&das.losses[das.losses.len() - 20..]));
    assert!(last < 0.5 * first, "{first} {last}");
    for (class, basis) in das.bases.iter().enumerate() {
        let length: f64 = basis.iter().map(|v| v * v).sum();
        assert!((length - 1.0).abs() < 1e-12);
        let mean = &directions.diff.directions[class * D..(class + 1) * D];
        let norm: f64 = mean.iter().map(|v| v * v).sum::<f64>().sqrt();
        // It started along the difference of means, which is mostly the unread column.
        assert!(mean[class].abs() / norm < 0.6);
        assert!(basis[class].abs() > 0.6, "class {class}: {basis:?}");
    }
    let patched = |arm: &ablation::Arm| -> f64 {
        let every = |class: usize| {
            let y = &planted.words.y;
            (0..WORDS).map(move |row| Pair {
                class,
                row,
                on: y[row] == class,
            })
        };
        let donors: Vec<Option<usize>> = (0..WORDS).map(|row| Some((row + 1) % WORDS)).collect();
        let full = arms::full_site(&directions);
        let bench = Bench::new(
            &planted,
            (0..CLASSES).collect(),
            planted.words.y.clone(),
            (0..CLASSES).flat_map(every).collect(),
            donors,
            &full,
        )
        .unwrap();
        let measured = bench.measure(arm, None, true).unwrap();
        let scored = score(&bench.rows(&measured, |row| row.to_string())).unwrap();
        let shares: Vec<f64> = scored.letters.values().filter_map(|s| s.ms_patch).collect();
        assert_eq!(shares.len(), CLASSES);
        shares.iter().sum::<f64>() / CLASSES as f64
    };
    let (das, mean) = (
        patched(&das.arm(&directions, 1)),
        patched(&arms::diff_mean(&directions, &labelled)),
    );
    assert!(das > 0.8 && das > mean + 0.2, "{das} {mean}");
}

#[test]
fn higher_ranks_stay_orthonormal_and_the_same_seed_gives_the_same_rows() {
    let planted = planted();
    let directions = Directions::fit(&planted.words.clone(), 0).unwrap();
    let (one, two) = (trained(&planted, &directions, 3), trained(&planted, &directions, 3));
    assert_eq!(one.bases, two.bases);
    for basis in &one.bases {
        for (i, a) in basis.chunks_exact(D).enumerate() {
            for (j, b) in basis.chunks_exact(D).enumerate() {
                let dot: f64 = a.iter().zip(b).map(|(a, b)| a * b).sum();
                assert!((dot - f64::from(u8::from(i == j))).abs() < 1e-10);
            }
        }
    }
}

#[test]
fn what_cannot_be_trained_is_refused() {
    let planted = planted();
    let directions = Directions::fit(&planted.words.clone(), 0).unwrap();
    let letters: Vec<usize> = (0..CLASSES).collect();
    let refused = |rank: usize, classes: &[usize]| {
        let config = DasConfig::of_rank(rank, 0);
        train(&planted, (classes, &letters), &directions, &config).is_err()
    };
    assert!(refused(0, &planted.words.y) && refused(D + 1, &planted.words.y));
    // One letter alone has no donors.
    assert!(refused(1, &[0; 20]));
}
