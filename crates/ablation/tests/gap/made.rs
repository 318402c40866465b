//! Autoencoders and words made for tests.

use ablation::Labelled;
use ablation::gap::Reference;
use rand::{Rng, RngExt};
use sae::{Architecture, Metadata, Normalization, Output, Reshape, Sae, SaeConfig, Weights};

pub(crate) fn normal(rng: &mut impl Rng) -> f64 {
    let radius = (-2.0 * (1.0 - rng.random::<f64>()).ln()).sqrt();
    radius * (std::f64::consts::TAU * rng.random::<f64>()).cos()
}

pub(crate) fn config(d: usize, width: usize, architecture: Architecture, normalize: Normalization) -> SaeConfig {
    SaeConfig {
        d_in: d,
        d_sae: width,
        architecture,
        apply_b_dec_to_input: false,
        normalize_activations: normalize,
        reshape_activations: Reshape::None,
        output: Output::autoencoder(d),
        metadata: Metadata::default(),
    }
}

/// Random weights of any architecture, decoder rows of many lengths.
pub(crate) fn random_sae(
    d: usize,
    width: usize,
    architecture: Architecture,
    normalize: Normalization,
    seed: u64,
) -> Sae {
    let mut rng = stats::seed::rng(seed, "test/sae");
    let mut draw = |n: usize, scale: f64| -> Vec<f32> { (0..n).map(|_| (scale * normal(&mut rng)) as f32).collect() };
    let gated = architecture == Architecture::Gated;
    let only = |wanted: bool, values: Vec<f32>| if wanted { values } else { Vec::new() };
    let weights = Weights {
        w_enc: draw(d * width, 0.4),
        b_enc: only(!gated, draw(width, 0.3)),
        w_dec: draw(width * d, 0.5),
        b_dec: draw(d, 1.0),
        threshold: only(
            architecture == Architecture::JumpRelu,
            draw(width, 0.5).into_iter().map(f32::abs).collect(),
        ),
        b_gate: only(gated, draw(width, 0.3)),
        b_mag: only(gated, draw(width, 0.3)),
        r_mag: only(gated, draw(width, 0.3)),
        w_skip: Vec::new(),
    };
    Sae::new(config(d, width, architecture, normalize), weights).unwrap()
}

/// Words of some classes: a mean per class and noise.
pub(crate) fn words(d: usize, classes: usize, n: usize, seed: u64) -> Labelled {
    let mut rng = stats::seed::rng(seed, "test/words");
    let means: Vec<f64> = (0..classes * d).map(|_| 2.0 * normal(&mut rng)).collect();
    let y: Vec<usize> = (0..n).map(|i| i % classes).collect();
    let x = y
        .iter()
        .flat_map(|&class| means[class * d..(class + 1) * d].to_vec())
        .map(|mean| (mean + normal(&mut rng)) as f32)
        .collect();
    Labelled { x, y, d, classes }
}

/// A reference that reads and writes along one coordinate of the stream, per class.
pub(crate) fn axes(train: &Labelled) -> Vec<Reference> {
    let axis = |class: usize| -> Vec<f64> { (0..train.d).map(|i| f64::from(u8::from(i == class))).collect() };
    let zero = vec![0.0; train.d];
    (0..train.classes)
        .map(|class| Reference::new(&axis(class), &zero, &axis(class), train, class).unwrap())
        .collect()
}
