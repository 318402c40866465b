//! Numbers of one letter's curve over set sizes (or, for directions, over ranks).

/// Scores of one letter with a set of one size.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CurvePoint {
    /// Latents in the set; for directions the rank.
    pub k: usize,
    /// Mediated share.
    pub ms: f64,
    /// Mean damage share.
    pub o_mean: f64,
    /// `clip(MS) (1 - clip(O))`.
    pub m_star: f64,
}

/// What a set must reach to count as a match of the reference.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Goal {
    /// Mediated share of the reference arm.
    pub reference: f64,
    /// Share of it that is enough.
    pub tau: f64,
    /// Most damage.
    pub o_cap: f64,
}

impl Goal {
    /// Nine tenths of the reference at a damage of at most a fifth.
    #[must_use]
    pub fn of(reference: f64) -> Self {
        Self {
            reference,
            tau: 0.9,
            o_cap: 0.2,
        }
    }
}

/// Area under `M*` over `log2(1 + k)` up to `largest`, as a share of the whole axis: `1 / log2(1 + K)` times the trapezoid sum.
///
/// The point `k = 0` is part of every curve, and its score is 0: nothing is edited. A set that is full at `k = 1` and a set that
/// needs 64 latents for the same share differ by their whole area, which the score at one size does not show. Between two
/// measured sizes the curve is taken as straight. None where no point has a size of `largest`: a curve that ends
/// earlier has no area up to there.
///
/// # Shapes
/// - `points`: `[sizes]`, in any order, each `(k, M*)`
#[must_use]
pub fn auc(points: &[(usize, f64)], largest: usize) -> Option<f64> {
    let mut sorted: Vec<(usize, f64)> = points
        .iter()
        .copied()
        .filter(|(k, _)| (1..=largest).contains(k))
        .collect();
    sorted.sort_by_key(|(k, _)| *k);
    let reaches = sorted.last().is_some_and(|(k, _)| *k == largest);
    let at = |k: usize| (1.0 + k as f64).log2();
    let (mut area, mut before) = (0.0, (0.0, 0.0));
    for (k, m_star) in sorted {
        area += (at(k) - before.0) * f64::midpoint(before.1, m_star);
        before = (at(k), m_star);
    }
    reaches.then(|| area / at(largest))
}

/// Smallest measured size whose set matches the reference: enough of its mediated share at little damage.
///
/// None is no size but a bound: the letter needs more than the largest size that was tried, or no number of these latents will
/// do.
#[must_use]
pub fn matches_at(points: &[CurvePoint], goal: Goal) -> Option<usize> {
    let matching = points
        .iter()
        .filter(|p| p.ms >= goal.tau * goal.reference && p.o_mean <= goal.o_cap);
    matching.map(|p| p.k).min()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn point(k: usize, ms: f64, o_mean: f64) -> CurvePoint {
        CurvePoint {
            k,
            ms,
            o_mean,
            m_star: ms.clamp(0.0, 1.0) * (1.0 - o_mean.clamp(0.0, 1.0)),
        }
    }

    #[test]
    fn area_by_hand() {
        // On the axis log2(1 + k): 0, 1, 2 for k = 0, 1, 3. Trapezoids: .25 and .75, over 2.
        let area = auc(&[(3, 1.0), (1, 0.5)], 3).unwrap();
        assert!((area - 0.5).abs() < 1e-12, "{area}");
        // All at once from the first latent on: only the ramp from 0 to 1 is lost, half a unit of log2(65).
        let at_once = auc(&[(1, 1.0), (64, 1.0)], 64).unwrap();
        assert!((at_once - (1.0 - 0.5 / 65f64.log2())).abs() < 1e-12);
        assert_eq!(auc(&[(1, 0.0), (64, 0.0)], 64), Some(0.0));
    }

    #[test]
    fn a_curve_that_ends_early_has_no_area() {
        assert_eq!(auc(&[(1, 0.5), (16, 0.9)], 64), None);
        assert_eq!(auc(&[], 64), None);
        // Points beyond the end do not matter.
        assert_eq!(auc(&[(1, 0.5), (3, 0.5), (64, 9.0)], 3), auc(&[(1, 0.5), (3, 0.5)], 3));
    }

    #[test]
    fn a_match_needs_both_effect_and_little_damage() {
        let goal = Goal::of(1.0);
        let curve = [
            point(1, 0.5, 0.0),
            point(2, 0.95, 0.3),
            point(4, 0.92, 0.2),
            point(8, 1.0, 0.1),
        ];
        assert_eq!(matches_at(&curve, goal), Some(4), "at 2 the damage is too large");
        assert_eq!(matches_at(&curve[..2], goal), None);
        assert_eq!(matches_at(&curve, Goal::of(0.5)), Some(1), "relative to the reference");
    }
}
