//! Loss and gradient of a batch.
//!
//! The loss is that of `SAELens` 3: `mean |x^ - x|^2 + lambda mean sum_j z_j` with `z = relu(E (x - b_dec) + b_enc)` and
//! `x^ = D' z + b_dec`. With `e = x^ - x`, `u_j = d_j . e`, `p_j = 2 u_j + lambda` where `z_j > 0` and else 0, and means over the
//! batch:
//!
//! - `dL/dd_j = 2 mean z_j e`, `dL/de_j = mean p_j (x - b_dec)`, `dL/db_enc_j = mean p_j`;
//! - `dL/db_dec = 2 mean e - sum_j mean p_j e_j`; tied weights have the sum of the first two.
//!
//! Every `x` is `sum_i s_i f_i` and every `e` is `sum_k z_k d_k + b_dec - sum_i s_i f_i`, so each mean is a combination of
//! parameters and features whose coefficients are the means of `z_j`, `p_j`, `s_i` and of products of two of those. Rows are
//! needed for these coefficients only, in [`Sums`], and equal rows once, with their count. This reorders the sums over rows and
//! nothing else: parameters, gradients and Adam stay in all `d_in` dimensions, in their own coordinates, because Adam's steps
//! depend on the coordinates.

use kernels::math;

use super::batch::Batch;
use super::params::Params;
use super::select::{self, Entry};
use super::view::{View, add_scaled, dot};

/// How latents are kept sparse.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Sparsity {
    /// A penalty on their mean sum.
    L1(f64),
    /// Only the `k` rows-of-the-batch largest of a batch are kept.
    BatchTopK(usize),
}

/// What a step found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Outcome {
    pub(super) loss: f64,
    /// Smallest latent that batch top-k kept, if it kept any.
    pub(super) smallest: Option<f64>,
}

/// Sums over the rows of a batch. Where there are two indices the second is the latent.
struct Sums<const N: usize> {
    rows: f64,
    /// `|x|^2`.
    square: f64,
    /// `s_i`.
    s: [f64; N],
    /// `z_j`.
    z: [f64; N],
    /// `p_j`.
    p: [f64; N],
    /// `z_k z_j`.
    zz: [[f64; N]; N],
    /// `s_i z_j`.
    sz: [[f64; N]; N],
    /// `s_i p_j`.
    sp: [[f64; N]; N],
}

/// Buffers of a step.
#[derive(Default)]
pub(super) struct Work<const N: usize> {
    latents: Vec<[f64; N]>,
    entries: Vec<Entry>,
}

impl<const N: usize> Work<N> {
    /// Loss on `batch` and, in `gradient` (overwritten), its derivatives. Batch top-k may split one row of the batch in two.
    pub(super) fn run(
        &mut self,
        params: &Params,
        features: &[f64],
        batch: &mut Batch,
        sparsity: Sparsity,
        gradient: &mut Params,
    ) -> Outcome {
        math::simd(
            #[inline(always)]
            || {
                let view = View::<N>::new(params, features);
                self.latents.clear();
                // A loop and not `extend`, whose closure would be compiled outside the dispatch.
                for row in batch.magnitudes.as_chunks::<N>().0 {
                    self.latents.push(view.encode(row));
                }
                let (lambda, smallest) = match sparsity {
                    Sparsity::L1(lambda) => (lambda, None),
                    Sparsity::BatchTopK(k) => {
                        let keep = k as f64 * batch.weights.iter().sum::<f64>();
                        (
                            0.0,
                            select::batch_top_k(&mut self.latents, batch, keep, &mut self.entries),
                        )
                    }
                };
                let sums = sum(&view, batch, &self.latents, lambda);
                derive(&sums, params, features, gradient);
                Outcome {
                    loss: loss(&view, &sums, lambda),
                    smallest,
                }
            },
        )
    }
}

#[inline(always)]
fn sum<const N: usize>(view: &View<N>, batch: &Batch, latents: &[[f64; N]], lambda: f64) -> Sums<N> {
    let mut sums = Sums {
        rows: 0.0,
        square: 0.0,
        s: [0.0; N],
        z: [0.0; N],
        p: [0.0; N],
        zz: [[0.0; N]; N],
        sz: [[0.0; N]; N],
        sp: [[0.0; N]; N],
    };
    let rows = batch.magnitudes.as_chunks::<N>().0.iter();
    for ((row, z), &weight) in rows.zip(latents).zip(&batch.weights) {
        let mut p = view.upstream(row, z);
        let mut weighted = *z;
        for ((p, weighted), &z) in p.iter_mut().zip(&mut weighted).zip(z) {
            *p = if z > 0.0 { weight * (2.0 * *p + lambda) } else { 0.0 };
            *weighted *= weight;
        }
        sums.rows += weight;
        add_scaled(&mut sums.s, weight, row);
        add_scaled(&mut sums.z, weight, z);
        add_scaled(&mut sums.p, 1.0, &p);
        for (sum, &z) in sums.zz.iter_mut().zip(z) {
            add_scaled(sum, z, &weighted);
        }
        for ((sz, sp), &magnitude) in sums.sz.iter_mut().zip(&mut sums.sp).zip(row) {
            sums.square += weight * magnitude * magnitude;
            add_scaled(sz, magnitude, &weighted);
            add_scaled(sp, magnitude, &p);
        }
    }
    sums
}

/// `|x^ - x|^2` expanded into the sums; the features are orthonormal.
#[inline(always)]
fn loss<const N: usize>(view: &View<N>, sums: &Sums<N>, lambda: f64) -> f64 {
    let inner = |a: &[[f64; N]; N], b: &[[f64; N]; N]| dot(a.as_flattened(), b.as_flattened());
    let output = inner(&sums.zz, &view.gram) + 2.0 * dot(&sums.z, &view.decoder_bias) + sums.rows * view.bias_square;
    let mixed = inner(&sums.sz, &view.decoder) + dot(&sums.s, &view.feature_bias);
    (output - 2.0 * mixed + sums.square + lambda * sums.z.iter().sum::<f64>()) / sums.rows
}

#[inline(always)]
fn derive<const N: usize>(sums: &Sums<N>, params: &Params, features: &[f64], gradient: &mut Params) {
    let (d_in, mean) = (params.d_in, 1.0 / sums.rows);
    let (encoder, decoder, b_dec) = (params.encoder(), params.decoder(), params.b_dec());
    let features = || features.chunks_exact(d_in);
    let tied = params.tied;
    gradient.values.fill(0.0);
    let [to_decoder, to_b_enc, to_b_dec, to_encoder] = gradient.parts_mut();
    for (j, row) in to_decoder.chunks_exact_mut(d_in).enumerate() {
        for (zz, decoder) in sums.zz.iter().zip(decoder.chunks_exact(d_in)) {
            add_scaled(row, 2.0 * mean * zz[j], decoder);
        }
        add_scaled(row, 2.0 * mean * sums.z[j], b_dec);
        for (sz, feature) in sums.sz.iter().zip(features()) {
            add_scaled(row, -2.0 * mean * sz[j], feature);
        }
    }
    let to_encoder = if tied { to_decoder } else { to_encoder };
    for (j, row) in to_encoder.chunks_exact_mut(d_in).enumerate() {
        for (sp, feature) in sums.sp.iter().zip(features()) {
            add_scaled(row, mean * sp[j], feature);
        }
        add_scaled(row, -mean * sums.p[j], b_dec);
    }
    add_scaled(to_b_enc, mean, &sums.p);
    add_scaled(to_b_dec, 2.0, b_dec);
    for (j, (encoder, decoder)) in encoder.chunks_exact(d_in).zip(decoder.chunks_exact(d_in)).enumerate() {
        add_scaled(to_b_dec, 2.0 * mean * sums.z[j], decoder);
        add_scaled(to_b_dec, -mean * sums.p[j], encoder);
    }
    for (&s, feature) in sums.s.iter().zip(features()) {
        add_scaled(to_b_dec, -2.0 * mean * s, feature);
    }
}
