//! An engine (the CPU's, or a device's) and the graph of array operations compute the same stream, also on the shipped
//! model, whose first layers have a window of one.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::{Path, PathBuf};

use checkpoint::Checkpoint;
use model_runner::plain::{ParamSet, PlainModel};
use model_runner::{Keep, testing};

fn check(folder: &Path) {
    let model = testing::open(folder).unwrap();
    let config = model.config();
    let params = ParamSet::read(config, &Checkpoint::open(folder).unwrap()).unwrap();
    let plain = PlainModel::new(config, &params, testing::device().unwrap().burn(), false).unwrap();
    let (batch, seq) = (2, 21);
    let ids: Vec<u32> = (0..batch * seq).map(|i| 2 + (i * 97) as u32 % 900).collect();
    let mut graph = plain.embed(&ids, batch).unwrap();
    let mut slices = model.embed(&ids, batch, 0).unwrap();
    for layer in 0..config.layers {
        graph = plain.layer(layer, graph);
        slices = model.run(slices, batch, layer..layer + 1, None, Keep::All).unwrap();
        let other = graph.to_data().try_into_vec::<f32>().unwrap();
        let scale = slices.iter().fold(1f32, |top, v| top.max(v.abs()));
        let worst = slices
            .iter()
            .zip(&other)
            .fold(0f32, |worst, (a, b)| worst.max((a - b).abs()));
        // Two orders of summation in f32 over at most 256 terms, a few times per layer.
        assert!(worst <= 2e-5 * scale, "layer {layer}: {worst:e} at scale {scale}");
    }
}

#[test]
fn the_two_engines_agree_on_a_random_model() {
    check(&PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden/gemma2"));
}

#[test]
fn the_two_engines_agree_on_the_shipped_model() {
    check(&PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../datasets/embedded/model"));
}
