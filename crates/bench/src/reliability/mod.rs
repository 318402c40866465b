//! `bench reliability`: the same benchmark over redrawn seeds, and how far its scores can be trusted.
//!
//! What a score does over redraws is its error of measurement: its share of the variance between SAEs (ICC), its size in units of
//! the score (SEM), and the smallest difference of two scores that is more than redrawing. All sources of randomness are redrawn
//! together, or one of them alone (`--source`): the examples of prompts and the pairs of words, the scored words, half of the train
//! words. Seeds of training are another thing: SAEs that differ in theirs only are shown apart.
//!
//! The numbers are also left in a file, of which `bench leaderboard` takes the smallest difference worth reading.
//!
//! Deliberately absent: the models' own seeds.

mod file;
mod power;
mod show;
mod sources;

use std::path::PathBuf;

use clap::{Args, Parser, ValueEnum};
use stats::{Design, Reliability, reliability};
use store::Record;

use crate::failure;
use crate::progress::Mode;
use crate::run::args::{Redraw, Source};
use crate::run::{self, RunArgs};

pub(crate) use file::Reliabilities;

const EXAMPLES: &str = "\
Examples:
  bench reliability                      five seeds of the embedded panel
  bench reliability --seeds 10 --out runs/ten
  bench reliability --source joint --source train   all sources together, then the train words alone
  bench reliability --model DIR --sae DIR --sae DIR --sae DIR --layer 12

Each seed is a run of `bench run` in OUT/SOURCE/seed-N; what is finished there is not run again.
OUT/reliability.json holds what the tables show; `bench leaderboard --reliability FILE` reads it.";

/// Repeat the benchmark over redrawn seeds: ICC, standard error and detectable difference of each score.
#[derive(Args, Clone, Debug)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct ReliabilityArgs {
    /// Seeds: this many, from `--seed` on.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u64).range(2..=1000), value_name = "N")]
    seeds: u64,
    /// The first seed.
    #[arg(long, default_value_t = 0, value_name = "S")]
    seed: u64,
    /// What is redrawn: joint (everything together), prompts, words or train; repeat for more than one.
    #[arg(long, value_enum, default_value = "joint", value_name = "SOURCE")]
    source: Vec<What>,
    /// Model: a folder, or a name in the Hugging Face cache [default: the embedded model].
    #[arg(long, value_name = "MODEL")]
    model: Option<String>,
    /// SAE: as for `bench run`; repeat for several, at least three [default: the shipped panel].
    #[arg(long, value_name = "SAE")]
    sae: Vec<String>,
    /// Layer whose `hook_resid_post` is edited [default: the one the SAEs were trained on].
    #[arg(long, value_name = "L")]
    layer: Option<usize>,
    /// Cap on test and selection words per letter, for a quick look.
    #[arg(long, value_name = "N")]
    limit: Option<usize>,
    /// Folder of the runs, one folder for each source and seed.
    #[arg(long, default_value = "runs/reliability", value_name = "DIR")]
    out: PathBuf,
    /// Threads [default: all].
    #[arg(long, value_parser = run::args::positive, value_name = "N")]
    pub(crate) threads: Option<usize>,
    /// Progress on stderr.
    #[arg(long, value_enum, default_value = "auto")]
    progress: Mode,
    /// Format of the tables on stdout: term, md, csv, latex or json.
    #[arg(long, default_value = "term")]
    format: report::Format,
}

/// What is redrawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum What {
    /// Everything together.
    Joint,
    /// In-context examples and pairs of words.
    Prompts,
    /// Scored words.
    Words,
    /// Another half of the train words.
    Train,
}

impl What {
    fn name(self) -> &'static str {
        match self {
            Self::Joint => "joint",
            Self::Prompts => Source::Prompts.name(),
            Self::Words => Source::Words.name(),
            Self::Train => Source::Train.name(),
        }
    }
}

#[derive(Parser)]
struct Defaults {
    #[command(flatten)]
    run: RunArgs,
}

impl ReliabilityArgs {
    fn run(&self, what: What, seed: u64) -> RunArgs {
        let mut run = Defaults::parse_from(["bench"]).run;
        run.model.clone_from(&self.model);
        run.sae.clone_from(&self.sae);
        run.layer = self.layer;
        run.limit = self.limit;
        let alone = |source| vec![Redraw { source, seed }];
        match what {
            What::Joint => {
                run.seed = seed;
                run.redraw = alone(Source::Train);
            }
            What::Prompts => run.redraw = alone(Source::Prompts),
            What::Words => run.redraw = alone(Source::Words),
            What::Train => run.redraw = alone(Source::Train),
        }
        if what != What::Joint {
            run.seed = self.seed;
        }
        run.out = self.out.join(what.name()).join(format!("seed-{seed}"));
        run.progress = self.progress;
        run
    }
}

/// Scores: name in the record, name in the table.
const SCORES: [(&str, &str); 14] = [
    ("sae:k=1:probe/m_star", "M* probe"),
    ("sae:k=1:cosine/m_star", "M* cosine"),
    ("sae:k=1:effect/m_star", "M* effect"),
    ("sae:k=1:oracle/m_star", "M* oracle"),
    ("sae:k=1:probe/ms", "MS probe"),
    ("sae:k=1:probe/o_mean", "O probe"),
    ("sae:k=1:probe/fi", "Fi probe"),
    ("latent/f1", "F1"),
    ("latent/full_absorption", "full absorption"),
    ("gap/total", "gap"),
    ("gap/absorb", "gap: absorption"),
    ("latent/split_latents", "split latents"),
    ("k_to_match/matched", "matched"),
    ("sae/explained_variance", "EV"),
];

/// One score of every SAE at every seed.
struct Score {
    key: &'static str,
    name: &'static str,
    /// `[SAEs, seeds]`.
    table: Vec<Vec<f64>>,
    found: Option<Reliability>,
    /// Why there is none.
    why: String,
}

/// What redrawing one source showed.
struct Redrawn {
    what: What,
    scores: Vec<Score>,
}

pub(crate) fn command(args: &ReliabilityArgs) -> anyhow::Result<u8> {
    let mut sources: Vec<What> = Vec::new();
    for &what in &args.source {
        if !sources.contains(&what) {
            sources.push(what);
        }
    }
    let mut runs: Vec<Vec<Vec<Record>>> = Vec::new();
    let mut failed: Vec<(String, String)> = Vec::new();
    for &what in &sources {
        let mut seeds = Vec::new();
        for seed in args.seed..args.seed.saturating_add(args.seeds) {
            eprintln!("{}, seed {seed}:", what.name());
            let finished = run::finish(&args.run(what, seed))?;
            failed.extend(finished.failed);
            // Other seeds cannot bring more.
            enough(finished.saes.len())?;
            seeds.push(finished.saes);
        }
        runs.push(seeds);
    }
    // Only SAEs that every seed has.
    let ids: Vec<String> = runs[0][0]
        .iter()
        .filter_map(|record| Some(record.spec.sae.as_ref()?.id.clone()))
        .filter(|id| runs.iter().flatten().all(|run| record_of(run, id).is_some()))
        .collect();
    enough(ids.len())?;
    let redrawn: Vec<Redrawn> = sources
        .iter()
        .zip(&runs)
        .map(|(&what, seeds)| Redrawn {
            what,
            scores: SCORES.iter().map(|(key, name)| score(key, name, seeds, &ids)).collect(),
        })
        .collect();
    let mut tables = show::tables(&redrawn, &ids, args)?;
    tables.extend(sources::table(&redrawn)?);
    tables.extend(power::table(&runs[0][0])?);
    crate::print_tables(&tables, args.format)?;
    let path = args.out.join("reliability.json");
    file::Reliabilities::new(&runs[0][0][0], args, &ids, &redrawn).write(&path)?;
    eprintln!("wrote `{}`", path.display());
    failed.sort();
    failed.dedup();
    for (id, reason) in &failed {
        eprintln!("failed: `{id}`: {reason}");
    }
    Ok(if failed.is_empty() {
        failure::DONE
    } else {
        failure::SOME_FAILED
    })
}

fn enough(saes: usize) -> anyhow::Result<()> {
    if saes < stats::MIN_ITEMS {
        return Err(failure::nothing_selected(format!(
            "{saes} SAEs were measured at every seed; reliability needs {} to compare\nhint: name more with `--sae`",
            stats::MIN_ITEMS
        )));
    }
    Ok(())
}

fn record_of<'a>(run: &'a [Record], id: &str) -> Option<&'a Record> {
    run.iter()
        .find(|record| record.spec.sae.as_ref().is_some_and(|sae| sae.id == id))
}

fn score(key: &'static str, name: &'static str, runs: &[Vec<Record>], ids: &[String]) -> Score {
    let value = |id: &String, run: &Vec<Record>| Some(record_of(run, id)?.summary.get(key)?.value);
    let table: Vec<Vec<f64>> = ids
        .iter()
        .filter_map(|id| runs.iter().map(|run| value(id, run)).collect())
        .collect();
    if table.len() < ids.len() {
        return Score {
            key,
            name,
            why: format!("{} of {} SAEs have it at every seed", table.len(), ids.len()),
            table: Vec::new(),
            found: None,
        };
    }
    match reliability(&table, Design::Crossed, stats::DEFAULT_LEVEL) {
        Ok(found) => Score {
            key,
            name,
            table,
            found: Some(found),
            why: String::new(),
        },
        Err(error) => Score {
            key,
            name,
            table,
            found: None,
            why: error.to_string(),
        },
    }
}
