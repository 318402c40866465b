//! Data with known truth, to check intervals, tests and reliabilities by simulation.
//!
//! - [`PanelModel`]: letters with random rates and words with random effects, scored by ratios of
//!   sums as the benchmark scores them; [`coverage`] counts how often each interval holds the truth;
//! - [`PairedModel`]: two methods on the same words; [`rejections`] counts how often each test
//!   finds a difference, which is its size or its power;
//! - [`ScoreModel`]: scores of items under redrawn seeds; [`reliability_coverage`] checks the limits
//!   of ICC and SEM.
//!
//! The word-level intervals and the word-level test are here, and only here, as the counterexample:
//! they treat words as independent and are wrong for letters at random.
//!
//! Deliberately absent: a model, an SAE or a probe (that is the planted-truth validation of the
//! benchmark), and skewed letter effects beyond what a beta distribution gives.

mod coverage;
mod draw;
mod paired;
mod panel;
mod scores;
mod word_level;

pub use coverage::{Coverage, CoverageConfig, coverage};
pub use paired::{PairedModel, PairedPanel, Rejections, TestConfig, rejections};
pub use panel::{Panel, PanelModel, Rate, panel_metrics};
pub use scores::{ReliabilityCoverage, ScoreModel, reliability_coverage};
pub use word_level::{WordInterval, pooled_words, within_letters};
