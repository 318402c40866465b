//! Small multiples: one small plot for each letter, with shared axes, one name for each axis and one legend.
//!
//! Shared axes are the point of it: a panel with a range of its own could not be compared with its neighbours. Points carry no
//! labels here, there is no room for them.

use super::axis::{extent, padded, widened};
use super::canvas::{Anchor, BODY, Canvas, PAD, SMALL};
use super::frame::{self, Axis, Frame};
use super::kept::{self, LeftOut};
use super::legend::{self, Entry, Look};
use super::lines::{Point, Series};
use super::marked::{self, Band, Reference};
use super::palette::{INK, MUTED, NOTHING, series};
use super::text;

/// A grid of small plots.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Panels {
    /// One line above.
    pub title: String,
    /// What is shown, in small type below the title; may be empty.
    pub note: String,
    /// What the horizontal axes measure.
    pub x_axis: String,
    /// What the vertical axes measure.
    pub y_axis: String,
    /// Whether equal steps of the horizontal axes are equal factors; points at zero or below are then left out.
    pub log_x: bool,
    /// Range that the horizontal axes cover at least.
    pub x_range: Option<(f64, f64)>,
    /// Range that the vertical axes cover at least.
    pub y_range: Option<(f64, f64)>,
    /// Whether the points of a series are joined, in their order.
    pub joined: bool,
    /// Panels side by side; 0 for a number that suits how many there are.
    pub columns: usize,
    /// The plots, row by row.
    pub panels: Vec<Panel>,
    /// What [`Panel::reference`] is.
    pub reference: String,
    /// Marked places on every vertical axis.
    pub references: Vec<Reference>,
    /// A marked range of every vertical axis.
    pub band: Option<Band>,
    /// Why there may be no point; shown only then.
    pub empty: String,
}

/// One plot of [`Panels`].
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Panel {
    /// What is shown in it: a letter.
    pub title: String,
    /// Its points. Series of one name look the same in all panels.
    pub series: Vec<Series>,
    /// A marked place on the vertical axis of this panel alone, such as the probe's score for its letter.
    pub reference: Option<f64>,
    /// Why there may be no point; shown only then.
    pub empty: String,
}

const WIDTH: f64 = 820.0;
/// Space between panels side by side.
const GAP: f64 = 14.0;
/// Height of the title of a panel, and the space above it.
const HEAD: f64 = 26.0;
/// Space between the edge of a panel and its outermost points.
const INSET: f64 = 8.0;
/// The dash pattern of [`Panel::reference`]; those of [`Panels::references`] differ from it.
const OWN_DASHES: &str = "4 2";

/// Points of a panel: the number of the series in the legend, and its points.
type Curves = Vec<(usize, Vec<Point>)>;

impl Panels {
    /// The figure as SVG.
    #[must_use]
    pub fn to_svg(&self) -> String {
        let mut left_out = LeftOut::default();
        let names = self.names();
        let panels: Vec<Curves> = self
            .panels
            .iter()
            .map(|panel| self.curves(panel, &names, &mut left_out))
            .collect();
        let own = self.panels.iter().filter_map(|panel| panel.reference);
        left_out.marked(own.chain(marked::reach(&self.references, self.band.as_ref())));
        let points = || panels.iter().flatten().flat_map(|(_, points)| points);
        let (mut canvas, top) = Canvas::new(WIDTH, &self.title, &left_out.add_to(&self.note, "point"));
        if points().next().is_none() {
            let series = self.panels.iter().flat_map(|panel| &panel.series);
            let asked = series.map(|series| series.points.len()).sum();
            let bottom = frame::no_data(&mut canvas, top, WIDTH, &kept::reason(&self.empty, asked, "point"));
            return canvas.finish(bottom);
        }

        let columns = self.columns();
        let rows = panels.len().div_ceil(columns);
        let y_range = self.y_range(points());
        let labels = Axis::vertical(y_range, (1.0, 0.0), 4).label_width();
        // Long names are cut to the height of the whole grid, which is at least this.
        let left = frame::plot_left(&self.y_axis, 200.0, labels);
        let width = (WIDTH - PAD - left - GAP * (columns as f64 - 1.0)) / columns as f64;
        let height = (width * 0.72).clamp(84.0, 260.0);
        let r = if columns > 3 { 2.8 } else { 4.0 };

        for (i, (panel, curves)) in self.panels.iter().zip(&panels).enumerate() {
            let (row, column) = (i / columns, i % columns);
            let left = left + (width + GAP) * column as f64;
            let top = top + (height + HEAD) * row as f64 + HEAD - 14.0;
            let frame = Frame {
                left,
                right: left + width,
                top,
                bottom: top + height,
            };
            let x = self.x_axis(points(), &frame);
            let y = Axis::vertical(y_range, (frame.bottom, frame.top), 4);
            let title = text::fit_end(&panel.title, BODY, width);
            canvas.text(
                f64::midpoint(frame.left, frame.right),
                frame.top - 5.0,
                Anchor::Middle,
                BODY,
                INK,
                &title,
            );
            if curves.iter().all(|(_, points)| points.is_empty()) {
                draw_nothing(&mut canvas, &frame, &panel.empty);
            } else {
                self.draw_panel(&mut canvas, &frame, (&x, &y), panel.reference);
                draw_curves(&mut canvas, curves, (&x, &y), self.joined, r);
            }
            frame.draw_base(&mut canvas);
            if column == 0 {
                frame.label_y(&mut canvas, &y);
            }
            // The lowest panel of a column carries the labels, also where the last row ends before that column.
            if i + columns >= panels.len() {
                frame.label_x(&mut canvas, &x, GAP / 2.0 - 1.0);
            }
        }
        let right = left + (width + GAP) * columns as f64 - GAP;
        let all = Frame {
            left,
            right,
            top: top + HEAD - 14.0,
            bottom: top + (height + HEAD) * rows as f64 - 14.0,
        };
        let bottom = all.name_axes(&mut canvas, &self.x_axis, &self.y_axis);
        let entries = self.entries(&names);
        if entries.is_empty() {
            return canvas.finish(bottom + 14.0);
        }
        legend::draw(&mut canvas, &entries, (left, bottom + 14.0), right - left);
        canvas.finish(bottom + 26.0 + legend::height(&entries, right - left))
    }

    /// Names of series in order of appearance.
    fn names(&self) -> Vec<&str> {
        let mut names: Vec<&str> = Vec::new();
        for series in self.panels.iter().flat_map(|panel| &panel.series) {
            if !names.contains(&series.name.as_str()) {
                names.push(&series.name);
            }
        }
        names
    }

    fn columns(&self) -> usize {
        match (self.columns, self.panels.len()) {
            (0, n @ 0..=3) => n.max(1),
            (0, 4) => 2,
            (0, 5..=9) => 3,
            (0, 10..=12) => 4,
            (0, 13..=20) => 5,
            (0, _) => 6,
            (given, n) => given.min(n).max(1),
        }
    }

    /// The points of a panel that have a place.
    fn curves(&self, panel: &Panel, names: &[&str], left_out: &mut LeftOut) -> Curves {
        let curve = |series: &Series| {
            let i = names.iter().position(|name| *name == series.name).unwrap_or(0);
            let points = series
                .points
                .iter()
                .filter_map(|point| left_out.keep(*point, self.log_x));
            (i, points.collect())
        };
        panel.series.iter().map(curve).collect()
    }

    fn y_range<'a>(&self, points: impl Iterator<Item = &'a Point>) -> (f64, f64) {
        let ys = points.flat_map(|p| [Some(p.y), p.lo, p.hi]).flatten();
        let firm = self.y_range.into_iter().flat_map(|(lo, hi)| [lo, hi]);
        let own = self.panels.iter().filter_map(|panel| panel.reference);
        let ends = ys
            .chain(firm)
            .chain(own)
            .chain(marked::reach(&self.references, self.band.as_ref()));
        let range = widened(extent(ends).unwrap_or((0.0, 1.0)), false);
        padded(range, self.y_range.unwrap_or((f64::NAN, f64::NAN)))
    }

    fn x_axis<'a>(&self, points: impl Iterator<Item = &'a Point> + Clone, frame: &Frame) -> Axis {
        let firm = self.x_range.into_iter().flat_map(|(lo, hi)| [lo, hi]);
        let firm = firm.filter(|x| !self.log_x || *x > 0.0);
        let xs = points.map(|point| point.x);
        let range = widened(extent(xs.clone().chain(firm)).unwrap_or((1.0, 2.0)), self.log_x);
        let count = ((frame.right - frame.left) / 28.0).clamp(2.0, 8.0) as usize;
        Axis::horizontal(range, (frame.left, frame.right), INSET, (self.log_x, count), xs)
    }

    fn draw_panel(&self, canvas: &mut Canvas, frame: &Frame, (x, y): (&Axis, &Axis), own: Option<f64>) {
        let across = (frame.left, frame.right);
        marked::draw_band(canvas, self.band.as_ref(), across, &y.scale);
        frame.draw_grid(canvas, x, y);
        marked::draw_lines(canvas, &self.references, across, &y.scale);
        if let Some(own) = own.filter(|own| own.is_finite()) {
            let at = y.scale.at(own);
            canvas.line((frame.left, at), (frame.right, at), MUTED, 1.2, OWN_DASHES);
        }
    }

    fn entries(&self, names: &[&str]) -> Vec<Entry> {
        let mut entries = legend::of_series(names.iter().copied(), self.joined);
        let mut others = marked::entries(&self.references, self.band.as_ref());
        if self
            .panels
            .iter()
            .any(|panel| panel.reference.is_some_and(f64::is_finite))
        {
            let look = Look::Dashes(OWN_DASHES);
            let name = self.reference.clone();
            others.insert(0, Entry { name, look });
        }
        if entries.len() == 1 && (others.is_empty() || entries[0].name.is_empty()) {
            entries.clear();
        }
        entries.extend(others);
        entries
    }
}

fn draw_curves(canvas: &mut Canvas, curves: &Curves, (x, y): (&Axis, &Axis), joined: bool, r: f64) {
    let place = |p: &Point| (x.scale.at(p.x), y.scale.at(p.y));
    for (i, points) in curves {
        let (colour, _) = series(*i);
        for p in points.iter().filter(|p| p.lo.is_some() || p.hi.is_some()) {
            let at = x.scale.at(p.x);
            let (lo, hi) = (y.scale.at(p.lo.unwrap_or(p.y)), y.scale.at(p.hi.unwrap_or(p.y)));
            canvas.line((at, lo), (at, hi), colour, 1.0, "");
        }
        if joined && points.len() > 1 {
            canvas.polyline(&points.iter().map(place).collect::<Vec<_>>(), colour, 1.3);
        }
    }
    for (i, points) in curves {
        let (colour, mark) = series(*i);
        for p in points {
            canvas.dot(mark, place(p), colour, r);
        }
    }
}

/// A pale panel with the reason why it has no points, as far as there is room for it.
fn draw_nothing(canvas: &mut Canvas, frame: &Frame, reason: &str) {
    let (width, height) = (frame.right - frame.left, frame.bottom - frame.top);
    canvas.rect((frame.left, frame.top), (width, height), NOTHING);
    let words = if reason.is_empty() {
        "no data".to_owned()
    } else {
        format!("no data: {reason}")
    };
    let step = SMALL + 3.0;
    let lines = text::wrap_to(&words, SMALL, width - 10.0, (height / step) as usize - 1);
    let first = frame.top + (height - step * lines.len() as f64) / 2.0 + SMALL;
    for (i, line) in lines.iter().enumerate() {
        let at = (f64::midpoint(frame.left, frame.right), first + step * i as f64);
        canvas.text(at.0, at.1, Anchor::Middle, SMALL, MUTED, line);
    }
}
