//! Signed numbers as horizontal bars: the effect of ablating each of some latents, as it is and with a direction taken out.
//!
//! Bars start at zero, always: their length is the number. The numbers also stand at the right, so that the bars of a paper can be
//! read off.

use super::axis::{Scale, extent, padded, round_ticks_within, spaced};
use super::canvas::{Anchor, BODY, Canvas, PAD, SMALL};
use super::frame;
use super::kept::{self, LeftOut};
use super::legend::{self, Entry, Look};
use super::marked::{self, Reference};
use super::palette::{GRID, INK, MUTED, series};
use super::text;
use crate::number;

/// A bar chart.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Bars {
    /// One line above.
    pub title: String,
    /// What is shown, in small type below the title; may be empty.
    pub note: String,
    /// What the axis measures.
    pub axis: String,
    /// Range that the axis covers at least. It always covers zero.
    pub range: Option<(f64, f64)>,
    /// What the bars of each row are, from top to bottom.
    pub series: Vec<String>,
    /// From top to bottom.
    pub rows: Vec<BarRow>,
    /// Marked places on the axis, such as a threshold.
    pub references: Vec<Reference>,
    /// Decimals of the numbers at the right.
    pub digits: usize,
    /// Why there may be no bar; shown only then.
    pub empty: String,
}

/// One row of a [`Bars`].
#[derive(Debug, Clone, PartialEq, Default)]
pub struct BarRow {
    /// Its name.
    pub label: String,
    /// One bar for each of [`Bars::series`]; `None` shows a dash, and bars beyond the series are not drawn.
    pub bars: Vec<Option<Bar>>,
}

/// One number of a [`BarRow`].
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Bar {
    /// The number.
    pub value: f64,
    /// Lower end of its interval.
    pub lo: Option<f64>,
    /// Upper end of its interval.
    pub hi: Option<f64>,
}

const WIDTH: f64 = 820.0;
const LONGEST_LABEL: f64 = 260.0;
const LONGEST_NUMBER: f64 = 220.0;
/// Space between two rows.
const ROW_GAP: f64 = 9.0;

impl Bars {
    /// The figure as SVG.
    #[must_use]
    pub fn to_svg(&self) -> String {
        let mut left_out = LeftOut::default();
        let rows: Vec<Vec<Option<Bar>>> = self.rows.iter().map(|row| self.drawable(row, &mut left_out)).collect();
        left_out.marked(marked::reach(&self.references, None));
        let bars = || rows.iter().flatten().flatten();
        let (mut canvas, top) = Canvas::new(WIDTH, &self.title, &left_out.add_to(&self.note, "bar"));
        if bars().next().is_none() {
            let asked = self.rows.iter().flat_map(|row| &row.bars).flatten().count();
            let bottom = frame::no_data(&mut canvas, top, WIDTH, &kept::reason(&self.empty, asked, "bar"));
            return canvas.finish(bottom);
        }

        let fit = |row: &BarRow| text::fit_end(&text::visible(&row.label), BODY, LONGEST_LABEL);
        let labels: Vec<String> = self.rows.iter().map(fit).collect();
        let words = |bar: &Option<Bar>| {
            let words = bar.map(|bar| number::with_interval(bar.value, bar.lo, bar.hi, self.digits));
            text::fit_end(
                &words.unwrap_or_else(|| number::MISSING.to_owned()),
                SMALL,
                LONGEST_NUMBER,
            )
        };
        let longest = |texts: &mut dyn Iterator<Item = f64>| texts.fold(40.0, f64::max);
        let left = PAD + longest(&mut labels.iter().map(|label| text::width(label, BODY))) + 14.0;
        let numbers = longest(&mut rows.iter().flatten().map(|bar| text::width(&words(bar), SMALL)));
        let right = WIDTH - PAD - numbers - 14.0;

        let ends = bars().flat_map(|bar| [Some(bar.value), bar.lo, bar.hi]).flatten();
        let ends = ends.chain(self.range.into_iter().flat_map(|(lo, hi)| [lo, hi]));
        let (lo, hi) = extent(ends.chain(marked::reach(&self.references, None)).chain([0.0])).unwrap_or((0.0, 1.0));
        // All zero: an axis to one side is better than none.
        let range = padded(if hi > lo { (lo, hi) } else { (0.0, 1.0) }, (0.0, 0.0));
        let scale = Scale::new(range, (left, right), false);

        let top = marked::draw_labels(&mut canvas, &self.references, &scale, top, WIDTH);
        let thick = if self.series.len() > 1 { 13.0 } else { 15.0 };
        let height = self.series.len() as f64 * thick + ROW_GAP;
        let bottom = top + height * rows.len() as f64;
        for (x, label) in spaced(round_ticks_within(range.0, range.1, 8), &scale, SMALL) {
            let x = scale.at(x);
            canvas.line((x, top), (x, bottom + 4.0), GRID, 1.0, "");
            canvas.text(x, bottom + 18.0, Anchor::Middle, SMALL, MUTED, &label);
        }
        for (i, (row, label)) in rows.iter().zip(&labels).enumerate() {
            let row_top = top + height * i as f64;
            canvas.text(left - 14.0, row_top + height / 2.0 + 4.0, Anchor::End, BODY, INK, label);
            for (j, bar) in row.iter().enumerate() {
                let y = row_top + ROW_GAP / 2.0 + thick * (j as f64 + 0.5);
                canvas.text(right + 14.0, y + 4.0, Anchor::Start, SMALL, INK, &words(bar));
                if let Some(bar) = bar {
                    draw_bar(&mut canvas, bar, &scale, (y, thick - 2.0), look(j));
                }
            }
        }
        for reference in self.references.iter().filter(|reference| reference.at.is_finite()) {
            let x = scale.at(reference.at);
            canvas.line((x, top - 4.0), (x, bottom), MUTED, 1.0, "4 3");
        }
        canvas.line((scale.at(0.0), top), (scale.at(0.0), bottom), INK, 1.0, "");
        canvas.line((left, bottom), (right, bottom), MUTED, 1.0, "");
        let middle = (f64::midpoint(left, right), bottom + 38.0);
        let below = canvas.paragraph(middle, Anchor::Middle, (BODY, INK), &self.axis, right - left);
        if self.series.len() < 2 {
            return canvas.finish(below + 14.0);
        }
        let entries: Vec<Entry> = self.series.iter().enumerate().map(entry).collect();
        let room = WIDTH - 2.0 * PAD;
        legend::draw(&mut canvas, &entries, (PAD, below + 14.0), room);
        canvas.finish(below + 26.0 + legend::height(&entries, room))
    }

    /// One place for each series, with the numbers that are finite.
    fn drawable(&self, row: &BarRow, left_out: &mut LeftOut) -> Vec<Option<Bar>> {
        let bar = |i: usize| row.bars.get(i).copied().flatten();
        let mut finite = |bar: Bar| {
            left_out.value(bar.value).then(|| Bar {
                lo: left_out.end(bar.lo),
                hi: left_out.end(bar.hi),
                ..bar
            })
        };
        (0..self.series.len()).map(|i| bar(i).and_then(&mut finite)).collect()
    }
}

/// Fill and edge of the bars of a series. Every second one is hollow, so that neighbours differ without colour too.
fn look(i: usize) -> (&'static str, &'static str) {
    let (colour, _) = series(i);
    if i.is_multiple_of(2) {
        (colour, colour)
    } else {
        ("#ffffff", colour)
    }
}

fn entry((i, name): (usize, &String)) -> Entry {
    let (fill, edge) = look(i);
    Entry {
        name: name.clone(),
        look: Look::Bar { fill, edge },
    }
}

fn draw_bar(canvas: &mut Canvas, bar: &Bar, scale: &Scale, (y, thick): (f64, f64), (fill, edge): (&str, &str)) {
    let (zero, end) = (scale.at(0.0), scale.at(bar.value));
    // A number near zero is still seen.
    let size = ((end - zero).abs().max(1.5), thick);
    canvas.edged_rect((zero.min(end), y - thick / 2.0), size, fill, edge);
    if bar.lo.is_none() && bar.hi.is_none() {
        return;
    }
    let ends = [bar.lo, bar.hi].map(|x| scale.at(x.unwrap_or(bar.value)));
    canvas.line((ends[0], y), (ends[1], y), INK, 1.2, "");
    for (x, _) in ends.into_iter().zip([bar.lo, bar.hi]).filter(|(_, end)| end.is_some()) {
        canvas.line((x, y - 3.0), (x, y + 3.0), INK, 1.2, "");
    }
}
