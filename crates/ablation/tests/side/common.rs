//! The random model and what the tests share.

use std::path::PathBuf;

use model_runner::{Keep, Transformer};

pub(crate) const LAYER: usize = 1;

pub(crate) fn model() -> Transformer {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../model-runner/tests/golden/gemma2");
    Transformer::open(&folder).unwrap()
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
