//! The one place that calls the matrix-multiplication kernel.
//!
//! `gemm::gemm` takes raw pointers and strides; this wrapper takes slices, checks that every
//! element that the call will touch lies inside them, and is safe to call with any arguments.

use gemm::Parallelism;

/// How many threads one multiplication may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Threads {
    /// The calling thread only: the caller already runs one chunk per thread.
    One,
    /// All threads of the current pool.
    Pool,
}

impl Threads {
    fn parallelism(self) -> Parallelism {
        match self {
            Self::One => Parallelism::None,
            Self::Pool => Parallelism::Rayon(0),
        }
    }
}

/// A matrix inside a slice: element `(i, j)` is `data[offset + i * row + j * col]`.
#[derive(Clone, Copy, Debug)]
pub struct Layout {
    /// Index of element `(0, 0)`.
    pub offset: usize,
    /// Distance between rows.
    pub row: usize,
    /// Distance between columns.
    pub col: usize,
}

impl Layout {
    /// Contiguous rows of `width` elements.
    #[must_use]
    pub fn rows(width: usize) -> Self {
        Self {
            offset: 0,
            row: width,
            col: 1,
        }
    }

    /// The transpose of contiguous rows of `width` elements.
    #[must_use]
    pub fn transposed(width: usize) -> Self {
        Self {
            offset: 0,
            row: 1,
            col: width,
        }
    }

    /// The same strides from another first element.
    #[must_use]
    pub fn at(self, offset: usize) -> Self {
        Self { offset, ..self }
    }

    /// Place of element `(i, j)`.
    fn index(self, i: usize, j: usize) -> usize {
        self.offset + i * self.row + j * self.col
    }

    /// Whether all of an `m x n` matrix lies inside `len` elements.
    fn fits(self, m: usize, n: usize, len: usize) -> bool {
        m == 0
            || n == 0
            || (m - 1)
                .checked_mul(self.row)
                .zip((n - 1).checked_mul(self.col))
                .and_then(|(rows, cols)| rows.checked_add(cols)?.checked_add(self.offset))
                .is_some_and(|last| last < len)
    }
}

/// Fewest rows from which the kernel treats a row as it does among any number of others: for few rows, or a small result, it takes
/// other paths, which add the same products in another order.
fn least_rows(k: usize, n: usize, along_k: bool) -> usize {
    /// Results of at most so many elements go to a kernel of inner products, where both matrices lie along `k`.
    const SMALL: usize = 256;
    /// Where neither side is longer, longer sums than [`LONG`] are cut in other places.
    const NARROW: usize = 64;
    const LONG: usize = 512;
    let dots = if along_k { SMALL / n + 1 } else { 0 };
    let cuts = if n <= NARROW && k > LONG { NARROW + 1 } else { 0 };
    // A lone row is multiplied as a vector.
    dots.max(cuts).max(2)
}

/// `out = keep * out + alpha * a b` for `a` `[m, k]`, `b` `[k, n]`, `out` `[m, n]`, in f32.
///
/// A row of the result has the same bits however many other rows there are, so that neither the size of a batch nor its company
/// changes an answer.
///
/// # Panics
/// When a matrix does not lie inside its slice: a bug in the caller, never a property of input.
pub fn gemm_f32(
    (m, k, n): (usize, usize, usize),
    a: (&[f32], Layout),
    b: (&[f32], Layout),
    out: (&mut [f32], Layout),
    keep: bool,
    alpha: f32,
    threads: Threads,
) {
    if m == 0 || n == 0 {
        return;
    }
    assert!(a.1.fits(m, k, a.0.len()), "left matrix outside its slice");
    assert!(b.1.fits(k, n, b.0.len()), "right matrix outside its slice");
    assert!(out.1.fits(m, n, out.0.len()), "result outside its slice");
    // Distinct elements of `out` must not alias: one stride covers the other's whole extent.
    assert!(
        out.1.row >= n * out.1.col || out.1.col >= m * out.1.row,
        "result rows overlap"
    );
    let least = least_rows(k, n, a.1.col == 1 && b.1.row == 1);
    if m >= least {
        multiply((m, k, n), a, b, out, keep, alpha, threads);
        return;
    }
    // Rows of zeros keep the few company.
    let mut rows = vec![0.0; least * k];
    let mut result = vec![0.0; least * n];
    for i in 0..m {
        for (t, value) in rows[i * k..(i + 1) * k].iter_mut().enumerate() {
            *value = a.0[a.1.index(i, t)];
        }
        if keep {
            for (j, value) in result[i * n..(i + 1) * n].iter_mut().enumerate() {
                *value = out.0[out.1.index(i, j)];
            }
        }
    }
    let company = (result.as_mut_slice(), Layout::rows(n));
    multiply(
        (least, k, n),
        (&rows, Layout::rows(k)),
        b,
        company,
        keep,
        alpha,
        threads,
    );
    for i in 0..m {
        for (j, value) in result[i * n..(i + 1) * n].iter().enumerate() {
            out.0[out.1.index(i, j)] = *value;
        }
    }
}

/// The call of the kernel; all three matrices lie inside their slices.
#[expect(
    clippy::needless_pass_by_value,
    reason = "a slice and its layout travel as one value"
)]
fn multiply(
    (m, k, n): (usize, usize, usize),
    a: (&[f32], Layout),
    b: (&[f32], Layout),
    out: (&mut [f32], Layout),
    keep: bool,
    alpha: f32,
    threads: Threads,
) {
    #[expect(
        unsafe_code,
        reason = "the kernel takes pointers; bounds and aliasing were asserted above"
    )]
    // SAFETY: all reads and writes lie inside the three slices (asserted by the one caller, or made to fit), `out` is borrowed
    // mutably so it aliases neither input, and f32 has no invalid bit patterns.
    unsafe {
        gemm::gemm(
            m,
            n,
            k,
            out.0.as_mut_ptr().add(out.1.offset),
            out.1.col as isize,
            out.1.row as isize,
            keep,
            a.0.as_ptr().add(a.1.offset),
            a.1.col as isize,
            a.1.row as isize,
            b.0.as_ptr().add(b.1.offset),
            b.1.col as isize,
            b.1.row as isize,
            1.0,
            alpha,
            false,
            false,
            false,
            threads.parallelism(),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn naive(m: usize, k: usize, n: usize, a: &[f32], b: &[f32]) -> Vec<f32> {
        let mut out = vec![0.0; m * n];
        for i in 0..m {
            for j in 0..n {
                out[i * n + j] = (0..k).map(|t| a[i * k + t] * b[t * n + j]).sum();
            }
        }
        out
    }

    #[test]
    fn equals_the_definition_in_all_layouts() {
        let (m, k, n) = (5, 7, 3);
        let a: Vec<f32> = (0..m * k).map(|i| (i as f32).sin()).collect();
        let b: Vec<f32> = (0..k * n).map(|i| (i as f32).cos()).collect();
        let expected = naive(m, k, n, &a, &b);
        let transposed: Vec<f32> = (0..k * n).map(|i| b[(i % k) * n + i / k]).collect();
        let mut out = vec![1.0; m * n];
        gemm_f32(
            (m, k, n),
            (&a, Layout::rows(k)),
            (&transposed, Layout::transposed(k)),
            (&mut out, Layout::rows(n)),
            true,
            2.0,
            Threads::One,
        );
        for (got, want) in out.iter().zip(&expected) {
            assert!((got - (1.0 + 2.0 * want)).abs() < 1e-5);
        }
    }

    #[test]
    fn a_row_has_the_same_bits_in_any_company() {
        // Shapes of attention, of the answers' unembedding, of MLPs; sums longer than the kernel's blocks.
        for (k, n, transposed) in [
            (32, 81, true),
            (81, 32, false),
            (128, 26, true),
            (2304, 26, true),
            (700, 300, false),
            (5, 1, true),
        ] {
            let rows = 70;
            let a: Vec<f32> = (0..rows * k)
                .map(|i| ((i * 7919) % 1013) as f32 / 500.0 - 1.0)
                .collect();
            let b: Vec<f32> = (0..k * n)
                .map(|i| ((i * 104_729) % 1009) as f32 / 500.0 - 1.0)
                .collect();
            let layout = if transposed {
                Layout::transposed(k)
            } else {
                Layout::rows(n)
            };
            let product = |from: usize, m: usize, keep: bool| {
                let mut out = vec![0.5; m * n];
                let a = (&a[from * k..], Layout::rows(k));
                gemm_f32(
                    (m, k, n),
                    a,
                    (&b, layout),
                    (&mut out, Layout::rows(n)),
                    keep,
                    1.0,
                    Threads::One,
                );
                out
            };
            for keep in [false, true] {
                let whole = product(0, rows, keep);
                for (from, m) in [(0, 1), (3, 1), (1, 2), (5, 3), (2, 9), (4, 64), (1, 65)] {
                    let part = product(from, m, keep);
                    let same = part
                        .iter()
                        .zip(&whole[from * n..])
                        .all(|(x, y)| x.to_bits() == y.to_bits());
                    assert!(same, "k {k} n {n}: {m} rows from {from}");
                }
            }
        }
    }

    #[test]
    #[should_panic(expected = "outside its slice")]
    fn a_matrix_outside_its_slice_is_refused() {
        let mut out = vec![0.0; 4];
        let layout = Layout::rows(2);
        gemm_f32(
            (2, 2, 2),
            (&[0.0; 3], layout),
            (&[0.0; 4], layout),
            (&mut out, layout),
            false,
            1.0,
            Threads::One,
        );
    }
}
