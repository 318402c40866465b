//! The file that `bench reliability` leaves: how far each score can be trusted, and for which model, site and settings.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use stats::Reliability;
use store::{ModelSpec, Record, Spec};

use super::{Redrawn, ReliabilityArgs, What};
use crate::failure;

/// Settings that change neither a score nor its error.
const NEUTRAL: [&str; 5] = ["arms", "random_draws", "replicates", "text", "text_tokens"];

/// Measured reliability of scores.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Reliabilities {
    schema_version: u32,
    task: String,
    metric_version: u32,
    model: ModelSpec,
    hook: String,
    letters: BTreeSet<char>,
    /// Of the word list and its split.
    words_hash: String,
    limit: Option<u64>,
    settings: BTreeMap<String, Value>,
    /// The first seed and how many.
    seed: u64,
    pub(crate) seeds: u64,
    /// SAEs that were scored.
    pub(crate) saes: Vec<String>,
    /// Per redrawn source and score (names as in records).
    sources: BTreeMap<String, BTreeMap<String, Reliability>>,
}

const SCHEMA_VERSION: u32 = 1;

impl Reliabilities {
    pub(super) fn new(record: &Record, args: &ReliabilityArgs, saes: &[String], redrawn: &[Redrawn]) -> Self {
        let of_scores = |redrawn: &Redrawn| {
            let found = redrawn
                .scores
                .iter()
                .filter_map(|score| Some((score.key.to_owned(), score.found?)));
            (redrawn.what.name().to_owned(), found.collect())
        };
        let spec = &record.spec;
        Self {
            schema_version: SCHEMA_VERSION,
            task: spec.task.clone(),
            metric_version: spec.metric_version,
            model: spec.model.clone(),
            hook: spec.site.hook.clone(),
            letters: spec.letters.clone(),
            words_hash: spec.words_hash.clone(),
            limit: spec.limit,
            settings: compared(spec),
            seed: args.seed,
            seeds: args.seeds,
            saes: saes.to_vec(),
            sources: redrawn.iter().map(of_scores).collect(),
        }
    }

    pub(super) fn write(&self, path: &Path) -> anyhow::Result<()> {
        let mut text = serde_json::to_string_pretty(self)?;
        text.push('\n');
        Ok(store::write_atomic(path, text.as_bytes())?)
    }

    /// Reads a file of `bench reliability`.
    pub(crate) fn read(path: &Path) -> anyhow::Result<Self> {
        let text = fs_err::read_to_string(path)?;
        Self::parse(&text).map_err(|error| {
            failure::input(format!(
                "`{}` is not a file of reliabilities: {error}\nhint: `bench reliability --out DIR` writes DIR/reliability.json",
                path.display()
            ))
        })
    }

    fn parse(text: &str) -> anyhow::Result<Self> {
        let found: Self = serde_json::from_str(text)?;
        anyhow::ensure!(
            found.schema_version == SCHEMA_VERSION,
            "field `schema_version` is {}, this program reads {SCHEMA_VERSION}",
            found.schema_version
        );
        Ok(found)
    }

    /// What was measured for the shipped model and panel, and is part of this program.
    pub(crate) fn shipped() -> Option<Self> {
        Self::parse(include_str!("../../../../results/reliability/reliability.json")).ok()
    }

    /// Why the numbers do not hold for a record, if they do not.
    pub(crate) fn mismatch(&self, spec: &Spec) -> Option<&'static str> {
        if self.task != spec.task || self.metric_version != spec.metric_version {
            return Some("another task or metric version");
        }
        if self.model.hash != spec.model.hash {
            return Some("another model");
        }
        if self.hook != spec.site.hook {
            return Some("another site");
        }
        if self.letters != spec.letters || self.words_hash != spec.words_hash {
            return Some("other letters or words");
        }
        (self.limit != spec.limit || self.settings != compared(spec)).then_some("other settings of `bench run`")
    }

    /// Reliability of a score when everything is redrawn; nothing where only parts were.
    pub(crate) fn of(&self, key: &str) -> Option<&Reliability> {
        self.sources.get(What::Joint.name())?.get(key)
    }
}

fn compared(spec: &Spec) -> BTreeMap<String, Value> {
    let kept = spec
        .settings
        .iter()
        .filter(|(name, _)| !NEUTRAL.contains(&name.as_str()) && !name.starts_with("redraw_"));
    kept.map(|(name, value)| (name.clone(), value.clone())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shipped_file_can_be_read() {
        let shipped = Reliabilities::shipped().unwrap();
        assert!(shipped.of("sae:k=1:probe/m_star").unwrap().mdd.value > 0.0);
        assert!(shipped.seeds >= 5 && shipped.saes.len() >= 3);
    }
}
