//! Classical answers to a misclassified variable, and where they end.
//!
//! `T` is the letter (0 or 1), `Z` the detector, `Y` an outcome. If errors of `Z` do not depend on `Y` given `T`, the slope of
//! `Y` on `Z` is that on `T` times `PPV + NPV - 1` (Aigner 1973), and `cov(Y, Z) / cov(T, Z)` is the slope on `T` itself. If a miss is
//! likelier where the effect is small, as absorption makes it, neither holds.

/// The slope of `y` on a detector: `cov(y, z) / var(z)`; none where the detector does not vary.
///
/// # Shapes
/// - `y`, `z`: `[words]`
#[must_use]
pub fn attenuated(y: &[f64], z: &[f64]) -> Option<f64> {
    let variance = covariance(z, z);
    (variance > 0.0).then(|| covariance(y, z) / variance)
}

/// The letter's slope with the detector as its instrument.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Wald {
    /// `cov(y, z) / cov(t, z)`.
    pub slope: f64,
    /// First stage, `cov(t, z)`: the prevalence's variance times Youden's J, 0 for a detector that knows nothing.
    pub first_stage: f64,
    /// F statistic of the first stage, `r^2 (n - 2) / (1 - r^2)`; below about 10 the instrument is weak. Infinite for a perfect
    /// detector.
    pub f: f64,
}

/// The Wald estimate; none where letter or detector do not vary, or do not vary together.
///
/// # Shapes
/// - `y`, `t`, `z`: `[words]`
#[must_use]
pub fn wald(y: &[f64], t: &[f64], z: &[f64]) -> Option<Wald> {
    let first_stage = covariance(t, z);
    let both = covariance(t, t) * covariance(z, z);
    if both <= 0.0 || first_stage == 0.0 {
        return None;
    }
    let square = (first_stage * first_stage / both).min(1.0);
    Some(Wald {
        slope: covariance(y, z) / first_stage,
        first_stage,
        f: square * (t.len() as f64 - 2.0) / (1.0 - square),
    })
}

/// Covariance with `n` below.
pub(super) fn covariance(a: &[f64], b: &[f64]) -> f64 {
    let n = a.len().max(1) as f64;
    let (mean_a, mean_b) = (a.iter().sum::<f64>() / n, b.iter().sum::<f64>() / n);
    a.iter().zip(b).map(|(a, b)| (a - mean_a) * (b - mean_b)).sum::<f64>() / n
}
