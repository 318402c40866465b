//! Writes a Gemma-2-2b-shaped checkpoint with random weights, to measure time and memory at scale.
//!
//! Its `tokenizer.json` is the shipped model's: all of its ids are below 256,000, so the prompts
//! are real prompts of that tokenizer, which is all that time and memory can notice.

use std::path::PathBuf;
use std::time::Instant;

use clap::Parser;
use vernier_benches::{RandomModel, RandomSae, embedded_model};

#[derive(Parser)]
struct Args {
    /// Where the model goes; 5.2 GB.
    folder: PathBuf,
    /// Also writes a random top-k SAE here; 0.15 GB. Of several, each into a numbered folder.
    #[arg(long)]
    sae: Option<PathBuf>,
    /// How many SAEs.
    #[arg(long, default_value_t = 1)]
    saes: u64,
    /// Latents of the SAE.
    #[arg(long, default_value_t = 16_384)]
    width: usize,
    /// Active latents per row.
    #[arg(long, default_value_t = 32)]
    k: usize,
    /// The layer that the SAE names.
    #[arg(long, default_value_t = 12)]
    layer: usize,
    /// Blocks of the model.
    #[arg(long, default_value_t = 26)]
    layers: usize,
}

fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    let begun = Instant::now();
    fs_err::create_dir_all(&args.folder)?;
    fs_err::copy(
        embedded_model().join("tokenizer.json"),
        args.folder.join("tokenizer.json"),
    )?;
    let bytes = RandomModel {
        layers: args.layers,
        ..RandomModel::gemma2_2b()
    }
    .write(&args.folder)?;
    println!(
        "{bytes} bytes of weights in `{}`, {:.1} s",
        args.folder.display(),
        begun.elapsed().as_secs_f64()
    );
    if let Some(folder) = &args.sae {
        let begun = Instant::now();
        for seed in 0..args.saes {
            let sae = RandomSae {
                d_in: 2304,
                d_sae: args.width,
                k: args.k,
                layer: args.layer,
                seed,
            };
            let numbered = folder.join(format!("{seed:03}"));
            sae.write(if args.saes > 1 { &numbered } else { folder })?;
        }
        println!(
            "{} SAEs of width {} in `{}`, {:.1} s",
            args.saes,
            args.width,
            folder.display(),
            begun.elapsed().as_secs_f64()
        );
    }
    Ok(())
}
