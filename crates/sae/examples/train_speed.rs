//! Time and quality of a training run on planted features, by objective.
//!
//! `cargo run --release -p sae --example train_speed -- [width] [steps] [objective]`, with one thread for comparable numbers:
//! `RAYON_NUM_THREADS=1`. Rows are 128 wide, sums of 12 of 1,024 planted directions on average.

use std::time::Instant;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use sae::train::Rows;
use sae::{Objective, TrainConfig, train};

const D_IN: usize = 128;
const FEATURES: usize = 1024;
const ROWS: usize = 60_000;

fn rows() -> Vec<f32> {
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let features: Vec<f32> = (0..FEATURES * D_IN).map(|_| rng.random::<f32>() - 0.5).collect();
    let mut rows = vec![0.0; ROWS * D_IN];
    for row in rows.chunks_exact_mut(D_IN) {
        for _ in 0..12 {
            // Squared: some directions are far more frequent than others.
            let which = (rng.random::<f32>().powi(2) * FEATURES as f32) as usize;
            let size = 1.0 + rng.random::<f32>();
            let feature = &features[which.min(FEATURES - 1) * D_IN..][..D_IN];
            row.iter_mut()
                .zip(feature)
                .for_each(|(value, direction)| *value += size * direction);
        }
        for value in row.iter_mut() {
            *value += 0.05 * (rng.random::<f32>() - 0.5);
        }
    }
    rows
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let number = |at: usize, default: usize| arguments.get(at).map_or(Ok(default), |text| text.parse());
    let (width, steps) = (number(0, 2048)?, number(1, 400)?);
    let wanted = arguments.get(2);
    let rows = rows();
    for objective in [
        Objective::Standard {
            l1_coefficient: 2.0,
            l1_warmup_steps: steps / 10,
        },
        Objective::TopK { k: 16 },
        Objective::BatchTopK {
            k: 16,
            threshold_rate: 0.01,
        },
        Objective::MatryoshkaBatchTopK {
            k: 16,
            threshold_rate: 0.01,
            widths: vec![width / 16, width / 4, width],
        },
        Objective::JumpRelu {
            l0_coefficient: 0.5,
            l0_warmup_steps: steps / 10,
            bandwidth: 0.1,
            initial_threshold: 0.1,
        },
    ] {
        if wanted.is_some_and(|wanted| wanted != objective.name()) {
            continue;
        }
        let name = objective.name();
        let config = TrainConfig {
            learning_rate: 1e-3,
            ..TrainConfig::new(width, objective, steps)
        };
        let start = Instant::now();
        let (_, report) = train(&config, &Rows::new(&rows, D_IN), 1)?;
        let milliseconds = start.elapsed().as_secs_f64() * 1e3 / steps as f64;
        println!(
            "{name:22} {milliseconds:6.1} ms/step  L0 {:5.1}  explained {:.4}  dead {:.3}",
            report.l0, report.explained_variance, report.dead_share
        );
    }
    Ok(())
}
