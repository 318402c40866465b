//! From a repository and a revision to a snapshot folder of the cache.
//!
//! The layout is the one that Hugging Face documents for others to read: `models--owner--name/refs/<revision>` holds a commit,
//! `snapshots/<commit>/` the files of it. A ref wins over the start of a commit with the same digits.

use std::path::{Path, PathBuf};

use super::command::fetch_hints;
use super::{Cache, HubError, Wanted, near};

/// The revision that is meant when none is written.
pub(super) const DEFAULT_REVISION: &str = "main";

/// Fewest digits that may stand for a commit, as in git.
const FEWEST_DIGITS: usize = 4;

/// A place on the hub, as far as looking for it goes.
#[derive(Clone, Copy)]
pub(super) struct Place<'a> {
    pub(super) repo: &'a str,
    pub(super) revision: Option<&'a str>,
    pub(super) path: Option<&'a str>,
    pub(super) wanted: Wanted,
}

/// A folder with the files of one commit.
pub(super) struct Snapshot {
    pub(super) folder: PathBuf,
    pub(super) commit: String,
}

impl Place<'_> {
    pub(super) fn revision(&self) -> &str {
        self.revision.unwrap_or(DEFAULT_REVISION)
    }

    pub(super) fn fetch(&self, cache: &Cache) -> Vec<String> {
        fetch_hints(cache, self.repo, self.revision, self.path, self.wanted)
    }

    /// The text that names this place.
    pub(super) fn text(&self) -> String {
        let revision = self
            .revision
            .map_or_else(String::new, |revision| format!("@{revision}"));
        let path = self.path.map_or_else(String::new, |path| format!(":{path}"));
        format!("{}{revision}{path}", self.repo)
    }

    pub(super) fn not_cached(&self, cache: &Cache, missing: String, at: &Path, near: Vec<String>) -> HubError {
        let from = cache.root_from.map_or_else(String::new, |name| match name {
            "the default" => " (no variable sets the cache)".to_owned(),
            name => format!(" (the cache is set by `{name}`)"),
        });
        HubError::NotCached {
            reference: self.text(),
            missing,
            searched: vec![
                format!("the path `{}`", self.text()),
                format!("`{}`{from}", at.display()),
            ],
            near,
            fetch: self.fetch(cache),
        }
    }
}

/// Whether `text` is a full commit.
pub(super) fn is_commit(text: &str) -> bool {
    text.len() == 40 && is_hex(text)
}

fn is_hex(text: &str) -> bool {
    text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

/// Finds the snapshot of a place.
pub(super) fn find(cache: &Cache, place: &Place<'_>) -> Result<Snapshot, HubError> {
    let folder = cache.repo_folder(place.repo);
    if !folder.is_dir() {
        let near = near::closest(place.repo, cache.repos());
        return Err(place.not_cached(cache, "the repository is not cached".to_owned(), &folder, near));
    }
    let commit = commit(cache, place, &folder)?;
    let snapshot = folder.join("snapshots").join(&commit);
    if !snapshot.is_dir() {
        let near = near::closest(&commit, commits(&folder));
        return Err(place.not_cached(cache, format!("no file of commit {commit} is cached"), &snapshot, near));
    }
    Ok(Snapshot {
        folder: snapshot,
        commit,
    })
}

fn commit(cache: &Cache, place: &Place<'_>, folder: &Path) -> Result<String, HubError> {
    let revision = place.revision();
    if is_commit(revision) {
        return Ok(revision.to_owned());
    }
    let file = revision
        .split('/')
        .fold(folder.join("refs"), |path, piece| path.join(piece));
    if file.is_file() {
        let text = fs_err::read_to_string(&file).map_err(HubError::Io)?;
        let commit = text.trim();
        if is_commit(commit) {
            return Ok(commit.to_owned());
        }
        return Err(HubError::Unsuitable {
            path: file,
            wanted: "a ref of the cache",
            reason: "it does not hold a commit".to_owned(),
            hint: place.fetch(cache),
        });
    }
    let cached = commits(folder);
    if is_hex(revision) && revision.len() >= FEWEST_DIGITS {
        let matching: Vec<&String> = cached.iter().filter(|commit| commit.starts_with(revision)).collect();
        match matching.as_slice() {
            [] => {}
            [commit] => return Ok((*commit).clone()),
            several => {
                return Err(HubError::Ambiguous {
                    repo: place.repo.to_owned(),
                    prefix: revision.to_owned(),
                    commits: several.iter().map(ToString::to_string).collect(),
                });
            }
        }
    }
    // Without `main` somebody fetched another revision; say which there are.
    let mut known = near::names_in(&folder.join("refs"));
    known.extend(cached);
    let near = near::closest(revision, known);
    Err(place.not_cached(cache, format!("revision `{revision}` is not cached"), &file, near))
}

fn commits(folder: &Path) -> Vec<String> {
    let mut commits = near::names_in(&folder.join("snapshots"));
    commits.retain(|name| is_commit(name));
    commits.sort();
    commits
}
