//! From a path to the files of one autoencoder: its weights, and the configurations beside them.
//!
//! Names of files find candidates; what they are is decided from their content. Names on the path beyond that serve guesses
//! about layer and hook, which are always reported as guesses.
//!
//! Deliberately absent: searching in subfolders, except the `checkpoints/` that two libraries use; a repository with many
//! autoencoders has no one autoencoder to open.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use checkpoint::{Checkpoint, CheckpointError, WeightFormat};
use serde_json::{Map, Value};

use crate::SaeError;

/// Names under which libraries write the weights of one autoencoder.
const WEIGHTS: [&str; 9] = [
    "sae_weights.safetensors",
    "params.npz",
    "params.safetensors",
    "ae.pt",
    "sae.safetensors",
    "latest_ckpt.safetensors",
    "checkpoints/final.safetensors",
    "checkpoints/pruned.safetensors",
    "sae_weights.pt",
];
/// Weight-like files that stand beside weights and are none.
const COMPANIONS: [&str; 5] = [
    "sparsity.safetensors",
    "examples.safetensors",
    "activation_whitening.safetensors",
    "activations_store_state.safetensors",
    "trainer_state.pt",
];
/// Names of configurations.
const CONFIGS: [&str; 4] = ["cfg.json", "config.json", "hyperparams.json", "activation_scaler.json"];
const EXTENSIONS: [&str; 5] = ["safetensors", "npz", "pt", "pth", "bin"];

/// A configuration file that is an object.
pub(super) struct Config {
    pub(super) file: PathBuf,
    pub(super) map: Map<String, Value>,
}

/// The files of one autoencoder.
pub(super) struct Source {
    pub(super) weights: PathBuf,
    pub(super) checkpoint: Arc<Checkpoint>,
    configs: Vec<(&'static str, Config)>,
    /// Names on the absolute path, lower-case, outermost first.
    parts: Vec<String>,
}

impl Source {
    /// Finds and opens the files behind `path`: a weight file, or a folder with one.
    pub(super) fn find(path: &Path) -> Result<Self, SaeError> {
        let folder = if path.is_dir() { Some(path) } else { path.parent() };
        let folder = folder
            .filter(|folder| *folder != Path::new(""))
            .unwrap_or(Path::new("."));
        let mut configs = read_configs(folder)?;
        let weights = if path.is_dir() {
            weights_in(path)?
        } else {
            path.to_owned()
        };
        let beside = weights.parent().unwrap_or(folder).to_owned();
        let above = beside.parent().filter(|_| beside.ends_with("checkpoints"));
        for folder in [Some(beside.as_path()), above].into_iter().flatten() {
            for (name, config) in read_configs(folder)? {
                if !configs.iter().any(|(known, _)| *known == name) {
                    configs.push((name, config));
                }
            }
        }
        let stem = weights.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        if let Some(config) = read_config(&beside.join(format!("{stem}_cfg.json")))? {
            configs.push(("_cfg.json", config));
        }
        let checkpoint = Arc::new(Checkpoint::open(&weights)?);
        let absolute = std::path::absolute(&weights).unwrap_or_else(|_| weights.clone());
        let parts = absolute
            .iter()
            .map(|part| part.to_string_lossy().to_lowercase())
            .collect();
        Ok(Self {
            weights,
            checkpoint,
            configs,
            parts,
        })
    }

    /// A configuration by the name it goes by; `_cfg.json` is the one named after the weights.
    pub(super) fn config(&self, name: &str) -> Option<&Config> {
        self.configs
            .iter()
            .find(|(known, _)| *known == name)
            .map(|(_, config)| config)
    }

    /// A configuration that a format cannot do without.
    pub(super) fn need(&self, name: &str) -> Result<&Config, SaeError> {
        self.config(name).ok_or_else(|| {
            let file = self.weights.with_file_name(name);
            SaeError::Checkpoint(CheckpointError::Missing {
                path: file,
                reason: "the weights beside it cannot be read without it".to_owned(),
                hint: format!("fetch `{name}` from where the weights are from"),
            })
        })
    }

    /// Whether a configuration of any format stands beside the weights.
    pub(super) fn has_config(&self) -> bool {
        self.configs.iter().any(|(name, _)| *name != "activation_scaler.json")
    }

    pub(super) fn is_torch(&self) -> bool {
        self.checkpoint.format() == WeightFormat::Torch
    }

    pub(super) fn is_safetensors(&self) -> bool {
        self.checkpoint.format() == WeightFormat::Safetensors
    }

    /// Whether a name on the path contains `word` (lower-case).
    pub(super) fn says(&self, word: &str) -> bool {
        self.parts.iter().any(|part| part.contains(word))
    }

    /// Whether a name on the path is `word` (lower-case).
    pub(super) fn has_part(&self, word: &str) -> bool {
        self.parts.iter().any(|part| part == word)
    }

    /// The number behind the last `prefix` (lower-case) on the path, and the name that it is part of.
    pub(super) fn number_after(&self, prefix: &str) -> Option<(usize, &str)> {
        self.parts.iter().rev().find_map(|part| {
            part.rmatch_indices(prefix).find_map(|(at, _)| {
                let digits = &part[at + prefix.len()..];
                let end = digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len());
                // A prefix that ends a longer word, such as the `l` of `model3`, is not one.
                let inside = part[..at].ends_with(|c: char| c.is_ascii_alphabetic());
                let number = digits[..end].parse().ok().filter(|_| !inside)?;
                Some((number, part.as_str()))
            })
        })
    }

    /// Whether `cfg.json` is that of `SAELens` 6 or later; `None` without a `cfg.json`.
    pub(super) fn sae_lens_6(&self) -> Option<bool> {
        let map = &self.config("cfg.json")?.map;
        // Files of version 6 have `metadata`, earlier ones are flat; a damaged version is for the reader of 6 to refuse.
        let version = map.get("sae_lens_version").and_then(Value::as_str);
        let six = version.is_some_and(|version| super::sae_lens_flat::major(version) >= Some(6));
        Some(six || map.contains_key("metadata"))
    }

    /// Whether `W_enc` has one row per latent and `W_dec` fits: the reverse of `SAELens`'s encoder.
    pub(super) fn latents_first(&self) -> bool {
        let shape = |name: &str| {
            self.checkpoint
                .get(name)
                .map(|view| view.shape.to_vec())
                .unwrap_or_default()
        };
        let (encoder, bias) = (shape("W_enc"), shape("b_enc"));
        encoder.len() == 2 && bias.len() == 1 && encoder[0] == bias[0] && encoder[0] != encoder[1]
    }

    /// Whether the arrays are those of Gemma Scope.
    pub(super) fn gemma_scope(&self) -> bool {
        let has = |name: &str| self.checkpoint.contains(name) || self.checkpoint.contains(&name.to_lowercase());
        self.checkpoint.format() == WeightFormat::Npz && has("W_enc") && has("W_dec")
    }

    /// Whether this is a state of `dictionary_learning`: by its configuration, or by tensors that only one of its classes has.
    pub(super) fn dictionary_learning(&self) -> bool {
        match self.config("config.json") {
            Some(config) => config.map.contains_key("trainer"),
            None => !self.has_config() && super::dictionary_learning::has_own_tensors(&self.checkpoint),
        }
    }

    /// Tensor names, the first few, for messages.
    pub(super) fn contents(&self) -> String {
        let names: Vec<&str> = self.checkpoint.names().collect();
        let some: Vec<String> = names.iter().take(6).map(|name| format!("`{name}`")).collect();
        let mut list = some.join(", ");
        if names.len() > some.len() {
            list = format!("{list} and {} more", names.len() - some.len());
        }
        let configs: Vec<String> = self
            .configs
            .iter()
            .map(|(_, config)| format!("; `{}`", config.file.display()))
            .collect();
        format!(
            "{} `{}` with {list}{}",
            self.checkpoint.format(),
            self.weights.display(),
            configs.concat()
        )
    }
}

fn read_configs(folder: &Path) -> Result<Vec<(&'static str, Config)>, SaeError> {
    let mut configs = Vec::new();
    for name in CONFIGS {
        if let Some(config) = read_config(&folder.join(name))? {
            configs.push((name, config));
        }
    }
    Ok(configs)
}

fn read_config(file: &Path) -> Result<Option<Config>, SaeError> {
    if !file.is_file() {
        return Ok(None);
    }
    let map = object(file, checkpoint::read_json_value(file)?)?;
    Ok(Some(Config {
        file: file.to_owned(),
        map,
    }))
}

/// The object that a configuration has to be.
pub(super) fn object(file: &Path, value: Value) -> Result<Map<String, Value>, SaeError> {
    match value {
        Value::Object(map) => Ok(map),
        _ => Err(SaeError::Checkpoint(CheckpointError::Json {
            file: file.to_owned(),
            reason: "expected an object".to_owned(),
            field: None,
        })),
    }
}

/// The one weight file of a folder.
fn weights_in(folder: &Path) -> Result<PathBuf, SaeError> {
    let unrecognised = |found: String, hint: &str| SaeError::Unrecognised {
        path: folder.to_owned(),
        looked_for: format!(
            "`{}`, or one file alone that ends in .{}",
            WEIGHTS.join("`, `"),
            EXTENSIONS.join(", .")
        ),
        found,
        hint: hint.to_owned(),
    };
    let known: Vec<PathBuf> = WEIGHTS
        .iter()
        .map(|name| folder.join(name))
        .filter(|file| file.is_file())
        .collect();
    let names = names_in(folder)?;
    match known.as_slice() {
        [one] => return Ok(one.clone()),
        [] => {}
        several => {
            let list: Vec<String> = several.iter().map(|file| format!("`{}`", file.display())).collect();
            return Err(unrecognised(
                list.join(", "),
                "several files may hold the weights; name one of them",
            ));
        }
    }
    let loose: Vec<&String> = names
        .iter()
        .filter(|name| {
            let extension = Path::new(name)
                .extension()
                .and_then(|found| found.to_str())
                .unwrap_or_default();
            EXTENSIONS.contains(&extension) && !COMPANIONS.contains(&name.as_str()) && folder.join(name).is_file()
        })
        .collect();
    match loose.as_slice() {
        [one] => Ok(folder.join(one)),
        [] if names.is_empty() => Err(unrecognised(
            "an empty folder".to_owned(),
            "name the folder of one autoencoder",
        )),
        [] => Err(unrecognised(
            listed(&names),
            "name the folder that holds the weights of one autoencoder, or the weight file itself",
        )),
        _ => Err(unrecognised(listed(&names), "name the weight file of one autoencoder")),
    }
}

fn names_in(folder: &Path) -> Result<Vec<String>, SaeError> {
    let io = |cause| {
        SaeError::Checkpoint(CheckpointError::Io {
            path: folder.to_owned(),
            action: "list",
            cause,
        })
    };
    let mut names = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(io)? {
        names.push(entry.map_err(io)?.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    Ok(names)
}

fn listed(names: &[String]) -> String {
    let some: Vec<String> = names.iter().take(8).map(|name| format!("`{name}`")).collect();
    match names.len() - some.len() {
        0 => some.join(", "),
        rest => format!("{} and {rest} more", some.join(", ")),
    }
}
