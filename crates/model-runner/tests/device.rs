//! A run on a device equals the CPU engine's.
//!
//! The device is `VERNIER_TEST_DEVICE`; where that is the CPU, the device engine runs on burn's CPU backend (`flex-graph`), so that
//! it is tested where there is no adapter.
//!
//! Tolerance of logits 1e-4 absolute: both engines sum products of f32 in their own order, and four layers of streams of about 30
//! leave some 1e-5 of that in logits of about 20.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::{Path, PathBuf};

use model_runner::plain::{SiteRun, site_gradient};
use model_runner::{
    Budget, ComputeDevice, HookName, Keep, Point, Precision, PrefixCache, PromptGroup, Transformer, testing,
};

const TOLERANCE: f32 = 1e-4;

fn device() -> ComputeDevice {
    if testing::on_host().unwrap() {
        return ComputeDevice::open("flex-graph").unwrap();
    }
    testing::device().unwrap()
}

fn shipped() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../datasets/embedded/model")
}

fn random() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden/gemma2")
}

fn both(folder: &Path) -> [Transformer; 2] {
    let other = Transformer::open_on(folder, &device(), Precision::F32, Budget::default()).unwrap();
    println!("device: {}", other.device().label());
    [Transformer::open(folder).unwrap(), other]
}

fn ids(count: usize, step: usize) -> Vec<u32> {
    (0..count).map(|i| 2 + (i * step) as u32 % 900).collect()
}

#[track_caller]
fn close(what: &str, a: &[f32], b: &[f32], tolerance: f32) {
    assert_eq!(a.len(), b.len(), "{what}: size");
    let worst = a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    println!("{what}: max difference {worst:e}");
    assert!(worst <= tolerance, "{what}: max difference {worst:e}");
}

/// Of streams, whose values are larger than logits.
fn scaled(stream: &[f32]) -> f32 {
    2e-5 * stream.iter().fold(1f32, |top, v| top.max(v.abs()))
}

const BATCH: usize = 7;
const PREFIX: usize = 40;
const SEQ: usize = 5;

/// A stream of prompts behind a prefix, and the prefix, for each model.
fn prompts(models: &[Transformer; 2]) -> (Vec<f32>, [PrefixCache; 2]) {
    let layers = models[0].config().layers;
    let prefixes = [0, 1].map(|i| models[i].prefix(&ids(PREFIX, 31), layers, None).unwrap());
    let x = models[0].embed(&ids(BATCH * SEQ, 97), BATCH, PREFIX).unwrap();
    (x, prefixes)
}

/// All of those prompts.
fn group(prefix: &PrefixCache) -> PromptGroup<'_> {
    PromptGroup {
        batch: BATCH,
        prefix: Some(prefix),
    }
}

#[test]
fn logits_behind_a_prefix_equal_the_cpu_engines() {
    for folder in [shipped(), random()] {
        let models = both(&folder);
        let (x, prefixes) = prompts(&models);
        let tokens: Vec<u32> = (0..26).map(|i| 100 + 7 * i).collect();
        let [host, other] = [0, 1].map(|i| {
            let head = models[i].unembedding(&tokens).unwrap();
            let groups = [group(&prefixes[i])];
            let straight = models[i].run_to_logits(x.clone(), &groups, 0, &head).unwrap();
            let layers = 0..models[i].config().layers;
            let last = models[i]
                .run(x.clone(), BATCH, layers, Some(&prefixes[i]), Keep::Last)
                .unwrap();
            close("in two steps", &models[i].logits(&last, &head), &straight, 1e-6);
            (straight, models[i].all_logits(&models[i].final_norm(&last)).unwrap())
        });
        close("letter logits", &other.0, &host.0, TOLERANCE);
        close("all logits", &other.1, &host.1, TOLERANCE);
    }
}

#[test]
fn kept_layers_and_hook_points_equal_the_cpu_engines() {
    let models = both(&random());
    let (x, prefixes) = prompts(&models);
    let [host, other] = [0, 1].map(|i| {
        let (group, config) = (group(&prefixes[i]), models[i].config());
        let kept = models[i].run_keeping(x.clone(), &[group], 0, &[0, 2, 3]).unwrap();
        let mut seen = Vec::new();
        let wanted = |hook: HookName| hook.layer == 1 && hook.point != Point::MlpIn;
        let mut tap = |hook: HookName, value: &[f32]| seen.push((hook, value.to_vec()));
        models[i]
            .run_tapped_at(x.clone(), group, 0..config.layers, Keep::All, &wanted, &mut tap)
            .unwrap();
        (kept, seen)
    });
    for (a, b) in other.0.iter().zip(&host.0) {
        close("kept layer", a, b, scaled(b));
    }
    assert_eq!(host.1.len(), 8);
    for ((hook, a), (same, b)) in other.1.iter().zip(&host.1) {
        assert_eq!(hook, same);
        close(&hook.to_string(), a, b, scaled(b));
    }
}

#[test]
fn gradients_at_a_site_equal_the_cpus() {
    let models = both(&random());
    let (x, prefixes) = prompts(&models);
    let tokens: Vec<u32> = (0..26).map(|i| 100 + 7 * i).collect();
    let weights: Vec<f32> = (0..BATCH * 26).map(|i| ((i * 37) as f32).sin()).collect();
    let [host, other] = [0, 1].map(|i| {
        let run = SiteRun {
            stream: &x,
            batch: BATCH,
            from_layer: 1,
            prefix: &prefixes[i],
        };
        site_gradient(&models[i].differentiable().unwrap(), run, &tokens, &weights).unwrap()
    });
    close("logits", &other.logits, &host.logits, TOLERANCE);
    close("gradients", &other.gradient, &host.gradient, TOLERANCE);
}

#[test]
fn chunks_on_several_threads_are_what_one_thread_gives() {
    use rayon::prelude::*;
    let [_, model] = both(&random());
    let layers = model.config().layers;
    let prefix = model.prefix(&ids(PREFIX, 31), layers, None).unwrap();
    let run = |step: usize| {
        let x = model.embed(&ids(BATCH * SEQ, step), BATCH, PREFIX).unwrap();
        model.run(x, BATCH, 0..layers, Some(&prefix), Keep::Last).unwrap()
    };
    let together: Vec<Vec<f32>> = (1..9).into_par_iter().map(run).collect();
    for (step, found) in (1..9).zip(&together) {
        close("chunk", found, &run(step), 0.0);
    }
}

#[test]
fn a_prefix_of_another_engine_is_refused() {
    let models = both(&random());
    let (x, [of_host, of_device]) = prompts(&models);
    for (model, prefix) in [(&models[0], &of_device), (&models[1], &of_host)] {
        let error = model
            .run(x.clone(), BATCH, 0..2, Some(prefix), Keep::All)
            .unwrap_err()
            .to_string();
        assert!(error.contains("one `Transformer`"), "{error}");
    }
}

/// Half precision keeps 11 bits (bf16: 8) of every input of a product: relative errors of 5e-4 (4e-3), of which four layers make a
/// few per cent of the logits' spread at most.
#[test]
fn half_precision_is_close_or_refused() {
    for (precision, tolerance) in [(Precision::F16, 0.02), (Precision::Bf16, 0.15)] {
        let opened = Transformer::open_on(&shipped(), &device(), precision, Budget::default());
        let model = match opened {
            Ok(model) => model,
            Err(error) => {
                let error = error.to_string();
                println!("skipped: {error}");
                assert!(error.contains("hint: use `--dtype f32`"), "{error}");
                continue;
            }
        };
        let host = Transformer::open(&shipped()).unwrap();
        let logits = |model: &Transformer| {
            let x = model.embed(&ids(BATCH * SEQ, 97), BATCH, 0).unwrap();
            let x = model.run(x, BATCH, 0..model.config().layers, None, Keep::Last).unwrap();
            model.all_logits(&model.final_norm(&x)).unwrap()
        };
        let (exact, half) = (logits(&host), logits(&model));
        let spread = exact.iter().fold(0f32, |top, v| top.max(v.abs()));
        close(
            &format!("{precision} logits of up to {spread}"),
            &half,
            &exact,
            tolerance * spread,
        );
        assert!(half != exact, "{precision}: nothing was rounded");
    }
}
