//! Files that appear complete or not at all.
//!
//! Every writer fills a temporary file in the target's folder, syncs it and renames it, so that a reader sees the old file or the new
//! one, and an interrupted run leaves neither half. Missing folders on the way are created.
//!
//! Deliberately absent: sharding (nothing here writes files of that size) and appending.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, BufWriter, Write};
use std::path::Path;

use crate::convert;
use crate::header::{LENGTH_FIELD, METADATA_KEY};
use crate::{CheckpointError, Dtype};

/// A tensor to be written.
#[derive(Clone, Debug)]
pub struct TensorData<'a> {
    /// Its name.
    pub name: String,
    /// Its element type.
    pub dtype: Dtype,
    /// Its dimensions, outermost first; empty for a scalar.
    pub shape: Vec<usize>,
    /// Its elements, row-major, little-endian.
    pub bytes: Cow<'a, [u8]>,
}

impl<'a> TensorData<'a> {
    /// An `F32` tensor, borrowing `values` on little-endian machines.
    #[must_use]
    pub fn f32(name: impl Into<String>, shape: &[usize], values: &'a [f32]) -> Self {
        Self {
            name: name.into(),
            dtype: Dtype::F32,
            shape: shape.to_vec(),
            bytes: f32_bytes(values),
        }
    }

    /// A `BF16` tensor, rounded to nearest even.
    #[must_use]
    pub fn bf16(name: impl Into<String>, shape: &[usize], values: &[f32]) -> Self {
        Self {
            name: name.into(),
            dtype: Dtype::BF16,
            shape: shape.to_vec(),
            bytes: f32_to_bf16_bytes(values).into(),
        }
    }

    /// An `F64` tensor.
    #[must_use]
    pub fn f64(name: impl Into<String>, shape: &[usize], values: &[f64]) -> Self {
        let bytes = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        Self {
            name: name.into(),
            dtype: Dtype::F64,
            shape: shape.to_vec(),
            bytes,
        }
    }

    /// An `I64` tensor.
    #[must_use]
    pub fn i64(name: impl Into<String>, shape: &[usize], values: &[i64]) -> Self {
        let bytes = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        Self {
            name: name.into(),
            dtype: Dtype::I64,
            shape: shape.to_vec(),
            bytes,
        }
    }
}

/// Writes a safetensors file. Equal input gives equal bytes: tensors are laid out widest type first, then by name, and the header
/// is padded so that every tensor is aligned to its element size.
///
/// # Errors
/// [`CheckpointError::Unwritable`] if two tensors share a name or a byte count does not fit its shape, [`CheckpointError::Io`] if the
/// file cannot be written.
pub fn safetensors(
    path: &Path,
    tensors: &[TensorData<'_>],
    metadata: &BTreeMap<String, String>,
) -> Result<(), CheckpointError> {
    let mut order: Vec<&TensorData<'_>> = tensors.iter().collect();
    order.sort_by(|a, b| b.dtype.size().cmp(&a.dtype.size()).then_with(|| a.name.cmp(&b.name)));
    let mut seen = BTreeSet::from([METADATA_KEY]);
    for tensor in &order {
        check(tensor, seen.insert(&tensor.name)).map_err(|reason| CheckpointError::Unwritable {
            file: path.to_owned(),
            tensor: tensor.name.clone(),
            reason,
        })?;
    }
    let header = header(&order, metadata);
    replace(path, |out| {
        out.write_all(&(header.len() as u64).to_le_bytes())?;
        out.write_all(&header)?;
        order.iter().try_for_each(|tensor| out.write_all(&tensor.bytes))
    })
}

fn check(tensor: &TensorData<'_>, new_name: bool) -> Result<(), String> {
    if !new_name {
        return Err("the name is reserved or used twice".to_owned());
    }
    let needed = tensor
        .shape
        .iter()
        .try_fold(tensor.dtype.size(), |product, &dim| product.checked_mul(dim));
    if needed == Some(tensor.bytes.len()) {
        return Ok(());
    }
    Err(format!(
        "shape {:?} of {} does not fit {} bytes",
        tensor.shape,
        tensor.dtype,
        tensor.bytes.len()
    ))
}

fn header(order: &[&TensorData<'_>], metadata: &BTreeMap<String, String>) -> Vec<u8> {
    let named = order.iter().map(|tensor| {
        (
            tensor.name.as_str(),
            tensor.dtype,
            tensor.shape.as_slice(),
            tensor.bytes.len(),
        )
    });
    file_header(named, metadata)
}

/// The header of a file with these tensors (name, type, shape, bytes) in this order.
pub(crate) fn file_header<'t>(
    tensors: impl Iterator<Item = (&'t str, Dtype, &'t [usize], usize)>,
    metadata: &BTreeMap<String, String>,
) -> Vec<u8> {
    let mut map = serde_json::Map::new();
    if !metadata.is_empty() {
        map.insert(METADATA_KEY.to_owned(), serde_json::json!(metadata));
    }
    let mut offset = 0;
    for (name, dtype, shape, bytes) in tensors {
        let end = offset + bytes;
        let entry = serde_json::json!({"dtype": dtype.name(), "shape": shape, "data_offsets": [offset, end]});
        map.insert(name.to_owned(), entry);
        offset = end;
    }
    let mut bytes = serde_json::Value::Object(map).to_string().into_bytes();
    bytes.resize(bytes.len().next_multiple_of(LENGTH_FIELD), b' ');
    bytes
}

/// Writes `bytes` to `path`.
///
/// # Errors
/// [`CheckpointError::Io`] if the file cannot be written; the file that was there before is then untouched.
pub fn atomic(path: &Path, bytes: &[u8]) -> Result<(), CheckpointError> {
    replace(path, |out| out.write_all(bytes))
}

fn replace(path: &Path, fill: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<(), CheckpointError> {
    let folder = match path.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    };
    fs_err::create_dir_all(folder).map_err(CheckpointError::io("create the folder", folder))?;
    let write = || {
        let mut file = builder().tempfile_in(folder)?;
        let mut out = BufWriter::with_capacity(1 << 20, file.as_file_mut());
        fill(&mut out)?;
        out.flush()?;
        drop(out);
        file.as_file().sync_all()?;
        file.persist(path).map_err(|error| error.error).map(drop)
    };
    write().map_err(CheckpointError::io("write", path))
}

/// Temporary files get the permissions that a plain new file would have, not the private ones of a secret.
pub(crate) fn builder() -> tempfile::Builder<'static, 'static> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(".partial-");
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    builder
}

/// `values` as little-endian bytes, without copying where that is how memory holds them.
#[must_use]
pub fn f32_bytes(values: &[f32]) -> Cow<'_, [u8]> {
    if cfg!(target_endian = "little") {
        Cow::Borrowed(bytemuck::cast_slice(values))
    } else {
        values.iter().flat_map(|value| value.to_le_bytes()).collect()
    }
}

/// `values` as the bytes of the nearest `BF16` numbers, ties to even.
#[must_use]
pub fn f32_to_bf16_bytes(values: &[f32]) -> Vec<u8> {
    values.iter().copied().flat_map(convert::bf16_bytes).collect()
}
