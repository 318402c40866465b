//! What `bench absorption` can be told, and which options belong to which definition.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use linear_probe::SgdConfig;
use linear_probe::ksparse::{LOOK_AHEAD_PAPER, LOOK_AHEAD_SAEBENCH};
use report::Format;

use crate::dump::OpenArgs;
use crate::failure;
use crate::probe::input::Source;

const EXAMPLES: &str = "\
Examples:
  bench absorption --sae S --probe P --acts F --x X_test --y y_test \\
                   --train-x X_train --train-y y_train
  bench absorption --sae S --probe P --acts F --x X --y y --main M --words --out scores.json
  bench absorption --sae S --probe P --acts F --x X --y y --main M \\
                   --definition chanin --effects E

Main latents, the ones that stand for a letter, are chosen on train rows by k-sparse probing,
or given by --main: {\"a\": [12, 5], ...}, {\"0\": [12, 5], ...}, a list with one list of latents for
each class, or what `bench probe --kind k-sparse` prints.

Definitions:
  saebench-0.6       SAEBench since March 2025: a fraction with gates, and full absorption;
                     needs 20 letters whose probe has an F1 above 0.6
  saebench-0.3.2     SAEBench before: another fraction (up to ten times as large on the same SAE,
                     so never compare the two), no such guard
  chanin             Chanin et al. 2025: by effect on the letter's logit; needs --effects
  chanin-projection  three variants of its appendix A.13, by projection; needs no effects

All of them look at test words that the probe finds. Lower is better, but a low score of an SAE
whose main latents never fire says nothing, so main recall, k-sparse F1 and L0 stand beside it.
`valid` says whether a score may be compared.";

const DATA: &str = "Data";
const MAIN: &str = "Main latents (give --main, --train-x, or both)";
const RULES: &str = "Constants of the definitions";
const OUTPUT: &str = "Output";

/// Whose absorption.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Definition {
    /// Chanin et al. 2025: by effect on the letter's logit.
    Chanin,
    /// Its three variants by projection (appendix A.13).
    ChaninProjection,
    /// `SAEBench` from January to March 2025.
    #[value(name = "saebench-0.3.2")]
    Saebench0_3_2,
    /// `SAEBench` since March 2025.
    #[value(name = "saebench-0.6")]
    Saebench0_6,
}

impl Definition {
    pub(super) fn name(self) -> String {
        self.to_possible_value()
            .map_or_else(String::new, |value| value.get_name().to_owned())
    }

    /// Largest number of latents at which the splitting rule looks.
    pub(super) fn look_ahead(self) -> usize {
        match self {
            Self::Chanin | Self::ChaninProjection => LOOK_AHEAD_PAPER,
            Self::Saebench0_3_2 | Self::Saebench0_6 => LOOK_AHEAD_SAEBENCH,
        }
    }
}

/// Score absorption on given tensors.
#[derive(Args, Clone, Debug)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct AbsorptionArgs {
    /// SAE: a folder or file, or a place in the Hugging Face cache such as `owner/name:path`.
    #[arg(long, value_name = "SAE", help_heading = DATA)]
    pub(super) sae: String,
    /// Leave decoder norms where they are; released benchmarks fold them into the latents.
    #[arg(long, help_heading = DATA)]
    pub(super) no_fold: bool,
    /// Dense probe, as `bench probe` writes it.
    #[arg(long, value_name = "FILE.safetensors", help_heading = DATA)]
    pub(super) probe: PathBuf,
    /// Tensor of --probe, [classes, d] [default: `weight`, `probe_weight` or `W`].
    #[arg(long, value_name = "NAME", help_heading = DATA)]
    pub(super) probe_weight: Option<String>,
    /// Tensor of --probe, `[classes]` [default: the one beside the weight; zero if there is none].
    #[arg(long, value_name = "NAME", help_heading = DATA)]
    pub(super) probe_bias: Option<String>,
    /// File with test activations and letters.
    #[arg(long, value_name = "FILE.safetensors", help_heading = DATA)]
    pub(super) acts: PathBuf,
    /// Tensor of test activations, [n, d] floats.
    #[arg(long, value_name = "NAME", help_heading = DATA)]
    pub(super) x: String,
    /// Tensor of test classes, n integers from 0; with 26 classes they are the letters a to z.
    #[arg(long, value_name = "NAME", help_heading = DATA)]
    pub(super) y: String,

    /// Whose definition.
    #[arg(long, value_enum, default_value = "saebench-0.6")]
    pub(super) definition: Definition,
    /// Seed of everything random: the ranking probe, and samples of more than --max-words words.
    #[arg(long, default_value_t = 0)]
    pub(super) seed: u64,
    /// Threads [default: all cores].
    #[arg(long, value_name = "N")]
    pub(crate) threads: Option<usize>,

    /// JSON file of main latents by class.
    #[arg(long, value_name = "FILE.json", help_heading = MAIN)]
    pub(super) main: Option<PathBuf>,
    /// File with train activations and letters [default: that of --acts].
    #[arg(long, value_name = "FILE.safetensors", help_heading = MAIN, requires = "train_x")]
    train_acts: Option<PathBuf>,
    /// Tensor of train activations.
    #[arg(long, value_name = "NAME", help_heading = MAIN, requires = "train_y")]
    train_x: Option<String>,
    /// Tensor of train classes.
    #[arg(long, value_name = "NAME", help_heading = MAIN, requires = "train_x")]
    train_y: Option<String>,
    /// Rows per update of the probe that ranks latents [default: 4096, as released].
    #[arg(long, value_name = "N", help_heading = MAIN, requires = "train_x", conflicts_with = "main")]
    ranking_batch: Option<usize>,
    /// Gain in F1 above which one more latent is a main latent [default: 0.03].
    #[arg(long, value_name = "X", help_heading = MAIN, requires = "train_x", conflicts_with = "main")]
    pub(super) jump: Option<f64>,

    /// Effects for `chanin`: a tensor `attribution` of [n, latents], the effect of each latent on the logit of the row's letter,
    /// negative where it supports it.
    #[arg(long, value_name = "FILE.safetensors", help_heading = RULES)]
    pub(super) effects: Option<PathBuf>,
    /// chanin: lead of the top latent's effect over the second one's [default: 1].
    #[arg(long, value_name = "X", help_heading = RULES)]
    pub(super) delta: Option<f64>,
    /// chanin: most words per letter that are looked at [default: 200].
    #[arg(long, value_name = "N", help_heading = RULES)]
    pub(super) max_words: Option<usize>,
    /// chanin-projection: share of the projection that absorbers carry more than [default: 0.4].
    #[arg(long, value_name = "X", help_heading = RULES)]
    pub(super) share: Option<f64>,
    /// chanin-projection: most absorbers of its second variant [default: 3].
    #[arg(long, value_name = "N", help_heading = RULES)]
    pub(super) absorbers: Option<usize>,
    /// chanin-projection: largest share of main latents in its third variant [default: 0.1].
    #[arg(long, value_name = "X", help_heading = RULES)]
    pub(super) main_share: Option<f64>,
    /// saebench: a letter counts if its probe's F1 is above this [default: 0.6; none for 0.3.2].
    #[arg(long, value_name = "F1", help_heading = RULES, allow_negative_numbers = true)]
    pub(super) min_probe_f1: Option<f64>,
    /// saebench: a score is valid with at least this many letters [default: 20; 1 for 0.3.2].
    #[arg(long, value_name = "N", help_heading = RULES)]
    pub(super) min_letters: Option<usize>,

    #[command(flatten)]
    pub(super) open: OpenArgs,

    /// List the scores of every word too (JSON only).
    #[arg(long, help_heading = OUTPUT)]
    pub(super) words: bool,
    /// Write the JSON to this file too.
    #[arg(long, value_name = "FILE.json", help_heading = OUTPUT)]
    pub(super) out: Option<PathBuf>,
    /// Format of the scores on stdout: json, term, md, csv or latex.
    #[arg(long, default_value = "json", help_heading = OUTPUT)]
    pub(super) format: Format,
}

impl AbsorptionArgs {
    /// Refuses what cannot be scored, or would be ignored.
    pub(super) fn check(&self) -> anyhow::Result<()> {
        use Definition::{Chanin, ChaninProjection, Saebench0_3_2, Saebench0_6};
        let released: &[Definition] = &[Saebench0_6, Saebench0_3_2];
        let given: [(&str, bool, &[Definition]); 8] = [
            ("--effects", self.effects.is_some(), &[Chanin]),
            ("--delta", self.delta.is_some(), &[Chanin]),
            ("--max-words", self.max_words.is_some(), &[Chanin]),
            ("--share", self.share.is_some(), &[ChaninProjection]),
            ("--absorbers", self.absorbers.is_some(), &[ChaninProjection]),
            ("--main-share", self.main_share.is_some(), &[ChaninProjection]),
            ("--min-probe-f1", self.min_probe_f1.is_some(), released),
            ("--min-letters", self.min_letters.is_some(), released),
        ];
        for (name, is_given, definitions) in given {
            if is_given && !definitions.contains(&self.definition) {
                let names: Vec<String> = definitions.iter().map(|definition| definition.name()).collect();
                return Err(failure::usage(format!(
                    "`{name}` has no part in `--definition {}`\nhint: it belongs to {}",
                    self.definition.name(),
                    names.join(", ")
                )));
            }
        }
        if self.definition == Chanin && self.effects.is_none() {
            return Err(failure::usage(
                "`--definition chanin` decides by the effect of latents on the letter's logit, which no activation tells\nhint: give effects with `--effects FILE.safetensors`; `--definition chanin-projection` needs none",
            ));
        }
        if self.main.is_none() && self.train_x.is_none() {
            return Err(failure::usage(
                "there are no main latents\nhint: name train rows to choose them on with `--train-x NAME --train-y NAME`, or give them with `--main FILE.json`",
            ));
        }
        let numbers = [self.delta, self.share, self.main_share, self.min_probe_f1, self.jump];
        if numbers.into_iter().flatten().any(|value| !value.is_finite()) {
            return Err(failure::usage("constants of a definition must be finite numbers"));
        }
        if self.max_words == Some(0) || self.absorbers == Some(0) {
            return Err(failure::usage("`--max-words` and `--absorbers` must be at least 1"));
        }
        Ok(())
    }

    /// Where the test rows are.
    pub(super) fn test(&self) -> Source {
        Source {
            file: self.acts.clone(),
            x: self.x.clone(),
            y: self.y.clone(),
        }
    }

    /// Where the train rows are, if any were named.
    pub(super) fn train(&self) -> Option<Source> {
        Some(Source {
            file: self.train_acts.as_ref().unwrap_or(&self.acts).clone(),
            x: self.train_x.clone()?,
            y: self.train_y.clone()?,
        })
    }

    /// Files that the result must not replace.
    pub(super) fn inputs(&self) -> Vec<&Path> {
        let files = [
            Some(&self.acts),
            Some(&self.probe),
            self.train_acts.as_ref(),
            self.main.as_ref(),
            self.effects.as_ref(),
        ];
        let files = files.into_iter().flatten().map(PathBuf::as_path);
        files.chain([Path::new(&self.sae)]).collect()
    }

    /// How the probe that ranks latents is trained.
    pub(super) fn ranking(&self) -> SgdConfig {
        let ranking = SgdConfig::ranking();
        SgdConfig {
            batch_size: self.ranking_batch.unwrap_or(ranking.batch_size),
            ..ranking
        }
    }
}
