//! File names of a unit: readable, safe on every file system, and never trusted for identity.

use crate::hash::Blake3;
use crate::spec::Spec;

pub(crate) const RECORD_ENDING: &str = ".json";
pub(crate) const ROWS_ENDING: &str = ".rows.csv.zst";
/// Longest part of a name; three parts, key and endings stay far below the usual limit of 255 bytes.
const LONGEST_PART: usize = 64;

/// `{model}__{site}__{sae or directions}__{first digits of the key}`.
pub(crate) fn stem(spec: &Spec, key: &Blake3) -> String {
    let sae = spec.sae.as_ref().map_or("directions", |sae| sae.id.as_str());
    format!(
        "{}__{}__{}__{}",
        part(&spec.model.id),
        part(&spec.site.hook),
        part(sae),
        key.short()
    )
}

/// ASCII letters, digits, `.`, `-` and single `_`; everything else becomes `-`. Of a long text the end is kept, because ids and
/// paths differ there.
fn part(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        let c = if c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-') {
            c
        } else {
            '-'
        };
        if !(matches!(c, '_' | '-') && safe.ends_with(c)) {
            safe.push(c);
        }
    }
    let tail = &safe[safe.len().saturating_sub(LONGEST_PART)..];
    let tail = tail.trim_matches(['.', '_', '-']);
    if tail.is_empty() {
        "unnamed".to_owned()
    } else {
        tail.to_owned()
    }
}

/// The digits of the key in the name of a record, if it is one.
pub(crate) fn key_digits(file_name: &str) -> Option<&str> {
    let (_, digits) = file_name.strip_suffix(RECORD_ENDING)?.rsplit_once("__")?;
    (digits.len() == Blake3::SHORT && digits.bytes().all(|b| b.is_ascii_hexdigit())).then_some(digits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expect: &str) {
        assert_eq!(part(text), expect);
    }

    #[test]
    fn parts_are_safe() {
        check("google/gemma-2-2b", "google-gemma-2-2b");
        check("blocks.12.hook_resid_post", "blocks.12.hook_resid_post");
        check("../../etc/passwd", "etc-passwd");
        check("a__b  c", "a_b-c");
        check("\u{e9}", "unnamed");
        check("", "unnamed");
        check(
            &format!("{}layer_12/average_l0_82", "x".repeat(99)),
            &format!("{}layer_12-average_l0_82", "x".repeat(42)),
        );
    }

    #[test]
    fn only_records_have_key_digits() {
        assert_eq!(key_digits("m__s__d__0123456789ab.json"), Some("0123456789ab"));
        assert_eq!(key_digits("m__s__d__0123456789ab.rows.csv.zst"), None);
        assert_eq!(key_digits("table.json"), None);
        assert_eq!(key_digits("a__b.json"), None);
    }
}
