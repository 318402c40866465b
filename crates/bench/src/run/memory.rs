//! Memory that the process owns, apart from pages of mapped files.
//!
//! The kernel keeps the highest sum of both only. A mapped weight file counts there once it was read, although its pages are the
//! system's to drop; so what is owned is sampled beside it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

const INTERVAL: Duration = Duration::from_millis(100);

/// Highest values seen, bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Peaks {
    pub(super) owned: u64,
    pub(super) mapped: u64,
}

#[derive(Default)]
struct Shared {
    owned: AtomicU64,
    mapped: AtomicU64,
    stop: AtomicBool,
}

/// Samples until it is dropped.
pub(super) struct Watch {
    shared: Arc<Shared>,
}

impl Watch {
    pub(super) fn start() -> Self {
        let shared = Arc::new(Shared::default());
        let seen = Arc::clone(&shared);
        // A failure to start leaves the numbers out of the record; it is not worth failing a run.
        let _ = std::thread::Builder::new().name("memory".to_owned()).spawn(move || {
            while !seen.stop.load(Ordering::Relaxed) {
                seen.sample();
                std::thread::sleep(INTERVAL);
            }
        });
        Self { shared }
    }

    /// `None` where the system does not tell.
    pub(super) fn peaks(&self) -> Option<Peaks> {
        self.shared.sample();
        let peaks = Peaks {
            owned: self.shared.owned.load(Ordering::Relaxed),
            mapped: self.shared.mapped.load(Ordering::Relaxed),
        };
        (peaks.owned > 0).then_some(peaks)
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Relaxed);
    }
}

impl Shared {
    fn sample(&self) {
        let Ok(status) = fs_err::read_to_string("/proc/self/status") else {
            return;
        };
        let field = |name: &str| -> Option<u64> {
            let line = status.lines().find(|line| line.starts_with(name))?;
            Some(line.split_whitespace().nth(1)?.parse::<u64>().ok()? * 1024)
        };
        if let (Some(owned), Some(mapped)) = (field("RssAnon:"), field("RssFile:")) {
            self.owned.fetch_max(owned, Ordering::Relaxed);
            self.mapped.fetch_max(mapped, Ordering::Relaxed);
        }
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn owned_memory_grows_with_what_is_allocated() {
        let watch = Watch::start();
        let before = watch.peaks().unwrap().owned;
        let block = vec![1u8; 64 << 20];
        let after = watch.peaks().unwrap().owned;
        assert!(after >= before + (48 << 20), "{before} {after} {}", block.len());
    }
}
