//! The safetensors header: 8 bytes of length, that many bytes of JSON, then the data.
//!
//! The format and its rules are those of the `safetensors` crate (0.8): tensors tile the data section in offset order without gap or
//! overlap, byte length equals element count times element size, and the file ends with the last tensor. They are checked here
//! and not by that crate for three reasons: its sum of offsets and header length can overflow on hostile offsets, it refuses a
//! whole file for one unknown dtype, and its errors do not say how much of a truncated file is missing.
//! The tests read its files and let it read ours.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};

use crate::CheckpointError;
use crate::entry::Entry;
use crate::layout::{self, Problem, RawEntry};

/// Longest header that the reference implementation accepts, bytes.
const MAX_HEADER: usize = 100_000_000;
/// Bytes of the header length field.
pub(crate) const LENGTH_FIELD: usize = 8;
/// The key under which free-form strings are stored.
pub(crate) const METADATA_KEY: &str = "__metadata__";

/// A checked header: every range lies inside the file.
#[derive(Debug, Default)]
pub(crate) struct Header {
    pub(crate) metadata: BTreeMap<String, String>,
    pub(crate) tensors: BTreeMap<String, Entry>,
}

#[derive(Default)]
struct RawHeader {
    metadata: BTreeMap<String, String>,
    tensors: BTreeMap<String, RawEntry>,
}

impl<'de> Deserialize<'de> for RawHeader {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct HeaderVisitor;
        impl<'de> Visitor<'de> for HeaderVisitor {
            type Value = RawHeader;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a map from tensor names to `dtype`, `shape` and `data_offsets`")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<RawHeader, A::Error> {
                let mut header = RawHeader::default();
                while let Some(key) = map.next_key::<String>()? {
                    if key == METADATA_KEY {
                        header.metadata = map.next_value::<Option<_>>()?.unwrap_or_default();
                    } else {
                        header.tensors.insert(key, map.next_value()?);
                    }
                }
                Ok(header)
            }
        }
        deserializer.deserialize_map(HeaderVisitor)
    }
}

/// Reads and checks the header of `bytes`, the whole content of `file`.
pub(crate) fn parse(file: &Path, bytes: &[u8]) -> Result<Header, CheckpointError> {
    let truncated = |reason: String| CheckpointError::Truncated {
        file: file.to_owned(),
        reason,
    };
    let invalid = |reason: String| CheckpointError::Header {
        file: file.to_owned(),
        reason,
        hint: hint(bytes),
    };

    let Some((length, rest)) = bytes.split_first_chunk::<LENGTH_FIELD>() else {
        return Err(truncated(format!("{} bytes cannot hold a header", bytes.len())));
    };
    let claimed = u64::from_le_bytes(*length);
    let length = usize::try_from(claimed)
        .ok()
        .filter(|&n| n <= MAX_HEADER)
        .ok_or_else(|| {
            invalid(format!(
                "its first 8 bytes claim a header of {claimed} bytes, the limit is {MAX_HEADER}"
            ))
        })?;
    let Some((json, data)) = rest.split_at_checked(length) else {
        return Err(if rest.first().is_none_or(|&byte| byte == b'{') {
            truncated(format!("the header needs {length} bytes and {} are there", rest.len()))
        } else {
            invalid("the header does not begin with `{`".to_owned())
        });
    };
    let raw: RawHeader = serde_json::from_slice(json).map_err(|error| invalid(format!("bad header: {error}")))?;
    let tensors = layout::place(raw.tensors, data.len(), LENGTH_FIELD + length).map_err(|problem| match problem {
        Problem::Invalid(reason) => invalid(reason),
        Problem::Truncated(reason) => truncated(reason),
    })?;
    Ok(Header {
        metadata: raw.metadata,
        tensors,
    })
}

/// What a file probably is, from its first bytes, and what to do about it.
fn hint(bytes: &[u8]) -> String {
    let known = [
        (
            &b"version https://git-lfs"[..],
            "this is a Git LFS pointer; run `git lfs pull` in its repository",
        ),
        (
            b"<",
            "this looks like a web page; the download needs a login or another address",
        ),
        (b"{", "this looks like JSON; name the weight file beside it"),
    ];
    known
        .iter()
        .find(|(magic, _)| bytes.starts_with(magic))
        .map_or(
            "the file is damaged or of another format; fetch it again",
            |(_, hint)| hint,
        )
        .to_owned()
}
