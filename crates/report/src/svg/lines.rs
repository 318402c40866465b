//! One or several curves over a number: k on a log2 axis, or layers.

use super::axis::{Scale, binary_ticks, extent, padded, round_ticks_within, spaced, whole, widened};
use super::canvas::{Canvas, PAD, SMALL};
use super::frame::{self, Axis, Frame};
use super::kept::{self, LeftOut};
use super::legend;
use super::palette::series;

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
/// Space between the edge of the plot and the outermost points.
const INSET: f64 = 18.0;
/// Distance between the bars of neighbouring series.
const DODGE: f64 = 5.0;

impl Lines {
    /// The figure as SVG.
    #[must_use]
    pub fn to_svg(&self) -> String {
        let log2 = self.x_scale == LinesScale::Log2;
        let mut left_out = LeftOut::default();
        let mut keep = |series: &Series| -> Vec<Point> {
            let points = series.points.iter();
            points.filter_map(|point| left_out.keep(*point, log2)).collect()
        };
        let curves: Vec<Vec<Point>> = self.series.iter().map(&mut keep).collect();
        let (mut canvas, top) = Canvas::new(WIDTH, &self.title, &left_out.add_to(&self.note, "point"));
        let points = || curves.iter().flatten();
        if points().next().is_none() {
            let asked = self.series.iter().map(|series| series.points.len()).sum();
            let bottom = frame::no_data(&mut canvas, top, WIDTH, &kept::reason("", asked, "point"));
            return canvas.finish(bottom);
        }

        let ys = points().flat_map(|p| [Some(p.y), p.lo, p.hi]).flatten();
        let ys = ys.chain(self.y_range.into_iter().flat_map(|(lo, hi)| [lo, hi]));
        let range = widened(extent(ys).unwrap_or((0.0, 1.0)), false);
        let range = padded(range, self.y_range.unwrap_or((f64::NAN, f64::NAN)));
        let y = Axis::vertical(range, (top + PLOT_HEIGHT, top), 8);
        let frame = Frame {
            left: frame::plot_left(&self.y_axis, PLOT_HEIGHT, y.label_width()),
            right: WIDTH - PAD - 8.0,
            top,
            bottom: top + PLOT_HEIGHT,
        };

        let given = self.x_ticks.iter().map(|tick| tick.at).filter(|x| !log2 || *x > 0.0);
        let range = extent(points().map(|p| p.x).chain(given)).unwrap_or((1.0, 2.0));
        let scale = Scale::new(range, (frame.left + INSET, frame.right - INSET), log2);
        let ticks = spaced(self.ticks(range), &scale, SMALL);
        let x = Axis { scale, ticks };

        for (at, _) in &y.ticks {
            frame.draw_level(&mut canvas, y.scale.at(*at));
        }
        frame.draw_base(&mut canvas);
        frame.label_x(&mut canvas, &x, PAD);
        frame.label_y(&mut canvas, &y);
        let bottom = frame.name_axes(&mut canvas, &self.x_axis, &self.y_axis);

        for (i, curve) in curves.iter().enumerate() {
            self.draw_spread(&mut canvas, curve, i, &x.scale, &y.scale);
        }
        for (i, curve) in curves.iter().enumerate() {
            self.draw_curve(&mut canvas, curve, i, &x.scale, &y.scale);
        }
        let mut height = bottom + 14.0;
        if self.series.len() > 1 {
            let entries = legend::of_series(self.series.iter().map(|series| series.name.as_str()), true);
            let width = frame.right - frame.left;
            legend::draw(&mut canvas, &entries, (frame.left, height), width);
            height += legend::height(&entries, width) + 12.0;
        }
        canvas.finish(height)
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
                    ticks = whole(ticks);
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
                    canvas.area(&over.chain(under).collect::<Vec<_>>(), colour);
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
            canvas.polyline(&places, colour, 2.0);
        }
        for place in places {
            canvas.mark(mark, place, colour);
        }
    }
}
