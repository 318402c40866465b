//! Seconds per 100 words of capture and of edits, and peak memory, for any model folder.

use std::path::PathBuf;
use std::time::Instant;

use ablation::Stage;
use clap::Parser;
use model_runner::Transformer;
use tasks::IclPlan;
use vernier_benches::{Prompts, peak_rss, run_flops};

#[derive(Parser)]
struct Args {
    /// Model folder.
    folder: PathBuf,
    /// The layer whose `hook_resid_post` is captured and edited.
    #[arg(long)]
    layer: usize,
    /// Words; each is captured once and edited once.
    #[arg(long, default_value_t = 100)]
    words: usize,
    /// Shared example sets.
    #[arg(long, default_value_t = 2)]
    icl_sets: usize,
}

fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    let plan = IclPlan::Shared {
        sets: args.icl_sets,
        prompts_per_word: 1,
    };
    let prompts = Prompts::new(&args.folder, plan, Some(args.words))?;
    let words = prompts.set.prompts.len();
    let mut begun = Instant::now();
    let mut lap = |what: &str| {
        let seconds = begun.elapsed().as_secs_f64();
        let rss = peak_rss().unwrap_or_default() as f64 / f64::from(1 << 30);
        println!("{what}: {seconds:.2} s (peak {rss:.2} GiB)");
        begun = Instant::now();
        seconds
    };
    let model = Transformer::open(&args.folder)?;
    lap("opened");
    let layers = model.config().layers;
    model.warm(0..layers)?;
    lap("widened all layers");
    let stage = Stage::new(&model, &prompts.set.prefixes, prompts.items(), prompts.answers.ids())?;
    lap(&format!(
        "ran {} prefixes of about {:.0} tokens",
        args.icl_sets,
        prompts.mean_prefix()
    ));
    let captures = stage.capture(&[args.layer], None)?;
    let captured = lap(&format!("captured {words} words at layer {}", args.layer));
    let rows: Vec<usize> = (0..words).collect();
    stage.edited_logits(&captures[0], &rows, &captures[0].sites())?;
    let edited = lap(&format!("ran {words} edits through the layers above"));
    let seq = prompts.set.suffix_len();
    let past = prompts.mean_prefix().round() as usize;
    let rate = |range, last, seconds| run_flops(model.config(), range, words, seq, past, last) / seconds / 1e9;
    println!(
        "per 100 words: capture {:.2} s ({:.1} GFLOP/s), one edit each {:.2} s ({:.1} GFLOP/s)",
        captured * 100.0 / words as f64,
        rate(0..args.layer + 1, false, captured),
        edited * 100.0 / words as f64,
        rate(args.layer + 1..layers, true, edited),
    );
    Ok(())
}
