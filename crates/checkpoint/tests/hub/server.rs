//! As much of the hub as a download asks for, on 127.0.0.1: listings, files behind a redirect to another host, ranges, errors.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard};

use checkpoint::hub::{Cache, Downloader, Environment};
use serde_json::json;
use sha2::{Digest, Sha256};

use crate::support::COMMIT;

/// What the server has and how it misbehaves.
pub(crate) struct State {
    pub(crate) files: BTreeMap<String, Vec<u8>>,
    /// Commit in the listing.
    pub(crate) commit: String,
    /// Error status and code of every listing.
    pub(crate) listing_error: Option<(u16, &'static str)>,
    /// Error status and code of every file.
    pub(crate) file_error: Option<(u16, &'static str)>,
    /// The listing has names only.
    pub(crate) names_only: bool,
    /// Replaces the blob id of small files.
    pub(crate) blob_id: Option<String>,
    /// Bytes after which a storage answer is cut, and how often.
    pub(crate) cut: (usize, usize),
    /// Storage ignores ranges.
    pub(crate) no_ranges: bool,
    /// What storage sends in place of the file.
    pub(crate) instead: Option<Vec<u8>>,
    /// Every request: method, path, whether there was a token, range.
    pub(crate) log: Vec<Request>,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) host: String,
    pub(crate) token: Option<String>,
    pub(crate) range: Option<usize>,
}

/// The server; its thread ends with the tests.
pub(crate) struct Server {
    pub(crate) port: u16,
    state: Arc<Mutex<State>>,
}

/// Files of this extension are stored outside of git and behind a redirect.
fn is_large(file: &str) -> bool {
    Path::new(file)
        .extension()
        .is_some_and(|extension| extension == "safetensors" || extension == "npz")
}

pub(crate) fn sha256(bytes: &[u8]) -> String {
    let digits: Vec<String> = Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    digits.concat()
}

fn git_id(bytes: &[u8]) -> String {
    sha256(bytes)[..40].to_owned()
}

impl Server {
    pub(crate) fn new(files: &[&str]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let content = |file: &&str| {
            (
                (*file).to_owned(),
                format!("the bytes of {file}").repeat(100).into_bytes(),
            )
        };
        let state = State {
            files: files.iter().map(content).collect(),
            commit: COMMIT.to_owned(),
            listing_error: None,
            file_error: None,
            names_only: false,
            blob_id: None,
            cut: (0, 0),
            no_ranges: false,
            instead: None,
            log: Vec::new(),
        };
        let state = Arc::new(Mutex::new(state));
        let shared = Arc::clone(&state);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let state = Arc::clone(&shared);
                // A client that goes away in the middle is part of the tests.
                std::thread::spawn(move || serve(&stream, &state, port).ok());
            }
        });
        Self { port, state }
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// Environment of a user of this server.
    pub(crate) fn environment(&self, pairs: &[(&str, &str)]) -> Environment {
        let endpoint = format!("http://127.0.0.1:{}/", self.port);
        Environment::from_lookup(|name| match pairs.iter().find(|(key, _)| *key == name) {
            Some((_, value)) => Some(value.into()),
            None => (name == "HF_ENDPOINT").then(|| endpoint.clone().into()),
        })
    }

    /// A downloader that gives up at once, into `cache`.
    pub(crate) fn downloader(&self, cache: Cache) -> Downloader {
        Downloader::new(cache, &self.environment(&[])).unwrap().attempts(1)
    }

    /// Paths of the requests since the last call.
    pub(crate) fn asked(&self) -> Vec<Request> {
        std::mem::take(&mut self.state().log)
    }
}

fn serve(stream: &TcpStream, state: &Mutex<State>, port: u16) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    loop {
        let Some(request) = read(&mut reader)? else {
            return Ok(());
        };
        let answer = answer(&mut state.lock().unwrap(), &request, port);
        let mut stream = stream;
        write!(stream, "HTTP/1.1 {} -\r\n", answer.status)?;
        for (name, value) in answer.headers {
            write!(stream, "{name}: {value}\r\n")?;
        }
        let length = answer.length.unwrap_or(answer.body.len());
        write!(stream, "content-length: {length}\r\n\r\n")?;
        if request.method != "HEAD" {
            stream.write_all(&answer.body[..answer.cut.unwrap_or(answer.body.len())])?;
        }
        stream.flush()?;
        if answer.cut.is_some() {
            return stream.shutdown(std::net::Shutdown::Both);
        }
    }
}

fn read(reader: &mut BufReader<TcpStream>) -> std::io::Result<Option<Request>> {
    let mut line = String::new();
    if reader.read_line(&mut line)? == 0 {
        return Ok(None);
    }
    let mut words = line.split_whitespace().map(str::to_owned);
    let mut request = Request {
        method: words.next().unwrap_or_default(),
        path: words.next().unwrap_or_default(),
        ..Request::default()
    };
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 || line.trim().is_empty() {
            return Ok(Some(request));
        }
        let Some((name, value)) = line.trim().split_once(": ") else {
            continue;
        };
        match name.to_lowercase().as_str() {
            "host" => value.clone_into(&mut request.host),
            "authorization" => request.token = Some(value.to_owned()),
            "range" => {
                request.range = value.trim_matches(|c: char| !c.is_ascii_digit()).parse().ok();
            }
            _ => {}
        }
    }
}

#[derive(Default)]
struct Answer {
    status: u16,
    headers: Vec<(&'static str, String)>,
    body: Vec<u8>,
    /// Length in the header, where it is not that of the body.
    length: Option<usize>,
    /// Bytes of the body after which the connection ends.
    cut: Option<usize>,
}

fn error((status, code): (u16, &str)) -> Answer {
    let message = ("x-error-message", format!("message of {code}"));
    let refused = (
        "x-error-message",
        "Invalid credentials in Authorization header".to_owned(),
    );
    let headers = if code == "refused" {
        vec![refused]
    } else if code.is_empty() {
        Vec::new()
    } else {
        vec![("x-error-code", code.to_owned()), message]
    };
    Answer {
        status,
        headers,
        ..Answer::default()
    }
}

fn answer(state: &mut State, request: &Request, port: u16) -> Answer {
    state.log.push(request.clone());
    let path = request.path.as_str();
    if path.starts_with("/api/models/a/b/revision/") && path.ends_with("?blobs=true") {
        return state.listing_error.map_or_else(|| listing(state), error);
    }
    if let Some(hash) = path.strip_prefix("/cdn/") {
        return storage(state, hash, request.range);
    }
    if let Some(error_of_file) = state.file_error {
        return error(error_of_file);
    }
    let file = path
        .strip_prefix(&format!("/a/b/resolve/{}/", state.commit))
        .map(|file| file.replace("%20", " "));
    let Some((file, bytes)) = file.and_then(|file| state.files.get_key_value(&file)) else {
        return error((404, "EntryNotFound"));
    };
    let commit = ("x-repo-commit", state.commit.clone());
    if is_large(file) {
        let hash = sha256(bytes);
        let location = ("location", format!("http://localhost:{port}/cdn/{hash}"));
        let linked = [
            ("x-linked-etag", format!("\"{hash}\"")),
            ("x-linked-size", bytes.len().to_string()),
        ];
        let headers = [commit, location].into_iter().chain(linked).collect();
        return Answer {
            status: 302,
            headers,
            ..Answer::default()
        };
    }
    let etag = ("etag", format!("W/\"{}\"", git_id(bytes)));
    Answer {
        status: 200,
        headers: vec![commit, etag],
        body: bytes.clone(),
        ..Answer::default()
    }
}

fn listing(state: &State) -> Answer {
    let sibling = |(file, bytes): (&String, &Vec<u8>)| {
        if state.names_only {
            return json!({ "rfilename": file });
        }
        let id = state.blob_id.clone().unwrap_or_else(|| git_id(bytes));
        let mut sibling = json!({ "rfilename": file, "size": bytes.len(), "blobId": id });
        if is_large(file) {
            sibling["lfs"] = json!({ "sha256": sha256(bytes), "size": bytes.len(), "pointerSize": 130 });
        }
        sibling
    };
    let siblings: Vec<_> = state.files.iter().map(sibling).collect();
    let body = json!({ "id": "a/b", "sha": state.commit, "gated": false, "siblings": siblings });
    Answer {
        status: 200,
        body: body.to_string().into_bytes(),
        ..Answer::default()
    }
}

fn storage(state: &mut State, hash: &str, range: Option<usize>) -> Answer {
    let bytes = state
        .files
        .values()
        .find(|bytes| sha256(bytes) == hash)
        .unwrap()
        .clone();
    let bytes = state.instead.clone().unwrap_or(bytes);
    let start = range.filter(|_| !state.no_ranges);
    let mut answer = match start {
        Some(start) if start >= bytes.len() => {
            return Answer {
                status: 416,
                ..Answer::default()
            };
        }
        Some(start) => {
            let range = format!("bytes {start}-{}/{}", bytes.len() - 1, bytes.len());
            Answer {
                status: 206,
                headers: vec![("content-range", range)],
                body: bytes[start..].to_vec(),
                ..Answer::default()
            }
        }
        None => Answer {
            status: 200,
            body: bytes,
            ..Answer::default()
        },
    };
    let (after, times) = state.cut;
    if times > 0 {
        state.cut.1 -= 1;
        answer.length = Some(answer.body.len());
        answer.cut = Some(after.min(answer.body.len()));
    }
    answer
}

/// Names of the files that were asked for from the hub itself.
pub(crate) fn files(requests: &[Request]) -> BTreeSet<String> {
    let file = |request: &Request| {
        Some(
            request
                .path
                .strip_prefix("/a/b/resolve/")?
                .split_once('/')?
                .1
                .to_owned(),
        )
    };
    requests.iter().filter_map(file).collect()
}
