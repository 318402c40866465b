//! From a path to the weight files behind it.
//!
//! The order is that of Hugging Face's loader: one `model.safetensors` wins over a shard index. Deliberately absent: model names,
//! hub caches and downloads; a path is a path.

use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};

use serde::Deserialize;

use crate::{CheckpointError, read_json};

/// The one weight file of an unsharded checkpoint.
const SINGLE: &str = "model.safetensors";
/// The table of a sharded checkpoint.
const INDEX: &str = "model.safetensors.index.json";

/// The weight files of a checkpoint.
#[derive(Debug)]
pub(crate) enum Located {
    /// One file, with all the tensors it has.
    Single(PathBuf),
    /// Shards, and the shard of each tensor.
    Sharded {
        /// Path of the shard index.
        index: PathBuf,
        /// Tensor name to shard file.
        shards: BTreeMap<String, PathBuf>,
    },
}

#[derive(Deserialize)]
struct ShardIndex {
    weight_map: BTreeMap<String, String>,
}

/// Finds the weight files behind `path`, a file or a folder.
pub(crate) fn locate(path: &Path) -> Result<Located, CheckpointError> {
    if path.is_file() {
        return Ok(Located::Single(path.to_owned()));
    }
    if !path.is_dir() {
        return Err(CheckpointError::Missing {
            path: path.to_owned(),
            reason: "there is no such file or folder".to_owned(),
            hint: "name a `.safetensors` file or the folder of a downloaded checkpoint".to_owned(),
        });
    }
    let single = path.join(SINGLE);
    if single.is_file() {
        return Ok(Located::Single(single));
    }
    let index = path.join(INDEX);
    if index.is_file() {
        let shards = shards(path, &index)?;
        return Ok(Located::Sharded { index, shards });
    }
    Err(CheckpointError::Missing {
        path: path.to_owned(),
        reason: format!("looked for `{SINGLE}` and `{INDEX}`"),
        hint: hint(path)?,
    })
}

fn shards(folder: &Path, index: &Path) -> Result<BTreeMap<String, PathBuf>, CheckpointError> {
    let table: ShardIndex = read_json(index)?;
    let mut shards = BTreeMap::new();
    for (tensor, shard) in table.weight_map {
        // A shard is a file of this folder: an index must not reach out of it.
        let mut parts = Path::new(&shard).components();
        if !matches!((parts.next(), parts.next()), (Some(Component::Normal(_)), None)) {
            return Err(CheckpointError::Json {
                file: index.to_owned(),
                reason: format!("`{shard}` is not the name of a file in the same folder"),
                field: Some(format!("weight_map.{tensor}")),
            });
        }
        shards.insert(tensor, folder.join(shard));
    }
    if shards.is_empty() {
        return Err(CheckpointError::Json {
            file: index.to_owned(),
            reason: "it lists no tensors".to_owned(),
            field: Some("weight_map".to_owned()),
        });
    }
    for (tensor, shard) in &shards {
        if !shard.is_file() {
            return Err(CheckpointError::Missing {
                path: shard.clone(),
                reason: format!("`{}` places tensor `{tensor}` in this shard", index.display()),
                hint: "the download is incomplete; fetch the missing shard".to_owned(),
            });
        }
    }
    Ok(shards)
}

/// Advice drawn from what the folder holds instead.
fn hint(folder: &Path) -> Result<String, CheckpointError> {
    let mut names = Vec::new();
    for entry in fs_err::read_dir(folder).map_err(CheckpointError::io("list", folder))? {
        let entry = entry.map_err(CheckpointError::io("list", folder))?;
        names.push(entry.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    let ends_with = |extensions: &[&str]| {
        names.iter().find(|name| {
            Path::new(name)
                .extension()
                .is_some_and(|found| extensions.iter().any(|e| found == *e))
        })
    };
    Ok(if let Some(name) = ends_with(&["safetensors"]) {
        format!("the folder holds `{name}`; name the file itself")
    } else if let Some(name) = ends_with(&["bin", "pt", "pth", "npz"]) {
        format!("the folder holds `{name}`; name the file itself")
    } else if names.is_empty() {
        "the folder is empty".to_owned()
    } else {
        "name the folder that holds the weights, such as a snapshot folder of the hub cache".to_owned()
    })
}

/// The error for a file that was asked for by name and is not there.
pub(crate) fn missing_file(path: &Path) -> CheckpointError {
    CheckpointError::Missing {
        path: path.to_owned(),
        reason: "there is no such file".to_owned(),
        hint: "check the path; a checkpoint folder needs this file beside its weights".to_owned(),
    }
}
