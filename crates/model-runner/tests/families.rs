//! Every family against what `transformers` 4.57.6 (torch 2.7.1, f32, eager attention) computed on random checkpoints.
//!
//! Tolerance 2e-4 absolute: the reference itself differs from f64 by up to 3e-5 in the logits, and a different order of summation
//! over 4 layers adds the same again several times. Gradients pass through the same layers twice.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::path::PathBuf;

use checkpoint::Checkpoint;
use model_runner::plain::{LetterMetric, ParamSet, PlainModel, SiteRun, metric_gradient, site_gradient};
use model_runner::{Budget, HookName, Keep, ModelConfig, Point, Residency, Transformer, testing};

const TOLERANCE: f32 = 2e-4;

/// Folders with a golden file.
fn folders() -> Vec<PathBuf> {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let mut all: Vec<PathBuf> = std::fs::read_dir(root)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.join("golden.safetensors").is_file())
        .collect();
    all.sort();
    assert!(all.len() >= 7, "goldens are missing: {all:?}");
    all
}

fn ids(golden: &Checkpoint) -> (Vec<u32>, usize) {
    let view = golden.get("input_ids").unwrap();
    let ids = view.to_i64().unwrap().iter().map(|&id| id as u32).collect();
    (ids, view.shape[0])
}

/// The model as the CPU engine can hold it, or on the device of the tests.
fn models(folder: &std::path::Path) -> Vec<(String, Transformer)> {
    if !testing::on_host().unwrap() {
        let model = testing::open(folder).unwrap();
        return vec![(model.device().label().to_owned(), model)];
    }
    [Residency::Resident, Residency::Mapped]
        .map(|how| {
            (
                format!("{how:?}"),
                Transformer::open_with(folder, how, Budget::default()).unwrap(),
            )
        })
        .into()
}

#[track_caller]
fn close(case: &str, golden: &Checkpoint, name: &str, got: &[f32], tolerance: f32) {
    let want = golden.get(name).unwrap().to_f32().unwrap();
    assert_eq!(got.len(), want.len(), "{case} {name}: size");
    let worst = got.iter().zip(&want).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    assert!(worst <= tolerance, "{case} {name}: max difference {worst:e}");
}

#[test]
fn every_hook_point_and_the_logits_equal_the_reference() {
    for folder in folders() {
        let golden = Checkpoint::open(&folder.join("golden.safetensors")).unwrap();
        let (ids, batch) = ids(&golden);
        for (how, model) in models(&folder) {
            let case = format!("{} {how}", folder.display());
            let layers = model.config().layers;
            let x = model.embed(&ids, batch, 0).unwrap();
            close(&case, &golden, "resid_pre.0", &x, TOLERANCE);
            let mut seen: BTreeMap<HookName, Vec<f32>> = BTreeMap::new();
            let mut tap = |hook: HookName, value: &[f32]| {
                seen.insert(hook, value.to_vec());
            };
            let out = model
                .run_tapped(x, batch, 0..layers, None, Keep::All, &mut tap)
                .unwrap();
            let mut compared = 0;
            for (hook, value) in &seen {
                assert!(hook.point.exists(model.config()), "{case} {hook}");
                assert_eq!(
                    value.len(),
                    ids.len() * hook.point.width(model.config()),
                    "{case} {hook}"
                );
                if golden.contains(&hook.short()) {
                    close(&case, &golden, &hook.short(), value, TOLERANCE);
                    compared += 1;
                }
            }
            let named = golden.names().filter(|name| {
                name.contains('.') && HookName::parse(name, layers).is_ok_and(|h| h.point != Point::ResidPre)
            });
            assert_eq!(compared, named.count(), "{case}: hook points");
            let normed = model.final_norm(&out);
            close(&case, &golden, "final_norm_out", &normed, TOLERANCE);
            close(&case, &golden, "logits", &model.all_logits(&normed).unwrap(), TOLERANCE);
            let some = [3, 95, 0];
            let head = model.unembedding(&some).unwrap();
            let logits = golden.get("logits").unwrap().to_f32().unwrap();
            for (row, chosen) in model.logits(&out, &head).chunks_exact(3).enumerate() {
                for (&token, got) in some.iter().zip(chosen) {
                    let want = logits[row * model.config().vocab_size + token as usize];
                    assert!((got - want).abs() <= TOLERANCE, "{case} token {token}");
                }
            }
        }
    }
}

#[test]
fn the_plain_engine_gives_the_reference_gradients() {
    for folder in folders() {
        let case = folder.display().to_string();
        let golden = Checkpoint::open(&folder.join("golden.safetensors")).unwrap();
        let config = ModelConfig::read(&folder.join("config.json")).unwrap();
        let params = ParamSet::read(&config, &Checkpoint::open(&folder).unwrap()).unwrap();
        let device = testing::device().unwrap().burn().clone().autodiff();
        let model = PlainModel::new(&config, &params, &device, false).unwrap();
        let positive = golden.get("metric.pos_token").unwrap().to_i64().unwrap();
        let negatives = golden.get("metric.neg_tokens").unwrap().to_i64().unwrap();
        let metrics: Vec<LetterMetric> = positive
            .iter()
            .map(|&p| LetterMetric {
                positive: p as u32,
                negatives: negatives.iter().map(|&n| n as u32).collect(),
            })
            .collect();
        let asked: Vec<usize> = (0..config.layers)
            .filter(|layer| golden.contains(&format!("grad.resid_post.{layer}")))
            .collect();
        assert_eq!(asked.len(), 2, "{case}");
        let (values, gradients) = metric_gradient(&model, &ids(&golden).0, &metrics, &asked).unwrap();
        close(&case, &golden, "metric.value", &values, TOLERANCE);
        for (layer, gradient) in asked.iter().zip(&gradients) {
            close(&case, &golden, &format!("grad.resid_post.{layer}"), gradient, TOLERANCE);
        }
    }
}

#[test]
fn gradients_of_a_suffix_equal_the_reference_at_the_site() {
    for folder in folders() {
        let case = folder.display().to_string();
        let golden = Checkpoint::open(&folder.join("golden.safetensors")).unwrap();
        let runner = testing::open(&folder).unwrap();
        let config = runner.config();
        let model = runner.differentiable().unwrap();
        let (ids, batch) = ids(&golden);
        let (seq, d) = (ids.len() / batch, config.hidden_size);
        let positive = golden.get("metric.pos_token").unwrap().to_i64().unwrap();
        let negatives = golden.get("metric.neg_tokens").unwrap().to_i64().unwrap();
        for layer in (0..config.layers).filter(|layer| golden.contains(&format!("grad.resid_post.{layer}"))) {
            let want = golden
                .get(&format!("grad.resid_post.{layer}"))
                .unwrap()
                .to_f32()
                .unwrap();
            let stream = golden.get(&format!("resid_post.{layer}")).unwrap().to_f32().unwrap();
            for (prompt, site) in [(0, 1), (1, 9), (1, seq - 6), (0, seq - 1)] {
                let tokens = &ids[prompt * seq..(prompt + 1) * seq];
                let prefix = runner.prefix(&tokens[..site], config.layers, None).unwrap();
                let run = SiteRun {
                    stream: &stream[(prompt * seq + site) * d..(prompt + 1) * seq * d],
                    batch: 1,
                    from_layer: layer + 1,
                    prefix: &prefix,
                };
                let mut answers = vec![positive[prompt] as u32];
                answers.extend(negatives.iter().map(|&token| token as u32));
                let mut weights = vec![-1.0 / negatives.len() as f32; answers.len()];
                weights[0] = 1.0;
                let found = site_gradient(&model, run, &answers, &weights).unwrap();
                let value: f32 = found.logits.iter().zip(&weights).map(|(l, w)| l * w).sum();
                let metric = golden.get("metric.value").unwrap().to_f32().unwrap()[prompt];
                assert!((value - metric).abs() <= TOLERANCE, "{case}: {value} {metric}");
                for (a, b) in found.gradient.iter().zip(&want[(prompt * seq + site) * d..]) {
                    assert!((a - b).abs() <= TOLERANCE, "{case} layer {layer} site {site}: {a} {b}");
                }
            }
        }
    }
}

#[test]
fn a_prefix_and_layer_ranges_equal_the_full_run() {
    for folder in folders() {
        let golden = Checkpoint::open(&folder.join("golden.safetensors")).unwrap();
        let (ids, batch) = ids(&golden);
        let seq = ids.len() / batch;
        let model = testing::open(&folder).unwrap();
        let (layers, d) = (model.config().layers, model.config().hidden_size);
        let prompt = &ids[..seq];
        let full = model.embed(prompt, 1, 0).unwrap();
        let full = model.run(full, 1, 0..layers, None, Keep::All).unwrap();
        for split in [1, 7, seq - 3] {
            let prefix = model.prefix(&prompt[..split], layers, None).unwrap();
            let x = model.embed(&prompt[split..], 1, split).unwrap();
            let x = model.run(x, 1, 0..1, Some(&prefix), Keep::All).unwrap();
            let last = model.run(x, 1, 1..layers, Some(&prefix), Keep::Last).unwrap();
            let scale = full.iter().fold(1f32, |top, v| top.max(v.abs()));
            for (a, b) in last.iter().zip(&full[(seq - 1) * d..]) {
                // Sums in another order, relative to the stream's scale.
                assert!(
                    (a - b).abs() <= 2e-5 * scale,
                    "{} split {split}: {a} {b}",
                    folder.display()
                );
            }
        }
    }
}

#[test]
fn positions_beyond_the_learned_ones_are_refused() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden/gpt2");
    let model = testing::open(&folder).unwrap();
    assert_eq!(model.max_positions(), 64);
    assert!(model.embed(&[1; 64], 1, 0).is_ok());
    let error = model.embed(&[1; 64], 1, 1).unwrap_err().to_string();
    assert!(error.contains("65 tokens") && error.contains("64"), "{error}");
}

/// Writes the checkpoint in `folder` again with every tensor rounded to bf16.
fn rounded(folder: &std::path::Path, to: &std::path::Path) {
    let checkpoint = Checkpoint::open(folder).unwrap();
    let tensors: Vec<_> = checkpoint
        .names()
        .map(|name| {
            let view = checkpoint.get(name).unwrap();
            checkpoint::write::TensorData::bf16(name, view.shape, &view.to_f32().unwrap())
        })
        .collect();
    checkpoint::write::safetensors(&to.join("model.safetensors"), &tensors, &BTreeMap::new()).unwrap();
    std::fs::copy(folder.join("config.json"), to.join("config.json")).unwrap();
}

#[test]
fn bf16_weights_stay_within_the_distance_of_the_references_bf16_run() {
    if !testing::on_host().unwrap() {
        println!("skipped: a device holds its weights in one way only; mapped and resident are the CPU engine's");
        return;
    }
    let summary = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden/summary.json");
    let summary = checkpoint::read_json_value(&summary).unwrap();
    let mut checked = 0;
    for folder in folders() {
        let family = folder.file_name().unwrap().to_str().unwrap();
        let Some(distance) = summary
            .get(family)
            .map(|facts| facts["bf16_vs_f32_max_abs_logit"].as_f64().unwrap())
        else {
            continue;
        };
        let golden = Checkpoint::open(&folder.join("golden.safetensors")).unwrap();
        let (ids, batch) = ids(&golden);
        let seq = ids.len() / batch;
        let temp = tempfile::tempdir().unwrap();
        rounded(&folder, temp.path());
        let run = |residency| {
            let model = Transformer::open_with(temp.path(), residency, Budget::default()).unwrap();
            let layers = model.config().layers;
            let x = model.embed(&ids, batch, 0).unwrap();
            let x = model.run(x, batch, 0..layers, None, Keep::All).unwrap();
            model.all_logits(&model.final_norm(&x)).unwrap()
        };
        let (mapped, resident) = (run(Residency::Mapped), run(Residency::Resident));
        // The same products in blocks: sums over the same terms, in the kernel's order for that shape.
        let worst = mapped
            .iter()
            .zip(&resident)
            .map(|(a, b)| (a - b).abs())
            .fold(0.0, f32::max);
        assert!(worst <= TOLERANCE, "{family}: mapped and resident differ by {worst:e}");
        let want = golden.get("bf16.logits_last8").unwrap().to_f32().unwrap();
        let vocab = golden.get("logits").unwrap().shape[2];
        let tail = 8 * vocab;
        let mut worst = 0f32;
        for (prompt, want) in mapped.chunks_exact(seq * vocab).zip(want.chunks_exact(tail)) {
            for (a, b) in prompt[(seq - 8) * vocab..].iter().zip(want) {
                worst = worst.max((a - b).abs());
            }
        }
        // The reference also rounds activations; its own f32 run is as far away as that.
        assert!(
            f64::from(worst) <= 1.25 * distance,
            "{family}: {worst} against {distance}"
        );
        checked += 1;
    }
    assert_eq!(checked, 7);
}
