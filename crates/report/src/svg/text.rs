//! How wide a text will be, without a font.
//!
//! The shares of the font size below are those of `DejaVu Sans`, the widest of the usual `sans-serif` fonts, rounded up: a text is
//! at most as wide as said, so that what is laid out by these numbers does not overlap.

/// Width of `text` in pixels at font size `size`.
pub(super) fn width(text: &str, size: f64) -> f64 {
    text.chars().map(share).sum::<f64>() * size
}

fn share(c: char) -> f64 {
    match c {
        'i' | 'j' | 'l' | '\'' | '|' => 0.29,
        ' ' | '.' | ',' | 'I' | ':' | ';' | '/' | '\\' | '-' => 0.37,
        'f' | 't' | 'r' | '(' | ')' | '[' | ']' | '!' | '`' | '"' => 0.43,
        'm' | 'M' | 'W' | 'w' | '@' | '%' | '…' => 1.0,
        'a'..='z' | '0'..='9' | '_' | '\u{2013}' => 0.64,
        'A'..='Z' => 0.76,
        c if c.is_ascii() => 0.84,
        _ => 1.0,
    }
}

/// `text`, or its end after an ellipsis, within `room` pixels: ids differ at their ends.
pub(super) fn fit_end(text: &str, size: f64, room: f64) -> String {
    if width(text, size) <= room {
        return text.to_owned();
    }
    let mut rest = text.chars();
    while rest.next().is_some() {
        let short = format!("…{}", rest.as_str());
        if width(&short, size) <= room {
            return short;
        }
    }
    String::new()
}

/// Lines of at most `room` pixels, broken at spaces; a longer word stands alone.
pub(super) fn wrap(text: &str, size: f64, room: f64) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if width(line, size) + width(" ", size) + width(word, size) <= room => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}
