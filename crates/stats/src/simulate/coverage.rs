//! How often intervals hold the planted truth.
//!
//! Deliberately absent: thresholds; the caller decides what coverage is good enough.

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::panel::{Panel, PanelModel, panel_metrics};
use super::word_level::{pooled_words, within_letters};
use crate::bootstrap::{BootstrapConfig, cluster_bootstrap};
use crate::error::StatsError;
use crate::seed;

/// How to count coverage.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CoverageConfig {
    /// Panels drawn; the standard error of a coverage near .95 is .005 with 2,000.
    pub panels: usize,
    /// Bootstrap replicates per panel. Interpolated quantiles of `B` replicates leave about
    /// `1 / B` too much in each tail: 400 lower the coverage by .005, 40 by .05.
    pub replicates: usize,
    /// Nominal coverage.
    pub level: f64,
    /// Seed of the run.
    pub seed: u64,
}

/// Shares of panels whose interval holds the truth. Arrays are mediated share, damage share and
/// their product, with letters at random.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Coverage {
    /// Student t over letters.
    pub letter_t: [f64; 3],
    /// Letter-clustered bootstrap-t.
    pub bootstrap_t: [f64; 3],
    /// Quantiles of the letter-clustered bootstrap.
    pub percentile: [f64; 3],
    /// Mediated share, all words in one ratio: wrong.
    pub pooled_words: f64,
    /// Mediated share, word noise within letters: wrong for letters at random.
    pub within_letters: f64,
    /// The same interval for the true mean of the very letters drawn: right, which shows that it
    /// fails above for want of the variance between letters and nothing else.
    pub within_letters_of_these: f64,
}

/// Counts coverage over panels drawn from `model`.
///
/// Time is proportional to `panels * replicates * rows`: 2,000 panels of the benchmark's size with
/// 1,000 replicates take about 10 s on one core.
///
/// # Errors
/// A parameter of the model out of range, no panels, or what [`cluster_bootstrap`] refuses.
pub fn coverage(model: &PanelModel, config: &CoverageConfig) -> Result<Coverage, StatsError> {
    model.check()?;
    if config.panels == 0 {
        return Err(StatsError::NoDraws);
    }
    let hits = (0..config.panels)
        .into_par_iter()
        .map(|index| {
            let seed = seed::sub_seed(config.seed, &format!("simulate/coverage/panel={index}"));
            hits_of(model, &model.panel(seed)?, config, seed)
        })
        .collect::<Result<Vec<_>, _>>()?;
    let share = |hit: &dyn Fn(&Hits) -> bool| hits.iter().filter(|hits| hit(hits)).count() as f64 / hits.len() as f64;
    let shares = |hit: fn(&Hits) -> [bool; 3]| [0, 1, 2].map(|metric| share(&|hits| hit(hits)[metric]));
    Ok(Coverage {
        letter_t: shares(|hits| hits.letter_t),
        bootstrap_t: shares(|hits| hits.bootstrap_t),
        percentile: shares(|hits| hits.percentile),
        pooled_words: share(&|hits| hits.pooled_words),
        within_letters: share(&|hits| hits.within_letters),
        within_letters_of_these: share(&|hits| hits.within_letters_of_these),
    })
}

/// Whether the intervals of one panel hold the truth.
#[derive(Default)]
struct Hits {
    letter_t: [bool; 3],
    bootstrap_t: [bool; 3],
    percentile: [bool; 3],
    pooled_words: bool,
    within_letters: bool,
    within_letters_of_these: bool,
}

fn hits_of(model: &PanelModel, panel: &Panel, config: &CoverageConfig, seed: u64) -> Result<Hits, StatsError> {
    let truth = model.truth();
    let bootstrap = BootstrapConfig {
        level: config.level,
        replicates: config.replicates,
        seed,
    };
    let mut hits = Hits::default();
    let result = cluster_bootstrap(&panel.letters, panel_metrics, &bootstrap)?;
    for (metric, outcome) in result.metrics.into_iter().enumerate() {
        let outcome = outcome?;
        hits.letter_t[metric] = outcome.letter_t.contains(truth[metric]);
        hits.bootstrap_t[metric] = outcome.bootstrap_t.contains(truth[metric]);
        hits.percentile[metric] = outcome.percentile.contains(truth[metric]);
    }
    let words: Vec<&[[f64; 2]]> = panel.letters.iter().map(|rows| rows.groups[0].as_slice()).collect();
    let of_these = panel.truth.iter().map(|truth| truth[0]).sum::<f64>() / panel.truth.len() as f64;
    let within = within_letters(&words, config.level);
    hits.pooled_words = pooled_words(&words, config.level).contains(truth[0]);
    hits.within_letters = within.contains(truth[0]);
    hits.within_letters_of_these = within.contains(of_these);
    Ok(hits)
}
