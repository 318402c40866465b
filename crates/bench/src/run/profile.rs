//! Where the time of a run goes, by stage: `timing` of records, and the table of `--profile`.
//!
//! A stage is timed where it is called, on the calling thread; everything inside it (all worker threads) counts to it. Operations
//! are those of matrix products, counted from the configuration; norms, rotations, softmax and selection are not counted, so that
//! the share of the machine's best product is a lower bound.
//!
//! Deliberately absent: sampling, and stages inside the layers of a model.

use std::cell::RefCell;
use std::time::Instant;

use kernels::{Layout, Threads, gemm_f32};
use report::{Cell, Column, Table};
use store::Stage;

use super::site::Stages;

/// What one call of a stage did.
#[derive(Clone, Copy, Debug, Default)]
struct Work {
    seconds: f64,
    count: u64,
    tokens: u64,
    flops: f64,
    bytes: u64,
}

impl Work {
    /// Counts of the model's runs so far.
    fn of_model(stages: &Stages<'_>) -> Self {
        Self {
            tokens: stages.tokens(),
            flops: stages.flops(),
            bytes: stages.bytes(),
            ..Self::default()
        }
    }

    fn add(&mut self, more: Self) {
        self.seconds += more.seconds;
        self.count += more.count;
        self.tokens += more.tokens;
        self.flops += more.flops;
        self.bytes += more.bytes;
    }

    /// What is left without a part of it; an outer stage that does not ask about the model has nothing of it to itself.
    fn less(self, part: Self) -> Self {
        Self {
            seconds: self.seconds - part.seconds,
            count: self.count,
            tokens: self.tokens.saturating_sub(part.tokens),
            flops: (self.flops - part.flops).max(0.0),
            bytes: self.bytes.saturating_sub(part.bytes),
        }
    }
}

/// Times by stage, in order of first use.
#[derive(Default)]
pub(crate) struct Profile {
    spans: RefCell<Vec<(&'static str, Work)>>,
    /// What the stages inside each stage that is running did: it counts to them and not to the outer one.
    inside: RefCell<Vec<Work>>,
}

impl Profile {
    /// Times `work` as part of a stage; with `stages` given, also the positions and products that it ran through the model.
    pub(crate) fn time<T>(&self, name: &'static str, stages: Option<&Stages<'_>>, work: impl FnOnce() -> T) -> T {
        let model = || stages.map_or_else(Work::default, Work::of_model);
        let before = model();
        self.measure(name, work, || model().less(before))
    }

    /// As [`Profile::time`] for work whose products, and the bytes of weights that they go through, are known beforehand.
    pub(crate) fn time_flops<T>(&self, name: &'static str, (flops, bytes): (f64, u64), work: impl FnOnce() -> T) -> T {
        let known = Work {
            flops,
            bytes,
            ..Work::default()
        };
        self.measure(name, work, || known)
    }

    fn measure<T>(&self, name: &'static str, work: impl FnOnce() -> T, did: impl FnOnce() -> Work) -> T {
        self.inside.borrow_mut().push(Work::default());
        let begun = Instant::now();
        let done = work();
        let whole = Work {
            seconds: begun.elapsed().as_secs_f64(),
            count: 1,
            ..did()
        };
        let mut running = self.inside.borrow_mut();
        let inner = running.pop().unwrap_or_default();
        if let Some(outer) = running.last_mut() {
            outer.add(whole);
        }
        drop(running);
        self.add(name, whole.less(inner));
        done
    }

    /// Adds the runs of example sets: the positions and products that `stages` begins with.
    pub(crate) fn prefixes(&self, seconds: f64, stages: &Stages<'_>) {
        self.add(
            "prefix",
            Work {
                seconds,
                count: 1,
                ..Work::of_model(stages)
            },
        );
    }

    fn add(&self, name: &'static str, more: Work) {
        let mut spans = self.spans.borrow_mut();
        match spans.iter_mut().find(|(known, _)| *known == name) {
            None => spans.push((name, more)),
            Some((_, work)) => work.add(more),
        }
    }

    /// The stages as a record keeps them; the profile begins anew.
    pub(crate) fn take(&self) -> Vec<Stage> {
        let stage = |(name, work): (&'static str, Work)| Stage {
            name: name.to_owned(),
            seconds: work.seconds,
            count: work.count,
            tokens: work.tokens,
            flops: work.flops,
            bytes: work.bytes,
        };
        self.spans.take().into_iter().map(stage).collect()
    }
}

/// Adds up the stages of several units.
pub(crate) fn sum(all: &[Stage]) -> Vec<Stage> {
    let mut sums: Vec<Stage> = Vec::new();
    for stage in all {
        match sums.iter_mut().find(|known| known.name == stage.name) {
            None => sums.push(stage.clone()),
            Some(known) => {
                known.seconds += stage.seconds;
                known.count += stage.count;
                known.tokens += stage.tokens;
                known.flops += stage.flops;
                known.bytes += stage.bytes;
            }
        }
    }
    sums
}

/// The table of `--profile`. `wall`: seconds of the whole call.
pub(crate) fn table(stages: &[Stage], wall: f64) -> anyhow::Result<Table> {
    let peak = peak();
    let columns = vec![
        Column::text("stage"),
        Column::number("seconds"),
        Column::number("share").with_help("of the whole call"),
        Column::number("calls"),
        Column::number("positions").with_help("of prompts that went through layers of the model"),
        Column::number("GFLOP").with_help("of matrix products, counted from the shapes"),
        Column::number("GB")
            .with_help("of weights that these products went through, as they lie in memory or in their files"),
        Column::number("of peak")
            .with_help("rate of these products / the best large product of this machine, measured now"),
    ];
    let mut table = Table::new("Where the time went", columns);
    let mut rest = wall;
    for stage in stages {
        rest -= stage.seconds;
        let number = |value: f64, digits: usize| Cell::Number { value, digits };
        let none = || Cell::Missing("no products are counted here".to_owned());
        let counted = stage.flops > 0.0;
        table.push(vec![
            Cell::text(stage.name.as_str()),
            number(stage.seconds, 2),
            number(stage.seconds / wall, 3),
            Cell::count(stage.count),
            if stage.tokens > 0 {
                Cell::count(stage.tokens)
            } else {
                none()
            },
            if counted { number(stage.flops / 1e9, 1) } else { none() },
            if stage.bytes > 0 {
                number(stage.bytes as f64 / 1e9, 1)
            } else {
                none()
            },
            if counted {
                number(stage.flops / stage.seconds / peak, 3)
            } else {
                none()
            },
        ])?;
    }
    table.notes.push(format!(
        "{wall:.1} s in all, of which {rest:.1} s outside these stages. Best large f32 product on all threads: {:.0} GFLOP/s.",
        peak / 1e9
    ));
    Ok(table)
}

/// Best rate of a large f32 product, operations per second.
fn peak() -> f64 {
    const SIDE: usize = 1024;
    const TRIES: usize = 8;
    let a: Vec<f32> = (0..SIDE * SIDE).map(|i| (i % 17) as f32 - 8.0).collect();
    let mut out = vec![0.0; SIDE * SIDE];
    let once = |out: &mut Vec<f32>| {
        let begun = Instant::now();
        gemm_f32(
            (SIDE, SIDE, SIDE),
            (&a, Layout::rows(SIDE)),
            (&a, Layout::rows(SIDE)),
            (out, Layout::rows(SIDE)),
            false,
            1.0,
            Threads::Pool,
        );
        begun.elapsed().as_secs_f64()
    };
    let best = (0..TRIES).map(|_| once(&mut out)).fold(f64::INFINITY, f64::min);
    2.0 * (SIDE as f64).powi(3) / best
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn what_runs_inside_a_stage_counts_once() {
        let profile = Profile::default();
        let nap = || std::thread::sleep(Duration::from_millis(20));
        profile.time("outer", None, || {
            nap();
            profile.time_flops("inner", (5.0, 7), nap);
            profile.time_flops("inner", (5.0, 7), nap);
        });
        let stages = profile.take();
        let of = |name: &str| stages.iter().find(|stage| stage.name == name).unwrap();
        assert_eq!((of("inner").count, of("outer").count), (2, 1));
        assert!((of("inner").flops - 10.0).abs() < 1e-9 && of("outer").flops <= 0.0);
        assert_eq!((of("inner").bytes, of("outer").bytes), (14, 0));
        assert!(of("inner").seconds >= 0.04 && of("outer").seconds >= 0.02);
        // The outer stage's own part is one nap of three.
        assert!(of("outer").seconds < of("inner").seconds);
        assert!(profile.take().is_empty());
    }
}
