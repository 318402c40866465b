//! The name of the field at a line and column of a JSON text.
//!
//! `serde_json` reports a type error by position only. A reader of a 40-field `config.json` wants the field, so this walks the text up
//! to that position and keeps the open containers. It does not validate: it runs on texts that a parser has already refused.

/// An open object with the key being read, or an open array with the index being read.
enum Level {
    Object(Option<String>),
    Array(usize),
}

/// Path of the field at one-based `line` and `column`, such as `layers[2].type`; `None` at the top level.
pub(crate) fn field_at(text: &[u8], line: usize, column: usize) -> Option<String> {
    let start: usize = text
        .split_inclusive(|&b| b == b'\n')
        .take(line.checked_sub(1)?)
        .map(<[u8]>::len)
        .sum();
    let end = start.saturating_add(column).min(text.len());
    let mut levels = Vec::new();
    // The latest string, which is a key if a colon follows it.
    let mut latest = String::new();
    let mut at = 0;
    while at < end {
        let byte = text[at];
        at += 1;
        match byte {
            b'"' => (latest, at) = string(text, at),
            b':' => {
                if let Some(Level::Object(key)) = levels.last_mut() {
                    *key = Some(std::mem::take(&mut latest));
                }
            }
            b',' => match levels.last_mut() {
                Some(Level::Object(key)) => *key = None,
                Some(Level::Array(index)) => *index += 1,
                None => {}
            },
            b'{' => levels.push(Level::Object(None)),
            b'[' => levels.push(Level::Array(0)),
            b'}' | b']' => {
                levels.pop();
            }
            _ => {}
        }
    }
    let path = levels.iter().fold(String::new(), |path, level| match level {
        Level::Object(None) => path,
        Level::Object(Some(key)) if path.is_empty() => key.clone(),
        Level::Object(Some(key)) => format!("{path}.{key}"),
        Level::Array(index) => format!("{path}[{index}]"),
    });
    (!path.is_empty()).then_some(path)
}

/// The string whose content begins at `at`, escapes left as they are, and the position behind its closing quote.
fn string(text: &[u8], at: usize) -> (String, usize) {
    let mut end = at;
    while end < text.len() && text[end] != b'"' {
        end += if text[end] == b'\\' { 2 } else { 1 };
    }
    let end = end.min(text.len());
    (String::from_utf8_lossy(&text[at..end]).into_owned(), end + 1)
}

#[cfg(test)]
mod tests {
    use super::field_at;

    #[track_caller]
    fn check(text: &str, expected: Option<&str>) {
        // The position of the marker, as the parser would report it.
        let (before, _) = text.split_once('^').expect("a marker");
        let line = before.matches('\n').count() + 1;
        let column = before.len() - before.rfind('\n').map_or(0, |newline| newline + 1);
        assert_eq!(
            field_at(text.replace('^', "").as_bytes(), line, column).as_deref(),
            expected,
            "{text}"
        );
    }

    #[test]
    fn paths() {
        check(r#"{"a": 1^}"#, Some("a"));
        check("{\"a\": 1,\n \"b\": {\"c\": [1, {}, \"x^\"]}}", Some("b.c[2]"));
        check("[{\"k\": 1}, {\"k\": t^rue}]", Some("[1].k"));
        check(r#"{"a": 1, ^"b": 2}"#, None);
        check(r#"{"a": {"b": 1}^, "c": 2}"#, Some("a"));
        check(r#"{"quo\"te": 1^}"#, Some(r#"quo\"te"#));
        check("^", None);
    }

    #[test]
    fn positions_outside_the_text_do_not_panic() {
        for (line, column) in [(0, 0), (1, 0), (1, 999), (99, 99), (1, usize::MAX)] {
            let _ = field_at(b"{\"a\\", line, column);
        }
    }
}
