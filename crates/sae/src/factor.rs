//! Factors of a matrix with one row or column per latent.
//!
//! A factor is a value, not only an act, so that a matrix that stays in its file can carry it.

use std::ops::Range;
use std::sync::Arc;

/// What every value is multiplied with or divided by, rounding once to f32.
#[derive(Clone, Debug)]
pub(crate) enum Factor {
    Times(f32),
    /// Not a product with the reciprocal, which rounds twice.
    Over(f32),
    /// A factor that f32 would round.
    TimesWide(f64),
    /// One factor per latent.
    EachTimes(Arc<[f32]>),
    /// One divisor per latent.
    EachOver(Arc<[f32]>),
}

impl Factor {
    /// Applies it to the values of consecutive latents: `[n, width]` if `by_latent`, else `[width, n]`.
    pub(crate) fn apply(&self, values: &mut [f32], latents: Range<usize>, by_latent: bool) {
        match self {
            Self::Times(factor) => multiply(values, *factor),
            Self::Over(divisor) => divide(values, *divisor),
            Self::TimesWide(factor) => {
                for value in values {
                    *value = (f64::from(*value) * factor) as f32;
                }
            }
            Self::EachTimes(each) => pairwise(values, &each[latents], by_latent, |value, factor| *value *= factor),
            Self::EachOver(each) => pairwise(values, &each[latents], by_latent, |value, divisor| *value /= divisor),
        }
    }
}

fn pairwise(values: &mut [f32], each: &[f32], by_latent: bool, apply: impl Fn(&mut f32, f32)) {
    if each.is_empty() {
        return;
    }
    if by_latent {
        for (row, &factor) in values.chunks_exact_mut(values.len() / each.len()).zip(each) {
            for value in row {
                apply(value, factor);
            }
        }
    } else {
        for row in values.chunks_exact_mut(each.len()) {
            row.iter_mut()
                .zip(each)
                .for_each(|(value, &factor)| apply(value, factor));
        }
    }
}

/// `values *= factor`.
pub(crate) fn multiply(values: &mut [f32], factor: f32) {
    for value in values {
        *value *= factor;
    }
}

/// `values /= divisor`: not a product with the reciprocal, which rounds twice.
pub(crate) fn divide(values: &mut [f32], divisor: f32) {
    for value in values {
        *value /= divisor;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn factors_follow_the_latents_in_both_orders() {
        let each: Arc<[f32]> = [9.0, 2.0, 4.0].into();
        let mut rows = vec![1.0, 2.0, 3.0, 4.0];
        Factor::EachTimes(Arc::clone(&each)).apply(&mut rows, 1..3, true);
        assert_eq!(rows, vec![2.0, 4.0, 12.0, 16.0]);
        let mut columns = vec![1.0, 2.0, 3.0, 4.0];
        Factor::EachOver(each).apply(&mut columns, 1..3, false);
        assert_eq!(columns, vec![0.5, 0.5, 1.5, 1.0]);
    }
}
