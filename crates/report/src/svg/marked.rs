//! Marked places and ranges on an axis: a ceiling, the probe's score, the range that a paper shows.

use super::axis::Scale;
use super::canvas::{Anchor, Canvas, PAD, SMALL};
use super::legend::{Entry, Look};
use super::palette::{BAND, MUTED};
use super::text;

/// A marked place on the axis.
#[derive(Debug, Clone, PartialEq)]
pub struct Reference {
    /// Where.
    pub at: f64,
    /// What it is.
    pub label: String,
}

/// A marked range of the vertical axis, painted behind the data.
#[derive(Debug, Clone, PartialEq)]
pub struct Band {
    /// Its lower end.
    pub lo: f64,
    /// Its upper end.
    pub hi: f64,
    /// What it is.
    pub label: String,
}

/// The dash pattern of the `i`-th reference; lines that share a figure differ in it.
pub(super) fn dashes(i: usize) -> &'static str {
    ["6 4", "2 3", "9 3 2 3", "14 4", "1 5"][i % 5]
}

/// Entries of `references` and `band` for a legend.
pub(super) fn entries(references: &[Reference], band: Option<&Band>) -> Vec<Entry> {
    let line = |(i, reference): (usize, &Reference)| Entry {
        name: reference.label.clone(),
        look: Look::Dashes(dashes(i)),
    };
    let area = |band: &Band| Entry {
        name: band.label.clone(),
        look: Look::Band,
    };
    let lines = references
        .iter()
        .enumerate()
        .filter(|(_, reference)| reference.at.is_finite());
    let band = band.filter(|band| is_drawable(band));
    lines.map(line).chain(band.map(area)).collect()
}

fn is_drawable(band: &Band) -> bool {
    band.lo.is_finite() && band.hi.is_finite()
}

/// Every number of `references` and `band`, finite or not: what an axis should reach.
pub(super) fn reach<'a>(references: &'a [Reference], band: Option<&'a Band>) -> impl Iterator<Item = f64> + 'a {
    let ends = band.map(|band| [band.lo, band.hi]);
    let places = references.iter().map(|reference| reference.at);
    places.chain(ends.into_iter().flatten())
}

/// Paints `band` across the plot between `left` and `right`.
pub(super) fn draw_band(canvas: &mut Canvas, band: Option<&Band>, (left, right): (f64, f64), y: &Scale) {
    if let Some(band) = band.filter(|band| is_drawable(band)) {
        let (top, bottom) = (y.at(band.lo.max(band.hi)), y.at(band.lo.min(band.hi)));
        // A range of one value is still seen.
        let top = top.min(bottom - 2.0);
        canvas.rect((left, top), (right - left, bottom - top), BAND);
    }
}

/// Draws `references` across the plot between `left` and `right`.
pub(super) fn draw_lines(canvas: &mut Canvas, references: &[Reference], (left, right): (f64, f64), y: &Scale) {
    for (i, reference) in references
        .iter()
        .enumerate()
        .filter(|(_, reference)| reference.at.is_finite())
    {
        let at = y.at(reference.at);
        canvas.line((left, at), (right, at), MUTED, 1.5, dashes(i));
    }
}

/// Labels of places on a horizontal axis, above the plot, in as many lines as it takes to keep them apart in a figure of this
/// width. Returns the top of the plot.
pub(super) fn draw_labels(canvas: &mut Canvas, references: &[Reference], scale: &Scale, top: f64, width: f64) -> f64 {
    let mut taken: Vec<Vec<(f64, f64)>> = Vec::new();
    let mut placed = Vec::new();
    for reference in references.iter().filter(|reference| reference.at.is_finite()) {
        let label = text::fit_end(&reference.label, SMALL, width - 2.0 * PAD);
        let half = text::width(&label, SMALL) / 2.0;
        let x = scale
            .at(reference.at)
            .clamp(PAD + half, (width - PAD - half).max(PAD + half));
        let span = (x - half - 4.0, x + half + 4.0);
        let free = |line: &Vec<(f64, f64)>| line.iter().all(|other| span.1 < other.0 || span.0 > other.1);
        let line = taken.iter().position(free).unwrap_or(taken.len());
        if line == taken.len() {
            taken.push(Vec::new());
        }
        taken[line].push(span);
        placed.push((x, line, label));
    }
    for (x, line, label) in placed {
        let y = top + 14.0 * (line as f64 + 1.0) - 2.0;
        canvas.text(x, y, Anchor::Middle, SMALL, MUTED, &label);
    }
    top + 14.0 * taken.len() as f64 + 6.0
}
