//! What `bench probe` can be told, and which options belong to which kind of probe.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use linear_probe::SgdConfig;
use linear_probe::ksparse::JUMP;
use report::Format;

use super::encoder::SaeArgs;
use super::input::Source;
use crate::failure;

const EXAMPLES: &str = "\
Examples:
  bench probe --acts F --x X_train --y y_train --test-x X_test --test-y y_test --out G
  bench probe --acts F --x X --y y --kind lr --c 1 --out G
  bench probe --acts F --x X --y y --kind lr-sgd --preset saebench --seed 1 --out G
  bench probe --acts F --x X --y y --kind lr-sgd --init P --epochs 0 --out G    only scores P
  bench probe --acts F --x X --y y --kind k-sparse --sae S --k 1-10 --out G

G holds `weight` [classes, d] and `bias` [classes], f32. A row belongs to a class where
weight . x + bias > 0. For lr and lr-sgd that is a logit; for leace and diff-mean the bias puts
zero half way between the mean of the class and the mean of all other rows.
leace also writes `reads`, `writes` [classes, d] and `mu` [d]; `weight` is `reads`.
k-sparse writes `latents` [classes, k], best first, `k5.weight` [classes, 5] and `k5.bias`
[classes] for each k, and the probe that ranked the latents as `ranking.weight` and
`ranking.bias`.

Scores are JSON on stdout: of the test rows where they are named, else of the train rows
(`scored_on`). Main latents of k-sparse are those of the last k that gained more than --jump.";

const DATA: &str = "Data";
const LR: &str = "--kind lr";
const SGD: &str = "--kind lr-sgd, and the probe that ranks latents for k-sparse";
const LEACE: &str = "--kind leace";
const SPARSE: &str = "--kind k-sparse";
const OUTPUT: &str = "Output";

/// Which probe.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Kind {
    /// One-vs-rest logistic regression, balanced classes, driven to its optimum.
    Lr,
    /// The same loss by mini-batch Adam, as Chanin et al. and `SAEBench` train it.
    LrSgd,
    /// Rank-one LEACE eraser of each class; scores are of its reads.
    Leace,
    /// Mean of the class minus mean of the other rows.
    DiffMean,
    /// Logistic regressions on the k latents that an L1 probe ranks first.
    KSparse,
}

impl Kind {
    pub(crate) fn name(self) -> String {
        self.to_possible_value()
            .map_or_else(String::new, |value| value.get_name().to_owned())
    }
}

/// Published settings of the stochastic probe.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Preset {
    /// Dense probe of Chanin et al.: batches of 2048, 50 epochs, weight decay 1e-4.
    Paper,
    /// Dense probe of `SAEBench`: the same with batches of 64.
    Saebench,
    /// Probe that ranks latents, of both: batches of 4096, weight decay 1e-6, L1 0.01.
    Ranking,
}

/// Fit linear probes of given activations, and score them.
#[derive(Args, Clone, Debug)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct ProbeArgs {
    /// File with activations and classes.
    #[arg(long, value_name = "FILE.safetensors", help_heading = DATA)]
    acts: PathBuf,
    /// Tensor of train activations, [n, d] floats; more dimensions are rows of the last one.
    #[arg(long, value_name = "NAME", help_heading = DATA)]
    x: String,
    /// Tensor of train classes, n integers from 0.
    #[arg(long, value_name = "NAME", help_heading = DATA)]
    y: String,
    /// File with test activations and classes [default: that of --acts].
    #[arg(long, value_name = "FILE.safetensors", help_heading = DATA)]
    test_acts: Option<PathBuf>,
    /// Tensor of test activations [default with --test-acts: that of --x].
    #[arg(long, value_name = "NAME", help_heading = DATA, requires = "test_y")]
    test_x: Option<String>,
    /// Tensor of test classes [default with --test-acts: that of --y].
    #[arg(long, value_name = "NAME", help_heading = DATA, requires = "test_x")]
    test_y: Option<String>,
    /// Number of classes [default: one more than the largest of --y].
    #[arg(long, value_name = "N", help_heading = DATA)]
    pub(crate) classes: Option<usize>,

    /// Which probe.
    #[arg(long, value_enum, default_value = "lr")]
    pub(crate) kind: Kind,
    /// Score above which a row counts as positive [default: 0].
    #[arg(long, value_name = "T", allow_negative_numbers = true)]
    pub(crate) threshold: Option<f64>,
    /// Seed of everything random: splits, initial weights, orders of rows.
    #[arg(long, default_value_t = 0)]
    pub(crate) seed: u64,
    /// Threads [default: all cores].
    #[arg(long, value_name = "N")]
    pub(crate) threads: Option<usize>,

    /// Inverse strength of the penalty, as in scikit-learn [default: by F1 on a held-out fifth of the train rows].
    #[arg(long, value_name = "C", help_heading = LR)]
    pub(crate) c: Option<f64>,

    /// Published settings to start from [default: paper; ranking for k-sparse].
    #[arg(long, value_enum, help_heading = SGD)]
    preset: Option<Preset>,
    /// Rows per update.
    #[arg(long, value_name = "N", help_heading = SGD)]
    batch: Option<usize>,
    /// Passes over the rows; 0 takes --init as it is.
    #[arg(long, value_name = "N", help_heading = SGD)]
    pub(crate) epochs: Option<usize>,
    /// Learning rate of the first epoch.
    #[arg(long, value_name = "RATE", help_heading = SGD)]
    rate: Option<f64>,
    /// Learning rate to which it decays.
    #[arg(long, value_name = "RATE", help_heading = SGD)]
    end_rate: Option<f64>,
    /// L2 penalty, added to the gradient.
    #[arg(long, value_name = "X", help_heading = SGD)]
    weight_decay: Option<f64>,
    /// Penalty on the mean over classes of the L1 norm of the weights.
    #[arg(long, value_name = "X", help_heading = SGD)]
    l1: Option<f64>,
    /// Initial weights [default: drawn as torch does, from --seed].
    #[arg(long, value_name = "FILE.safetensors", help_heading = SGD)]
    pub(crate) init: Option<PathBuf>,
    /// Tensor of --init, [classes, d] [default: `weight` and the like].
    #[arg(long, value_name = "NAME", help_heading = SGD, requires = "init")]
    pub(crate) init_weight: Option<String>,
    /// Tensor of --init, `[classes]` [default: the one beside the weight; zero if there is none].
    #[arg(long, value_name = "NAME", help_heading = SGD, requires = "init")]
    pub(crate) init_bias: Option<String>,

    /// Add this times the mean variance to the covariance [default: Ledoit-Wolf shrinkage].
    #[arg(long, value_name = "R", help_heading = LEACE)]
    pub(crate) ridge: Option<f64>,

    /// Numbers of latents, such as 1,2,5 or 1-10 [default: 1-10].
    #[arg(long, value_name = "LIST", help_heading = SPARSE)]
    k: Option<String>,
    /// Gain in F1 above which one more latent is a main latent [default: 0.03].
    #[arg(long, value_name = "X", help_heading = SPARSE)]
    jump: Option<f64>,

    #[command(flatten)]
    pub(crate) encoder: SaeArgs,

    /// Where the probe goes.
    #[arg(long, value_name = "FILE.safetensors", help_heading = OUTPUT)]
    pub(crate) out: PathBuf,
    /// Format of the scores on stdout: json, term, md, csv or latex.
    #[arg(long, default_value = "json", help_heading = OUTPUT)]
    pub(crate) format: Format,
}

impl ProbeArgs {
    /// Refuses options that the kind would ignore.
    pub(crate) fn check(&self) -> anyhow::Result<()> {
        use Kind::{DiffMean, KSparse, Leace, Lr, LrSgd};
        let stochastic: &[Kind] = &[LrSgd, KSparse];
        let dense: &[Kind] = &[Lr, LrSgd, Leace, DiffMean];
        let given: [(&str, bool, &[Kind]); 14] = [
            ("--c", self.c.is_some(), &[Lr]),
            ("--preset", self.preset.is_some(), stochastic),
            ("--batch", self.batch.is_some(), stochastic),
            ("--epochs", self.epochs.is_some(), stochastic),
            ("--rate", self.rate.is_some(), stochastic),
            ("--end-rate", self.end_rate.is_some(), stochastic),
            ("--weight-decay", self.weight_decay.is_some(), stochastic),
            ("--l1", self.l1.is_some(), stochastic),
            ("--init", self.init.is_some(), stochastic),
            ("--sae", self.encoder.sae.is_some(), stochastic),
            ("--ridge", self.ridge.is_some(), &[Leace]),
            ("--k", self.k.is_some(), &[KSparse]),
            ("--jump", self.jump.is_some(), &[KSparse]),
            ("--threshold", self.threshold.is_some(), dense),
        ];
        for (name, is_given, kinds) in given {
            if is_given && !kinds.contains(&self.kind) {
                let kinds: Vec<String> = kinds.iter().map(|kind| kind.name()).collect();
                return Err(failure::usage(format!(
                    "`{name}` has no part in `--kind {}`\nhint: it belongs to {}",
                    self.kind.name(),
                    kinds.join(", ")
                )));
            }
        }
        if self.epochs == Some(0) && self.init.is_none() {
            return Err(failure::usage(
                "`--epochs 0` trains nothing\nhint: name weights that are taken as they are with `--init FILE.safetensors`",
            ));
        }
        if self.threshold.is_some_and(|threshold| !threshold.is_finite()) {
            return Err(failure::usage("`--threshold` must be a finite number"));
        }
        Ok(())
    }

    /// Where the train rows are.
    pub(crate) fn train(&self) -> Source {
        Source {
            file: self.acts.clone(),
            x: self.x.clone(),
            y: self.y.clone(),
        }
    }

    /// Where the test rows are, if any were named.
    pub(crate) fn test(&self) -> Option<Source> {
        (self.test_acts.is_some() || self.test_x.is_some()).then(|| Source {
            file: self.test_acts.as_ref().unwrap_or(&self.acts).clone(),
            x: self.test_x.as_ref().unwrap_or(&self.x).clone(),
            y: self.test_y.as_ref().unwrap_or(&self.y).clone(),
        })
    }

    /// Files that the result must not replace.
    pub(crate) fn inputs(&self) -> Vec<&Path> {
        [Some(&self.acts), self.test_acts.as_ref(), self.init.as_ref()]
            .into_iter()
            .flatten()
            .map(PathBuf::as_path)
            .collect()
    }

    /// Settings of the stochastic probe.
    pub(crate) fn sgd(&self) -> SgdConfig {
        let preset = match (self.preset, self.kind) {
            (Some(Preset::Saebench), _) => SgdConfig::saebench(),
            (Some(Preset::Ranking), _) | (None, Kind::KSparse) => SgdConfig::ranking(),
            (Some(Preset::Paper) | None, _) => SgdConfig::paper(),
        };
        SgdConfig {
            batch_size: self.batch.unwrap_or(preset.batch_size),
            epochs: self.epochs.unwrap_or(preset.epochs),
            rate: self.rate.unwrap_or(preset.rate),
            end_rate: self.end_rate.unwrap_or(preset.end_rate),
            weight_decay: self.weight_decay.unwrap_or(preset.weight_decay),
            l1: self.l1.unwrap_or(preset.l1),
        }
    }

    pub(crate) fn jump(&self) -> f64 {
        self.jump.unwrap_or(JUMP)
    }

    /// Sizes of k-sparse probes of `width` latents, ascending.
    pub(crate) fn ks(&self, width: usize) -> anyhow::Result<Vec<usize>> {
        let Some(list) = &self.k else {
            return Ok((1..=width.min(10)).collect());
        };
        numbers(list).ok_or_else(|| failure::usage("`--k` must list numbers from 1 on, such as 1,2,5 or 1-10"))
    }
}

/// Numbers from 1 on, ascending, of a list such as `1,2,5-7`.
fn numbers(list: &str) -> Option<Vec<usize>> {
    let mut all = Vec::new();
    for part in list.split(',') {
        let (from, to) = part.split_once('-').unwrap_or((part, part));
        let (from, to): (usize, usize) = (from.trim().parse().ok()?, to.trim().parse().ok()?);
        // A longer list is a slip of the keyboard, and would fill memory.
        if from == 0 || from > to || to > 100_000 {
            return None;
        }
        all.extend(from..=to);
    }
    all.sort_unstable();
    all.dedup();
    Some(all)
}

#[cfg(test)]
mod tests {
    use super::numbers;

    #[test]
    fn lists_and_ranges() {
        assert_eq!(numbers("5,1-3,2"), Some(vec![1, 2, 3, 5]));
        for bad in ["", "0", "3-1", "a", "1,", "1-x", "-2", "1-999999999"] {
            assert_eq!(numbers(bad), None, "{bad}");
        }
    }
}
