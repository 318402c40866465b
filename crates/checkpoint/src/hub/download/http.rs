//! Requests to the hub.
//!
//! The token goes to the endpoint and, on a redirect, only to the same host under https: the hub redirects to storage hosts, which are
//! not to have it.

use std::time::Duration;

use ureq::config::RedirectAuthHeaders;
use ureq::http::{Response, StatusCode};
use ureq::tls::{PemItem, RootCerts, TlsConfig, parse_pem};
use ureq::{Agent, Body};

use super::DownloadError;
use crate::hub::environment::Network;

/// How long a server may be silent.
const SILENCE: Duration = Duration::from_mins(1);

pub(super) struct Client {
    agent: Agent,
    endpoint: String,
    token: Option<String>,
}

/// What a request is about, for errors.
#[derive(Clone, Copy)]
pub(super) struct About<'a> {
    pub(super) repo: &'a str,
    /// Branch, tag or commit.
    pub(super) revision: &'a str,
    /// Path in the repository; nothing for the repository itself.
    pub(super) file: Option<&'a str>,
}

impl Client {
    pub(super) fn new(network: &Network) -> Result<Self, DownloadError> {
        let mut tls = TlsConfig::builder();
        if let Some(path) = &network.certificates {
            let pem = fs_err::read(path).map_err(DownloadError::Io)?;
            let fail = |reason: String| DownloadError::Certificates {
                path: path.clone(),
                reason,
            };
            let mut certificates = Vec::new();
            for item in parse_pem(&pem) {
                if let PemItem::Certificate(certificate) = item.map_err(|error| fail(error.to_string()))? {
                    certificates.push(certificate);
                }
            }
            if certificates.is_empty() {
                return Err(fail("it has no `BEGIN CERTIFICATE`".to_owned()));
            }
            tls = tls.root_certs(RootCerts::new_with_certs(&certificates));
        }
        let agent = Agent::config_builder()
            .tls_config(tls.build())
            .http_status_as_error(false)
            .redirect_auth_headers(RedirectAuthHeaders::SameHost)
            .user_agent(concat!(
                env!("CARGO_PKG_NAME"),
                "/",
                env!("CARGO_PKG_VERSION"),
                "; rust"
            ))
            .timeout_connect(Some(SILENCE))
            .timeout_recv_response(Some(SILENCE))
            .timeout_per_read(Some(SILENCE))
            .build()
            .new_agent();
        Ok(Self {
            agent,
            endpoint: network.endpoint.clone(),
            token: token(network),
        })
    }

    /// Address of a listing.
    pub(super) fn listing_url(&self, repo: &str, revision: &str) -> String {
        let revision = encode(revision, "");
        format!("{}/api/models/{repo}/revision/{revision}?blobs=true", self.endpoint)
    }

    /// Address of a file.
    pub(super) fn file_url(&self, about: About<'_>) -> String {
        let (revision, file) = (encode(about.revision, ""), encode(about.file.unwrap_or_default(), "/"));
        format!("{}/{}/resolve/{revision}/{file}", self.endpoint, about.repo)
    }

    /// Gets `url`, from byte `start` on. A status that is not a success is an error, except 416.
    pub(super) fn get(&self, url: &str, start: u64, about: About<'_>) -> Result<Response<Body>, DownloadError> {
        let mut request = self.agent.get(url);
        if start > 0 {
            request = request.header("range", format!("bytes={start}-"));
        }
        // Bytes are counted and hashed as they are stored, so they must come as they are.
        request = request.header("accept-encoding", "identity");
        if let Some(token) = &self.token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        let response = request.call().map_err(|error| unreachable(url, &error))?;
        self.checked(response, url, about)
    }

    /// The headers of a file, from the hub itself and not from the storage host it redirects to, which knows other etags.
    pub(super) fn head(&self, url: &str, about: About<'_>) -> Result<Response<Body>, DownloadError> {
        let mut request = self.agent.head(url).header("accept-encoding", "identity");
        if let Some(token) = &self.token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        let response = request
            .config()
            .max_redirects(0)
            .build()
            .call()
            .map_err(|error| unreachable(url, &error))?;
        self.checked(response, url, about)
    }

    /// Turns an error status into an error. The hub says in a header what it means by it.
    fn checked(&self, response: Response<Body>, url: &str, about: About<'_>) -> Result<Response<Body>, DownloadError> {
        let status = response.status();
        if status.is_success() || status.is_redirection() || status == StatusCode::RANGE_NOT_SATISFIABLE {
            return Ok(response);
        }
        let repo = || about.repo.to_owned();
        let gated = DownloadError::Gated {
            repo: repo(),
            with_token: self.token.is_some(),
        };
        let message = header(&response, "x-error-message");
        let refused = message
            .as_ref()
            .is_some_and(|message| message.contains("Invalid credentials"));
        let unknown = DownloadError::UnknownRepo { repo: repo() };
        let code = header(&response, "x-error-code");
        Err(match (code.as_deref(), status.as_u16(), about.file) {
            (Some("RevisionNotFound"), ..) => DownloadError::UnknownRevision {
                repo: repo(),
                revision: about.revision.to_owned(),
            },
            (Some("EntryNotFound"), _, Some(file)) | (None, 404, Some(file)) => DownloadError::UnknownFile {
                repo: repo(),
                file: format!("file `{file}`"),
                commit: about.revision.to_owned(),
                near: Vec::new(),
            },
            // A token that is wrong or expired says nothing about the repository.
            (_, status, _) if refused => DownloadError::Status {
                url: url.to_owned(),
                status,
                message,
            },
            // What follows without a code is how mirrors answer. The hub itself hides what a user may not see behind 401.
            (Some("RepoNotFound"), ..) | (None, 401 | 404, None) => unknown,
            (Some("GatedRepo"), ..) | (None, 401 | 403, Some(_)) => gated,
            (_, status, _) => DownloadError::Status {
                url: url.to_owned(),
                status,
                message,
            },
        })
    }
}

/// A header as text.
pub(super) fn header(response: &Response<Body>, name: &str) -> Option<String> {
    Some(response.headers().get(name)?.to_str().ok()?.to_owned())
}

pub(super) fn unreachable(url: &str, error: &ureq::Error) -> DownloadError {
    DownloadError::Unreachable {
        url: url.to_owned(),
        reason: error.to_string(),
    }
}

fn token(network: &Network) -> Option<String> {
    if !network.send_token {
        return None;
    }
    let stored = || fs_err::read_to_string(&network.token_file).ok();
    let token = network.token.clone().or_else(stored)?;
    Some(token.trim().to_owned()).filter(|token| !token.is_empty())
}

/// Percent-encodes everything but letters, digits, `-_.~` and the characters of `keep`.
fn encode(text: &str, keep: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.~".contains(c) || keep.contains(c);
    let encoded = |byte: u8| match char::from(byte) {
        c if plain(c) => c.to_string(),
        _ => format!("%{byte:02X}"),
    };
    let encoded: Vec<String> = text.bytes().map(encoded).collect();
    encoded.concat()
}

#[cfg(test)]
mod tests {
    use super::encode;

    #[test]
    fn addresses_are_encoded() {
        assert_eq!(encode("refs/pr/1", ""), "refs%2Fpr%2F1");
        assert_eq!(encode("a b/ä#?.pt", "/"), "a%20b/%C3%A4%23%3F.pt");
    }
}
