//! `--filter field=value`: which records take part.
//!
//! Deliberately absent: numbers. A cut at a score belongs to the reader, who sees the interval beside it.

use std::str::FromStr;

use store::Record;

/// What can be filtered by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Field {
    Architecture,
    Model,
    Hook,
    Id,
}

const FIELDS: [(&str, Field); 4] = [
    ("architecture", Field::Architecture),
    ("model", Field::Model),
    ("hook", Field::Hook),
    ("id", Field::Id),
];

/// One `--filter`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Filter {
    field: Field,
    pattern: String,
}

impl FromStr for Filter {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let known: Vec<&str> = FIELDS.iter().map(|(name, _)| *name).collect();
        let known = known.join(", ");
        let Some((name, pattern)) = text.split_once('=') else {
            return Err(format!("write it as FIELD=VALUE, with one of the fields {known}"));
        };
        match FIELDS.iter().find(|(field, _)| *field == name) {
            Some(&(_, field)) => Ok(Self {
                field,
                pattern: pattern.to_owned(),
            }),
            None => Err(format!("there is no field `{name}`; the fields are {known}")),
        }
    }
}

/// Whether `record` passes: one filter of each field that is named must match.
pub(crate) fn passes(filters: &[Filter], record: &Record) -> bool {
    FIELDS.iter().all(|&(_, field)| {
        let mut own = filters.iter().filter(|filter| filter.field == field).peekable();
        own.peek().is_none() || own.any(|filter| matches(&filter.pattern, value(record, field)))
    })
}

fn value(record: &Record, field: Field) -> &str {
    let sae = record.spec.sae.as_ref();
    match field {
        Field::Architecture => sae.map_or("", |sae| &sae.architecture),
        Field::Model => &record.spec.model.id,
        Field::Hook => &record.spec.site.hook,
        Field::Id => sae.map_or("", |sae| &sae.id),
    }
}

/// Whether all of `text` fits `pattern`, in which `*` stands for any characters and `?` for one.
fn matches(pattern: &str, text: &str) -> bool {
    let (pattern, text): (Vec<char>, Vec<char>) = (pattern.chars().collect(), text.chars().collect());
    // `fits[i]`: the pattern so far matches the first i characters.
    let mut fits = vec![false; text.len() + 1];
    fits[0] = true;
    for p in pattern {
        if p == '*' {
            for i in 0..text.len() {
                fits[i + 1] |= fits[i];
            }
        } else {
            for i in (0..text.len()).rev() {
                fits[i + 1] = fits[i] && (p == '?' || p == text[i]);
            }
            fits[0] = false;
        }
    }
    fits[text.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn globs() {
        for (pattern, text, expected) in [
            ("topk-1024-k4", "topk-1024-k4", true),
            ("topk*", "topk-1024-k4", true),
            ("topk*", "batchtopk-512", false),
            ("*topk*k4", "batchtopk-512-k4", true),
            ("*-k?", "topk-1024-k16", false),
            ("*-k??", "topk-1024-k16", true),
            ("", "", true),
            ("*", "", true),
            ("?", "", false),
            ("a*b*c", "aXbYc", true),
            ("a*b*c", "aXcYb", false),
        ] {
            assert_eq!(matches(pattern, text), expected, "{pattern} {text}");
        }
    }

    #[test]
    fn unknown_fields_are_refused() {
        assert!(Filter::from_str("colour=red").unwrap_err().contains("architecture"));
        assert!(Filter::from_str("topk").unwrap_err().contains("FIELD=VALUE"));
        assert!(Filter::from_str("id=a=b").is_ok());
    }
}
