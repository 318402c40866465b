//! From scores to the numbers of a record.

use std::collections::BTreeMap;

use ablation::{Scored, scores_of_sums};
use stats::{BootstrapConfig, StatsError, cluster_bootstrap, letter_t};
use store::{Estimate, LetterRow, TableRow, Warning};

/// Measurements of a unit as they accumulate.
pub(crate) struct Summary {
    seed: u64,
    replicates: usize,
    pub(crate) values: BTreeMap<String, Estimate>,
    pub(crate) letters: Vec<LetterRow>,
    pub(crate) tables: BTreeMap<String, Vec<TableRow>>,
    pub(crate) warnings: Vec<Warning>,
}

/// Mean over letters with its t interval; a bare point where letters are too few or all equal.
pub(crate) fn macro_estimate(values: &[f64], unit: &str) -> Estimate {
    let mean = stats::mean(values).unwrap_or(0.0);
    let point = Estimate::point(mean, values.len() as u64, unit);
    match letter_t(values, stats::DEFAULT_LEVEL) {
        Ok(interval) => point.with_interval(interval.lo, interval.hi),
        Err(_) => point,
    }
}

impl Summary {
    pub(crate) fn new(seed: u64, replicates: usize) -> Self {
        Self {
            seed,
            replicates,
            values: BTreeMap::new(),
            letters: Vec::new(),
            tables: BTreeMap::new(),
            warnings: Vec::new(),
        }
    }

    pub(crate) fn put(&mut self, name: &str, estimate: Estimate) {
        self.values.insert(name.to_owned(), estimate);
    }

    /// How intervals over letters are drawn. One seed for all arms: arms are compared on the same resamples.
    pub(crate) fn bootstrap(&self) -> BootstrapConfig {
        BootstrapConfig {
            level: stats::DEFAULT_LEVEL,
            replicates: self.replicates,
            seed: stats::seed::sub_seed(self.seed, "statistics/bootstrap"),
        }
    }

    /// Adds what an arm reaches beyond another one, letter by letter with the t interval: `ARM/ms_over_FLOOR` and
    /// `ARM/m_star_over_FLOOR`. `M*` alone cannot cover 0, as no letter's is below it; a difference can.
    pub(crate) fn excess(&mut self, arm: &str, floor: &str) {
        for metric in ["ms", "m_star"] {
            let (own, below) = (
                by_letter(&self.letters, arm, metric),
                by_letter(&self.letters, floor, metric),
            );
            let differences: Vec<f64> = own
                .iter()
                .filter_map(|(letter, value)| Some(value - below.get(letter)?))
                .collect();
            if !differences.is_empty() {
                let name = format!("{arm}/{metric}_over_{}", floor.trim_start_matches("sae:"));
                self.put(&name, macro_estimate(&differences, "share").higher_is_better());
            }
        }
    }

    /// Adds `ARM/m_star_signed`, the mean of `min(MS, 1) (1 - clip(O))`: `M*` without its floor at 0, so that the interval of an arm
    /// that mediates nothing can cover 0.
    pub(crate) fn signed(&mut self, arm: &str) {
        let damage = by_letter(&self.letters, arm, "o_mean");
        let values: Vec<f64> = by_letter(&self.letters, arm, "ms")
            .iter()
            .filter_map(|(letter, ms)| Some(ms.min(1.0) * (1.0 - damage.get(letter)?.clamp(0.0, 1.0))))
            .collect();
        if !values.is_empty() {
            let name = format!("{arm}/m_star_signed");
            self.put(&name, macro_estimate(&values, "share").higher_is_better());
        }
    }

    /// Adds an arm's macro means (bootstrap-t over letters) and per-letter scores.
    pub(crate) fn arm(&mut self, name: &str, scored: &Scored, dose: f64) -> anyhow::Result<()> {
        let missing = &scored.unidentified;
        let known = self
            .warnings
            .iter()
            .any(|w| matches!(w, Warning::LettersWithoutCeiling { letters } if letters == missing));
        if !missing.is_empty() && !known {
            self.warnings.push(Warning::LettersWithoutCeiling {
                letters: missing.clone(),
            });
        }
        let n = scored.letters.len() as u64;
        if (n as usize) < stats::MIN_LETTERS {
            self.warnings.push(Warning::FewLetters {
                letters: n,
                needed: stats::MIN_LETTERS as u64,
            });
            return Ok(());
        }
        let config = self.bootstrap();
        let bootstrap = cluster_bootstrap(&scored.sums, scores_of_sums, &config)?;
        let values =
            |field: fn(&ablation::ClassScore) -> f64| -> Vec<f64> { scored.letters.values().map(field).collect() };
        let direction = [Some(true), Some(false), Some(true), Some(true)];
        let names = ["ms", "o_mean", "m_star", "fi"];
        let columns = [
            values(|s| s.ms),
            values(|s| s.o_mean),
            values(|s| s.m_star),
            values(|s| s.fi),
        ];
        for (i, (metric, column)) in names.iter().zip(columns).enumerate() {
            let mean = stats::mean(&column)?;
            let point = Estimate {
                higher_is_better: direction[i],
                ..Estimate::point(mean, n, "share")
            };
            // An arm whose letters all agree (null, full site) has no interval to speak of.
            let estimate = match &bootstrap.metrics[i] {
                Ok(metric) => point.with_interval(metric.bootstrap_t.lo, metric.bootstrap_t.hi),
                Err(StatsError::ZeroVariance { .. }) => point,
                Err(error) => {
                    let measurement = format!("{name}/{metric}");
                    self.warnings.push(Warning::NoInterval {
                        measurement,
                        reason: error.to_string(),
                    });
                    point
                }
            };
            self.put(&format!("{name}/{metric}"), estimate);
        }
        self.put(
            &format!("{name}/o_max"),
            macro_estimate(&values(|s| s.o_max), "share").lower_is_better(),
        );
        self.put(
            &format!("{name}/m_star_max"),
            macro_estimate(&values(|s| s.m_star_max), "share").higher_is_better(),
        );
        self.put(&format!("{name}/effect"), macro_estimate(&values(|s| s.effect), "nats"));
        self.put(
            &format!("{name}/effect_m"),
            macro_estimate(&values(|s| s.effect_m), "logits"),
        );
        self.put(&format!("{name}/dose"), Estimate::point(dose, n, "share of |x|"));
        let patched: Vec<f64> = scored.letters.values().filter_map(|s| s.ms_patch).collect();
        if !patched.is_empty() {
            self.put(
                &format!("{name}/ms_patch"),
                macro_estimate(&patched, "share").higher_is_better(),
            );
        }
        for (&letter, score) in &scored.letters {
            let words = score.words as u64;
            let pairs = [
                ("ms", score.ms),
                ("o_mean", score.o_mean),
                ("o_max", score.o_max),
                ("m_star", score.m_star),
                ("fi", score.fi),
            ];
            let mut values: BTreeMap<String, Estimate> = pairs
                .into_iter()
                .map(|(k, v)| (k.to_owned(), Estimate::point(v, words, "share")))
                .collect();
            values.insert("effect".to_owned(), Estimate::point(score.effect, words, "nats"));
            if let Some(ms) = score.ms_patch {
                values.insert("ms_patch".to_owned(), Estimate::point(ms, words, "share"));
            }
            self.letters.push(LetterRow {
                letter,
                arm: name.to_owned(),
                values,
            });
        }
        Ok(())
    }
}

/// Value of an arm's measurement for every letter of a record.
pub(crate) fn by_letter(letters: &[LetterRow], arm: &str, metric: &str) -> BTreeMap<char, f64> {
    letters
        .iter()
        .filter(|row| row.arm == arm)
        .filter_map(|row| Some((row.letter, row.values.get(metric)?.value)))
        .collect()
}
