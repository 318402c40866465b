//! Entry points for fuzzing: each parses bytes as one format and uses every tensor, and none may panic.
//!
//! They stay below the file system, so that a fuzzer spends its time in the parsers. Tensors that are large once made are left alone:
//! their size is bounded by the input and a constant, and a fuzzer that finds the constant finds nothing.

use std::path::Path;

use crate::contents::{self, Contents};
use crate::{CheckpointError, TensorView, torch};

/// Largest tensor that is converted, bytes.
const MAX_TENSOR: usize = 1 << 20;
/// Bytes of all tensors that are converted.
const MAX_TOTAL: usize = 1 << 24;

/// Parses `bytes` as a safetensors file.
pub fn safetensors(bytes: &[u8]) {
    exercise(bytes, contents::safetensors);
}

/// Parses `bytes` as an archive of `NumPy` arrays.
pub fn npz(bytes: &[u8]) {
    exercise(bytes, contents::zip);
}

/// Parses `bytes` as a `NumPy` array.
pub fn npy(bytes: &[u8]) {
    exercise(bytes, contents::npy);
}

/// Parses `bytes` as an archive of `torch.save`, and as the pickle inside one.
pub fn torch(bytes: &[u8]) {
    exercise(bytes, contents::zip);
    torch::pickle_alone(bytes);
}

fn exercise(bytes: &[u8], parse: impl FnOnce(&Path, &[u8]) -> Result<Contents, CheckpointError>) {
    let file = Path::new("fuzz");
    let contents = match parse(file, bytes) {
        Ok(contents) => contents,
        Err(error) => {
            drop(error.to_string());
            return;
        }
    };
    let mut total = 0_usize;
    for (name, entry) in &contents.tensors {
        total = total.saturating_add(entry.length());
        let Ok(dtype) = entry.dtype else { continue };
        if entry.length() > MAX_TENSOR || total > MAX_TOTAL {
            continue;
        }
        let Ok(bytes) = entry.bytes(bytes) else { continue };
        assert_eq!(entry.shape.iter().product::<usize>() * dtype.size(), bytes.len());
        let view = TensorView {
            file,
            name,
            dtype,
            shape: &entry.shape,
            bytes,
        };
        drop((view.to_f32(), view.to_f64(), view.to_i64(), view.rows_f32(&[0])));
    }
}
