//! The scale of a colour, at the right of a plot.

use super::axis::{Scale, log_ticks, round_ticks_within};
use super::canvas::{Anchor, BODY, Canvas, SMALL};
use super::frame::Ticks;
use super::palette::{INK, MUTED};
use super::text;

const BAR: f64 = 14.0;
const STEPS: u32 = 40;

/// A bar of colours with numbers beside it.
pub(super) struct ColourBar<'a> {
    /// What the colours measure, written beside the bar; may be empty.
    pub(super) name: &'a str,
    /// Values at the lower and the upper end.
    pub(super) range: (f64, f64),
    /// Whether equal steps are equal factors.
    pub(super) log: bool,
    /// Colour of a value.
    pub(super) colour: &'a dyn Fn(f64) -> String,
}

impl ColourBar<'_> {
    /// Width that [`ColourBar::draw`] takes.
    pub(super) fn width(&self) -> f64 {
        BAR + 8.0 + self.label_width() + if self.name.is_empty() { 0.0 } else { 22.0 }
    }

    /// Draws the bar at the corner `(x, top)`, at most as high as said.
    pub(super) fn draw(&self, canvas: &mut Canvas, (x, top): (f64, f64), height: f64) {
        // Whole pixels, so that no seams show between the steps.
        let step = (height / f64::from(STEPS)).floor();
        let height = f64::from(STEPS) * step;
        let scale = Scale::new(self.range, (top + height, top), self.log);
        for i in 0..STEPS {
            let at = top + step * f64::from(i);
            let colour = (self.colour)(scale.back(at + step / 2.0));
            canvas.rect((x, at), (BAR, step), &colour);
        }
        for (value, label) in self.ticks() {
            let y = scale.at(value);
            canvas.line((x + BAR, y), (x + BAR + 4.0, y), MUTED, 1.0, "");
            canvas.text(x + BAR + 8.0, y + 4.0, Anchor::Start, SMALL, MUTED, &label);
        }
        let name = text::fit_end(self.name, BODY, height);
        if !name.is_empty() {
            let at = (x + BAR + 8.0 + self.label_width() + 16.0, top + height / 2.0);
            canvas.turned_text(at, -90.0, Anchor::Middle, BODY, INK, &name);
        }
    }

    fn ticks(&self) -> Ticks {
        let (lo, hi) = self.range;
        if self.log {
            log_ticks(lo, hi, 8)
        } else {
            round_ticks_within(lo, hi, 4)
        }
    }

    fn label_width(&self) -> f64 {
        let widths = self.ticks().into_iter().map(|(_, label)| text::width(&label, SMALL));
        widths.fold(0.0, f64::max)
    }
}
