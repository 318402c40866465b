//! Vernier's command line: arguments to plan to run to record to words on a terminal. Glue only.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

mod train;

/// Measure what sparse autoencoders miss, against linear probes.
#[derive(Parser)]
#[command(name = "bench", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Train the embedded model or an autoencoder.
    Train {
        #[command(subcommand)]
        what: Train,
    },
}

#[derive(Subcommand)]
enum Train {
    /// Train the embedded language model and its tokenizer.
    Lm {
        /// The recipe.
        #[arg(long, default_value = "datasets/embedded/recipe.json")]
        recipe: PathBuf,
        /// Where the model goes.
        #[arg(long, default_value = "datasets/embedded/model")]
        out: PathBuf,
    },
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let done = match cli.command {
        Command::Train { what: Train::Lm { recipe, out } } => {
            train::lm::train(&recipe, &out, &mut |line| eprintln!("{line}"))
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
