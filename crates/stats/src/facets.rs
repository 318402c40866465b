//! Several sources of randomness, each redrawn alone: which one moves a score most, and how many
//! redraws of each a plan needs.
//!
//! The noise variances of the sources add up to the noise of a full rerun if the sources do not
//! interact; a table in which all are redrawn jointly ([`crate::reliability`]) shows whether they do.
//!
//! Deliberately absent: interactions between sources, which would need a factorial of reruns.

use serde::{Deserialize, Serialize};

use crate::error::{StatsError, require};
use crate::reliability::{Design, MDD_FACTOR, Reliability, reliability};

/// Scores under redraws of one source, all others held.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FacetTable<'a> {
    /// What is redrawn, for example `"word split"`.
    pub name: &'a str,
    /// `[items, replicates]`.
    pub scores: &'a [Vec<f64>],
    /// How replicates relate to items.
    pub design: Design,
}

/// One source of [`FacetsReport`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Facet {
    /// What is redrawn.
    pub name: String,
    /// Its reliability.
    pub reliability: Reliability,
    /// Its share of the noise variance of all sources; zero if there is no noise at all.
    pub share: f64,
}

/// Result of [`facets`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FacetsReport {
    /// In the order given.
    pub facets: Vec<Facet>,
    /// What a plan of one redraw of each source gives.
    pub single: Plan,
}

/// What a number of redraws per source gives.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// `sqrt(sum_f sem_f^2 / m_f)`, in score units.
    pub sem: f64,
    /// [`MDD_FACTOR`] `* sem`.
    pub mdd: f64,
    /// Generalisability: `item / (item + sem^2)`, with the item variance averaged over the tables.
    pub generalisability: f64,
}

/// Reliability under each source of randomness, and under all together.
///
/// # Errors
/// No table, or what [`reliability`] refuses.
pub fn facets(tables: &[FacetTable<'_>], level: f64) -> Result<FacetsReport, StatsError> {
    if tables.is_empty() {
        return Err(StatsError::Empty);
    }
    let mut facets = tables
        .iter()
        .map(|table| {
            Ok(Facet {
                name: table.name.to_owned(),
                reliability: reliability(table.scores, table.design, level)?,
                share: 0.0,
            })
        })
        .collect::<Result<Vec<_>, StatsError>>()?;
    let single = plan_of(&facets, &vec![1; facets.len()]);
    let noise = single.sem.powi(2);
    if noise > 0.0 {
        for facet in &mut facets {
            facet.share = facet.reliability.sem.value.powi(2) / noise;
        }
    }
    Ok(FacetsReport { facets, single })
}

impl FacetsReport {
    /// What averaging over `replicates[f]` redraws of source `f` gives.
    ///
    /// # Errors
    /// A number of redraws for each source is needed, each at least 1.
    pub fn plan(&self, replicates: &[usize]) -> Result<Plan, StatsError> {
        if replicates.len() != self.facets.len() {
            return Err(StatsError::LengthMismatch {
                expected: self.facets.len(),
                found: replicates.len(),
            });
        }
        for &count in replicates {
            require(count > 0, "number of redraws", count as f64)?;
        }
        Ok(plan_of(&self.facets, replicates))
    }
}

fn plan_of(facets: &[Facet], replicates: &[usize]) -> Plan {
    let noise: f64 = facets
        .iter()
        .zip(replicates)
        .map(|(facet, &count)| facet.reliability.sem.value.powi(2) / count as f64)
        .sum();
    let item = facets
        .iter()
        .map(|facet| facet.reliability.components.item)
        .sum::<f64>()
        / facets.len() as f64;
    let item = item.max(0.0);
    let sem = noise.sqrt();
    Plan {
        sem,
        mdd: MDD_FACTOR * sem,
        // No item variance and no noise: every table was refused as constant, so never 0 / 0.
        generalisability: item / (item + noise),
    }
}
