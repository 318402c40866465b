//! The cache folder, and the way from a reference to files in it.

use std::path::{Path, PathBuf};

use super::environment::expand_home;
use super::folder::{Advice, check};
use super::glob::{deepest, expand};
use super::reference::is_glob;
use super::snapshot::{self, Place, Snapshot};
use super::wanted::is_weights;
use super::{Environment, HubError, Provenance, Reference, Resolved, Wanted, near};

/// A Hugging Face cache, read only.
#[derive(Clone, Debug)]
pub struct Cache {
    pub(super) root: PathBuf,
    /// The variable that set the root; nothing for a root that the program was given.
    pub(super) root_from: Option<&'static str>,
    pub(super) offline: Option<&'static str>,
    home: Option<PathBuf>,
}

impl Cache {
    /// The cache of this process's environment: the first of `HF_HUB_CACHE`, `HUGGINGFACE_HUB_CACHE`, `HF_HOME/hub`,
    /// `XDG_CACHE_HOME/huggingface/hub` and `~/.cache/huggingface/hub`. It need not exist.
    #[must_use]
    pub fn from_env() -> Self {
        Self::new(&Environment::of_process())
    }

    /// The cache of an environment.
    #[must_use]
    pub fn new(environment: &Environment) -> Self {
        Self {
            root: environment.root.clone(),
            root_from: Some(environment.root_from),
            offline: environment.offline,
            home: environment.home.clone(),
        }
    }

    /// The cache at `root`, the folder with the `models--…` folders in it.
    #[must_use]
    pub fn at(root: impl Into<PathBuf>) -> Self {
        let root = root.into();
        Self {
            root,
            root_from: None,
            offline: None,
            home: std::env::home_dir(),
        }
    }

    /// The folder with the `models--…` folders in it.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The repositories that the cache has a folder for, as `owner/name`, in no order.
    #[must_use]
    pub fn repos(&self) -> Vec<String> {
        let repo = |name: String| Some(name.strip_prefix("models--")?.replacen("--", "/", 1));
        near::names_in(&self.root).into_iter().filter_map(repo).collect()
    }

    pub(super) fn repo_folder(&self, repo: &str) -> PathBuf {
        self.root.join(format!("models--{}", repo.replace('/', "--")))
    }

    /// Finds what a user wrote: a path if there is one of this text, else what [`Reference::parse`] makes of it.
    ///
    /// # Errors
    /// Those of [`Reference::parse`] and [`Self::resolve`].
    pub fn find(&self, text: &str, wanted: Wanted) -> Result<Vec<Resolved>, HubError> {
        if !text.is_empty() && Path::new(text).exists() {
            return existing(text.into(), wanted);
        }
        self.resolve(&Reference::parse(text)?, wanted)
    }

    /// Finds what a reference names. Without a glob that is one thing; with one it is every match that is what is wanted, in
    /// natural order, and at least one. Matches of another kind, such as a `README.md` among SAEs, are passed over.
    ///
    /// A reference to the hub whose text is that of an existing path is that path.
    ///
    /// # Errors
    /// [`HubError::NoSuchPath`], [`HubError::NotCached`], [`HubError::NoMatch`] or [`HubError::Ambiguous`] if it is not there,
    /// [`HubError::Incomplete`] if a file of it is missing, [`HubError::Unsuitable`] if it is something else than wanted,
    /// [`HubError::Checkpoint`] or [`HubError::Io`] if the cache cannot be read.
    pub fn resolve(&self, reference: &Reference, wanted: Wanted) -> Result<Vec<Resolved>, HubError> {
        match reference {
            Reference::Path(path) => self.resolve_path(path, reference, wanted),
            Reference::Hub { repo, revision, path } => {
                let text = PathBuf::from(reference.to_string());
                if text.exists() {
                    return existing(text, wanted);
                }
                let (revision, path) = (revision.as_deref(), path.as_deref());
                self.resolve_hub(&Place {
                    repo,
                    revision,
                    path,
                    wanted,
                })
            }
        }
    }

    /// [`Self::find`] where exactly one thing is wanted.
    ///
    /// # Errors
    /// Those of [`Self::find`], and [`HubError::Several`] if a glob matches more.
    pub fn find_one(&self, text: &str, wanted: Wanted) -> Result<Resolved, HubError> {
        let mut found = self.find(text, wanted)?;
        match found.pop() {
            Some(one) if found.is_empty() => Ok(one),
            last => Err(HubError::Several {
                reference: text.to_owned(),
                found: found.into_iter().chain(last).map(|resolved| resolved.path).collect(),
            }),
        }
    }

    fn resolve_path(&self, path: &Path, reference: &Reference, wanted: Wanted) -> Result<Vec<Resolved>, HubError> {
        let text = path.to_string_lossy();
        let path = expand_home(&text, self.home.as_ref());
        // Also a link to nothing: the check says so.
        if path.symlink_metadata().is_ok() {
            return existing(path, wanted);
        }
        let shown = path.to_string_lossy();
        if !is_glob(&shown) {
            let (folder, near) = deepest(Path::new(""), &path);
            return Err(HubError::NoSuchPath { path, folder, near });
        }
        let found = expand(None, &shown, &reference.to_string())?;
        if found.is_empty() {
            let (folder, near) = deepest(Path::new(""), &path);
            return Err(HubError::NoMatch {
                pattern: reference.to_string(),
                folder,
                near,
                fetch: Vec::new(),
            });
        }
        let resolved = found.into_iter().map(|path| Resolved { path, hub: None });
        keep(resolved.collect(), wanted, &Advice::default(), &reference.to_string())
    }

    fn resolve_hub(&self, place: &Place<'_>) -> Result<Vec<Resolved>, HubError> {
        let Snapshot { folder, commit } = snapshot::find(self, place)?;
        let advice = Advice {
            fetch: place.fetch(self),
            blobs: Some(self.repo_folder(place.repo).join("blobs")),
        };
        let resolved = |path: PathBuf, inner: Option<String>| Resolved {
            path,
            hub: Some(Provenance {
                repo: place.repo.to_owned(),
                revision: place.revision().to_owned(),
                commit: commit.clone(),
                path: inner,
            }),
        };
        let Some(inner) = place.path else {
            check(&folder, place.wanted, &advice)?;
            return Ok(vec![resolved(folder, None)]);
        };
        let path = inner.split('/').fold(folder.clone(), |path, piece| path.join(piece));
        if path.symlink_metadata().is_ok() {
            check(&path, place.wanted, &advice)?;
            return Ok(vec![resolved(path, Some(inner.to_owned()))]);
        }
        let (deep, near) = deepest(&folder, Path::new(inner));
        if !is_glob(inner) {
            let missing = format!("commit {commit} is cached without it");
            return Err(place.not_cached(self, missing, &path, near));
        }
        let mut found = Vec::new();
        for path in expand(Some(&folder), inner, &place.text())? {
            let inner = path.strip_prefix(&folder).map(slashes).unwrap_or_default();
            found.push(resolved(path, Some(inner)));
        }
        if found.is_empty() {
            let fetch = advice.fetch;
            return Err(HubError::NoMatch {
                pattern: place.text(),
                folder: deep,
                near,
                fetch,
            });
        }
        keep(found, place.wanted, &advice, &place.text())
    }
}

/// A path in a repository has slashes on every system.
fn slashes(path: &Path) -> String {
    let pieces: Vec<_> = path.iter().map(|piece| piece.to_string_lossy()).collect();
    pieces.join("/")
}

fn has_weights_name(path: &Path) -> bool {
    path.file_name().is_some_and(|name| is_weights(&name.to_string_lossy()))
}

fn existing(path: PathBuf, wanted: Wanted) -> Result<Vec<Resolved>, HubError> {
    check(&path, wanted, &Advice::default())?;
    Ok(vec![Resolved { path, hub: None }])
}

/// The matches of a glob that are what is wanted; an error if one is half of it, or none is.
fn keep(found: Vec<Resolved>, wanted: Wanted, advice: &Advice, text: &str) -> Result<Vec<Resolved>, HubError> {
    let count = found.len();
    let (mut kept, mut refused) = (Vec::new(), None);
    for resolved in found {
        if wanted == Wanted::Sae && !resolved.path.is_dir() && !has_weights_name(&resolved.path) {
            continue;
        }
        match check(&resolved.path, wanted, advice) {
            Ok(()) => kept.push(resolved),
            Err(HubError::Unsuitable { path, reason, hint, .. }) => refused = refused.or(Some((path, reason, hint))),
            Err(error) => return Err(error),
        }
    }
    if !kept.is_empty() {
        return Ok(kept);
    }
    let (path, reason, hint) =
        refused.unwrap_or_else(|| (text.into(), "none is a file of weights".to_owned(), Vec::new()));
    let reason = format!("{reason} (one of {count} matches of `{text}`, none of which is)");
    Err(HubError::Unsuitable {
        path,
        wanted: wanted.noun(),
        reason,
        hint,
    })
}
