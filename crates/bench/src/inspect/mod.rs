//! `bench inspect`: what a checkpoint is, and whether it is what it says.
//!
//! Every configuration field and every tensor is listed with what became of it, because one that is silently dropped gives
//! latents that look right and are not. Given activations, or a model to make them with, an autoencoder is measured: most mistakes in
//! reading one show in its L0 first.

mod autoencoder;
mod facts;
mod measure;
mod model;

use std::path::{Path, PathBuf};

use checkpoint::hub::{Cache, Reference};
use clap::Args;
use report::Format;
use sae::SaeError;

use crate::dump::OpenArgs;
use crate::{failure, locate, print_tables};

/// Show what a model or autoencoder checkpoint is.
#[derive(Args, Debug)]
pub(crate) struct InspectArgs {
    /// Folder or file of a model or an autoencoder, or a name in the Hugging Face cache: `owner/name` or `owner/name:path`.
    #[arg(value_name = "WHAT")]
    what: String,
    /// Measure an autoencoder on these activations.
    #[arg(
        long,
        value_name = "FILE.safetensors",
        help_heading = "Measuring an autoencoder",
        conflicts_with = "model"
    )]
    acts: Option<PathBuf>,
    /// Tensor of `--acts` [default: the only one with rows of the autoencoder's width].
    #[arg(
        long,
        value_name = "NAME",
        help_heading = "Measuring an autoencoder",
        requires = "acts"
    )]
    tensor: Option<String>,
    /// Tensor of `--acts` that the output of a transcoder stands for.
    #[arg(
        long,
        value_name = "NAME",
        help_heading = "Measuring an autoencoder",
        requires = "acts"
    )]
    target: Option<String>,
    /// Measure it on this model's activations at its hook.
    #[arg(long, value_name = "MODEL", help_heading = "Measuring an autoencoder")]
    model: Option<String>,
    /// Text for `--model`, one prompt per line.
    #[arg(
        long,
        value_name = "FILE.txt",
        help_heading = "Measuring an autoencoder",
        requires = "model",
        conflicts_with = "ids"
    )]
    prompts: Option<PathBuf>,
    /// Token ids `[batch, seq]` for `--model`, in a tensor `input_ids` or the file's only one
    /// [default: the `sampled_ids.safetensors` of the embedded model's folder, where it is the model].
    #[arg(
        long,
        value_name = "FILE.safetensors",
        help_heading = "Measuring an autoencoder",
        requires = "model"
    )]
    ids: Option<PathBuf>,
    #[command(flatten)]
    open: OpenArgs,
    /// Format of the tables on stdout: term, md, csv, latex or json.
    #[arg(long, default_value = "term")]
    format: Format,
}

/// What a name stands for.
enum Found {
    Model(PathBuf),
    Autoencoder(PathBuf),
    File(PathBuf),
}

/// Inspects. Returns the exit code.
pub(crate) fn inspect(args: &InspectArgs) -> anyhow::Result<u8> {
    let found = find(&args.what)?;
    if (args.acts.is_some() || args.model.is_some()) && !matches!(found, Found::Autoencoder(_)) {
        return Err(failure::usage(
            "`--acts` and `--model` measure autoencoders, and this is none",
        ));
    }
    let tables = match found {
        Found::Model(path) => model::model(&path)?,
        Found::Autoencoder(path) => autoencoder::autoencoder(args, &path)?,
        Found::File(path) => vec![
            facts::file(&path)?,
            facts::tensors(&checkpoint::Checkpoint::open(&path)?, false)?,
        ],
    };
    print_tables(&tables, args.format)?;
    Ok(failure::DONE)
}

fn find(what: &str) -> anyhow::Result<Found> {
    let path = Path::new(what);
    if path.is_file() {
        return file(path);
    }
    if path.is_dir() {
        return folder(path);
    }
    match Reference::parse(what)? {
        Reference::Path(_) => Err(failure::input(format!(
            "there is nothing at `{what}`\nhint: name a model folder, an SAE folder or a weight file; `bench ls models` and `bench ls saes` show what is shipped"
        ))),
        Reference::Hub { path: Some(_), .. } => Ok(Found::Autoencoder(locate::sae(what)?.path)),
        Reference::Hub { .. } => match locate::model(what, false) {
            Ok(model) => Ok(Found::Model(model.path)),
            // A repository that is cached but is no model may hold one autoencoder.
            Err(error) => match Cache::from_env().find_one(what, checkpoint::hub::Wanted::Sae) {
                Ok(sae) => Ok(Found::Autoencoder(sae.path)),
                Err(_) => Err(error),
            },
        },
    }
}

fn file(path: &Path) -> anyhow::Result<Found> {
    if let Some(name @ ("config.json" | "cfg.json")) = path.file_name().and_then(|name| name.to_str()) {
        return Err(failure::input(format!(
            "`{}` is one file of a checkpoint\nhint: name the folder that holds `{name}`",
            path.display()
        )));
    }
    // A file that is damaged fails here, with its own message; one that is sound and no autoencoder is a list of tensors.
    checkpoint::Checkpoint::open(path)?;
    Ok(match sae::Sae::open(path) {
        Err(SaeError::Unrecognised { .. }) => Found::File(path.to_owned()),
        _ => Found::Autoencoder(path.to_owned()),
    })
}

fn folder(path: &Path) -> anyhow::Result<Found> {
    let config = path.join("config.json");
    let of_model = config.is_file() && checkpoint::read_json_value(&config)?.get("model_type").is_some();
    if of_model || path.join("model.safetensors").is_file() || path.join("model.safetensors.index.json").is_file() {
        return Ok(Found::Model(path.to_owned()));
    }
    match sae::Sae::open(path) {
        Err(SaeError::Unrecognised { .. }) if !path.join("cfg.json").is_file() => Err(failure::input(format!(
            "`{}` is no checkpoint folder: it holds neither a model (`config.json` with `model_type`) nor an SAE of a known format\nhint: {}",
            path.display(),
            inside(path)?
        ))),
        _ => Ok(Found::Autoencoder(path.to_owned())),
    }
}

/// What a folder that is no checkpoint holds instead.
fn inside(folder: &Path) -> anyhow::Result<String> {
    let mut checkpoints = Vec::new();
    for entry in fs_err::read_dir(folder)? {
        let path = entry?.path();
        let file = path.extension().is_some_and(|e| e == "safetensors");
        if file || path.join("cfg.json").is_file() || path.join("config.json").is_file() {
            checkpoints.push(format!("`{}`", path.display()));
        }
    }
    checkpoints.sort();
    let more = if checkpoints.len() > 5 { ", ..." } else { "" };
    checkpoints.truncate(5);
    Ok(if checkpoints.is_empty() {
        "name the folder that holds the weights".to_owned()
    } else {
        format!("inside it are {}{more}", checkpoints.join(", "))
    })
}
