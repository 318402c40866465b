//! A number that becomes another in steps: from the reference's mediated share down to the SAE's, cause by cause.
//!
//! The first and the last column stand on zero; every step hangs where the one before it ended. Steps that do not add up to the
//! difference of the two are drawn as they are, and the note says how much is missing.

use super::axis::{extent, padded};
use super::bars::Bar;
use super::canvas::{Anchor, Canvas, PAD, SMALL};
use super::frame::{self, Axis, Frame};
use super::kept::{self, LeftOut};
use super::palette::{INK, MUTED};
use super::text;
use crate::number;

/// A waterfall.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Waterfall {
    /// One line above.
    pub title: String,
    /// What is shown, in small type below the title; may be empty.
    pub note: String,
    /// What the axis measures.
    pub axis: String,
    /// Where it starts, such as the reference.
    pub from: Step,
    /// By how much each cause lowers it, from left to right; a value below zero raises it.
    pub steps: Vec<Step>,
    /// Where it ends, such as the SAE.
    pub to: Step,
    /// Decimals of the numbers.
    pub digits: usize,
}

/// One column of a [`Waterfall`].
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Step {
    /// Its name.
    pub label: String,
    /// The level, or the fall, with its interval.
    pub bar: Bar,
}

const WIDTH: f64 = 820.0;
const HEIGHT: f64 = 280.0;
const NARROWEST: f64 = 64.0;
/// Space between two columns, as a share of a column.
const GAP: f64 = 0.28;
const LABEL_LINES: usize = 4;
const TOTAL: &str = "#0072B2";
const FALL: &str = "#D55E00";
const RISE: &str = "#009E73";
/// Least difference that is worth a sentence.
const MISSING: f64 = 1e-6;

/// A column with its place.
struct Placed<'a> {
    label: &'a str,
    /// Where it begins and ends.
    levels: (f64, f64),
    /// Ends of the interval of where it ends.
    ends: [Option<f64>; 2],
    /// Number above it.
    words: String,
    total: bool,
}

impl Waterfall {
    /// The figure as SVG.
    #[must_use]
    pub fn to_svg(&self) -> String {
        let mut left_out = LeftOut::default();
        let columns = self.columns(&mut left_out);
        let mut note = left_out.add_to(&self.note, "column");
        if let Some(missing) = self.missing() {
            note = format!(
                "{note} The steps leave {} out.",
                number::fixed(missing, self.digits.max(3))
            );
        }
        let width = WIDTH.max(160.0 + NARROWEST * columns.len() as f64);
        let (mut canvas, top) = Canvas::new(width, &self.title, note.trim());
        if columns.is_empty() {
            let asked = self.steps.len() + 2;
            let bottom = frame::no_data(&mut canvas, top, width, &kept::reason("", asked, "column"));
            return canvas.finish(bottom);
        }

        let values = columns
            .iter()
            .flat_map(|column| {
                [
                    Some(column.levels.0),
                    Some(column.levels.1),
                    column.ends[0],
                    column.ends[1],
                ]
            })
            .flatten();
        let (lo, hi) = extent(values.chain([0.0])).unwrap_or((0.0, 1.0));
        let (lo, hi) = padded(if hi > lo { (lo, hi) } else { (0.0, 1.0) }, (0.0, f64::NAN));
        // Room for the numbers above the columns.
        let range = (lo, hi + (hi - lo) * 0.06);
        let (top, bottom) = (top + 6.0, top + HEIGHT);
        let y = Axis::vertical(range, (bottom, top), 6);
        let plot = Frame {
            left: frame::plot_left(&self.axis, bottom - top, y.label_width()),
            right: width - PAD,
            top,
            bottom,
        };
        for (at, _) in &y.ticks {
            plot.draw_level(&mut canvas, y.scale.at(*at));
        }
        plot.label_y(&mut canvas, &y);
        let step = (plot.right - plot.left) / columns.len() as f64;
        let thick = step * (1.0 - GAP);
        let mut lowest = bottom;
        for (i, column) in columns.iter().enumerate() {
            let middle = plot.left + step * (i as f64 + 0.5);
            if i + 1 < columns.len() {
                // The level is carried over to where the next column begins.
                let level = y.scale.at(column.levels.1);
                let to = middle + step - thick / 2.0;
                canvas.line((middle + thick / 2.0, level), (to, level), MUTED, 1.0, "3 3");
            }
            column.draw(&mut canvas, &y, (middle, thick));
            let mut at = bottom + 18.0;
            for line in text::wrap_to(&text::visible(column.label), SMALL, step - 6.0, LABEL_LINES) {
                canvas.text(middle, at, Anchor::Middle, SMALL, INK, &line);
                lowest = lowest.max(at);
                at += SMALL + 3.0;
            }
        }
        canvas.line(
            (plot.left, y.scale.at(0.0)),
            (plot.right, y.scale.at(0.0)),
            INK,
            1.0,
            "",
        );
        plot.name_axes(&mut canvas, "", &self.axis);
        canvas.finish(lowest + 18.0)
    }

    /// What the steps leave of the difference between the two totals.
    fn missing(&self) -> Option<f64> {
        let steps: f64 = self
            .steps
            .iter()
            .map(|step| step.bar.value)
            .filter(|x| x.is_finite())
            .sum();
        let missing = self.from.bar.value - steps - self.to.bar.value;
        (missing.abs() > MISSING).then_some(missing)
    }

    fn columns(&self, left_out: &mut LeftOut) -> Vec<Placed<'_>> {
        let mut columns = Vec::new();
        let total = |step: &'_ Step, left_out: &mut LeftOut| {
            left_out.value(step.bar.value).then(|| Placed {
                label: "",
                levels: (0.0, step.bar.value),
                ends: [left_out.end(step.bar.lo), left_out.end(step.bar.hi)],
                words: number::fixed(step.bar.value, self.digits),
                total: true,
            })
        };
        let from = total(&self.from, left_out);
        let mut level = from.as_ref().map_or(0.0, |column| column.levels.1);
        columns.extend(from.map(|column| Placed {
            label: &self.from.label,
            ..column
        }));
        for step in &self.steps {
            if !left_out.value(step.bar.value) {
                continue;
            }
            let after = level - step.bar.value;
            let fall = number::fixed(-step.bar.value, self.digits);
            columns.push(Placed {
                label: &step.label,
                levels: (level, after),
                ends: [left_out.end(step.bar.lo), left_out.end(step.bar.hi)].map(|end| end.map(|end| level - end)),
                words: if fall.starts_with('-') {
                    fall
                } else {
                    format!("+{fall}")
                },
                total: false,
            });
            level = after;
        }
        columns.extend(total(&self.to, left_out).map(|column| Placed {
            label: &self.to.label,
            ..column
        }));
        columns
    }
}

impl Placed<'_> {
    fn draw(&self, canvas: &mut Canvas, y: &Axis, (middle, thick): (f64, f64)) {
        let (from, to) = (y.scale.at(self.levels.0), y.scale.at(self.levels.1));
        // A rise is hollow, so that it differs without colour too.
        let (fill, edge) = match (self.total, self.levels.1 > self.levels.0) {
            (true, _) => (TOTAL, TOTAL),
            (false, false) => (FALL, FALL),
            (false, true) => ("#ffffff", RISE),
        };
        // A number near zero is still seen.
        let size = (thick, (from - to).abs().max(1.5));
        canvas.edged_rect((middle - thick / 2.0, from.min(to)), size, fill, edge);
        let mut highest = from.min(to);
        if self.ends.iter().any(Option::is_some) {
            let ends = self.ends.map(|end| y.scale.at(end.unwrap_or(self.levels.1)));
            canvas.line((middle, ends[0]), (middle, ends[1]), INK, 1.2, "");
            for (at, _) in ends.into_iter().zip(self.ends).filter(|(_, end)| end.is_some()) {
                canvas.line((middle - 4.0, at), (middle + 4.0, at), INK, 1.2, "");
                highest = highest.min(at);
            }
        }
        let words = text::fit_end(&self.words, SMALL, thick / (1.0 - GAP) - 4.0);
        canvas.text(middle, highest - 5.0, Anchor::Middle, SMALL, INK, &words);
    }
}
