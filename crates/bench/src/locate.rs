//! From what a user wrote to files on disk: paths, hub ids, globs.
//!
//! Offline unless the program was built with the feature `download`; then what is missing is fetched into the same cache that
//! other tools use.

use anyhow::Context;
use checkpoint::hub::{Cache, Resolved, Wanted};

/// The one model that `text` names.
pub(crate) fn model(text: &str, tokenizer: bool) -> anyhow::Result<Resolved> {
    let mut found = find(text, Wanted::Model { tokenizer }).with_context(|| format!("`--model {text}`"))?;
    match (found.pop(), found.is_empty()) {
        (Some(one), true) => Ok(one),
        _ => Err(crate::failure::usage(format!(
            "`--model {text}` matches several models\nhint: name one"
        ))),
    }
}

/// Every SAE that `text` names, in natural order.
pub(crate) fn saes(text: &str) -> anyhow::Result<Vec<Resolved>> {
    find(text, Wanted::Sae).with_context(|| format!("`--sae {text}`"))
}

/// The one SAE that `text` names.
pub(crate) fn sae(text: &str) -> anyhow::Result<Resolved> {
    let mut found = saes(text)?;
    match (found.pop(), found.is_empty()) {
        (Some(one), true) => Ok(one),
        (_, _) => Err(crate::failure::usage(format!(
            "`--sae {text}` matches several SAEs\nhint: name one"
        ))),
    }
}

#[cfg(not(feature = "download"))]
fn find(text: &str, wanted: Wanted) -> anyhow::Result<Vec<Resolved>> {
    Ok(Cache::from_env().find(text, wanted)?)
}

#[cfg(feature = "download")]
fn find(text: &str, wanted: Wanted) -> anyhow::Result<Vec<Resolved>> {
    use checkpoint::hub::{Downloader, Environment};
    let environment = Environment::of_process();
    let downloader = Downloader::new(Cache::new(&environment), &environment)?;
    let mut shown = Shown::default();
    Ok(downloader.find(text, wanted, &mut |event| shown.event(&event))?)
}

/// Tells on stderr what is fetched.
#[cfg(feature = "download")]
#[derive(Default)]
struct Shown {
    bar: Option<indicatif::ProgressBar>,
    /// Bytes of the file in transit that the bar has counted.
    counted: u64,
}

#[cfg(feature = "download")]
impl Shown {
    fn event(&mut self, event: &checkpoint::hub::Event<'_>) {
        use checkpoint::hub::Event;
        match *event {
            Event::Planned { files, bytes } => {
                eprintln!("fetching {files} files, {:.1} MB", bytes as f64 / 1e6);
                self.bar = Some(indicatif::ProgressBar::new(bytes));
            }
            Event::Progress { done, .. } => {
                if let Some(bar) = &self.bar {
                    bar.inc(done.saturating_sub(self.counted));
                }
                self.counted = done;
            }
            Event::Waiting { file } => eprintln!("another process fetches {file}; waiting"),
            Event::Retrying { file, reason } => eprintln!("{file}: {reason}; trying again"),
            Event::Finished { file } => {
                self.counted = 0;
                eprintln!("fetched {file}");
            }
            _ => {}
        }
    }
}
