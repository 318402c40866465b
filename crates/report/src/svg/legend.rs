//! Names of series below a figure, in as many lines as they need.

use super::canvas::{Anchor, BODY, Canvas};
use super::palette::{INK, series};
use super::text;

const SWATCH: f64 = 24.0;
const LINE: f64 = 20.0;

/// Height that [`draw`] will take.
pub(super) fn height(names: &[&str], width: f64) -> f64 {
    places(names, width)
        .last()
        .map_or(0.0, |(_, line)| (*line as f64 + 1.0) * LINE)
}

/// Draws the names with the marks of their series, starting at the corner `(left, top)`.
pub(super) fn draw(canvas: &mut Canvas, names: &[&str], (left, top): (f64, f64), width: f64, with_line: bool) {
    for (i, (x, line)) in places(names, width).into_iter().enumerate() {
        let (x, y) = (left + x, top + line as f64 * LINE + LINE / 2.0);
        let (colour, mark) = series(i);
        if with_line {
            canvas.line((x, y), (x + SWATCH - 6.0, y), colour, 2.0, "");
        }
        canvas.mark(mark, (x + SWATCH / 2.0 - 3.0, y), colour);
        let name = text::fit_end(names[i], BODY, width - SWATCH);
        canvas.text(x + SWATCH, y + 4.0, Anchor::Start, BODY, INK, &name);
    }
}

/// Left edge and line number of each name.
fn places(names: &[&str], width: f64) -> Vec<(f64, usize)> {
    let (mut x, mut line) = (0.0, 0);
    let mut places = Vec::new();
    for name in names {
        let need = SWATCH + text::width(name, BODY).min(width - SWATCH);
        if x > 0.0 && x + need > width {
            x = 0.0;
            line += 1;
        }
        places.push((x, line));
        x += need + 18.0;
    }
    places
}
