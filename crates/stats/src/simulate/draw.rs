//! Deviates that the simulations need, from uniform numbers.
//!
//! Deliberately absent: speed; a panel of 26 letters takes well under a millisecond.

use std::f64::consts::TAU;

use rand::{Rng, RngExt};

/// Standard normal deviate (Box & Muller 1958; the second of the pair is thrown away).
pub(super) fn normal(rng: &mut impl Rng) -> f64 {
    // 1 - u lies in (0, 1], so the logarithm is finite.
    let radius = (-2.0 * (1.0 - rng.random::<f64>()).ln()).sqrt();
    radius * (TAU * rng.random::<f64>()).cos()
}

/// Log-normal deviate with mean 1 and the given SD of its logarithm.
pub(super) fn positive(log_sd: f64, rng: &mut impl Rng) -> f64 {
    (log_sd * normal(rng) - log_sd * log_sd / 2.0).exp()
}

/// Beta deviate with the given mean and SD; the mean itself if the SD is zero.
///
/// The caller has checked that `0 < mean < 1` and `sd^2 < mean (1 - mean)`.
pub(super) fn beta(mean: f64, sd: f64, rng: &mut impl Rng) -> f64 {
    if sd <= 0.0 {
        return mean;
    }
    let total = mean * (1.0 - mean) / (sd * sd) - 1.0;
    let a = gamma(mean * total, rng);
    let b = gamma((1.0 - mean) * total, rng);
    a / (a + b)
}

/// Gamma deviate of the given shape and scale 1 (Marsaglia & Tsang 2000).
fn gamma(shape: f64, rng: &mut impl Rng) -> f64 {
    if shape < 1.0 {
        let power = (1.0 - rng.random::<f64>()).powf(1.0 / shape);
        return power * gamma(shape + 1.0, rng);
    }
    let d = shape - 1.0 / 3.0;
    let c = 1.0 / (9.0 * d).sqrt();
    loop {
        let x = normal(rng);
        let v = (1.0 + c * x).powi(3);
        let u = 1.0 - rng.random::<f64>();
        if v > 0.0 && u.ln() < 0.5 * x * x + d - d * v + d * v.ln() {
            return d * v;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{mean, sd, seed};

    const DRAWS: usize = 100_000;

    /// Mean within four standard errors; SD within 2 %, at least four of its standard errors for
    /// tails no heavier than those of the log-normal with log SD one half.
    #[track_caller]
    fn check(
        name: &str,
        expected_mean: f64,
        expected_sd: f64,
        mut draw: impl FnMut(&mut rand_chacha::ChaCha8Rng) -> f64,
    ) {
        let mut rng = seed::rng(5, name);
        let values: Vec<f64> = (0..DRAWS).map(|_| draw(&mut rng)).collect();
        let (found_mean, found_sd) = (mean(&values).expect("defined"), sd(&values).expect("defined"));
        let error = expected_sd / (DRAWS as f64).sqrt();
        assert!((found_mean - expected_mean).abs() < 4.0 * error, "{name}: {found_mean}");
        assert!((found_sd / expected_sd - 1.0).abs() < 0.02, "{name}: {found_sd}");
    }

    #[test]
    fn moments() {
        check("normal", 0.0, 1.0, normal);
        // Variance exp(1/4) - 1.
        check("log-normal", 1.0, 0.532_94, |rng| positive(0.5, rng));
        check("beta", 0.5, 0.23, |rng| beta(0.5, 0.23, rng));
        check("flat beta", 0.1, 0.05, |rng| beta(0.1, 0.05, rng));
        // Shape parameters below 1: mass at both ends.
        check("beta of extremes", 0.3, 0.4, |rng| beta(0.3, 0.4, rng));
    }

    /// 95 % of a normal lie within 1.96; a count of 100,000 has a standard error of .0007.
    #[test]
    fn normal_tail() {
        let mut rng = seed::rng(6, "tail");
        let inside = (0..DRAWS).filter(|_| normal(&mut rng).abs() < 1.96).count();
        assert!((inside as f64 / DRAWS as f64 - 0.95).abs() < 0.003, "{inside}");
    }
}
