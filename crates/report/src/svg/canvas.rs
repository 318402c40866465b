//! The few SVG elements that figures are made of.

use std::fmt::Write as _;

use super::palette::{INK, MUTED, Mark};
use super::text;

/// Font sizes.
pub(super) const TITLE: f64 = 15.0;
pub(super) const BODY: f64 = 12.0;
pub(super) const SMALL: f64 = 11.0;

/// Half the width of a mark of the usual size.
pub(super) const RADIUS: f64 = 4.5;
/// Space between the edge of a figure and what is in it.
pub(super) const PAD: f64 = 16.0;

/// Which point of a text its position means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Anchor {
    Start,
    Middle,
    End,
}

/// An SVG under construction. Things drawn later cover earlier ones.
pub(super) struct Canvas {
    width: f64,
    title: String,
    description: String,
    body: String,
}

/// A coordinate with at most two decimals.
fn px(x: f64) -> String {
    let text = format!("{x:.2}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    if text == "-0" { "0".to_owned() } else { text.to_owned() }
}

/// Places as the value of a `points` attribute.
fn list(points: impl Iterator<Item = (f64, f64)>) -> String {
    points
        .map(|(x, y)| format!("{},{}", px(x), px(y)))
        .collect::<Vec<_>>()
        .join(" ")
}

fn escape(text: &str) -> String {
    let text: String = text.chars().filter(|c| !c.is_control()).collect();
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

impl Canvas {
    /// A canvas with its heading; also returns the height that the heading takes.
    pub(super) fn new(width: f64, title: &str, note: &str) -> (Self, f64) {
        let mut canvas = Self {
            width,
            title: title.to_owned(),
            description: note.to_owned(),
            body: String::new(),
        };
        let mut y = 10.0;
        for line in text::wrap(title, TITLE * 1.08, width - 32.0) {
            y += 19.0;
            let line = escape(&line);
            let size = px(TITLE);
            let _ = writeln!(
                canvas.body,
                r#"<text x="16" y="{}" font-size="{size}" font-weight="bold" fill="{INK}">{line}</text>"#,
                px(y)
            );
        }
        for line in text::wrap(note, BODY, width - 32.0) {
            y += 17.0;
            canvas.text(16.0, y, Anchor::Start, BODY, MUTED, &line);
        }
        (canvas, y + 20.0)
    }

    pub(super) fn line(&mut self, from: (f64, f64), to: (f64, f64), colour: &str, width: f64, dash: &str) {
        let dash = if dash.is_empty() {
            String::new()
        } else {
            format!(r#" stroke-dasharray="{dash}""#)
        };
        let _ = writeln!(
            self.body,
            r#"<line x1="{}" y1="{}" x2="{}" y2="{}" stroke="{colour}" stroke-width="{}"{dash}/>"#,
            px(from.0),
            px(from.1),
            px(to.0),
            px(to.1),
            px(width)
        );
    }

    pub(super) fn rect(&mut self, corner: (f64, f64), size: (f64, f64), fill: &str) {
        self.edged_rect(corner, size, fill, "");
    }

    /// A rectangle with an edge of this colour, drawn inside its size; none for the empty colour.
    pub(super) fn edged_rect(&mut self, corner: (f64, f64), size: (f64, f64), fill: &str, edge: &str) {
        let inset = if edge.is_empty() { 0.0 } else { 0.75 };
        let (x, y) = (px(corner.0 + inset), px(corner.1 + inset));
        let (w, h) = (px((size.0 - 2.0 * inset).max(0.0)), px((size.1 - 2.0 * inset).max(0.0)));
        let edge = if edge.is_empty() {
            String::new()
        } else {
            format!(r#" stroke="{edge}" stroke-width="1.5""#)
        };
        let _ = writeln!(
            self.body,
            r#"<rect x="{x}" y="{y}" width="{w}" height="{h}" fill="{fill}"{edge}/>"#
        );
    }

    pub(super) fn text(&mut self, x: f64, y: f64, anchor: Anchor, size: f64, colour: &str, text: &str) {
        self.turned_text((x, y), 0.0, anchor, size, colour, text);
    }

    /// `text` in as many lines as it needs within `room`, the first on the base line `y`; returns the last base line, or `y` less
    /// a line where there is no text.
    pub(super) fn paragraph(
        &mut self,
        at: (f64, f64),
        anchor: Anchor,
        style: (f64, &str),
        text: &str,
        room: f64,
    ) -> f64 {
        let (size, colour) = style;
        let step = size + 4.0;
        let mut y = at.1 - step;
        for line in text::wrap(text, size, room) {
            y += step;
            self.text(at.0, y, anchor, size, colour, &line);
        }
        y
    }

    /// Text turned by `degrees` clockwise about its position.
    pub(super) fn turned_text(
        &mut self,
        at: (f64, f64),
        degrees: f64,
        anchor: Anchor,
        size: f64,
        colour: &str,
        text: &str,
    ) {
        let anchor = match anchor {
            Anchor::Start => "",
            Anchor::Middle => r#" text-anchor="middle""#,
            Anchor::End => r#" text-anchor="end""#,
        };
        let (x, y) = (px(at.0), px(at.1));
        let turn = if degrees == 0.0 {
            String::new()
        } else {
            format!(r#" transform="rotate({} {x} {y})""#, px(degrees))
        };
        let (size, text) = (px(size), escape(text));
        let _ = writeln!(
            self.body,
            r#"<text x="{x}" y="{y}" font-size="{size}" fill="{colour}"{anchor}{turn}>{text}</text>"#
        );
    }

    /// An open line through `points`.
    pub(super) fn polyline(&mut self, points: &[(f64, f64)], colour: &str, width: f64) {
        let (list, width) = (list(points.iter().copied()), px(width));
        let _ = writeln!(
            self.body,
            r#"<polyline points="{list}" fill="none" stroke="{colour}" stroke-width="{width}" stroke-linejoin="round"/>"#
        );
    }

    /// A pale area with its corners at `points`.
    pub(super) fn area(&mut self, points: &[(f64, f64)], colour: &str) {
        let list = list(points.iter().copied());
        let _ = writeln!(
            self.body,
            r#"<polygon points="{list}" fill="{colour}" fill-opacity="0.16"/>"#
        );
    }

    /// A mark of the usual size.
    pub(super) fn mark(&mut self, mark: Mark, at: (f64, f64), colour: &str) {
        self.shape(mark, at, colour, RADIUS, "");
    }

    /// A mark of radius `r` with a thin white edge, which keeps marks apart that lie on each other.
    pub(super) fn dot(&mut self, mark: Mark, at: (f64, f64), colour: &str, r: f64) {
        self.shape(mark, at, colour, r, r##" stroke="#ffffff" stroke-width="0.6""##);
    }

    fn shape(&mut self, mark: Mark, (x, y): (f64, f64), colour: &str, r: f64, edge: &str) {
        let corners: &[(f64, f64)] = match mark {
            Mark::Circle => {
                let (x, y, r) = (px(x), px(y), px(r));
                let _ = writeln!(
                    self.body,
                    r#"<circle cx="{x}" cy="{y}" r="{r}" fill="{colour}"{edge}/>"#
                );
                return;
            }
            Mark::Square => &[(-0.9, -0.9), (0.9, -0.9), (0.9, 0.9), (-0.9, 0.9)],
            Mark::Diamond => &[(0.0, -1.25), (1.25, 0.0), (0.0, 1.25), (-1.25, 0.0)],
            Mark::Up => &[(0.0, -1.2), (1.15, 0.85), (-1.15, 0.85)],
            Mark::Down => &[(0.0, 1.2), (1.15, -0.85), (-1.15, -0.85)],
        };
        let list = list(corners.iter().map(|(dx, dy)| (x + dx * r, y + dy * r)));
        let _ = writeln!(self.body, r#"<polygon points="{list}" fill="{colour}"{edge}/>"#);
    }

    pub(super) fn finish(self, height: f64) -> String {
        let (w, h) = (px(self.width), px(height));
        let description = if self.description.is_empty() {
            String::new()
        } else {
            format!("<desc>{}</desc>\n", escape(&self.description))
        };
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{w}\" height=\"{h}\" viewBox=\"0 0 {w} {h}\" role=\"img\" \
             font-family=\"sans-serif\">\n<title>{}</title>\n{description}\
             <rect width=\"{w}\" height=\"{h}\" fill=\"#ffffff\"/>\n{}</svg>\n",
            escape(&self.title),
            self.body
        )
    }
}
