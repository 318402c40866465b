//! Zip archives, as far as weight files use them: a directory of stored or deflated members.
//!
//! The directory is read here rather than by a general zip library because stored members are borrowed from the map without copying,
//! which needs their place in the file, and because archives come from elsewhere: a member has one name, one place inside
//! the file, and a local header that repeats its name, or the archive is refused.
//!
//! Checksums of stored members are not compared: that would read the whole file, and `PyTorch` can be told to leave them out.
//!
//! Deliberately absent: encryption, archives in several volumes, other compression methods, and writing.

mod directory;

use std::borrow::Cow;
use std::collections::BTreeMap;

use crate::fault::Fault;
use crate::inflate::{Deflated, Packed, is_reachable};
use crate::reader::Reader;

/// An archive whose directory has been read.
#[derive(Debug)]
pub(crate) struct Archive<'a> {
    bytes: &'a [u8],
    members: BTreeMap<String, Member>,
}

/// One line of the directory; nothing in it has been compared with the file yet.
#[derive(Debug)]
struct Member {
    flags: u16,
    method: u16,
    crc: u32,
    /// Bytes in the file.
    packed: u64,
    /// Bytes once unpacked.
    size: u64,
    /// Place of the local header.
    offset: u64,
}

const STORED: u16 = 0;
const DEFLATED: u16 = 8;
/// The flag of an encrypted member.
const ENCRYPTED: u16 = 1;

impl<'a> Archive<'a> {
    /// Reads the directory at the end of `bytes`, a whole file.
    pub(crate) fn parse(bytes: &'a [u8]) -> Result<Self, Fault> {
        let members = directory::read(bytes)?;
        Ok(Self { bytes, members })
    }

    /// An archive without members.
    pub(crate) const fn empty() -> Self {
        Self {
            bytes: &[],
            members: BTreeMap::new(),
        }
    }

    /// Names of all members, sorted.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.members.keys().map(String::as_str)
    }

    pub(crate) fn contains(&self, name: &str) -> bool {
        self.members.contains_key(name)
    }

    pub(crate) const fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// Where the member `name` lies. Its range is inside the file.
    pub(crate) fn locate(&self, name: &str) -> Result<Packed, Fault> {
        let Some(member) = self.members.get(name) else {
            return Err(Fault::tensor(name, "the archive has no member of this name"));
        };
        member
            .locate(self.bytes, name)
            .map_err(|reason| Fault::tensor(name, reason))
    }

    /// All bytes of the small member `name`, at most `limit`; `None` if there is no such member.
    pub(crate) fn read(&self, name: &str, limit: usize) -> Result<Option<Cow<'a, [u8]>>, Fault> {
        if !self.contains(name) {
            return Ok(None);
        }
        let packed = self.locate(name)?;
        if packed.size() > limit {
            return Err(Fault::tensor(
                name,
                format!("it has {} bytes, the limit is {limit}", packed.size()),
            ));
        }
        let bytes = packed
            .unpack(self.bytes)
            .map_err(|reason| Fault::tensor(name, reason))?;
        Ok(Some(bytes))
    }
}

impl Member {
    fn locate(&self, bytes: &[u8], name: &str) -> Result<Packed, String> {
        if self.flags & ENCRYPTED != 0 {
            return Err("it is encrypted".to_owned());
        }
        let start = local_data(bytes, self.offset, name).ok_or("its local header is not where the directory says")?;
        let range = usize::try_from(self.packed)
            .ok()
            .and_then(|length| start.checked_add(length))
            .filter(|&end| end <= bytes.len())
            .map(|end| start..end)
            .ok_or("its bytes reach beyond the end of the file")?;
        let deflated = match self.method {
            STORED if self.size == self.packed => None,
            STORED => return Err("it is stored, with two different sizes".to_owned()),
            DEFLATED => Some(Deflated {
                size: usize::try_from(self.size)
                    .ok()
                    .filter(|&size| is_reachable(range.len(), size))
                    .ok_or_else(|| format!("{} deflated bytes cannot hold {} bytes", range.len(), self.size))?,
                crc: self.crc,
            }),
            method => {
                return Err(format!(
                    "it is compressed by method {method}; stored and deflated are read"
                ));
            }
        };
        Ok(Packed { range, deflated })
    }
}

/// Start of the data behind the local header at `offset`.
fn local_data(bytes: &[u8], offset: u64, name: &str) -> Option<usize> {
    let offset = usize::try_from(offset).ok()?;
    let mut reader = Reader::new(bytes.get(offset..)?);
    if reader.take(4)? != b"PK\x03\x04" {
        return None;
    }
    reader.take(22)?;
    let name_length = reader.u16()?;
    let extra_length = reader.u16()?;
    let found = reader.take(name_length.into())?;
    reader.take(extra_length.into())?;
    (directory::decode_name(found) == name).then_some(offset + reader.position())
}
