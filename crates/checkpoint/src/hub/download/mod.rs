//! Fetching what is missing into the cache.
//!
//! One request lists a repository at a revision, with the commit it stands for and the name and size of every blob; what follows asks
//! for files at that commit, so that a branch that moves during a download cannot mix two versions. A file is written beside its blob
//! under a name that ends with `.incomplete`, is continued from there by the next attempt, and gets its final name when its size, and
//! for large files its SHA-256, are right. A ref moves last, when everything asked for is there. Python's tools read what this
//! writes, and take the same lock for the same blob.
//!
//! This is written on `ureq` and not on the `hf-hub` crate. Version 0.5 of that sends the user's token to the storage host that the hub
//! redirects to, takes names of files to write from response headers as they come, and does not check what it received; version 1
//! needs an async runtime and some two hundred crates.
//!
//! Deliberately absent: Xet's chunk protocol (the hub serves the same files over plain HTTP), parallel transfers, uploads, datasets,
//! and asking whether a cached branch has moved.

mod blobs;
mod error;
mod http;
mod listing;
mod select;
mod transfer;

use std::fmt;

use self::blobs::Store;
use self::http::Client;
use super::reference::is_glob;
use super::snapshot::{DEFAULT_REVISION, Place};
use super::{Cache, Environment, HubError, Reference, Resolved, Wanted};

pub use error::DownloadError;

/// What a download reports while it runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event<'a> {
    /// The repository is listed; so much is to be fetched.
    Planned {
        /// Files that are not in the cache.
        files: usize,
        /// Their bytes together.
        bytes: u64,
    },
    /// Another process is fetching this file; this one waits for it.
    Waiting {
        /// Path in the repository.
        file: &'a str,
    },
    /// Bytes have arrived.
    Progress {
        /// Path in the repository.
        file: &'a str,
        /// Bytes on disk.
        done: u64,
        /// Bytes of the whole file.
        total: u64,
    },
    /// An attempt failed; there will be another.
    Retrying {
        /// Path in the repository.
        file: &'a str,
        /// What went wrong.
        reason: &'a str,
    },
    /// The file is in the cache.
    Finished {
        /// Path in the repository.
        file: &'a str,
    },
}

/// Fetches models and SAEs into a cache.
pub struct Downloader {
    cache: Cache,
    client: Client,
    offline: Option<&'static str>,
    attempts: u32,
}

impl Downloader {
    /// A downloader into `cache`. From the environment it takes `HF_ENDPOINT`, the token (`HF_TOKEN`, or the file that
    /// `hf auth login` writes), `HF_HUB_OFFLINE`, the proxy variables and `SSL_CERT_FILE`.
    ///
    /// # Errors
    /// [`DownloadError::Io`] if `SSL_CERT_FILE` cannot be read, [`DownloadError::Certificates`] if it holds no certificates.
    pub fn new(cache: Cache, environment: &Environment) -> Result<Self, DownloadError> {
        Ok(Self {
            cache,
            client: Client::new(&environment.network)?,
            offline: environment.offline,
            attempts: 5,
        })
    }

    /// How often to try each file before giving up; at least once. Each attempt goes on where the last one stopped.
    #[must_use]
    pub fn attempts(mut self, attempts: u32) -> Self {
        self.attempts = attempts.max(1);
        self
    }

    /// The cache.
    #[must_use]
    pub const fn cache(&self) -> &Cache {
        &self.cache
    }

    /// [`Cache::find`], fetching what is missing. What is cached is used without asking the hub; only a glob over a repository always
    /// asks, since the cache cannot tell which matches were never fetched.
    ///
    /// # Errors
    /// [`DownloadError::Hub`] for what [`Cache::find`] refuses and a download cannot help, and for everything that is missing while
    /// `HF_HUB_OFFLINE` is set; otherwise those of [`Self::fetch`].
    pub fn find(
        &self,
        text: &str,
        wanted: Wanted,
        report: &mut dyn FnMut(Event<'_>),
    ) -> Result<Vec<Resolved>, DownloadError> {
        if std::path::Path::new(text).exists() {
            return Ok(self.cache.find(text, wanted)?);
        }
        self.resolve(&Reference::parse(text)?, wanted, report)
    }

    /// [`Cache::resolve`], fetching what is missing.
    ///
    /// # Errors
    /// Those of [`Self::find`].
    pub fn resolve(
        &self,
        reference: &Reference,
        wanted: Wanted,
        report: &mut dyn FnMut(Event<'_>),
    ) -> Result<Vec<Resolved>, DownloadError> {
        let on_disk = std::path::Path::new(&reference.to_string()).exists();
        let glob = matches!(reference, Reference::Hub { path: Some(path), .. } if is_glob(path));
        if on_disk || self.offline.is_some() || !glob {
            match self.cache.resolve(reference, wanted) {
                Err(HubError::NotCached { .. } | HubError::Incomplete { .. })
                    if self.offline.is_none() && !on_disk && matches!(reference, Reference::Hub { .. }) => {}
                other => return Ok(other?),
            }
        }
        self.fetch(reference, wanted, report)?;
        Ok(self.cache.resolve(reference, wanted)?)
    }

    /// Fetches the files of a reference that the cache lacks, at the commit that its revision stands for now, and returns that commit.
    /// For a path there is nothing to fetch.
    ///
    /// # Errors
    /// [`DownloadError::Offline`] if the environment forbids it; [`DownloadError::UnknownRepo`], [`DownloadError::UnknownRevision`],
    /// [`DownloadError::UnknownFile`] or [`DownloadError::Gated`] if the hub does not give it; [`DownloadError::Unreachable`],
    /// [`DownloadError::Status`], [`DownloadError::Interrupted`] or [`DownloadError::Mismatch`] if it does not arrive whole;
    /// [`DownloadError::Io`] if it cannot be written. Whatever was complete stays in the cache.
    pub fn fetch(
        &self,
        reference: &Reference,
        wanted: Wanted,
        report: &mut dyn FnMut(Event<'_>),
    ) -> Result<Option<String>, DownloadError> {
        let Reference::Hub { repo, revision, path } = reference else {
            return Ok(None);
        };
        if let Some(variable) = self.offline {
            return Err(DownloadError::Offline {
                reference: reference.to_string(),
                variable,
            });
        }
        let (revision, path) = (revision.as_deref(), path.as_deref());
        let place = Place {
            repo,
            revision,
            path,
            wanted,
        };
        let listing = listing::list(&self.client, repo, place.revision())?;
        let store = Store::new(&self.cache, repo);
        let mut missing = Vec::new();
        for file in select::select(&listing, &place)? {
            let file = listing::describe(&self.client, repo, &listing.commit, file)?;
            if !store.has(&listing.commit, &file) {
                missing.push(file);
            }
        }
        report(Event::Planned {
            files: missing.len(),
            bytes: missing.iter().map(|file| file.size).sum(),
        });
        for file in &missing {
            transfer::fetch(&self.client, &store, &listing.commit, file, self.attempts, report)?;
            report(Event::Finished { file: &file.path });
        }
        store.set_ref(revision.unwrap_or(DEFAULT_REVISION), &listing.commit)?;
        Ok(Some(listing.commit))
    }
}

impl fmt::Debug for Downloader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Downloader")
            .field("cache", &self.cache)
            .finish_non_exhaustive()
    }
}
