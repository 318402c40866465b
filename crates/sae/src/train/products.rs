//! Products of sparse latents with dense rows, forwards and backwards.
//!
//! Two ways to the same sums: entry by entry, which costs `entries * d`, and as dense matrix products, which cost
//! `rows * d_sae * d` but run at several times the speed per multiplication. Dense wins above [`DENSE_SHARE`].

use kernels::{Layout, Threads, gemm_f32, math};
use rayon::prelude::*;

use super::params::Params;
use crate::SparseLatents;

/// Share of active latents above which dense products are faster.
pub(crate) const DENSE_SHARE: f64 = 0.15;
/// Rows or latents of one task.
const TASK: usize = 32;

/// `y += a x`.
#[expect(
    clippy::inline_always,
    reason = "it has to be compiled with the instruction set of its caller"
)]
#[inline(always)]
fn add_scaled(y: &mut [f32], a: f32, x: &[f32]) {
    for (y, x) in y.iter_mut().zip(x) {
        *y += a * x;
    }
}

/// Whether `latents` are so many that the dense products are faster.
pub(crate) fn is_dense(latents: &SparseLatents) -> bool {
    latents.entries() as f64 > DENSE_SHARE * (latents.rows() * latents.width()) as f64
}

/// Adds `z W_dec` for the latents in `range` to `out` `[rows, d_in]`.
pub(crate) fn add_decoded(latents: &SparseLatents, range: (usize, usize), params: &Params, out: &mut [f32]) {
    let d_in = params.d_in;
    out.par_chunks_mut(TASK * d_in).enumerate().for_each(|(task, out)| {
        math::simd(
            #[inline(always)]
            || {
                for (at, out) in out.chunks_exact_mut(d_in).enumerate() {
                    let (index, value) = latents.row(task * TASK + at);
                    for entry in within(index, range) {
                        add_scaled(out, value[entry], params.decoder_row(index[entry]));
                    }
                }
            },
        );
    });
}

/// Entries of a row whose latent lies in `range`.
fn within(index: &[u32], (start, end): (usize, usize)) -> std::ops::Range<usize> {
    index.partition_point(|&latent| (latent as usize) < start)..index.partition_point(|&latent| (latent as usize) < end)
}

/// The derivative of each entry's value: `upstream[row] . W_dec[latent]`, with one upstream gradient `[rows, d_in]` for
/// each group of latents, which end at `ends`.
pub(crate) fn value_gradient(
    latents: &SparseLatents,
    upstream: &[Vec<f32>],
    ends: &[usize],
    params: &Params,
) -> Vec<f32> {
    let d_in = params.d_in;
    (0..latents.rows())
        .into_par_iter()
        .with_min_len(TASK)
        .flat_map_iter(|row| {
            let (index, _) = latents.row(row);
            let mut out = vec![0.0; index.len()];
            let mut start = 0;
            for (upstream, &end) in upstream.iter().zip(ends) {
                let upstream = &upstream[row * d_in..][..d_in];
                math::simd(
                    #[inline(always)]
                    || {
                        for entry in within(index, (start, end)) {
                            out[entry] = math::dot(upstream, params.decoder_row(index[entry]));
                        }
                    },
                );
                start = end;
            }
            out
        })
        .collect()
}

/// Entries by latent: rows of a latent ascend.
struct ByLatent {
    starts: Vec<usize>,
    /// (row, entry) pairs.
    entries: Vec<(u32, u32)>,
}

impl ByLatent {
    fn new(latents: &SparseLatents) -> Self {
        let mut starts = vec![0; latents.width() + 1];
        for &latent in latents.index() {
            starts[latent as usize + 1] += 1;
        }
        for latent in 0..latents.width() {
            starts[latent + 1] += starts[latent];
        }
        let mut next = starts.clone();
        let mut entries = vec![(0, 0); latents.entries()];
        let mut entry = 0;
        for row in 0..latents.rows() {
            for &latent in latents.row(row).0 {
                let slot = &mut next[latent as usize];
                entries[*slot] = (row as u32, entry);
                *slot += 1;
                entry += 1;
            }
        }
        Self { starts, entries }
    }
}

/// Adds the gradients of decoder, encoder and encoder bias, entry by entry.
///
/// # Shapes
/// - `d_pre`: one per entry, the derivative of its pre-activation
/// - `input`: `[rows, d_in]`, what the encoder saw
pub(crate) fn add_gradients(
    latents: &SparseLatents,
    d_pre: &[f32],
    input: &[f32],
    upstream: &[Vec<f32>],
    ends: &[usize],
    gradient: &mut Params,
) {
    let d_in = gradient.d_in;
    let by_latent = ByLatent::new(latents);
    let values = latents.values();
    let rows = gradient
        .w_dec
        .par_chunks_mut(d_in)
        .zip(gradient.w_enc.par_chunks_mut(d_in));
    rows.zip(&mut gradient.b_enc)
        .enumerate()
        .with_min_len(TASK)
        .for_each(|(latent, ((w_dec, w_enc), b_enc))| {
            let group = ends.partition_point(|&end| end <= latent);
            math::simd(
                #[inline(always)]
                || {
                    for &(row, entry) in &by_latent.entries[by_latent.starts[latent]..by_latent.starts[latent + 1]] {
                        let (row, entry) = (row as usize * d_in, entry as usize);
                        add_scaled(w_dec, values[entry], &upstream[group][row..row + d_in]);
                        add_scaled(w_enc, d_pre[entry], &input[row..row + d_in]);
                        *b_enc += d_pre[entry];
                    }
                },
            );
        });
}

/// Latents as a matrix, for the dense products.
///
/// # Shapes
/// - `entries`: one value per entry of `latents`
/// - `out`: `[rows, d_sae]`
pub(crate) fn scatter(latents: &SparseLatents, entries: &[f32], out: &mut [f32]) {
    let bounds = latents.bounds();
    out.par_chunks_mut(latents.width())
        .enumerate()
        .with_min_len(TASK)
        .for_each(|(row, out)| {
            out.fill(0.0);
            for (&latent, &value) in latents.row(row).0.iter().zip(&entries[bounds[row]..bounds[row + 1]]) {
                out[latent as usize] = value;
            }
        });
}

/// The entries' places in a matrix `[rows, d_sae]`.
pub(crate) fn gather(latents: &SparseLatents, matrix: &[f32]) -> Vec<f32> {
    let rows = matrix.par_chunks(latents.width()).enumerate().with_min_len(TASK);
    rows.flat_map_iter(|(row, matrix)| latents.row(row).0.iter().map(|&latent| matrix[latent as usize]))
        .collect()
}

/// `out = keep * out + a b` for a dense `a` `[m, k]` and `b` `[k, n]`.
pub(crate) fn dense(
    size: (usize, usize, usize),
    a: (&[f32], Layout),
    b: (&[f32], Layout),
    out: &mut [f32],
    keep: bool,
) {
    gemm_f32(size, a, b, (out, Layout::rows(size.2)), keep, 1.0, Threads::Pool);
}
