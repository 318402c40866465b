//! The environment variables of Hugging Face's tools, read once.
//!
//! The rules are those of `huggingface_hub`'s `constants.py`, so that the same shell finds the same cache from Python and from here:
//! `~` and `$NAME` are expanded in paths, and later names in a list of fallbacks count only if earlier ones are unset. One thing
//! differs: an empty variable counts as unset, where Python would take `HF_HOME=""` for a cache in the working folder.
//!
//! Deliberately absent: tokens from a keyring, git credentials or an OAuth login that must be refreshed.

use std::ffi::OsString;
use std::path::PathBuf;

/// Where the cache is and how the hub may be reached, as the environment says.
#[derive(Clone, Debug)]
pub struct Environment {
    pub(super) home: Option<PathBuf>,
    pub(super) root: PathBuf,
    pub(super) root_from: &'static str,
    pub(super) offline: Option<&'static str>,
    #[cfg(feature = "download")]
    pub(super) network: Network,
}

/// What only a download needs.
#[cfg(feature = "download")]
#[derive(Clone)]
pub(super) struct Network {
    pub(super) endpoint: String,
    /// Token of the environment, before that of the file.
    pub(super) token: Option<String>,
    pub(super) token_file: PathBuf,
    /// `HF_HUB_DISABLE_IMPLICIT_TOKEN`: no token is sent unless the program's user asked for it.
    pub(super) send_token: bool,
    /// PEM file of the certificates to trust instead of the built-in ones.
    pub(super) certificates: Option<PathBuf>,
}

/// Tokens are secrets: they must not reach a log through `{:?}`.
#[cfg(feature = "download")]
impl std::fmt::Debug for Network {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Network")
            .field("endpoint", &self.endpoint)
            .finish_non_exhaustive()
    }
}

impl Environment {
    /// The environment of this process.
    #[must_use]
    pub fn of_process() -> Self {
        Self::new(|name| std::env::var_os(name), std::env::home_dir())
    }

    /// An environment given as a function from name to value. `HOME` is read through it too.
    #[must_use]
    pub fn from_lookup(lookup: impl Fn(&str) -> Option<OsString>) -> Self {
        Self::new(lookup, None)
    }

    fn new(lookup: impl Fn(&str) -> Option<OsString>, fallback_home: Option<PathBuf>) -> Self {
        let raw = |name: &str| lookup(name).filter(|value| !value.is_empty());
        let text = |name: &str| raw(name).map(|value| value.to_string_lossy().into_owned());
        let home = raw("HOME").map(PathBuf::from).or(fallback_home);
        let path = |name: &'static str| {
            let expanded = match raw(name)?.into_string() {
                Ok(value) => expand_home(&expand_variables(&value, &text), home.as_ref()),
                // Not Unicode: nothing in it can be expanded.
                Err(value) => value.into(),
            };
            Some((expanded, name))
        };
        let default_home = |tail: &str| home.clone().unwrap_or_default().join(".cache").join(tail);
        let (hf_home, home_from) = path("HF_HOME")
            .or_else(|| path("XDG_CACHE_HOME").map(|(folder, name)| (folder.join("huggingface"), name)))
            .unwrap_or_else(|| (default_home("huggingface"), "the default"));
        let (root, root_from) = path("HF_HUB_CACHE")
            .or_else(|| path("HUGGINGFACE_HUB_CACHE"))
            .unwrap_or_else(|| (hf_home.join("hub"), home_from));
        // As in Python, the second variable counts only where the first is unset, so that `HF_HUB_OFFLINE=0` decides.
        let offline = ["HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"]
            .into_iter()
            .find(|name| raw(name).is_some())
            .filter(|name| is_true(text(name)));
        Self {
            #[cfg(feature = "download")]
            network: Network {
                endpoint: text("HF_ENDPOINT").map_or_else(
                    || "https://huggingface.co".to_owned(),
                    |url| url.trim_end_matches('/').to_owned(),
                ),
                token: text("HF_TOKEN").or_else(|| text("HUGGING_FACE_HUB_TOKEN")),
                token_file: path("HF_TOKEN_PATH").map_or_else(|| hf_home.join("token"), |(file, _)| file),
                send_token: !is_true(text("HF_HUB_DISABLE_IMPLICIT_TOKEN")),
                certificates: path("SSL_CERT_FILE").map(|(file, _)| file),
            },
            home,
            root,
            root_from,
            offline,
        }
    }

    /// Root of the hub cache.
    #[must_use]
    pub fn cache_root(&self) -> &std::path::Path {
        &self.root
    }

    /// Whether `HF_HUB_OFFLINE` (or `TRANSFORMERS_OFFLINE`) forbids the network.
    #[must_use]
    pub const fn offline(&self) -> bool {
        self.offline.is_some()
    }
}

fn is_true(value: Option<String>) -> bool {
    value.is_some_and(|value| matches!(value.to_uppercase().as_str(), "1" | "ON" | "YES" | "TRUE"))
}

/// `~` and `~/…` with the home folder; `~name` stays, since nobody here knows other people's homes.
pub(super) fn expand_home(path: &str, home: Option<&PathBuf>) -> PathBuf {
    let rest = match path.strip_prefix('~') {
        Some(rest) if rest.is_empty() || rest.starts_with(std::path::is_separator) => rest,
        _ => return path.into(),
    };
    let Some(home) = home else { return path.into() };
    home.join(rest.trim_start_matches(std::path::is_separator))
}

/// Python's `os.path.expandvars`: `$NAME` and `${NAME}`; a variable that is not set stays as written.
fn expand_variables(value: &str, lookup: &impl Fn(&str) -> Option<String>) -> String {
    let mut out = String::new();
    let mut rest = value;
    while let Some((before, after)) = rest.split_once('$') {
        out.push_str(before);
        let (name, tail) = match after.strip_prefix('{').and_then(|inner| inner.split_once('}')) {
            Some(braced) => braced,
            None => after.split_at(
                after
                    .find(|c: char| c != '_' && !c.is_ascii_alphanumeric())
                    .unwrap_or(after.len()),
            ),
        };
        if let Some(value) = lookup(name).filter(|_| !name.is_empty()) {
            out.push_str(&value);
            rest = tail;
        } else {
            out.push('$');
            rest = after;
        }
    }
    out + rest
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn environment(pairs: &[(&str, &str)]) -> Environment {
        Environment::from_lookup(|name| {
            let pair = pairs.iter().find(|(key, _)| *key == name)?;
            Some(pair.1.into())
        })
    }

    #[track_caller]
    fn root(pairs: &[(&str, &str)], expected: &str) {
        assert_eq!(environment(pairs).cache_root(), Path::new(expected));
    }

    #[test]
    fn earlier_variables_win() {
        let mut pairs = vec![
            ("HF_HUB_CACHE", "/a"),
            ("HUGGINGFACE_HUB_CACHE", "/b"),
            ("HF_HOME", "/c"),
            ("XDG_CACHE_HOME", "/d"),
            ("HOME", "/e"),
        ];
        for expected in ["/a", "/b", "/c/hub", "/d/huggingface/hub", "/e/.cache/huggingface/hub"] {
            root(&pairs, expected);
            pairs.remove(0);
        }
    }

    #[test]
    fn an_empty_variable_is_unset() {
        root(
            &[("HF_HUB_CACHE", ""), ("HF_HOME", ""), ("HOME", "/e")],
            "/e/.cache/huggingface/hub",
        );
    }

    #[test]
    fn home_and_variables_expand() {
        root(&[("HF_HOME", "~/hf"), ("HOME", "/e")], "/e/hf/hub");
        root(&[("HF_HUB_CACHE", "$S/x/${T}$U"), ("S", "/s"), ("T", "t")], "/s/x/t$U");
        root(&[("HF_HUB_CACHE", "/a$/${b$c"), ("c", "d")], "/a$/${bd");
    }

    #[test]
    fn offline_reads_the_spellings_of_true() {
        for (value, expected) in [
            ("1", true),
            ("yes", true),
            ("On", true),
            ("0", false),
            ("", false),
            ("2", false),
        ] {
            assert_eq!(environment(&[("HF_HUB_OFFLINE", value)]).offline(), expected, "{value}");
        }
        assert!(environment(&[("TRANSFORMERS_OFFLINE", "1")]).offline());
        assert!(!environment(&[("HF_HUB_OFFLINE", "0"), ("TRANSFORMERS_OFFLINE", "1")]).offline());
    }
}
