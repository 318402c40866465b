//! What surrounds a plot with two axes: grid, ticks and names; and what stands in its place when there is nothing to plot.

use super::axis::{Scale, log_ticks, round_ticks_within, spaced, whole};
use super::canvas::{Anchor, BODY, Canvas, PAD, SMALL};
use super::palette::{GRID, INK, MUTED, NOTHING};
use super::text;

/// Lines that the name of the vertical axis may take.
const Y_NAME_LINES: usize = 3;
const Y_NAME_STEP: f64 = 16.0;

/// Places with their labels.
pub(super) type Ticks = Vec<(f64, String)>;

/// A scale with its ticks.
#[derive(Debug, Clone)]
pub(super) struct Axis {
    pub(super) scale: Scale,
    pub(super) ticks: Ticks,
}

/// The rectangle of a plot.
#[derive(Debug, Clone, Copy)]
pub(super) struct Frame {
    pub(super) left: f64,
    pub(super) right: f64,
    pub(super) top: f64,
    pub(super) bottom: f64,
}

impl Axis {
    /// A vertical axis; the pixels are those of its lower and upper end.
    pub(super) fn vertical(range: (f64, f64), pixels: (f64, f64), count: usize) -> Self {
        Self {
            scale: Scale::new(range, pixels, false),
            ticks: round_ticks_within(range.0, range.1, count),
        }
    }

    /// A horizontal axis whose range ends `inset` before the pixels `from..to`. There are no ticks between whole numbers where
    /// all of `xs` are whole.
    pub(super) fn horizontal(
        range: (f64, f64),
        (from, to): (f64, f64),
        inset: f64,
        (log, count): (bool, usize),
        mut xs: impl Iterator<Item = f64>,
    ) -> Self {
        let scale = Scale::new(range, (from + inset, to - inset), log);
        let (lo, hi) = (scale.back(from), scale.back(to));
        let ticks = if log {
            log_ticks(lo, hi, count)
        } else if xs.all(|x| x.fract() == 0.0) {
            whole(round_ticks_within(lo, hi, count))
        } else {
            round_ticks_within(lo, hi, count)
        };
        let ticks = spaced(ticks, &scale, SMALL);
        Self { scale, ticks }
    }

    /// Puts these ticks in place of the round ones, as far as their labels keep apart.
    pub(super) fn retick(&mut self, ticks: Ticks) {
        self.ticks = spaced(ticks, &self.scale, SMALL);
    }

    /// Width of the widest label.
    pub(super) fn label_width(&self) -> f64 {
        let widths = self.ticks.iter().map(|(_, label)| text::width(label, SMALL));
        widths.fold(0.0, f64::max)
    }
}

impl Frame {
    /// Pale lines at the ticks of both axes.
    pub(super) fn draw_grid(&self, canvas: &mut Canvas, x: &Axis, y: &Axis) {
        for (at, _) in &x.ticks {
            let at = x.scale.at(*at);
            canvas.line((at, self.top), (at, self.bottom), GRID, 1.0, "");
        }
        for (at, _) in &y.ticks {
            self.draw_level(canvas, y.scale.at(*at));
        }
    }

    /// A pale line across the plot.
    pub(super) fn draw_level(&self, canvas: &mut Canvas, y: f64) {
        canvas.line((self.left, y), (self.right, y), GRID, 1.0, "");
    }

    /// The line at the bottom.
    pub(super) fn draw_base(&self, canvas: &mut Canvas) {
        canvas.line((self.left, self.bottom), (self.right, self.bottom), MUTED, 1.0, "");
    }

    /// Labels of the horizontal axis below the plot. They reach beyond it by at most `beyond`: a label is moved inwards a little
    /// for that, or left out.
    pub(super) fn label_x(&self, canvas: &mut Canvas, x: &Axis, beyond: f64) {
        for (at, label) in &x.ticks {
            let at = x.scale.at(*at);
            canvas.line((at, self.bottom), (at, self.bottom + 5.0), MUTED, 1.0, "");
            let half = text::width(label, SMALL) / 2.0;
            let inside = at.min(self.right + beyond - half).max(self.left - beyond + half);
            if (inside - at).abs() <= 6.0 {
                canvas.text(inside, self.bottom + 19.0, Anchor::Middle, SMALL, MUTED, label);
            }
        }
    }

    /// Labels of the vertical axis left of the plot.
    pub(super) fn label_y(&self, canvas: &mut Canvas, y: &Axis) {
        for (at, label) in &y.ticks {
            let at = y.scale.at(*at);
            canvas.text(self.left - 8.0, at + 4.0, Anchor::End, SMALL, MUTED, label);
        }
    }

    /// Names of the axes around the plot and its labels; returns the last base line below.
    pub(super) fn name_axes(&self, canvas: &mut Canvas, x_axis: &str, y_axis: &str) -> f64 {
        let height = self.bottom - self.top;
        let middle = f64::midpoint(self.top, self.bottom);
        for (i, line) in y_name_lines(y_axis, height).iter().enumerate() {
            let at = (PAD + 10.0 + Y_NAME_STEP * i as f64, middle);
            canvas.turned_text(at, -90.0, Anchor::Middle, BODY, INK, line);
        }
        let at = (f64::midpoint(self.left, self.right), self.bottom + 40.0);
        canvas.paragraph(at, Anchor::Middle, (BODY, INK), x_axis, self.right - self.left)
    }
}

/// Left edge of a plot of this height: past the name of the vertical axis and labels of width `labels`.
pub(super) fn plot_left(y_axis: &str, height: f64, labels: f64) -> f64 {
    let lines = y_name_lines(y_axis, height).len() as f64;
    PAD + Y_NAME_STEP * lines + 6.0 + labels + 8.0
}

fn y_name_lines(name: &str, height: f64) -> Vec<String> {
    text::wrap_to(name, BODY, height, Y_NAME_LINES)
}

/// A pale box with `no data: reason` below the heading, which ends at `top`. Returns the height of the figure.
pub(super) fn no_data(canvas: &mut Canvas, top: f64, width: f64, reason: &str) -> f64 {
    let room = width - 2.0 * PAD;
    let words = format!("no data: {reason}");
    let lines = text::wrap(&words, BODY, room - 24.0).len() as f64;
    let height = 64.0 + lines * (BODY + 4.0);
    canvas.rect((PAD, top), (room, height), NOTHING);
    let at = (width / 2.0, top + 46.0);
    canvas.paragraph(at, Anchor::Middle, (BODY, INK), &words, room - 24.0);
    top + height + PAD
}
