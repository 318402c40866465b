//! Mean, standard deviation and quantile in f64, summed from the first element to the last.
//!
//! Deliberately absent: compensated summation (the lists are letters, words or replicates, at most
//! a few hundred thousand terms) and moments of higher order.

use crate::error::{StatsError, require_finite};

/// Spread below this share of the largest value counts as zero: 26 equal values can differ from
/// their own mean by a few units in the last place.
const RELATIVE_ZERO: f64 = 1e-12;

/// Arithmetic mean, in the unit of `values`.
///
/// # Errors
/// [`StatsError::Empty`] for an empty list, [`StatsError::NonFinite`] for NaN or infinity.
pub fn mean(values: &[f64]) -> Result<f64, StatsError> {
    if values.is_empty() {
        return Err(StatsError::Empty);
    }
    require_finite(values)?;
    Ok(mean_unchecked(values))
}

/// Sample standard deviation, `sqrt(sum (x - mean)^2 / (n - 1))`, in the unit of `values`.
///
/// # Errors
/// [`StatsError::Empty`] for fewer than two values, [`StatsError::NonFinite`] for NaN or infinity.
pub fn sd(values: &[f64]) -> Result<f64, StatsError> {
    if values.len() < 2 {
        return Err(StatsError::Empty);
    }
    require_finite(values)?;
    Ok(sd_unchecked(values, mean_unchecked(values)))
}

/// Quantile of `values` at `level` in `[0, 1]` by linear interpolation between order statistics
/// (Hyndman & Fan 1996, type 7; the default of `NumPy` and R).
///
/// # Errors
/// [`StatsError::Empty`], [`StatsError::NonFinite`], or [`StatsError::InvalidLevel`] for a level
/// outside `[0, 1]`.
pub fn quantile(values: &[f64], level: f64) -> Result<f64, StatsError> {
    if values.is_empty() {
        return Err(StatsError::Empty);
    }
    if !(0.0..=1.0).contains(&level) {
        return Err(StatsError::InvalidLevel { level });
    }
    require_finite(values)?;
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    Ok(quantile_of_sorted(&sorted, level))
}

/// [`quantile`] of a non-empty ascending list.
pub(crate) fn quantile_of_sorted(sorted: &[f64], level: f64) -> f64 {
    let place = level * (sorted.len() - 1) as f64;
    let below = place.floor() as usize;
    let above = (below + 1).min(sorted.len() - 1);
    let share = place - below as f64;
    sorted[below] + share * (sorted[above] - sorted[below])
}

/// Mean of a non-empty list.
pub(crate) fn mean_unchecked(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// Sample standard deviation of at least two values around their `mean`, exactly zero when the
/// spread is rounding error.
pub(crate) fn sd_unchecked(values: &[f64], mean: f64) -> f64 {
    let (mut squares, mut largest) = (0.0, 0.0_f64);
    for value in values {
        squares += (value - mean) * (value - mean);
        largest = largest.max(value.abs());
    }
    let sd = (squares / (values.len() - 1) as f64).sqrt();
    if sd <= RELATIVE_ZERO * largest { 0.0 } else { sd }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn golden_by_hand() {
        let values = [3.0, 1.0, 2.0, 6.0];
        assert_eq!(mean(&values), Ok(3.0));
        assert!((sd(&values).expect("defined") - (14.0_f64 / 3.0).sqrt()).abs() < 1e-15);
        assert_eq!(quantile(&values, 0.0), Ok(1.0));
        assert_eq!(quantile(&values, 0.5), Ok(2.5));
        assert_eq!(quantile(&values, 1.0), Ok(6.0));
        assert!((quantile(&values, 0.9).expect("defined") - 5.1).abs() < 1e-14);
    }

    #[test]
    fn undefined_is_an_error() {
        assert_eq!(mean(&[]), Err(StatsError::Empty));
        assert_eq!(sd(&[1.0]), Err(StatsError::Empty));
        assert_eq!(quantile(&[1.0], 1.5), Err(StatsError::InvalidLevel { level: 1.5 }));
        assert!(matches!(
            mean(&[0.0, f64::NAN]),
            Err(StatsError::NonFinite { position: 1, .. })
        ));
    }

    #[test]
    fn equal_values_have_no_spread() {
        assert_eq!(sd(&[0.1; 26]), Ok(0.0));
    }
}
