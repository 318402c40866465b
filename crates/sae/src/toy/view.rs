//! Parameters as rows of a batch meet them: products with the features and with each other.

use super::params::Params;

/// Products of parameters. A row is `x = sum_i s_i f_i`, so pre-activations and upstream gradients of all rows are combinations
/// of these, and no row needs its `d_in` values.
///
/// The second index is the latent, so that loops over latents are vectors.
pub(super) struct View<const N: usize> {
    /// `encoder[i][j] = f_i . e_j`.
    pub(super) encoder: [[f64; N]; N],
    /// `b_enc[j] - e_j . b_dec`.
    pub(super) bias: [f64; N],
    /// `decoder[i][j] = f_i . d_j`.
    pub(super) decoder: [[f64; N]; N],
    /// `gram[k][j] = d_k . d_j`.
    pub(super) gram: [[f64; N]; N],
    /// `d_j . b_dec`.
    pub(super) decoder_bias: [f64; N],
    /// `f_i . b_dec`.
    pub(super) feature_bias: [f64; N],
    /// `|b_dec|^2`.
    pub(super) bias_square: f64,
}

impl<const N: usize> View<N> {
    #[inline(always)]
    pub(super) fn new(params: &Params, features: &[f64]) -> Self {
        let d_in = params.d_in;
        let (encoder, decoder, b_dec) = (params.encoder(), params.decoder(), params.b_dec());
        let mut bias = times::<N>(encoder, b_dec, d_in);
        for (bias, &own) in bias.iter_mut().zip(params.b_enc()) {
            *bias = own - *bias;
        }
        Self {
            encoder: products(features, encoder, d_in),
            bias,
            decoder: products(features, decoder, d_in),
            gram: products(decoder, decoder, d_in),
            decoder_bias: times(decoder, b_dec, d_in),
            feature_bias: times(features, b_dec, d_in),
            bias_square: dot(b_dec, b_dec),
        }
    }

    /// `relu` of the pre-activations of a row with magnitudes `row`.
    #[inline(always)]
    pub(super) fn encode(&self, row: &[f64; N]) -> [f64; N] {
        let mut pre = self.bias;
        for (encoder, &magnitude) in self.encoder.iter().zip(row) {
            add_scaled(&mut pre, magnitude, encoder);
        }
        pre.map(|value| value.max(0.0))
    }

    /// `d_j . (x^ - x)` for a row with magnitudes `row` and latents `z`.
    #[inline(always)]
    pub(super) fn upstream(&self, row: &[f64; N], z: &[f64; N]) -> [f64; N] {
        let mut sum = self.decoder_bias;
        for (gram, &z) in self.gram.iter().zip(z) {
            add_scaled(&mut sum, z, gram);
        }
        for (decoder, &magnitude) in self.decoder.iter().zip(row) {
            add_scaled(&mut sum, -magnitude, decoder);
        }
        sum
    }
}

/// `out[i][j]`: row `i` of `a` times row `j` of `b`.
#[inline(always)]
fn products<const N: usize>(a: &[f64], b: &[f64], d_in: usize) -> [[f64; N]; N] {
    let mut out = [[0.0; N]; N];
    for (out, a) in out.iter_mut().zip(a.chunks_exact(d_in)) {
        *out = times(b, a, d_in);
    }
    out
}

#[inline(always)]
fn times<const N: usize>(rows: &[f64], vector: &[f64], d_in: usize) -> [f64; N] {
    let mut out = [0.0; N];
    for (out, row) in out.iter_mut().zip(rows.chunks_exact(d_in)) {
        *out = dot(row, vector);
    }
    out
}

/// `sum += factor row`.
#[inline(always)]
pub(super) fn add_scaled(sum: &mut [f64], factor: f64, row: &[f64]) {
    for (sum, value) in sum.iter_mut().zip(row) {
        *sum += factor * value;
    }
}

/// The scalar product, in eight sums so that it is vector code and the same on every machine.
#[inline(always)]
pub(super) fn dot(a: &[f64], b: &[f64]) -> f64 {
    let (a_body, a_tail) = a.as_chunks::<8>();
    let (b_body, b_tail) = b.as_chunks::<8>();
    let mut sums = [0f64; 8];
    for (a, b) in a_body.iter().zip(b_body) {
        for (sum, (a, b)) in sums.iter_mut().zip(a.iter().zip(b)) {
            *sum += a * b;
        }
    }
    for (sum, (a, b)) in sums.iter_mut().zip(a_tail.iter().zip(b_tail)) {
        *sum += a * b;
    }
    let [s0, s1, s2, s3, s4, s5, s6, s7] = sums;
    ((s0 + s4) + (s2 + s6)) + ((s1 + s5) + (s3 + s7))
}
