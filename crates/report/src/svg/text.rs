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

/// Lines of at most `room` pixels, broken at spaces, and within a word that is longer than a line.
pub(super) fn wrap(text: &str, size: f64, room: f64) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace().flat_map(|word| pieces(word, size, room)) {
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

/// At most `count` lines of [`wrap`]; an ellipsis stands for the rest.
pub(super) fn wrap_to(text: &str, size: f64, room: f64, count: usize) -> Vec<String> {
    let mut lines = wrap(text, size, room);
    if lines.len() > count {
        lines.truncate(count);
        if let Some(last) = lines.last_mut() {
            while !last.is_empty() && width(last, size) + width("…", size) > room {
                last.pop();
            }
            last.push('…');
        }
    }
    lines
}

/// `word` in pieces of at most `room` pixels.
fn pieces(word: &str, size: f64, room: f64) -> Vec<&str> {
    let (mut pieces, mut begun, mut used) = (Vec::new(), 0, 0.0);
    for (i, c) in word.char_indices() {
        let more = share(c) * size;
        if i > begun && used + more > room {
            pieces.push(&word[begun..i]);
            (begun, used) = (i, 0.0);
        }
        used += more;
    }
    pieces.push(&word[begun..]);
    pieces
}

/// `text`, which may be a token of a model, with the white space that would be lost at its ends: `␣cat`, `⏎`.
#[must_use]
pub fn visible(text: &str) -> String {
    let inner = text.trim_matches(' ');
    let begun = text.len() - text.trim_start_matches(' ').len();
    let ends = |n: usize| "␣".repeat(n);
    if inner.is_empty() {
        return ends(text.len());
    }
    let inner: String = inner
        .chars()
        .map(|c| match c {
            '\n' => '⏎',
            '\r' => '␍',
            '\t' => '⇥',
            c if c.is_control() => '\u{fffd}',
            c => c,
        })
        .collect();
    let after = text.trim_end_matches(' ').len();
    format!("{}{inner}{}", ends(begun), ends(text.len() - after))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expect: &str) {
        assert_eq!(visible(text), expect);
    }

    #[test]
    fn white_space_of_tokens_is_seen() {
        check("cat", "cat");
        check(" cat", "␣cat");
        check("a b ", "a b␣");
        check("   ", "␣␣␣");
        check("\n\n", "⏎⏎");
        check(" \t\u{7}", "␣⇥\u{fffd}");
        check("", "");
    }

    #[test]
    fn no_line_is_longer_than_its_room() {
        let text = format!("short {} end", "long/".repeat(40));
        for room in [30.0, 100.0, 400.0] {
            let lines = wrap(&text, 12.0, room);
            assert!(lines.iter().all(|line| width(line, 12.0) <= room), "{lines:?}");
            assert_eq!(lines.concat().replace(' ', ""), text.replace(' ', ""));
        }
        let lines = wrap_to(&text, 12.0, 100.0, 2);
        assert!(
            lines.len() == 2 && lines[1].ends_with('…') && width(&lines[1], 12.0) <= 100.0,
            "{lines:?}"
        );
    }
}
