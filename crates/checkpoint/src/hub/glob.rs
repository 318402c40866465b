//! Wildcards over files and folders.
//!
//! `*` and `?` stay within one piece of a path, `**` is any number of folders, `[abc]` is one character. As in a shell no wildcard
//! matches a leading dot. Matches come in natural order.

use std::path::{Component, Path, PathBuf};

use ::glob::{MatchOptions, Pattern};

use super::{HubError, natural, near};

/// How patterns match, on disk and in a listing.
pub(super) const OPTIONS: MatchOptions = MatchOptions {
    case_sensitive: true,
    require_literal_separator: true,
    require_literal_leading_dot: true,
};

/// Compiles `pattern`; `text` is what the user wrote around it.
pub(super) fn compile(pattern: &str, text: &str) -> Result<Pattern, HubError> {
    Pattern::new(pattern).map_err(|error| HubError::Reference {
        text: text.to_owned(),
        reason: format!("it is not a pattern: {} at character {}", error.msg, error.pos + 1),
        hint: "wildcards are `*`, `?`, `[abc]` and, alone between slashes, `**`; `[[]` is a bracket".to_owned(),
    })
}

/// Everything under `base` that `pattern` matches; without a base the pattern starts wherever it says.
pub(super) fn expand(base: Option<&Path>, pattern: &str, text: &str) -> Result<Vec<PathBuf>, HubError> {
    compile(pattern, text)?;
    let full = match base {
        Some(base) => format!("{}/{pattern}", Pattern::escape(&base.to_string_lossy())),
        None => pattern.to_owned(),
    };
    let found = ::glob::glob_with(&full, OPTIONS).map_err(|error| HubError::Reference {
        text: text.to_owned(),
        reason: error.to_string(),
        hint: "the folder's own name is not a pattern that can be searched".to_owned(),
    })?;
    let found: Result<Vec<PathBuf>, _> = found.collect();
    let mut found = found.map_err(|error| HubError::Io(error.into()))?;
    // Links to nothing match too; whether that is an error is for the caller to say. `.*` matches `.` and `..`, which lead out.
    found.retain(|path| base.is_none_or(|base| is_inside(path, base)));
    found.sort_by(|a, b| natural::compare(&a.to_string_lossy(), &b.to_string_lossy()));
    Ok(found)
}

/// Whether a match lies below `base` and is not `base` itself.
fn is_inside(path: &Path, base: &Path) -> bool {
    path.strip_prefix(base).is_ok_and(|rest| {
        let mut pieces = rest.components().peekable();
        pieces.peek().is_some() && pieces.all(|piece| matches!(piece, Component::Normal(_)))
    })
}

/// The deepest folder that exists on the way to `path`, and what is in it, closest to the next piece first.
pub(super) fn deepest(base: &Path, path: &Path) -> (PathBuf, Vec<String>) {
    let mut folder = base.to_owned();
    for piece in path {
        let next = folder.join(piece);
        if !next.is_dir() {
            let asked = piece.to_string_lossy().replace(['*', '?', '[', ']'], "");
            let near = near::closest(&asked, near::names_in(or_here(&folder)));
            return (or_here(&folder).to_owned(), near);
        }
        folder = next;
    }
    let near = near::closest("", near::names_in(or_here(&folder)));
    (folder, near)
}

fn or_here(folder: &Path) -> &Path {
    if folder.as_os_str().is_empty() {
        Path::new(".")
    } else {
        folder
    }
}
