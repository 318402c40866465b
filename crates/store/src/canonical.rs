//! One text for one value: the form of JSON that is hashed.
//!
//! Two specs that mean the same must hash the same on every platform and in every release, so nothing is left to a library's
//! printing: keys are sorted by their bytes, there is no white space, strings are escaped as JSON requires and no further, and
//! numbers follow the rule of [`push_number`]. The result is valid JSON; `printf %s TEXT | b3sum` reproduces a key.
//!
//! Not a number and infinities do not exist in JSON and serde turns them into `null`, which is indistinguishable from "absent".
//! Types that hold free numbers therefore check them before they come here (`Spec::key`, `Draft`).

use std::fmt::Write as _;

use serde::Serialize;
use serde_json::{Number, Value};

/// Canonical JSON of `value`.
///
/// # Errors
/// When `value` cannot be expressed as JSON (a map with keys that are not strings).
pub fn canonical_json<T: Serialize>(value: &T) -> Result<String, serde_json::Error> {
    let value = serde_json::to_value(value)?;
    let mut out = String::new();
    push_value(&mut out, &value);
    Ok(out)
}

fn push_value(out: &mut String, value: &Value) {
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(flag) => out.push_str(if *flag { "true" } else { "false" }),
        Value::Number(number) => push_number(out, number),
        Value::String(text) => push_string(out, text),
        Value::Array(items) => {
            out.push('[');
            for (i, item) in items.iter().enumerate() {
                if i > 0 {
                    out.push(',');
                }
                push_value(out, item);
            }
            out.push(']');
        }
        Value::Object(map) => {
            let mut entries: Vec<_> = map.iter().collect();
            entries.sort_by_key(|(name, _)| *name);
            out.push('{');
            for (i, (name, item)) in entries.into_iter().enumerate() {
                if i > 0 {
                    out.push(',');
                }
                push_string(out, name);
                out.push(':');
                push_value(out, item);
            }
            out.push('}');
        }
    }
}

/// Integers in decimal; a float that holds an integer of at most 2^53 as that integer (`1.0` and `1` are one setting); every
/// other float as its shortest round-trip digits in exponent form (`1.5e-3`).
fn push_number(out: &mut String, number: &Number) {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    if number.is_u64() || number.is_i64() {
        let _ = write!(out, "{number}");
        return;
    }
    // The number types above are exhaustive without `arbitrary_precision`, so this is a finite float.
    let float = number.as_f64().unwrap_or(0.0);
    if float.fract() == 0.0 && float.abs() <= EXACT {
        let _ = write!(out, "{}", float as i64);
    } else {
        let _ = write!(out, "{float:e}");
    }
}

fn push_string(out: &mut String, text: &str) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            c if c < ' ' => {
                let _ = write!(out, "\\u{:04x}", c as u32);
            }
            c => out.push(c),
        }
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn check(value: &Value, expect: &str) {
        let text = canonical_json(value).expect("JSON values have a form");
        assert_eq!(text, expect);
        let back: Value = serde_json::from_str(&text).expect("the form is JSON");
        assert_eq!(canonical_json(&back).expect("JSON values have a form"), text);
    }

    #[test]
    fn numbers_follow_one_rule() {
        check(&json!(1), "1");
        check(&json!(1.0), "1");
        check(&json!(-0.0), "0");
        check(&json!(-7), "-7");
        check(&json!(u64::MAX), "18446744073709551615");
        check(&json!(0.1), "1e-1");
        check(&json!(0.0015), "1.5e-3");
        check(&json!(1e300), "1e300");
        check(&json!(-2.5), "-2.5e0");
    }

    #[test]
    fn objects_are_sorted_at_every_depth() {
        check(
            &json!({"b": {"y": 1, "x": [true, null]}, "a": "q"}),
            r#"{"a":"q","b":{"x":[true,null],"y":1}}"#,
        );
    }

    #[test]
    fn strings_are_escaped() {
        check(&json!("a\"b\\c\nd\u{e9}"), "\"a\\\"b\\\\c\\u000ad\u{e9}\"");
    }
}
