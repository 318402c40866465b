//! Known truth: intervals on simulated panels cover the planted macro mean as often as they say.
//!
//! A panel is 26 letters with unequal numbers of words (15 to 200). Letter `c` has a rate drawn
//! around one half with the given SD over letters, and each of its words succeeds with that rate.
//! The target is the mean over the population of letters.

use rand::{Rng, RngExt};
use stats::{BootstrapConfig, LetterRows, cluster_bootstrap, seed};

const LETTERS: usize = 26;
const PANELS: u64 = 2_000;
const TRUTH: f64 = 0.5;

/// Shares of panels whose interval contains the truth.
#[derive(Debug)]
struct Coverage {
    letter_t: f64,
    bootstrap_t: f64,
    word_level: f64,
}

/// Normal deviate as the sum of twelve uniforms (Irwin & Hall): variance 1, tails to 6.
fn normal(rng: &mut impl Rng) -> f64 {
    (0..12).map(|_| rng.random::<f64>()).sum::<f64>() - 6.0
}

fn panel(letter_sd: f64, rng: &mut impl Rng) -> Vec<LetterRows<1, 2>> {
    (0..LETTERS)
        .map(|letter| {
            let words = 15 + 185 * letter / (LETTERS - 1);
            // Reflection at 0 and 1 keeps the mean at one half by symmetry.
            let rate = (TRUTH + letter_sd * normal(rng)).clamp(0.0, 1.0);
            let row = |rng: &mut _| [f64::from(u8::from(RngExt::random_bool(rng, rate))), 1.0];
            LetterRows {
                groups: [(0..words).map(|_| row(rng)).collect()],
            }
        })
        .collect()
}

fn word_level_contains_truth(letters: &[LetterRows<1, 2>]) -> bool {
    let words: Vec<f64> = letters
        .iter()
        .flat_map(|l| l.groups[0].iter().map(|row| row[0]))
        .collect();
    let mean = stats::mean(&words).expect("defined");
    let half = 1.96 * stats::sd(&words).expect("defined") / (words.len() as f64).sqrt();
    (mean - TRUTH).abs() <= half
}

fn coverage(letter_sd: f64) -> Coverage {
    let mut hits = [0_u32; 3];
    for index in 0..PANELS {
        let mut rng = seed::rng(index, &format!("coverage/letter-sd={letter_sd}"));
        let letters = panel(letter_sd, &mut rng);
        let config = BootstrapConfig {
            level: 0.95,
            replicates: 400,
            seed: rng.next_u64(),
        };
        let result = cluster_bootstrap(&letters, |[sums]| Some([sums[0] / sums[1]]), &config).expect("defined");
        let metric = result.metrics[0].as_ref().expect("defined");
        hits[0] += u32::from(metric.letter_t.contains(TRUTH));
        hits[1] += u32::from(metric.bootstrap_t.contains(TRUTH));
        hits[2] += u32::from(word_level_contains_truth(&letters));
    }
    let share = |count: u32| f64::from(count) / PANELS as f64;
    Coverage {
        letter_t: share(hits[0]),
        bootstrap_t: share(hits[1]),
        word_level: share(hits[2]),
    }
}

/// Monte-Carlo standard error of a coverage near .95 over 2,000 panels: .005.
#[track_caller]
fn check(letter_sd: f64) {
    let found = coverage(letter_sd);
    println!("letter SD {letter_sd}: {found:?}");
    assert!((0.93..=0.97).contains(&found.letter_t), "{found:?}");
    assert!((0.93..=0.97).contains(&found.bootstrap_t), "{found:?}");
    assert!(found.word_level < 0.8, "{found:?}");
}

#[test]
fn covers_with_letter_sd_of_a_tenth() {
    check(0.10);
}

#[test]
fn covers_with_letter_sd_of_published_absorption_scores() {
    check(0.23);
}
