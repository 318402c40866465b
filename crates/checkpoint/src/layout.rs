//! Where the tensors lie: they tile the data section in offset order, without gap, overlap or rest.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::Dtype;
use crate::entry::Entry;

/// A tensor as the header describes it; anything may be wrong with it.
#[derive(Deserialize)]
pub(crate) struct RawEntry {
    pub(crate) dtype: String,
    pub(crate) shape: Vec<usize>,
    pub(crate) data_offsets: (usize, usize),
}

/// Why the tensors do not fit the file.
pub(crate) enum Problem {
    /// The header contradicts itself or the file.
    Invalid(String),
    /// The file ends before the last tensor does.
    Truncated(String),
}

/// Checks that the tensors tile `0..available` and shifts their ranges by `start`.
pub(crate) fn place(
    raw: BTreeMap<String, RawEntry>,
    available: usize,
    start: usize,
) -> Result<BTreeMap<String, Entry>, Problem> {
    let mut order: Vec<(&String, &RawEntry)> = raw.iter().collect();
    order.sort_by_key(|(_, entry)| entry.data_offsets);
    let mut expected_begin = 0;
    for (name, entry) in order {
        let (begin, end) = entry.data_offsets;
        if begin != expected_begin || end < begin {
            return Err(Problem::Invalid(format!(
                "tensor `{name}` has offsets {begin}..{end}, and the data before it ends at {expected_begin}"
            )));
        }
        if let Some(bits) = element_bits(&entry.dtype) {
            let stored = (end - begin).checked_mul(8);
            let needed = entry
                .shape
                .iter()
                .try_fold(bits, |product, &dim| product.checked_mul(dim));
            if needed.is_none() || needed != stored {
                return Err(Problem::Invalid(format!(
                    "tensor `{name}` of type {} and shape {:?} does not fit its {} bytes",
                    entry.dtype,
                    entry.shape,
                    end - begin
                )));
            }
        }
        expected_begin = end;
    }
    if expected_begin > available {
        return Err(Problem::Truncated(format!(
            "the tensors need {expected_begin} bytes and {available} are there"
        )));
    }
    if expected_begin < available {
        return Err(Problem::Invalid(format!(
            "{} bytes follow the last tensor",
            available - expected_begin
        )));
    }
    // Sums cannot overflow: every end is at most `available`, and `start + available` is the length of the file.
    let shift = |(begin, end): (usize, usize)| start + begin..start + end;
    Ok(raw
        .into_iter()
        .map(
            |(
                name,
                RawEntry {
                    dtype,
                    shape,
                    data_offsets,
                },
            )| {
                let dtype = Dtype::parse(&dtype).ok_or(dtype);
                (name, Entry::mapped(dtype, shape, shift(data_offsets)))
            },
        )
        .collect())
}

/// Bits of one element, for the types of the format that we know of.
fn element_bits(name: &str) -> Option<usize> {
    Dtype::parse(name).map(|dtype| 8 * dtype.size()).or(match name {
        "F4" => Some(4),
        "F6_E2M3" | "F6_E3M2" => Some(6),
        "F8_E5M2" | "F8_E4M3" | "F8_E8M0" | "F8_E4M3FNUZ" | "F8_E5M2FNUZ" => Some(8),
        "U16" => Some(16),
        "U32" => Some(32),
        "U64" | "C64" => Some(64),
        _ => None,
    })
}
