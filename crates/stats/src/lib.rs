//! Intervals, paired tests and multiplicity corrections with the letter as the unit of inference.
//!
//! A score of this benchmark is a macro mean over letters (at most 26 of them), and its words are
//! clustered by letter: an interval that treats words as independent covers the truth in a third
//! to two thirds of all cases instead of 95 %. Everything here therefore takes one value,
//! or one list of rows, *per letter*:
//!
//! - [`letter_t`]: the t interval of one value per letter;
//! - [`cluster_bootstrap`]: the letter-clustered bootstrap-t, in which ratios are recomputed from
//!   resampled words; the headline interval;
//! - [`sign_flip`]: the paired comparison of two methods on the same letters;
//! - [`benjamini_hochberg`], [`max_t`]: multiplicity within a declared family;
//! - [`reliability`], [`facets`]: how much of a score is the draw of its seeds, and which
//!   differences are too small to mean anything;
//! - [`product_limit`]: sizes that some letters never reach, with censoring;
//! - [`logistic_within`]: what an outcome of words depends on within letters;
//! - [`PairedDesign`], [`power_table`], [`words_needed`]: what a comparison of a given size can see;
//! - [`simulate`]: panels with known truth, to check that all of the above is right;
//! - [`seed`]: the one way to get randomness anywhere in the workspace.
//!
//! A quantity that the data cannot support (fewer than [`MIN_LETTERS`] letters, no variance, a
//! zero denominator) is a [`StatsError`], never a NaN.
//!
//! # Invariants
//! - No burn, no file, no clock, no global state; all arithmetic is f64 with sums in a fixed order.
//! - A result depends on its inputs and its seed, never on the number of threads.
//!
//! Deliberately absent: word-level standard errors (except as the counterexample in [`simulate`]), the normal approximation, and classification
//! scores (F1, AUC), which belong to the probes.

pub mod seed;
pub mod simulate;

mod anova;
mod bootstrap;
mod error;
mod facets;
mod interval;
mod logistic;
mod multiplicity;
mod power;
mod reliability;
mod resample;
mod sign_flip;
mod summary;
mod survival;

pub use anova::{MIN_ITEMS, MIN_REPLICATES};
pub use bootstrap::{
    BootstrapConfig, ClusterBootstrap, DEFAULT_REPLICATES, LetterRows, MetricBootstrap, cluster_bootstrap,
};
pub use error::StatsError;
pub use facets::{Facet, FacetTable, FacetsReport, Plan, facets};
pub use interval::{DEFAULT_LEVEL, Interval, IntervalMethod, MIN_LETTERS, letter_t};
pub use logistic::{LogisticPlan, LogisticRows, LogisticWithin, Slope, logistic_within, usable_columns};
pub use multiplicity::{benjamini_hochberg, max_t};
pub use power::{PairedDesign, PowerRow, SaeSeeds, power_table, words_needed};
pub use reliability::{Design, Estimate, MDD_FACTOR, Reliability, VarianceComponents, reliability};
pub use sign_flip::{DEFAULT_FLIPS, EXACT_LETTERS, SignFlip, sign_flip};
pub use summary::{mean, quantile, sd};
pub use survival::{Observation, RestrictedMean, Step, Survival, product_limit};
