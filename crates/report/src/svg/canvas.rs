//! The few SVG elements that figures are made of.

use std::fmt::Write as _;

use super::palette::{INK, MUTED, Mark};
use super::text;

/// Font sizes.
pub(super) const TITLE: f64 = 15.0;
pub(super) const BODY: f64 = 12.0;
pub(super) const SMALL: f64 = 11.0;

/// Which point of a text its position means.
#[derive(Debug, Clone, Copy)]
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
        let (x, y, w, h) = (px(corner.0), px(corner.1), px(size.0), px(size.1));
        let _ = writeln!(
            self.body,
            r#"<rect x="{x}" y="{y}" width="{w}" height="{h}" fill="{fill}"/>"#
        );
    }

    pub(super) fn text(&mut self, x: f64, y: f64, anchor: Anchor, size: f64, colour: &str, text: &str) {
        self.turned_text((x, y), 0.0, anchor, size, colour, text);
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

    /// An open line through `points`, or a filled area around them.
    pub(super) fn path(&mut self, points: &[(f64, f64)], colour: &str, filled: bool) {
        let list = points
            .iter()
            .map(|(x, y)| format!("{},{}", px(*x), px(*y)))
            .collect::<Vec<_>>()
            .join(" ");
        let _ = if filled {
            writeln!(
                self.body,
                r#"<polygon points="{list}" fill="{colour}" fill-opacity="0.16"/>"#
            )
        } else {
            writeln!(
                self.body,
                r#"<polyline points="{list}" fill="none" stroke="{colour}" stroke-width="2" stroke-linejoin="round"/>"#
            )
        };
    }

    pub(super) fn mark(&mut self, mark: Mark, (x, y): (f64, f64), colour: &str) {
        let r = 4.5;
        let corners: Vec<(f64, f64)> = match mark {
            Mark::Circle => {
                let (x, y, r) = (px(x), px(y), px(r));
                let _ = writeln!(self.body, r#"<circle cx="{x}" cy="{y}" r="{r}" fill="{colour}"/>"#);
                return;
            }
            Mark::Square => vec![(-0.9, -0.9), (0.9, -0.9), (0.9, 0.9), (-0.9, 0.9)],
            Mark::Diamond => vec![(0.0, -1.25), (1.25, 0.0), (0.0, 1.25), (-1.25, 0.0)],
            Mark::Up => vec![(0.0, -1.2), (1.15, 0.85), (-1.15, 0.85)],
            Mark::Down => vec![(0.0, 1.2), (1.15, -0.85), (-1.15, -0.85)],
        };
        let list = corners
            .iter()
            .map(|(dx, dy)| format!("{},{}", px(x + dx * r), px(y + dy * r)));
        let list = list.collect::<Vec<_>>().join(" ");
        let _ = writeln!(self.body, r#"<polygon points="{list}" fill="{colour}"/>"#);
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
