//! A number that is never alone: its interval, its n, its unit and its direction.

use serde::{Deserialize, Serialize};

/// One measured quantity as it stands in a record.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Estimate {
    /// The point estimate.
    pub value: f64,
    /// Lower end of the interval; absent where none was computed.
    pub lo: Option<f64>,
    /// Upper end of the interval; absent where none was computed.
    pub hi: Option<f64>,
    /// Number of independent units behind the value (letters or words, as the unit of the measurement says).
    pub n: u64,
    /// Unit in words: `share`, `logits`, `words`, `s`; empty for a pure number.
    pub unit: String,
    /// Direction; `None` where neither is better.
    pub higher_is_better: Option<bool>,
}

impl Estimate {
    /// A value without interval and direction.
    #[must_use]
    pub fn point(value: f64, n: u64, unit: &str) -> Self {
        Self {
            value,
            lo: None,
            hi: None,
            n,
            unit: unit.to_owned(),
            higher_is_better: None,
        }
    }

    /// The same with an interval.
    #[must_use]
    pub fn with_interval(self, lo: f64, hi: f64) -> Self {
        Self {
            lo: Some(lo),
            hi: Some(hi),
            ..self
        }
    }

    /// The same, where more is better.
    #[must_use]
    pub fn higher_is_better(self) -> Self {
        Self {
            higher_is_better: Some(true),
            ..self
        }
    }

    /// The same, where less is better.
    #[must_use]
    pub fn lower_is_better(self) -> Self {
        Self {
            higher_is_better: Some(false),
            ..self
        }
    }

    /// Whether value and interval can be written down and the interval is not upside down.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        let finite = |x: Option<f64>| x.is_none_or(f64::is_finite);
        let ordered = match (self.lo, self.hi) {
            (Some(lo), Some(hi)) => lo <= hi,
            _ => true,
        };
        self.value.is_finite() && finite(self.lo) && finite(self.hi) && ordered
    }
}
