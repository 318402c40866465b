//! Where the shipped model and its autoencoders are.

use std::path::PathBuf;

use crate::failure;

/// Overrides the search.
const VARIABLE: &str = "VERNIER_DATASETS";

/// The layer whose residual stream the shipped autoencoders read.
pub(crate) const LAYER: usize = 1;

/// The `datasets/embedded` folder: `$VERNIER_DATASETS/embedded`, or the first `datasets/embedded`
/// beside the current folder, the executable, or a folder above one of them.
pub(crate) fn folder() -> anyhow::Result<PathBuf> {
    let mut tried = Vec::new();
    if let Some(root) = std::env::var_os(VARIABLE) {
        let folder = PathBuf::from(root).join("embedded");
        if folder.is_dir() {
            return Ok(folder);
        }
        return Err(failure::input(format!(
            "`{VARIABLE}` is set, but `{}` is not there\nhint: unset it, or point it at the repository's `datasets` folder",
            folder.display()
        )));
    }
    let starts = [std::env::current_dir().ok(), std::env::current_exe().ok()];
    for start in starts.into_iter().flatten() {
        for above in start.ancestors() {
            let folder = above.join("datasets").join("embedded");
            if folder.join("model").is_dir() {
                return Ok(folder);
            }
            tried.push(folder);
        }
    }
    let places: Vec<String> = tried.iter().take(4).map(|p| format!("`{}`", p.display())).collect();
    Err(failure::input(format!(
        "the embedded model is not there: looked in {}\nhint: run from a clone of the repository, or set `{VARIABLE}` to its `datasets` folder",
        places.join(", ")
    )))
}

/// The shipped panel, sorted by name.
pub(crate) fn saes() -> anyhow::Result<Vec<PathBuf>> {
    let folder = folder()?.join("saes");
    let mut found = Vec::new();
    if folder.is_dir() {
        for entry in fs_err::read_dir(&folder)? {
            let path = entry?.path();
            if path.join("cfg.json").is_file() {
                found.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}
