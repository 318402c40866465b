//! A grid of numbers as coloured cells with the numbers written in them: letters by SAEs.

use super::axis::round_ticks_within;
use super::canvas::{Anchor, BODY, Canvas, SMALL};
use super::palette::{INK, MUTED, NOTHING, ramp};
use super::text;
use crate::number;

/// A heat map.
#[derive(Debug, Clone, PartialEq)]
pub struct Heatmap {
    /// One line above.
    pub title: String,
    /// What is shown, in small type below the title; may be empty.
    pub note: String,
    /// What the colours measure.
    pub scale: String,
    /// From top to bottom.
    pub rows: Vec<String>,
    /// From left to right.
    pub columns: Vec<String>,
    /// `values[row][column]`; a cell without a number is grey with a dash.
    pub values: Vec<Vec<Option<f64>>>,
    /// Range of the colours; it grows where the values do. White is zero, or the lower end where that is above zero.
    pub range: (f64, f64),
    /// Decimals of the numbers in the cells.
    pub digits: usize,
}

const CELL_HEIGHT: f64 = 21.0;
const NARROWEST: f64 = 52.0;
const WIDEST: f64 = 120.0;
const PAD: f64 = 16.0;
const LONGEST_LABEL: f64 = 240.0;
/// Room for the scale at the right: bar, gap and labels.
const SCALE_WIDTH: f64 = 90.0;
const SLANT: f64 = 35.0;

impl Heatmap {
    /// The figure as SVG.
    #[must_use]
    pub fn to_svg(&self) -> String {
        let fit = |label: &String| text::fit_end(label, BODY, LONGEST_LABEL);
        let (rows, columns): (Vec<_>, Vec<_>) = (
            self.rows.iter().map(fit).collect(),
            self.columns.iter().map(fit).collect(),
        );
        let longest = |labels: &[String]| labels.iter().map(|label| text::width(label, BODY)).fold(0.0, f64::max);
        let numbers = self
            .values
            .iter()
            .flatten()
            .flatten()
            .map(|x| text::width(&number::fixed(*x, self.digits), SMALL));
        let cell = numbers.fold(NARROWEST, |w, n| w.max(n + 12.0));
        let label = longest(&columns);
        let slanted = label + 12.0 > WIDEST;
        let cell = if slanted { cell } else { cell.max(label + 12.0) };

        let left = PAD + longest(&rows) + 10.0;
        let right = left + cell * columns.len().max(1) as f64;
        let (sin, cos) = SLANT.to_radians().sin_cos();
        let (rise, reach) = if slanted {
            (label * sin + 14.0, label * cos - cell / 2.0 + 12.0)
        } else {
            (20.0, 0.0)
        };
        let width = (right + SCALE_WIDTH.max(reach) + 24.0).max(420.0);

        let (mut canvas, top) = Canvas::new(width, &self.title, &self.note);
        let top = top + rise;
        let (lo, hi) = self.range();
        for (i, label) in columns.iter().enumerate() {
            let x = left + cell * (i as f64 + 0.5);
            if slanted {
                canvas.turned_text((x, top - 8.0), -SLANT, Anchor::Start, BODY, INK, label);
            } else {
                canvas.text(x, top - 8.0, Anchor::Middle, BODY, INK, label);
            }
        }
        for (i, label) in rows.iter().enumerate() {
            let y = top + CELL_HEIGHT * i as f64;
            canvas.text(left - 10.0, y + 15.0, Anchor::End, BODY, INK, label);
            for j in 0..columns.len() {
                let value = self.values.get(i).and_then(|row| row.get(j)).copied().flatten();
                let (fill, ink, words) = match value.filter(|x| x.is_finite()) {
                    Some(value) => {
                        let ([r, g, b], ink) = ramp(shade(value, lo, hi));
                        (
                            format!("#{r:02x}{g:02x}{b:02x}"),
                            ink,
                            number::fixed(value, self.digits),
                        )
                    }
                    None => (NOTHING.to_owned(), MUTED, number::MISSING.to_owned()),
                };
                let x = left + cell * j as f64;
                canvas.rect((x + 0.5, y + 0.5), (cell - 1.0, CELL_HEIGHT - 1.0), &fill);
                canvas.text(x + cell / 2.0, y + 15.0, Anchor::Middle, SMALL, ink, &words);
            }
        }
        let grid = CELL_HEIGHT * rows.len() as f64;
        draw_scale(
            &mut canvas,
            ((right + 22.0).round(), top.round()),
            grid.clamp(80.0, 240.0),
            (lo, hi),
        );
        let bottom = top + grid.max(80.0);
        let mut y = bottom + 14.0;
        for line in text::wrap(&format!("Colour: {}", self.scale), SMALL, width - 2.0 * PAD) {
            y += 15.0;
            canvas.text(PAD, y, Anchor::Start, SMALL, MUTED, &line);
        }
        canvas.finish(y + 14.0)
    }

    fn range(&self) -> (f64, f64) {
        let values = self
            .values
            .iter()
            .flatten()
            .flatten()
            .copied()
            .filter(|x| x.is_finite());
        let (lo, hi) = values.fold(self.range, |(lo, hi), x| (lo.min(x), hi.max(x)));
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

/// A bar of the colours with round numbers beside it.
fn draw_scale(canvas: &mut Canvas, (x, top): (f64, f64), height: f64, (lo, hi): (f64, f64)) {
    // Whole pixels, so that no seams show between the steps.
    let (steps, step) = (40_u32, (height / 40.0).floor());
    let height = f64::from(steps) * step;
    for i in 0..steps {
        let value = hi - (hi - lo) * (f64::from(i) + 0.5) / f64::from(steps);
        let ([r, g, b], _) = ramp(shade(value, lo, hi));
        canvas.rect(
            (x, top + step * f64::from(i)),
            (14.0, step),
            &format!("#{r:02x}{g:02x}{b:02x}"),
        );
    }
    for (value, label) in round_ticks_within(lo, hi, 4) {
        let y = top + height * (hi - value) / (hi - lo);
        canvas.line((x + 14.0, y), (x + 18.0, y), MUTED, 1.0, "");
        canvas.text(x + 22.0, y + 4.0, Anchor::Start, SMALL, MUTED, &label);
    }
}
