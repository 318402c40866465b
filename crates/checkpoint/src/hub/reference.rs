//! What a user writes to name a model or an SAE, taken apart.
//!
//! | text | meaning |
//! |---|---|
//! | starts with `.`, `/` or `~`; or has two or more `/` and no `:`; or is one bare name | a path, or a glob over paths |
//! | `owner/name`, `owner/name@revision` | a repository of the hub; a revision is a branch, a tag, a commit or the start of one |
//! | `owner/name:path`, `owner/name@revision:path` | a file or folder in it, or a glob over them |
//!
//! A `/` in a revision (`owner/name@refs/pr/1`) does not make a path of it. Parsing reads no disk: that an existing path wins over an
//! id is decided by [`Cache::find`](super::Cache::find). A folder whose name looks like an id can always be written with a leading `./`.
//!
//! What comes from here can be joined to a folder without leaving it: pieces of an id are never empty, `.` or `..`, and hold no
//! backslash, colon or control character.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use super::HubError;

/// A path on disk, or a place on the hub.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Reference {
    /// A path, or a glob over paths. A leading `./` is dropped and a `~` not yet expanded.
    Path(PathBuf),
    /// A model repository, or a place in one.
    Hub {
        /// `owner/name`.
        repo: String,
        /// Branch, tag or commit; `main` if there is none.
        revision: Option<String>,
        /// File, folder or glob in the repository, with `/` between pieces and none at the end.
        path: Option<String>,
    },
}

impl Reference {
    /// Takes `text` apart.
    ///
    /// # Errors
    /// [`HubError::Reference`] if it is neither a path nor an id, or if a piece of it could lead out of the repository.
    pub fn parse(text: &str) -> Result<Self, HubError> {
        let fail = |(reason, hint): (String, &str)| HubError::Reference {
            text: text.to_owned(),
            reason,
            hint: hint.to_owned(),
        };
        if text.is_empty() {
            return Err(fail(("it is empty".to_owned(), FORMS)));
        }
        if text.contains('\0') {
            return Err(fail(("it has a NUL character".to_owned(), FORMS)));
        }
        if is_path(text) {
            return Ok(Self::Path(without_dot(text).into()));
        }
        let (head, path) = match text.split_once(':') {
            Some((head, path)) => (head, Some(path)),
            None => (text, None),
        };
        let (repo, revision) = match head.split_once('@') {
            Some((repo, revision)) => (repo, Some(revision)),
            None => (head, None),
        };
        check_repo(repo).map_err(fail)?;
        revision.map_or(Ok(()), check_revision).map_err(fail)?;
        // One slash at the end is what shells and people leave behind a folder.
        let path = path.map(|path| path.strip_suffix('/').unwrap_or(path));
        path.map_or(Ok(()), check_path).map_err(fail)?;
        Ok(Self::Hub {
            repo: repo.to_owned(),
            revision: revision.map(str::to_owned),
            path: path.map(str::to_owned),
        })
    }
}

const FORMS: &str = "write a path, `owner/name`, `owner/name@revision` or `owner/name@revision:path/in/it` (`./` in front makes anything a path)";
const REPO: &str = "a repository is `owner/name`, of letters, digits, `-`, `_` and `.`";

fn is_path(text: &str) -> bool {
    if text.starts_with(['.', '/', '~']) || Path::new(text).is_absolute() {
        return true;
    }
    let repo = text.split_once('@').map_or(text, |(repo, _)| repo);
    // One bare name may have a wildcard; `saes/*` has too, and no id does.
    !text.contains(':') && (repo.matches('/').count() != 1 || repo.contains(['*', '?', '[']))
}

/// `./x` as `x`, unless that would make another thing of it.
fn without_dot(text: &str) -> &str {
    match text.strip_prefix("./").map(|rest| rest.trim_start_matches('/')) {
        Some(rest) if !rest.is_empty() && !rest.starts_with('~') => without_dot(rest),
        _ => text,
    }
}

pub(super) type Check = Result<(), (String, &'static str)>;

fn check_repo(repo: &str) -> Check {
    let Some((owner, name)) = repo.split_once('/') else {
        return Err((format!("`{repo}` is not a repository"), FORMS));
    };
    for (what, piece) in [("owner", owner), ("name", name)] {
        if piece.is_empty() {
            return Err((format!("the {what} is empty"), REPO));
        }
        if let Some(bad) = piece
            .chars()
            .find(|c| !c.is_ascii_alphanumeric() && !"-_.".contains(*c))
        {
            return Err((format!("the {what} has the character {bad:?}"), REPO));
        }
        // The hub's own rules. They also keep the name of the cache folder, `models--owner--name`, unambiguous.
        if piece.starts_with(['-', '.']) || piece.ends_with(['-', '.']) {
            return Err((format!("the {what} starts or ends with `-` or `.`"), REPO));
        }
        if piece.contains("--") || piece.contains("..") {
            return Err((format!("the {what} has `--` or `..` in it"), REPO));
        }
        if piece.len() > 96 {
            return Err((format!("the {what} is longer than 96 characters"), REPO));
        }
    }
    if Path::new(name).extension().is_some_and(|e| e == "git") {
        return Err(("the name ends with `.git`".to_owned(), REPO));
    }
    Ok(())
}

fn check_revision(revision: &str) -> Check {
    const HINT: &str = "a revision is a branch, a tag or a commit";
    if let Some(bad) = revision
        .chars()
        .find(|c| !c.is_ascii_alphanumeric() && !"-_./+=".contains(*c))
    {
        return Err((format!("the revision has the character {bad:?}"), HINT));
    }
    for piece in revision.split('/') {
        if piece.is_empty() {
            return Err(("the revision, or a piece of it, is empty".to_owned(), HINT));
        }
        // Git forbids most of these; a leading `-` would be an option in the command that an error suggests.
        if piece.starts_with(['.', '-']) || piece.contains("..") {
            return Err((format!("the revision has the piece `{piece}`"), HINT));
        }
    }
    Ok(())
}

/// Whether `path` stays in a repository's folder wherever that is.
pub(super) fn check_path(path: &str) -> Check {
    const HINT: &str = "after `:` comes a path in the repository, such as `layer_12/width_16k`";
    if path.is_empty() {
        return Err(("nothing follows the `:`".to_owned(), HINT));
    }
    if path.starts_with('/') {
        return Err(("the path in the repository starts with `/`".to_owned(), HINT));
    }
    // `:` starts a drive or a stream on Windows; quotes, `$` and backquotes would break the command that an error suggests.
    if let Some(bad) = path.chars().find(|c| c.is_control() || "\\:\"`$<>|".contains(*c)) {
        return Err((format!("the path in the repository has the character {bad:?}"), HINT));
    }
    for piece in path.split('/') {
        if piece.is_empty() {
            return Err(("the path in the repository has an empty piece".to_owned(), HINT));
        }
        if piece == "." || piece == ".." {
            return Err((format!("the path in the repository has the piece `{piece}`"), HINT));
        }
    }
    if path.starts_with('-') {
        return Err(("the path in the repository starts with `-`".to_owned(), HINT));
    }
    Ok(())
}

impl FromStr for Reference {
    type Err = HubError;

    fn from_str(text: &str) -> Result<Self, HubError> {
        Self::parse(text)
    }
}

/// The text that parses to the same reference.
impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Path(path) => {
                let text = path.to_string_lossy();
                let dot = if is_path(&text) { "" } else { "./" };
                write!(f, "{dot}{text}")
            }
            Self::Hub { repo, revision, path } => {
                f.write_str(repo)?;
                if let Some(revision) = revision {
                    write!(f, "@{revision}")?;
                }
                path.as_ref().map_or(Ok(()), |path| write!(f, ":{path}"))
            }
        }
    }
}

/// Whether `text` has a character that a glob gives a meaning.
pub(super) fn is_glob(text: &str) -> bool {
    text.contains(['*', '?', '['])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn hub(text: &str, repo: &str, revision: Option<&str>, path: Option<&str>) {
        let expected = Reference::Hub {
            repo: repo.to_owned(),
            revision: revision.map(str::to_owned),
            path: path.map(str::to_owned),
        };
        assert_eq!(Reference::parse(text).unwrap(), expected);
    }

    #[test]
    fn ids() {
        hub("google/gemma-2-2b", "google/gemma-2-2b", None, None);
        hub("google/gemma-2-2b@main", "google/gemma-2-2b", Some("main"), None);
        hub("a/b@refs/pr/1", "a/b", Some("refs/pr/1"), None);
        hub("a/b:x", "a/b", None, Some("x"));
        hub("a/b@v1.0:x/y_1/z.pt", "a/b", Some("v1.0"), Some("x/y_1/z.pt"));
        hub("a/b:x/*/", "a/b", None, Some("x/*"));
        hub("a/b:x@y", "a/b", None, Some("x@y"));
    }

    #[test]
    fn paths() {
        for text in [
            "/a/b", ".", "..", "../a", "~/a", "a/b/c", "saes/*", "saes/*/", "model", "mod*", "a/b/", ".//", "./~/a",
        ] {
            assert_eq!(Reference::parse(text).unwrap(), Reference::Path(text.into()), "{text}");
        }
        for text in ["./a/b", ".//a/b", "././a/b"] {
            let path = Reference::parse(text).unwrap();
            assert_eq!(path, Reference::Path("a/b".into()), "{text}");
            assert_eq!(path.to_string(), "./a/b");
        }
    }

    #[test]
    fn what_could_escape_is_refused() {
        for (text, reason) in [
            ("", "empty"),
            ("a/b:../c", "`..`"),
            ("a/b:c/../../d", "`..`"),
            ("a/b:./c", "piece `.`"),
            ("a/b:/etc/passwd", "starts with `/`"),
            ("a/b:c//d", "empty piece"),
            ("a/b:", "nothing follows"),
            ("a/b:/", "nothing follows"),
            ("a/b:c\\d", "'\\\\'"),
            ("a/b:c\nd", "'\\n'"),
            ("a/b:c:d", "':'"),
            ("a/b@", "empty"),
            ("a/b@x/../y", "`..`"),
            ("a/b@x//y", "empty"),
            ("a/b@.git", "`.git`"),
            ("a/b@-x", "`-x`"),
            ("a/b@x y", "' '"),
            ("a/b@c@d", "'@'"),
            ("/b:c\0", "NUL"),
            ("a/:c", "name is empty"),
            ("a:c", "not a repository"),
            ("a/b/c:d", "'/'"),
            ("a/b--c", "`--`"),
            ("a/b..c", "`..`"),
            ("-a/b", "starts or ends"),
            ("a/b.git", ".git"),
            ("a/b c", "' '"),
            ("a\\b/c", "'\\\\'"),
        ] {
            let message = Reference::parse(text).unwrap_err().to_string();
            assert!(message.contains(reason), "{text:?}: {message}");
        }
    }
}
