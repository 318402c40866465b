//! Tensors whose neighbours lie some distance apart.
//!
//! Strides count elements and are not negative, as in `PyTorch`.

/// Rows of a tile in which a transposed matrix is copied: long runs of the input, which the memory system sees coming.
const ROWS: usize = 256;
/// Columns of a tile; with them its buffer fits in the first-level cache.
const COLUMNS: usize = 16;

/// Most dimensions of a tensor, `NumPy`'s limit too.
pub(crate) const MAX_DIMENSIONS: usize = 64;

/// Number of elements; `None` if it does not fit.
pub(crate) fn elements(shape: &[usize]) -> Option<usize> {
    if shape.len() > MAX_DIMENSIONS {
        return None;
    }
    shape.iter().try_fold(1_usize, |product, &dim| product.checked_mul(dim))
}

/// Elements from the first to the last one, both included; 0 for a tensor without elements, `None` if it does not fit.
pub(crate) fn span(shape: &[usize], strides: &[usize]) -> Option<usize> {
    if shape.contains(&0) {
        return Some(0);
    }
    shape.iter().zip(strides).try_fold(1_usize, |sum, (&dim, &stride)| {
        sum.checked_add((dim - 1).checked_mul(stride)?)
    })
}

/// Strides of a tensor that is stored row by row.
pub(crate) fn row_major(shape: &[usize]) -> Vec<usize> {
    let mut strides = cumulative(shape.iter().rev());
    strides.reverse();
    strides
}

/// Strides of a tensor that is stored column by column.
pub(crate) fn column_major(shape: &[usize]) -> Vec<usize> {
    cumulative(shape.iter())
}

fn cumulative<'a>(shape: impl Iterator<Item = &'a usize>) -> Vec<usize> {
    shape
        .scan(1_usize, |next, &dim| {
            let stride = *next;
            *next = next.saturating_mul(dim);
            Some(stride)
        })
        .collect()
}

/// Whether the elements lie row by row without gaps. Strides of dimensions of length 1 do not matter.
pub(crate) fn is_row_major(shape: &[usize], strides: &[usize]) -> bool {
    let dense = row_major(shape);
    shape
        .iter()
        .zip(strides)
        .zip(dense)
        .all(|((&dim, &stride), dense)| dim <= 1 || stride == dense)
}

/// Copies the elements of `size` bytes at `strides` in `from` to `out`, row by row.
///
/// `from` holds [`span`] elements and `out` exactly [`elements`]; whatever lies outside is left alone.
pub(crate) fn gather(shape: &[usize], strides: &[usize], size: usize, from: &[u8], out: &mut [u8]) {
    match size {
        1 => gather_sized::<1>(shape, strides, from, out),
        2 => gather_sized::<2>(shape, strides, from, out),
        4 => gather_sized::<4>(shape, strides, from, out),
        _ => gather_sized::<8>(shape, strides, from, out),
    }
}

/// One dimension: its length, its stride in the input and in the output.
type Axis = (usize, usize, usize);

fn gather_sized<const N: usize>(shape: &[usize], strides: &[usize], from: &[u8], out: &mut [u8]) {
    let (from, out) = (from.as_chunks::<N>().0, out.as_chunks_mut::<N>().0);
    let mut axes: Vec<Axis> = shape
        .iter()
        .zip(strides)
        .zip(row_major(shape))
        .map(|((&dim, &stride), dense)| (dim, stride, dense))
        .filter(|axis| axis.0 != 1)
        .collect();
    let columns = axes.pop().unwrap_or((1, 0, 1));
    // The axis along which the input is dense, if the innermost one is not.
    let nearest = (0..axes.len()).min_by_key(|&i| axes[i].1);
    let rows = nearest.map_or((1, 0, 0), |i| axes.remove(i));
    let mut index = vec![0; axes.len()];
    loop {
        let (mut source, mut target) = (0, 0);
        for (&i, &(_, stride, dense)) in index.iter().zip(&axes) {
            source += i * stride;
            target += i * dense;
        }
        plane(
            rows,
            columns,
            from.get(source..).unwrap_or_default(),
            &mut out[target..],
        );
        let Some(position) = (0..axes.len()).rev().find(|&i| index[i] + 1 < axes[i].0) else {
            return;
        };
        index[position] += 1;
        index[position + 1..].fill(0);
    }
}

/// Copies a matrix, tile by tile. Columns lie side by side in the output.
fn plane<const N: usize>(rows: Axis, columns: Axis, from: &[[u8; N]], out: &mut [[u8; N]]) {
    // A tile passes through a buffer, so that it is read and written line by line: lines whose distance is a power of two evict
    // each other from the cache.
    let mut buffer = [[[0; N]; COLUMNS]; ROWS];
    for first_row in (0..rows.0).step_by(ROWS) {
        let height = ROWS.min(rows.0 - first_row);
        for first_column in (0..columns.0).step_by(COLUMNS) {
            let width = COLUMNS.min(columns.0 - first_column);
            let from = from
                .get(first_row * rows.1 + first_column * columns.1..)
                .unwrap_or_default();
            if rows.1 < columns.1 {
                for column in 0..width {
                    let from = from.get(column * columns.1..).unwrap_or_default();
                    for (row, line) in buffer[..height].iter_mut().enumerate() {
                        line[column] = from.get(row * rows.1).copied().unwrap_or([0; N]);
                    }
                }
            } else {
                for (row, line) in buffer[..height].iter_mut().enumerate() {
                    for (column, element) in line[..width].iter_mut().enumerate() {
                        *element = from.get(row * rows.1 + column * columns.1).copied().unwrap_or([0; N]);
                    }
                }
            }
            for (row, line) in buffer[..height].iter().enumerate() {
                let start = (first_row + row) * rows.2 + first_column;
                out[start..start + width].copy_from_slice(&line[..width]);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Element by element, by the definition.
    fn naive(shape: &[usize], strides: &[usize], from: &[u8]) -> Vec<u8> {
        let count = elements(shape).unwrap();
        (0..count)
            .map(|flat| {
                let offset: usize = (row_major(shape).iter().zip(shape).zip(strides))
                    .map(|((dense, dim), stride)| flat / dense % dim * stride)
                    .sum();
                from[offset]
            })
            .collect()
    }

    #[test]
    fn gathers_any_strides() {
        let cases: [(&[usize], &[usize]); 11] = [
            (&[], &[]),
            (&[70], &[3]),
            (&[70, 65], &[1, 70]),
            (&[3, 40, 50], &[1, 150, 3]),
            (&[3, 40, 50], &[2000, 1, 40]),
            (&[300, 20], &[1, 301]),
            (&[260, 33], &[70, 2]),
            (&[2, 1, 5], &[5, 77, 1]),
            (&[4, 6], &[0, 1]),
            (&[4, 6], &[1, 0]),
            (&[2, 3, 4, 5], &[1, 2, 6, 24]),
        ];
        for (shape, strides) in cases {
            let from: Vec<u8> = (0..span(shape, strides).unwrap()).map(|i| (i % 251) as u8).collect();
            let mut out = vec![0; elements(shape).unwrap()];
            gather(shape, strides, 1, &from, &mut out);
            assert_eq!(out, naive(shape, strides, &from), "{shape:?} {strides:?}");
        }
    }

    #[test]
    fn dense_strides() {
        assert_eq!(row_major(&[2, 3, 4]), [12, 4, 1]);
        assert_eq!(column_major(&[2, 3, 4]), [1, 2, 6]);
        assert!(is_row_major(&[2, 1, 4], &[4, 99, 1]) && !is_row_major(&[2, 3], &[1, 2]));
        assert_eq!(span(&[2, 0], &[usize::MAX, 1]), Some(0));
        assert_eq!(span(&[3], &[usize::MAX]), None);
    }
}
