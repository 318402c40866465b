//! Logistic regression within letters: one intercept per letter, and standard errors that let words of a letter be alike.
//!
//! It asks whether an outcome of words (a latent that stays silent) depends on what the words are, once each letter has its own
//! rate. A letter in which all outcomes agree says nothing about that and is left out, by name. Slopes carry a small ridge
//! penalty, so that a covariate which separates the outcomes has a finite slope; it is then marked, because its size and
//! its interval say only that the slope is large. Intercepts carry none.
//!
//! Standard errors are the sandwich clustered by letter, times `sqrt(G / (G - 1))` for `G` letters, with Student's t on `G - 1`
//! degrees; with fewer than about twenty letters they are somewhat too small (Cameron & Miller 2015, section VI).
//!
//! Deliberately absent: choosing covariates, scaling them, and conditional likelihood (with tens of words per letter the bias
//! of estimated intercepts is a few per cent of a slope).

use serde::{Deserialize, Serialize};
use statrs::distribution::{ContinuousCDF, StudentsT};

use crate::error::{StatsError, require, require_finite};
use crate::interval::{MIN_LETTERS, require_level, t_quantile};

/// Newton steps; a dozen are usual.
const MAX_STEPS: usize = 200;
/// The largest change of a parameter at which the fit has converged.
const TOLERANCE: f64 = 1e-9;
/// A column of which the columns before it and the letters leave less than this share of its squares is a combination of them.
const COLLINEAR: f64 = 1e-8;

/// Rows of a regression within letters.
#[derive(Clone, Copy, Debug)]
pub struct LogisticRows<'a> {
    /// Covariates, `[rows, columns]`, row-major.
    pub x: &'a [f64],
    /// Number of covariates.
    pub columns: usize,
    /// Outcomes, `[rows]`.
    pub y: &'a [bool],
    /// Letter of each row, any numbers, `[rows]`.
    pub letter: &'a [usize],
}

/// How to fit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LogisticPlan {
    /// Ridge: half of it times the squared slopes is taken from the log-likelihood.
    pub ridge: f64,
    /// A slope beyond this, in either direction, is marked as separated.
    pub separated: f64,
    /// Level of the intervals.
    pub level: f64,
}

impl Default for LogisticPlan {
    /// For covariates with a standard deviation of 1: the ridge of a normal prior whose standard deviation is 10, and a mark
    /// where one standard deviation multiplies the odds by more than 400.
    fn default() -> Self {
        Self {
            ridge: 0.01,
            separated: 6.0,
            level: crate::interval::DEFAULT_LEVEL,
        }
    }
}

/// A slope.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Slope {
    /// Log-odds per unit of the covariate.
    pub value: f64,
    /// Standard error, clustered by letter.
    pub standard_error: f64,
    /// Lower limit.
    pub lo: f64,
    /// Upper limit.
    pub hi: f64,
    /// Two-sided p-value of no slope.
    pub p: f64,
    /// Whether it is so large that the ridge holds it: the covariate separates the outcomes, or nearly.
    pub separated: bool,
}

/// A fitted regression.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LogisticWithin {
    /// One per covariate.
    pub slopes: Vec<Slope>,
    /// Rows used.
    pub rows: usize,
    /// Letters used.
    pub letters: usize,
    /// Letters left out because all their outcomes agree.
    pub uniform: Vec<usize>,
}

/// Columns that vary within letters and are no combination of the columns before them, over rows whose letter has both outcomes.
///
/// # Errors
/// As [`logistic_within`], the check of columns aside.
pub fn usable_columns(rows: LogisticRows<'_>) -> Result<Vec<usize>, StatsError> {
    let used = Used::new(rows)?;
    let mut basis: Vec<Vec<f64>> = Vec::new();
    let mut kept = Vec::new();
    for column in 0..rows.columns {
        let mut left = used.centred(column);
        let scale: f64 = used
            .rows
            .iter()
            .map(|&row| rows.x[row * rows.columns + column].powi(2))
            .sum();
        // Twice, as one pass of Gram-Schmidt loses digits where columns are nearly parallel.
        for _ in 0..2 {
            for other in &basis {
                let dot: f64 = left.iter().zip(other).map(|(a, b)| a * b).sum();
                for (value, b) in left.iter_mut().zip(other) {
                    *value -= dot * b;
                }
            }
        }
        let square: f64 = left.iter().map(|v| v * v).sum();
        if square > COLLINEAR * scale {
            let length = square.sqrt();
            basis.push(left.iter().map(|v| v / length).collect());
            kept.push(column);
        }
    }
    Ok(kept)
}

/// Fits the regression.
///
/// # Errors
/// Lengths disagree, a covariate is not finite, too few letters have both outcomes (at least [`MIN_LETTERS`], and more than
/// there are covariates), a column is no use (see [`usable_columns`]), a setting is out of range, or the fit does not converge.
pub fn logistic_within(rows: LogisticRows<'_>, plan: &LogisticPlan) -> Result<LogisticWithin, StatsError> {
    require_level(plan.level)?;
    require(plan.ridge > 0.0 && plan.ridge.is_finite(), "ridge", plan.ridge)?;
    let used = Used::new(rows)?;
    let needed = MIN_LETTERS.max(rows.columns + 1);
    if used.letters.len() < needed {
        return Err(StatsError::TooFewLetters {
            found: used.letters.len(),
            needed,
        });
    }
    let usable = usable_columns(rows)?;
    if let Some(column) = (0..rows.columns).find(|column| !usable.contains(column)) {
        return Err(StatsError::Collinear { column });
    }
    let parameters = used.fit(plan.ridge)?;
    let bread = inverse(used.derivatives(&parameters, plan.ridge).1, parameters.len());
    let meat = used.meat(&parameters);
    let clusters = used.letters.len() as f64;
    let student = StudentsT::new(0.0, 1.0, clusters - 1.0).map_err(|_| StatsError::OutOfRange {
        name: "degrees of freedom",
        value: clusters - 1.0,
    })?;
    let quantile = t_quantile(used.letters.len() - 1, plan.level);
    let n = parameters.len();
    let slopes = (used.letters.len()..n).map(|i| {
        let row = &bread[i * n..(i + 1) * n];
        let variance: f64 = (0..n)
            .flat_map(|a| (0..n).map(move |b| (a, b)))
            .map(|(a, b)| row[a] * meat[a * n + b] * row[b])
            .sum();
        let standard_error = (variance * clusters / (clusters - 1.0)).max(0.0).sqrt();
        let value = parameters[i];
        let p = if standard_error > 0.0 {
            2.0 * student.sf((value / standard_error).abs())
        } else {
            1.0
        };
        Slope {
            value,
            standard_error,
            lo: value - quantile * standard_error,
            hi: value + quantile * standard_error,
            p: p.clamp(0.0, 1.0),
            separated: value.abs() > plan.separated,
        }
    });
    Ok(LogisticWithin {
        slopes: slopes.collect(),
        rows: used.rows.len(),
        letters: used.letters.len(),
        uniform: used.uniform.clone(),
    })
}

/// Rows whose letter has both outcomes. Parameters are the letters' intercepts, then the slopes.
struct Used<'a> {
    of: LogisticRows<'a>,
    rows: Vec<usize>,
    letters: Vec<usize>,
    uniform: Vec<usize>,
    /// Position in `letters` of each used row.
    place: Vec<usize>,
}

impl<'a> Used<'a> {
    fn new(of: LogisticRows<'a>) -> Result<Self, StatsError> {
        let n = of.y.len();
        for found in [of.letter.len(), of.x.len() / of.columns.max(1)] {
            if found != n || of.x.len() != n * of.columns {
                return Err(StatsError::LengthMismatch { expected: n, found });
            }
        }
        require_finite(of.x)?;
        let mut seen: std::collections::BTreeMap<usize, [bool; 2]> = std::collections::BTreeMap::new();
        for (&letter, &y) in of.letter.iter().zip(of.y) {
            seen.entry(letter).or_default()[usize::from(y)] = true;
        }
        let both = |outcomes: &[bool; 2]| outcomes[0] && outcomes[1];
        let letters: Vec<usize> = seen.iter().filter(|(_, o)| both(o)).map(|(&l, _)| l).collect();
        let uniform = seen.iter().filter(|(_, o)| !both(o)).map(|(&l, _)| l).collect();
        let (rows, place) = (0..n)
            .filter_map(|row| Some((row, letters.binary_search(&of.letter[row]).ok()?)))
            .unzip();
        Ok(Self {
            of,
            rows,
            letters,
            uniform,
            place,
        })
    }

    fn x(&self, row: usize) -> &[f64] {
        &self.of.x[row * self.of.columns..(row + 1) * self.of.columns]
    }

    /// A column less its mean within each letter, `[used rows]`.
    fn centred(&self, column: usize) -> Vec<f64> {
        let mut sums = vec![[0.0f64; 2]; self.letters.len()];
        for (&row, &place) in self.rows.iter().zip(&self.place) {
            sums[place][0] += self.x(row)[column];
            sums[place][1] += 1.0;
        }
        let centre = |(&row, &place): (&usize, &usize)| self.x(row)[column] - sums[place][0] / sums[place][1];
        self.rows.iter().zip(&self.place).map(centre).collect()
    }

    fn log_odds(&self, parameters: &[f64], i: usize) -> f64 {
        let slopes = &parameters[self.letters.len()..];
        parameters[self.place[i]] + self.x(self.rows[i]).iter().zip(slopes).map(|(x, b)| x * b).sum::<f64>()
    }

    /// Log-likelihood less the penalty.
    fn objective(&self, parameters: &[f64], ridge: f64) -> f64 {
        let likelihood: f64 = (0..self.rows.len())
            .map(|i| {
                let eta = self.log_odds(parameters, i);
                let signed = if self.of.y[self.rows[i]] { eta } else { -eta };
                // ln sigmoid without overflow.
                signed.min(0.0) - (-signed.abs()).exp().ln_1p()
            })
            .sum();
        let slopes = &parameters[self.letters.len()..];
        likelihood - 0.5 * ridge * slopes.iter().map(|b| b * b).sum::<f64>()
    }

    /// Gradient of the objective, `[n]`, and its negative Hessian, `[n, n]`.
    fn derivatives(&self, parameters: &[f64], ridge: f64) -> (Vec<f64>, Vec<f64>) {
        let (n, letters) = (parameters.len(), self.letters.len());
        let (mut gradient, mut hessian) = (vec![0.0; n], vec![0.0; n * n]);
        for (i, (&row, &place)) in self.rows.iter().zip(&self.place).enumerate() {
            let p = sigmoid(self.log_odds(parameters, i));
            let residual = f64::from(u8::from(self.of.y[row])) - p;
            let weight = p * (1.0 - p);
            let x = self.x(row);
            gradient[place] += residual;
            hessian[place * n + place] += weight;
            for (a, &xa) in x.iter().enumerate() {
                gradient[letters + a] += residual * xa;
                hessian[place * n + letters + a] += weight * xa;
                hessian[(letters + a) * n + place] += weight * xa;
                for (b, &xb) in x.iter().enumerate() {
                    hessian[(letters + a) * n + letters + b] += weight * xa * xb;
                }
            }
        }
        for i in letters..n {
            gradient[i] -= ridge * parameters[i];
            hessian[i * n + i] += ridge;
        }
        (gradient, hessian)
    }

    fn fit(&self, ridge: f64) -> Result<Vec<f64>, StatsError> {
        let n = self.letters.len() + self.of.columns;
        let mut parameters = vec![0.0; n];
        let mut at = self.objective(&parameters, ridge);
        for _ in 0..MAX_STEPS {
            let (gradient, hessian) = self.derivatives(&parameters, ridge);
            let bread = inverse(hessian, n);
            let step: Vec<f64> = bread
                .chunks_exact(n)
                .map(|row| row.iter().zip(&gradient).map(|(a, g)| a * g).sum())
                .collect();
            // Halved until the objective does not fall: far from the solution a full step overshoots.
            let mut size = 1.0;
            let next = loop {
                let next: Vec<f64> = parameters.iter().zip(&step).map(|(p, s)| p + size * s).collect();
                let value = self.objective(&next, ridge);
                if value >= at - 1e-12 * at.abs() || size < 1e-8 {
                    at = value;
                    break next;
                }
                size *= 0.5;
            };
            let moved = next
                .iter()
                .zip(&parameters)
                .map(|(a, b)| (a - b).abs())
                .fold(0.0, f64::max);
            parameters = next;
            if moved < TOLERANCE {
                return Ok(parameters);
            }
        }
        Err(StatsError::NotConverged { steps: MAX_STEPS })
    }

    /// Sum over letters of the outer product of the letter's score, `[n, n]`.
    fn meat(&self, parameters: &[f64]) -> Vec<f64> {
        let (n, letters) = (parameters.len(), self.letters.len());
        let mut scores = vec![vec![0.0; n]; letters];
        for (i, (&row, &place)) in self.rows.iter().zip(&self.place).enumerate() {
            let residual = f64::from(u8::from(self.of.y[row])) - sigmoid(self.log_odds(parameters, i));
            scores[place][place] += residual;
            for (a, &xa) in self.x(row).iter().enumerate() {
                scores[place][letters + a] += residual * xa;
            }
        }
        let mut meat = vec![0.0; n * n];
        for score in &scores {
            for (a, sa) in score.iter().enumerate() {
                for (b, sb) in score.iter().enumerate() {
                    meat[a * n + b] += sa * sb;
                }
            }
        }
        meat
    }
}

fn sigmoid(x: f64) -> f64 {
    if x >= 0.0 {
        1.0 / (1.0 + (-x).exp())
    } else {
        x.exp() / (1.0 + x.exp())
    }
}

/// Inverse of a positive definite matrix by Gauss-Jordan elimination without pivoting, which such a matrix does not need.
/// A pivot that rounding has made too small is raised, so that the result is finite.
fn inverse(mut a: Vec<f64>, n: usize) -> Vec<f64> {
    let largest = (0..n).map(|i| a[i * n + i]).fold(0.0, f64::max);
    let mut out = vec![0.0; n * n];
    for i in 0..n {
        out[i * n + i] = 1.0;
    }
    for i in 0..n {
        let pivot = a[i * n + i].max(1e-14 * largest).max(f64::MIN_POSITIVE);
        for j in 0..n {
            a[i * n + j] /= pivot;
            out[i * n + j] /= pivot;
        }
        for k in (0..n).filter(|&k| k != i) {
            let factor = a[k * n + i];
            for j in 0..n {
                a[k * n + j] -= factor * a[i * n + j];
                out[k * n + j] -= factor * out[i * n + j];
            }
        }
    }
    out
}
