//! What the marks, lines and areas of a figure are, below it, in as many lines as it takes.

use super::canvas::{Anchor, BODY, Canvas};
use super::palette::{BAND, INK, MUTED, Mark, series};
use super::text;

const SWATCH: f64 = 24.0;
const LINE: f64 = 20.0;

/// One name with a sample of what it names.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Entry {
    pub(super) name: String,
    pub(super) look: Look,
}

/// What the sample shows.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Look {
    /// A mark, alone or on its curve.
    Mark {
        colour: &'static str,
        mark: Mark,
        on_line: bool,
    },
    /// A line across the plot with this dash pattern.
    Dashes(&'static str),
    /// The band behind the data.
    Band,
    /// A bar of a bar chart.
    Bar { fill: &'static str, edge: &'static str },
}

/// Entries of series that stand for the places of `names`.
pub(super) fn of_series<'a>(names: impl IntoIterator<Item = &'a str>, on_line: bool) -> Vec<Entry> {
    let entry = |(i, name): (usize, &str)| {
        let (colour, mark) = series(i);
        Entry {
            name: name.to_owned(),
            look: Look::Mark { colour, mark, on_line },
        }
    };
    names.into_iter().enumerate().map(entry).collect()
}

/// Height that [`draw`] will take.
pub(super) fn height(entries: &[Entry], width: f64) -> f64 {
    places(entries, width)
        .last()
        .map_or(0.0, |(_, line)| (*line as f64 + 1.0) * LINE)
}

/// Draws the entries, starting at the corner `(left, top)`.
pub(super) fn draw(canvas: &mut Canvas, entries: &[Entry], (left, top): (f64, f64), width: f64) {
    for (entry, (x, line)) in entries.iter().zip(places(entries, width)) {
        let (x, y) = (left + x, top + line as f64 * LINE + LINE / 2.0);
        let (end, middle) = (x + SWATCH - 6.0, x + SWATCH / 2.0 - 3.0);
        match entry.look {
            Look::Mark { colour, mark, on_line } => {
                if on_line {
                    canvas.line((x, y), (end, y), colour, 2.0, "");
                }
                canvas.mark(mark, (middle, y), colour);
            }
            Look::Dashes(dashes) => canvas.line((x, y), (end, y), MUTED, 1.5, dashes),
            Look::Band => canvas.edged_rect((x, y - 6.0), (SWATCH - 6.0, 12.0), BAND, ""),
            Look::Bar { fill, edge } => canvas.edged_rect((x, y - 5.0), (SWATCH - 6.0, 10.0), fill, edge),
        }
        let name = text::fit_end(&entry.name, BODY, width - SWATCH);
        canvas.text(x + SWATCH, y + 4.0, Anchor::Start, BODY, INK, &name);
    }
}

/// Left edge and line number of each entry.
fn places(entries: &[Entry], width: f64) -> Vec<(f64, usize)> {
    let (mut x, mut line) = (0.0, 0);
    let mut places = Vec::new();
    for entry in entries {
        let need = SWATCH + text::width(&entry.name, BODY).min(width - SWATCH);
        if x > 0.0 && x + need > width {
            x = 0.0;
            line += 1;
        }
        places.push((x, line));
        x += need + 18.0;
    }
    places
}
