//! Files that were found, and where they came from.

use std::fmt;
use std::path::PathBuf;

/// A model or an SAE on disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resolved {
    /// The file or folder.
    pub path: PathBuf,
    /// Where on the hub it comes from; nothing for a path that the user named.
    pub hub: Option<Provenance>,
}

/// The place on the hub that a file or folder comes from.
///
/// Displayed it is the reference that names exactly these files for ever: `owner/name@commit:path`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Provenance {
    /// `owner/name`.
    pub repo: String,
    /// The revision that was asked for; `main` if none was.
    pub revision: String,
    /// The commit that it stands for, as 40 hexadecimal digits.
    pub commit: String,
    /// Path in the repository; nothing for its root.
    pub path: Option<String>,
}

impl fmt::Display for Provenance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.repo, self.commit)?;
        self.path.as_ref().map_or(Ok(()), |path| write!(f, ":{path}"))
    }
}

impl Resolved {
    /// What to call this in a record: `owner/name`, with `:path` where there is one, or the path on disk.
    ///
    /// The commit is left out, so that a table does not show forty digits; it is in [`Self::hub`].
    #[must_use]
    pub fn id(&self) -> String {
        match &self.hub {
            Some(Provenance {
                repo, path: Some(path), ..
            }) => format!("{repo}:{path}"),
            Some(Provenance { repo, path: None, .. }) => repo.clone(),
            None => self.path.display().to_string(),
        }
    }
}
