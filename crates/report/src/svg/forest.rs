//! Arms with their intervals, one below another, on an axis from 0 to 1 that grows where the data do.

use super::axis::{Scale, padded, round_ticks_within, spaced};
use super::canvas::{Anchor, BODY, Canvas, PAD, SMALL};
use super::frame;
use super::legend;
use super::marked::{self, Reference};
use super::palette::{GRID, INK, MUTED, series};
use super::text;
use crate::number;

/// A forest plot.
#[derive(Debug, Clone, PartialEq)]
pub struct Forest {
    /// One line above.
    pub title: String,
    /// What is shown, in small type below the title; may be empty.
    pub note: String,
    /// What the axis measures.
    pub axis: String,
    /// From top to bottom.
    pub rows: Vec<ForestRow>,
    /// Marked places on the axis, such as a ceiling.
    pub references: Vec<Reference>,
    /// Decimals of the numbers at the right.
    pub digits: usize,
}

/// One arm of a [`Forest`].
#[derive(Debug, Clone, PartialEq)]
pub struct ForestRow {
    /// Name of the arm.
    pub label: String,
    /// Family of the arm; rows of one family share colour and mark.
    pub group: String,
    /// The point; a row without one shows a dash.
    pub value: Option<f64>,
    /// Lower end of its interval.
    pub lo: Option<f64>,
    /// Upper end of its interval.
    pub hi: Option<f64>,
}

const WIDTH: f64 = 820.0;
const ROW: f64 = 25.0;
const LONGEST_LABEL: f64 = 280.0;

impl Forest {
    /// The figure as SVG.
    #[must_use]
    pub fn to_svg(&self) -> String {
        let (mut canvas, top) = Canvas::new(WIDTH, &self.title, &self.note);
        if self.rows.is_empty() {
            let bottom = frame::no_data(&mut canvas, top, WIDTH, "no rows were given");
            return canvas.finish(bottom);
        }
        let labels = self.rows.iter().map(|row| text::width(&row.label, BODY));
        let left = PAD + labels.fold(60.0, f64::max).min(LONGEST_LABEL) + 14.0;
        let words: Vec<String> = self.rows.iter().map(|row| self.words(row)).collect();
        let right = WIDTH - PAD - words.iter().map(|w| text::width(w, BODY)).fold(40.0, f64::max) - 14.0;

        let ends = self.rows.iter().flat_map(|row| [row.value, row.lo, row.hi]).flatten();
        let ends = ends
            .chain(self.references.iter().map(|reference| reference.at))
            .filter(|x| x.is_finite());
        let (lo, hi) = ends.fold((0.0, 1.0), |(lo, hi): (f64, f64), x| (lo.min(x), hi.max(x)));
        let (lo, hi) = padded((lo, hi), (f64::NAN, f64::NAN));
        let ticks = round_ticks_within(lo, hi, 8);
        let scale = Scale::new((lo, hi), (left, right), false);

        let top = marked::draw_labels(&mut canvas, &self.references, &scale, top, WIDTH);
        let bottom = top + ROW * self.rows.len() as f64;
        for (x, label) in spaced(ticks, &scale, SMALL) {
            let x = scale.at(x);
            canvas.line((x, top), (x, bottom + 4.0), GRID, 1.0, "");
            canvas.text(x, bottom + 18.0, Anchor::Middle, SMALL, MUTED, &label);
        }
        for reference in self.references.iter().filter(|reference| reference.at.is_finite()) {
            let x = scale.at(reference.at);
            canvas.line((x, top - 4.0), (x, bottom), MUTED, 1.0, "4 3");
        }
        canvas.line((left, bottom), (right, bottom), MUTED, 1.0, "");

        let groups = self.groups();
        for (i, (row, words)) in self.rows.iter().zip(&words).enumerate() {
            let y = top + ROW * (i as f64 + 0.5);
            let label = text::fit_end(&row.label, BODY, LONGEST_LABEL);
            canvas.text(left - 14.0, y + 4.0, Anchor::End, BODY, INK, &label);
            canvas.text(right + 14.0, y + 4.0, Anchor::Start, BODY, INK, words);
            let group = groups.iter().position(|group| *group == row.group).unwrap_or(0);
            draw_interval(&mut canvas, row, &scale, y, group);
        }
        let middle = (f64::midpoint(left, right), bottom + 38.0);
        let mut height = 16.0 + canvas.paragraph(middle, Anchor::Middle, (BODY, INK), &self.axis, right - left);
        if groups.len() > 1 {
            let entries = legend::of_series(groups, false);
            legend::draw(&mut canvas, &entries, (PAD, height - 4.0), WIDTH - 2.0 * PAD);
            height += legend::height(&entries, WIDTH - 2.0 * PAD) + 6.0;
        }
        canvas.finish(height)
    }

    fn words(&self, row: &ForestRow) -> String {
        row.value.map_or_else(
            || number::MISSING.to_owned(),
            |value| number::with_interval(value, row.lo, row.hi, self.digits),
        )
    }

    /// Families in order of appearance.
    fn groups(&self) -> Vec<&str> {
        let mut groups: Vec<&str> = Vec::new();
        for row in &self.rows {
            if !groups.contains(&row.group.as_str()) {
                groups.push(&row.group);
            }
        }
        groups
    }
}

fn draw_interval(canvas: &mut Canvas, row: &ForestRow, scale: &Scale, y: f64, group: usize) {
    let (colour, mark) = series(group);
    let finite = |x: Option<f64>| x.filter(|x| x.is_finite());
    if let (Some(lo), Some(hi)) = (finite(row.lo), finite(row.hi)) {
        let (lo, hi) = (scale.at(lo), scale.at(hi));
        canvas.line((lo, y), (hi, y), colour, 2.0, "");
        for x in [lo, hi] {
            canvas.line((x, y - 4.0), (x, y + 4.0), colour, 2.0, "");
        }
    }
    if let Some(value) = finite(row.value) {
        canvas.mark(mark, (scale.at(value), y), colour);
    }
}
