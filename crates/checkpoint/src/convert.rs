//! From stored little-endian bytes to numbers.
//!
//! Every conversion here is exact except `f64` to `f32`, which rounds to nearest. The byte slices may start at any address: a
//! safetensors header has any length, so tensors are not aligned in the mapped file.

use half::slice::HalfFloatSliceExt;
use half::{bf16, f16};

use crate::Dtype;

/// Elements that are converted at a time where a buffer is needed; it fits in the first-level cache.
const BLOCK: usize = 2048;

/// Appends `bytes` of type `dtype`, widened, to `out`. `None` if the type is not a float.
pub(crate) fn extend_f32(out: &mut Vec<f32>, dtype: Dtype, bytes: &[u8]) -> Option<()> {
    match dtype {
        Dtype::F32 => out.extend(elements(bytes).map(f32::from_le_bytes)),
        Dtype::F64 => out.extend(elements(bytes).map(|b| f64::from_le_bytes(b) as f32)),
        // A bf16 is the upper half of an f32, so widening is a shift; the compiler vectorises this loop.
        Dtype::BF16 => out.extend(elements(bytes).map(|b| f32::from_bits(u32::from(u16::from_le_bytes(b)) << 16))),
        Dtype::F16 => {
            let mut buffer = [f16::ZERO; BLOCK];
            for block in bytes.chunks(2 * BLOCK) {
                let start = out.len();
                let length = block.len() / 2;
                for (half, b) in buffer.iter_mut().zip(elements(block)) {
                    *half = f16::from_le_bytes(b);
                }
                out.resize(start + length, 0.0);
                buffer[..length].convert_to_f32_slice(&mut out[start..]);
            }
        }
        _ => return None,
    }
    Some(())
}

/// All elements of a float tensor as `f64`, exactly. `None` if the type is not a float.
pub(crate) fn to_f64(dtype: Dtype, bytes: &[u8]) -> Option<Vec<f64>> {
    if dtype == Dtype::F64 {
        return Some(elements(bytes).map(f64::from_le_bytes).collect());
    }
    let mut narrow = Vec::with_capacity(bytes.len() / dtype.size());
    extend_f32(&mut narrow, dtype, bytes)?;
    Some(narrow.into_iter().map(f64::from).collect())
}

/// All elements of an integer or boolean tensor. `None` if the type is a float.
pub(crate) fn to_i64(dtype: Dtype, bytes: &[u8]) -> Option<Vec<i64>> {
    Some(match dtype {
        Dtype::I64 => elements(bytes).map(i64::from_le_bytes).collect(),
        Dtype::I32 => elements(bytes).map(|b| i32::from_le_bytes(b).into()).collect(),
        Dtype::I16 => elements(bytes).map(|b| i16::from_le_bytes(b).into()).collect(),
        Dtype::I8 => elements(bytes).map(|b| i8::from_le_bytes(b).into()).collect(),
        Dtype::U8 | Dtype::Bool => bytes.iter().map(|&b| b.into()).collect(),
        Dtype::F64 | Dtype::F32 | Dtype::F16 | Dtype::BF16 => return None,
    })
}

/// One `f32` as the bytes of the nearest `bf16`, ties to even.
pub(crate) fn bf16_bytes(value: f32) -> [u8; 2] {
    bf16::from_f32(value).to_le_bytes()
}

fn elements<const N: usize>(bytes: &[u8]) -> impl Iterator<Item = [u8; N]> {
    bytes.as_chunks::<N>().0.iter().copied()
}
