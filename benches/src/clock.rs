//! Times of a bench, kept so that a bench can also print medians and ratios itself.

use std::fmt;
use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use criterion::BenchmarkGroup;
use criterion::measurement::WallTime;

/// Samples of each measurement: criterion's smallest number.
const SAMPLES: usize = 10;

/// Seconds of a repeated measurement.
#[derive(Clone, Copy, Debug)]
pub struct Spread {
    /// Middle sample.
    pub median: f64,
    /// Fastest sample.
    pub min: f64,
    /// Slowest sample.
    pub max: f64,
}

impl Spread {
    fn of(mut samples: Vec<f64>) -> Option<Self> {
        samples.sort_by(f64::total_cmp);
        let n = samples.len();
        let (&min, &max) = (samples.first()?, samples.last()?);
        Some(Self {
            median: f64::midpoint(samples[(n - 1) / 2], samples[n / 2]),
            min,
            max,
        })
    }
}

impl fmt::Display for Spread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ms = 1e3;
        write!(
            f,
            "{:.2} ms [{:.2} to {:.2}]",
            self.median * ms,
            self.min * ms,
            self.max * ms
        )
    }
}

/// Measures `run` as a criterion benchmark and returns the samples' spread; `None` where a filter
/// on the command line left it out.
pub fn timed<T>(group: &mut BenchmarkGroup<'_, WallTime>, name: &str, mut run: impl FnMut() -> T) -> Option<Spread> {
    let mut samples = Vec::new();
    group
        .sample_size(SAMPLES)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(4))
        .sampling_mode(criterion::SamplingMode::Flat);
    group.bench_function(name, |bencher| {
        bencher.iter_custom(|iterations| {
            let begun = Instant::now();
            for _ in 0..iterations {
                black_box(run());
            }
            let elapsed = begun.elapsed();
            samples.push(elapsed.as_secs_f64() / iterations as f64);
            elapsed
        });
    });
    // Warm-up runs come first.
    let kept = samples.split_off(samples.len().saturating_sub(SAMPLES));
    Spread::of(kept)
}

/// Highest resident set of this process so far, in bytes, where the system tells it.
#[must_use]
pub fn peak_rss() -> Option<u64> {
    status("VmHWM:")
}

fn status(field: &str) -> Option<u64> {
    let status = fs_err::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with(field))?;
    let kib: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kib * 1024)
}

/// Watches the memory that this process owns (anonymous: pages of mapped files, which the system can drop, do not count) for as
/// long as it lives.
pub struct OwnMemory {
    done: Arc<AtomicBool>,
    watch: JoinHandle<Option<u64>>,
}

impl OwnMemory {
    /// Begins to watch, a hundred times a second.
    #[must_use]
    pub fn watch() -> Self {
        let done = Arc::new(AtomicBool::new(false));
        let stop = Arc::clone(&done);
        let watch = std::thread::spawn(move || {
            let mut most = None;
            while !stop.load(Ordering::Relaxed) {
                most = most.max(status("RssAnon:"));
                std::thread::sleep(Duration::from_millis(10));
            }
            most
        });
        Self { done, watch }
    }

    /// The most that was seen, in bytes, where the system tells it.
    #[must_use]
    pub fn most(self) -> Option<u64> {
        self.done.store(true, Ordering::Relaxed);
        self.watch.join().ok().flatten()
    }
}
