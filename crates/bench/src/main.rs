//! Vernier's command line: arguments to plan to run to record to words on a terminal. Glue only.

use std::io::{ErrorKind, IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

mod absorption;
mod cache;
mod compare;
mod device;
mod doctor;
mod dump;
mod embedded;
mod explain;
mod failure;
mod inspect;
mod leaderboard;
mod locate;
mod ls;
mod paper;
mod probe;
mod progress;
mod reliability;
mod run;
mod size;
mod token_ids;
mod train;
mod validate;

/// Measure what sparse autoencoders miss, against linear probes.
///
/// Without a subcommand: run the first-letter benchmark on the embedded model and its panel of
/// autoencoders.
#[derive(Parser)]
#[command(name = "bench", version, args_conflicts_with_subcommands = true, after_long_help = EXAMPLES)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    run: run::RunArgs,
}

const EXAMPLES: &str = "\
Examples:
  bench                                  the embedded model and panel
  bench run --limit 4                    a quick look at the same
  bench run --model DIR --sae DIR --layer 12
  bench run --format md > table.md
  bench ls saes                          what is shipped; also models, tasks, arms, runs
  bench inspect DIR                      what a checkpoint is
  bench activations --ids F --out G      hook points and logits of prompts
  bench encode --sae S --acts F --out G  latents and reconstruction of activations
  bench probe --acts F --x X --y Y --out G
                                         a linear probe of activations, and its scores
  bench absorption --sae S --probe P --acts F --x X --y Y --main M
                                         absorption of an SAE on given tensors
  bench paper                            every table and figure of the absorption paper
  bench explain --absorbed               words whose letter an SAE's main latent misses
  bench explain cat                      one word, latent by latent
  bench compare A.json B.json            two finished records, letter by letter
  bench reliability                      five seeds, and what one score is worth
  bench validate --small                 planted truths, expected beside measured
  bench leaderboard DIR                  every SAE of finished records, best first
  bench cache ls                         activations that runs kept; also gc, verify
  bench doctor                           whether this program can work here

Exit codes: 0 done, 1 unexpected, 2 usage, 3 input missing or wrong, 4 nothing selected,
5 finished with failed units, 10 compared or validated and outside the tolerance.";

#[derive(Subcommand)]
enum Command {
    /// Run the first-letter benchmark (the default).
    Run(Box<run::RunArgs>),
    /// Train the embedded model or an autoencoder.
    Train {
        #[command(subcommand)]
        what: Train,
    },
    /// List models, autoencoders, tasks, arms or finished runs.
    Ls(ls::LsArgs),
    /// Show what a model or autoencoder checkpoint is.
    Inspect(inspect::InspectArgs),
    /// Dump hook points and logits of prompts.
    Activations(dump::ActivationsArgs),
    /// Encode activations with an autoencoder, and decode them again.
    Encode(dump::EncodeArgs),
    /// Fit linear probes of given activations, and score them.
    Probe(Box<probe::ProbeArgs>),
    /// Score absorption on given tensors.
    Absorption(Box<absorption::AbsorptionArgs>),
    /// Measure every table and figure of "A is for Absorption".
    Paper(Box<paper::PaperArgs>),
    /// Show how a word's letter stands in SAEs, or find words whose letter is absorbed.
    Explain(Box<explain::ExplainArgs>),
    /// Compare finished records: what differs, by how much, and whether that is more than chance.
    ///
    /// The first record is the reference; every difference is the other record minus it, paired by letter.
    Compare(compare::CompareArgs),
    /// Repeat the benchmark over redrawn seeds: how far its scores can be trusted.
    Reliability(reliability::ReliabilityArgs),
    /// Check the measurements on planted truths: expected beside measured.
    Validate(validate::ValidateArgs),
    /// Rank the SAEs of finished records.
    Leaderboard(leaderboard::LeaderboardArgs),
    /// List, bound or check the cache of activations.
    Cache(cache::CacheArgs),
    /// Check that this program can work here.
    Doctor(doctor::DoctorArgs),
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
    /// Train autoencoders on a model's residual stream.
    Sae {
        /// Model folder.
        #[arg(long, default_value = "datasets/embedded/model")]
        model: PathBuf,
        /// The panel's settings.
        #[arg(long, default_value = "datasets/embedded/panel.json")]
        panel: PathBuf,
        /// Only members whose name contains this.
        #[arg(long)]
        only: Option<String>,
        /// Where the autoencoders go, one folder each.
        #[arg(long, default_value = "datasets/embedded/saes")]
        out: PathBuf,
    },
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let done = match cli.command {
        None => start(&cli.run),
        Some(Command::Run(args)) => start(&args),
        Some(Command::Ls(args)) => ls::ls(&args),
        Some(Command::Inspect(args)) => inspect::inspect(&args),
        Some(Command::Activations(args)) => dump::activations::activations(&args),
        Some(Command::Encode(args)) => dump::encode::encode(&args),
        Some(Command::Probe(args)) => threads(args.threads).and_then(|()| probe::probe(&args)),
        Some(Command::Absorption(args)) => threads(args.threads).and_then(|()| absorption::absorption(&args)),
        Some(Command::Paper(args)) => threads(args.threads).and_then(|()| paper::run(&args)),
        Some(Command::Explain(args)) => explain::explain(&args),
        Some(Command::Compare(args)) => compare::compare(&args),
        Some(Command::Reliability(args)) => threads(args.threads).and_then(|()| reliability::command(&args)),
        Some(Command::Validate(args)) => threads(args.threads).and_then(|()| validate::command(&args)),
        Some(Command::Leaderboard(args)) => leaderboard::leaderboard(&args),
        Some(Command::Cache(args)) => cache::cache(&args),
        Some(Command::Doctor(args)) => doctor::doctor(&args),
        Some(Command::Train {
            what: Train::Lm { recipe, out },
        }) => train::lm::train(&recipe, &out, &mut |line| eprintln!("{line}")).map(|()| failure::DONE),
        Some(Command::Train {
            what:
                Train::Sae {
                    model,
                    panel,
                    only,
                    out,
                },
        }) => train::panel::train(&model, &panel, only.as_deref(), &out, &mut |line| eprintln!("{line}"))
            .map(|()| failure::DONE),
    };
    match done {
        Ok(code) => failure::exit(code),
        Err(error) => {
            eprintln!("error: {error:#}");
            failure::exit(failure::code_of(&error))
        }
    }
}

fn start(args: &run::RunArgs) -> anyhow::Result<u8> {
    threads(args.threads)?;
    run::run(args)
}

fn threads(count: Option<usize>) -> anyhow::Result<()> {
    if let Some(threads) = count {
        rayon::ThreadPoolBuilder::new().num_threads(threads).build_global()?;
    }
    Ok(())
}

/// Writes tables to stdout. A reader that stops early, such as `head`, is no error.
pub(crate) fn print_tables(tables: &[report::Table], format: report::Format) -> anyhow::Result<()> {
    // Into a file or a pipe lines are as long as they need to be.
    let terminal = std::io::stdout()
        .is_terminal()
        .then(terminal_size::terminal_size)
        .flatten();
    let options = report::TermOptions {
        width: terminal.map(|(width, _)| width.0),
        ascii: false,
    };
    let text = report::render(tables, format, options);
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(()),
    }
}
