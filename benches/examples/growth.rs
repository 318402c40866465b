//! How time grows: words, latents, layers and SAEs, each doubled three times.
//!
//! A slope is that of log time over log size by least squares: 1 is linear, below 1 something is shared. Each time is the fastest
//! of a few, because what disturbs a run only makes it slower.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use ablation::select::by_sparse_probe;
use ablation::{Labelled, Stage};
use anyhow::ensure;
use clap::Parser;
use model_runner::{Keep, Transformer};
use sae::Sae;
use tasks::IclPlan;
use vernier_benches::{Prompts, RandomModel, RandomSae, embedded_model};

#[derive(Parser)]
struct Args {
    /// The program that runs many SAEs.
    #[arg(long, default_value = "target/debug/bench")]
    bench: PathBuf,
    /// Timings of each size.
    #[arg(long, default_value_t = 3)]
    repeats: usize,
    /// Where models and SAEs are written, 3 GB; removed at the end.
    #[arg(long)]
    scratch: Option<PathBuf>,
}

const STEPS: [usize; 4] = [1, 2, 4, 8];

fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    let scratch = match &args.scratch {
        Some(folder) => tempfile::tempdir_in(folder)?,
        None => tempfile::tempdir()?,
    };
    println!("| what doubles | from | x1 | x2 | x4 | x8 | slope |\n| --- | ---: | ---: | ---: | ---: | ---: | ---: |");
    words(&args)?;
    latents(&args)?;
    layers(&args, scratch.path())?;
    saes(&args, scratch.path())
}

/// Times `work` at each size and prints a row.
fn row(args: &Args, what: &str, first: usize, mut work: impl FnMut(usize) -> anyhow::Result<()>) -> anyhow::Result<()> {
    let mut seconds = [f64::INFINITY; STEPS.len()];
    // Sizes in turn, so that a slow minute does not fall on one of them alone.
    for _ in 0..args.repeats {
        for (best, step) in seconds.iter_mut().zip(STEPS) {
            let begun = Instant::now();
            work(first * step)?;
            *best = best.min(begun.elapsed().as_secs_f64());
        }
    }
    let cells: Vec<String> = seconds.iter().map(|s| format!("{s:.3} s")).collect();
    println!("| {what} | {first} | {} | {:.2} |", cells.join(" | "), slope(&seconds));
    Ok(())
}

/// Least squares of log seconds over log size.
fn slope(seconds: &[f64]) -> f64 {
    let points: Vec<(f64, f64)> = STEPS
        .iter()
        .zip(seconds)
        .map(|(&x, y)| ((x as f64).ln(), y.ln()))
        .collect();
    let mean = |of: fn(&(f64, f64)) -> f64| points.iter().map(of).sum::<f64>() / points.len() as f64;
    let (x, y) = (mean(|p| p.0), mean(|p| p.1));
    let along: f64 = points.iter().map(|p| (p.0 - x) * (p.1 - y)).sum();
    along / points.iter().map(|p| (p.0 - x).powi(2)).sum::<f64>()
}

/// Words: capture, and one edit each.
fn words(args: &Args) -> anyhow::Result<()> {
    let folder = embedded_model();
    let model = Transformer::open(&folder)?;
    let plan = IclPlan::Shared {
        sets: 8,
        prompts_per_word: 1,
    };
    let prompts = Prompts::new(&folder, plan, Some(5600))?;
    let stage = Stage::new(&model, &prompts.set.prefixes, prompts.items(), prompts.answers.ids())?;
    row(args, "words: capture and one edit each, embedded model", 700, |words| {
        let items: Vec<usize> = (0..words).collect();
        let captures = stage.capture(&[1], Some(&items))?;
        stage.edited_logits(&captures[0], &items, &captures[0].sites())?;
        Ok(())
    })
}

/// Latents: encoding, and the best one-latent classifier of 26 letters among all of them.
fn latents(args: &Args) -> anyhow::Result<()> {
    const D: usize = 768;
    const ROWS: usize = 1024;
    const FIRST: usize = 4096;
    let x: Vec<f32> = (0..ROWS * D)
        .map(|i| ((i * 7919) % 1013) as f32 / 500.0 - 1.0)
        .collect();
    let train = Labelled {
        y: (0..ROWS).map(|row| row % 26).collect(),
        x,
        d: D,
        classes: 26,
    };
    let scratch = tempfile::tempdir()?;
    let widths: Vec<usize> = STEPS.iter().map(|step| FIRST * step).collect();
    for &d_sae in &widths {
        let sae = RandomSae {
            d_in: D,
            d_sae,
            k: 32,
            layer: 0,
            seed: 0,
        };
        sae.write(&scratch.path().join(d_sae.to_string()))?;
    }
    row(
        args,
        "latents: reading, encoding, choosing, 1,024 rows of width 768",
        FIRST,
        |width| {
            let sae = Sae::open(&scratch.path().join(width.to_string()))?;
            by_sparse_probe(&sae.encode(&train.x), &train)?;
            Ok(())
        },
    )
}

/// Layers of Gemma-2-2b's shapes: a pass of 48 prompts through the first ones.
fn layers(args: &Args, scratch: &Path) -> anyhow::Result<()> {
    let folder = scratch.join("model");
    fs_err::create_dir_all(&folder)?;
    fs_err::copy(embedded_model().join("tokenizer.json"), folder.join("tokenizer.json"))?;
    let shape = RandomModel {
        layers: 8,
        vocab_size: 6_000,
        ..RandomModel::gemma2_2b()
    };
    shape.write(&folder)?;
    let model = Transformer::open(&folder)?;
    let ids: Vec<u32> = (0..288).map(|i| 5 + i % 5_000).collect();
    row(
        args,
        "layers of Gemma-2-2b's shapes, 288 positions, bf16 mapped",
        1,
        |layers| {
            let x = model.embed(&ids, 48, 0)?;
            model.run(x, 48, 0..layers, None, Keep::All)?;
            Ok(())
        },
    )
}

/// SAEs of one layer: the whole of `bench run`.
fn saes(args: &Args, scratch: &Path) -> anyhow::Result<()> {
    let folder = scratch.join("saes");
    for seed in 0..8 {
        let sae = RandomSae {
            d_in: 128,
            d_sae: 1024,
            k: 8,
            layer: 1,
            seed,
        };
        sae.write(&folder.join(format!("{seed}")))?;
    }
    row(args, "SAEs: the whole of `bench run`, embedded model", 1, |count| {
        let out = tempfile::tempdir()?;
        let mut command = Command::new(&args.bench);
        command
            .arg("run")
            .arg("--out")
            .arg(out.path())
            .args(["--progress", "none"]);
        for seed in 0..count {
            command.arg("--sae").arg(folder.join(format!("{seed}")));
        }
        let status = command.stdout(Stdio::null()).stderr(Stdio::null()).status()?;
        ensure!(status.success(), "`{}` failed: {status}", args.bench.display());
        Ok(())
    })
}
