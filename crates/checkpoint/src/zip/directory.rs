//! The central directory of a zip archive, in its plain and its zip64 form.
//!
//! Layout and names of the records: PKWARE's APPNOTE 6.3, sections 4.3.12 to 4.3.16 and 4.5.3.

use std::collections::BTreeMap;

use super::Member;
use crate::fault::Fault;
use crate::reader::Reader;

/// Bytes of an end record without its comment.
const END_LENGTH: usize = 22;
/// Bytes of the record in front of it that points to the zip64 end record.
const LOCATOR_LENGTH: usize = 20;
/// The 32-bit value that stands for "see the zip64 field".
const SATURATED: u64 = u32::MAX as u64;
/// The id of the zip64 field.
const ZIP64: u16 = 1;

/// What the end record says about the directory.
struct End {
    entries: u64,
    size: u64,
    offset: u64,
}

pub(super) fn read(bytes: &[u8]) -> Result<BTreeMap<String, Member>, Fault> {
    let Some(at) = find_end(bytes) else {
        return Err(Fault::Truncated(
            "a zip archive ends with its directory, and there is none".to_owned(),
        ));
    };
    let end = end(bytes, at).ok_or_else(|| Fault::damaged("the end of the archive's directory is malformed"))?;
    let directory = usize::try_from(end.offset)
        .ok()
        .zip(usize::try_from(end.size).ok())
        .and_then(|(offset, size)| bytes.get(offset..offset.checked_add(size)?))
        .ok_or_else(|| Fault::damaged("the archive's directory lies outside the file"))?;
    let mut reader = Reader::new(directory);
    let mut members = BTreeMap::new();
    let mut entries = 0;
    while !reader.is_empty() {
        let (name, member) = member(&mut reader)
            .ok_or_else(|| Fault::damaged(format!("entry {entries} of the directory is malformed")))?;
        entries += 1;
        if members.contains_key(&name) {
            return Err(Fault::damaged(format!("the directory lists `{name}` twice")));
        }
        members.insert(name, member);
    }
    if entries == end.entries {
        Ok(members)
    } else {
        Err(Fault::damaged(format!(
            "the directory holds {entries} entries and claims {}",
            end.entries
        )))
    }
}

/// Place of the end record: the last one whose comment ends with the file.
fn find_end(bytes: &[u8]) -> Option<usize> {
    let last = bytes.len().checked_sub(END_LENGTH)?;
    (last.saturating_sub(u16::MAX.into())..=last).rev().find(|&at| {
        bytes[at..].starts_with(b"PK\x05\x06")
            && usize::from(u16::from_le_bytes([bytes[at + 20], bytes[at + 21]])) == last - at
    })
}

fn end(bytes: &[u8], at: usize) -> Option<End> {
    if let Some(locator) = at.checked_sub(LOCATOR_LENGTH)
        && bytes[locator..].starts_with(b"PK\x06\x07")
    {
        let mut reader = Reader::new(&bytes[locator + 8..at]);
        return zip64_end(bytes, usize::try_from(reader.u64()?).ok()?);
    }
    let mut reader = Reader::new(bytes.get(at + 10..)?);
    Some(End {
        entries: reader.u16()?.into(),
        size: reader.u32()?.into(),
        offset: reader.u32()?.into(),
    })
}

fn zip64_end(bytes: &[u8], at: usize) -> Option<End> {
    let mut reader = Reader::new(bytes.get(at..)?);
    if reader.take(4)? != b"PK\x06\x06" {
        return None;
    }
    reader.take(28)?;
    Some(End {
        entries: reader.u64()?,
        size: reader.u64()?,
        offset: reader.u64()?,
    })
}

fn member(reader: &mut Reader<'_>) -> Option<(String, Member)> {
    if reader.take(4)? != b"PK\x01\x02" {
        return None;
    }
    reader.take(4)?;
    let flags = reader.u16()?;
    let method = reader.u16()?;
    reader.take(4)?;
    let crc = reader.u32()?;
    let mut packed = reader.u32()?.into();
    let mut size = reader.u32()?.into();
    let name_length = reader.u16()?;
    let extra_length = reader.u16()?;
    let comment_length = reader.u16()?;
    reader.take(8)?;
    let mut offset = reader.u32()?.into();
    let name = decode_name(reader.take(name_length.into())?);
    let extra = reader.take(extra_length.into())?;
    reader.take(comment_length.into())?;
    // The zip64 field holds only those values that did not fit, in this order.
    let mut wide = Reader::new(zip64_field(extra).unwrap_or_default());
    for value in [&mut size, &mut packed, &mut offset] {
        if *value == SATURATED && !wide.is_empty() {
            *value = wide.u64()?;
        }
    }
    let member = Member {
        flags,
        method,
        crc,
        packed,
        size,
        offset,
    };
    Some((name, member))
}

fn zip64_field(extra: &[u8]) -> Option<&[u8]> {
    let mut reader = Reader::new(extra);
    loop {
        let id = reader.u16()?;
        let length = reader.u16()?;
        let field = reader.take(length.into())?;
        if id == ZIP64 {
            return Some(field);
        }
    }
}

/// Names are UTF-8 or an old code page; tensors whose names matter are ASCII in both.
pub(super) fn decode_name(name: &[u8]) -> String {
    String::from_utf8_lossy(name).into_owned()
}
