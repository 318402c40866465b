//! The parts of a step that work on whole matrices, in buffers that are reused.

use kernels::Layout;
use rayon::prelude::*;

use super::params::Params;
use super::products;
use super::step::Context;
use crate::SparseLatents;

/// Buffers that live as long as the run.
#[derive(Default)]
pub(crate) struct Workspace {
    /// What the encoder sees.
    pub(crate) input: Vec<f32>,
    pub(crate) pre: Vec<f32>,
    pub(crate) matrix: Vec<f32>,
    /// `G_p`, then `S_q`.
    pub(crate) upstream: Vec<Vec<f32>>,
    /// `x^ - x` of the whole width.
    pub(crate) error: Vec<f32>,
}

impl Workspace {
    /// Fills `input` and `pre`.
    pub(crate) fn encode(&mut self, params: &Params, context: &Context<'_>, x: &[f32]) {
        let (d_in, d_sae) = (params.d_in, params.d_sae);
        let rows = x.len() / d_in;
        self.input.clear();
        self.input.extend_from_slice(x);
        if context.apply_b_dec_to_input {
            for row in self.input.chunks_exact_mut(d_in) {
                row.iter_mut()
                    .zip(&params.b_dec)
                    .for_each(|(value, bias)| *value -= bias);
            }
        }
        self.pre.resize(rows * d_sae, 0.0);
        self.pre
            .par_chunks_mut(d_sae)
            .with_min_len(64)
            .for_each(|row| row.copy_from_slice(&params.b_enc));
        products::dense(
            (rows, d_in, d_sae),
            (&self.input, Layout::rows(d_in)),
            (&params.w_enc, Layout::transposed(d_in)),
            &mut self.pre,
            true,
        );
    }

    /// Fills `error` and `upstream` (as `S_q`); returns the reconstruction loss. In the dense case `matrix` holds the latents.
    pub(crate) fn reconstruct(
        &mut self,
        latents: &SparseLatents,
        ends: &[usize],
        dense: bool,
        params: &Params,
        x: &[f32],
    ) -> f64 {
        let (d_in, d_sae) = (params.d_in, params.d_sae);
        let rows = latents.rows();
        self.error.clear();
        for row in x.chunks_exact(d_in) {
            self.error
                .extend(row.iter().zip(&params.b_dec).map(|(value, bias)| bias - value));
        }
        self.upstream.resize_with(ends.len(), Vec::new);
        let mut loss = 0.0;
        let mut start = 0;
        for (upstream, &end) in self.upstream.iter_mut().zip(ends) {
            if dense {
                self.matrix.resize(rows * d_sae, 0.0);
                products::scatter(latents, latents.values(), &mut self.matrix);
                products::dense(
                    (rows, d_sae, d_in),
                    (&self.matrix, Layout::rows(d_sae)),
                    (&params.w_dec, Layout::rows(d_in)),
                    &mut self.error,
                    true,
                );
            } else {
                products::add_decoded(latents, (start, end), params, &mut self.error);
            }
            loss += square_sum(&self.error) / rows as f64;
            upstream.clear();
            upstream.extend(self.error.iter().map(|error| 2.0 / rows as f32 * error));
            start = end;
        }
        for group in (1..ends.len()).rev() {
            let (before, after) = self.upstream.split_at_mut(group);
            before[group - 1]
                .iter_mut()
                .zip(&after[0])
                .for_each(|(sum, next)| *sum += next);
        }
        loss
    }

    /// Adds gradients as dense products; `matrix` holds the latents.
    pub(crate) fn dense_gradients(&mut self, latents: &SparseLatents, d_pre: &[f32], gradient: &mut Params) {
        let size = (gradient.d_sae, latents.rows(), gradient.d_in);
        let (wide, narrow) = (Layout::transposed(gradient.d_sae), Layout::rows(gradient.d_in));
        products::dense(
            size,
            (&self.matrix, wide),
            (&self.upstream[0], narrow),
            &mut gradient.w_dec,
            true,
        );
        products::scatter(latents, d_pre, &mut self.matrix);
        products::dense(
            size,
            (&self.matrix, wide),
            (&self.input, narrow),
            &mut gradient.w_enc,
            true,
        );
        for (&latent, d_pre) in latents.index().iter().zip(d_pre) {
            gradient.b_enc[latent as usize] += d_pre;
        }
    }

    /// Adds the auxiliary loss: the dead latents' own reconstruction of `-error`, which is held fixed.
    pub(crate) fn auxiliary(
        &mut self,
        dead: &SparseLatents,
        weight: f32,
        params: &Params,
        gradient: &mut Params,
    ) -> f64 {
        let rows = dead.rows();
        let mut error = self.error.clone();
        products::add_decoded(dead, (0, params.d_sae), params, &mut error);
        let loss = f64::from(weight) * square_sum(&error) / rows as f64;
        for error in &mut error {
            *error *= 2.0 * weight / rows as f32;
        }
        let (upstream, ends) = ([error], [params.d_sae]);
        let d_pre = products::value_gradient(dead, &upstream, &ends, params);
        products::add_gradients(dead, &d_pre, &self.input, &upstream, &ends, gradient);
        loss
    }
}

/// In f64 by rows of f32 sums: millions of terms.
fn square_sum(values: &[f32]) -> f64 {
    values
        .chunks(1024)
        .map(|values| {
            f64::from(kernels::math::simd(
                #[inline(always)]
                || kernels::math::square_sum(values),
            ))
        })
        .sum()
}
