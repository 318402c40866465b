//! A strong-Wolfe line search for convex functions of one variable.
//!
//! The slope of a convex function only grows, so its sign tells on which side of the minimum a
//! step lies: the step is doubled until the minimum is bracketed and then interpolated by the
//! secant of the slopes (Nocedal & Wright 2006, section 3.5, without the cases that convexity
//! excludes).
//!
//! Deliberately absent: steps backwards. The caller gives a descent direction.

use crate::objective::Point;

/// Sufficient decrease and curvature constants of Nocedal & Wright for quasi-Newton methods.
const DECREASE: f64 = 1e-4;
const CURVATURE: f64 = 0.9;

/// Differences of the loss below this share of it are rounding, not ascent.
const ROUNDING: f64 = 1e-13;

/// Trial steps before giving up.
const TRIALS: usize = 40;

/// Finds a step that satisfies the strong Wolfe conditions, from `start` (the point at step 0,
/// with a negative slope). `evaluate` is last called at the returned step; `None` if no step was
/// found.
pub(crate) fn search(start: Point, mut evaluate: impl FnMut(f64) -> Point) -> Option<(f64, Point)> {
    let slack = ROUNDING * start.value.abs();
    let (mut low, mut low_slope) = (0.0, start.slope);
    let mut high: Option<(f64, f64)> = None;
    let mut step = 1.0;
    for _ in 0..TRIALS {
        let point = evaluate(step);
        let descends = point.value <= start.value + DECREASE * step * start.slope + slack;
        if descends && point.slope.abs() <= CURVATURE * start.slope.abs() {
            return Some((step, point));
        }
        if descends && point.slope < 0.0 {
            (low, low_slope) = (step, point.slope);
        } else {
            high = Some((step, point.slope));
        }
        step = match high {
            None => 2.0 * step,
            Some((high, slope)) => {
                let secant = low_slope / (low_slope - slope);
                // Without a slope of the right sign the secant means nothing: halve.
                let share = if slope > 0.0 { secant.clamp(0.1, 0.9) } else { 0.5 };
                low + share * (high - low)
            }
        };
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(minimum: f64, width: f64) {
        let at = |step: f64| Point {
            value: ((step - minimum) / width).powi(4),
            slope: 4.0 * (step - minimum).powi(3) / width.powi(4),
        };
        let start = at(0.0);
        let (step, point) = search(start, at).expect("a convex function has a Wolfe step");
        assert!(point.value < start.value && point.slope.abs() <= 0.9 * start.slope.abs());
        assert!(step > 0.0);
    }

    #[test]
    fn finds_steps_over_twelve_orders_of_magnitude() {
        for exponent in -6..=6 {
            check(10.0_f64.powi(exponent), 1.0);
            check(10.0_f64.powi(exponent), 10.0_f64.powi(exponent));
        }
    }
}
