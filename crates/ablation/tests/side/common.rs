//! The random model and what the tests share.

use std::path::PathBuf;

use ablation::effects::{LetterLogits, log_odds};
use ablation::{Capture, Item, Pair, Readout, Stage};
use model_runner::{Keep, Transformer, testing};
use sae::{Architecture, Metadata, Normalization, Output, Reshape, Sae, SaeConfig, Weights};

pub(crate) const LAYER: usize = 1;

pub(crate) fn model() -> Transformer {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../model-runner/tests/golden/gemma2");
    testing::open(&folder).unwrap()
}

/// The stream after the site's layer of a whole prompt, `[positions, d_model]`.
pub(crate) fn at_site(model: &Transformer, ids: &[u32]) -> Vec<f32> {
    let x = model.embed(ids, 1, 0).unwrap();
    model.run(x, 1, 0..LAYER + 1, None, Keep::All).unwrap()
}

/// Logits over the vocabulary at every position, f64, from the stream at the site.
pub(crate) fn predictions(model: &Transformer, site: Vec<f32>) -> Vec<Vec<f64>> {
    let last = model
        .run(site, 1, LAYER + 1..model.config().layers, None, Keep::All)
        .unwrap();
    let logits = model.all_logits(&model.final_norm(&last)).unwrap();
    let rows = logits.chunks_exact(model.config().vocab_size);
    rows.map(|row| row.iter().copied().map(f64::from).collect()).collect()
}

fn log_softmax(logits: &[f64]) -> Vec<f64> {
    let top = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let lse = top + logits.iter().map(|l| (l - top).exp()).sum::<f64>().ln();
    logits.iter().map(|l| l - lse).collect()
}

/// `KL(p_0 || p_E)` of two rows of logits.
pub(crate) fn divergence(clean: &[f64], edited: &[f64]) -> f64 {
    let (p, q) = (log_softmax(clean), log_softmax(edited));
    p.iter().zip(&q).map(|(p, q)| p.exp() * (p - q)).sum()
}

/// Surprise at a token.
pub(crate) fn surprise(logits: &[f64], token: u32) -> f64 {
    -log_softmax(logits)[token as usize]
}

pub(crate) const WORDS: usize = 60;
pub(crate) const CLASSES: usize = 4;

/// Tokens before the query word, per example set.
pub(crate) fn prefixes() -> Vec<Vec<u32>> {
    (0..3)
        .map(|set| (0..12).map(|i| 2 + (set * 131 + i * 29) % 900).collect())
        .collect()
}

pub(crate) fn items() -> Vec<Item> {
    (0..WORDS)
        .map(|w| Item {
            set: w % 3,
            suffix: vec![100 + w as u32 * 7, 20, 21, 22, 23],
        })
        .collect()
}

/// The 26 answer tokens.
pub(crate) fn letters() -> [u32; 26] {
    std::array::from_fn(|i| 500 + i as u32 * 3)
}

pub(crate) fn stage(model: &Transformer) -> Stage<'_> {
    Stage::new(model, &prefixes(), items(), &letters()).unwrap()
}

pub(crate) fn capture(stage: &Stage<'_>) -> Capture {
    stage.capture(&[LAYER], None).unwrap().remove(0)
}

/// Classes by the model's log-odds of the first answers, so that ceilings are positive somewhere.
pub(crate) fn classes(readout: &dyn Readout) -> Vec<usize> {
    let clean = readout.clean_logits().unwrap();
    let best = |logits: &LetterLogits| {
        let rank = |&c: &usize| log_odds(logits, c);
        (0..CLASSES).max_by(|a, b| rank(a).total_cmp(&rank(b))).unwrap()
    };
    let mut y: Vec<usize> = clean.iter().map(best).collect();
    // Every class needs words to be fitted on.
    for class in 0..CLASSES {
        y[class] = class;
        y[CLASSES + class] = class;
    }
    y
}

/// Every letter's editor on every word.
pub(crate) fn pairs(y: &[usize]) -> Vec<Pair> {
    let every = |class: usize| {
        y.iter().enumerate().map(move |(row, &own)| Pair {
            class,
            row,
            on: own == class,
        })
    };
    (0..CLASSES).flat_map(every).collect()
}

/// For each row another of the same example set and another class.
pub(crate) fn donors(y: &[usize]) -> Vec<Option<usize>> {
    (0..y.len())
        .map(|row| (0..y.len()).find(|&o| o % 3 == row % 3 && y[o] != y[row]))
        .collect()
}

/// Reconstructs its input exactly: latents `max(x, 0)` and `max(-x, 0)`.
pub(crate) fn perfect_sae(d: usize) -> Sae {
    let mut weights = Weights {
        w_enc: vec![0.0; 2 * d * d],
        b_enc: vec![0.0; 2 * d],
        w_dec: vec![0.0; 2 * d * d],
        b_dec: vec![0.0; d],
        ..Weights::default()
    };
    for i in 0..d {
        (weights.w_enc[i * 2 * d + i], weights.w_enc[i * 2 * d + d + i]) = (1.0, -1.0);
        (weights.w_dec[i * d + i], weights.w_dec[(d + i) * d + i]) = (1.0, -1.0);
    }
    let config = SaeConfig {
        d_in: d,
        d_sae: 2 * d,
        architecture: Architecture::Standard,
        apply_b_dec_to_input: false,
        normalize_activations: Normalization::None,
        reshape_activations: Reshape::None,
        output: Output::autoencoder(d),
        metadata: Metadata::new(),
    };
    Sae::new(config, weights).unwrap()
}
