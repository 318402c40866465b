//! Letter-clustered bootstrap-t for macro means of per-letter statistics.
//!
//! The statistics of this benchmark are ratios of sums over words (mediated share, damage share)
//! and products of such ratios, so a replicate must recompute them from resampled words. Words of
//! a letter enter through *row groups*: the on-target words of a letter (`y = c`) and its
//! off-target rows (`y != c`) are different lists, drawn independently of each other.
//!
//! A replicate draws letters with replacement, then, anew for every drawn letter, the rows of each
//! of its groups. Resampling at two levels counts the noise of words twice; the studentised
//! statistic `t* = (theta* - theta) / se*` has the same excess in numerator and denominator and is
//! right, the percentile interval is given for reference only.
//!
//! Deliberately absent: selection inside the bootstrap (latents and layers are chosen on disjoint
//! words), bias-corrected intervals, and a level for prompts (average them per word first).

use std::array;

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::error::{StatsError, require_finite};
use crate::interval::{Interval, IntervalMethod, letter_t, require_letters, require_level};
use crate::resample::{Replicate, defined, plain_sum, replicates, spread};
use crate::seed;
use crate::summary::quantile_of_sorted;

/// Replicates of a headline interval.
pub const DEFAULT_REPLICATES: usize = 10_000;

/// Replicates that share one generator. Fixed, so that results do not depend on the thread count.
const CHUNK: usize = 64;

/// The rows of one letter: `G` independent groups of rows, each row `K` numbers to be summed (for
/// example numerator and denominator of a ratio).
#[derive(Clone, Debug, PartialEq)]
pub struct LetterRows<const G: usize, const K: usize> {
    /// `groups[g]`: `[rows_g, K]`.
    pub groups: [Vec<[f64; K]>; G],
}

/// How to bootstrap.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BootstrapConfig {
    /// Nominal coverage, for example [`crate::DEFAULT_LEVEL`].
    pub level: f64,
    /// Number of replicates, for example [`DEFAULT_REPLICATES`].
    pub replicates: usize,
    /// Seed of this interval: a [`seed::sub_seed`] with a name.
    pub seed: u64,
}

/// Intervals of the macro mean of one metric.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct MetricBootstrap {
    /// The headline interval.
    pub bootstrap_t: Interval,
    /// Quantiles of the replicates, for reference.
    pub percentile: Interval,
    /// Student t over the same per-letter values, to be shown next to the headline.
    pub letter_t: Interval,
    /// Standard error over letters, `sd / sqrt(letters)`.
    pub standard_error: f64,
    /// Replicates drawn.
    pub replicates: usize,
    /// Replicates left out: a drawn letter was undefined or all drawn letters agreed.
    pub undefined: usize,
}

/// Result of [`cluster_bootstrap`].
#[derive(Clone, Debug, PartialEq)]
pub struct ClusterBootstrap<const M: usize> {
    /// `[letters, M]`: the metrics of each letter on the observed rows.
    pub letters: Vec<[f64; M]>,
    /// One outcome per metric: a metric without variance does not take the others with it.
    pub metrics: [Result<MetricBootstrap, StatsError>; M],
}

/// Bootstraps the macro mean over letters of `M` metrics at once.
///
/// `statistic` turns the sums of a letter's row groups into its metrics, or `None` where they are
/// undefined (a zero denominator). The interval is
/// `[theta - q_hi(t*) se, theta - q_lo(t*) se]` with `t* = (theta* - theta) / se*` and `se` the
/// standard error over letters (Efron & Tibshirani 1993, section 12.5).
///
/// Time is proportional to `replicates * rows`: 26 letters x 100 rows x 10,000 replicates are 26
/// million draws, tens of milliseconds.
///
/// # Shapes
/// - `letters`: `[letters]`, each with `G` groups of `[rows, K]`
/// - `statistic`: `[G, K]` sums to `[M]` metrics
///
/// # Errors
/// Fewer than [`crate::MIN_LETTERS`] letters, an empty group, a value that is not finite, a letter
/// whose statistic is undefined as observed, a level outside `(0, 1)`, no replicates. Per metric:
/// no variance between letters, or more than a tenth of the replicates undefined.
pub fn cluster_bootstrap<const G: usize, const K: usize, const M: usize>(
    letters: &[LetterRows<G, K>],
    statistic: impl Fn(&[[f64; K]; G]) -> Option<[f64; M]> + Sync,
    config: &BootstrapConfig,
) -> Result<ClusterBootstrap<M>, StatsError> {
    check(letters, config)?;
    let observed = letters
        .iter()
        .enumerate()
        .map(|(letter, rows)| {
            let sums = array::from_fn(|group| plain_sum(&rows.groups[group]));
            defined(statistic(&sums)).ok_or(StatsError::UndefinedLetter { letter })
        })
        .collect::<Result<Vec<_>, _>>()?;
    let replicates: Vec<Option<Replicate<M>>> = (0..config.replicates.div_ceil(CHUNK))
        .into_par_iter()
        .flat_map_iter(|chunk| {
            let mut rng = seed::rng(config.seed, &format!("cluster-bootstrap/chunk={chunk}"));
            let count = CHUNK.min(config.replicates - chunk * CHUNK);
            replicates(letters, &statistic, count, &mut rng)
        })
        .collect();
    let metrics = array::from_fn(|metric| {
        let values: Vec<f64> = observed.iter().map(|row| row[metric]).collect();
        summarise(&values, replicates.iter().map(|r| r.map(|r| r[metric])), config)
    });
    Ok(ClusterBootstrap {
        letters: observed,
        metrics,
    })
}

/// Intervals of one metric from its per-letter values and its replicates.
fn summarise(
    values: &[f64],
    replicates: impl Iterator<Item = Option<(f64, f64)>>,
    config: &BootstrapConfig,
) -> Result<MetricBootstrap, StatsError> {
    let letter_t = letter_t(values, config.level)?;
    let root = (values.len() as f64).sqrt();
    let (theta, sd) = spread(values);
    let standard_error = sd / root;
    let (mut means, mut studentised) = (Vec::new(), Vec::new());
    for (mean, sd) in replicates.flatten().filter(|&(_, sd)| sd > 0.0) {
        means.push(mean);
        studentised.push((mean - theta) / (sd / root));
    }
    let undefined = config.replicates - means.len();
    if undefined * 10 > config.replicates {
        return Err(StatsError::TooManyUndefined {
            undefined,
            replicates: config.replicates,
        });
    }
    means.sort_unstable_by(f64::total_cmp);
    studentised.sort_unstable_by(f64::total_cmp);
    let tail = (1.0 - config.level) / 2.0;
    let interval = |lo, hi, method| Interval {
        lo,
        hi,
        method,
        ..letter_t
    };
    Ok(MetricBootstrap {
        bootstrap_t: interval(
            theta - quantile_of_sorted(&studentised, 1.0 - tail) * standard_error,
            theta - quantile_of_sorted(&studentised, tail) * standard_error,
            IntervalMethod::BootstrapT,
        ),
        percentile: interval(
            quantile_of_sorted(&means, tail),
            quantile_of_sorted(&means, 1.0 - tail),
            IntervalMethod::Percentile,
        ),
        letter_t,
        standard_error,
        replicates: config.replicates,
        undefined,
    })
}

fn check<const G: usize, const K: usize>(
    letters: &[LetterRows<G, K>],
    config: &BootstrapConfig,
) -> Result<(), StatsError> {
    require_letters(letters.len())?;
    require_level(config.level)?;
    if config.replicates == 0 {
        return Err(StatsError::NoDraws);
    }
    for (letter, rows) in letters.iter().enumerate() {
        for (group, rows) in rows.groups.iter().enumerate() {
            if rows.is_empty() {
                return Err(StatsError::EmptyGroup { letter, group });
            }
            require_finite(rows.as_flattened())?;
        }
    }
    Ok(())
}
