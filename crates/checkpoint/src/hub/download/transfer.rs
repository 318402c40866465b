//! One file from the hub to its place in the cache.

use std::io::{self, Read, Seek, SeekFrom, Write};
use std::time::Duration;

use sha2::{Digest, Sha256};
use ureq::http::StatusCode;

use super::blobs::Store;
use super::http::{About, Client, header};
use super::listing::Remote;
use super::{DownloadError, Event};

/// Bytes from one read to the next report.
const CHUNK: usize = 256 << 10;

/// Fetches `file` and links it into the snapshot.
pub(super) fn fetch(
    client: &Client,
    store: &Store,
    commit: &str,
    file: &Remote,
    attempts: u32,
    report: &mut dyn FnMut(Event<'_>),
) -> Result<(), DownloadError> {
    let lock = store.lock(file, report)?;
    // Whoever held the lock before may have fetched it.
    if !store.has_blob(file) {
        let mut attempt = 1;
        loop {
            match receive(client, store, commit, file, report) {
                Ok(()) => break,
                Err(error) if attempt < attempts && error.is_passing() => {
                    report(Event::Retrying {
                        file: &file.path,
                        reason: &error.to_string(),
                    });
                    std::thread::sleep(Duration::from_secs(1 << attempt.min(5)));
                    attempt += 1;
                }
                Err(error) => return Err(error),
            }
        }
        store.keep(file)?;
    }
    drop(lock);
    store.link(commit, file)
}

/// Brings the partial file to its full, right content.
fn receive(
    client: &Client,
    store: &Store,
    commit: &str,
    file: &Remote,
    report: &mut dyn FnMut(Event<'_>),
) -> Result<(), DownloadError> {
    let path = store.partial_path(file);
    let mut options = fs_err::OpenOptions::new();
    let mut out = options
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(&path)
        .map_err(DownloadError::Io)?;
    let mut done = out.seek(SeekFrom::End(0)).map_err(DownloadError::Io)?;
    if done > file.size {
        done = restart(&mut out)?;
    }
    if done < file.size {
        done = append(client, commit, file, &mut out, done, report)?;
    }
    let damage = if done == file.size {
        damage(&mut out, file)?
    } else {
        Some("it is longer than listed".to_owned())
    };
    if let Some(reason) = damage {
        // Nothing tells which bytes are wrong, so none is worth going on from.
        drop(out);
        fs_err::remove_file(&path).map_err(DownloadError::Io)?;
        return Err(DownloadError::Mismatch {
            file: file.path.clone(),
            reason,
        });
    }
    out.sync_all().map_err(DownloadError::Io)
}

/// Appends what the server sends from byte `start` on and returns the new length, at least the listed one.
fn append(
    client: &Client,
    commit: &str,
    file: &Remote,
    out: &mut fs_err::File,
    start: u64,
    report: &mut dyn FnMut(Event<'_>),
) -> Result<u64, DownloadError> {
    let about = About {
        repo: &file.repo,
        revision: commit,
        file: Some(&file.path),
    };
    let mut done = start;
    let stopped = |done: u64, reason: String| DownloadError::Interrupted {
        file: file.path.clone(),
        done,
        total: file.size,
        reason,
    };
    let response = client.get(&file.url, start, about)?;
    if start > 0 && !continues(&response, start) {
        done = restart(out)?;
        if response.status() != StatusCode::OK {
            return Err(stopped(done, format!("the server cannot go on from byte {start}")));
        }
    }
    // One byte more than is due shows a body that is too long, and a server that never stops cannot fill the disk.
    let mut body = response
        .into_body()
        .into_reader()
        .take((file.size - done).saturating_add(1));
    let mut buffer = vec![0; CHUNK];
    loop {
        let read = match body.read(&mut buffer) {
            Ok(0) if done < file.size => return Err(stopped(done, "the connection ended".to_owned())),
            Ok(0) => return Ok(done),
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(stopped(done, error.to_string())),
        };
        out.write_all(&buffer[..read]).map_err(DownloadError::Io)?;
        done += read as u64;
        report(Event::Progress {
            file: &file.path,
            done: done.min(file.size),
            total: file.size,
        });
    }
}

/// Whether a response is the rest of the file and not all of it, or nothing.
fn continues(response: &ureq::http::Response<ureq::Body>, start: u64) -> bool {
    let range = header(response, "content-range").unwrap_or_default();
    response.status() == StatusCode::PARTIAL_CONTENT && range.starts_with(&format!("bytes {start}-"))
}

fn restart(out: &mut fs_err::File) -> Result<u64, DownloadError> {
    out.set_len(0).map_err(DownloadError::Io)?;
    out.rewind().map_err(DownloadError::Io)?;
    Ok(0)
}

/// What is wrong with a file of the right length. Files in git are small and known by a hash of another kind; their length must do.
fn damage(out: &mut fs_err::File, file: &Remote) -> Result<Option<String>, DownloadError> {
    let Some(expected) = &file.sha256 else { return Ok(None) };
    out.rewind().map_err(DownloadError::Io)?;
    let mut hasher = Sha256::new();
    io::copy(out, &mut hasher).map_err(DownloadError::Io)?;
    let digits: Vec<String> = hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    let found = digits.concat();
    let same = found.eq_ignore_ascii_case(expected);
    Ok((!same).then(|| format!("its SHA-256 is {found}, not {expected}")))
}
