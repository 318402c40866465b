//! What `bench paper` can be told.

use std::path::PathBuf;

use ablation::absorption::chanin::ChaninThresholds;
use ablation::attribution::{Against, ErrorTerm, Path, PositiveToken};
use ablation::paper::Settings;
use clap::{Args, Parser, ValueEnum};
use linear_probe::SgdConfig;
use model_runner::BosPolicy;

use crate::device::DeviceArgs;
use crate::dump::OpenArgs;
use crate::progress::Mode;
use crate::run::args::positive;
use crate::run::{Icl, RunArgs};

const EXAMPLES: &str = "\
Examples:
  bench paper                            everything, on the embedded model and its panel
  bench paper --list                     what there is, and what the paper says
  bench paper fig9 table2 --format md    two items
  bench paper --model DIR --sae 'google/gemma-scope-2b-pt-res:layer_*/width_16k/*' --out runs/gemma
  bench paper --positive-token released  the metric as the released code computes it

Units that are finished are kept in OUT/units and not measured again; `--rerun` measures all.";

/// Which token is the right answer's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Positive {
    /// `" S"`, as the paper's formula says.
    Paper,
    /// `"s"`, which the released code passes.
    Released,
}

/// What happens to the SAE's error along the path of integrated gradients.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum IgError {
    /// It fades with the latents, as in the released code.
    Faded,
    /// It stays.
    Held,
}

/// Measure every table and figure of "A is for Absorption".
#[derive(Args, Clone, Debug)]
#[command(after_long_help = EXAMPLES)]
#[expect(clippy::struct_excessive_bools, reason = "independent switches of a command line")]
pub(crate) struct PaperArgs {
    /// Tables and figures, such as `fig9` or `table2` [default: all].
    #[arg(value_name = "ITEM")]
    pub(crate) items: Vec<String>,
    /// List the items, with what the paper says.
    #[arg(long)]
    pub(crate) list: bool,

    /// Model: a folder, or a name in the Hugging Face cache [default: the embedded model].
    #[arg(long, value_name = "MODEL", help_heading = "What is measured")]
    pub(crate) model: Option<String>,
    /// SAE: a folder or file, or a place in the Hugging Face cache; `*` in it takes all that match; repeat for several, also of
    /// several layers [default: the shipped panel].
    #[arg(long, value_name = "SAE", help_heading = "What is measured")]
    pub(crate) sae: Vec<String>,
    /// Layer at which every SAE is measured [default: the one that each was trained on].
    #[arg(long, value_name = "L", help_heading = "What is measured")]
    pub(crate) layer: Option<usize>,
    /// JSON list of held-out words; every other word trains probes [default: four fifths of each letter's words].
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

    /// How in-context examples are drawn; the paper draws them fresh for every prompt.
    #[arg(long, value_enum, default_value = "fresh", help_heading = "How the paper is read")]
    pub(crate) icl: Icl,
    /// Begin every prompt with a newline, as `SAEBench` does and the paper does not; with `--probe-batch 64` its scores are read
    /// as its own code reads them.
    #[arg(long, help_heading = "How the paper is read")]
    pub(crate) leading_newline: bool,
    /// The right answer's token in attributions.
    #[arg(long, value_enum, default_value = "paper", help_heading = "How the paper is read")]
    pub(crate) positive_token: Positive,
    /// Steps of integrated gradients.
    #[arg(long, default_value_t = 6, value_parser = positive, value_name = "N", help_heading = "How the paper is read")]
    pub(crate) ig_steps: usize,
    /// The SAE's error along the path.
    #[arg(long, value_enum, default_value = "faded", help_heading = "How the paper is read")]
    pub(crate) ig_error: IgError,
    /// Rows per update of the dense probe [default: 2048, or fewer so that it gets as many updates as the paper's].
    #[arg(long, value_parser = positive, value_name = "N", help_heading = "How the paper is read")]
    pub(crate) probe_batch: Option<usize>,
    /// Rows per update of the probe that ranks latents [default: 4096, or fewer so that it gets as many updates as the paper's].
    #[arg(long, value_parser = positive, value_name = "N", help_heading = "How the paper is read")]
    pub(crate) ranking_batch: Option<usize>,
    /// By how much the first latent must lead the second to absorb a word, in logits.
    #[arg(
        long,
        default_value_t = 1.0,
        value_name = "D",
        help_heading = "How the paper is read"
    )]
    pub(crate) absorption_delta: f64,
    /// Smallest cosine of an absorbing latent's decoder row with the probe.
    #[arg(
        long,
        default_value_t = 0.025,
        value_name = "C",
        help_heading = "How the paper is read"
    )]
    pub(crate) absorption_cosine: f64,
    /// Most words per letter that are looked at.
    #[arg(long, default_value_t = 200, value_parser = positive, value_name = "N", help_heading = "How the paper is read")]
    pub(crate) absorption_words: usize,
    /// Test words per letter whose letter is rewritten (Figures 14 and 15).
    #[arg(long, default_value_t = 100, value_parser = positive, value_name = "N", help_heading = "How the paper is read")]
    pub(crate) rewrite_words: usize,
    /// Seeds of each toy model.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..), value_name = "N", help_heading = "How the paper is read")]
    pub(crate) toy_seeds: u64,

    /// The one seed; every draw derives its own from it.
    #[arg(long, default_value_t = 0, help_heading = "How it runs")]
    pub(crate) seed: u64,
    /// Folder of tables, figures and finished units.
    #[arg(long, default_value = "runs/paper", value_name = "DIR", help_heading = "How it runs")]
    pub(crate) out: PathBuf,
    /// Also write each SAE's absorption scores in the form of `SAEBench`'s result JSON, to OUT/saebench.
    #[arg(long, help_heading = "How it runs")]
    pub(crate) saebench_json: bool,
    /// Measure units again that are already finished.
    #[arg(long, help_heading = "How it runs")]
    pub(crate) rerun: bool,
    /// Where passes run.
    #[command(flatten)]
    pub(crate) place: DeviceArgs,
    /// Threads [default: all].
    #[arg(long, value_parser = positive, value_name = "N", help_heading = "How it runs")]
    pub(crate) threads: Option<usize>,
    /// Progress on stderr.
    #[arg(long, value_enum, default_value = "auto", help_heading = "How it runs")]
    pub(crate) progress: Mode,
    /// Format of the tables on stdout: term, md, csv, latex or json.
    #[arg(long, default_value = "term", help_heading = "How it runs")]
    pub(crate) format: report::Format,
}

/// `bench run` without arguments: where shared settings come from.
#[derive(Parser)]
struct Defaults {
    #[command(flatten)]
    run: RunArgs,
}

impl PaperArgs {
    /// The same choices for the parts that `bench run` shares.
    pub(crate) fn as_run(&self) -> RunArgs {
        let mut run = Defaults::parse_from(["bench"]).run;
        run.model.clone_from(&self.model);
        run.sae.clone_from(&self.sae);
        run.layer = self.layer;
        run.held_out.clone_from(&self.held_out);
        run.bos = self.bos;
        run.open = self.open.clone();
        run.icl = self.icl;
        run.seed = self.seed;
        run.place.clone_from(&self.place);
        run
    }

    /// The paper's lines, with the leading newline of `SAEBench` where that is asked for.
    pub(crate) fn template(&self) -> tasks::Template {
        tasks::Template {
            leading_separator: self.leading_newline,
            ..tasks::Template::verbose()
        }
    }

    /// The dense probe's training on `n` words.
    pub(crate) fn probe(&self, n: usize) -> SgdConfig {
        let published = SgdConfig::paper();
        SgdConfig {
            batch_size: self.probe_batch.unwrap_or_else(|| scaled(published.batch_size, n)),
            ..published
        }
    }

    /// The ranking probe's training on `n` words.
    pub(crate) fn ranking(&self, n: usize) -> SgdConfig {
        let published = SgdConfig::ranking();
        SgdConfig {
            batch_size: self.ranking_batch.unwrap_or_else(|| scaled(published.batch_size, n)),
            ..published
        }
    }

    /// Thresholds and path.
    pub(crate) fn settings(&self) -> Settings {
        Settings {
            chanin: ChaninThresholds {
                delta: self.absorption_delta,
                cosine: self.absorption_cosine,
                max_prompts: self.absorption_words,
                ..ChaninThresholds::default()
            },
            saebench: ablation::absorption::saebench::Thresholds::default(),
            path: Path {
                steps: self.ig_steps,
                error: match self.ig_error {
                    IgError::Faded => ErrorTerm::Faded,
                    IgError::Held => ErrorTerm::Held,
                },
                positive: match self.positive_token {
                    Positive::Paper => PositiveToken::Paper,
                    Positive::Released => PositiveToken::Released,
                },
                against: Against::Mean,
            },
            causal: true,
            alternatives: true,
            seed: self.seed,
        }
    }
}

/// Train words of the paper: four fifths of about 160,000 alphabetic tokens of Gemma-2.
const PUBLISHED_WORDS: usize = 128_000;

/// The published batch, or for far fewer words one that makes at least as many updates per epoch as the paper's: a power of two.
/// With a few thousand words the published batch takes one or two updates per epoch, and which latents it ranks first is then
/// left to the initial weights.
fn scaled(published: usize, n: usize) -> usize {
    if 2 * n >= PUBLISHED_WORDS {
        return published;
    }
    let rows = n / PUBLISHED_WORDS.div_ceil(published);
    (1 << rows.max(1).ilog2()).clamp(16, published)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_words_get_smaller_batches_and_as_many_words_the_published_ones() {
        assert_eq!(scaled(4096, PUBLISHED_WORDS), 4096);
        assert_eq!(scaled(2048, 1_000_000), 2048);
        assert_eq!(scaled(4096, 4_500), 128);
        assert_eq!(scaled(2048, 4_500), 64);
    }
}
