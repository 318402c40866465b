//! Scores of items under redrawn seeds, with known variance components.
//!
//! Deliberately absent: effects that are not normal; the limits of ICC and SEM assume normal ones.

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::draw::normal;
use super::panel::require_sd;
use crate::error::StatsError;
use crate::reliability::{Design, Estimate, reliability};
use crate::seed;

/// A population of tables `score = item + replicate + residual`; SDs in score units.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ScoreModel {
    /// Rows.
    pub items: usize,
    /// Columns.
    pub replicates: usize,
    /// Whether the replicate effect is common to all items or drawn anew for each.
    pub design: Design,
    /// SD between items.
    pub item_sd: f64,
    /// SD between replicates.
    pub replicate_sd: f64,
    /// SD of the residual.
    pub residual_sd: f64,
}

impl ScoreModel {
    /// True standard error of measurement.
    #[must_use]
    pub fn sem(&self) -> f64 {
        self.replicate_sd.hypot(self.residual_sd)
    }

    /// True ICC of absolute agreement.
    #[must_use]
    pub fn icc(&self) -> f64 {
        let item = self.item_sd.powi(2);
        item / (item + self.sem().powi(2))
    }

    /// Draws `[items, replicates]` scores; the same `seed` gives the same table.
    ///
    /// # Errors
    /// An SD that is negative or not finite.
    pub fn table(&self, seed: u64) -> Result<Vec<Vec<f64>>, StatsError> {
        require_sd("SD between items", self.item_sd)?;
        require_sd("SD between replicates", self.replicate_sd)?;
        require_sd("SD of the residual", self.residual_sd)?;
        let mut rng = seed::rng(seed, "simulate/scores");
        let common: Vec<f64> = (0..self.replicates).map(|_| normal(&mut rng)).collect();
        let table = (0..self.items)
            .map(|_| {
                let item = self.item_sd * normal(&mut rng);
                common
                    .iter()
                    .map(|&common| {
                        let replicate = match self.design {
                            Design::Crossed => common,
                            Design::Nested => normal(&mut rng),
                        };
                        item + self.replicate_sd * replicate + self.residual_sd * normal(&mut rng)
                    })
                    .collect()
            })
            .collect();
        Ok(table)
    }
}

/// Shares of tables whose limits hold the truth, and the mean estimates.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct ReliabilityCoverage {
    /// Coverage of the ICC limits.
    pub icc: f64,
    /// Coverage of the SEM limits.
    pub sem: f64,
    /// Mean of the item component, which is unbiased.
    pub mean_item_variance: f64,
    /// Mean of the squared SEM, which is unbiased.
    pub mean_squared_sem: f64,
}

/// Counts coverage of the limits of [`reliability`] over `tables` tables drawn from `model`.
///
/// # Errors
/// No tables, an SD out of range, or what [`reliability`] refuses.
pub fn reliability_coverage(
    model: &ScoreModel,
    tables: usize,
    level: f64,
    seed: u64,
) -> Result<ReliabilityCoverage, StatsError> {
    if tables == 0 {
        return Err(StatsError::NoDraws);
    }
    let results = (0..tables)
        .into_par_iter()
        .map(|index| {
            let seed = seed::sub_seed(seed, &format!("simulate/reliability/table={index}"));
            reliability(&model.table(seed)?, model.design, level)
        })
        .collect::<Result<Vec<_>, _>>()?;
    let count = results.len() as f64;
    let holds = |estimate: &Estimate, truth: f64| estimate.lo <= truth && truth <= estimate.hi;
    Ok(ReliabilityCoverage {
        icc: results.iter().filter(|r| holds(&r.icc, model.icc())).count() as f64 / count,
        sem: results.iter().filter(|r| holds(&r.sem, model.sem())).count() as f64 / count,
        mean_item_variance: results.iter().map(|r| r.components.item).sum::<f64>() / count,
        mean_squared_sem: results.iter().map(|r| r.sem.value.powi(2)).sum::<f64>() / count,
    })
}
