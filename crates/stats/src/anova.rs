//! Mean squares of a complete table of scores, items by replicates.
//!
//! Deliberately absent: tables with holes, and more than two factors at once (each source of
//! randomness is redrawn in a table of its own).

use crate::error::{StatsError, require_finite};
use crate::summary::{mean_unchecked, sd_unchecked};

/// Fewest items (rows) of a table.
pub const MIN_ITEMS: usize = 3;

/// Fewest replicates (columns) of a table.
pub const MIN_REPLICATES: usize = 2;

/// Mean squares in the squared unit of the scores, exactly zero where they are rounding error.
#[derive(Clone, Copy, Debug)]
pub(crate) struct MeanSquares {
    /// Rows `n` and columns `k`.
    pub(crate) n: f64,
    pub(crate) k: f64,
    /// Mean of all scores.
    pub(crate) mean: f64,
    /// Between items, `n - 1` degrees.
    pub(crate) items: f64,
    /// Between replicates, `k - 1` degrees.
    pub(crate) replicates: f64,
    /// What neither margin explains, `(n - 1)(k - 1)` degrees.
    pub(crate) residual: f64,
    /// Within items, `n (k - 1)` degrees.
    pub(crate) within: f64,
}

/// Two-way decomposition without interaction of `[items, replicates]` scores.
pub(crate) fn mean_squares(scores: &[Vec<f64>]) -> Result<MeanSquares, StatsError> {
    check(scores)?;
    let (rows, columns) = (scores.len(), scores[0].len());
    let (n, k) = (rows as f64, columns as f64);
    let row_means: Vec<f64> = scores.iter().map(|row| mean_unchecked(row)).collect();
    let column_means: Vec<f64> = (0..columns)
        .map(|column| scores.iter().map(|row| row[column]).sum::<f64>() / n)
        .collect();
    let mean = mean_unchecked(&row_means);
    let largest = scores.iter().flatten().fold(0.0_f64, |most, x| most.max(x.abs()));
    // Sums of deviations rather than differences of sums of squares, which would cancel.
    let mut squares = 0.0;
    for (row, row_mean) in scores.iter().zip(&row_means) {
        for (score, column_mean) in row.iter().zip(&column_means) {
            squares += (score - row_mean - column_mean + mean).powi(2);
        }
    }
    let clean = |value: f64| if value.sqrt() <= 1e-12 * largest { 0.0 } else { value };
    let items = clean(k * sd_unchecked(&row_means, mean).powi(2));
    let replicates = clean(n * sd_unchecked(&column_means, mean).powi(2));
    let residual = clean(squares / ((n - 1.0) * (k - 1.0)));
    if items <= 0.0 && replicates <= 0.0 && residual <= 0.0 {
        return Err(StatsError::ConstantTable { value: mean });
    }
    Ok(MeanSquares {
        n,
        k,
        mean,
        items,
        replicates,
        residual,
        within: (replicates + (n - 1.0) * residual) / n,
    })
}

fn check(scores: &[Vec<f64>]) -> Result<(), StatsError> {
    let replicates = scores.first().map_or(0, Vec::len);
    if scores.len() < MIN_ITEMS || replicates < MIN_REPLICATES {
        return Err(StatsError::TooSmallTable {
            items: scores.len(),
            replicates,
            needed_items: MIN_ITEMS,
            needed_replicates: MIN_REPLICATES,
        });
    }
    for (item, row) in scores.iter().enumerate() {
        if row.len() != replicates {
            return Err(StatsError::RaggedTable {
                item,
                expected: replicates,
                found: row.len(),
            });
        }
        require_finite(row)?;
    }
    Ok(())
}
