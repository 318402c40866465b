//! `bench explain`: one word, latent by latent, or the words whose letter is absorbed.
//!
//! The setup is that of `bench run` with its default settings, so that a main latent here is the
//! latent of `sae:k=1:probe` there, and a word that is listed as absorbed is one that the record's
//! absorption rate counts. Effects are exact: the model is run again without the latent.

mod absorbed;
mod latents;
mod word;

use std::path::PathBuf;

use ablation::SaeSide;
use ablation::absorption::decoder_cosines;
use ablation::select::{LatentProbe, by_sparse_probe, own_latents};
use anyhow::Context;
use clap::{Args, Parser};
use linear_probe::Design;
use report::Format;
use sae::{Columns, Sae};

use crate::device::DeviceArgs;
use crate::progress::{Mode, Progress};
use crate::run::RunArgs;
use crate::run::plan::Plan;
use crate::run::profile::Profile;
use crate::run::site::{Site, Stages};
use crate::{embedded, failure, print_tables};

const EXAMPLES: &str = "\
Examples:
  bench explain --absorbed               find words whose letter is absorbed
  bench explain cat                      one word in every shipped SAE
  bench explain cat --sae NAME           one word in one SAE
  bench explain cat --exact              `cat` without a leading space, not ` cat`";

/// Show how a word's letter stands in SAEs, or find words whose letter is absorbed.
#[derive(Args, Debug)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct ExplainArgs {
    /// A word of the vocabulary; with its leading space where it has one, unless `--exact`.
    #[arg(value_name = "WORD", required_unless_present = "absorbed")]
    word: Option<String>,
    /// List held-out words whose letter is fully absorbed, strongest absorber first.
    #[arg(long, conflicts_with = "word")]
    absorbed: bool,
    /// Take WORD as it is typed: without a leading space it is another word.
    #[arg(long)]
    exact: bool,
    /// SAE: a shipped one by name, or a folder; repeat for several [default: the shipped panel].
    #[arg(long, value_name = "NAME_OR_DIR")]
    sae: Vec<String>,
    /// Model folder [default: the embedded model].
    #[arg(long, value_name = "MODEL")]
    model: Option<String>,
    /// Layer whose `hook_resid_post` is read [default: the one the SAEs were trained on].
    #[arg(long, value_name = "L")]
    layer: Option<usize>,
    /// JSON list of held-out words; every other word trains probes [default: a seeded 80/20 split].
    #[arg(long, value_name = "FILE")]
    held_out: Option<PathBuf>,
    /// The seed of the run that is explained.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Latents shown for each SAE, or absorbed words shown in all.
    #[arg(long, value_name = "N", default_value_t = 12)]
    limit: usize,
    /// Where passes run.
    #[command(flatten)]
    place: DeviceArgs,
    /// Progress on stderr.
    #[arg(long, value_enum, default_value = "auto")]
    progress: Mode,
    /// Format of the tables on stdout: term, md, csv, latex or json.
    #[arg(long, default_value = "term")]
    format: Format,
}

/// `bench run` without arguments: where the default settings come from.
#[derive(Parser)]
struct Defaults {
    #[command(flatten)]
    run: RunArgs,
}

/// The shared part of a run.
struct Setup<'a> {
    plan: &'a Plan,
    stages: &'a Stages<'a>,
    site: &'a Site,
}

/// An autoencoder with what its train words say about it.
struct Subject<'a> {
    id: &'a str,
    sae: &'a Sae,
    side: SaeSide<'a>,
    /// The train words by latent.
    columns: Columns,
    /// The k = 1 probe of each class.
    probes: Vec<LatentProbe>,
    /// Latents that count as a class's own: the k = 1 probe's and those that split the letter.
    own: Vec<Vec<u32>>,
}

impl Setup<'_> {
    /// Logistic scores of rows, `[n, classes]`.
    fn lr_scores(&self, x: &[f32]) -> anyhow::Result<Vec<f64>> {
        let d = self.site.train.d;
        Ok(self.site.directions.lr.scores(Design::new(x, x.len() / d, d)?)?)
    }

    /// The unit probe direction of a class.
    fn direction(&self, class: usize) -> Vec<f64> {
        let direction = self.site.directions.lr.direction(class);
        let length = direction.iter().map(|v| v * v).sum::<f64>().sqrt();
        direction.iter().map(|v| v / length).collect()
    }
}

impl Subject<'_> {
    fn main(&self, class: usize) -> u32 {
        self.probes[class].latent
    }

    /// Train words on which a latent fires: those of a class, and all.
    fn fires(&self, y: &[usize], latent: u32, class: usize) -> (usize, usize) {
        let (rows, values) = self.columns.latent(latent as usize);
        let fires = rows.iter().zip(values).filter(|(_, value)| **value > 0.0);
        (
            fires.clone().filter(|(row, _)| y[**row as usize] == class).count(),
            fires.count(),
        )
    }

    fn cosines(&self, direction: &[f64]) -> Vec<f64> {
        decoder_cosines(self.sae, direction)
    }
}

/// Explains. Returns the exit code.
pub(crate) fn explain(args: &ExplainArgs) -> anyhow::Result<u8> {
    let run = run_args(args)?;
    let plan = Plan::new(&run)?;
    let query = args
        .word
        .as_deref()
        .map(|text| word::find(&plan, text, args.exact))
        .transpose()?;
    if query.is_none() && plan.saes.is_empty() {
        return Err(failure::usage(
            "there is no SAE to look at\nhint: name one with `--sae NAME_OR_DIR`; `bench ls saes` lists the shipped ones",
        ));
    }
    let progress = Progress::new(args.progress, 4);
    progress.doing("running prefixes");
    let model = args.place.model(&plan.model_dir)?;
    let stages = Stages::new(&model, &plan)?;
    progress.done(&format!(
        "ran {} example sets",
        plan.train.prefixes.len() + plan.test.prefixes.len()
    ));
    let site = Site::new(&plan, &stages, &progress, &Profile::default())?;
    progress.finish();

    let setup = Setup {
        plan: &plan,
        stages: &stages,
        site: &site,
    };
    let mut failed = plan.unreadable.clone();
    let mut opened = Vec::new();
    for input in &plan.saes {
        match open(&input.path) {
            Ok(sae) => opened.push((input.id.as_str(), sae)),
            Err(error) => failed.push((input.id.clone(), format!("{error:#}"))),
        }
    }
    let mut subjects = Vec::new();
    for (id, sae) in &opened {
        let side = SaeSide::new(sae, &site.train).with_context(|| format!("using SAE `{id}`"))?;
        let probes = by_sparse_probe(&side.train, &site.train)?;
        let columns = side.train.columns();
        let own = own_latents(&side.train, &site.train, &probes);
        subjects.push(Subject {
            id,
            sae,
            side,
            columns,
            probes,
            own,
        });
    }
    let tables = match query {
        Some(query) => word::tables(&setup, &subjects, query, args.limit)?,
        None => vec![absorbed::table(&setup, &subjects, args.limit)?],
    };
    print_tables(&tables, args.format)?;
    for input in plan.saes.iter().filter(|input| input.spec.hook != plan.hook) {
        eprintln!(
            "warning: `{}` was trained on `{}` and is used at `{}`",
            input.id, input.spec.hook, plan.hook
        );
    }
    for (id, reason) in &failed {
        eprintln!("failed: `{id}`: {reason}");
    }
    Ok(if failed.is_empty() {
        failure::DONE
    } else {
        failure::SOME_FAILED
    })
}

/// The arguments of the run that is explained.
fn run_args(args: &ExplainArgs) -> anyhow::Result<RunArgs> {
    let mut run = Defaults::try_parse_from(["bench"])?.run;
    run.model.clone_from(&args.model);
    run.layer = args.layer;
    run.held_out.clone_from(&args.held_out);
    run.seed = args.seed;
    run.place.clone_from(&args.place);
    run.sae = args
        .sae
        .iter()
        .map(|name| folder(name))
        .collect::<anyhow::Result<_>>()?;
    Ok(run)
}

/// What names an SAE: the name of a shipped one, or else what `--sae` of `bench run` takes.
fn folder(name: &str) -> anyhow::Result<String> {
    let shipped = embedded::saes().unwrap_or_default();
    if let Some(found) = shipped
        .iter()
        .find(|path| path.file_name().is_some_and(|file| file == name))
    {
        return Ok(found.display().to_string());
    }
    if std::path::Path::new(name).exists() || name.contains(['/', ':', '*']) {
        return Ok(name.to_owned());
    }
    Err(failure::input(format!(
        "`--sae {name}` is neither a path, a place in the Hugging Face cache nor a shipped SAE\nhint: `bench ls saes` lists the {} that are shipped",
        shipped.len()
    )))
}

/// Opens an autoencoder as `bench run` does, with decoder norms folded where that is legal.
fn open(path: &std::path::Path) -> anyhow::Result<Sae> {
    let opened = Sae::open(path)?;
    Ok(opened.fold_decoder_norms().unwrap_or(opened))
}
