//! Which files of a repository a reference asks for.
//!
//! A download takes what a reader needs and no more: not the other formats of a model, not the examples and optimizer states beside an
//! SAE.

use std::collections::BTreeSet;

use super::DownloadError;
use super::listing::{Listed, Listing};
use crate::hub::glob::{OPTIONS, compile};
use crate::hub::near::closest;
use crate::hub::reference::is_glob;
use crate::hub::snapshot::Place;
use crate::hub::wanted::{CONFIG, INDEX, LAYOUTS, SINGLE, TOKENIZER, Wanted, is_weights};

/// The files that `place` asks for, each once, in the order of their names.
pub(super) fn select<'a>(listing: &'a Listing, place: &Place<'_>) -> Result<Vec<&'a Listed>, DownloadError> {
    let tree = Tree::new(listing);
    let mut names = BTreeSet::new();
    match (place.wanted, place.path) {
        (_, Some(path)) if is_glob(path) && !tree.has(path) => {
            let pattern = compile(path, &place.text())?;
            let mut matched = 0;
            for candidate in tree.folders.iter().chain(&tree.files) {
                if pattern.matches_with(candidate, OPTIONS) {
                    matched += 1;
                    // As in the cache: a file is passed over if its name is not one of weights.
                    if tree.folders.contains(candidate) || is_weights(candidate) {
                        names.extend(tree.one(candidate, place.wanted).unwrap_or_default());
                    }
                }
            }
            if names.is_empty() {
                let kind = if matched == 0 {
                    "match"
                } else {
                    "match that is what is wanted"
                };
                return Err(tree.missing(format!("{kind} for `{path}`"), path));
            }
        }
        (wanted, path) => names.extend(tree.one(path.unwrap_or_default(), wanted)?),
    }
    Ok(listing
        .files
        .iter()
        .filter(|file| names.contains(file.path.as_str()))
        .collect())
}

/// The listing as a tree.
struct Tree<'a> {
    listing: &'a Listing,
    files: BTreeSet<&'a str>,
    /// Every folder above a file; the root is the empty name.
    folders: BTreeSet<&'a str>,
}

impl<'a> Tree<'a> {
    fn new(listing: &'a Listing) -> Self {
        let files: BTreeSet<&str> = listing.files.iter().map(|file| file.path.as_str()).collect();
        let above = |file: &&'a str| {
            let file = *file;
            file.match_indices('/').map(move |(at, _)| &file[..at])
        };
        let folders = files.iter().flat_map(above).collect();
        Self {
            listing,
            files,
            folders,
        }
    }

    fn has(&self, path: &str) -> bool {
        self.files.contains(path) || self.folders.contains(path)
    }

    /// The name in the listing of `name` in `folder`, if it is there.
    fn file(&self, folder: &str, name: &str) -> Option<&'a str> {
        self.files.get(join(folder, name).as_str()).copied()
    }

    fn children(&self, folder: &str) -> impl Iterator<Item = (&'a str, &'a str)> {
        let start = join(folder, "");
        let child =
            move |file: &'a str| Some((file, file.strip_prefix(&start)?)).filter(|(_, name)| !name.contains('/'));
        self.files.iter().copied().filter_map(child)
    }

    /// The files of one model or SAE at `path`.
    fn one(&self, path: &str, wanted: Wanted) -> Result<Vec<&'a str>, DownloadError> {
        if let Some(file) = self.files.get(path) {
            return match wanted {
                Wanted::Sae => Ok(vec![file]),
                Wanted::Model { .. } => Err(self.missing(format!("model folder `{path}`: it is a file"), path)),
            };
        }
        if !path.is_empty() && !self.folders.contains(path) {
            return Err(self.missing(format!("file or folder `{path}`"), path));
        }
        match wanted {
            Wanted::Model { tokenizer } => self.model(path, tokenizer),
            Wanted::Sae => self.sae(path),
        }
    }

    fn model(&self, folder: &str, tokenizer: bool) -> Result<Vec<&'a str>, DownloadError> {
        let mut files = vec![self.require(folder, CONFIG)?];
        if let Some(single) = self.file(folder, SINGLE) {
            files.push(single);
        } else {
            files.push(
                self.file(folder, INDEX)
                    .map_or_else(|| self.require(folder, SINGLE), Ok)?,
            );
            files.extend(
                self.children(folder)
                    .filter_map(|(file, name)| is_shard(name).then_some(file)),
            );
        }
        if tokenizer {
            files.push(self.require(folder, TOKENIZER)?);
        }
        Ok(files)
    }

    fn sae(&self, folder: &str) -> Result<Vec<&'a str>, DownloadError> {
        // Small files that describe the SAE are worth having even where no reader insists on them.
        let described = |name: &str| ["cfg.json", "config.json", "hyperparams.json"].contains(&name);
        let described = self
            .children(folder)
            .filter(|(_, name)| described(name))
            .map(|(file, _)| file);
        let mut files: Vec<&str> = described.collect();
        for layout in &LAYOUTS {
            if let Some(weights) = self.file(folder, layout.weights) {
                files.push(weights);
                for need in layout.needs {
                    self.require(folder, need)?;
                }
                return Ok(files);
            }
        }
        let found = files.len();
        files.extend(
            self.children(folder)
                .filter_map(|(file, name)| is_weights(name).then_some(file)),
        );
        if files.len() == found {
            let at = if folder.is_empty() {
                "root".to_owned()
            } else {
                format!("folder `{folder}`")
            };
            return Err(self.missing(format!("SAE in its {at}"), &join(folder, "?")));
        }
        Ok(files)
    }

    fn require(&self, folder: &str, name: &str) -> Result<&'a str, DownloadError> {
        let path = join(folder, name);
        self.file(folder, name)
            .ok_or_else(|| self.missing(format!("file `{path}`"), &path))
    }

    /// The error for something that is not there, with what is in the deepest folder on the way.
    fn missing(&self, what: String, path: &str) -> DownloadError {
        let folder = path
            .match_indices('/')
            .map(|(at, _)| &path[..at])
            .take_while(|folder| self.folders.contains(folder))
            .last();
        let start = folder.map_or_else(String::new, |folder| join(folder, ""));
        let asked = path.strip_prefix(&start).unwrap_or(path);
        let asked = asked
            .split('/')
            .next()
            .unwrap_or_default()
            .replace(['*', '?', '[', ']'], "");
        let below = |file: &&str| Some(file.strip_prefix(&start)?.split('/').next()?.to_owned());
        let names: BTreeSet<String> = self
            .files
            .iter()
            .filter_map(below)
            .filter(|name| !name.starts_with('.'))
            .collect();
        DownloadError::UnknownFile {
            repo: self.listing.repo.clone(),
            file: what,
            commit: self.listing.commit.clone(),
            near: closest(&asked, names),
        }
    }
}

fn is_shard(name: &str) -> bool {
    name.strip_prefix("model")
        .is_some_and(|rest| rest.ends_with(".safetensors"))
}

fn join(folder: &str, name: &str) -> String {
    if folder.is_empty() {
        name.to_owned()
    } else {
        format!("{folder}/{name}")
    }
}
