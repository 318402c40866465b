//! Arms by their defining properties, on a planted linear read-out and a hand-made SAE.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod linear;

use ablation::arms::{self, Coordinates, ranked_coordinates};
use ablation::{Arm, Directions, Editor, Reader, Readout, SaeSide, Subject};
use linear::Linear;
use rand::RngExt;
use sae::{Architecture, Normalization, Output, Reshape, Sae, SaeConfig, Weights};

const D: usize = 8;
const CLASSES: usize = 4;
const WORDS: usize = 200;

/// Letter `c` is read from column `c`; columns 4 to 7 are noise of twice the size.
fn planted() -> Linear {
    let mut draw = stats::seed::rng(1, "planted");
    Linear::new(WORDS, D, CLASSES, |class, column| {
        let size = if column < CLASSES { 0.5 } else { 1.0 };
        let mean = if column == class { 2.0 } else { 0.0 };
        mean + size * (draw.random::<f64>() - 0.5)
    })
}

/// Latent `j < 4` reads and writes column `j`, as `relu(x_j - 1)`; latents 4 to 11 are their noisy doubles, of growing scale.
fn sae() -> Sae {
    let width = 12;
    let (mut w_enc, mut w_dec) = (vec![0.0; D * width], vec![0.0; width * D]);
    let mut b_enc = vec![0.0; width];
    for latent in 0..width {
        let scale = if latent < 4 { 1.0 } else { 1.0 + latent as f32 / 10.0 };
        w_enc[(latent % 4) * width + latent] = scale;
        b_enc[latent] = -1.0;
        w_dec[latent * D + latent % D] = 1.0;
    }
    let config = SaeConfig {
        d_in: D,
        d_sae: width,
        architecture: Architecture::Standard,
        apply_b_dec_to_input: false,
        normalize_activations: Normalization::None,
        reshape_activations: Reshape::None,
        output: Output::autoencoder(D),
        metadata: sae::Metadata::default(),
    };
    let weights = Weights {
        w_enc,
        b_enc,
        w_dec,
        b_dec: vec![0.0; D],
        ..Weights::default()
    };
    Sae::new(config, weights).unwrap()
}

fn delta(editor: &Editor, x: &[f32]) -> Vec<f64> {
    editor.delta(Subject { x, latents: None }).unwrap()
}

fn norm(v: &[f64]) -> f64 {
    v.iter().map(|v| v * v).sum::<f64>().sqrt()
}

/// Latents and writes of an editor's terms.
fn latents_of(editor: &Editor) -> Vec<(u32, Vec<f64>)> {
    let Editor::Terms { terms, .. } = editor else {
        return Vec::new();
    };
    let of = |term: &ablation::Term| match term.reader {
        Reader::Latent { latent } => (latent, term.write.clone()),
        Reader::Linear { .. } => panic!("a linear read"),
    };
    terms.iter().map(of).collect()
}

#[test]
fn floors_are_as_long_as_their_control_and_stay_among_the_components() {
    let planted = planted();
    let train = planted.words.clone();
    let directions = Directions::fit(&train, 0).unwrap();
    let leace = arms::leace_1(&directions, &train);
    let floor = arms::random_pca(&leace, &directions, 3, 5);
    let components = directions.spectrum.components_for(arms::PCA_SHARE);
    assert!(components < D, "{components}");
    for draw in &floor.draws {
        for (class, editor) in draw.iter().enumerate() {
            let x = planted.site(class);
            let (own, control) = (delta(editor, x), delta(&leace.draws[0][class], x));
            assert!((norm(&own) - norm(&control)).abs() < 1e-9);
            let outside: f64 = (components..D)
                .map(|j| {
                    directions
                        .spectrum
                        .vector(j)
                        .iter()
                        .zip(&own)
                        .map(|(u, d)| u * d)
                        .sum::<f64>()
                })
                .map(f64::abs)
                .sum();
            assert!(outside < 1e-9 * norm(&own), "{outside}");
        }
    }
    assert_ne!(
        delta(&floor.draws[0][0], planted.site(0)),
        delta(&floor.draws[1][0], planted.site(0))
    );
}

#[test]
fn the_haufe_write_lands_the_read_on_its_target_and_zero_means_a_zero_projection() {
    let planted = planted();
    let train = planted.words.clone();
    let directions = Directions::fit(&train, 0).unwrap();
    let (lr, haufe) = (arms::lr(&directions, &train), arms::lr_haufe(&directions, &train));
    for class in 0..CLASSES {
        let read = directions.lr.direction(class);
        let value = |x: &[f64]| x.iter().zip(read).map(|(x, r)| x * r).sum::<f64>();
        let x = planted.site(class);
        let after = |arm: &Arm| -> Vec<f64> {
            let delta = delta(&arm.draws[0][class], x);
            x.iter().zip(delta).map(|(&x, d)| f64::from(x) + d).collect()
        };
        // Both bring the same read to the same place, along different lines.
        assert!((value(&after(&lr)) - value(&after(&haufe))).abs() < 1e-9);
        assert!(after(&lr).iter().zip(after(&haufe)).any(|(a, b)| (a - b).abs() > 1e-3));
        let zero = arms::at_zero(&arms::leace_1(&directions, &train)).unwrap();
        assert_eq!(zero.name, "leace-1@zero");
        let leace = &directions.leace[class];
        let projection: f64 = after(&zero).iter().zip(&leace.reads).map(|(x, r)| x * r).sum();
        assert!(projection.abs() < 1e-9, "{projection}");
    }
    assert!(arms::at_zero(&arms::full_site(&directions)).is_err());
}

#[test]
fn resampling_brings_the_read_to_that_of_a_word_of_another_letter() {
    let planted = planted();
    let train = planted.words.clone();
    let directions = Directions::fit(&train, 0).unwrap();
    let resampled = arms::resampled(&arms::leace_1(&directions, &train), &train, None, 4, 2).unwrap();
    assert_eq!(resampled.draws.len(), 4);
    for draw in &resampled.draws {
        for (class, editor) in draw.iter().enumerate() {
            let Editor::Terms { terms, .. } = editor else { panic!() };
            let read = |row: usize| {
                let x = planted.site(row);
                terms[0].reader.read(Subject { x, latents: None }).unwrap()
            };
            let word = (0..WORDS)
                .find(|&row| (read(row) - terms[0].target).abs() < 1e-12)
                .unwrap();
            assert_ne!(planted.words.y[word], class);
        }
    }
}

#[test]
fn masks_find_the_columns_that_are_read() {
    let planted = planted();
    let train = planted.words.clone();
    let directions = Directions::fit(&train, 0).unwrap();
    let letters: Vec<usize> = (0..CLASSES).collect();
    let clean = planted.clean_logits().unwrap();
    let of = |basis: Coordinates<'_>| {
        let words = (planted.words.y.as_slice(), letters.as_slice());
        ranked_coordinates(basis, &planted, &train, words, &clean, D).unwrap()
    };
    let neurons = of(Coordinates::Neurons(&directions));
    for (class, order) in neurons.iter().enumerate() {
        assert_eq!(order[0], class, "{order:?}");
    }
    let arm = Coordinates::Neurons(&directions).arm(&neurons, 1);
    assert_eq!(arm.name, "neurons:k=1");
    let moved = delta(&arm.draws[0][2], planted.site(2));
    assert!(moved[2] < -1.0 && moved.iter().enumerate().all(|(j, d)| j == 2 || d.abs() < 1e-12));
    // Few candidates are the ones that separate the letter, and the read column does.
    let words = (planted.words.y.as_slice(), letters.as_slice());
    let few = ranked_coordinates(Coordinates::Neurons(&directions), &planted, &train, words, &clean, 1).unwrap();
    assert_eq!(few, [[0], [1], [2], [3]]);
    assert!(of(Coordinates::Pca(&directions)).iter().all(|order| !order.is_empty()));
}

#[test]
fn controls_of_an_sae_keep_what_they_control_for() {
    let planted = planted();
    let train = planted.words.clone();
    let sae = sae();
    let side = SaeSide::new(&sae, &train).unwrap();
    let own: Vec<Vec<u32>> = (0..CLASSES as u32).map(|latent| vec![latent]).collect();

    for draw in &side.other_letter_arm(&own, 20, 3).draws {
        for (class, editor) in draw.iter().enumerate() {
            let found = latents_of(editor);
            assert!(found.len() == 1 && found[0].0 < 4 && found[0].0 != class as u32);
        }
    }
    // Only latents that fire on the class's words are drawn, and never the latent itself: its doubles.
    for draw in &side.random_arm(&own, &train, 20, 3).draws {
        for (class, editor) in draw.iter().enumerate() {
            let latent = latents_of(editor)[0].0;
            assert!(latent % 4 == class as u32 && latent != class as u32, "{latent}");
        }
    }
    assert!(latents_of(&side.random_arm(&[Vec::new()], &train, 1, 0).draws[0][0]).is_empty());

    let permuted = arms::permuted_decoder(&side, &own, 2, 7);
    let random = arms::random_dictionary(&side, &own, 2, 7);
    for arm in [&permuted, &random] {
        for draw in &arm.draws {
            for (class, editor) in draw.iter().enumerate() {
                let (latent, write) = &latents_of(editor)[0];
                assert_eq!(*latent, class as u32);
                assert!((norm(write) - 1.0).abs() < 1e-6);
            }
        }
    }
    assert_ne!(latents_of(&random.draws[0][0]), latents_of(&random.draws[1][0]));
    let rows: Vec<usize> = permuted.draws[0]
        .iter()
        .map(|editor| latents_of(editor)[0].1.iter().position(|&v| v > 0.5).unwrap())
        .collect();
    assert_ne!(rows, [0, 1, 2, 3]);

    let shuffled = arms::permuted(&train, 4, 0);
    let count = |y: &[usize], class: usize| y.iter().filter(|&&y| y == class).count();
    assert!((0..CLASSES).all(|class| count(&shuffled.y, class) == count(&train.y, class)));
    assert!(shuffled.y != train.y && shuffled.x == train.x);
    assert_ne!(shuffled.y, arms::permuted(&train, 4, 1).y);
    assert!(SaeSide::with_latents(&sae, sae.encode(&train.x[..D]), &train).is_err());
}
