//! Which points have a place on the axes, and in words how many have none: nothing is left out silently.

use super::lines::Point;

/// Counts of what was left out of a figure.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct LeftOut {
    /// Points with a coordinate that is not finite.
    points: usize,
    /// Points at or below zero of a log axis.
    below: usize,
    /// Ends of intervals that are not finite.
    ends: usize,
    /// Marked places and ranges that are not finite.
    marked: usize,
}

impl LeftOut {
    /// `point` with the ends of its interval that are finite, if it has a place; the rest is counted.
    pub(super) fn keep(&mut self, point: Point, log: bool) -> Option<Point> {
        if !point.x.is_finite() || !point.y.is_finite() {
            self.points += 1;
            return None;
        }
        if log && point.x <= 0.0 {
            self.below += 1;
            return None;
        }
        let (lo, hi) = (self.end(point.lo), self.end(point.hi));
        Some(Point { lo, hi, ..point })
    }

    /// `value` if it is finite; counted as a point otherwise.
    pub(super) fn value(&mut self, value: f64) -> bool {
        self.points += usize::from(!value.is_finite());
        value.is_finite()
    }

    /// `end` if it is finite; counted otherwise.
    pub(super) fn end(&mut self, end: Option<f64>) -> Option<f64> {
        self.ends += usize::from(end.is_some_and(|end| !end.is_finite()));
        end.filter(|end| end.is_finite())
    }

    /// Counts the marked places that are not finite.
    pub(super) fn marked(&mut self, places: impl Iterator<Item = f64>) {
        self.marked += places.filter(|at| !at.is_finite()).count();
    }

    /// `note` with the counts after it. `what` names one thing that has a place: a point, a bar.
    pub(super) fn add_to(&self, note: &str, what: &str) -> String {
        let mut sentences = vec![note.to_owned()];
        if self.points > 0 {
            sentences.push(format!(
                "Left out: {}, not a finite number.",
                counted(self.points, what)
            ));
        }
        if self.below > 0 {
            sentences.push(format!(
                "Left out: {}, at or below zero of the log axis.",
                counted(self.below, what)
            ));
        }
        if self.ends > 0 {
            let ends = counted(self.ends, "end");
            sentences.push(format!("Left out: {ends} of an interval, not a finite number."));
        }
        if self.marked > 0 {
            let lines = counted(self.marked, "marked place");
            sentences.push(format!("Left out: {lines}, not a finite number."));
        }
        sentences.retain(|sentence| !sentence.is_empty());
        sentences.join(" ")
    }
}

/// `1 point`, `2 points`.
pub(super) fn counted(n: usize, what: &str) -> String {
    format!("{n} {what}{}", if n == 1 { "" } else { "s" })
}

/// Why a figure shows nothing: the caller's reason, or what can be seen from here.
pub(super) fn reason(given: &str, asked: usize, what: &str) -> String {
    match (given, asked) {
        ("", 0) => format!("no {what}s were given"),
        ("", 1) => format!("the only {what} has no place"),
        ("", n) => format!("none of the {n} {what}s has a place"),
        (given, _) => given.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_out_is_counted() {
        let mut left_out = LeftOut::default();
        let point = |x: f64, y: f64, hi: f64| Point {
            x,
            y,
            lo: Some(0.0),
            hi: Some(hi),
        };
        assert_eq!(left_out.keep(point(1.0, f64::NAN, 1.0), true), None);
        assert_eq!(left_out.keep(point(0.0, 1.0, 1.0), true), None);
        let open = left_out.keep(point(1.0, 1.0, f64::INFINITY), true);
        assert_eq!(
            open,
            Some(Point {
                hi: None,
                ..point(1.0, 1.0, 1.0)
            })
        );
        let note = left_out.add_to("Mean over letters.", "point");
        assert_eq!(
            note,
            "Mean over letters. Left out: 1 point, not a finite number. Left out: 1 point, at or below zero of the log axis. \
             Left out: 1 end of an interval, not a finite number."
        );
        assert_eq!(LeftOut::default().add_to("", "point"), "");
    }

    #[test]
    fn nothing_has_a_reason() {
        assert_eq!(reason("", 0, "point"), "no points were given");
        assert_eq!(reason("", 3, "point"), "none of the 3 points has a place");
        assert_eq!(reason("no SAE fits", 3, "point"), "no SAE fits");
    }
}
