//! Whether what was found is whole.
//!
//! A file in a snapshot is a link to a blob, and is made when its blob is complete. So an interrupted download shows in three ways: a
//! file that is not there, a link whose blob somebody removed, and a shard that the index lists and nobody fetched. Each is an error
//! that names the file. Contents are not read beyond the shard index; readers check their own formats.

use std::path::{Path, PathBuf};

use super::error::quoted;
use super::wanted::{CONFIG, INDEX, LAYOUTS, SINGLE, TOKENIZER, is_weights};
use super::{HubError, Wanted, near};
use crate::CheckpointError;
use crate::locate::locate;

/// What to say about a file that is missing from a place.
#[derive(Default)]
pub(super) struct Advice {
    pub(super) fetch: Vec<String>,
    /// The blobs of the repository, where a download that stopped leaves its traces.
    pub(super) blobs: Option<PathBuf>,
}

impl Advice {
    fn incomplete(&self, file: PathBuf, reason: impl Into<String>) -> HubError {
        let reason = match self.stopped_download() {
            Some(blob) => format!("{}; a download stopped midway (`{}`)", reason.into(), blob.display()),
            None => reason.into(),
        };
        HubError::Incomplete {
            file,
            reason,
            fetch: self.fetch.clone(),
        }
    }

    /// A partial blob, as `huggingface_hub` (`.incomplete`) and `hf-hub` (`.part`) leave them.
    fn stopped_download(&self) -> Option<PathBuf> {
        let blobs = self.blobs.as_ref()?;
        let mut names = near::names_in(blobs);
        names.sort();
        let partial = |name: &String| {
            Path::new(name)
                .extension()
                .is_some_and(|e| e == "incomplete" || e == "part")
        };
        names.into_iter().find(partial).map(|name| blobs.join(name))
    }

    /// Whether `file` is there; an error if it is a link to nothing.
    fn present(&self, file: &Path) -> Result<bool, HubError> {
        if file.exists() {
            return Ok(true);
        }
        match fs_err::read_link(file) {
            Ok(blob) => {
                let reason = format!("it is a link to `{}`, which does not exist", blob.display());
                Err(self.incomplete(file.to_owned(), reason))
            }
            Err(_) => Ok(false),
        }
    }

    fn require(&self, file: PathBuf, reason: &str) -> Result<(), HubError> {
        if self.present(&file)? {
            Ok(())
        } else {
            Err(self.incomplete(file, reason))
        }
    }
}

/// Checks that `path`, which exists or is a link, is what is wanted, and whole.
pub(super) fn check(path: &Path, wanted: Wanted, advice: &Advice) -> Result<(), HubError> {
    advice.require(path.to_owned(), "there is no such file or folder")?;
    match wanted {
        Wanted::Model { tokenizer } => check_model(path, tokenizer, advice),
        Wanted::Sae if path.is_dir() => check_sae(path, advice),
        Wanted::Sae => Ok(()),
    }
}

fn check_model(folder: &Path, tokenizer: bool, advice: &Advice) -> Result<(), HubError> {
    if !folder.is_dir() {
        return Err(HubError::Unsuitable {
            path: folder.to_owned(),
            wanted: Wanted::Model { tokenizer }.noun(),
            reason: "it is a file".to_owned(),
            hint: vec!["name the folder with config.json, tokenizer.json and safetensors".to_owned()],
        });
    }
    advice.require(folder.join(CONFIG), "a model folder has this file")?;
    if !advice.present(&folder.join(SINGLE))? {
        if !advice.present(&folder.join(INDEX))? {
            let reason = format!(
                "the folder has neither this file nor `{INDEX}`{}",
                other_weights(folder)
            );
            return Err(advice.incomplete(folder.join(SINGLE), reason));
        }
        match locate(folder) {
            // A shard: the index was read and everything else about it is in order.
            Err(CheckpointError::Missing { path, reason, .. }) => {
                advice.present(&path)?;
                return Err(advice.incomplete(path, reason));
            }
            other => other.map(drop)?,
        }
    }
    if tokenizer {
        advice.require(
            folder.join(TOKENIZER),
            "a model folder has this file beside its weights",
        )?;
    }
    Ok(())
}

/// Weights in a format that is not read as a model.
fn other_weights(folder: &Path) -> String {
    let names = near::names_in(folder);
    let other = names.iter().find(|name| {
        Path::new(name)
            .extension()
            .is_some_and(|e| ["bin", "pt", "pth", "npz", "gguf", "h5"].iter().any(|o| e == *o))
    });
    other.map_or_else(String::new, |name| {
        format!("; it has `{name}`, which is not safetensors")
    })
}

fn check_sae(folder: &Path, advice: &Advice) -> Result<(), HubError> {
    for layout in &LAYOUTS {
        if advice.present(&folder.join(layout.weights))? {
            let reason = format!("`{}` needs this file beside it", layout.weights);
            return layout
                .needs
                .iter()
                .try_for_each(|need| advice.require(folder.join(need), &reason));
        }
    }
    let names = near::names_in(folder);
    let mut weights = names.iter().filter(|name| is_weights(name)).peekable();
    if weights.peek().is_some() {
        return weights.try_for_each(|name| advice.present(&folder.join(name)).map(drop));
    }
    // A configuration without weights is half an SAE, not another kind of folder.
    for layout in &LAYOUTS {
        if let Some(need) = layout.needs.iter().find(|need| names.iter().any(|name| name == *need)) {
            let reason = format!("the folder has `{need}` and no weights");
            return Err(advice.incomplete(folder.join(layout.weights), reason));
        }
    }
    let known: Vec<String> = LAYOUTS.iter().map(|layout| layout.weights.to_owned()).collect();
    let hint = match near::closest("", names).as_slice() {
        [] => "the folder is empty".to_owned(),
        some => format!(
            "it has {}; name the SAE's own folder or file, or use a glob",
            quoted(some)
        ),
    };
    Err(HubError::Unsuitable {
        path: folder.to_owned(),
        wanted: Wanted::Sae.noun(),
        reason: format!("it has none of {}", quoted(&known)),
        hint: vec![hint],
    })
}
