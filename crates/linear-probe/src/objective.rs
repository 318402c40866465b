//! The weighted logistic loss of one class along a ray.
//!
//! For a linear model the logits along a search direction are `z + alpha q`, so once `q` is known
//! (one product with the design) a trial step costs `O(n)`: the line search is nearly free, and
//! the residuals at the accepted step are what the next gradient needs.
//!
//! With 26 classes this loop would still take most of a fit, five sixths of it in `exp` and `ln`
//! of the C library. So it works on [`LANES`] rows at once with an exponential that vectorises,
//! and takes one logarithm of a product of many factors instead of many logarithms.
//!
//! Deliberately absent: anything that touches the design.

/// Rows per step of the loop, and independent partial sums.
const LANES: usize = 8;

/// Factors between 1 and 2 that are multiplied before a logarithm is taken: `2^512` is finite.
const FACTORS: usize = 512;

/// Loss and residuals of one class at given logits.
#[derive(Clone, Debug)]
pub(crate) struct Objective {
    /// `-1` for rows of the class and `1` for others, `[n]`: the side on which a logit is wrong.
    signs: Vec<f64>,
    /// Weight of a positive and of a negative row, scaled to sum to one over all rows.
    weights: [f64; 2],
}

/// Value and slope of the loss at one point of a ray.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Point {
    pub(crate) value: f64,
    pub(crate) slope: f64,
}

/// Partial sums of `LANES` interleaved subsets of the rows.
struct Sums {
    slope: [f64; LANES],
    hinge: [f64; LANES],
    /// Products of `1 + exp(-|m|)` over positive and over negative rows.
    factors: [[f64; LANES]; 2],
}

impl Objective {
    pub(crate) fn new(classes: &[usize], class: usize, weights: [f64; 2]) -> Self {
        let signs = classes.iter().map(|&c| if c == class { -1.0 } else { 1.0 }).collect();
        Self { signs, weights }
    }

    /// Loss `sum_i s_i softplus(m_i)` with `m = -z` for positive and `m = z` for negative rows, at
    /// `z = logits + step * direction`, with its slope in `step`; fills `residuals` with
    /// `s_i (sigmoid(z_i) - y_i)`.
    pub(crate) fn along(&self, logits: &[f64], direction: &[f64], step: f64, residuals: &mut [f64]) -> Point {
        let mut sums = Sums::zero();
        let mut logarithms = [0.0; 2];
        let block = LANES * FACTORS;
        for (start, residuals) in (0..).step_by(block).zip(residuals.chunks_mut(block)) {
            let range = start..start + residuals.len();
            let mut rows = [&self.signs, logits, direction].map(|column| &column[range.clone()]);
            let mut out = residuals;
            while out.len() >= LANES {
                let (head, rest) = out.split_at_mut(LANES);
                self.lanes::<LANES>(rows, step, head, &mut sums);
                (out, rows) = (rest, rows.map(|column| &column[LANES..]));
            }
            for (index, out) in out.chunks_mut(1).enumerate() {
                self.lanes::<1>(rows.map(|column| &column[index..]), step, out, &mut sums);
            }
            for (sum, factors) in logarithms.iter_mut().zip(&mut sums.factors) {
                *sum += factors.iter().map(|factor| factor.ln()).sum::<f64>();
                *factors = [1.0; LANES];
            }
        }
        let [positive, negative] = self.weights;
        let value = positive * logarithms[0] + negative * logarithms[1];
        Point {
            value: value + sums.hinge.iter().sum::<f64>(),
            slope: sums.slope.iter().sum(),
        }
    }

    /// `N` rows; `softplus(m) = max(m, 0) + ln(1 + exp(-|m|))`.
    #[inline]
    fn lanes<const N: usize>(
        &self,
        [signs, logits, direction]: [&[f64]; 3],
        step: f64,
        residuals: &mut [f64],
        sums: &mut Sums,
    ) {
        let (signs, logits, direction) = (&signs[..N], &logits[..N], &direction[..N]);
        let residuals = &mut residuals[..N];
        for lane in 0..N {
            let sign = signs[lane];
            let m = sign * (logits[lane] + step * direction[lane]);
            let tail = exp_nonpositive(-m.abs());
            let factor = 1.0 + tail;
            let [weight, positive, negative] = if sign < 0.0 {
                [self.weights[0], factor, 1.0]
            } else {
                [self.weights[1], 1.0, factor]
            };
            let share = if m >= 0.0 { 1.0 } else { tail } / factor;
            let residual = sign * weight * share;
            residuals[lane] = residual;
            sums.slope[lane] += residual * direction[lane];
            sums.hinge[lane] += weight * m.max(0.0);
            sums.factors[0][lane] *= positive;
            sums.factors[1][lane] *= negative;
        }
    }
}

impl Sums {
    fn zero() -> Self {
        Self {
            slope: [0.0; LANES],
            hinge: [0.0; LANES],
            factors: [[1.0; LANES]; 2],
        }
    }
}

/// `exp(x)` for `x <= 0` to about one unit in the last place, without branches or calls; below
/// -708 the value at -708.
///
/// `x = k ln 2 + r` with `|r| <= ln(2) / 2`; Taylor polynomial of degree 12 in `r` (the next term
/// is below `2e-16`), then `2^k` through the exponent bits. `ln 2` in two parts as in fdlibm.
#[inline]
fn exp_nonpositive(x: f64) -> f64 {
    const LN_2_HIGH: f64 = 6.931_471_803_691_238e-1;
    const LN_2_LOW: f64 = 1.908_214_929_270_587_7e-10;
    // Adding 1.5 * 2^52 rounds to an integer and leaves it in the low bits.
    const ROUND: f64 = 6_755_399_441_055_744.0;
    const INVERSE_FACTORIALS: [f64; 12] = [
        1.0 / 479_001_600.0,
        1.0 / 39_916_800.0,
        1.0 / 3_628_800.0,
        1.0 / 362_880.0,
        1.0 / 40_320.0,
        1.0 / 5_040.0,
        1.0 / 720.0,
        1.0 / 120.0,
        1.0 / 24.0,
        1.0 / 6.0,
        0.5,
        1.0,
    ];
    let x = if x > -708.0 { x } else { -708.0 };
    let shifted = x * std::f64::consts::LOG2_E + ROUND;
    let k = shifted - ROUND;
    let r = (x - k * LN_2_HIGH) - k * LN_2_LOW;
    let mut sum = INVERSE_FACTORIALS[0];
    for coefficient in &INVERSE_FACTORIALS[1..] {
        sum = sum * r + coefficient;
    }
    (sum * r + 1.0) * f64::from_bits(shifted.to_bits().wrapping_add(1_023) << 52)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exponential_is_right_to_the_last_places() {
        for index in 0..=708_000 {
            let x = -f64::from(index) / 1_000.0;
            let relative = exp_nonpositive(x) / x.exp() - 1.0;
            assert!(relative.abs() < 1e-15, "{x} {relative}");
        }
        assert!(exp_nonpositive(-1e9) < 1e-307);
    }

    #[test]
    fn loss_slope_and_residuals_equal_the_formulas() {
        let n = LANES * FACTORS + 13;
        let classes: Vec<usize> = (0..n).map(|i| i % 3).collect();
        let logits: Vec<f64> = (0..n).map(|i| (i as f64 * 0.37).sin() * 30.0).collect();
        let direction: Vec<f64> = (0..n).map(|i| (i as f64 * 0.71).cos()).collect();
        let mut residuals = vec![0.0; n];
        let objective = Objective::new(&classes, 1, [0.3, 0.1]);
        let point = objective.along(&logits, &direction, 0.5, &mut residuals);
        let (mut value, mut slope) = (0.0, 0.0);
        for i in 0..n {
            let z = logits[i] + 0.5 * direction[i];
            let (weight, y) = if classes[i] == 1 { (0.3, 1.0) } else { (0.1, 0.0) };
            value += weight * ((-z.abs()).exp().ln_1p() + z.max(0.0) - y * z);
            let residual = weight * (1.0 / (1.0 + (-z).exp()) - y);
            assert!((residual - residuals[i]).abs() < 1e-14);
            slope += residual * direction[i];
        }
        assert!((point.value - value).abs() < 1e-12 * value.abs());
        assert!((point.slope - slope).abs() < 1e-12 * value.abs());
    }
}
