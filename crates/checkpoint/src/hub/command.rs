//! The command that fetches what is missing, and what else somebody needs to know before running it.

use super::{Cache, Wanted};

/// Hints for a place on the hub.
pub(super) fn fetch_hints(
    cache: &Cache,
    repo: &str,
    revision: Option<&str>,
    path: Option<&str>,
    wanted: Wanted,
) -> Vec<String> {
    let mut command = vec![format!("hf download {repo}")];
    command.extend(revision.map(|revision| format!("--revision {revision}")));
    // One `--include` for each pattern: what follows the first would be read as the name of a file.
    command.extend(
        wanted
            .patterns(path)
            .iter()
            .map(|pattern| format!("--include \"{pattern}\"")),
    );
    // `hf` reads the same variables, so it needs to be told only about a cache that somebody set by hand.
    if cache.root_from.is_none() {
        command.push(format!("--cache-dir \"{}\"", cache.root().display()));
    }
    let command = command.join(" ");
    let mut hints = vec![format!("fetch it with `{command}`")];
    if is_gated(repo) {
        hints.push(format!(
            "the repository is gated: accept its licence at https://huggingface.co/{repo} and run `hf auth login` first"
        ));
    }
    if !cfg!(feature = "download") {
        hints.push("a build with `--features download` fetches missing files itself".to_owned());
    } else if let Some(variable) = cache.offline {
        hints.push(format!("`{variable}` is set, so this program does not fetch it itself"));
    }
    hints
}

/// Repositories whose files need a licence that somebody accepted.
pub(super) fn is_gated(repo: &str) -> bool {
    repo.starts_with("meta-llama/") || (repo.starts_with("google/gemma-") && !repo.starts_with("google/gemma-scope"))
}
