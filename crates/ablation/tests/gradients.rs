//! Identities of attributions, letter rewriting and position patching, on a random Gemma-2 checkpoint and a random SAE.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::PathBuf;

use ablation::attribution::{
    Against, AnswerSet, ErrorTerm, Path, PositiveToken, Subjects, integrated_gradients, latent_effects,
};
use ablation::effects::{logit_difference, logit_difference_max};
use ablation::layers::{WordPair, patch_pairs, patch_pairs_at};
use ablation::paper::random_like;
use ablation::rewrite::{self, LetterLatent, Rewrite};
use ablation::{Capture, Item, Stage};
use model_runner::plain::PlainModel;
use model_runner::{Transformer, testing};
use sae::{Architecture, Normalization, Output, Reshape, Sae, SaeConfig, Weights};

const LAYER: usize = 1;
const WORDS: usize = 12;

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../model-runner/tests/golden/gemma2")
}

fn capitals() -> [u32; 26] {
    std::array::from_fn(|i| 500 + i as u32 * 3)
}

fn answers() -> AnswerSet {
    AnswerSet {
        capitals: capitals(),
        lower: std::array::from_fn(|i| 700 + i as u32 * 3),
    }
}

fn stage(model: &Transformer) -> Stage<'_> {
    let prefixes: Vec<Vec<u32>> = (0..3)
        .map(|set| (0..12).map(|i| 2 + (set * 131 + i * 29) % 900).collect())
        .collect();
    let items = (0..WORDS).map(|w| Item {
        set: w % 3,
        suffix: vec![100 + w as u32 * 7, 20, 21, 22, 23],
    });
    Stage::new(model, &prefixes, items.collect(), &capitals()).unwrap()
}

fn plain() -> PlainModel {
    testing::open(&folder()).unwrap().differentiable().unwrap()
}

/// A top-k SAE in random directions.
fn sae(capture: &Capture) -> Sae {
    let d = capture.d();
    let width = 48;
    let config = SaeConfig {
        d_in: d,
        d_sae: width,
        architecture: Architecture::TopK {
            k: 6,
            rescale_acts_by_decoder_norm: false,
        },
        apply_b_dec_to_input: false,
        normalize_activations: Normalization::None,
        reshape_activations: Reshape::None,
        output: Output::autoencoder(d),
        metadata: sae::Metadata::default(),
    };
    let template = Sae::new(
        config,
        Weights {
            w_enc: vec![0.1; d * width],
            b_enc: vec![0.0; width],
            w_dec: vec![0.1; d * width],
            b_dec: vec![0.0; d],
            ..Weights::default()
        },
    );
    random_like(&template.unwrap(), &capture.sites(), 6.0, 3).unwrap()
}

#[test]
fn attributions_of_a_path_add_up_to_the_change_of_the_metric() {
    let (model, plain, answers) = (testing::open(&folder()).unwrap(), plain(), answers());
    let stage = stage(&model);
    let capture = stage.capture(&[LAYER], None).unwrap().pop().unwrap();
    let sae = sae(&capture);
    let latents = sae.encode(&capture.sites());
    let subjects = Subjects {
        stage: &stage,
        plain: &plain,
        answers: &answers,
        capture: &capture,
        sae: &sae,
        latents: &latents,
    };
    let rows: Vec<usize> = (0..WORDS).collect();
    let letters: Vec<usize> = rows.iter().map(|row| row * 5 % 26).collect();
    let clean = stage.clean_logits(&capture).unwrap();
    for error in [ErrorTerm::Faded, ErrorTerm::Held] {
        for against in [Against::Mean, Against::Max] {
            let path = |steps| Path {
                steps,
                error,
                positive: PositiveToken::Paper,
                against,
            };
            let off = |steps: usize| -> (f64, f64) {
                let found = integrated_gradients(subjects, &rows, &letters, path(steps)).unwrap();
                let mut sums = (0.0, 0.0);
                for one in &found {
                    let metric = match against {
                        Against::Mean => logit_difference(&clean[one.row], letters[one.row]),
                        Against::Max => logit_difference_max(&clean[one.row], letters[one.row]),
                    };
                    // Both engines at the unedited word; two orders of summation in f32.
                    assert!((one.start - metric).abs() < 1e-4, "{} {metric}", one.start);
                    assert_eq!(one.error == 0.0, error == ErrorTerm::Held);
                    let sum = one.error + one.latents.iter().map(|(_, v)| v).sum::<f64>();
                    sums.0 += (sum - (one.end - one.start)).abs();
                    sums.1 += (one.end - one.start).abs();
                }
                sums
            };
            let (few, many) = (off(4), off(256));
            // Left Riemann sums: the error falls as one over the number of steps.
            assert!(many.0 < 0.01 * many.1, "{error:?} {against:?}: {many:?}");
            assert!(many.0 < 0.2 * few.0, "{error:?} {against:?}: {few:?} {many:?}");
        }
    }
}

#[test]
fn a_zero_contribution_has_no_effect_and_the_control_keeps_the_probe_part() {
    let model = testing::open(&folder()).unwrap();
    let stage = stage(&model);
    let capture = stage.capture(&[LAYER], None).unwrap().pop().unwrap();
    let sae = sae(&capture);
    let latents = sae.encode(&capture.sites());
    let (rows, letters) = ([2, 5], [3, 7]);
    // Along a latent's own decoder row the control leaves that latent's whole contribution in place.
    let (index, _) = latents.row(2);
    let own: Vec<f64> = sae
        .decoder_row(index[0] as usize)
        .iter()
        .map(|&v| f64::from(v))
        .collect();
    let effects = latent_effects(
        &stage,
        (&capture, &latents),
        &sae,
        (&rows, &letters),
        &[&own, &own],
        None,
    )
    .unwrap();
    assert_eq!(effects.len(), latents.row(2).0.len() + latents.row(5).0.len());
    let first = effects.iter().find(|e| e.row == 2 && e.latent == index[0]).unwrap();
    assert!(first.effect.abs() > 1e-3, "{first:?}");
    // One rounding of the vector.
    assert!(first.without_probe.abs() < 1e-4, "{first:?}");
    let zero = vec![0.0; capture.d()];
    assert!(
        latent_effects(
            &stage,
            (&capture, &latents),
            &sae,
            (&rows, &letters),
            &[&own, &zero],
            None
        )
        .is_err()
    );
}

#[test]
fn rewriting_with_the_values_that_are_there_changes_nothing() {
    let model = testing::open(&folder()).unwrap();
    let stage = stage(&model);
    let capture = stage.capture(&[LAYER], None).unwrap().pop().unwrap();
    let sae = sae(&capture);
    let latents = sae.encode(&capture.sites());
    let (index, value) = latents.row(4);
    let rewrite = Rewrite { row: 4, from: 0, to: 1 };
    let alphabet = [0, 1];
    let latent = |latent: u32, mean: f64| LetterLatent { latent, mean };
    // A silent latent for the word's letter, and for the other one that latent's own activation.
    let silent = (0..48).find(|j| !index.contains(j)).unwrap();
    let same = [latent(silent, 9.0), latent(index[0], f64::from(value[0]))];
    let out = rewrite::by_latents(&stage, (&capture, &latents), &sae, &same, &[rewrite], &alphabet).unwrap();
    assert!(out[0].lost.abs() < 1e-6 && out[0].gained.abs() < 1e-6, "{:?}", out[0]);
    let other = [latent(index[1], 0.0), latent(index[0], 40.0)];
    let out = rewrite::by_latents(&stage, (&capture, &latents), &sae, &other, &[rewrite], &alphabet).unwrap();
    assert!(out[0].lost.abs() + out[0].gained.abs() > 1e-6, "{:?}", out[0]);
    let direction: Vec<f64> = (0..capture.d()).map(|i| (i as f64).sin()).collect();
    let both = [direction.clone(), direction.iter().map(|v| 2.0 * v).collect()];
    let out = rewrite::by_directions(&stage, &capture, &both, &[rewrite], &alphabet).unwrap();
    assert!(out[0].lost.abs() < 1e-6 && out[0].gained.abs() < 1e-6, "{:?}", out[0]);
    assert!(rewrite::by_directions(&stage, &capture, &[vec![0.0; 3], direction], &[rewrite], &alphabet).is_err());
}

#[test]
fn patching_the_word_is_position_zero_and_later_positions_are_theirs() {
    let model = testing::open(&folder()).unwrap();
    let stage = stage(&model);
    let last = model.config().layers - 1;
    let captures = stage.capture(&[LAYER, last], None).unwrap();
    let clean = stage.clean_logits(&captures[0]).unwrap();
    let pairs: Vec<WordPair> = (0..3)
        .map(|row| WordPair {
            row,
            donor: row + 3,
            from: row,
            to: row + 9,
        })
        .collect();
    let word = patch_pairs(&stage, &captures[0], &clean, &pairs).unwrap();
    let zero = patch_pairs_at(&stage, &captures[0], 0, &clean, &pairs).unwrap();
    for (a, b) in word.iter().zip(&zero) {
        assert!((a.patched - b.patched).abs() < 1e-12 && (a.total - b.total).abs() < 1e-12);
    }
    // After the last layer only the last position is read: there a patch is the whole change, elsewhere nothing.
    let positions = captures[1].positions();
    for position in 0..positions {
        for effect in patch_pairs_at(&stage, &captures[1], position, &clean, &pairs).unwrap() {
            let wanted = if position + 1 == positions { effect.total } else { 0.0 };
            // Logits of the two paths differ by the order of summation.
            assert!((effect.patched - wanted).abs() < 1e-4, "{position}: {effect:?}");
        }
    }
    assert!(patch_pairs_at(&stage, &captures[0], positions, &clean, &pairs).is_err());
}
