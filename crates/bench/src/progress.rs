//! Progress on stderr: a bar on a terminal, a line per finished step otherwise.

use std::io::IsTerminal;
use std::time::Instant;

use clap::ValueEnum;
use indicatif::{ProgressBar, ProgressStyle};

/// How progress is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Mode {
    /// A bar on a terminal, lines otherwise.
    Auto,
    /// A bar.
    Bar,
    /// One line per finished step.
    Plain,
    /// Nothing.
    None,
}

/// Tells how far a run is.
pub(crate) struct Progress {
    bar: Option<ProgressBar>,
    plain: bool,
    started: Instant,
}

impl Progress {
    pub(crate) fn new(mode: Mode, steps: u64) -> Self {
        let terminal = std::io::stderr().is_terminal() && std::env::var_os("CI").is_none();
        let bar = mode == Mode::Bar || (mode == Mode::Auto && terminal);
        let plain = mode == Mode::Plain || (mode == Mode::Auto && !terminal);
        let bar = bar.then(|| {
            let bar = ProgressBar::new(steps);
            let style = ProgressStyle::with_template("{bar:30} {pos}/{len} {elapsed} {msg}");
            bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
            bar
        });
        Self {
            bar,
            plain,
            started: Instant::now(),
        }
    }

    /// Names what is being done.
    pub(crate) fn doing(&self, what: &str) {
        if let Some(bar) = &self.bar {
            bar.set_message(what.to_owned());
        }
    }

    /// One step is finished.
    pub(crate) fn done(&self, what: &str) {
        if let Some(bar) = &self.bar {
            bar.inc(1);
        }
        if self.plain {
            eprintln!("[{:6.1} s] {what}", self.started.elapsed().as_secs_f64());
        }
    }

    /// Says a line in any mode but none.
    pub(crate) fn say(&self, line: &str) {
        match &self.bar {
            Some(bar) => bar.suspend(|| eprintln!("{line}")),
            None if self.plain => eprintln!("{line}"),
            None => {}
        }
    }

    pub(crate) fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
