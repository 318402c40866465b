//! What a paper says, to stand beside what was measured here.
//!
//! A paper often gives no number, only a figure: the range of an axis is then all that can be read off it, and is said to be that.
//! Every entry names its source. Nothing is compared or judged here.

use crate::number::{exact, fixed};
use crate::svg::{Band, Reference};
use crate::table::Cell;

/// What a paper says about one quantity.
#[derive(Debug, Clone, PartialEq)]
pub struct Published {
    /// What it says.
    pub says: Says,
    /// Where, such as `P section 5.2`.
    pub source: String,
}

/// Forms in which a paper gives a quantity.
#[derive(Debug, Clone, PartialEq)]
pub enum Says {
    /// A number in its text or in a table.
    Value {
        /// The number.
        value: f64,
        /// Its decimals in the paper.
        digits: usize,
    },
    /// A range in its text.
    Range {
        /// Lower end.
        lo: f64,
        /// Upper end.
        hi: f64,
    },
    /// The range of the axis of a figure: the values lie somewhere within.
    Axis {
        /// Lower end.
        lo: f64,
        /// Upper end.
        hi: f64,
    },
    /// Words, such as `below -6`.
    Words(String),
}

impl Published {
    /// A number with its decimals.
    #[must_use]
    pub fn value(value: f64, digits: usize, source: impl Into<String>) -> Self {
        Self::new(Says::Value { value, digits }, source)
    }

    /// A range in the text.
    #[must_use]
    pub fn range(lo: f64, hi: f64, source: impl Into<String>) -> Self {
        Self::new(Says::Range { lo, hi }, source)
    }

    /// The range of a figure's axis.
    #[must_use]
    pub fn axis(lo: f64, hi: f64, source: impl Into<String>) -> Self {
        Self::new(Says::Axis { lo, hi }, source)
    }

    /// Words.
    #[must_use]
    pub fn words(words: impl Into<String>, source: impl Into<String>) -> Self {
        Self::new(Says::Words(words.into()), source)
    }

    fn new(says: Says, source: impl Into<String>) -> Self {
        let source = source.into();
        Self { says, source }
    }

    /// `0.81 [P section 5.2]`, or `0 to 0.35 (axis) [P figures 9a, 9b]`; `None` where a number is not finite.
    #[must_use]
    pub fn text(&self) -> Option<String> {
        let says = match &self.says {
            Says::Value { value, digits } => value.is_finite().then(|| fixed(*value, *digits)),
            Says::Range { lo, hi } => ends(*lo, *hi),
            Says::Axis { lo, hi } => ends(*lo, *hi).map(|range| format!("{range} (axis)")),
            Says::Words(words) => Some(words.clone()),
        }?;
        Some(if self.source.is_empty() {
            says
        } else {
            format!("{says} [{}]", self.source)
        })
    }

    /// The text as a cell of a table.
    #[must_use]
    pub fn cell(&self) -> Cell {
        self.text()
            .map_or_else(|| Cell::Missing("not a finite number".to_owned()), Cell::Text)
    }

    /// The cell of a quantity that the paper may say nothing about.
    #[must_use]
    pub fn cell_of(published: Option<&Self>) -> Cell {
        published.map_or_else(|| Cell::Missing("not in the paper".to_owned()), Self::cell)
    }

    /// A range as the band of a figure; `None` for what is no range.
    #[must_use]
    pub fn band(&self) -> Option<Band> {
        let (Says::Range { lo, hi } | Says::Axis { lo, hi }) = self.says else {
            return None;
        };
        let label = format!("published: {}", self.text()?);
        Some(Band { lo, hi, label })
    }

    /// A number as a marked place of a figure; `None` for what is no number.
    #[must_use]
    pub fn reference(&self) -> Option<Reference> {
        let Says::Value { value: at, .. } = self.says else {
            return None;
        };
        let label = format!("published: {}", self.text()?);
        Some(Reference { at, label })
    }
}

fn ends(lo: f64, hi: f64) -> Option<String> {
    (lo.is_finite() && hi.is_finite()).then(|| format!("{} to {}", exact(lo), exact(hi)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(published: &Published, expect: &str) {
        assert_eq!(published.cell(), Cell::text(expect));
    }

    #[test]
    fn cells_name_their_source() {
        check(&Published::value(0.81, 2, "P section 5.2"), "0.81 [P section 5.2]");
        check(&Published::value(0.8, 2, ""), "0.80");
        check(&Published::range(25.0, 50.0, "P section 4"), "25 to 50 [P section 4]");
        check(
            &Published::axis(0.0, 0.35, "P figures 9a, 9b"),
            "0 to 0.35 (axis) [P figures 9a, 9b]",
        );
        check(&Published::words("below -6", "P figure 7a"), "below -6 [P figure 7a]");
    }

    #[test]
    fn what_is_not_there_is_missing() {
        let missing = Published::value(f64::NAN, 2, "P");
        assert_eq!(missing.cell(), Cell::Missing("not a finite number".into()));
        assert_eq!(missing.reference(), None);
        assert_eq!(Published::axis(0.0, f64::INFINITY, "P").band(), None);
        assert_eq!(Published::cell_of(None), Cell::Missing("not in the paper".into()));
    }

    #[test]
    fn figures_show_the_same_text() {
        let band = Published::axis(0.0, 0.35, "P figure 9a").band();
        let label = "published: 0 to 0.35 (axis) [P figure 9a]".to_owned();
        assert_eq!(
            band,
            Some(Band {
                lo: 0.0,
                hi: 0.35,
                label
            })
        );
        let value = Published::value(0.52, 2, "P figure 6b");
        assert_eq!(value.reference().map(|reference| reference.at), Some(0.52));
        assert_eq!(value.band(), None);
    }
}
