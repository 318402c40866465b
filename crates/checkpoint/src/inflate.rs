//! Bytes of an archive member, as stored or inflated.
//!
//! Inflating stops at the size that the archive's directory claims, and that claim is first compared with what deflate can reach, so
//! that a small file cannot ask for much memory before it has delivered as much data.

use std::borrow::Cow;
use std::io::Read;
use std::ops::Range;

use flate2::Crc;
use flate2::bufread::DeflateDecoder;

/// Most bytes that one deflated byte can stand for: 258 bytes in two bits.
const MAX_RATIO: usize = 1032;

/// Where a member's bytes lie in the file, and how they are packed.
#[derive(Clone, Debug)]
pub(crate) struct Packed {
    /// Byte range from the start of the file.
    pub(crate) range: Range<usize>,
    /// What inflating must give; `None` if the bytes are stored as they are.
    pub(crate) deflated: Option<Deflated>,
}

/// What inflating a member must give.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Deflated {
    pub(crate) size: usize,
    pub(crate) crc: u32,
}

impl Packed {
    /// Bytes once unpacked.
    pub(crate) fn size(&self) -> usize {
        self.deflated.map_or(self.range.len(), |deflated| deflated.size)
    }

    fn packed<'a>(&self, file: &'a [u8]) -> Result<&'a [u8], String> {
        file.get(self.range.clone())
            .ok_or_else(|| "its bytes lie outside the file".to_owned())
    }

    /// A reader of the unpacked bytes, for a header that they begin with.
    pub(crate) fn reader<'a>(&self, file: &'a [u8]) -> Result<Box<dyn Read + 'a>, String> {
        let packed = self.packed(file)?;
        Ok(match self.deflated {
            None => Box::new(packed),
            Some(deflated) => Box::new(DeflateDecoder::new(packed).take(deflated.size as u64)),
        })
    }

    /// All unpacked bytes; deflated ones are compared with their checksum.
    pub(crate) fn unpack<'a>(&self, file: &'a [u8]) -> Result<Cow<'a, [u8]>, String> {
        let packed = self.packed(file)?;
        match self.deflated {
            None => Ok(packed.into()),
            Some(deflated) => inflate(packed, deflated).map(Cow::Owned),
        }
    }
}

/// Whether `size` bytes can come out of `packed` deflated ones.
pub(crate) fn is_reachable(packed: usize, size: usize) -> bool {
    packed.saturating_mul(MAX_RATIO) >= size
}

fn inflate(packed: &[u8], Deflated { size, crc }: Deflated) -> Result<Vec<u8>, String> {
    if !is_reachable(packed.len(), size) {
        return Err(format!("{} deflated bytes cannot hold {size} bytes", packed.len()));
    }
    // Weights hardly shrink, so this is the final size for real files, and grows with the data for others.
    let mut out = Vec::with_capacity(size.min(packed.len().saturating_mul(4)));
    DeflateDecoder::new(packed)
        .take((size as u64).saturating_add(1))
        .read_to_end(&mut out)
        .map_err(|error| format!("its deflated bytes are damaged: {error}"))?;
    if out.len() != size {
        let found = if out.len() > size { "more" } else { "fewer" };
        return Err(format!("it inflates to {found} than the {size} bytes it claims"));
    }
    let mut sum = Crc::new();
    sum.update(&out);
    if sum.sum() == crc {
        Ok(out)
    } else {
        Err("its checksum does not match".to_owned())
    }
}
