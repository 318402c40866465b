//! Dose: how far an edit moves the vector, and what it mediates for that.
//!
//! Arms that move vectors by different lengths are compared at equal length, or at equal damage elsewhere, by sweeping a factor
//! `alpha` on the whole edit. Lengths are `rho_2 = mean |delta| / |x|` and `rho_M = mean |Sigma^-1/2 delta| / sqrt(d)`, both over the
//! letter's own words and both proportional to `alpha`; damage elsewhere is the KL divergence on unrelated text. What random edits
//! of the same lengths reach is the floor, and `MSx = MS - floor` the excess over it.
//!
//! Deliberately absent: extrapolation. A dose that the sweep does not reach is said to be not reached.

use std::collections::BTreeMap;

use linear_probe::Spectrum;
use sae::SparseLatents;
use serde::{Deserialize, Serialize};

use crate::arms::Arm;
use crate::editor::{Subject, norm};
use crate::error::Result;
use crate::measure::Bench;

/// Factors of a sweep.
pub const ALPHAS: [f64; 8] = [0.0, 0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0];

/// Mean length of an arm's edits on a letter's own words.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Lengths {
    /// `|delta| / |x|`.
    pub rho_2: f64,
    /// `|Sigma^-1/2 delta| / sqrt(d)`: 1 is about as far as a word lies from the mean.
    pub rho_m: f64,
}

impl Lengths {
    /// The lengths of the edit multiplied by `alpha`.
    #[must_use]
    pub fn times(self, alpha: f64) -> Self {
        Self {
            rho_2: self.rho_2 * alpha,
            rho_m: self.rho_m * alpha,
        }
    }
}

/// Lengths of an arm's first draw per letter (`a` to `z`), without running the model.
///
/// # Errors
/// An editor cannot apply, for example because it reads latents and none are given.
pub fn lengths(
    bench: &Bench<'_>,
    arm: &Arm,
    latents: Option<&SparseLatents>,
    spectrum: &Spectrum,
) -> Result<BTreeMap<char, Lengths>> {
    let mut sums: BTreeMap<char, (Lengths, f64)> = BTreeMap::new();
    for pair in bench.pairs().iter().filter(|pair| pair.on) {
        let x = bench.readout().site(pair.row);
        let subject = Subject {
            x,
            latents: latents.map(|latents| (latents, pair.row)),
        };
        let delta = arm.draws[0][pair.class].delta(subject)?;
        let size = x.iter().map(|&x| f64::from(x) * f64::from(x)).sum::<f64>().sqrt();
        let letter = char::from(b'a' + bench.letters()[pair.class] as u8);
        let zero = Lengths { rho_2: 0.0, rho_m: 0.0 };
        let (lengths, n) = sums.entry(letter).or_insert((zero, 0.0));
        lengths.rho_2 += norm(&delta) / size.max(1e-30);
        lengths.rho_m += spectrum.mahalanobis(&delta) / (x.len() as f64).sqrt();
        *n += 1.0;
    }
    Ok(sums
        .into_iter()
        .map(|(letter, (sum, n))| (letter, sum.times(1.0 / n)))
        .collect())
}

/// A curve's value at a dose.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Matched {
    /// Interpolated between the two doses around it.
    At(f64),
    /// The sweep ends before.
    NotReached {
        /// The largest dose of the sweep.
        most: f64,
    },
}

/// A curve at a dose: linear between points, at the first place where the dose is reached. The dose of a point may fall from one
/// point to the next (damage need not grow with `alpha`).
///
/// `points`: dose and value, by rising `alpha`.
#[must_use]
pub fn interpolate(points: &[(f64, f64)], dose: f64) -> Matched {
    let most = points.iter().map(|point| point.0).fold(0.0, f64::max);
    if let Some(exact) = points.iter().find(|point| point.0.total_cmp(&dose).is_eq()) {
        return Matched::At(exact.1);
    }
    for pair in points.windows(2) {
        let ((a, low), (b, high)) = (pair[0], pair[1]);
        if (a - dose) * (b - dose) <= 0.0 && (b - a).abs() > 0.0 {
            return Matched::At(low + (high - low) * (dose - a) / (b - a));
        }
    }
    Matched::NotReached { most }
}

/// Area under a curve from dose 0 to `end`, divided by `end`: its mean height there. Where the sweep ends before, the rest counts as
/// 0: an edit that cannot be that large mediates nothing there. `None` where `end` is not positive or there are no points.
///
/// `points`: dose and value, by rising dose.
#[must_use]
pub fn mean_height(points: &[(f64, f64)], end: f64) -> Option<f64> {
    if points.is_empty() || end.is_nan() || end <= 0.0 {
        return None;
    }
    let mut area = 0.0;
    for pair in points.windows(2) {
        let ((a, low), (b, high)) = (pair[0], pair[1]);
        if b <= a || a >= end {
            continue;
        }
        let to = b.min(end);
        let at_end = low + (high - low) * (to - a) / (b - a);
        area += (to - a) * f64::midpoint(low, at_end);
    }
    Some(area / end)
}

/// Damage of one arm's editor of one letter on unrelated text, at one factor.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TextDose {
    /// Arm.
    pub arm: String,
    /// Letter of the editor.
    pub letter: char,
    /// Factor of the sweep.
    pub alpha: f64,
    /// KL divergence, nats per token.
    pub kl: f64,
}

/// Value of a curve over `alpha` at the factor that does as much damage as `target`: `by_alpha` holds `(alpha, value)`, `text` the
/// damage of the same editor. `None` where the text was not measured at two factors of the curve.
#[must_use]
pub fn at_matched_damage(by_alpha: &[(f64, f64)], text: &[&TextDose], target: f64) -> Option<Matched> {
    let points: Vec<(f64, f64)> = by_alpha
        .iter()
        .filter_map(|&(alpha, value)| {
            let found = text.iter().find(|text| text.alpha.total_cmp(&alpha).is_eq())?;
            Some((found.kl, value))
        })
        .collect();
    (points.len() > 1).then(|| interpolate(&points, target))
}

#[cfg(test)]
mod tests {
    use super::*;

    const CURVE: [(f64, f64); 4] = [(0.0, 0.0), (0.1, 0.2), (0.2, 0.8), (0.4, 1.0)];

    #[test]
    fn a_dose_between_points_is_interpolated_and_one_beyond_is_not_reached() {
        assert_eq!(interpolate(&CURVE, 0.1), Matched::At(0.2));
        let Matched::At(value) = interpolate(&CURVE, 0.15) else {
            panic!()
        };
        assert!((value - 0.5).abs() < 1e-12);
        assert_eq!(interpolate(&CURVE, 0.5), Matched::NotReached { most: 0.4 });
        assert_eq!(interpolate(&[], 0.5), Matched::NotReached { most: 0.0 });
        // An edit that moves nothing reaches no dose but 0.
        let still = [(0.0, 0.0), (0.0, 0.0)];
        assert_eq!(interpolate(&still, 0.0), Matched::At(0.0));
        assert_eq!(interpolate(&still, 0.1), Matched::NotReached { most: 0.0 });
    }

    #[test]
    fn mean_height_is_the_area_over_the_dose() {
        // Triangles and trapezoids by hand: .01 up to .1, then half of the next step.
        let expected = (0.01 + 0.05 * 0.35) / 0.15;
        assert!((mean_height(&CURVE, 0.15).unwrap() - expected).abs() < 1e-12);
        // Beyond the last point nothing is added.
        let all = 0.01 + 0.05 + 0.18;
        assert!((mean_height(&CURVE, 0.8).unwrap() - all / 0.8).abs() < 1e-12);
        assert_eq!(mean_height(&CURVE, 0.0), None);
        assert_eq!(mean_height(&[], 1.0), None);
        assert_eq!(mean_height(&[(0.0, 0.0), (0.0, 0.0)], 0.3), Some(0.0));
    }

    #[test]
    fn damage_need_not_rise_with_the_factor() {
        let text: Vec<TextDose> = [(0.0, 0.0), (0.5, 0.3), (1.0, 0.2), (2.0, 0.6)]
            .map(|(alpha, kl)| TextDose {
                arm: "x".to_owned(),
                letter: 'a',
                alpha,
                kl,
            })
            .to_vec();
        let text: Vec<&TextDose> = text.iter().collect();
        let by_alpha = [(0.0, 0.0), (0.5, 0.4), (1.0, 0.7), (2.0, 0.9), (3.0, 1.0)];
        // The first crossing of .25 lies between 0 and .5.
        let Some(Matched::At(value)) = at_matched_damage(&by_alpha, &text, 0.25) else {
            panic!()
        };
        assert!((value - 0.4 * 0.25 / 0.3).abs() < 1e-12);
        let Some(Matched::At(value)) = at_matched_damage(&by_alpha, &text, 0.4) else {
            panic!()
        };
        assert!((value - 0.8).abs() < 1e-12);
        assert_eq!(
            at_matched_damage(&by_alpha, &text, 1.0),
            Some(Matched::NotReached { most: 0.6 })
        );
        assert_eq!(at_matched_damage(&by_alpha, &text[..1], 0.1), None);
    }
}
