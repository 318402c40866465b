//! What the differences of a pair allow to say, in one or two sentences.
//!
//! A difference is called one only where its interval leaves out 0. Where it does not, the sentence says that nothing was
//! separated and how large a difference would usually have been seen; it never says that two SAEs are equal.

use report::sentences::estimate;
use store::Warning;

use super::delta::{Delta, Found, Reading};
use super::input::{Pair, Subject};
use super::metrics::Metric;

/// Decimals of a difference.
const DIGITS: usize = 3;

/// The verdict on a pair: about its first metric in full, about the others by name. `family`: number of tests of the call.
pub(crate) fn verdict(pair: &Pair<'_>, deltas: &[Delta], family: usize) -> String {
    let gated = [&pair.reference, &pair.compared]
        .into_iter()
        .find_map(|subject| Some((subject, gate(subject)?)));
    if let Some((subject, warning)) = gated {
        return format!("No verdict: in the record of {}, {}.", subject.name, warning.message());
    }
    let mut measured = deltas.iter().filter_map(|d| Some((d.metric, d.found.as_ref()?)));
    let Some((metric, found)) = measured.next() else {
        return "No verdict: the two records have no letter with a common measurement.".to_owned();
    };
    let first = headline(pair, metric, found, family);
    let rest: Vec<(&Metric, &Found)> = measured.collect();
    let named = |which: &dyn Fn(&Metric, &Found) -> bool| -> Vec<&str> {
        let kept = rest.iter().filter(|(metric, found)| which(metric, found));
        kept.map(|(metric, _)| metric.symbol).collect()
    };
    // Whether the metric is clearly on the better (`Some(true)`), the worse or, where neither is, on another side.
    let separated = |m: &Metric, f: &Found, better: Option<bool>| {
        let clear = matches!(f.reading(), Reading::Separated | Reading::Constant);
        clear && m.higher_is_better.map(|higher| higher == (f.value > 0.0)) == better
    };
    let is = |reading: Reading| named(&|_, found| found.reading() == reading);
    let groups = [
        ("Better", named(&|m, f| separated(m, f, Some(true)))),
        ("Worse", named(&|m, f| separated(m, f, Some(false)))),
        ("Different", named(&|m, f| separated(m, f, None))),
        ("Different only before the correction", is(Reading::Weak)),
        ("Not distinguishable", is(Reading::Covered)),
        ("The same in every letter", is(Reading::Identical)),
        ("Too few letters", is(Reading::Unknown)),
    ];
    let groups = groups.into_iter().filter(|(_, names)| !names.is_empty());
    let groups: Vec<String> = groups
        .map(|(what, names)| format!("{what}: {}.", names.join(", ")))
        .collect();
    match groups.as_slice() {
        [] => first,
        groups => format!("{first} Other metrics - {}", groups.join(" ")),
    }
}

/// The warning that takes the meaning from a record's shares.
fn gate<'a>(subject: &Subject<'a>) -> Option<&'a Warning> {
    let warnings = &subject.loaded.record.warnings;
    warnings
        .iter()
        .find(|warning| matches!(warning.code(), "site-not-identifiable" | "model-fails-task"))
}

fn headline(pair: &Pair<'_>, metric: &Metric, found: &Found, family: usize) -> String {
    let (a, b, what) = (&pair.reference.name, &pair.compared.name, metric.symbol);
    let n = found.letters;
    let (value, lo, hi) = sized(found);
    let size = estimate(value, lo, hi, DIGITS);
    let side = side(found, metric);
    let q = found.q.map(|q| format!("{}, ", q_value(q))).unwrap_or_default();
    let family = match family {
        1 => "this one test".to_owned(),
        n => format!("the {n} tests of this call"),
    };
    match found.reading() {
        Reading::Separated => format!("{b} is {side} than {a} in {what} by {size} ({q}{n} letters)."),
        Reading::Weak => format!(
            "{b} is {side} than {a} in {what} by {size} ({q}{n} letters), but the difference does not survive the correction for {family}: take it as a hint."
        ),
        Reading::Covered => {
            let usual = found
                .detectable
                .map(|d| format!(" True differences below {d:.2} would often be missed."));
            let (lo, hi) = found.interval.unzip();
            format!(
                "{b} and {a} are not distinguishable in {what}: the interval of the difference, {}, covers 0 ({q}{n} letters).{}",
                estimate(found.value, lo, hi, DIGITS),
                usual.unwrap_or_default()
            )
        }
        Reading::Identical => format!("{b} and {a} have the same {what} in every one of {n} letters."),
        Reading::Constant => {
            format!("{b} is {side} than {a} in {what} by {size} in every one of {n} letters.")
        }
        Reading::Unknown => format!(
            "No verdict on {what}: {n} common letters, and an interval needs {}.",
            stats::MIN_LETTERS
        ),
    }
}

/// The difference without its sign, which the words say.
fn sized(found: &Found) -> (f64, Option<f64>, Option<f64>) {
    let (lo, hi) = found.interval.unzip();
    if found.value < 0.0 {
        (-found.value, hi.map(|x| -x), lo.map(|x| -x))
    } else {
        (found.value, lo, hi)
    }
}

/// `q = 0.012`, and `q < 0.001` for anything smaller.
fn q_value(q: f64) -> String {
    if q < 0.001 {
        "q < 0.001".to_owned()
    } else {
        format!("q = {q:.3}")
    }
}

fn side(found: &Found, metric: &Metric) -> &'static str {
    match (found.value > 0.0, metric.higher_is_better) {
        (true, Some(true)) => "higher (better)",
        (true, Some(false)) => "higher (worse)",
        (true, None) => "higher",
        (false, Some(true)) => "lower (worse)",
        (false, Some(false)) => "lower (better)",
        (false, None) => "lower",
    }
}
