//! A grid of numbers as coloured cells: letters by SAEs with the numbers written in them, or layers by tokens in small cells.
//!
//! Rows and columns stay in the order given: nothing is clustered or sorted here.

use super::axis::extent;
use super::canvas::{Anchor, BODY, Canvas, PAD, SMALL};
use super::colour_bar::ColourBar;
use super::frame;
use super::palette::{INK, MUTED, NOTHING, hex, ramp};
use super::text;
use crate::number;

/// A heat map.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Heatmap {
    /// One line above.
    pub title: String,
    /// What is shown, in small type below the title; may be empty.
    pub note: String,
    /// What the colours measure.
    pub scale: String,
    /// What the rows are, written at the left; may be empty.
    pub y_axis: String,
    /// What the columns are, written below; may be empty.
    pub x_axis: String,
    /// From top to bottom. White space that would be lost is shown: `␣cat`, `⏎`.
    pub rows: Vec<String>,
    /// From left to right, likewise.
    pub columns: Vec<String>,
    /// `values[row][column]`; a cell without a number is grey with a dash.
    pub values: Vec<Vec<Option<f64>>>,
    /// Range of the colours; it grows where the values do. White is zero, or the lower end where that is above zero.
    pub range: (f64, f64),
    /// Decimals of the numbers in the cells.
    pub digits: usize,
    /// Draws small square cells without numbers.
    pub small: bool,
    /// Why there may be no number; shown only then.
    pub empty: String,
}

const CELL_HEIGHT: f64 = 21.0;
const NARROWEST: f64 = 52.0;
const WIDEST: f64 = 120.0;
const LONGEST_LABEL: f64 = 240.0;
/// Space between the cells and the bar of colours.
const BAR_GAP: f64 = 22.0;
const NO_DATA_WIDTH: f64 = 520.0;

/// Where the cells are and how the labels above them stand.
struct Grid {
    rows: Vec<String>,
    columns: Vec<String>,
    left: f64,
    cell: f64,
    /// Height of the labels above, and the degrees by which they are turned.
    rise: f64,
    slant: f64,
    /// How far the last label reaches past the cells.
    reach: f64,
}

impl Heatmap {
    /// The figure as SVG.
    #[must_use]
    pub fn to_svg(&self) -> String {
        let (finite, missing) = self.count();
        if finite == 0 {
            let (mut canvas, top) = Canvas::new(NO_DATA_WIDTH, &self.title, &self.note);
            let reason = match (self.empty.as_str(), missing) {
                ("", 0) => "no cells were given",
                ("", _) => "no cell has a number",
                (given, _) => given,
            };
            let bottom = frame::no_data(&mut canvas, top, NO_DATA_WIDTH, reason);
            return canvas.finish(bottom);
        }
        let grid = self.grid();
        let height = CELL_HEIGHT * grid.rows.len() as f64;
        let right = grid.left + grid.cell * grid.columns.len() as f64;
        let (lo, hi) = self.range();
        let colour = |value: f64| hex(ramp(shade(value, lo, hi)).0);
        let bar = ColourBar {
            name: "",
            range: (lo, hi),
            log: false,
            colour: &colour,
        };
        let width = (right + grid.reach.max(BAR_GAP + bar.width()) + PAD).max(420.0);

        let (mut canvas, top) = Canvas::new(width, &self.title, &self.note);
        let top = top + grid.rise;
        for (i, label) in grid.columns.iter().enumerate() {
            let at = (grid.left + grid.cell * (i as f64 + 0.5), top - 8.0);
            if grid.slant > 0.0 {
                canvas.turned_text(at, -grid.slant, Anchor::Start, BODY, INK, label);
            } else {
                canvas.text(at.0, at.1, Anchor::Middle, BODY, INK, label);
            }
        }
        for (i, label) in grid.rows.iter().enumerate() {
            let y = top + CELL_HEIGHT * i as f64;
            canvas.text(grid.left - 10.0, y + 15.0, Anchor::End, BODY, INK, label);
            for j in 0..grid.columns.len() {
                self.draw_cell(&mut canvas, (i, j), (grid.left + grid.cell * j as f64, y), grid.cell);
            }
        }
        let bar_at = ((right + BAR_GAP).round(), top.round());
        bar.draw(&mut canvas, bar_at, height.clamp(80.0, 240.0));
        if !self.y_axis.is_empty() {
            let name = text::fit_end(&self.y_axis, BODY, height);
            let at = (PAD + 10.0, top + height / 2.0);
            canvas.turned_text(at, -90.0, Anchor::Middle, BODY, INK, &name);
        }
        let middle = (f64::midpoint(grid.left, right), top + height + 20.0);
        // The name of the columns may be wider than they are, and must end before the edge.
        let room = 2.0 * (middle.0 - PAD).min(width - PAD - middle.0);
        let below = canvas.paragraph(middle, Anchor::Middle, (BODY, INK), &self.x_axis, room);

        let crossed = match missing {
            n if n > 0 && self.small => format!(". Crossed out: no number ({n} of {} cells)", finite + n),
            _ => String::new(),
        };
        let words = format!("Colour: {}{crossed}", self.scale);
        let y = (top + height.max(80.0)).max(below) + 29.0;
        let y = canvas.paragraph((PAD, y), Anchor::Start, (SMALL, MUTED), &words, width - 2.0 * PAD);
        canvas.finish(y + 14.0)
    }

    fn grid(&self) -> Grid {
        let fit = |label: &String| text::fit_end(&text::visible(label), BODY, LONGEST_LABEL);
        let rows: Vec<String> = self.rows.iter().map(fit).collect();
        let columns: Vec<String> = self.columns.iter().map(fit).collect();
        let longest = |labels: &[String]| labels.iter().map(|label| text::width(label, BODY)).fold(0.0, f64::max);
        let label = longest(&columns);
        let numbers = self.values.iter().flatten().flatten();
        let numbers = numbers.map(|x| text::width(&number::fixed(*x, self.digits), SMALL) + 12.0);
        let cell = if self.small {
            CELL_HEIGHT
        } else {
            numbers.fold(NARROWEST, f64::max)
        };
        let widest = if self.small { CELL_HEIGHT } else { WIDEST };
        let slanted = label + 12.0 > widest && label + 6.0 > cell;
        // Labels of narrow columns stand steeper, or they would touch.
        let slant = match (slanted, self.small) {
            (false, _) => 0.0,
            (true, false) => 35.0,
            (true, true) => 55.0,
        };
        let (sin, cos) = f64::to_radians(slant).sin_cos();
        let names = if self.y_axis.is_empty() { 0.0 } else { 20.0 };
        Grid {
            left: PAD + names + longest(&rows) + 10.0,
            cell: if slanted || self.small {
                cell
            } else {
                cell.max(label + 12.0)
            },
            rise: if slanted { label * sin + 14.0 } else { 20.0 },
            slant,
            reach: if slanted { label * cos - cell / 2.0 + 12.0 } else { 0.0 },
            rows,
            columns,
        }
    }

    fn draw_cell(&self, canvas: &mut Canvas, (i, j): (usize, usize), (x, y): (f64, f64), cell: f64) {
        let (lo, hi) = self.range();
        let (fill, ink, words) = match self.value(i, j) {
            Some(value) => {
                let (rgb, ink) = ramp(shade(value, lo, hi));
                (hex(rgb), ink, number::fixed(value, self.digits))
            }
            None => (NOTHING.to_owned(), MUTED, number::MISSING.to_owned()),
        };
        canvas.rect((x + 0.5, y + 0.5), (cell - 1.0, CELL_HEIGHT - 1.0), &fill);
        if self.small && self.value(i, j).is_none() {
            // The grey alone is too close to the white of zero.
            canvas.line((x + 6.0, y + 15.0), (x + cell - 6.0, y + 6.0), MUTED, 1.0, "");
        } else if !self.small {
            canvas.text(x + cell / 2.0, y + 15.0, Anchor::Middle, SMALL, ink, &words);
        }
    }

    /// The number of a cell.
    fn value(&self, i: usize, j: usize) -> Option<f64> {
        let value = self.values.get(i).and_then(|row| row.get(j)).copied().flatten();
        value.filter(|x| x.is_finite())
    }

    /// How many cells have a number and how many have none.
    fn count(&self) -> (usize, usize) {
        let (rows, columns) = (self.rows.len(), self.columns.len());
        let cells = (0..rows).flat_map(|i| (0..columns).map(move |j| (i, j)));
        let finite = cells.filter(|(i, j)| self.value(*i, *j).is_some()).count();
        (finite, rows * columns - finite)
    }

    fn range(&self) -> (f64, f64) {
        let values = self.values.iter().flatten().flatten().copied();
        let (lo, hi) = extent(values.chain([self.range.0, self.range.1])).unwrap_or((0.0, 1.0));
        if hi > lo { (lo, hi) } else { (lo, lo + 1.0) }
    }
}

/// Place of `value` on the colour ramp. With values on both sides of zero both sides have the same steps.
fn shade(value: f64, lo: f64, hi: f64) -> f64 {
    if lo < 0.0 {
        value / hi.max(-lo)
    } else {
        (value - lo) / (hi - lo)
    }
}
