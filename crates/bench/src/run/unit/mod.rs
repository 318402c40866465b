//! One unit of work: its arms, measured, scored and made into a record.

mod detection;
mod directions;
mod dose;
mod efficiency;
mod error_term;
mod full;
mod gap;
mod misread;
mod positions;
mod sae;
mod side;
mod text_dose;

use ::sae::SparseLatents;
use ablation::gap::Absorbed;
use ablation::{Arm, Bench, EffectRow, Measured, Remembered, score};
use store::Warning;

use super::args::RunArgs;
use super::plan::Plan;
use super::profile::Profile;
use super::side::SideStages;
use super::site::{Site, Stages};
use super::summary::Summary;

pub(crate) use directions::directions;
pub(crate) use efficiency::{GREEDY_KS, greedy_latents};
pub(crate) use full::{FULL_DIRECTION_ARMS, full_sae_arm_names};
pub(crate) use sae::of_sae;

/// Arms without an SAE, in the order of the table.
pub(crate) const DIRECTION_ARMS: [&str; 9] = [
    "null",
    "full-site",
    "random",
    "random-pca",
    "diff-mean",
    "lr",
    "lr-haufe",
    "leace-1",
    "leace-25",
];

/// Selection rules of one latent per letter; `oracle` sees the test words.
pub(crate) const RULES: [&str; 4] = ["cosine", "probe", "effect", "oracle"];

/// Directions that are one edit for all letters.
pub(crate) const LABEL_FREE_ARMS: [&str; 2] = ["lr-span", "leace-25u"];

/// Sets of latents that are one edit for all letters.
pub(crate) const LABEL_FREE_SAE: [&str; 2] = ["sae:26u:probe", "sae:26u:random"];

/// Set sizes of the k-curve.
pub(crate) const KS: [usize; 12] = [1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64];

/// Set sizes that `--arms full` adds.
pub(crate) const KS_FULL: [usize; 2] = [96, 128];

/// Name of the arm of one latent per letter chosen by a rule.
pub(crate) fn one_latent(rule: &str) -> String {
    format!("sae:k=1:{rule}")
}

/// Name of the arm of `k` latents per letter by exact effect.
pub(crate) fn k_latents(k: usize) -> String {
    format!("sae:k={k}")
}

/// Every arm of the unit without an SAE.
pub(crate) fn direction_arm_names(full: bool) -> Vec<String> {
    let more = FULL_DIRECTION_ARMS.iter().filter(|_| full);
    DIRECTION_ARMS
        .iter()
        .chain(&LABEL_FREE_ARMS)
        .chain(more)
        .map(ToString::to_string)
        .collect()
}

/// Every arm of an SAE's unit; those of `--arms full` with `full`.
pub(crate) fn sae_arm_names(full: bool) -> Vec<String> {
    let rules = RULES.iter().map(|rule| one_latent(rule));
    let curve = efficiency::sizes(full).into_iter().skip(1).map(k_latents);
    let greedy: &[usize] = if full { &GREEDY_KS } else { &[] };
    rules
        .chain(["sae:random", "sae:other-letter"].map(str::to_owned))
        .chain(curve)
        .chain(LABEL_FREE_SAE.map(str::to_owned))
        .chain([Absorbed::FULL, Absorbed::COMPONENT].map(str::to_owned))
        .chain(greedy.iter().map(|&k| greedy_latents(k)))
        .chain(full_sae_arm_names().into_iter().filter(|_| full))
        .collect()
}

/// What all units of a call share.
#[derive(Clone, Copy)]
pub(crate) struct Lab<'a> {
    pub(crate) args: &'a RunArgs,
    pub(crate) plan: &'a Plan,
    pub(crate) site: &'a Site,
    pub(crate) stages: &'a Stages<'a>,
    /// The scored words, unedited and with the ceiling edit.
    pub(crate) bench: &'a Bench<'a>,
    pub(crate) profile: &'a Profile,
    /// What the scored words have answered in this unit.
    pub(crate) known: &'a Remembered<'a>,
    /// Text, other questions and other positions, where every arm is measured.
    pub(crate) side: Option<&'a SideStages<'a>>,
}

impl Lab<'_> {
    /// Alphabet indices of the letters of some classes.
    pub(crate) fn letters_of(&self, classes: &[usize]) -> Vec<usize> {
        classes.iter().map(|&c| self.plan.letters[c].index()).collect()
    }
}

/// A finished unit: measurements and rows.
pub(crate) struct Unit {
    pub(crate) summary: Summary,
    pub(crate) rows: Vec<EffectRow>,
}

impl Unit {
    fn new(args: &RunArgs) -> Self {
        Self {
            summary: Summary::new(args.seed, args.replicates),
            rows: Vec::new(),
        }
    }

    /// Measures, scores and keeps an arm.
    fn arm(&mut self, lab: Lab<'_>, arm: &Arm, latents: Option<&SparseLatents>) -> anyhow::Result<()> {
        let measured = lab.profile.time("edit + suffix", Some(lab.stages), || {
            lab.bench.measure(arm, latents, true)
        })?;
        lab.profile.time("statistics", None, || self.measured(lab, &measured))
    }

    /// Scores and keeps what was measured.
    fn measured(&mut self, lab: Lab<'_>, measured: &Measured) -> anyhow::Result<()> {
        let name = &measured.arm;
        let rows = lab.bench.rows(measured, |row| lab.site.word(row));
        let scored = score(&rows)?;
        let dose = rows
            .iter()
            .filter(|r| r.mode == "erase" && r.editor == r.letter && !scored.unidentified.contains(&r.letter))
            .map(|r| f64::from(r.dose));
        let doses: Vec<f64> = dose.collect();
        if doses.iter().all(|&d| d == 0.0) && name != "null" {
            self.summary.warnings.push(Warning::NoOpEdit { arm: name.clone() });
        }
        self.summary
            .arm(name, &scored, doses.iter().sum::<f64>() / doses.len().max(1) as f64)?;
        self.rows.extend(rows);
        Ok(())
    }
}
