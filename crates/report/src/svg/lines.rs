//! One or several curves over a number: k on a log2 axis, or layers.

use super::axis::{Scale, binary_ticks, padded, round_ticks_within, spaced};
use super::canvas::{Anchor, BODY, Canvas, SMALL};
use super::legend;
use super::palette::{GRID, INK, MUTED, series};
use super::text;
use crate::number;

/// Curves with their uncertainty.
#[derive(Debug, Clone, PartialEq)]
pub struct Lines {
    /// One line above.
    pub title: String,
    /// What is shown, in small type below the title; may be empty.
    pub note: String,
    /// What the horizontal axis measures.
    pub x_axis: String,
    /// What the vertical axis measures.
    pub y_axis: String,
    /// Spacing of the horizontal axis.
    pub x_scale: LinesScale,
    /// Places to label on the horizontal axis; empty for round numbers.
    pub x_ticks: Vec<Tick>,
    /// Range that the vertical axis covers at least.
    pub y_range: Option<(f64, f64)>,
    /// How uncertainty is drawn.
    pub spread: Spread,
    /// The curves.
    pub series: Vec<Series>,
}

/// Spacing of an axis.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LinesScale {
    /// Equal steps.
    Linear,
    /// Equal doublings; points at zero or below are left out.
    Log2,
}

/// How intervals are drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spread {
    /// A pale band around the curve.
    Band,
    /// A bar at each point; bars of several series stand side by side.
    Bars,
}

/// A labelled place on an axis.
#[derive(Debug, Clone, PartialEq)]
pub struct Tick {
    /// Where.
    pub at: f64,
    /// What is written there.
    pub label: String,
}

/// One curve.
#[derive(Debug, Clone, PartialEq)]
pub struct Series {
    /// Name in the legend.
    pub name: String,
    /// Its points, from left to right.
    pub points: Vec<Point>,
}

/// A point of a curve.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Point {
    /// Horizontal place.
    pub x: f64,
    /// Vertical place.
    pub y: f64,
    /// Lower end of the interval of `y`.
    pub lo: Option<f64>,
    /// Upper end of the interval of `y`.
    pub hi: Option<f64>,
}

const WIDTH: f64 = 820.0;
const PLOT_HEIGHT: f64 = 300.0;
const PAD: f64 = 16.0;
/// Space between the edge of the plot and the outermost points.
const INSET: f64 = 18.0;
/// Distance between the bars of neighbouring series.
const DODGE: f64 = 5.0;

impl Lines {
    /// The figure as SVG.
    #[must_use]
    pub fn to_svg(&self) -> String {
        let (mut canvas, top) = Canvas::new(WIDTH, &self.title, &self.note);
        let curves: Vec<Vec<Point>> = self.series.iter().map(|series| self.drawable(series)).collect();
        let points = || curves.iter().flatten();

        let ys = points().flat_map(|p| [Some(p.y), p.lo, p.hi]).flatten();
        let ys = ys
            .chain(self.y_range.into_iter().flat_map(|(lo, hi)| [lo, hi]))
            .filter(|y| y.is_finite());
        let y_range = padded(range(ys), self.y_range.unwrap_or((f64::NAN, f64::NAN)));
        let y_ticks = round_ticks_within(y_range.0, y_range.1, 8);
        let label_width = y_ticks
            .iter()
            .map(|(_, label)| text::width(label, SMALL))
            .fold(0.0, f64::max);
        let (left, right) = (PAD + 22.0 + label_width + 8.0, WIDTH - PAD - 8.0);
        let bottom = top + PLOT_HEIGHT;
        let y = Scale::new(y_range, (bottom, top), false);

        let log2 = self.x_scale == LinesScale::Log2;
        let given = self
            .x_ticks
            .iter()
            .map(|tick| tick.at)
            .filter(|x| x.is_finite() && (!log2 || *x > 0.0));
        let x_range = range(points().map(|p| p.x).chain(given));
        let x_range = if log2 && x_range.0 <= 0.0 { (1.0, 2.0) } else { x_range };
        let x = Scale::new(x_range, (left + INSET, right - INSET), log2);

        for (at, label) in &y_ticks {
            let at = y.at(*at);
            canvas.line((left, at), (right, at), GRID, 1.0, "");
            canvas.text(left - 8.0, at + 4.0, Anchor::End, SMALL, MUTED, label);
        }
        for (at, label) in spaced(self.ticks(x_range), &x, SMALL) {
            let at = x.at(at);
            canvas.line((at, bottom), (at, bottom + 5.0), MUTED, 1.0, "");
            canvas.text(at, bottom + 19.0, Anchor::Middle, SMALL, MUTED, &label);
        }
        canvas.line((left, bottom), (right, bottom), MUTED, 1.0, "");
        canvas.text(
            f64::midpoint(left, right),
            bottom + 40.0,
            Anchor::Middle,
            BODY,
            INK,
            &self.x_axis,
        );
        let middle = (PAD + 8.0, f64::midpoint(top, bottom));
        canvas.turned_text(middle, -90.0, Anchor::Middle, BODY, INK, &self.y_axis);

        for (i, curve) in curves.iter().enumerate() {
            self.draw_spread(&mut canvas, curve, i, &x, &y);
        }
        for (i, curve) in curves.iter().enumerate() {
            self.draw_curve(&mut canvas, curve, i, &x, &y);
        }
        let names: Vec<&str> = self.series.iter().map(|series| series.name.as_str()).collect();
        let mut height = bottom + 54.0;
        if names.len() > 1 {
            legend::draw(&mut canvas, &names, (left, height), right - left, true);
            height += legend::height(&names, right - left) + 12.0;
        }
        canvas.finish(height)
    }

    /// Points that have a place.
    fn drawable(&self, series: &Series) -> Vec<Point> {
        let log2 = self.x_scale == LinesScale::Log2;
        let has_place = |p: &&Point| p.x.is_finite() && p.y.is_finite() && (!log2 || p.x > 0.0);
        let finite = |x: Option<f64>| x.filter(|x| x.is_finite());
        let points = series.points.iter().filter(has_place);
        points
            .map(|p| Point {
                lo: finite(p.lo),
                hi: finite(p.hi),
                ..*p
            })
            .collect()
    }

    fn ticks(&self, (lo, hi): (f64, f64)) -> Vec<(f64, String)> {
        if !self.x_ticks.is_empty() {
            return self.x_ticks.iter().map(|tick| (tick.at, tick.label.clone())).collect();
        }
        match self.x_scale {
            LinesScale::Log2 => binary_ticks(lo, hi),
            LinesScale::Linear => {
                let mut ticks = round_ticks_within(lo, hi, 10);
                let xs = self
                    .series
                    .iter()
                    .flat_map(|series| &series.points)
                    .map(|point| point.x);
                if xs.clone().all(|x| x.fract() == 0.0) {
                    // There is nothing between two layers.
                    ticks.retain(|(x, _)| x.fract() == 0.0);
                    for (x, label) in &mut ticks {
                        *label = number::fixed(*x, 0);
                    }
                }
                ticks
            }
        }
    }

    /// Horizontal shift of a series, so that bars at one place can be told apart.
    fn shift(&self, i: usize) -> f64 {
        match self.spread {
            Spread::Band => 0.0,
            Spread::Bars => (i as f64 - (self.series.len() as f64 - 1.0) / 2.0) * DODGE,
        }
    }

    fn draw_spread(&self, canvas: &mut Canvas, curve: &[Point], i: usize, x: &Scale, y: &Scale) {
        let (colour, _) = series(i);
        let ends = curve
            .iter()
            .filter_map(|p| Some((x.at(p.x) + self.shift(i), y.at(p.lo?), y.at(p.hi?))));
        match self.spread {
            Spread::Band => {
                let ends: Vec<_> = ends.collect();
                let over = ends.iter().map(|(x, _, hi)| (*x, *hi));
                let under = ends.iter().rev().map(|(x, lo, _)| (*x, *lo));
                if ends.len() > 1 {
                    canvas.path(&over.chain(under).collect::<Vec<_>>(), colour, true);
                }
            }
            Spread::Bars => {
                for (x, lo, hi) in ends {
                    canvas.line((x, lo), (x, hi), colour, 1.5, "");
                }
            }
        }
    }

    fn draw_curve(&self, canvas: &mut Canvas, curve: &[Point], i: usize, x: &Scale, y: &Scale) {
        let (colour, mark) = series(i);
        let places: Vec<_> = curve.iter().map(|p| (x.at(p.x) + self.shift(i), y.at(p.y))).collect();
        if places.len() > 1 {
            canvas.path(&places, colour, false);
        }
        for place in places {
            canvas.mark(mark, place, colour);
        }
    }
}

/// Lowest and highest value, or 0 and 1 where there are none.
fn range(values: impl Iterator<Item = f64>) -> (f64, f64) {
    let (lo, hi) = values.fold((f64::INFINITY, f64::NEG_INFINITY), |(lo, hi), x| (lo.min(x), hi.max(x)));
    if lo <= hi { (lo, hi) } else { (0.0, 1.0) }
}
