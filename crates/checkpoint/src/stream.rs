//! A safetensors file larger than memory, written piece by piece.
//!
//! Shapes are known before the first value, so the header and the final size are too: the file is laid out at once and filled in
//! any order. It appears under its name only when every value was written.
//!
//! Deliberately absent: tensors whose size is found out on the way; a caller collects those in a file of its own first.

use std::collections::BTreeMap;
use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use crate::header::LENGTH_FIELD;
use crate::write::{builder, f32_bytes, file_header};
use crate::{CheckpointError, Dtype};

/// Name, type and shape of a tensor that will be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TensorSlot {
    /// Its name.
    pub name: String,
    /// Its element type.
    pub dtype: Dtype,
    /// Its dimensions, outermost first.
    pub shape: Vec<usize>,
}

/// Where a tensor's bytes go, and how many have come.
#[derive(Debug)]
struct Place {
    name: String,
    dtype: Dtype,
    start: u64,
    bytes: u64,
    written: u64,
}

/// A safetensors file in the making.
#[derive(Debug)]
pub struct SafetensorsStream {
    path: PathBuf,
    file: NamedTempFile,
    places: Vec<Place>,
}

impl SafetensorsStream {
    /// Lays the file out in the target's folder under a temporary name.
    ///
    /// # Errors
    /// [`CheckpointError::Unwritable`] if two tensors share a name or a size overflows, [`CheckpointError::Io`] if the file cannot
    /// be made.
    pub fn create(
        path: &Path,
        slots: &[TensorSlot],
        metadata: &BTreeMap<String, String>,
    ) -> Result<Self, CheckpointError> {
        let mut order: Vec<&TensorSlot> = slots.iter().collect();
        order.sort_by(|a, b| b.dtype.size().cmp(&a.dtype.size()).then_with(|| a.name.cmp(&b.name)));
        let unwritable = |name: &str, reason: &str| CheckpointError::Unwritable {
            file: path.to_owned(),
            tensor: name.to_owned(),
            reason: reason.to_owned(),
        };
        let mut sizes = Vec::with_capacity(order.len());
        for (i, slot) in order.iter().enumerate() {
            if order[..i].iter().any(|other| other.name == slot.name) {
                return Err(unwritable(&slot.name, "the name is used twice"));
            }
            let bytes = slot
                .shape
                .iter()
                .try_fold(slot.dtype.size(), |product, &dim| product.checked_mul(dim))
                .ok_or_else(|| unwritable(&slot.name, "its size overflows"))?;
            sizes.push(bytes);
        }
        let named = order
            .iter()
            .zip(&sizes)
            .map(|(slot, &bytes)| (slot.name.as_str(), slot.dtype, slot.shape.as_slice(), bytes));
        let header = file_header(named, metadata);
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        let folder = folder.unwrap_or_else(|| Path::new("."));
        fs_err::create_dir_all(folder).map_err(CheckpointError::io("create", folder))?;
        let mut file = builder()
            .tempfile_in(folder)
            .map_err(CheckpointError::io("create a file in", folder))?;
        let mut start = (LENGTH_FIELD + header.len()) as u64;
        let mut places = Vec::with_capacity(order.len());
        for (slot, &bytes) in order.iter().zip(&sizes) {
            places.push(Place {
                name: slot.name.clone(),
                dtype: slot.dtype,
                start,
                bytes: bytes as u64,
                written: 0,
            });
            start += bytes as u64;
        }
        let io = || CheckpointError::io("write", path);
        file.write_all(&(header.len() as u64).to_le_bytes()).map_err(io())?;
        file.write_all(&header).map_err(io())?;
        // A full disk is found now where the file system can tell, not hours later.
        file.as_file().set_len(start).map_err(io())?;
        Ok(Self {
            path: path.to_owned(),
            file,
            places,
        })
    }

    /// Bytes of the finished file.
    #[must_use]
    pub fn total_bytes(&self) -> u64 {
        self.places.last().map_or(0, |place| place.start + place.bytes)
    }

    /// Writes `values` from element `offset` of `F32` tensor `name` on. Each element must be written once.
    ///
    /// # Errors
    /// [`CheckpointError::Unwritable`] if there is no such tensor, it is no `F32` or the values do not fit, else
    /// [`CheckpointError::Io`].
    pub fn write_f32(&mut self, name: &str, offset: usize, values: &[f32]) -> Result<(), CheckpointError> {
        self.write_bytes(name, Dtype::F32, offset, &f32_bytes(values))
    }

    /// As [`SafetensorsStream::write_f32`], for an `I64` tensor.
    ///
    /// # Errors
    /// As [`SafetensorsStream::write_f32`].
    pub fn write_i64(&mut self, name: &str, offset: usize, values: &[i64]) -> Result<(), CheckpointError> {
        let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        self.write_bytes(name, Dtype::I64, offset, &bytes)
    }

    fn write_bytes(&mut self, name: &str, dtype: Dtype, offset: usize, bytes: &[u8]) -> Result<(), CheckpointError> {
        let path = &self.path;
        let unwritable = |reason: String| CheckpointError::Unwritable {
            file: path.clone(),
            tensor: name.to_owned(),
            reason,
        };
        let Some(place) = self.places.iter_mut().find(|place| place.name == name) else {
            return Err(unwritable("it was not announced".to_owned()));
        };
        if place.dtype != dtype {
            return Err(unwritable(format!("it was announced as {}", place.dtype)));
        }
        let from = (offset * dtype.size()) as u64;
        let length = bytes.len() as u64;
        if from + length > place.bytes {
            return Err(unwritable(format!("{length} bytes at {from} of {}", place.bytes)));
        }
        let at = SeekFrom::Start(place.start + from);
        self.file.seek(at).map_err(CheckpointError::io("write", path))?;
        self.file.write_all(bytes).map_err(CheckpointError::io("write", path))?;
        place.written += length;
        Ok(())
    }

    /// Puts the file under its name.
    ///
    /// # Errors
    /// [`CheckpointError::Unwritable`] if values of a tensor are missing, else [`CheckpointError::Io`].
    pub fn finish(self) -> Result<(), CheckpointError> {
        if let Some(place) = self.places.iter().find(|place| place.written != place.bytes) {
            return Err(CheckpointError::Unwritable {
                file: self.path.clone(),
                tensor: place.name.clone(),
                reason: format!("{} of {} bytes were written", place.written, place.bytes),
            });
        }
        let io = || CheckpointError::io("write", &self.path);
        self.file.as_file().sync_all().map_err(io())?;
        self.file.persist(&self.path).map_err(|error| io()(error.error))?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Checkpoint, write};

    #[test]
    fn pieces_in_any_order_give_the_bytes_of_the_whole() {
        let folder = tempfile::tempdir().unwrap();
        let values: Vec<f32> = (0..24).map(|i| i as f32).collect();
        let ids: Vec<i64> = (0..5).collect();
        let slot = |name: &str, dtype, shape: &[usize]| TensorSlot {
            name: name.to_owned(),
            dtype,
            shape: shape.to_vec(),
        };
        let slots = [slot("x", Dtype::F32, &[2, 3, 4]), slot("ids", Dtype::I64, &[5])];
        let metadata = BTreeMap::from([("a".to_owned(), "b".to_owned())]);
        let path = folder.path().join("deep/stream.safetensors");
        let mut stream = SafetensorsStream::create(&path, &slots, &metadata).unwrap();
        stream.write_f32("x", 12, &values[12..]).unwrap();
        assert!(stream.write_f32("x", 20, &values).is_err());
        assert!(stream.write_i64("x", 0, &ids).is_err());
        assert!(stream.write_i64("y", 0, &ids).is_err());
        stream.write_i64("ids", 0, &ids).unwrap();
        stream.write_f32("x", 0, &values[..12]).unwrap();
        assert!(!path.exists());
        stream.finish().unwrap();
        let whole = folder.path().join("whole.safetensors");
        let tensors = [
            write::TensorData::f32("x", &[2, 3, 4], &values),
            write::TensorData::i64("ids", &[5], &ids),
        ];
        write::safetensors(&whole, &tensors, &metadata).unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), std::fs::read(&whole).unwrap());
        assert_eq!(Checkpoint::open(&path).unwrap().get("x").unwrap().shape, [2, 3, 4]);
    }

    #[test]
    fn what_was_not_filled_does_not_appear() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.safetensors");
        let slot = TensorSlot {
            name: "x".to_owned(),
            dtype: Dtype::F32,
            shape: vec![4],
        };
        let mut stream = SafetensorsStream::create(&path, std::slice::from_ref(&slot), &BTreeMap::new()).unwrap();
        stream.write_f32("x", 0, &[1.0; 3]).unwrap();
        assert!(stream.finish().unwrap_err().to_string().contains("12 of 16"));
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
        let twice = [slot.clone(), slot];
        assert!(SafetensorsStream::create(&path, &twice, &BTreeMap::new()).is_err());
    }
}
