//! Places for the labels of points: beside the point where there is room, else further out with a thin line to it, else none.
//!
//! The rule is greedy and keeps the order of the points, so that the same points always get the same labels. It looks for no best
//! arrangement: what has no room is counted and said, not squeezed in.

use std::f64::consts::TAU;

use super::canvas::{Anchor, SMALL};
use super::text;

type Place = (f64, f64);

/// A box.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Area {
    pub(super) left: f64,
    pub(super) right: f64,
    pub(super) top: f64,
    pub(super) bottom: f64,
}

/// Where one label goes.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Label {
    pub(super) text: String,
    /// Where its base line starts, or what `anchor` says.
    pub(super) at: Place,
    pub(super) anchor: Anchor,
    /// The line from the point to the label, if it is not beside it.
    pub(super) leader: Option<(Place, Place)>,
}

const LONGEST: f64 = 170.0;
/// Height of a line above and below its base line.
const ASCENT: f64 = 9.0;
const DESCENT: f64 = 3.0;
/// How far out labels with a line may stand, in pixels from the point.
const RINGS: [f64; 8] = [16.0, 24.0, 33.0, 44.0, 58.0, 74.0, 92.0, 112.0];

impl Area {
    /// The box of a mark of radius `r`.
    pub(super) fn around((x, y): Place, r: f64) -> Self {
        Self {
            left: x - r,
            right: x + r,
            top: y - r,
            bottom: y + r,
        }
    }

    fn overlaps(&self, other: &Self) -> bool {
        self.left < other.right && other.left < self.right && self.top < other.bottom && other.top < self.bottom
    }

    fn contains(&self, other: &Self) -> bool {
        self.left <= other.left && self.right >= other.right && self.top <= other.top && self.bottom >= other.bottom
    }

    /// Whether the line between two places enters the box: points close together on it are tried.
    fn is_crossed(&self, (from, to): (Place, Place)) -> bool {
        (0..=64).any(|i| {
            let t = f64::from(i) / 64.0;
            let (x, y) = (from.0 + (to.0 - from.0) * t, from.1 + (to.1 - from.1) * t);
            x > self.left && x < self.right && y > self.top && y < self.bottom
        })
    }
}

/// Labels for `points`, within `bounds`, that cover neither each other nor `taken`. The marks of the points have radius `r`. An
/// empty label is none. Also returns how many found no place.
pub(super) fn place(points: &[(Place, &str)], taken: &[Area], bounds: Area, r: f64) -> (Vec<Label>, usize) {
    let mut plan = Plan {
        bounds,
        taken,
        marks: points.iter().map(|(at, _)| Area::around(*at, r * 1.25)).collect(),
        labels: Vec::new(),
        leaders: Vec::new(),
    };
    let mut labels = Vec::new();
    let mut waiting = Vec::new();
    for (i, (at, label)) in points.iter().enumerate().filter(|(_, (_, label))| !label.is_empty()) {
        let label = text::fit_end(&text::visible(label), SMALL, LONGEST);
        match plan.beside(*at, &label, r * 1.25 + 3.0) {
            Some(found) => labels.push(found),
            None => waiting.push((i, *at, label)),
        }
    }
    let mut dropped = 0;
    for (i, at, label) in waiting {
        match plan.with_leader(i, at, &label) {
            Some(found) => labels.push(found),
            None => dropped += 1,
        }
    }
    (labels, dropped)
}

/// What is on the plot so far.
struct Plan<'a> {
    bounds: Area,
    taken: &'a [Area],
    marks: Vec<Area>,
    labels: Vec<Area>,
    leaders: Vec<(Place, Place)>,
}

impl Plan<'_> {
    fn is_free(&self, area: &Area) -> bool {
        let mut all = self.taken.iter().chain(&self.marks).chain(&self.labels);
        self.bounds.contains(area)
            && !all.any(|other| area.overlaps(other))
            && !self.leaders.iter().any(|leader| area.is_crossed(*leader))
    }

    /// The first free of eight places around the point, at distance `d`.
    fn beside(&mut self, (x, y): Place, label: &str, d: f64) -> Option<Label> {
        let near = d * 0.72;
        let level = y + (ASCENT - DESCENT) / 2.0;
        let (above, below) = (y - near - DESCENT, y + near + ASCENT);
        let choices = [
            ((x + d, level), Anchor::Start),
            ((x - d, level), Anchor::End),
            ((x, y - d - DESCENT), Anchor::Middle),
            ((x, y + d + ASCENT), Anchor::Middle),
            ((x + near, above), Anchor::Start),
            ((x - near, above), Anchor::End),
            ((x + near, below), Anchor::Start),
            ((x - near, below), Anchor::End),
        ];
        let width = text::width(label, SMALL);
        let found = choices
            .into_iter()
            .find(|(at, anchor)| self.is_free(&area(*at, *anchor, width)))?;
        Some(self.take(found, label, None))
    }

    /// The nearest free place further out whose line to the point crosses no other mark, label or line.
    fn with_leader(&mut self, own: usize, (x, y): Place, label: &str) -> Option<Label> {
        let width = text::width(label, SMALL);
        for ring in RINGS {
            for turn in directions() {
                let (sin, cos) = (TAU * turn).sin_cos();
                let end = (x + ring * cos, y + ring * sin);
                let level = end.1 + (ASCENT - DESCENT) / 2.0;
                let choice = if cos > 0.35 {
                    ((end.0 + 2.0, level), Anchor::Start)
                } else if cos < -0.35 {
                    ((end.0 - 2.0, level), Anchor::End)
                } else if sin > 0.0 {
                    ((end.0, end.1 + ASCENT), Anchor::Middle)
                } else {
                    ((end.0, end.1 - DESCENT), Anchor::Middle)
                };
                let leader = ((x, y), end);
                if self.is_free(&area(choice.0, choice.1, width)) && self.is_open(leader, own) {
                    return Some(self.take(choice, label, Some(leader)));
                }
            }
        }
        None
    }

    fn take(&mut self, (at, anchor): (Place, Anchor), label: &str, leader: Option<(Place, Place)>) -> Label {
        self.labels.push(area(at, anchor, text::width(label, SMALL)));
        self.leaders.extend(leader);
        Label {
            text: label.to_owned(),
            at,
            anchor,
            leader,
        }
    }

    /// Marks that lie on the point itself cannot be avoided.
    fn is_open(&self, leader: (Place, Place), own: usize) -> bool {
        let middle = Area::around(leader.0, 0.0);
        let others = self.marks.iter().enumerate();
        let others = others.filter(|(i, mark)| *i != own && !mark.contains(&middle));
        let mut areas = others.map(|(_, mark)| mark).chain(&self.labels);
        !areas.any(|area| area.is_crossed(leader)) && !self.leaders.iter().any(|other| cross(leader, *other))
    }
}

/// Parts of a full turn, the flattest first: a label at the side of its point reads best.
fn directions() -> impl Iterator<Item = f64> {
    let sides = |i: u8| [i, 16 - i, 32 - i, 16 + i];
    (0..=8).flat_map(sides).map(|i| f64::from(i) / 32.0)
}

/// Box of a label.
fn area((x, y): Place, anchor: Anchor, width: f64) -> Area {
    let left = match anchor {
        Anchor::Start => x,
        Anchor::Middle => x - width / 2.0,
        Anchor::End => x - width,
    };
    Area {
        left,
        right: left + width,
        top: y - ASCENT,
        bottom: y + DESCENT,
    }
}

/// Whether two lines cross.
fn cross((a, b): (Place, Place), (c, d): (Place, Place)) -> bool {
    let side = |p: Place, q: Place, r: Place| (q.0 - p.0) * (r.1 - p.1) - (q.1 - p.1) * (r.0 - p.0);
    side(a, b, c) * side(a, b, d) < 0.0 && side(c, d, a) * side(c, d, b) < 0.0
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOUNDS: Area = Area {
        left: 0.0,
        right: 700.0,
        top: 0.0,
        bottom: 300.0,
    };

    fn crowd(n: u32, size: f64) -> Vec<Place> {
        let golden = |i: u32, by: f64| (f64::from(i) * by).fract();
        (0..n)
            .map(|i| (250.0 + size * golden(i, 0.618_034), 20.0 + size * golden(i, 0.754_878)))
            .collect()
    }

    #[track_caller]
    fn check(places: &[Place], names: &[String]) -> (usize, usize) {
        let points: Vec<(Place, &str)> = places.iter().copied().zip(names.iter().map(String::as_str)).collect();
        let (labels, dropped) = place(&points, &[], BOUNDS, 4.5);
        let areas: Vec<Area> = labels
            .iter()
            .map(|label| area(label.at, label.anchor, text::width(&label.text, SMALL)))
            .collect();
        for (i, a) in areas.iter().enumerate() {
            assert!(BOUNDS.contains(a), "{a:?}");
            assert!(areas[..i].iter().all(|b| !a.overlaps(b)), "{:?}", labels[i]);
            assert!(
                places.iter().all(|at| !a.overlaps(&Area::around(*at, 4.5))),
                "{:?}",
                labels[i]
            );
            let lines = labels.iter().filter_map(|label| label.leader);
            for line in lines {
                assert!(!a.is_crossed(line), "{:?} {line:?}", labels[i]);
            }
        }
        assert_eq!(
            labels.len() + dropped,
            names.iter().filter(|name| !name.is_empty()).count()
        );
        assert_eq!(place(&points, &[], BOUNDS, 4.5), (labels.clone(), dropped));
        (labels.len(), dropped)
    }

    #[test]
    fn crowded_labels_keep_apart() {
        let names: Vec<String> = (0..24).map(|i| format!("latent {}", 1085 + i * 311)).collect();
        assert_eq!(check(&crowd(24, 260.0), &names).1, 0);
        let (placed, dropped) = check(&crowd(24, 50.0), &names);
        assert!(placed > 8 && dropped > 0, "{placed} {dropped}");
    }

    #[test]
    fn points_in_one_place_get_what_there_is() {
        let names = vec!["same".to_owned(), String::new(), "same".to_owned(), "x".repeat(90)];
        check(&[(350.0, 150.0); 4], &names);
        // At the corner there is room on one side only.
        assert_eq!(check(&[(2.0, 2.0)], &names[..1]), (1, 0));
    }
}
