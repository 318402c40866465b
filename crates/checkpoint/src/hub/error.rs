//! What can go wrong between a name and the files behind it.
//!
//! As everywhere in this crate a message says what was asked, what was found, and on `hint:` lines what to do. Lists in the variants
//! (`near`, `searched`) are ready to be shown; they are not a promise about everything that exists.

use std::io;
use std::path::PathBuf;

use crate::CheckpointError;

/// An error of [`hub`](crate::hub).
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HubError {
    /// The text is neither a path nor an id.
    #[error("`{}` does not name a model or an SAE: {reason}\nhint: {hint}", text.escape_debug())]
    Reference {
        /// What the user wrote.
        text: String,
        /// What is wrong with it.
        reason: String,
        /// How to write it.
        hint: String,
    },
    /// A path that does not exist.
    #[error("there is no file or folder `{}`{}", path.display(), near_in(folder, near))]
    NoSuchPath {
        /// The path.
        path: PathBuf,
        /// The deepest folder on the way that exists.
        folder: PathBuf,
        /// Up to eight names in that folder, closest first.
        near: Vec<String>,
    },
    /// A glob that matches nothing.
    #[error("nothing matches `{pattern}`{}{}", near_in(folder, near), hints(fetch))]
    NoMatch {
        /// The pattern as the user wrote it.
        pattern: String,
        /// The deepest folder on the way that exists.
        folder: PathBuf,
        /// Up to eight names in that folder, closest first.
        near: Vec<String>,
        /// Commands and advice to fetch it, for a place on the hub.
        fetch: Vec<String>,
    },
    /// A repository, a revision or a file that is not in the cache.
    #[error(
        "`{reference}` is not in the Hugging Face cache: {missing}{}{}{}",
        lines("  searched: ", searched),
        listed("cached", near),
        hints(fetch)
    )]
    NotCached {
        /// What was asked for.
        reference: String,
        /// Which part of it is not there.
        missing: String,
        /// Every place that was looked at.
        searched: Vec<String>,
        /// Up to eight names that are there instead, closest first.
        near: Vec<String>,
        /// Commands and advice to fetch it.
        fetch: Vec<String>,
    },
    /// A model or SAE of which a file is missing.
    #[error("`{}` is missing: {reason}{}", file.display(), hints(fetch))]
    Incomplete {
        /// The file that is not there.
        file: PathBuf,
        /// Who needs it, or what is in its place.
        reason: String,
        /// Commands and advice to fetch it, for a place on the hub.
        fetch: Vec<String>,
    },
    /// Something that exists and is not what was asked for.
    #[error("`{}` is not {wanted}: {reason}{}", path.display(), hints(hint))]
    Unsuitable {
        /// The file or folder.
        path: PathBuf,
        /// What was asked for.
        wanted: &'static str,
        /// Why it is not that.
        reason: String,
        /// The way out, where there is one.
        hint: Vec<String>,
    },
    /// The start of a commit that several cached commits share.
    #[error("`{repo}@{prefix}` stands for several cached commits: {}\nhint: write more digits", commits.join(", "))]
    Ambiguous {
        /// The repository.
        repo: String,
        /// What was asked for.
        prefix: String,
        /// The commits.
        commits: Vec<String>,
    },
    /// Several matches where one is wanted.
    #[error("`{reference}` matches {} things where one is wanted{}", found.len(), listed("found", &some(found)))]
    Several {
        /// What was asked for.
        reference: String,
        /// All matches.
        found: Vec<PathBuf>,
    },
    /// The operating system refused. Its message names the file.
    #[error("{0}")]
    Io(io::Error),
    /// A file of a checkpoint, such as its shard index, cannot be read.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
}

fn near_in(folder: &std::path::Path, near: &[String]) -> String {
    match near {
        [] => format!("\nhint: `{}` is empty or does not exist", folder.display()),
        near => format!("\nhint: `{}` has {}", folder.display(), quoted(near)),
    }
}

fn listed(what: &str, names: &[String]) -> String {
    if names.is_empty() {
        String::new()
    } else {
        format!("\n  {what}: {}", quoted(names))
    }
}

fn some(paths: &[PathBuf]) -> Vec<String> {
    paths.iter().take(8).map(|path| path.display().to_string()).collect()
}

pub(super) fn quoted(names: &[String]) -> String {
    let names: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    names.join(", ")
}

pub(super) fn hints(hints: &[String]) -> String {
    lines("hint: ", hints)
}

/// A line of its own for each of `texts`.
fn lines(start: &str, texts: &[String]) -> String {
    let lines: Vec<String> = texts.iter().map(|text| format!("\n{start}{text}")).collect();
    lines.concat()
}
