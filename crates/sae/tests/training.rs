//! Training finds directions that were planted.
//!
//! Rows are sums of a few of eight unit directions in sixteen dimensions, with positive coefficients, an offset and a little
//! noise, in units far from those of training.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use sae::train::{DeadLatents, Rows};
use sae::{Architecture, Objective, Sae, SaeError, StoredDtype, TrainConfig, TrainReport, train};

const D_IN: usize = 16;
const FEATURES: usize = 8;
const ROWS: usize = 6000;

fn normal(rng: &mut ChaCha8Rng) -> f32 {
    (0..12).map(|_| rng.random::<f32>()).sum::<f32>() - 6.0
}

/// Planted unit directions `[FEATURES, D_IN]` and rows `[ROWS, D_IN]`.
fn planted() -> (Vec<f32>, Vec<f32>) {
    let mut rng = ChaCha8Rng::seed_from_u64(3);
    let mut features: Vec<f32> = (0..FEATURES * D_IN).map(|_| normal(&mut rng)).collect();
    for row in features.chunks_exact_mut(D_IN) {
        let norm = row.iter().map(|value| value * value).sum::<f32>().sqrt();
        for value in row.iter_mut() {
            *value /= norm;
        }
    }
    let mut rows = Vec::with_capacity(ROWS * D_IN);
    for _ in 0..ROWS {
        let mut row: Vec<f32> = (0..D_IN).map(|at| 0.3 * at as f32 + 0.05 * normal(&mut rng)).collect();
        for feature in features.chunks_exact(D_IN) {
            if rng.random::<f32>() < 0.25 {
                let size = 10.0 + 10.0 * rng.random::<f32>();
                row.iter_mut()
                    .zip(feature)
                    .for_each(|(value, direction)| *value += size * direction);
            }
        }
        rows.extend(row);
    }
    (features, rows)
}

fn config(objective: Objective) -> TrainConfig {
    TrainConfig {
        batch_size: 256,
        learning_rate: 5e-3,
        held_out_rows: 500,
        ..TrainConfig::new(FEATURES + 8, objective, 1500)
    }
}

#[track_caller]
fn check(config: &TrainConfig, variance: f64) -> (Sae, TrainReport) {
    let (features, rows) = planted();
    let (sae, report) = train(config, &Rows::new(&rows, D_IN), 11).unwrap();
    let best: Vec<f32> = features
        .chunks_exact(D_IN)
        .map(|feature| {
            let cosine = |latent| {
                sae.decoder_row(latent)
                    .iter()
                    .zip(feature)
                    .map(|(a, b)| a * b)
                    .sum::<f32>()
            };
            (0..sae.d_sae()).map(cosine).fold(-1.0, f32::max)
        })
        .collect();
    let found = best.iter().filter(|&&cosine| cosine > 0.95).count();
    assert!(
        found + 1 >= FEATURES,
        "{best:?} L0 {} explained {}",
        report.l0,
        report.explained_variance
    );
    assert!(report.explained_variance > variance, "{report:?}");
    assert!(report.loss_curve.last().unwrap().1 < report.loss_curve[0].1);
    for norm in sae.decoder_norms() {
        assert!((norm - 1.0).abs() < 1e-5);
    }
    let target = tempfile::tempdir().unwrap();
    sae.save(target.path(), StoredDtype::F32).unwrap();
    let opened = Sae::open(target.path()).unwrap();
    assert_eq!(opened.weights(), sae.weights());
    assert_eq!(
        opened.config().metadata.training_architecture(),
        Some(config.objective.name())
    );
    assert_eq!(opened.config().metadata.seed(), Some(11));
    (sae, report)
}

#[test]
fn standard() {
    let (sae, _) = check(
        &config(Objective::Standard {
            l1_coefficient: 0.2,
            l1_warmup_steps: 200,
        }),
        0.9,
    );
    assert!(sae.config().metadata.l1_coefficient().is_some());
}

#[test]
fn standard_with_resampling() {
    let objective = Objective::Standard {
        l1_coefficient: 0.2,
        l1_warmup_steps: 200,
    };
    check(
        &TrainConfig {
            dead_latents: DeadLatents::Resample { every: 300 },
            ..config(objective)
        },
        0.9,
    );
}

#[test]
fn top_k() {
    let (sae, report) = check(&config(Objective::TopK { k: 3 }), 0.9);
    assert_eq!(
        sae.config().architecture,
        Architecture::TopK {
            k: 3,
            rescale_acts_by_decoder_norm: false
        }
    );
    assert!(report.l0 <= 3.0);
}

#[test]
fn batch_top_k() {
    let (sae, report) = check(
        &config(Objective::BatchTopK {
            k: 2,
            threshold_rate: 0.01,
        }),
        0.9,
    );
    assert_eq!(sae.config().architecture, Architecture::JumpRelu);
    assert_eq!(sae.config().metadata.k(), Some(2.0));
    assert!((report.l0 - 2.0).abs() < 0.5, "{report:?}");
}

#[test]
fn matryoshka() {
    let objective = Objective::MatryoshkaBatchTopK {
        k: 2,
        threshold_rate: 0.01,
        widths: vec![8, 16],
    };
    let (sae, report) = check(&config(objective), 0.9);
    assert_eq!(sae.config().architecture, Architecture::JumpRelu);
    assert!((report.l0 - 2.0).abs() < 0.5, "{report:?}");
}

#[test]
fn jumprelu() {
    let objective = Objective::JumpRelu {
        l0_coefficient: 1.0,
        l0_warmup_steps: 300,
        bandwidth: 0.5,
        initial_threshold: 0.5,
    };
    let (sae, report) = check(&config(objective), 0.9);
    assert_eq!(sae.config().architecture, Architecture::JumpRelu);
    assert!(report.l0 < 3.0, "{report:?}");
}

#[test]
fn the_same_seed_gives_the_same_bytes_on_any_number_of_threads() {
    let (_, rows) = planted();
    for objective in [
        Objective::MatryoshkaBatchTopK {
            k: 2,
            threshold_rate: 0.01,
            widths: vec![8, 16],
        },
        Objective::Standard {
            l1_coefficient: 0.2,
            l1_warmup_steps: 20,
        },
    ] {
        let config = TrainConfig {
            steps: 100,
            decay_steps: 10,
            warmup_steps: 10,
            dead_after: 5,
            ..config(objective)
        };
        let run = |threads: usize, seed: u64| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| train(&config, &Rows::new(&rows, D_IN), seed))
                .unwrap()
                .0
                .content_hash()
        };
        assert_eq!(run(1, 5), run(3, 5));
        assert_ne!(run(1, 5), run(1, 6));
    }
}

/// Runs with a setting that makes no sense.
#[track_caller]
fn refused(config: &TrainConfig, field: &str) {
    let rows = vec![1.0; ROWS * D_IN];
    let error = train(config, &Rows::new(&rows, D_IN), 0).unwrap_err();
    assert!(
        matches!(error, SaeError::Train { .. }) && error.to_string().contains(field),
        "{error}"
    );
}

#[test]
fn settings_that_make_no_sense_are_refused() {
    let base = config(Objective::TopK { k: 3 });
    refused(
        &TrainConfig {
            objective: Objective::TopK { k: 17 },
            ..base.clone()
        },
        "objective.k",
    );
    refused(
        &TrainConfig {
            steps: 0,
            ..base.clone()
        },
        "steps",
    );
    refused(
        &TrainConfig {
            batch_size: 0,
            ..base.clone()
        },
        "batch_size",
    );
    refused(
        &TrainConfig {
            held_out_rows: 5900,
            ..base.clone()
        },
        "held_out_rows",
    );
    refused(
        &TrainConfig {
            learning_rate: f32::NAN,
            ..base.clone()
        },
        "learning_rate",
    );
    refused(
        &TrainConfig {
            decay_steps: 1500,
            ..base.clone()
        },
        "decay_steps",
    );
    refused(
        &TrainConfig {
            gradient_clip: Some(0.0),
            ..base.clone()
        },
        "gradient_clip",
    );
    refused(
        &TrainConfig {
            dead_latents: DeadLatents::Resample { every: 0 },
            ..base.clone()
        },
        "dead_latents",
    );
}

#[test]
fn objectives_that_make_no_sense_are_refused() {
    let base = config(Objective::TopK { k: 3 });
    let widths = |widths| Objective::MatryoshkaBatchTopK {
        k: 3,
        threshold_rate: 0.1,
        widths,
    };
    refused(
        &TrainConfig {
            objective: widths(vec![8, 8, 16]),
            ..base.clone()
        },
        "widths",
    );
    refused(
        &TrainConfig {
            objective: widths(vec![8]),
            ..base.clone()
        },
        "widths",
    );
    let rate = Objective::BatchTopK {
        k: 3,
        threshold_rate: 0.0,
    };
    refused(
        &TrainConfig {
            objective: rate,
            ..base.clone()
        },
        "threshold_rate",
    );
    let zeros = vec![0.0; ROWS * D_IN];
    assert!(matches!(
        train(&base, &Rows::new(&zeros, D_IN), 0),
        Err(SaeError::Train {
            field: "activations",
            ..
        })
    ));
}
