//! What `bench run` can be told.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use serde_json::{Value, json};
use std::collections::BTreeMap;

use model_runner::BosPolicy;

use crate::device::DeviceArgs;
use crate::dump::OpenArgs;
use crate::progress::Mode;
use crate::size::Size;

/// How in-context examples are drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Icl {
    /// A few sets of examples shared by many words: their prefix is run once.
    Shared,
    /// New examples for every word, as in the paper.
    Fresh,
}

/// How many arms are measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ArmSet {
    /// What the tables of a run need.
    Core,
    /// Every arm, dose, position set and side effect.
    Full,
}

/// A source of randomness that can be redrawn alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(crate) enum Source {
    /// In-context examples and the partners of patching.
    Prompts,
    /// Which held-out words are scored, and on which damage is measured.
    Words,
    /// Train words: another half of them fits probes and chooses latents, and other words rank latents by effect.
    Train,
}

impl Source {
    pub(crate) const ALL: [Self; 3] = [Self::Prompts, Self::Words, Self::Train];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Prompts => "prompts",
            Self::Words => "words",
            Self::Train => "train",
        }
    }
}

/// A source and the seed that it is drawn with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Redraw {
    pub(crate) source: Source,
    pub(crate) seed: u64,
}

impl std::str::FromStr for Redraw {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || format!("`{text}` is not SOURCE=SEED, such as `train=1`; sources: prompts, words, train");
        let (source, seed) = text.split_once('=').ok_or_else(wrong)?;
        Ok(Self {
            source: Source::from_str(source, false).map_err(|_| wrong())?,
            seed: seed.parse().map_err(|_| wrong())?,
        })
    }
}

/// A count of at least one.
pub(crate) fn positive(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(0) => Err("must be at least 1".to_owned()),
        Ok(count) => Ok(count),
        Err(error) => Err(format!("{error}")),
    }
}

/// Run the first-letter benchmark.
#[derive(Args, Clone, Debug)]
pub(crate) struct RunArgs {
    /// Model: a folder, or a name in the Hugging Face cache such as `google/gemma-2-2b@main` [default: the embedded model].
    #[arg(long, value_name = "MODEL", help_heading = "What is measured")]
    pub(crate) model: Option<String>,
    /// SAE: a folder or file, or a place in the Hugging Face cache such as `owner/name:path`; `*` in it takes all that match;
    /// repeat for several [default: the shipped panel].
    #[arg(long, value_name = "SAE", help_heading = "What is measured")]
    pub(crate) sae: Vec<String>,
    /// Layer whose `hook_resid_post` is edited [default: the one the SAEs were trained on].
    #[arg(long, value_name = "L", help_heading = "What is measured")]
    pub(crate) layer: Option<usize>,
    /// Letters, such as `a,b,s-z` [default: all with enough words].
    #[arg(long, value_name = "LIST", help_heading = "What is measured")]
    pub(crate) letters: Option<String>,
    /// JSON list of held-out words; every other word trains probes [default: a seeded 80/20 split].
    #[arg(long, value_name = "FILE", help_heading = "What is measured")]
    pub(crate) held_out: Option<PathBuf>,

    /// Whether prompts begin with the beginning-of-sequence token: auto (as the family was trained), always or never.
    #[arg(
        long,
        default_value = "auto",
        value_name = "POLICY",
        help_heading = "What is measured"
    )]
    pub(crate) bos: BosPolicy,
    #[command(flatten)]
    pub(crate) open: OpenArgs,

    /// Which arms are measured: core (the tables of a run), or full (also doses, further probes and controls, positions and
    /// side effects; several times as long).
    #[arg(long, value_enum, default_value = "core", help_heading = "How much")]
    pub(crate) arms: ArmSet,
    /// Test words per letter.
    #[arg(long, default_value_t = 20, value_parser = positive, value_name = "N", help_heading = "How much")]
    pub(crate) words: usize,
    /// Train words per letter on which latents are chosen by effect.
    #[arg(long, default_value_t = 40, value_parser = positive, value_name = "N", help_heading = "How much")]
    pub(crate) select_words: usize,
    /// Words of each other letter on which an edit's damage is measured.
    #[arg(long, default_value_t = 2, value_parser = positive, value_name = "N", help_heading = "How much")]
    pub(crate) off_target: usize,
    /// Most train words for the probes.
    #[arg(long, default_value_t = 40_000, value_parser = positive, value_name = "N", help_heading = "How much")]
    pub(crate) probe_words: usize,
    /// In-context examples per prompt.
    #[arg(long, default_value_t = 10, value_parser = positive, value_name = "N", help_heading = "How much")]
    pub(crate) examples: usize,
    /// How examples are drawn.
    #[arg(long, value_enum, default_value = "shared", help_heading = "How much")]
    pub(crate) icl: Icl,
    /// Shared example sets.
    #[arg(long, default_value_t = 8, value_parser = positive, value_name = "N", help_heading = "How much")]
    pub(crate) icl_sets: usize,
    /// Draws of each random arm.
    #[arg(long, default_value_t = 8, value_parser = positive, value_name = "N", help_heading = "How much")]
    pub(crate) random_draws: usize,
    /// Bootstrap replicates.
    #[arg(long, default_value_t = 10_000, value_parser = positive, value_name = "N", help_heading = "How much")]
    pub(crate) replicates: usize,
    /// UTF-8 text on which the damage of edits to unrelated text is measured, with `--arms full` [default: what the embedded model
    /// sampled; none for other models].
    #[arg(long, value_name = "FILE", help_heading = "How much")]
    pub(crate) text: Option<PathBuf>,
    /// Tokens of that text [default: up to 1000].
    #[arg(long, value_parser = positive, value_name = "N", help_heading = "How much")]
    pub(crate) text_tokens: Option<usize>,
    /// Cap on test and selection words per letter, for a quick look; recorded as a limited run.
    #[arg(long, value_parser = positive, value_name = "N", help_heading = "How much")]
    pub(crate) limit: Option<usize>,

    /// The one seed; every draw derives its own from it.
    #[arg(long, default_value_t = 0, help_heading = "How it runs")]
    pub(crate) seed: u64,
    /// Another seed for one source of randomness: prompts, words (which are scored) or train (another half of the train words);
    /// repeat for several. What `bench reliability` uses.
    #[arg(long, value_name = "SOURCE=SEED", help_heading = "How it runs")]
    pub(crate) redraw: Vec<Redraw>,
    /// Folder of records; finished units in it are not run again.
    #[arg(long, default_value = "runs", value_name = "DIR", help_heading = "How it runs")]
    pub(crate) out: PathBuf,
    /// Folder where site vectors are kept for later runs, or `none` [default: $`VERNIER_CACHE` or the user's cache folder, for those
    /// that take long to compute].
    #[arg(long, value_name = "DIR", help_heading = "How it runs")]
    pub(crate) cache: Option<PathBuf>,
    /// Most that the cache may hold; what was used longest ago goes first.
    #[arg(long, default_value = "20GiB", value_name = "SIZE", help_heading = "How it runs")]
    pub(crate) cache_size: Size,
    /// Show where the time went, by stage, on stderr.
    #[arg(long, help_heading = "How it runs")]
    pub(crate) profile: bool,
    /// Also draw the figures of the run into this folder, as SVG.
    #[arg(long, value_name = "DIR", help_heading = "How it runs")]
    pub(crate) figures: Option<PathBuf>,
    /// Run units again that are already finished.
    #[arg(long, help_heading = "How it runs")]
    pub(crate) rerun: bool,
    /// Threads [default: all].
    #[arg(long, value_parser = positive, value_name = "N", help_heading = "How it runs")]
    pub(crate) threads: Option<usize>,
    /// Where passes run.
    #[command(flatten)]
    pub(crate) place: DeviceArgs,
    /// Progress on stderr.
    #[arg(long, value_enum, default_value = "auto", help_heading = "How it runs")]
    pub(crate) progress: Mode,
    /// Format of the tables on stdout: term, md, csv, latex or json.
    #[arg(long, default_value = "term", help_heading = "How it runs")]
    pub(crate) format: report::Format,
}

impl RunArgs {
    /// Test words per letter after `--limit`.
    pub(crate) fn test_cap(&self) -> usize {
        self.limit.map_or(self.words, |limit| limit.min(self.words))
    }

    /// Selection words per letter after `--limit`.
    pub(crate) fn select_cap(&self) -> usize {
        self.limit
            .map_or(self.select_words, |limit| limit.min(self.select_words))
    }

    /// Seed of one source of randomness.
    pub(crate) fn seed_of(&self, source: Source) -> u64 {
        self.redrawn(source).unwrap_or(self.seed)
    }

    /// The seed of a source that has one of its own; the last one given counts.
    pub(crate) fn redrawn(&self, source: Source) -> Option<u64> {
        let own = self.redraw.iter().rev().find(|redraw| redraw.source == source);
        own.map(|redraw| redraw.seed)
    }

    /// Whether every arm is measured.
    pub(crate) fn full(&self) -> bool {
        self.arms == ArmSet::Full
    }

    /// Every number that can change a result.
    pub(crate) fn settings(&self) -> BTreeMap<String, Value> {
        let icl = if self.icl == Icl::Shared { "shared" } else { "fresh" };
        let pairs = [
            ("arms", json!(if self.full() { "full" } else { "core" })),
            ("words", json!(self.words)),
            ("select_words", json!(self.select_words)),
            ("off_target", json!(self.off_target)),
            ("probe_words", json!(self.probe_words)),
            ("examples", json!(self.examples)),
            ("icl", json!(icl)),
            ("icl_sets", json!(self.icl_sets)),
            ("random_draws", json!(self.random_draws)),
            ("replicates", json!(self.replicates)),
        ];
        let redrawn = Source::ALL.into_iter().filter_map(|source| {
            let seed = self.redrawn(source)?;
            Some((format!("redraw_{}", source.name()), json!(seed)))
        });
        pairs
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value))
            .chain(redrawn)
            .chain(self.open.settings())
            .collect()
    }
}
