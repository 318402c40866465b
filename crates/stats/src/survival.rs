//! Product-limit summaries of a size that some letters never reach.
//!
//! "How many latents does this letter need" has no answer for a letter that does not match with the largest set tried: its
//! value is known to lie beyond it, no more. Such a value is *censored*, and the mean of a list in which it stands as if it had
//! been observed estimates nothing. What is identified is the share that has matched by a given size (Kaplan & Meier 1958), the
//! median where at least half match, and the mean up to a stated limit.
//!
//! Where all letters are censored at one size the product-limit curve is the empirical share, and the interval of the
//! restricted mean is the t interval of `min(size, limit)`; both are tested. Sizes come from a grid: a letter that matches at
//! 12 and not at 8 needs 9 to 12, and counts as 12.
//!
//! Deliberately absent: tests between curves (letters are paired: use [`crate::sign_flip`] on `min(size, limit)`), and hazard
//! models.

use serde::{Deserialize, Serialize};
use statrs::distribution::{ContinuousCDF, Normal};

use crate::error::{StatsError, require_finite};
use crate::interval::{MIN_LETTERS, require_level, t_quantile};

/// What is known about one letter.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Observation {
    /// Smallest size that reached the goal, or the largest that was tried and did not.
    pub at: f64,
    /// Whether the goal was reached.
    pub reached: bool,
}

/// The curve after one of the sizes at which a letter reached the goal.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Step {
    /// The size.
    pub at: f64,
    /// Letters that had neither reached the goal nor been censored before.
    pub at_risk: usize,
    /// Letters that reach it here.
    pub events: usize,
    /// Share that has not reached it by this size, this size included.
    pub remaining: f64,
}

/// A product-limit curve.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Survival {
    /// Number of letters.
    pub letters: usize,
    /// Letters that reached the goal.
    pub reached: usize,
    /// Largest size at which anything is known.
    pub largest: f64,
    /// By rising size; only sizes at which a letter reached the goal.
    pub steps: Vec<Step>,
}

/// Mean of `min(size, limit)`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct RestrictedMean {
    /// The mean, in the unit of the sizes.
    pub value: f64,
    /// Its limits; none with fewer than [`MIN_LETTERS`] letters or where all letters agree.
    pub interval: Option<(f64, f64)>,
    /// Where sizes are cut.
    pub limit: f64,
}

/// The product-limit estimate: `remaining = prod (1 - events / at_risk)`.
///
/// A letter that is censored at a size is still at risk there: it was seen not to reach the goal with that size.
///
/// # Shapes
/// - `observations`: `[letters]`
///
/// # Errors
/// No letters, or a size that is not finite.
pub fn product_limit(observations: &[Observation]) -> Result<Survival, StatsError> {
    if observations.is_empty() {
        return Err(StatsError::Empty);
    }
    require_finite(&observations.iter().map(|o| o.at).collect::<Vec<_>>())?;
    let mut sorted = observations.to_vec();
    sorted.sort_by(|a, b| a.at.total_cmp(&b.at));
    let (mut steps, mut remaining, mut gone) = (Vec::new(), 1.0, 0);
    for tie in sorted.chunk_by(|a, b| a.at >= b.at) {
        let events = tie.iter().filter(|o| o.reached).count();
        let at_risk = sorted.len() - gone;
        if events > 0 {
            remaining *= (at_risk - events) as f64 / at_risk as f64;
            steps.push(Step {
                at: tie[0].at,
                at_risk,
                events,
                remaining,
            });
        }
        gone += tie.len();
    }
    Ok(Survival {
        letters: sorted.len(),
        reached: sorted.iter().filter(|o| o.reached).count(),
        largest: sorted[sorted.len() - 1].at,
        steps,
    })
}

impl Survival {
    /// Share that has reached the goal by `size`.
    #[must_use]
    pub fn share(&self, size: f64) -> f64 {
        1.0 - self.remaining(size)
    }

    fn remaining(&self, size: f64) -> f64 {
        self.steps
            .iter()
            .take_while(|s| s.at <= size)
            .last()
            .map_or(1.0, |s| s.remaining)
    }

    /// Pointwise interval of [`Survival::share`] on the complementary log-log scale (Kalbfleisch & Prentice 1980), which stays
    /// within 0 and 1; none where the share is 0 or 1.
    ///
    /// # Errors
    /// A level outside `(0, 1)`.
    pub fn share_interval(&self, size: f64, level: f64) -> Result<Option<(f64, f64)>, StatsError> {
        require_level(level)?;
        let remaining = self.remaining(size);
        if remaining <= 0.0 || remaining >= 1.0 {
            return Ok(None);
        }
        let greenwood: f64 = self
            .steps
            .iter()
            .take_while(|s| s.at <= size)
            .map(Step::greenwood)
            .sum();
        let z = Normal::standard().inverse_cdf(f64::midpoint(1.0, level));
        let half = z * greenwood.sqrt() / remaining.ln().abs();
        // `remaining` to a larger power is smaller, so the share is larger.
        let (least, most) = (remaining.powf((-half).exp()), remaining.powf(half.exp()));
        Ok(Some((1.0 - least, 1.0 - most)))
    }

    /// Smallest size by which half of the letters have reached the goal; none where that is beyond what was tried.
    #[must_use]
    pub fn median(&self) -> Option<f64> {
        // The product of ratios may miss one half by rounding.
        const SLACK: f64 = 1e-12;
        self.steps.iter().find(|s| s.remaining <= 0.5 + SLACK).map(|s| s.at)
    }

    /// Mean of `min(size, limit)`: the area under the curve up to `limit`, with Greenwood's variance and Student's t.
    ///
    /// # Errors
    /// A level outside `(0, 1)`, or a limit beyond which nothing is known.
    pub fn restricted_mean(&self, limit: f64, level: f64) -> Result<RestrictedMean, StatsError> {
        require_level(level)?;
        let ended = self.steps.last().is_some_and(|s| s.remaining <= 0.0);
        let known = limit > 0.0 && (limit <= self.largest || ended);
        if !known {
            return Err(StatsError::OutOfRange {
                name: "limit of the restricted mean",
                value: limit,
            });
        }
        let steps: Vec<&Step> = self.steps.iter().take_while(|s| s.at < limit).collect();
        let mut area = 0.0;
        let (mut variance, mut to) = (0.0, limit);
        for step in steps.iter().rev() {
            area += step.remaining * (to - step.at);
            variance += area * area * step.greenwood();
            to = step.at;
        }
        let value = area + to;
        let n = self.letters as f64;
        let interval = (self.letters >= MIN_LETTERS && variance > 0.0).then(|| {
            // Greenwood divides by n where an unbiased variance divides by n - 1.
            let half = t_quantile(self.letters - 1, level) * (variance * n / (n - 1.0)).sqrt();
            (value - half, value + half)
        });
        Ok(RestrictedMean { value, interval, limit })
    }
}

impl Step {
    /// This step's term of Greenwood's sum; 0 where nobody remains, as the curve is known to be 0 from there on.
    fn greenwood(&self) -> f64 {
        match self.at_risk - self.events {
            0 => 0.0,
            left => self.events as f64 / (self.at_risk as f64 * left as f64),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::letter_t;

    fn seen(values: &[(f64, bool)]) -> Survival {
        let all: Vec<Observation> = values
            .iter()
            .map(|&(at, reached)| Observation { at, reached })
            .collect();
        product_limit(&all).expect("defined")
    }

    /// Freireich et al. 1963, 6-mercaptopurine: the example of every survival text, `S(10) = .753`, `S(23) = .448`, median 23.
    #[test]
    fn leukaemia_remissions() {
        let events = [6., 6., 6., 7., 10., 13., 16., 22., 23.].map(|t| (t, true));
        let censored = [6., 9., 10., 11., 17., 19., 20., 25., 32., 32., 34., 35.].map(|t| (t, false));
        let curve = seen(&[events.as_slice(), &censored].concat());
        let expected = [
            (6.0, 0.857),
            (7.0, 0.807),
            (10.0, 0.753),
            (13.0, 0.690),
            (16.0, 0.627),
            (22.0, 0.538),
            (23.0, 0.448),
        ];
        assert_eq!(curve.steps.len(), expected.len());
        for (step, (at, remaining)) in curve.steps.iter().zip(expected) {
            assert!(
                (step.at - at).abs() < 1e-12 && (step.remaining - remaining).abs() < 6e-4,
                "{step:?}"
            );
        }
        assert_eq!(curve.median(), Some(23.0));
        assert_eq!((curve.letters, curve.reached), (21, 9));
        // Mean up to 35 weeks: 23.29, standard error 2.83 with Greenwood's variance (before n / (n - 1)).
        let mean = curve.restricted_mean(35.0, 0.95).expect("known");
        assert!((mean.value - 23.287).abs() < 2e-3, "{mean:?}");
        let (lo, hi) = mean.interval.expect("there is variance");
        let standard_error = (hi - lo) / 2.0 / t_quantile(20, 0.95) / (21.0_f64 / 20.0).sqrt();
        assert!((standard_error - 2.827).abs() < 3e-3, "{standard_error}");
    }

    #[test]
    fn with_one_censoring_point_it_is_the_empirical_curve() {
        let values = [1.0, 2.0, 2.0, 6.0, 24.0, 64.0, 64.0, 64.0, 64.0];
        let curve = seen(&values.map(|v| (v, v < 64.0)));
        for (size, share) in [
            (0.5, 0.0),
            (1.0, 1.0 / 9.0),
            (2.0, 3.0 / 9.0),
            (23.0, 4.0 / 9.0),
            (64.0, 5.0 / 9.0),
        ] {
            assert!((curve.share(size) - share).abs() < 1e-12);
        }
        assert_eq!(curve.median(), Some(24.0));
        for limit in [64.0, 8.0] {
            let mean = curve.restricted_mean(limit, 0.95).expect("known");
            let t = letter_t(&values.map(|v: f64| v.min(limit)), 0.95).expect("defined");
            let (lo, hi) = mean.interval.expect("there is variance");
            assert!((mean.value - t.value).abs() < 1e-9 && (lo - t.lo).abs() < 1e-9 && (hi - t.hi).abs() < 1e-9);
        }
    }

    #[test]
    fn censored_letters_are_never_counted_as_observed() {
        let few = seen(&[(1.0, true), (64.0, false), (64.0, false)]);
        assert_eq!(few.median(), None, "beyond what was tried");
        assert!(few.restricted_mean(128.0, 0.95).is_err(), "nothing is known beyond 64");
        let none = seen(&[(64.0, false); 4]);
        assert!(none.steps.is_empty() && none.share(64.0) == 0.0 && none.median().is_none());
        let mean = none.restricted_mean(64.0, 0.95).expect("known");
        assert_eq!((mean.value, mean.interval), (64.0, None));
        // All reach it: the mean is known for any limit.
        assert!(
            (seen(&[(1.0, true), (3.0, true)])
                .restricted_mean(99.0, 0.95)
                .expect("known")
                .value
                - 2.0)
                .abs()
                < 1e-12
        );
        assert!(product_limit(&[]).is_err());
    }

    #[test]
    fn a_censored_letter_moves_its_weight_to_the_later_ones() {
        // Censored at 2: the two left share what remains. By hand: 3/4, then 3/4 * 1/2.
        let curve = seen(&[(1.0, true), (2.0, false), (3.0, true), (4.0, false)]);
        assert!((curve.share(1.0) - 0.25).abs() < 1e-12);
        assert!((curve.share(3.0) - 0.625).abs() < 1e-12);
        assert_eq!(curve.median(), Some(3.0));
    }

    #[test]
    fn intervals_of_shares_stay_in_range_and_hold_the_share() {
        let curve = seen(&[(1.0, true), (2.0, true), (4.0, true), (64.0, false), (64.0, false)]);
        assert_eq!(curve.share_interval(0.5, 0.95), Ok(None));
        for size in [1.0, 2.0, 4.0, 64.0] {
            let (lo, hi) = curve.share_interval(size, 0.95).expect("level").expect("inside");
            assert!(
                0.0 < lo && lo < curve.share(size) && curve.share(size) < hi && hi < 1.0,
                "{lo} {hi}"
            );
        }
        assert!(curve.share_interval(1.0, 1.0).is_err());
    }
}
