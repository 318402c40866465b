//! Points in named groups: a score over L0 or over layers, precision against recall.
//!
//! Points are not joined: two autoencoders of one group are two measurements, not a curve. For curves there is
//! [`Lines`](super::Lines).

use super::axis::{Scale, extent, padded, widened};
use super::canvas::{Canvas, PAD, RADIUS, SMALL};
use super::colour_bar::ColourBar;
use super::frame::{self, Axis, Frame};
use super::kept::{self, LeftOut, counted};
use super::labels::{self, Area};
use super::legend::{self, Entry, Look};
use super::lines::Point;
use super::marked::{self, Band, Reference};
use super::palette::{INK, MUTED, series, shade};
use super::swarm;
use crate::number;

/// A scatter plot.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Scatter {
    /// One line above.
    pub title: String,
    /// What is shown, in small type below the title; may be empty.
    pub note: String,
    /// What the horizontal axis measures.
    pub x_axis: String,
    /// What the vertical axis measures.
    pub y_axis: String,
    /// Whether equal steps of the horizontal axis are equal factors; points at zero or below are then left out.
    pub log_x: bool,
    /// Range that the horizontal axis covers at least.
    pub x_range: Option<(f64, f64)>,
    /// Range that the vertical axis covers at least.
    pub y_range: Option<(f64, f64)>,
    /// Moves points of equal `x` sideways until no mark covers another: for an axis of layers.
    pub swarm: bool,
    /// The points. A group has one mark, and one colour unless the colour shows a value.
    pub groups: Vec<Group>,
    /// What the colour of a point shows; its group if `None`.
    pub colour: Option<ColourBy>,
    /// Marked places on the vertical axis, such as the probe's score: lines across the plot.
    pub references: Vec<Reference>,
    /// A marked range of the vertical axis, such as the one that a paper shows.
    pub band: Option<Band>,
    /// Why there may be no point; shown only then.
    pub empty: String,
}

/// Points that share a mark and a place in the legend.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Group {
    /// Name in the legend.
    pub name: String,
    /// Its points.
    pub dots: Vec<Dot>,
}

/// A point of a [`Scatter`].
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Dot {
    /// Horizontal place.
    pub x: f64,
    /// Vertical place.
    pub y: f64,
    /// Lower end of the interval of `y`.
    pub lo: Option<f64>,
    /// Upper end of the interval of `y`.
    pub hi: Option<f64>,
    /// What the colour shows, where the figure is coloured by a value; grey without.
    pub value: Option<f64>,
    /// A short text beside the point, left out where there is no room for it; may be empty.
    pub label: String,
}

/// A number that the colour of points shows.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ColourBy {
    /// What it is.
    pub name: String,
    /// Whether equal steps of colour are equal factors; a value at zero or below is then grey.
    pub log: bool,
}

const WIDTH: f64 = 820.0;
const PLOT_HEIGHT: f64 = 320.0;
/// Space between the edge of the plot and the outermost points.
const INSET: f64 = 18.0;
/// Space between the plot and the bar of colours.
const BAR_GAP: f64 = 16.0;

/// A point with its group and its place in pixels from the top of the plot.
struct Shown<'a> {
    group: usize,
    dot: &'a Dot,
    point: Point,
    at: (f64, f64),
}

impl Scatter {
    /// The figure as SVG.
    #[must_use]
    pub fn to_svg(&self) -> String {
        let mut left_out = LeftOut::default();
        let mut shown = self.shown(&mut left_out);
        left_out.marked(marked::reach(&self.references, self.band.as_ref()));
        let note = left_out.add_to(&self.note, "point");
        if shown.is_empty() {
            let asked = self.groups.iter().map(|group| group.dots.len()).sum();
            let (mut canvas, top) = Canvas::new(WIDTH, &self.title, &note);
            let bottom = frame::no_data(&mut canvas, top, WIDTH, &kept::reason(&self.empty, asked, "point"));
            return canvas.finish(bottom);
        }

        // Places are measured from the top of the plot: where that is depends on the note, which says what found no place.
        let y = Axis::vertical(self.y_range(&shown), (PLOT_HEIGHT, 0.0), 8);
        let left = frame::plot_left(&self.y_axis, PLOT_HEIGHT, y.label_width());
        let (note, colours) = self.colours(&shown, note);
        let colour = |value: f64| colours.map_or_else(String::new, |(lo, hi, log)| shade(share(value, (lo, hi), log)));
        let bar = self.colour.as_ref().zip(colours).map(|(by, (lo, hi, log))| ColourBar {
            name: &by.name,
            range: (lo, hi),
            log,
            colour: &colour,
        });
        let right = WIDTH - PAD - bar.as_ref().map_or(8.0, |bar| bar.width() + BAR_GAP);
        let (x, r) = self.place(&mut shown, &y.scale, (left, right));
        let (labels, dropped) = self.labels(&shown, &y.scale, (left, right), r);
        let note = match dropped {
            0 => note,
            n => format!("{note} Without room: {}.", counted(n, "label"))
                .trim()
                .to_owned(),
        };

        let (mut canvas, top) = Canvas::new(WIDTH, &self.title, &note);
        let frame = Frame {
            left,
            right,
            top,
            bottom: top + PLOT_HEIGHT,
        };
        let y = Axis::vertical(self.y_range(&shown), (frame.bottom, top), 8);
        marked::draw_band(&mut canvas, self.band.as_ref(), (left, right), &y.scale);
        frame.draw_grid(&mut canvas, &x, &y);
        marked::draw_lines(&mut canvas, &self.references, (left, right), &y.scale);
        frame.draw_base(&mut canvas);
        frame.label_x(&mut canvas, &x, PAD);
        frame.label_y(&mut canvas, &y);
        let bottom = frame.name_axes(&mut canvas, &self.x_axis, &self.y_axis);

        let fill = |shown: &Shown| match (&bar, shown.dot.value) {
            (None, _) => series(shown.group).0.to_owned(),
            (Some(bar), Some(value)) if can_colour(value, bar.log) => colour(value),
            _ => MUTED.to_owned(),
        };
        for shown in &shown {
            if let Some((lo, hi)) = interval(&shown.point) {
                let x = shown.at.0;
                canvas.line((x, y.scale.at(lo)), (x, y.scale.at(hi)), &fill(shown), 1.2, "");
            }
        }
        for shown in &shown {
            let (_, mark) = series(shown.group);
            canvas.dot(mark, (shown.at.0, shown.at.1 + top), &fill(shown), r);
        }
        for label in &labels {
            // Above the marks, so that the end is seen where one mark covers another.
            if let Some((from, to)) = label.leader {
                canvas.line((from.0, from.1 + top), (to.0, to.1 + top), INK, 0.8, "");
            }
            let (x, y) = label.at;
            canvas.text(x, y + top, label.anchor, SMALL, INK, &label.text);
        }
        if let Some(bar) = &bar {
            bar.draw(&mut canvas, (right + BAR_GAP, top), PLOT_HEIGHT);
        }
        let entries = self.entries(bar.is_some());
        if entries.is_empty() {
            return canvas.finish(bottom + 14.0);
        }
        legend::draw(&mut canvas, &entries, (left, bottom + 14.0), right - left);
        canvas.finish(bottom + 26.0 + legend::height(&entries, right - left))
    }

    /// The points that have a place, group by group.
    fn shown(&self, left_out: &mut LeftOut) -> Vec<Shown<'_>> {
        let mut shown = Vec::new();
        for (group, dots) in self.groups.iter().map(|group| &group.dots).enumerate() {
            for dot in dots {
                let &Dot { x, y, lo, hi, .. } = dot;
                if let Some(point) = left_out.keep(Point { x, y, lo, hi }, self.log_x) {
                    shown.push(Shown {
                        group,
                        dot,
                        point,
                        at: (0.0, 0.0),
                    });
                }
            }
        }
        shown
    }

    fn y_range(&self, shown: &[Shown]) -> (f64, f64) {
        let ys = shown
            .iter()
            .flat_map(|s| [Some(s.point.y), s.point.lo, s.point.hi])
            .flatten();
        let firm = self.y_range.into_iter().flat_map(|(lo, hi)| [lo, hi]);
        let ends = ys
            .chain(firm)
            .chain(marked::reach(&self.references, self.band.as_ref()));
        let range = widened(extent(ends).unwrap_or((0.0, 1.0)), false);
        padded(range, self.y_range.unwrap_or((f64::NAN, f64::NAN)))
    }

    /// Lower end, upper end and spacing of the colours, and the note with what has none.
    fn colours(&self, shown: &[Shown], note: String) -> (String, Option<(f64, f64, bool)>) {
        let Some(by) = &self.colour else {
            return (note, None);
        };
        let values = shown
            .iter()
            .filter_map(|s| s.dot.value)
            .filter(|value| can_colour(*value, by.log));
        let grey = shown.len() - values.clone().count();
        let range = extent(values).map(|range| widened(range, by.log));
        let more = match (grey, range) {
            (0, _) => return (note, range.map(|(lo, hi)| (lo, hi, by.log))),
            (_, None) => format!("No point has a value of {}: colours are those of the groups.", by.name),
            (n, _) => format!("Grey: {} without a value of {}.", counted(n, "point"), by.name),
        };
        (
            format!("{note} {more}").trim().to_owned(),
            range.map(|(lo, hi)| (lo, hi, by.log)),
        )
    }

    /// Gives every point its place, and returns the horizontal axis and the radius of the marks.
    fn place(&self, shown: &mut [Shown], y: &Scale, (left, right): (f64, f64)) -> (Axis, f64) {
        let firm = self.x_range.into_iter().flat_map(|(lo, hi)| [lo, hi]);
        let firm = firm.filter(|x| !self.log_x || *x > 0.0);
        let range = extent(shown.iter().map(|s| s.point.x).chain(firm)).unwrap_or((1.0, 2.0));
        let mut columns: Vec<f64> = shown.iter().map(|s| s.point.x).collect();
        columns.sort_by(f64::total_cmp);
        columns.dedup();
        let step = columns
            .windows(2)
            .map(|pair| pair[1] - pair[0])
            .fold(f64::INFINITY, f64::min);
        // The outermost columns of a swarm have as much room to both sides as the inner ones.
        let (range, inset) = match (self.swarm && !self.log_x, step.is_finite()) {
            (true, true) => ((range.0 - step / 2.0, range.1 + step / 2.0), 4.0),
            (true, false) => ((range.0 - 0.5, range.1 + 0.5), 4.0),
            (false, _) => (widened(range, self.log_x), INSET),
        };
        let xs = columns.iter().copied();
        let mut axis = Axis::horizontal(range, (left, right), inset, (self.log_x, 10), xs);
        if self.swarm && columns.len() <= 30 {
            axis.retick(columns.iter().map(|x| (*x, number::exact(*x))).collect());
        }
        let mut places: Vec<(f64, f64)> = shown
            .iter()
            .map(|s| (axis.scale.at(s.point.x), y.at(s.point.y)))
            .collect();
        let r = if self.swarm {
            let pixels: Vec<f64> = columns.iter().map(|x| axis.scale.at(*x)).collect();
            let gap = pixels.windows(2).map(|pair| pair[1] - pair[0]).fold(160.0, f64::min);
            swarm::spread(&mut places, gap / 2.0 - 1.0)
        } else if places.len() > 150 {
            3.0
        } else {
            RADIUS
        };
        for (shown, place) in shown.iter_mut().zip(places) {
            shown.at = place;
        }
        (axis, r)
    }

    fn labels(&self, shown: &[Shown], y: &Scale, (left, right): (f64, f64), r: f64) -> (Vec<labels::Label>, usize) {
        let bounds = Area {
            left,
            right,
            top: 0.0,
            bottom: PLOT_HEIGHT,
        };
        let lines = self.references.iter().filter(|reference| reference.at.is_finite());
        let lines = lines.map(|reference| (left, right, y.at(reference.at), y.at(reference.at)));
        let whiskers = shown.iter().filter_map(|s| {
            let (lo, hi) = interval(&s.point)?;
            Some((s.at.0, s.at.0, y.at(hi), y.at(lo)))
        });
        let taken: Vec<Area> = lines
            .chain(whiskers)
            .map(|(left, right, top, bottom)| Area {
                left: left - 1.0,
                right: right + 1.0,
                top: top - 1.0,
                bottom: bottom + 1.0,
            })
            .collect();
        let points: Vec<_> = shown.iter().map(|s| (s.at, s.dot.label.as_str())).collect();
        labels::place(&points, &taken, bounds, r)
    }

    /// The legend: nothing where there is one group and nothing else to tell it from.
    fn entries(&self, by_value: bool) -> Vec<Entry> {
        let mut entries = legend::of_series(self.groups.iter().map(|group| group.name.as_str()), false);
        if by_value {
            for entry in &mut entries {
                if let Look::Mark { colour, .. } = &mut entry.look {
                    *colour = MUTED;
                }
            }
        }
        let others = marked::entries(&self.references, self.band.as_ref());
        if entries.len() == 1 && (others.is_empty() || entries[0].name.is_empty()) {
            entries.clear();
        }
        entries.extend(others);
        entries
    }
}

/// Ends of the interval of a point; an end that is not known is the point itself.
fn interval(point: &Point) -> Option<(f64, f64)> {
    (point.lo.is_some() || point.hi.is_some()).then(|| (point.lo.unwrap_or(point.y), point.hi.unwrap_or(point.y)))
}

fn can_colour(value: f64, log: bool) -> bool {
    value.is_finite() && (!log || value > 0.0)
}

/// Place of `value` between the ends of the colours.
fn share(value: f64, range: (f64, f64), log: bool) -> f64 {
    Scale::new(range, (0.0, 1.0), log).at(value)
}
