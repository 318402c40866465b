//! One tensor of a file: what it is, and how its bytes are had.
//!
//! A tensor that lies in the file row by row is a range of the map. Any other (a transposed view, a column-major array, a deflated
//! member) is made once, when it is first asked for, and kept; opening a file makes none.

use std::fmt;
use std::ops::Range;
use std::sync::OnceLock;

use crate::inflate::Packed;
use crate::{Dtype, strided};

/// Most bytes that a tensor may have beyond those of its storage, which it then repeats (`torch.Tensor.expand`).
const MAX_REPEATED: usize = 1 << 26;

/// One tensor's place in a file.
#[derive(Debug)]
pub(crate) struct Entry {
    /// The type, or its name in the file if it is one that we do not read.
    pub(crate) dtype: Result<Dtype, String>,
    pub(crate) shape: Vec<usize>,
    data: Data,
}

#[derive(Debug)]
enum Data {
    /// Byte range from the start of the file.
    Mapped(Range<usize>),
    Made(Box<Made>),
}

/// A tensor whose row-major bytes are nowhere in the file.
struct Made {
    packed: Packed,
    /// Bytes before the first element, once unpacked.
    skip: usize,
    /// Steps between neighbours along each dimension, elements.
    strides: Vec<usize>,
    /// Bytes of the result.
    length: usize,
    bytes: OnceLock<Result<Vec<u8>, String>>,
}

impl fmt::Debug for Made {
    /// Leaves the bytes out: there can be gigabytes.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Made")
            .field("packed", &self.packed)
            .field("skip", &self.skip)
            .field("strides", &self.strides)
            .finish_non_exhaustive()
    }
}

impl Entry {
    /// A tensor whose bytes are `range` of the file.
    pub(crate) const fn mapped(dtype: Result<Dtype, String>, shape: Vec<usize>, range: Range<usize>) -> Self {
        let data = Data::Mapped(range);
        Self { dtype, shape, data }
    }

    /// A tensor of `strides` (elements) that begins `skip` bytes into `packed`.
    ///
    /// The error says how shape, strides and size contradict each other.
    pub(crate) fn strided(
        dtype: Dtype,
        shape: Vec<usize>,
        strides: Vec<usize>,
        packed: Packed,
        skip: usize,
    ) -> Result<Self, String> {
        let size = dtype.size();
        let length = strided::elements(&shape).and_then(|count| count.checked_mul(size));
        let span = strided::span(&shape, &strides).and_then(|count| count.checked_mul(size));
        let (Some(length), Some(span)) = (length, span) else {
            return Err(format!("shape {shape:?} with strides {strides:?} has no size"));
        };
        let available = packed.size();
        let end = if span == 0 { Some(0) } else { skip.checked_add(span) };
        if end.is_none_or(|end| end > available) {
            return Err(format!(
                "shape {shape:?} with strides {strides:?} of {dtype} needs {span} bytes from byte {skip} on, and {available} are there"
            ));
        }
        if length > available.saturating_add(MAX_REPEATED) {
            return Err(format!(
                "shape {shape:?} repeats its {available} stored bytes to {length}"
            ));
        }
        let data = if length == 0 {
            Data::Mapped(0..0)
        } else if packed.deflated.is_none() && strided::is_row_major(&shape, &strides) {
            let start = packed.range.start + skip;
            Data::Mapped(start..start + length)
        } else {
            Data::Made(Box::new(Made {
                packed,
                skip,
                strides,
                length,
                bytes: OnceLock::new(),
            }))
        };
        Ok(Self {
            dtype: Ok(dtype),
            shape,
            data,
        })
    }

    /// Bytes of all elements, row-major.
    pub(crate) fn length(&self) -> usize {
        match &self.data {
            Data::Mapped(range) => range.len(),
            Data::Made(made) => made.length,
        }
    }

    /// The elements, row-major, from `file`, the whole file. The error says what is damaged.
    pub(crate) fn bytes<'a>(&'a self, file: &'a [u8]) -> Result<&'a [u8], &'a str> {
        match &self.data {
            Data::Mapped(range) => file.get(range.clone()).ok_or("its bytes lie outside the file"),
            Data::Made(made) => {
                let size = self.dtype.as_ref().map_or(1, |dtype| dtype.size());
                let made = made.bytes.get_or_init(|| made.make(&self.shape, size, file));
                made.as_deref().map_err(String::as_str)
            }
        }
    }
}

impl Made {
    fn make(&self, shape: &[usize], size: usize, file: &[u8]) -> Result<Vec<u8>, String> {
        let stored = self.packed.unpack(file)?;
        let from = stored.get(self.skip..).ok_or("it is shorter than its header")?;
        let mut out = Vec::with_capacity(self.length);
        if strided::is_row_major(shape, &self.strides) {
            out.extend_from_slice(from.get(..self.length).ok_or("it is shorter than its shape")?);
        } else {
            out.resize(self.length, 0);
            strided::gather(shape, &self.strides, size, from, &mut out);
        }
        Ok(out)
    }
}
