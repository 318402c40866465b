//! What can go wrong between the hub and the cache.

use std::io;
use std::path::PathBuf;

use crate::hub::HubError;
use crate::hub::error::quoted;

/// An error of a download. Nothing incomplete has a final name after any of them.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DownloadError {
    /// The environment forbids the network.
    #[error(
        "`{reference}` may not be fetched: `{variable}` is set\nhint: unset it, or fetch the files on another machine"
    )]
    Offline {
        /// What was to be fetched.
        reference: String,
        /// The variable.
        variable: &'static str,
    },
    /// There is no such repository, or none that this user may see: the hub does not say which.
    #[error(
        "the hub has no repository `{repo}` that you may see\nhint: check the spelling; for a private one set `HF_TOKEN` or run `hf auth login`"
    )]
    UnknownRepo {
        /// The repository.
        repo: String,
    },
    /// The repository has no such branch, tag or commit.
    #[error("`{repo}` has no revision `{revision}`\nhint: see https://huggingface.co/{repo}/commits/main")]
    UnknownRevision {
        /// The repository.
        repo: String,
        /// The revision.
        revision: String,
    },
    /// The repository has no such file, or nothing that matches or is of the kind that is wanted.
    #[error("`{repo}` has no {file} at commit {commit}{}", if near.is_empty() { String::new() } else { format!("\nhint: it has {}", quoted(near)) })]
    UnknownFile {
        /// The repository.
        repo: String,
        /// What was looked for, in words.
        file: String,
        /// The commit.
        commit: String,
        /// Up to eight names that are there instead, closest first.
        near: Vec<String>,
    },
    /// The files need a licence that somebody accepted.
    #[error(
        "`{repo}` is gated, and {}\nhint: accept its licence at https://huggingface.co/{repo}{}",
        if *with_token { "your token has no access to it" } else { "no token was sent" },
        if *with_token { ", with the account of the token" } else { ", then set `HF_TOKEN` or run `hf auth login`" }
    )]
    Gated {
        /// The repository.
        repo: String,
        /// Whether a token was sent.
        with_token: bool,
    },
    /// No answer.
    #[error(
        "cannot reach `{url}`: {reason}\nhint: check the connection and `HF_ENDPOINT`; behind a proxy that has its own certificate set `SSL_CERT_FILE`"
    )]
    Unreachable {
        /// What was asked.
        url: String,
        /// What happened.
        reason: String,
    },
    /// An answer that is an error of another kind.
    #[error("`{url}` answered {status}{}", message.as_ref().map_or_else(String::new, |message| format!(": {message}")))]
    Status {
        /// What was asked.
        url: String,
        /// The HTTP status.
        status: u16,
        /// What the server says about it.
        message: Option<String>,
    },
    /// An answer that is no listing of a repository, or no description of a file.
    #[error("`{url}` did not answer as the hub does: {reason}\nhint: check `HF_ENDPOINT`")]
    Answer {
        /// What was asked.
        url: String,
        /// What is wrong with the answer.
        reason: String,
    },
    /// The connection ended too early.
    #[error(
        "`{file}` stopped after {done} of {total} bytes: {reason}\nhint: run the same command again; it goes on from there"
    )]
    Interrupted {
        /// Path in the repository.
        file: String,
        /// Bytes that are on disk.
        done: u64,
        /// Bytes of the whole file.
        total: u64,
        /// What happened.
        reason: String,
    },
    /// The bytes are not those that the listing promised. They are deleted.
    #[error("`{file}` arrived damaged: {reason}\nhint: run the same command again")]
    Mismatch {
        /// Path in the repository.
        file: String,
        /// What is wrong.
        reason: String,
    },
    /// The file of certificates holds none.
    #[error("`SSL_CERT_FILE` is `{}`, which has no certificates in PEM form: {reason}", path.display())]
    Certificates {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The operating system refused. Its message names the file.
    #[error("{0}")]
    Io(io::Error),
    /// The cache does not have it, or the reference is wrong.
    #[error(transparent)]
    Hub(#[from] HubError),
}

impl DownloadError {
    /// Whether another attempt may help.
    pub(super) const fn is_passing(&self) -> bool {
        match self {
            Self::Unreachable { .. } | Self::Interrupted { .. } => true,
            Self::Status { status, .. } => *status == 429 || *status >= 500,
            _ => false,
        }
    }
}
