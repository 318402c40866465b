//! Test-retest reliability of a score over redrawn seeds.
//!
//! A table holds one score per item (an SAE, or a letter of one SAE) and replicate (a redraw of one
//! source of randomness: prompt examples, word split, probe seed, selection seed, SAE seed). Its
//! variance is split into item, replicate and residual, and from these come
//!
//! - the intraclass correlation of *absolute agreement*: the share of the variance of one score
//!   that is between items. With [`Design::Crossed`] it is ICC(A,1) of `McGraw` & Wong 1996, which is
//!   ICC(2,1) of Shrout & Fleiss 1979; with [`Design::Nested`] it is ICC(1,1) of both;
//! - the standard error of measurement (SEM), the SD of one item's score over redraws;
//! - the minimum detectable difference (MDD): two scores that differ by less are not
//!   distinguishable from one item scored twice.
//!
//! Components are the unbiased estimates from mean squares and may be slightly negative where the
//! variance is near zero; they are not cut off at zero, so that averages over tables stay right.
//!
//! Deliberately absent: consistency as the headline (ranks under one seed say nothing about the
//! next seed; [`Reliability::consistency`] is for comparison with other papers), likelihood-based
//! components, and tables with holes.

use serde::{Deserialize, Serialize};
use statrs::distribution::{ChiSquared, ContinuousCDF, FisherSnedecor};

use crate::anova::{MeanSquares, mean_squares};
use crate::error::StatsError;
use crate::interval::require_level;

/// Turns the SEM of a score into the largest difference of two scores of one item that 95 % of
/// pairs stay below: `1.96 * sqrt(2)`.
pub const MDD_FACTOR: f64 = 1.96 * std::f64::consts::SQRT_2;

/// How replicates relate to items.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Design {
    /// Column `j` is the same redraw for every item (one prompt seed, all SAEs).
    Crossed,
    /// Every item has redraws of its own (training seeds of one SAE recipe).
    Nested,
}

/// A value with its confidence limits.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Estimate {
    /// Point estimate.
    pub value: f64,
    /// Lower limit.
    pub lo: f64,
    /// Upper limit.
    pub hi: f64,
}

/// Variance components of one score, in the squared unit of the scores.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct VarianceComponents {
    /// Between items.
    pub item: f64,
    /// Between replicates, a shift common to all items; absent if nested, where it is part of the
    /// residual.
    pub replicate: Option<f64>,
    /// What is left: items that react differently to a redraw.
    pub residual: f64,
}

/// Result of [`reliability`].
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Reliability {
    /// How replicates relate to items.
    pub design: Design,
    /// Rows of the table.
    pub items: usize,
    /// Columns of the table.
    pub replicates: usize,
    /// Nominal coverage of the limits below.
    pub level: f64,
    /// Mean of all scores.
    pub mean: f64,
    /// Variance components.
    pub components: VarianceComponents,
    /// ICC of absolute agreement of one score: `item / (item + replicate + residual)`.
    pub icc: Estimate,
    /// ICC of the mean over all replicates of the table (Spearman-Brown), cut off at zero.
    pub icc_mean: Estimate,
    /// ICC(C,1) = ICC(3,1): agreement up to a shift common to all items; absent if nested, or if
    /// there is nothing but that shift.
    pub consistency: Option<f64>,
    /// Standard error of measurement of one score, `sqrt(replicate + residual)`, in score units.
    pub sem: Estimate,
    /// Minimum detectable difference of two single scores, [`MDD_FACTOR`] `* sem`.
    pub mdd: Estimate,
    /// SD between items over SEM; absent where the SEM is zero.
    pub signal_to_noise: Option<f64>,
}

impl Reliability {
    /// SEM of the mean of `replicates` redraws, in score units.
    #[must_use]
    pub fn sem_of_mean(&self, replicates: usize) -> f64 {
        self.sem.value / (replicates.max(1) as f64).sqrt()
    }

    /// Minimum detectable difference of two means of `replicates` redraws each.
    #[must_use]
    pub fn mdd_of_mean(&self, replicates: usize) -> f64 {
        MDD_FACTOR * self.sem_of_mean(replicates)
    }

    /// The same for two items scored under the *same* redraws, where the common shift cancels;
    /// absent if nested. A residual estimated below zero counts as zero.
    #[must_use]
    pub fn mdd_under_same_seeds(&self, replicates: usize) -> Option<f64> {
        let residual = self.components.replicate.map(|_| self.components.residual.max(0.0))?;
        Some(MDD_FACTOR * (residual / replicates.max(1) as f64).sqrt())
    }

    /// ICC of the mean of `replicates` redraws (Spearman-Brown): the generalisability coefficient
    /// of a plan with that many; zero where the estimate is negative.
    #[must_use]
    pub fn icc_of_mean(&self, replicates: usize) -> f64 {
        spearman_brown(self.icc.value, replicates.max(1) as f64)
    }

    /// Whether two scores, each a mean of `replicates` redraws, differ by more than redraws do.
    #[must_use]
    pub fn distinguishable(&self, a: f64, b: f64, replicates: usize) -> bool {
        (a - b).abs() > self.mdd_of_mean(replicates)
    }
}

/// Variance components, ICC, SEM and MDD of a table of scores.
///
/// Limits of the ICC: exact F limits if nested, the Satterthwaite approximation of `McGraw` & Wong
/// 1996 (table 7) if crossed, which covers 93 to 95 % in small tables. Limits of SEM and MDD:
/// chi-square if nested, Graybill & Wang 1980 if crossed. They assume normal effects. The MDD is a
/// 95 % bound whatever the `level`.
///
/// A table whose rows are constant (a redraw that changes nothing) has SEM 0 and ICC 1, limits
/// included.
///
/// # Shapes
/// - `scores`: `[items, replicates]`, one score per cell, in any unit
///
/// # Errors
/// Fewer than [`crate::MIN_ITEMS`] items or [`crate::MIN_REPLICATES`] replicates, rows of different
/// length, a score that is not finite, all scores equal, or a level outside `(0, 1)`.
pub fn reliability(scores: &[Vec<f64>], design: Design, level: f64) -> Result<Reliability, StatsError> {
    require_level(level)?;
    let squares = mean_squares(scores)?;
    let MeanSquares { n, k, .. } = squares;
    // Variance of one score over redraws.
    let noise = squares.within;
    let components = match design {
        Design::Crossed => VarianceComponents {
            item: (squares.items - squares.residual) / k,
            replicate: Some((squares.replicates - squares.residual) / n),
            residual: squares.residual,
        },
        Design::Nested => VarianceComponents {
            item: (squares.items - squares.within) / k,
            replicate: None,
            residual: squares.within,
        },
    };
    let icc = if noise > 0.0 {
        let value = components.item / (components.item + noise);
        match design {
            Design::Crossed => crossed_limits(&squares, value, level),
            Design::Nested => nested_limits(&squares, value, level),
        }
    } else {
        Estimate {
            value: 1.0,
            lo: 1.0,
            hi: 1.0,
        }
    };
    let sem = match design {
        Design::Crossed => sem_limits(
            &[
                (squares.replicates / n, k - 1.0),
                (squares.residual * (n - 1.0) / n, (n - 1.0) * (k - 1.0)),
            ],
            level,
        ),
        Design::Nested => sem_limits(&[(squares.within, n * (k - 1.0))], level),
    };
    let without_shift = components.item + components.residual;
    let consistency = (components.replicate.is_some() && without_shift > 0.0).then(|| components.item / without_shift);
    Ok(Reliability {
        design,
        items: scores.len(),
        replicates: scores[0].len(),
        level,
        mean: squares.mean,
        components,
        icc,
        icc_mean: icc.map(|icc| spearman_brown(icc, k)),
        consistency,
        sem,
        mdd: sem.map(|sem| MDD_FACTOR * sem),
        signal_to_noise: (noise > 0.0).then(|| (components.item.max(0.0) / noise).sqrt()),
    })
}

impl Estimate {
    /// Applies an increasing function to the value and its limits.
    fn map(self, f: impl Fn(f64) -> f64) -> Self {
        Self {
            value: f(self.value),
            lo: f(self.lo),
            hi: f(self.hi),
        }
    }
}

/// Reliability of a mean of `k` scores, each of reliability `icc`. Below zero the formula has a pole
/// and no meaning: what does not tell items apart once is taken not to do so on average.
fn spearman_brown(icc: f64, k: f64) -> f64 {
    let icc = icc.max(0.0);
    k * icc / (1.0 + (k - 1.0) * icc)
}

/// Degrees of freedom of `a * replicates + b * residual` (Satterthwaite 1946).
fn satterthwaite(squares: &MeanSquares, a: f64, b: f64) -> f64 {
    let (of_replicates, of_residual) = (squares.k - 1.0, (squares.n - 1.0) * (squares.k - 1.0));
    let (x, y) = (a * squares.replicates, b * squares.residual);
    let denominator = x * x / of_replicates + y * y / of_residual;
    if denominator > 0.0 {
        (x + y).powi(2) / denominator
    } else {
        of_residual
    }
}

/// Limits of the root of a sum of mean squares, each given as (weighted value, degrees): the
/// modified large-sample limits of Graybill & Wang 1980. With one term they are the exact
/// chi-square limits; with two they cover better than Satterthwaite's where few replicates carry
/// most of the noise.
fn sem_limits(terms: &[(f64, f64)], level: f64) -> Estimate {
    let (mut noise, mut down, mut up) = (0.0, 0.0, 0.0);
    for &(value, freedom) in terms {
        let chi = ChiSquared::new(freedom).expect("at least one degree of freedom");
        noise += value;
        down += (value * (1.0 - freedom / chi.inverse_cdf(f64::midpoint(1.0, level)))).powi(2);
        up += (value * (freedom / chi.inverse_cdf((1.0 - level) / 2.0) - 1.0)).powi(2);
    }
    Estimate {
        value: noise.sqrt(),
        // Each term of `down` is below `value^2`, so their root is below the sum of the values.
        lo: (noise - down.sqrt()).max(0.0).sqrt(),
        hi: (noise + up.sqrt()).sqrt(),
    }
}

/// Exact: `items / within` over its expectation is F with `n - 1` and `n (k - 1)` degrees.
fn nested_limits(squares: &MeanSquares, value: f64, level: f64) -> Estimate {
    let MeanSquares { n, k, .. } = *squares;
    let (above, below) = (n - 1.0, n * (k - 1.0));
    let ratio = squares.items / squares.within;
    let icc = |f: f64| (f - 1.0) / (f + k - 1.0);
    Estimate {
        value,
        lo: icc(ratio / f_quantile(above, below, level)),
        hi: icc(ratio * f_quantile(below, above, level)),
    }
}

/// `McGraw` & Wong 1996, table 7, case ICC(A,1).
fn crossed_limits(squares: &MeanSquares, value: f64, level: f64) -> Estimate {
    let MeanSquares {
        n,
        k,
        items,
        replicates,
        residual,
        ..
    } = *squares;
    // An estimate below zero would make a weight negative and the degrees of freedom meaningless.
    let rho = value.max(0.0);
    let a = k * rho / (n * (1.0 - rho));
    let b = 1.0 + k * rho * (n - 1.0) / (n * (1.0 - rho));
    let freedom = satterthwaite(squares, a, b);
    let noise = k * replicates + (k * n - k - n) * residual;
    let lower = f_quantile(n - 1.0, freedom, level);
    let upper = f_quantile(freedom, n - 1.0, level);
    Estimate {
        value,
        lo: n * (items - lower * residual) / (lower * noise + n * items),
        hi: n * (upper * items - residual) / (noise + n * upper * items),
    }
}

/// Upper limit of the central `level` of F.
fn f_quantile(above: f64, below: f64, level: f64) -> f64 {
    FisherSnedecor::new(above, below)
        .expect("positive degrees of freedom")
        .inverse_cdf(f64::midpoint(1.0, level))
}
