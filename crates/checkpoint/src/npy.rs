//! The header of a `NumPy` array file: magic, version, and a Python dictionary with type, order and shape.
//!
//! Format: `numpy.lib.format`, versions 1.0 to 3.0. Deliberately absent: arrays of Python objects (their data is a pickle), of
//! records, of text, of unsigned wide integers and of complex numbers; a file may hold them beside others.

use std::io::{ErrorKind, Read};

use crate::fault::Fault;
use crate::format::NPY_MAGIC;
use crate::inflate::Packed;
use crate::py_literal::{self, Literal};
use crate::{Dtype, entry::Entry, strided};

/// Longest header that is read, bytes. `NumPy` itself stops at 10,000.
const MAX_HEADER: usize = 1 << 16;

struct Header {
    /// The type, or its description if it is one that we do not read.
    dtype: Result<Dtype, String>,
    shape: Vec<usize>,
    column_major: bool,
    /// Bytes of magic, version and dictionary.
    length: usize,
}

/// The array in `packed`, a part of `file`; `name` is for messages.
pub(crate) fn entry(file: &[u8], packed: Packed, name: &str) -> Result<Entry, Fault> {
    let reader = packed.reader(file).map_err(|reason| Fault::tensor(name, reason))?;
    let header = header(reader).map_err(|problem| match problem {
        Problem::Short => Fault::Truncated(format!("array `{name}` ends within its header")),
        Problem::Invalid(reason) => Fault::tensor(name, reason),
    })?;
    let Header {
        dtype,
        shape,
        column_major,
        length,
    } = header;
    let dtype = match dtype {
        Ok(dtype) => dtype,
        Err(found) => return Ok(Entry::mapped(Err(found), shape, packed.range)),
    };
    let available = packed.size().saturating_sub(length);
    match strided::elements(&shape).and_then(|count| count.checked_mul(dtype.size())) {
        Some(needed) if needed == available => {}
        Some(needed) if needed > available && packed.deflated.is_none() => {
            return Err(Fault::Truncated(format!(
                "array `{name}` of {dtype} and shape {shape:?} needs {needed} bytes and {available} are there"
            )));
        }
        _ => {
            return Err(Fault::tensor(
                name,
                format!("shape {shape:?} of {dtype} does not fit its {available} bytes"),
            ));
        }
    }
    let strides = if column_major {
        strided::column_major(&shape)
    } else {
        strided::row_major(&shape)
    };
    Entry::strided(dtype, shape, strides, packed, length).map_err(|reason| Fault::tensor(name, reason))
}

enum Problem {
    /// The input ended.
    Short,
    Invalid(String),
}

fn header(mut reader: impl Read) -> Result<Header, Problem> {
    let mut fixed = [0; 8];
    fill(&mut reader, &mut fixed)?;
    if !fixed.starts_with(NPY_MAGIC) {
        return Err(Problem::Invalid("it does not begin as a NumPy array does".to_owned()));
    }
    let (claimed, before) = match fixed[6] {
        1 => {
            let mut field = [0; 2];
            fill(&mut reader, &mut field)?;
            (usize::from(u16::from_le_bytes(field)), 10)
        }
        2 | 3 => {
            let mut field = [0; 4];
            fill(&mut reader, &mut field)?;
            (u32::from_le_bytes(field) as usize, 12)
        }
        version => {
            return Err(Problem::Invalid(format!(
                "version {version} of the array format is unknown"
            )));
        }
    };
    if claimed > MAX_HEADER {
        return Err(Problem::Invalid(format!(
            "it claims a header of {claimed} bytes, the limit is {MAX_HEADER}"
        )));
    }
    let mut text = Vec::new();
    let found = reader
        .take(claimed as u64)
        .read_to_end(&mut text)
        .map_err(|error| unreadable(&error))?;
    if found < claimed {
        return Err(Problem::Short);
    }
    let text = String::from_utf8_lossy(&text);
    let (dtype, column_major, shape) = dictionary(&text).map_err(Problem::Invalid)?;
    Ok(Header {
        dtype,
        shape,
        column_major,
        length: before + claimed,
    })
}

fn fill(reader: &mut impl Read, buffer: &mut [u8]) -> Result<(), Problem> {
    reader.read_exact(buffer).map_err(|error| unreadable(&error))
}

fn unreadable(error: &std::io::Error) -> Problem {
    if error.kind() == ErrorKind::UnexpectedEof {
        Problem::Short
    } else {
        Problem::Invalid(format!("its deflated bytes are damaged: {error}"))
    }
}

type Described = (Result<Dtype, String>, bool, Vec<usize>);

fn dictionary(text: &str) -> Result<Described, String> {
    let Literal::Dict(pairs) = py_literal::parse(text).ok_or("its header is not a Python dictionary")? else {
        return Err("its header is not a Python dictionary".to_owned());
    };
    let (mut dtype, mut column_major, mut shape) = (None, None, None);
    for (key, value) in pairs {
        match (key, value) {
            ("descr", Literal::Text(descr)) => dtype = Some(parse_descr(descr)),
            ("descr", _) => dtype = Some(Err("records".to_owned())),
            ("fortran_order", Literal::Bool(order)) => column_major = Some(order),
            ("shape", Literal::Tuple(dims)) => shape = Some(dims),
            (key, _) => return Err(format!("its header has an unexpected `{key}`")),
        }
    }
    match (dtype, column_major, shape) {
        (Some(dtype), Some(column_major), Some(shape)) => Ok((dtype, column_major, shape)),
        _ => Err("its header lacks `descr`, `fortran_order` or `shape`".to_owned()),
    }
}

/// The type behind a `NumPy` type string such as `<f4`; otherwise what it is and what to do.
fn parse_descr(descr: &str) -> Result<Dtype, String> {
    if descr == "bfloat16" {
        return Ok(Dtype::BF16);
    }
    let (order, kind) = descr.split_at_checked(1).unwrap_or_default();
    let dtype = match kind {
        "f8" => Dtype::F64,
        "f4" => Dtype::F32,
        "f2" => Dtype::F16,
        "i8" => Dtype::I64,
        "i4" => Dtype::I32,
        "i2" => Dtype::I16,
        "i1" => Dtype::I8,
        "u1" => Dtype::U8,
        "b1" => Dtype::Bool,
        "V2" => {
            return Err(format!(
                "`{descr}`, which is how NumPy saves bfloat16 without its name; save `a.astype('float32')`"
            ));
        }
        "O" => return Err(format!("`{descr}`, Python objects")),
        _ => return Err(format!("`{descr}`")),
    };
    match order {
        "<" => Ok(dtype),
        "|" | ">" | "=" if dtype.size() == 1 => Ok(dtype),
        ">" => Err(format!("`{descr}`, big-endian; save `a.astype('<{kind}')`")),
        _ => Err(format!("`{descr}`")),
    }
}
