//! One expectation and what was measured.

/// What a number must be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Expect {
    /// This value, give or take.
    Near { value: f64, tolerance: f64 },
    /// Less than this.
    Below(f64),
    /// More than this.
    Above(f64),
    /// Between these, both included.
    Within { lo: f64, hi: f64 },
}

/// An expectation beside its measurement.
#[derive(Clone, Debug)]
pub(crate) struct Check {
    /// What is compared.
    pub(crate) what: String,
    pub(crate) expect: Expect,
    pub(crate) measured: f64,
    /// Where the expectation and its tolerance come from.
    pub(crate) source: &'static str,
}

impl Expect {
    /// Whether `measured` is as expected; a number that is none never is.
    pub(crate) fn holds(self, measured: f64) -> bool {
        match self {
            Self::Near { value, tolerance } => (measured - value).abs() <= tolerance,
            Self::Below(limit) => measured < limit,
            Self::Above(limit) => measured > limit,
            Self::Within { lo, hi } => lo <= measured && measured <= hi,
        }
    }

    /// In words.
    pub(crate) fn words(self) -> String {
        match self {
            Self::Near { value, tolerance } => format!("{} +- {}", number(value), number(tolerance)),
            Self::Below(limit) => format!("< {}", number(limit)),
            Self::Above(limit) => format!("> {}", number(limit)),
            Self::Within { lo, hi } => format!("{} to {}", number(lo), number(hi)),
        }
    }
}

impl Check {
    pub(crate) fn near(
        what: impl Into<String>,
        value: f64,
        tolerance: f64,
        measured: f64,
        source: &'static str,
    ) -> Self {
        Self::new(what, Expect::Near { value, tolerance }, measured, source)
    }

    pub(crate) fn below(what: impl Into<String>, limit: f64, measured: f64, source: &'static str) -> Self {
        Self::new(what, Expect::Below(limit), measured, source)
    }

    pub(crate) fn above(what: impl Into<String>, limit: f64, measured: f64, source: &'static str) -> Self {
        Self::new(what, Expect::Above(limit), measured, source)
    }

    pub(crate) fn within(what: impl Into<String>, [lo, hi]: [f64; 2], measured: f64, source: &'static str) -> Self {
        Self::new(what, Expect::Within { lo, hi }, measured, source)
    }

    fn new(what: impl Into<String>, expect: Expect, measured: f64, source: &'static str) -> Self {
        Self {
            what: what.into(),
            expect,
            measured,
            source,
        }
    }

    pub(crate) fn passes(&self) -> bool {
        self.expect.holds(self.measured)
    }
}

/// Short, but no smaller than it is: tiny numbers in powers of ten, zero as 0.
pub(crate) fn number(value: f64) -> String {
    let size = value.abs();
    if size <= 0.0 {
        // Zero has a sign that says nothing.
        "0".to_owned()
    } else if !value.is_finite() {
        "no number".to_owned()
    } else if size < 5e-4 {
        format!("{value:.1e}")
    } else {
        let text = format!("{value:.4}");
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expectations_hold_inside_and_fail_outside() {
        let near = Expect::Near {
            value: 0.5,
            tolerance: 0.01,
        };
        assert!(near.holds(0.509) && !near.holds(0.511) && !near.holds(0.489));
        assert!(Expect::Below(1.0).holds(0.9) && !Expect::Below(1.0).holds(1.0));
        assert!(Expect::Above(1.0).holds(1.1) && !Expect::Above(1.0).holds(1.0));
        let within = Expect::Within { lo: 0.93, hi: 0.97 };
        assert!(within.holds(0.93) && within.holds(0.97) && !within.holds(0.98));
        for expect in [near, Expect::Below(1.0), Expect::Above(1.0), within] {
            assert!(!expect.holds(f64::NAN), "{expect:?}");
        }
    }

    #[test]
    fn numbers_are_short_and_never_rounded_to_nothing() {
        assert_eq!(number(0.17), "0.17");
        assert_eq!(number(1e-9), "1.0e-9");
        assert_eq!(number(0.0), "0");
        assert_eq!(number(-0.0), "0");
        assert_eq!(number(3.0), "3");
        assert_eq!(number(f64::NAN), "no number");
    }
}
