//! Scales and their ticks.

use super::text;
use crate::number;

/// A map from data to pixels.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scale {
    lo: f64,
    hi: f64,
    from: f64,
    to: f64,
    log: bool,
}

impl Scale {
    /// Data `lo..hi` onto pixels `from..to`. A log scale needs `lo > 0`.
    pub(super) fn new((lo, hi): (f64, f64), (from, to): (f64, f64), log: bool) -> Self {
        let turn = |x: f64| if log { x.log2() } else { x };
        let (lo, hi) = (turn(lo), turn(hi));
        // A single value stands in the middle.
        let (lo, hi) = if hi > lo { (lo, hi) } else { (lo - 0.5, lo + 0.5) };
        Self { lo, hi, from, to, log }
    }

    pub(super) fn at(&self, x: f64) -> f64 {
        let x = if self.log { x.log2() } else { x };
        self.from + (x - self.lo) / (self.hi - self.lo) * (self.to - self.from)
    }

    /// The value whose place is `at`.
    pub(super) fn back(&self, at: f64) -> f64 {
        let x = self.lo + (at - self.from) / (self.to - self.from) * (self.hi - self.lo);
        if self.log { x.exp2() } else { x }
    }
}

/// Round numbers that cover `lo..hi` in about `count` steps, with the decimals they need. The first is at most `lo`, the last at
/// least `hi`.
pub(super) fn round_ticks(lo: f64, hi: f64, count: usize) -> Vec<(f64, String)> {
    let span = if hi > lo { hi - lo } else { 1.0 };
    let raw = span / count.max(1) as f64;
    let power = 10_f64.powf(raw.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0]
        .into_iter()
        .map(|m| m * power)
        .find(|s| *s >= raw * 0.999)
        .unwrap_or(10.0 * power);
    let digits = (-step.log10().floor()).max(0.0) as usize;
    let (first, last) = ((lo / step + 1e-9).floor() as i64, (hi / step - 1e-9).ceil() as i64);
    (first..=last.max(first + 1))
        .map(|i| i as f64 * step)
        .map(|x| (x, number::fixed(x, digits)))
        .collect()
}

/// The round numbers of [`round_ticks`] that lie within `lo..=hi`.
pub(super) fn round_ticks_within(lo: f64, hi: f64, count: usize) -> Vec<(f64, String)> {
    let slack = (hi - lo) * 1e-9;
    let mut ticks = round_ticks(lo, hi, count);
    ticks.retain(|(x, _)| *x >= lo - slack && *x <= hi + slack);
    ticks
}

/// `lo..hi` with a little room at an end that is not in `firm`, so that marks do not lie on the edge.
pub(super) fn padded((lo, hi): (f64, f64), firm: (f64, f64)) -> (f64, f64) {
    let room = (hi - lo) * 0.03;
    let is = |a: f64, b: f64| (a - b).abs() < f64::EPSILON;
    (
        if is(lo, firm.0) { lo } else { lo - room },
        if is(hi, firm.1) { hi } else { hi + room },
    )
}

/// Lowest and highest of the finite `values`.
pub(super) fn extent(values: impl Iterator<Item = f64>) -> Option<(f64, f64)> {
    let values = values.filter(|x| x.is_finite());
    let (lo, hi) = values.fold((f64::INFINITY, f64::NEG_INFINITY), |(lo, hi), x| (lo.min(x), hi.max(x)));
    (lo <= hi).then_some((lo, hi))
}

/// `lo..hi`, or some room around it where both are one value, so that there is something to put ticks on.
pub(super) fn widened((lo, hi): (f64, f64), log: bool) -> (f64, f64) {
    if hi > lo {
        (lo, hi)
    } else if log {
        (lo / 2.0, lo * 2.0)
    } else {
        let room = if lo.fract() == 0.0 {
            0.5
        } else {
            (lo.abs() * 0.1).max(0.05)
        };
        (lo - room, lo + room)
    }
}

/// Places 1, 2 and 5 of every power of ten within `lo..hi`; powers of ten alone where those would be more than `count`, and round
/// numbers where the range is too narrow for either.
pub(super) fn log_ticks(lo: f64, hi: f64, count: usize) -> Vec<(f64, String)> {
    let (lo, hi) = (lo * (1.0 - 1e-9), hi * (1.0 + 1e-9));
    let places = |of: &[f64]| -> Vec<f64> {
        let (first, last) = (lo.log10().floor() as i32, hi.log10().ceil() as i32);
        let all = (first..=last).flat_map(|power| of.iter().map(move |m| m * 10_f64.powi(power)));
        all.filter(|x| *x >= lo && *x <= hi).collect()
    };
    let (fine, coarse) = (places(&[1.0, 2.0, 5.0]), places(&[1.0]));
    let chosen = if fine.len() > count && coarse.len() > 1 {
        coarse
    } else {
        fine
    };
    if chosen.len() < 2 {
        return round_ticks_within(lo, hi, count);
    }
    let label = |x: f64| number::fixed(x, (-x.log10().floor()).max(0.0) as usize);
    chosen.into_iter().map(|x| (x, label(x))).collect()
}

/// Without the ticks between whole numbers: there is nothing between two layers.
pub(super) fn whole(mut ticks: Vec<(f64, String)>) -> Vec<(f64, String)> {
    ticks.retain(|(x, _)| x.fract() == 0.0);
    for (x, label) in &mut ticks {
        *label = number::fixed(*x, 0);
    }
    ticks
}

/// Powers of two within `lo..hi`, or the ends where there are none.
pub(super) fn binary_ticks(lo: f64, hi: f64) -> Vec<(f64, String)> {
    let (first, last) = ((lo.log2() - 1e-9).ceil() as i32, (hi.log2() + 1e-9).floor() as i32);
    let label = |x: f64| {
        if x < 1.0 {
            format!("1/{}", 1.0 / x)
        } else {
            format!("{x}")
        }
    };
    (first..=last).map(|i| 2_f64.powi(i)).map(|x| (x, label(x))).collect()
}

/// The ticks whose labels, centred on their places, do not touch the one kept before. The last is kept in any case.
pub(super) fn spaced(ticks: Vec<(f64, String)>, scale: &Scale, size: f64) -> Vec<(f64, String)> {
    let apart = |a: &(f64, String), b: &(f64, String)| {
        (scale.at(b.0) - scale.at(a.0)).abs() >= f64::midpoint(text::width(&a.1, size), text::width(&b.1, size)) + 6.0
    };
    let mut kept: Vec<(f64, String)> = Vec::new();
    let last = ticks.len().saturating_sub(1);
    for (i, tick) in ticks.into_iter().enumerate() {
        if i == last {
            while kept.last().is_some_and(|before| !apart(before, &tick)) {
                kept.pop();
            }
            kept.push(tick);
        } else if kept.last().is_none_or(|before| apart(before, &tick)) {
            kept.push(tick);
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(lo: f64, hi: f64, expect: &str) {
        let labels: Vec<_> = round_ticks(lo, hi, 5).into_iter().map(|(_, label)| label).collect();
        assert_eq!(labels.join(" "), expect);
    }

    #[test]
    fn ticks_are_round_and_cover_the_range() {
        check(0.0, 1.0, "0.0 0.2 0.4 0.6 0.8 1.0");
        check(-0.13, 1.07, "-0.5 0.0 0.5 1.0 1.5");
        check(0.0, 0.031, "0.00 0.01 0.02 0.03 0.04");
        check(3.0, 25.0, "0 5 10 15 20 25");
        check(2.0, 2.0, "2.0 2.2");
    }

    #[test]
    fn binary_ticks_are_powers() {
        let labels: Vec<_> = binary_ticks(0.5, 20.0).into_iter().map(|(_, label)| label).collect();
        assert_eq!(labels, ["1/2", "1", "2", "4", "8", "16"]);
    }

    #[test]
    fn log_ticks_are_few_and_round() {
        let labels = |lo, hi, count| {
            log_ticks(lo, hi, count)
                .into_iter()
                .map(|(_, label)| label)
                .collect::<Vec<_>>()
        };
        assert_eq!(labels(1.0, 400.0, 10), ["1", "2", "5", "10", "20", "50", "100", "200"]);
        assert_eq!(labels(1.0, 400.0, 4), ["1", "10", "100"]);
        assert_eq!(labels(0.01, 1.0, 3), ["0.01", "0.1", "1"]);
        assert_eq!(labels(30.0, 48.0, 5), ["30", "35", "40", "45"]);
    }

    #[test]
    fn places_lead_back_to_values() {
        for log in [false, true] {
            let scale = Scale::new((1.0, 400.0), (10.0, 90.0), log);
            assert!((scale.back(scale.at(37.0)) - 37.0).abs() < 1e-9);
        }
    }

    #[test]
    fn one_value_gets_room() {
        assert_eq!(widened((3.0, 3.0), false), (2.5, 3.5));
        assert_eq!(widened((40.0, 40.0), true), (20.0, 80.0));
        assert_eq!(extent([f64::NAN].into_iter()), None);
    }

    #[test]
    fn crowded_ticks_are_thinned() {
        let scale = Scale::new((0.0, 9.0), (0.0, 100.0), false);
        let ticks: Vec<_> = (0..10).map(|i| (f64::from(i), format!("{}", i * 1000))).collect();
        let labels: Vec<_> = spaced(ticks, &scale, 12.0)
            .into_iter()
            .map(|(_, label)| label)
            .collect();
        assert_eq!(labels, ["0", "3000", "9000"]);
    }
}
