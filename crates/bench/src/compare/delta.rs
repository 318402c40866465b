//! Paired differences over letters: the mean, its interval, a test, and what the test could have found.
//!
//! A difference is *compared minus reference*. The interval is Student t over the letters' differences; the bootstrap of the
//! records' own intervals would need the rows of both sides and gives the same coverage for a mean over letters.
//!
//! Deliberately absent: a test of equality. Records alone do not say which difference is too small to matter.

use stats::{DEFAULT_FLIPS, DEFAULT_LEVEL, StatsError, benjamini_hochberg, letter_t, sign_flip};

use super::input::Pair;
use super::metrics::{Metric, by_letter};

/// Level of the false discovery rate.
pub(crate) const ALPHA: f64 = 0.05;
/// Chance of finding a difference of the size that is reported as detectable.
const POWER: f64 = 0.8;

/// One metric of one pair.
#[derive(Debug)]
pub(crate) struct Delta {
    pub(crate) metric: &'static Metric,
    /// Nothing where the two records have no common letter for it.
    pub(crate) found: Option<Found>,
    /// Whether nothing was found although one of the two records holds the metric.
    pub(crate) one_sided: bool,
}

/// A paired difference.
#[derive(Debug)]
pub(crate) struct Found {
    /// Mean of the reference over the common letters.
    pub(crate) reference: f64,
    /// Mean of the other over the same letters.
    pub(crate) compared: f64,
    /// Mean difference, compared minus reference.
    pub(crate) value: f64,
    /// Its interval; nothing with too few letters.
    pub(crate) interval: Option<(f64, f64)>,
    /// Whether all letters have the same difference, so that there is no spread to judge it by.
    pub(crate) constant: bool,
    pub(crate) p: Option<f64>,
    pub(crate) q: Option<f64>,
    /// Smallest true difference that four of five such comparisons would find.
    pub(crate) detectable: Option<f64>,
    pub(crate) letters: usize,
    /// Letters that only one of the two has a value for.
    pub(crate) left_out: Vec<char>,
}

/// What an interval and its test allow to say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reading {
    /// The interval leaves out 0, and so does the corrected test.
    Separated,
    /// The interval leaves out 0, the corrected test does not.
    Weak,
    /// The interval covers 0.
    Covered,
    /// Every letter has the same value on both sides.
    Identical,
    /// Every letter differs by the same amount.
    Constant,
    /// Too few letters.
    Unknown,
}

impl Found {
    pub(crate) fn reading(&self) -> Reading {
        match self.interval {
            None if self.constant && self.value == 0.0 => Reading::Identical,
            None if self.constant => Reading::Constant,
            None => Reading::Unknown,
            Some((lo, hi)) if lo <= 0.0 && hi >= 0.0 => Reading::Covered,
            Some(_) if self.q.is_some_and(|q| q < ALPHA) => Reading::Separated,
            Some(_) => Reading::Weak,
        }
    }
}

/// The differences of every pair. q values are over all tests of the call: what is asked together is one family.
pub(crate) fn deltas(pairs: &[Pair<'_>], metrics: &[&'static Metric]) -> anyhow::Result<Vec<Vec<Delta>>> {
    let mut all = Vec::new();
    for pair in pairs {
        let of = metrics.iter().map(|metric| delta(pair, metric));
        all.push(of.collect::<anyhow::Result<Vec<Delta>>>()?);
    }
    let p: Vec<f64> = tests(&all).filter_map(|found| found.p).collect();
    let mut q = benjamini_hochberg(&p)?.into_iter();
    for found in all.iter_mut().flatten().filter_map(|delta| delta.found.as_mut()) {
        found.q = found.p.and_then(|_| q.next());
    }
    Ok(all)
}

/// Every difference that there is.
pub(crate) fn tests(all: &[Vec<Delta>]) -> impl Iterator<Item = &Found> {
    all.iter().flatten().filter_map(|delta| delta.found.as_ref())
}

fn delta(pair: &Pair<'_>, metric: &'static Metric) -> anyhow::Result<Delta> {
    let (a, b) = (&pair.reference, &pair.compared);
    let reference = by_letter(&a.loaded.record, &a.arm, metric);
    let compared = by_letter(&b.loaded.record, &b.arm, metric);
    let both: Vec<(f64, f64)> = reference
        .iter()
        .filter_map(|(letter, &x)| Some((x, *compared.get(letter)?)))
        .collect();
    if both.is_empty() {
        return Ok(Delta {
            metric,
            found: None,
            one_sided: !(reference.is_empty() && compared.is_empty()),
        });
    }
    let differences: Vec<f64> = both.iter().map(|(x, y)| y - x).collect();
    let mut left_out: Vec<char> = reference
        .keys()
        .filter(|l| !compared.contains_key(l))
        .copied()
        .collect();
    left_out.extend(compared.keys().filter(|l| !reference.contains_key(l)));
    left_out.sort_unstable();
    let mean = |values: Vec<f64>| stats::mean(&values);
    let (interval, constant) = match letter_t(&differences, DEFAULT_LEVEL) {
        Ok(interval) => (Some((interval.lo, interval.hi)), false),
        Err(StatsError::ZeroVariance { .. }) => (None, true),
        Err(_) => (None, false),
    };
    let seed = stats::seed::sub_seed(a.loaded.record.spec.seed, "statistics/sign-flip");
    let found = Found {
        reference: mean(both.iter().map(|pair| pair.0).collect())?,
        compared: mean(both.iter().map(|pair| pair.1).collect())?,
        value: mean(differences.clone())?,
        interval,
        constant,
        p: sign_flip(&differences, DEFAULT_FLIPS, seed).ok().map(|test| test.p),
        q: None,
        detectable: detectable(&differences),
        letters: differences.len(),
        left_out,
    };
    Ok(Delta {
        metric,
        found: Some(found),
        one_sided: false,
    })
}

/// `(t_97.5% + t_80%) sd / sqrt(n)`: each term is half of the t interval whose upper end has that quantile.
fn detectable(differences: &[f64]) -> Option<f64> {
    let half = |level: f64| {
        let interval = letter_t(differences, level).ok()?;
        Some((interval.hi - interval.lo) / 2.0)
    };
    Some(half(DEFAULT_LEVEL)? + half(2.0 * POWER - 1.0)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The factor for 26 letters that tables of sample sizes use: (2.0595 + 0.8562) / sqrt(26) = 0.572.
    #[test]
    fn the_detectable_difference_of_26_letters() {
        let differences: Vec<f64> = (0..26).map(|i| f64::from(i) / 10.0).collect();
        let sd = stats::sd(&differences).unwrap();
        let found = detectable(&differences).unwrap();
        assert!((found - 0.572 * sd).abs() < 5e-4 * sd, "{found}");
        assert_eq!(detectable(&[0.1, 0.2]), None);
    }
}
