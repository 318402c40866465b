//! What a repository has at a revision.
//!
//! Names come from the network and become paths, so a file whose name could leave the snapshot folder is as good as absent.

use serde::Deserialize;

use super::DownloadError;
use super::http::{About, Client, header, unreachable};
use crate::hub::reference::check_path;
use crate::hub::snapshot::is_commit;

/// Most bytes of a listing; a repository with ten thousand files has about two million.
const MOST_BYTES: u64 = 256 << 20;

/// The files of one commit.
pub(super) struct Listing {
    pub(super) repo: String,
    pub(super) commit: String,
    pub(super) files: Vec<Listed>,
}

/// A file as listed.
pub(super) struct Listed {
    /// Path in the repository.
    pub(super) path: String,
    /// The blob, where the server says.
    blob: Option<Blob>,
}

/// A file that can be fetched.
pub(super) struct Remote {
    /// Path in the repository.
    pub(super) path: String,
    /// Name of its blob.
    pub(super) etag: String,
    /// Bytes.
    pub(super) size: u64,
    /// SHA-256 in hexadecimal digits, for files that are stored outside of git.
    pub(super) sha256: Option<String>,
    /// Where to get it.
    pub(super) url: String,
    pub(super) repo: String,
}

#[derive(Clone)]
struct Blob {
    etag: String,
    size: u64,
    sha256: Option<String>,
}

#[derive(Deserialize)]
struct Info {
    sha: String,
    #[serde(default)]
    siblings: Vec<Sibling>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Sibling {
    rfilename: String,
    size: Option<u64>,
    blob_id: Option<String>,
    lfs: Option<Lfs>,
}

#[derive(Deserialize)]
struct Lfs {
    sha256: String,
    size: u64,
}

/// Lists a repository.
pub(super) fn list(client: &Client, repo: &str, revision: &str) -> Result<Listing, DownloadError> {
    let url = client.listing_url(repo, revision);
    let mut response = client.get(
        &url,
        0,
        About {
            repo,
            revision,
            file: None,
        },
    )?;
    let wrong = |reason: String| DownloadError::Answer {
        url: url.clone(),
        reason,
    };
    let body = response.body_mut().with_config().limit(MOST_BYTES).read_to_vec();
    let body = body.map_err(|error| unreachable(&url, &error))?;
    let info: Info = serde_json::from_slice(&body).map_err(|error| wrong(error.to_string()))?;
    if !is_commit(&info.sha) {
        return Err(wrong(format!("`sha` is {:?}, not a commit", info.sha)));
    }
    let files = info.siblings.into_iter().filter(|s| check_path(&s.rfilename).is_ok());
    Ok(Listing {
        repo: repo.to_owned(),
        commit: info.sha,
        files: files
            .map(|sibling| Listed {
                blob: blob(&sibling),
                path: sibling.rfilename,
            })
            .collect(),
    })
}

/// A large file's blob is named by its SHA-256, another's by its git hash, as in the headers of the file itself.
fn blob(sibling: &Sibling) -> Option<Blob> {
    let blob = match &sibling.lfs {
        Some(lfs) => Blob {
            etag: lfs.sha256.clone(),
            size: lfs.size,
            sha256: Some(lfs.sha256.clone()),
        },
        None => Blob {
            etag: sibling.blob_id.clone()?,
            size: sibling.size?,
            sha256: None,
        },
    };
    is_etag(&blob.etag).then_some(blob)
}

/// Whether an etag may become the name of a file.
fn is_etag(etag: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
    !etag.is_empty() && etag.len() <= 128 && etag.bytes().all(plain)
}

fn is_sha256(etag: &str) -> bool {
    etag.len() == 64 && etag.bytes().all(|b| b.is_ascii_hexdigit())
}

/// Blob and size of a listed file. A mirror that lists names only is asked for the headers of the file.
pub(super) fn describe(client: &Client, repo: &str, commit: &str, file: &Listed) -> Result<Remote, DownloadError> {
    let about = About {
        repo,
        revision: commit,
        file: Some(&file.path),
    };
    let url = client.file_url(about);
    let blob = match &file.blob {
        Some(blob) => blob.clone(),
        None => ask(client, &url, about)?,
    };
    Ok(Remote {
        path: file.path.clone(),
        etag: blob.etag,
        size: blob.size,
        sha256: blob.sha256,
        url,
        repo: repo.to_owned(),
    })
}

fn ask(client: &Client, url: &str, about: About<'_>) -> Result<Blob, DownloadError> {
    let response = client.head(url, about)?;
    let first = |names: [&str; 2]| names.into_iter().find_map(|name| header(&response, name));
    let wrong = |reason: &str| DownloadError::Answer {
        url: url.to_owned(),
        reason: reason.to_owned(),
    };
    let etag = first(["x-linked-etag", "etag"]).ok_or_else(|| wrong("there is no etag"))?;
    let etag = etag.trim_start_matches("W/").trim_matches('"').to_owned();
    if !is_etag(&etag) {
        return Err(wrong("the etag cannot be the name of a blob"));
    }
    let size = first(["x-linked-size", "content-length"]).and_then(|size| size.parse().ok());
    let size = size.ok_or_else(|| wrong("there is no size"))?;
    let sha256 = is_sha256(&etag).then(|| etag.clone());
    Ok(Blob { etag, size, sha256 })
}
