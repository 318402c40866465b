//! `SAEBench`'s definition, against its calculator and its aggregates.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use ablation::absorption::saebench::{
    Definition, Guard, LetterMark, LetterWords, SaeMark, SaeScore, Thresholds, WordScore, score_word,
};
use ablation::absorption::{Accounting, Along, Entry, Word};
use sae::SparseLatents;

use crate::golden::{D, Synthetic, WIDTH, close, count, json, latents, letter, list, number, synthetic};

fn word(activations: &[f64], cosines: &[f64], projection: f64) -> Word {
    let entries = activations.iter().zip(cosines).zip(0..);
    let entries = entries.map(|((&activation, &cosine), latent)| Entry {
        latent,
        activation,
        cosine,
        carried: activation * cosine,
    });
    Word::new(projection, entries.collect()).unwrap()
}

/// Vectors of `SAEBench` 0.6.0's own calculator, run with a stub model: activations, cosines, main
/// latents, projection; fraction, full absorption, fraction of 0.3.2.
#[test]
fn twelve_vectors() {
    type Case = (&'static [f64], &'static [f64], &'static [u32], f64, f64, bool, f64);
    let cases: [Case; 12] = [
        (&[10.0, 2.0], &[0.5, 0.2], &[0], 5.0, 0.0, false, 0.0),
        (&[0.0, 8.0], &[0.5, 0.4], &[0], 5.0, 1.0, true, 1.0),
        (&[4.0, 6.0], &[0.5, 0.3], &[0], 5.0, 0.0, false, 0.473_684),
        (&[6.0, 10.0], &[0.5, 0.3], &[0], 5.0, 0.4, false, 0.5),
        (&[4.0, 3.0], &[0.5, 0.3], &[0], 5.0, 0.0, false, 0.310_345),
        (&[0.0, 50.0], &[0.5, 0.05], &[0], 5.0, 0.0, true, 1.0),
        (
            &[2.0, 4.0, 4.0, 4.0, 4.0],
            &[0.5, 0.2, 0.2, 0.2, 0.2],
            &[0],
            5.0,
            0.705_882,
            false,
            0.761_905,
        ),
        (&[1e-6, 8.0], &[0.5, 0.4], &[0], 5.0, 1.0, false, 1.0),
        (&[3.0, 8.0], &[-0.2, 0.4], &[0], 5.0, 1.0, false, 1.0),
        (
            &[1.0, 1.0, 9.0],
            &[0.4, 0.3, 0.3],
            &[0, 1],
            4.0,
            0.794_118,
            false,
            0.794_118,
        ),
        (&[0.0, 8.0], &[0.5, 0.4], &[0], -2.0, 0.0, false, 0.0),
        (&[0.0, 8.0], &[0.5, 0.25], &[0], 5.0, 1.0, true, 1.0),
    ];
    for (i, (acts, cosines, main, projection, fraction, full, old)) in cases.into_iter().enumerate() {
        let score = score_word(&word(acts, cosines, projection), main, &Thresholds::default());
        let found = score.fraction(Definition::V0_6);
        assert!((found - fraction).abs() < 1e-6, "T{}: {found}", i + 1);
        let found = score.fraction(Definition::V0_3_2);
        assert!((found - old).abs() < 1e-6, "T{} in 0.3.2: {found}", i + 1);
        assert_eq!(score.is_full(), full, "T{}", i + 1);
    }
}

/// The same word under other constants: every threshold is a parameter.
#[test]
fn thresholds_are_parameters() {
    let usual = Thresholds::default();
    let score = |word: &Word, thresholds: Thresholds| score_word(word, &[0], &thresholds);
    let low = word(&[4.0, 6.0], &[0.5, 0.3], 5.0);
    let lower = Thresholds { share: 0.36, ..usual };
    assert!(score(&low, usual).fraction_0_6 == 0.0);
    assert!((score(&low, lower).fraction_0_6 - 1.8 / 3.8).abs() < 1e-12);
    let narrow = word(&[0.0, 50.0], &[0.5, 0.05], 5.0);
    let wider = Thresholds {
        fraction_cosine: 0.05,
        ..usual
    };
    assert_eq!(
        (score(&narrow, usual).fraction_0_6, score(&narrow, wider).fraction_0_6),
        (0.0, 1.0)
    );
    let strict = Thresholds {
        full_cosine: 0.06,
        ..usual
    };
    assert!(score(&narrow, usual).is_full() && !score(&narrow, strict).is_full());
    let shared = word(&[0.0, 4.0, 4.0], &[0.5, 0.3, 0.3], 5.0);
    let single = Thresholds {
        max_absorbers: 1,
        ..usual
    };
    assert_eq!(
        (score(&shared, usual).fraction_0_6, score(&shared, single).fraction_0_6),
        (1.0, 0.0)
    );
    let weak = word(&[1e-6, 8.0], &[0.5, 0.4], 5.0);
    let lenient = Thresholds {
        main_silent: 1e-5,
        ..usual
    };
    assert!(!score(&weak, usual).is_full() && score(&weak, lenient).is_full());
}

#[test]
fn no_projection_is_no_absorption() {
    let score = score_word(&word(&[0.0, 8.0], &[0.5, 0.4], 0.0), &[0], &Thresholds::default());
    assert_eq!((score.fraction_0_6, score.is_full()), (0.0, false));
    // Version 0.3.2 never divides by it.
    let score = score_word(&word(&[-1.0, 8.0], &[0.5, 0.4], 0.0), &[0], &Thresholds::default());
    assert_eq!((score.fraction_0_6, score.fraction_0_3_2), (0.0, 1.0));
}

#[test]
fn signed_and_equal_latents() {
    let full = |word: &Word| score_word(word, &[0], &Thresholds::default()).absorbed_by;
    assert_eq!(
        full(&word(&[-3.0, 8.0], &[0.5, 0.4], 5.0)),
        None,
        "a strongly negative main latent fires"
    );
    assert_eq!(full(&word(&[-5e-9, 8.0], &[0.5, 0.4], 5.0)), Some(1));
    assert_eq!(
        full(&word(&[0.0, 6.0, 6.0], &[0.5, 0.4, 0.4], 5.0)),
        Some(1),
        "the lower of two equal ones"
    );
    assert_eq!(
        full(&word(&[0.0, -6.0], &[0.5, -0.4], 5.0)),
        None,
        "carries enough, but points away"
    );
}

/// A diffuse word, as it drifted between versions: twenty latents of cosine .05 carry .04 each.
#[test]
fn versions_differ_on_diffuse_words() {
    let (mut acts, mut cosines) = (vec![0.2], vec![0.5]);
    acts.extend([0.8; 20]);
    cosines.extend([0.05; 20]);
    let score = score_word(&word(&acts, &cosines, 1.0), &[0], &Thresholds::default());
    assert!(score.fraction_0_3_2 > 0.8 && score.fraction_0_6 == 0.0, "{score:?}");
}

impl Synthetic {
    fn direction(&self, class: usize) -> Vec<f64> {
        let row = &self.probe[class * D..(class + 1) * D];
        let length = row.iter().map(|&v| f64::from(v).powi(2)).sum::<f64>().sqrt();
        row.iter().map(|&v| f64::from(v) / length).collect()
    }

    /// A row of test activations along the probe of a class, computed from the tensors alone.
    fn word(&self, row: usize, class: usize) -> Word {
        let direction = self.direction(class);
        let along = |v: &[f32]| v.iter().zip(&direction).map(|(&v, d)| f64::from(v) * d).sum::<f64>();
        let products: Vec<f64> = self.decoder.chunks_exact(D).map(along).collect();
        let lengths = self
            .decoder
            .chunks_exact(D)
            .map(|w| w.iter().map(|&v| f64::from(v).powi(2)).sum::<f64>().sqrt());
        let cosines = products.iter().zip(lengths).map(|(p, length)| p / length).collect();
        let acts = &self.acts[row * WIDTH..(row + 1) * WIDTH];
        let active: Vec<u32> = (0..WIDTH as u32).filter(|&j| acts[j as usize] != 0.0).collect();
        let values = active.iter().map(|&j| acts[j as usize]).collect();
        let latents = SparseLatents::new(WIDTH, vec![0, active.len()], active, values);
        let along_probe = Along::new(cosines, products).unwrap();
        let projection = along(&self.x[row * D..(row + 1) * D]);
        Word::of_row(&latents, 0, projection, &along_probe, Accounting::Cosine).unwrap()
    }

    /// Whether the probe finds the row's letter.
    fn found(&self, row: usize) -> bool {
        let class = self.y[row];
        let (x, w) = (&self.x[row * D..(row + 1) * D], &self.probe[class * D..(class + 1) * D]);
        let logit: f64 = x.iter().zip(w).map(|(&x, &w)| f64::from(x) * f64::from(w)).sum();
        logit + f64::from(self.bias[class]) > 0.0
    }
}

#[test]
fn words_of_the_released_calculator() {
    let (data, golden) = (synthetic(), json("saebench.absorption.json"));
    let cases = list(&golden["cases"]);
    assert_eq!(cases.len(), 992);
    let (mut full, mut partial) = (0, 0);
    for case in cases {
        let class = letter(&case["letter"]) as usize - 'a' as usize;
        let word = data.word(count(&case["row"]), class);
        let score = score_word(&word, &latents(&case["main"]), &Thresholds::default());
        close(word.projection(), &case["projection"], 1e-5, "projection");
        close(score.fraction_0_6, &case["fraction"], 1e-5, &case.to_string());
        assert_eq!(score.is_full(), case["full"].as_bool().unwrap(), "{case}");
        let [latent, activation, cosine, product] = list(&case["top"]) else {
            unreachable!("an entry has four numbers")
        };
        if let Some(entry) = word.get(count(latent) as u32) {
            close(entry.activation, activation, 1e-4, "activation");
            close(entry.cosine, cosine, 1e-5, "cosine");
            close(entry.carried, product, 1e-4, "contribution");
            assert!(score.absorbed_by.is_none_or(|by| by == entry.latent), "{case}");
        } else {
            assert!(number(product).abs() < 1e-9, "{case}");
        }
        full += usize::from(score.is_full());
        partial += usize::from(score.fraction_0_6 > 0.0 && score.fraction_0_6 < 1.0);
    }
    assert_eq!((full, partial), (33, 23), "the data hold both kinds of absorption");
}

#[test]
fn letters_of_the_released_aggregate() {
    let data = synthetic();
    let golden = json("saebench.absorption_aggregate.json");
    let scores: Vec<Vec<WordScore>> = list(&golden)
        .iter()
        .enumerate()
        .map(|(class, expected)| {
            let rows = (0..data.y.len()).filter(|&row| data.y[row] == class && data.found(row));
            let main = latents(&expected["split_feats"]);
            rows.map(|row| score_word(&data.word(row, class), &main, &Thresholds::default()))
                .collect()
        })
        .collect();
    let words: Vec<LetterWords<'_>> = list(&golden)
        .iter()
        .zip(&scores)
        .map(|(expected, words)| LetterWords {
            letter: letter(&expected["letter"]),
            probe_f1: 0.0,
            main_latents: latents(&expected["split_feats"]).len(),
            true_positives: words.len(),
            words,
        })
        .collect();
    let score = SaeScore::new(&words, Definition::V0_6, &Guard::NONE).unwrap();
    assert!(score.is_valid());
    assert_eq!(score.n, 26);
    for (found, expected) in score.letters.iter().zip(list(&golden)) {
        let what = &expected.to_string();
        assert_eq!(
            found.true_positives,
            count(&expected["num_probe_true_positives"]),
            "{what}"
        );
        assert_eq!(found.main_latents, count(&expected["num_split_feats"]), "{what}");
        assert_eq!(found.full, count(&expected["num_full_absorption"]), "{what}");
        close(found.fraction_sum_0_6, &expected["absorption_fraction"], 2e-5, what);
        let mean = found.fraction(Definition::V0_6).unwrap();
        close(mean, &expected["mean_absorption_fraction"], 1e-5, what);
        close(
            found.full_rate().unwrap(),
            &expected["full_absorption_rate"],
            1e-6,
            what,
        );
    }
}

fn task_words(letter: &serde_json::Value) -> Vec<WordScore> {
    list(&letter["words"])
        .iter()
        .map(|word| WordScore {
            projection: 1.0,
            main: 0.0,
            absorbers: 0.0,
            all: 0.0,
            fraction_0_6: number(&word[0]),
            fraction_0_3_2: 0.25,
            absorbed_by: (count(&word[1]) == 1).then_some(0),
        })
        .collect()
}

/// The released result of SAEs of a small model: its guard drops one letter.
#[test]
fn results_of_a_trained_model() {
    let golden = json("saebench.task.json");
    for name in ["btk_256", "std_512", "std_2048_sparse"] {
        let golden = &golden[name];
        let scored: Vec<Vec<WordScore>> = list(&golden["letters"]).iter().map(task_words).collect();
        let words: Vec<LetterWords<'_>> = list(&golden["letters"])
            .iter()
            .zip(&scored)
            .map(|(expected, words)| LetterWords {
                letter: letter(&expected["letter"]),
                probe_f1: number(&expected["f1_probe"]),
                main_latents: latents(&expected["split_feats"]).len(),
                true_positives: words.len(),
                words,
            })
            .collect();
        let score = SaeScore::new(&words, Definition::V0_6, &Guard::default()).unwrap();
        assert_eq!((score.n, score.mark), (25, SaeMark::Valid), "{name}");
        for (found, expected) in score.letters.iter().zip(list(&golden["letters"])) {
            let detail = &expected["detail"];
            assert_eq!(found.counts(), !detail.is_null(), "{name} {}", found.letter);
            if found.counts() {
                assert_eq!(found.full, count(&detail["num_full_absorption"]));
                assert_eq!(found.true_positives, count(&detail["num_probe_true_positives"]));
                assert_eq!(found.main_latents, count(&detail["num_split_features"]));
                let mean = found.fraction(Definition::V0_6).unwrap();
                close(mean, &detail["mean_absorption_fraction"], 1e-5, name);
            }
        }
        let metrics = &golden["metrics"];
        for (spread, field) in [
            (score.fraction, "absorption_fraction_score"),
            (score.full, "full_absorption_score"),
            (score.main_latents, "num_split_features"),
        ] {
            let spread = spread.unwrap();
            close(spread.mean, &metrics[format!("mean_{field}")], 1e-5, field);
            close(spread.sd.unwrap(), &metrics[format!("std_dev_{field}")], 1e-5, field);
        }
        let old = SaeScore::new(&words, Definition::V0_3_2, &Guard::default()).unwrap();
        assert!((old.fraction.unwrap().mean - 0.25).abs() < 1e-12, "the other fraction");
        assert_eq!(old.full, score.full);
    }
}

fn some_word(fraction: f64) -> WordScore {
    WordScore {
        projection: 1.0,
        main: 0.0,
        absorbers: 0.0,
        all: 0.0,
        fraction_0_6: fraction,
        fraction_0_3_2: fraction,
        absorbed_by: None,
    }
}

#[test]
fn the_guard_marks_and_does_not_stop() {
    let (one, two) = ([some_word(0.5)], [some_word(0.25), some_word(0.25)]);
    let letter = |letter, probe_f1, words| LetterWords {
        letter,
        probe_f1,
        main_latents: 2,
        true_positives: 2,
        words,
    };
    let letters = [
        letter('a', 0.9, &two),
        letter('b', 0.6, &two),
        letter('c', 0.7, &one),
        letter('d', 0.9, &[]),
    ];
    let score = SaeScore::new(&letters, Definition::V0_6, &Guard::default()).unwrap();
    let marks: Vec<LetterMark> = score.letters.iter().map(|letter| letter.mark).collect();
    assert_eq!(
        marks,
        [
            LetterMark::Counts,
            LetterMark::WeakProbe,
            LetterMark::Counts,
            LetterMark::NoWords
        ]
    );
    assert_eq!(score.mark, SaeMark::TooFewLetters { found: 2, needed: 20 });
    let fraction = score.fraction.unwrap();
    assert!(
        (fraction.mean - 0.25).abs() < 1e-12 && fraction.sd == Some(0.0),
        "0.5 of two words is 0.25"
    );
    assert_eq!(
        score.letters[1].fraction(Definition::V0_6),
        Some(0.25),
        "a weak letter keeps its number"
    );
    assert_eq!(score.letters[3].fraction(Definition::V0_6), None);
    // One letter has no spread, and none has no mean.
    let alone = SaeScore::new(&letters[..1], Definition::V0_6, &Guard::NONE).unwrap();
    assert!(alone.is_valid() && alone.fraction.unwrap().sd.is_none());
    let none = SaeScore::new(&letters[3..], Definition::V0_3_2, &Guard::of(Definition::V0_3_2)).unwrap();
    assert_eq!((none.is_valid(), none.fraction), (false, None));
    let nothing_needed = Guard {
        min_letters: 0,
        ..Guard::NONE
    };
    let none = SaeScore::new(&[], Definition::V0_6, &nothing_needed).unwrap();
    assert_eq!(none.mark, SaeMark::TooFewLetters { found: 0, needed: 1 });
    let three = [some_word(0.0); 3];
    assert!(SaeScore::new(&[letter('e', 0.9, &three)], Definition::V0_6, &Guard::NONE).is_err());
    assert!(SaeScore::new(&[letter('e', f64::NAN, &two)], Definition::V0_6, &Guard::NONE).is_err());
}
