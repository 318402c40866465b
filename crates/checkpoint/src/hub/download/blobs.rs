//! Writing into the cache, in the layout that Python's tools share.
//!
//! Only complete things get a final name: a blob by a rename after its bytes were checked, a link and a ref by a rename too.

use std::fs::TryLockError;
use std::io;
use std::path::{Path, PathBuf};

use super::listing::Remote;
use super::{DownloadError, Event};
use crate::hub::Cache;
use crate::write;

/// The folder of one repository.
pub(super) struct Store {
    folder: PathBuf,
    locks: PathBuf,
}

/// Held while a blob is written.
pub(super) struct Lock(#[expect(dead_code, reason = "dropping the file releases the lock")] fs_err::File);

impl Store {
    pub(super) fn new(cache: &Cache, repo: &str) -> Self {
        let folder = cache.repo_folder(repo);
        let name = folder.file_name().unwrap_or_default();
        Self {
            locks: cache.root().join(".locks").join(name),
            folder,
        }
    }

    fn link_path(&self, commit: &str, file: &str) -> PathBuf {
        let snapshot = self.folder.join("snapshots").join(commit);
        file.split('/').fold(snapshot, |path, piece| path.join(piece))
    }

    /// Where the bytes of a blob go until they are complete.
    pub(super) fn partial_path(&self, file: &Remote) -> PathBuf {
        self.folder.join("blobs").join(format!("{}.incomplete", file.etag))
    }

    pub(super) fn blob_path(&self, file: &Remote) -> PathBuf {
        self.folder.join("blobs").join(&file.etag)
    }

    /// Whether the blob is there. Its size tells one that something else cut short.
    pub(super) fn has_blob(&self, file: &Remote) -> bool {
        size_is(&self.blob_path(file), file.size)
    }

    /// Whether the file is in the snapshot.
    pub(super) fn has(&self, commit: &str, file: &Remote) -> bool {
        size_is(&self.link_path(commit, &file.path), file.size)
    }

    /// Waits until nobody else writes this blob. On a file system without locks nobody waits for anybody.
    pub(super) fn lock(&self, file: &Remote, report: &mut dyn FnMut(Event<'_>)) -> Result<Option<Lock>, DownloadError> {
        for folder in [&self.locks, &self.folder.join("blobs")] {
            fs_err::create_dir_all(folder).map_err(DownloadError::Io)?;
        }
        let path = self.locks.join(format!("{}.lock", file.etag));
        let mut options = fs_err::OpenOptions::new();
        let lock = options
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(DownloadError::Io)?;
        let locked = match lock.file().try_lock() {
            Err(TryLockError::WouldBlock) => {
                report(Event::Waiting { file: &file.path });
                lock.file().lock()
            }
            Err(TryLockError::Error(error)) => Err(error),
            Ok(()) => Ok(()),
        };
        match locked {
            Ok(()) => Ok(Some(Lock(lock))),
            Err(error) if error.kind() == io::ErrorKind::Unsupported => Ok(None),
            Err(error) => Err(DownloadError::Io(error)),
        }
    }

    /// Gives a complete blob its name.
    pub(super) fn keep(&self, file: &Remote) -> Result<(), DownloadError> {
        fs_err::rename(self.partial_path(file), self.blob_path(file)).map_err(DownloadError::Io)
    }

    /// Puts the file into the snapshot, as a link to its blob.
    pub(super) fn link(&self, commit: &str, file: &Remote) -> Result<(), DownloadError> {
        let link = self.link_path(commit, &file.path);
        let parent = link.parent().unwrap_or(&link);
        fs_err::create_dir_all(parent).map_err(DownloadError::Io)?;
        let up = "../".repeat(2 + file.path.matches('/').count());
        let target = format!("{up}blobs/{}", file.etag);
        // Beside the link first: a rename replaces what is there, a link to nothing included, at once.
        let temporary = tempfile::Builder::new()
            .prefix(".partial-")
            .make_in(parent, |path| link_or_copy(&target, &self.blob_path(file), path))
            .map_err(DownloadError::Io)?;
        temporary
            .persist(&link)
            .map(drop)
            .map_err(|error| DownloadError::Io(error.error))
    }

    /// Says which commit a revision stands for. A commit, whole or in part, needs no ref.
    pub(super) fn set_ref(&self, revision: &str, commit: &str) -> Result<(), DownloadError> {
        if commit.starts_with(revision) {
            return Ok(());
        }
        let path = revision
            .split('/')
            .fold(self.folder.join("refs"), |path, piece| path.join(piece));
        write::atomic(&path, commit.as_bytes()).map_err(|error| DownloadError::Hub(error.into()))
    }
}

fn size_is(path: &Path, size: u64) -> bool {
    path.metadata()
        .is_ok_and(|metadata| metadata.is_file() && metadata.len() == size)
}

#[cfg(unix)]
fn link_or_copy(target: &str, _blob: &Path, link: &Path) -> io::Result<()> {
    std::os::unix::fs::symlink(target, link)
}

/// Links need a privilege on Windows; a second name or a copy serves a reader as well.
#[cfg(not(unix))]
fn link_or_copy(_target: &str, blob: &Path, link: &Path) -> io::Result<()> {
    std::fs::hard_link(blob, link).or_else(|_| std::fs::copy(blob, link).map(drop))
}
