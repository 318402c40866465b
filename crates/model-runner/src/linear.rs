//! One linear map: weights widened once, or left in the mapped file and widened block by block as they are used.
//!
//! Linear weights are stored `[out, in]` (`[in, out]` by GPT-2). Small models are widened and transposed once; of large ones
//! nothing is kept: each product goes through the stored matrix in blocks that fit in a cache, which for bf16 costs a few per cent
//! of the product and no memory. A stored f32 matrix is multiplied where it lies.

use std::ops::Range;
use std::sync::Arc;

use checkpoint::Checkpoint;
use kernels::{Layout, Threads, gemm_f32};

use crate::error::Result;
use crate::layout::{Piece, Projection};

/// Values of a block that is widened at a time: 2 MiB, so that it stays in the second-level cache until it is multiplied.
const BLOCK: usize = 1 << 19;

/// Weights of a linear map.
#[derive(Clone, Debug)]
enum Matrix {
    /// `[input, width]`.
    Resident(Vec<f32>),
    /// `[out, in]` tensors in mapped files.
    Stored(Arc<Checkpoint>, Vec<Piece>),
}

/// `x W + b`.
#[derive(Clone, Debug)]
pub(crate) struct Linear {
    matrix: Matrix,
    bias: Option<Vec<f32>>,
    input: usize,
    pub(crate) width: usize,
}

impl Linear {
    /// Bytes of weights that one product goes through.
    pub(crate) fn bytes(&self) -> Result<u64> {
        match &self.matrix {
            Matrix::Resident(weights) => Ok(4 * weights.len() as u64),
            Matrix::Stored(checkpoint, pieces) => pieces.iter().try_fold(0, |sum, piece| {
                let view = checkpoint.get(&format!("{}.weight", piece.tensor))?;
                let outputs: usize = piece.outputs.iter().map(Range::len).sum();
                Ok(sum + (outputs * self.input * view.dtype.size()) as u64)
            }),
        }
    }

    /// Reads a projection; `in_out`: it is stored `[in, out]`; `resident`: widen it now.
    pub(crate) fn read(
        checkpoint: &Arc<Checkpoint>,
        projection: &Projection,
        in_out: bool,
        resident: bool,
    ) -> Result<Self> {
        let width = projection.width();
        let bias = projection.bias.then(|| read_bias(checkpoint, projection)).transpose()?;
        // Blocks of outputs are contiguous in `[out, in]` storage only.
        let matrix = if resident || in_out {
            Matrix::Resident(widen(checkpoint, projection, in_out)?)
        } else {
            Matrix::Stored(Arc::clone(checkpoint), projection.pieces.clone())
        };
        Ok(Self {
            matrix,
            bias,
            input: projection.input,
            width,
        })
    }

    /// `out = a W + b` for `a` `[rows, input]`, `out` `[rows, width]`; `scratch` is a buffer.
    pub(crate) fn apply(
        &self,
        rows: usize,
        a: &[f32],
        out: &mut [f32],
        scratch: &mut Vec<f32>,
        threads: Threads,
    ) -> Result<()> {
        let a = (a, Layout::rows(self.input));
        match &self.matrix {
            Matrix::Resident(weights) => gemm_f32(
                (rows, self.input, self.width),
                a,
                (weights, Layout::rows(self.width)),
                (out, Layout::rows(self.width)),
                false,
                1.0,
                threads,
            ),
            Matrix::Stored(checkpoint, pieces) => {
                let mut offset = 0;
                for piece in pieces {
                    let name = format!("{}.weight", piece.tensor);
                    let view = checkpoint.get(&name)?;
                    for outputs in blocks(&piece.outputs, self.input) {
                        let n: usize = outputs.iter().map(Range::len).sum();
                        let whole = view.as_f32().filter(|_| outputs.len() == 1);
                        let weights = if let Some(whole) = whole {
                            &whole[outputs[0].start * self.input..outputs[0].end * self.input]
                        } else {
                            scratch.clear();
                            for range in outputs {
                                view.extend_rows_f32(range, scratch)?;
                            }
                            scratch.as_slice()
                        };
                        gemm_f32(
                            (rows, self.input, n),
                            a,
                            (weights, Layout::transposed(self.input)),
                            (&mut *out, Layout::rows(self.width).at(offset)),
                            false,
                            1.0,
                            threads,
                        );
                        offset += n;
                    }
                }
            }
        }
        if let Some(bias) = &self.bias {
            for row in out[..rows * self.width].chunks_exact_mut(self.width) {
                for (value, bias) in row.iter_mut().zip(bias) {
                    *value += bias;
                }
            }
        }
        Ok(())
    }
}

/// Groups of consecutive ranges of about [`BLOCK`] values each.
fn blocks(outputs: &[Range<usize>], input: usize) -> Vec<Vec<Range<usize>>> {
    let most = (BLOCK / input.max(1)).max(16);
    let mut groups: Vec<Vec<Range<usize>>> = Vec::new();
    let mut room = 0;
    for range in outputs {
        let mut start = range.start;
        while start < range.end {
            if room == 0 {
                groups.push(Vec::new());
                room = most;
            }
            let end = range.end.min(start + room);
            if let Some(group) = groups.last_mut() {
                group.push(start..end);
            }
            room -= end - start;
            start = end;
        }
    }
    groups
}

fn read_bias(checkpoint: &Checkpoint, projection: &Projection) -> Result<Vec<f32>> {
    let mut bias = Vec::with_capacity(projection.width());
    for piece in &projection.pieces {
        let stored = checkpoint.get(&format!("{}.bias", piece.tensor))?.to_f32()?;
        for range in &piece.outputs {
            bias.extend_from_slice(&stored[range.clone()]);
        }
    }
    Ok(bias)
}

/// The whole matrix in f32, `[input, width]`.
fn widen(checkpoint: &Checkpoint, projection: &Projection, in_out: bool) -> Result<Vec<f32>> {
    let (input, width) = (projection.input, projection.width());
    let mut out = vec![0.0; input * width];
    let mut offset = 0;
    let mut block = Vec::new();
    for piece in &projection.pieces {
        let name = format!("{}.weight", piece.tensor);
        let view = checkpoint.get(&name)?;
        for range in &piece.outputs {
            if in_out {
                for row in 0..input {
                    block.clear();
                    view.extend_rows_f32(row..row + 1, &mut block)?;
                    let to = row * width + offset;
                    out[to..to + range.len()].copy_from_slice(&block[range.clone()]);
                }
                offset += range.len();
                continue;
            }
            for part in blocks(std::slice::from_ref(range), input).into_iter().flatten() {
                block.clear();
                view.extend_rows_f32(part.clone(), &mut block)?;
                transpose(&block, input, &mut out[offset..], width);
                offset += part.len();
            }
        }
    }
    Ok(out)
}

/// Writes `[outs, input]` as columns of a matrix with rows of `width`.
fn transpose(block: &[f32], input: usize, out: &mut [f32], width: usize) {
    const TILE: usize = 32;
    let outs = block.len() / input;
    // Tiles keep both the reads and the writes within a few cache lines.
    for row_tile in (0..outs).step_by(TILE) {
        for col_tile in (0..input).step_by(TILE) {
            for row in row_tile..(row_tile + TILE).min(outs) {
                for col in col_tile..(col_tile + TILE).min(input) {
                    out[col * width + row] = block[row * input + col];
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn transposed_blocks_become_columns() {
        let mut out = vec![0.0; 6];
        transpose(&[1.0, 2.0, 3.0, 4.0], 2, &mut out, 3);
        transpose(&[5.0, 6.0], 2, &mut out[2..], 3);
        assert_eq!(out, [1.0, 3.0, 5.0, 2.0, 4.0, 6.0]);
    }

    #[test]
    fn blocks_cover_every_output_once_in_order() {
        for input in [1, 64, BLOCK / 48, BLOCK] {
            let ranges = [0..100, 200..216, 300..300, 400..1000];
            let found: Vec<usize> = blocks(&ranges, input).into_iter().flatten().flatten().collect();
            let want: Vec<usize> = ranges.iter().cloned().flatten().collect();
            assert_eq!(found, want);
        }
    }
}
