//! Seconds of a capture and of exact ablations, their share of this machine's best product, and peak memory, for any model folder.

use std::path::PathBuf;
use std::time::Instant;

use ablation::Stage;
use clap::Parser;
use kernels::{Layout, Threads, gemm_f32};
use model_runner::{Budget, Residency, Transformer};
use tasks::IclPlan;
use vernier_benches::{Prompts, peak_rss, run_flops};

#[derive(Parser)]
struct Args {
    /// Model folder.
    folder: PathBuf,
    /// The layer whose `hook_resid_post` is captured and edited.
    #[arg(long)]
    layer: usize,
    /// Words whose vectors are captured.
    #[arg(long, default_value_t = 1000)]
    words: usize,
    /// How many of them are ablated.
    #[arg(long, default_value_t = 100)]
    ablated: usize,
    /// Latents of each that are taken out, one at a time.
    #[arg(long, default_value_t = 10)]
    latents: usize,
    /// Shared example sets.
    #[arg(long, default_value_t = 8)]
    icl_sets: usize,
    /// Memory that parts of the run share, GiB.
    #[arg(long, default_value_t = 8)]
    memory: u64,
}

/// Best rate of a large f32 product on all threads, operations per second.
fn peak() -> f64 {
    const SHAPE: (usize, usize, usize) = (1152, 9216, 2304);
    let (m, k, n) = SHAPE;
    let a = vec![0.5f32; m * k];
    let b = vec![0.25f32; k * n];
    let mut out = vec![0.0; m * n];
    let mut best = f64::INFINITY;
    for _ in 0..8 {
        let begun = Instant::now();
        let (a, b) = ((a.as_slice(), Layout::rows(k)), (b.as_slice(), Layout::rows(n)));
        gemm_f32(SHAPE, a, b, (&mut out, Layout::rows(n)), false, 1.0, Threads::Pool);
        best = best.min(begun.elapsed().as_secs_f64());
    }
    2.0 * (m * k * n) as f64 / best
}

fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    let plan = IclPlan::Shared {
        sets: args.icl_sets,
        prompts_per_word: 1,
    };
    let prompts = Prompts::new(&args.folder, plan, Some(args.words))?;
    let words = prompts.set.prompts.len();
    let peak = peak();
    println!("best large f32 product: {:.0} GFLOP/s", peak / 1e9);
    let mut begun = Instant::now();
    let mut lap = |what: &str, flops: f64| {
        let seconds = begun.elapsed().as_secs_f64();
        let rss = peak_rss().unwrap_or_default() as f64 / f64::from(1 << 30);
        let rate = flops / seconds;
        println!(
            "{what}: {seconds:.1} s, {:.2} TFLOP, {:.0} GFLOP/s, {:.0} % of it (peak resident so far {rss:.2} GiB)",
            flops / 1e12,
            rate / 1e9,
            100.0 * rate / peak
        );
        begun = Instant::now();
    };
    let model = Transformer::open_with(&args.folder, Residency::Auto, Budget::of(args.memory << 30))?;
    let (config, layers) = (model.config(), model.config().layers);
    let (seq, past) = (prompts.set.suffix_len(), prompts.mean_prefix().round() as usize);
    let stage = Stage::new(&model, &prompts.set.prefixes, prompts.items(), prompts.answers.ids())?;
    lap(
        &format!("{} prefixes of about {past} tokens, all layers", args.icl_sets),
        run_flops(config, 0..layers, args.icl_sets, past, 0, false),
    );
    let all: Vec<usize> = (0..words).collect();
    stage.site_vectors(args.layer, &all)?;
    lap(
        &format!("vectors of {words} words at layer {}", args.layer),
        run_flops(config, 0..args.layer + 1, words, 1, past, false),
    );
    let ablated: Vec<usize> = (0..args.ablated.min(words)).collect();
    let capture = stage.capture(&[args.layer], Some(&ablated))?;
    lap(
        &format!("streams of {} words at layer {}", ablated.len(), args.layer),
        run_flops(config, 0..args.layer + 1, ablated.len(), seq, past, false),
    );
    // What is taken out does not matter for time, but no two edits are the same.
    let rows: Vec<usize> = ablated.iter().flat_map(|&row| vec![row; args.latents]).collect();
    let vectors: Vec<f32> = rows
        .iter()
        .enumerate()
        .flat_map(|(edit, &row)| {
            let shrink = 1.0 - 0.05 * (1 + edit % args.latents) as f32 / args.latents as f32;
            capture[0].site(row).iter().map(move |x| x * shrink)
        })
        .collect();
    stage.edited_logits(&capture[0], &rows, &vectors)?;
    lap(
        &format!(
            "exact ablation of {} latents x {} words, layers above",
            args.latents,
            ablated.len()
        ),
        run_flops(config, args.layer + 1..layers, rows.len(), seq, past, true),
    );
    Ok(())
}
