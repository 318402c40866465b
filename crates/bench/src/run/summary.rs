//! From scores to the numbers of a record.

use std::collections::BTreeMap;

use ablation::{Scored, scores_of_sums};
use stats::{BootstrapConfig, StatsError, cluster_bootstrap, letter_t};
use store::{Estimate, LetterRow, Record, TableRow, Warning};

use super::unit::{KS, k_latents, one_latent};

/// Share of the reference's mediated share that a set must reach to match it.
const TAU: f64 = 0.9;
/// Most damage that a matching set may do.
const O_CAP: f64 = 0.2;

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

/// The k-curve as a table, and how many latents match the reference arm.
///
/// `ranked`: the latents of each class in the order that sets are taken from; a set is never larger.
pub(crate) fn k_to_match(summary: &mut Summary, reference: &Record, ranked: &[Vec<u32>]) {
    let target = by_letter(&reference.letters, "leace-1", "ms");
    let mut matched: BTreeMap<char, usize> = BTreeMap::new();
    let mut rows = Vec::new();
    for k in KS {
        let name = if k == 1 { one_latent("effect") } else { k_latents(k) };
        let ms = by_letter(&summary.letters, &name, "ms");
        let damage = by_letter(&summary.letters, &name, "o_mean");
        for (&letter, &ms) in &ms {
            let Some(&wanted) = target.get(&letter) else { continue };
            if ms >= TAU * wanted && damage.get(&letter).is_some_and(|&o| o <= O_CAP) {
                matched.entry(letter).or_insert(k);
            }
        }
        let mut values = BTreeMap::new();
        for metric in ["ms", "o_mean", "m_star"] {
            if let Some(estimate) = summary.values.get(&format!("{name}/{metric}")) {
                values.insert(metric.to_owned(), estimate.clone());
            }
        }
        let share = matched.len() as f64 / target.len().max(1) as f64;
        let sizes: Vec<f64> = ranked.iter().map(|r| r.len().min(k) as f64).collect();
        values.insert("set_size".to_owned(), macro_estimate(&sizes, "latents"));
        values.insert(
            "matched".to_owned(),
            Estimate::point(share, target.len() as u64, "share"),
        );
        rows.push(TableRow {
            at: BTreeMap::from([("k".to_owned(), k.to_string())]),
            values,
        });
    }
    // The median is known as soon as half of the letters match, whatever the others would need.
    let mut needed: Vec<usize> = matched.values().copied().collect();
    needed.sort_unstable();
    if let Some(&median) = needed.get(target.len() / 2).filter(|_| !target.is_empty()) {
        let median = Estimate::point(median as f64, target.len() as u64, "latents").lower_is_better();
        summary.put("k_to_match/median", median);
    }
    let largest = KS[KS.len() - 1];
    // Letters that never match count as the largest k tried: a restricted mean, biased down.
    let restricted: Vec<f64> = target
        .keys()
        .map(|letter| matched.get(letter).copied().unwrap_or(largest) as f64)
        .collect();
    if !restricted.is_empty() {
        summary.put(
            "k_to_match/restricted_mean",
            macro_estimate(&restricted, "latents").lower_is_better(),
        );
        let share = matched.len() as f64 / target.len() as f64;
        summary.put(
            "k_to_match/matched",
            Estimate::point(share, target.len() as u64, "share").higher_is_better(),
        );
    }
    summary.tables.insert("k_curve".to_owned(), rows);
}
