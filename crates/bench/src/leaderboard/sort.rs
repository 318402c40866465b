//! `--sort METRIC`: what rows are ordered by, best first.

use std::cmp::Ordering;

use store::Record;

use crate::run::unit::KS;

/// What can be sorted by: name, measurement, and whether more is better.
///
/// `l0` and `width` have no better side; the smaller SAE comes first.
const KEYS: [(&str, Source, bool); 10] = [
    ("m_star", Source::Summary("sae:k=1:probe/m_star"), true),
    ("cosine", Source::Summary("sae:k=1:cosine/m_star"), true),
    ("effect", Source::Summary("sae:k=1:effect/m_star"), true),
    ("oracle", Source::Summary("sae:k=1:oracle/m_star"), true),
    ("k_to_match", Source::KToMatch, false),
    ("f1", Source::Summary("latent/f1"), true),
    ("absorbed", Source::Summary("latent/full_absorption"), false),
    ("ev", Source::Summary("sae/explained_variance"), true),
    ("l0", Source::Summary("sae/l0"), false),
    ("width", Source::Width, false),
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Source {
    Summary(&'static str),
    Width,
    /// Latents that half of the letters need; above all of these, by the share of letters that do match.
    KToMatch,
}

/// An order of records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sort {
    name: &'static str,
    source: Source,
    higher_first: bool,
}

impl std::str::FromStr for Sort {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        let Some(&(name, source, higher_first)) = KEYS.iter().find(|(key, ..)| *key == name) else {
            let known: Vec<&str> = KEYS.iter().map(|(key, ..)| *key).collect();
            return Err(format!(
                "there is no metric `{name}`; sort by one of {}",
                known.join(", ")
            ));
        };
        Ok(Self {
            name,
            source,
            higher_first,
        })
    }
}

impl Sort {
    /// Its name on the command line.
    pub(crate) fn name(self) -> &'static str {
        self.name
    }

    /// Name of the measurement in records, where it is one.
    pub(crate) fn key(self) -> Option<&'static str> {
        match self.source {
            Source::Summary(name) => Some(name),
            Source::Width | Source::KToMatch => None,
        }
    }

    /// The measurement of a record.
    pub(crate) fn value(self, record: &Record) -> Option<f64> {
        let summary = |name: &str| record.summary.get(name).map(|estimate| estimate.value);
        match self.source {
            Source::Summary(name) => summary(name),
            Source::KToMatch => {
                // Larger sets than every run tries would rank a match behind records that never looked.
                let most = KS[KS.len() - 1] as f64;
                let median = summary("k_to_match/median").filter(|&median| median <= most);
                median.or_else(|| Some(most + 1.0 - summary("k_to_match/matched")?))
            }
            Source::Width => record.spec.sae.as_ref().map(|sae| sae.width as f64),
        }
    }

    /// Best first; records without the measurement last; equal ones by name and key.
    pub(crate) fn compare(self, a: &Record, b: &Record) -> Ordering {
        let by_value = match (self.value(a), self.value(b)) {
            (Some(x), Some(y)) if self.higher_first => y.total_cmp(&x),
            (Some(x), Some(y)) => x.total_cmp(&y),
            (x, y) => y.is_some().cmp(&x.is_some()),
        };
        let name = |record: &Record| {
            (
                record.spec.sae.as_ref().map(|sae| sae.id.clone()),
                record.key.to_string(),
            )
        };
        by_value.then_with(|| name(a).cmp(&name(b)))
    }
}
