//! What records hold for each letter, by name: the names of `--metric`.
//!
//! Deliberately absent: measurements of a whole record (L0, explained variance, k to match). They have one value per SAE, so
//! nothing about their difference can be tested; `bench leaderboard` lists them.

use std::collections::BTreeMap;

use store::Record;

use crate::failure;

/// A measurement that has a value for each letter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Metric {
    /// Name in records and on the command line.
    pub(crate) name: &'static str,
    /// Name in sentences.
    pub(crate) symbol: &'static str,
    /// What it is, after its name.
    pub(crate) meaning: &'static str,
    /// Unit, as in records.
    pub(crate) unit: &'static str,
    /// Direction; `None` where neither is better.
    pub(crate) higher_is_better: Option<bool>,
    /// Whether it is compared unless `--metric` says otherwise: one scale for all, no two of which repeat each other.
    by_default: bool,
}

/// A share: of one scale with the other shares.
const fn share(name: &'static str, symbol: &'static str, meaning: &'static str, higher: bool) -> Metric {
    Metric {
        name,
        symbol,
        meaning,
        unit: "share",
        higher_is_better: Some(higher),
        by_default: true,
    }
}

/// A metric that is compared when it is named.
const fn named(metric: Metric) -> Metric {
    Metric {
        by_default: false,
        ..metric
    }
}

const fn neutral(name: &'static str, symbol: &'static str, meaning: &'static str, unit: &'static str) -> Metric {
    Metric {
        name,
        symbol,
        meaning,
        unit,
        higher_is_better: None,
        by_default: false,
    }
}

/// Every metric, the headline first.
pub(crate) const METRICS: [Metric; 14] = [
    share("m_star", "M*", "is mediated share less damage", true),
    share(
        "ms",
        "MS",
        "is the mediated share: effect on the letter / effect of replacing the whole vector",
        true,
    ),
    share("o_mean", "O", "is damage: the same on words of other letters", false),
    share("o_max", "O max", "is damage to the worst-hit other letter", false),
    share(
        "fi",
        "Fi",
        "is fidelity: 1 where each word lands where the full edit puts it",
        true,
    ),
    share(
        "ms_patch",
        "MS patch",
        "is the mediated share when another word's value is patched in",
        true,
    ),
    share("f1", "F1", "is the detector's F1", true),
    share("absorbed", "full absorption", "is SAEBench full absorption", false),
    named(share("precision", "precision", "is the detector's", true)),
    named(share("recall", "recall", "is the detector's", true)),
    named(share("auc", "AUC", "is the detector's", true)),
    named(share("f1_fires", "F1 (fires)", "is F1 of `the latent is active`", true)),
    neutral(
        "split_latents",
        "split latents",
        "counts further precise latents of the letter",
        "latents",
    ),
    neutral("effect", "effect", "is the fall of the letter's log-odds", "nats"),
];

/// Rows of detection: of an SAE's latents, and of the dense probe.
const DETECTORS: [&str; 2] = ["latent", "probe"];

/// The metrics of `--metric`, or the usual ones.
pub(crate) fn chosen(names: &[String]) -> anyhow::Result<Vec<&'static Metric>> {
    if names.is_empty() {
        return Ok(METRICS.iter().filter(|metric| metric.by_default).collect());
    }
    let mut metrics: Vec<&'static Metric> = Vec::new();
    for name in names {
        let Some(metric) = METRICS.iter().find(|metric| metric.name == name) else {
            let known: Vec<&str> = METRICS.iter().map(|metric| metric.name).collect();
            return Err(failure::usage(format!(
                "`--metric {name}`: there is no such metric\nhint: the metrics are {}",
                known.join(", ")
            )));
        };
        if !metrics.contains(&metric) {
            metrics.push(metric);
        }
    }
    Ok(metrics)
}

/// Value of `metric` by letter: of the arm itself, or of the record's detector where arms have no such score.
pub(crate) fn by_letter(record: &Record, arm: &str, metric: &Metric) -> BTreeMap<char, f64> {
    let of = |wanted: &str| -> BTreeMap<char, f64> {
        let rows = record.letters.iter().filter(|row| row.arm == wanted);
        rows.filter_map(|row| Some((row.letter, row.values.get(metric.name)?.value)))
            .collect()
    };
    let own = of(arm);
    if !own.is_empty() {
        return own;
    }
    DETECTORS
        .iter()
        .map(|detector| of(detector))
        .find(|values| !values.is_empty())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_checked() {
        let mut names: Vec<&str> = METRICS.iter().map(|metric| metric.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), METRICS.len());
        let twice = ["ms".to_owned(), "ms".to_owned()];
        assert_eq!(chosen(&twice).unwrap().len(), 1);
        let error = chosen(&["mss".to_owned()]).unwrap_err();
        assert_eq!(failure::code_of(&error), failure::USAGE);
    }
}
