//! Folders built like the cache.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::path::{Path, PathBuf};

use checkpoint::hub::{Cache, HubError, Resolved, Wanted};

pub(crate) const MODEL: Wanted = Wanted::Model { tokenizer: true };
pub(crate) const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";
pub(crate) const OTHER: &str = "0123fedcba9876543210fedcba9876543210fedc";

/// The files of a model that is whole.
pub(crate) const MODEL_FILES: [&str; 3] = ["config.json", "tokenizer.json", "model.safetensors"];

/// A cache that is removed after the test.
pub(crate) struct Fake {
    folder: tempfile::TempDir,
}

impl Fake {
    pub(crate) fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
        }
    }

    pub(crate) fn root(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn cache(&self) -> Cache {
        Cache::at(self.root())
    }

    pub(crate) fn repo(&self, repo: &str) -> PathBuf {
        self.root().join(format!("models--{}", repo.replace('/', "--")))
    }

    pub(crate) fn snapshot(&self, repo: &str, commit: &str) -> PathBuf {
        self.repo(repo).join("snapshots").join(commit)
    }

    pub(crate) fn set_ref(&self, repo: &str, name: &str, commit: &str) {
        put(&self.repo(repo).join("refs").join(name), commit);
    }

    /// A file as `huggingface_hub` leaves it: a link into `blobs`.
    pub(crate) fn add(&self, repo: &str, commit: &str, file: &str, text: &str) {
        let blob = format!("{:040x}", text.len() * 1000 + file.len());
        put(&self.repo(repo).join("blobs").join(&blob), text);
        let depth = file.matches('/').count();
        self.link(
            repo,
            commit,
            file,
            &format!("{}../../blobs/{blob}", "../".repeat(depth)),
        );
    }

    /// A link of a snapshot to wherever.
    pub(crate) fn link(&self, repo: &str, commit: &str, file: &str, target: &str) {
        let link = self.snapshot(repo, commit).join(file);
        fs_err::create_dir_all(link.parent().unwrap()).unwrap();
        #[cfg(unix)]
        fs_err::os::unix::fs::symlink(target, &link).unwrap();
        #[cfg(not(unix))]
        fs_err::copy(link.parent().unwrap().join(target), &link)
            .map(drop)
            .unwrap();
    }

    /// A repository at `COMMIT`, which is `main`, with these files.
    pub(crate) fn with(self, repo: &str, files: &[&str]) -> Self {
        self.set_ref(repo, "main", COMMIT);
        for file in files {
            self.add(repo, COMMIT, file, file);
        }
        self
    }
}

/// Writes a file and the folders above it.
pub(crate) fn put(path: &Path, text: &str) {
    fs_err::create_dir_all(path.parent().unwrap()).unwrap();
    fs_err::write(path, text).unwrap();
}

/// The error's message has all of `parts`.
#[track_caller]
pub(crate) fn says(result: Result<Vec<Resolved>, HubError>, parts: &[&str]) -> HubError {
    let error = result.expect_err("an error");
    let message = error.to_string();
    for part in parts {
        assert!(message.contains(part), "`{part}` is not in: {message}");
    }
    error
}

/// The last pieces of the paths.
#[track_caller]
pub(crate) fn names(result: Result<Vec<Resolved>, HubError>) -> Vec<String> {
    let found = result.unwrap();
    let name = |resolved: Resolved| resolved.path.file_name().unwrap().to_str().unwrap().to_owned();
    found.into_iter().map(name).collect()
}
