//! The loss of one batch and its gradient.
//!
//! With `G_p = 2 (x^_p - x) / rows` for each nested reconstruction `x^_p` (one, except for Matryoshka) and `S_q` the sum of
//! the `G_p` whose prefix holds group `q` of latents:
//!
//! - `dL/dz = S_q W_dec[j]`, plus `l1 / rows` for the L1 penalty, and `dL/dpre = dL/dz` where the latent is active;
//! - `dL/dW_dec[j] = sum z S_q`, `dL/dW_enc[j] = sum dpre h`, `dL/db_enc[j] = sum dpre`;
//! - `dL/db_dec = sum_p G_p`, less `sum_j db_enc[j] W_enc[j]` where `b_dec` is subtracted from the input;
//! - `JumpReLU`, with the rectangle kernel `K` of width `e`: `dL/dt = -(1/e) sum K((pre - t)/e) (t dL/dz + l0 / rows)`, and
//!   the trained number is `log t`.
//!
//! Selections are held fixed, as in every implementation of these losses.

use super::objective::Objective;
use super::params::Params;
use super::workspace::Workspace;
use super::{products, select};
use crate::SparseLatents;
use kernels::Layout;

/// What a step depends on besides parameters and rows.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Context<'a> {
    pub(crate) objective: &'a Objective,
    pub(crate) apply_b_dec_to_input: bool,
    /// Weight of the L1 or L0 penalty at this step.
    pub(crate) penalty: f32,
    /// Dead latents, ascending, and the weight of their auxiliary loss.
    pub(crate) auxiliary: Option<(&'a [u32], f32)>,
    /// Bound for [`select::batch_top_k`].
    pub(crate) guess: f32,
}

/// What a step found.
pub(crate) struct Outcome {
    pub(crate) loss: f64,
    pub(crate) latents: SparseLatents,
    /// Smallest value that batch top-k kept.
    pub(crate) smallest: f32,
}

/// Loss on `x` and, in `gradient` (overwritten), its derivatives.
///
/// # Shapes
/// - `x`: `[rows, d_in]`, scaled
pub(crate) fn run(
    params: &Params,
    context: &Context<'_>,
    x: &[f32],
    work: &mut Workspace,
    gradient: &mut Params,
) -> Outcome {
    let (d_in, d_sae) = (params.d_in, params.d_sae);
    let rows = x.len() / d_in;
    for tensor in gradient.tensors_mut() {
        tensor.fill(0.0);
    }
    work.encode(params, context, x);
    let thresholds: Vec<f32> = params.log_threshold.iter().map(|log| log.exp()).collect();
    let (latents, smallest) = active(&work.pre, rows, d_sae, &thresholds, context);
    let auxiliary = context.auxiliary.map(|(dead, weight)| {
        let k = (d_in / 2).clamp(1, dead.len());
        let share = (dead.len() as f32 / (d_in as f32 / 2.0).max(1.0)).min(1.0);
        (select::top_k_of(&work.pre, d_sae, k, dead), weight * share)
    });
    let ends = match context.objective {
        Objective::MatryoshkaBatchTopK { widths, .. } => widths.clone(),
        _ => vec![d_sae],
    };
    let dense = ends.len() == 1 && products::is_dense(&latents);
    let mut loss = work.reconstruct(&latents, &ends, dense, params, x);
    column_sums(&work.upstream[0], &mut gradient.b_dec);

    let mut d_pre = if dense {
        products::dense(
            (rows, d_in, d_sae),
            (&work.upstream[0], Layout::rows(d_in)),
            (&params.w_dec, Layout::transposed(d_in)),
            &mut work.pre,
            false,
        );
        products::gather(&latents, &work.pre)
    } else {
        products::value_gradient(&latents, &work.upstream, &ends, params)
    };
    loss += penalise(&latents, &thresholds, context, &mut d_pre, gradient);
    if dense {
        work.dense_gradients(&latents, &d_pre, gradient);
    } else {
        products::add_gradients(&latents, &d_pre, &work.input, &work.upstream, &ends, gradient);
    }
    if let Some((dead, weight)) = auxiliary {
        loss += work.auxiliary(&dead, weight, params, gradient);
    }
    if context.apply_b_dec_to_input {
        let mut through_encoder = vec![0.0; d_in];
        products::dense(
            (1, d_sae, d_in),
            (&gradient.b_enc, Layout::rows(d_sae)),
            (&params.w_enc, Layout::rows(d_in)),
            &mut through_encoder,
            false,
        );
        gradient
            .b_dec
            .iter_mut()
            .zip(&through_encoder)
            .for_each(|(bias, through)| *bias -= through);
    }
    Outcome {
        loss,
        latents,
        smallest,
    }
}

/// Active latents, and the smallest value where a batch decides.
fn active(pre: &[f32], rows: usize, width: usize, thresholds: &[f32], context: &Context<'_>) -> (SparseLatents, f32) {
    match *context.objective {
        Objective::Standard { .. } => (select::above(pre, width, 0.0), 0.0),
        Objective::TopK { k } => (select::top_k(pre, width, k), 0.0),
        Objective::BatchTopK { k, .. } | Objective::MatryoshkaBatchTopK { k, .. } => {
            select::batch_top_k(pre, width, k * rows, context.guess)
        }
        Objective::JumpRelu { bandwidth, .. } => (select::jump(pre, thresholds, bandwidth), 0.0),
    }
}

/// Adds the penalty's derivatives, and turns derivatives of values into those of pre-activations. Returns the penalty.
fn penalise(
    latents: &SparseLatents,
    thresholds: &[f32],
    context: &Context<'_>,
    d_pre: &mut [f32],
    gradient: &mut Params,
) -> f64 {
    let weight = context.penalty / latents.rows() as f32;
    match *context.objective {
        Objective::Standard { .. } => {
            for d in d_pre.iter_mut() {
                *d += weight;
            }
            f64::from(weight) * latents.values().iter().map(|&value| f64::from(value)).sum::<f64>()
        }
        Objective::JumpRelu { bandwidth, .. } => {
            let mut active = 0usize;
            for ((&latent, &value), d_pre) in latents.index().iter().zip(latents.values()).zip(d_pre) {
                let latent = latent as usize;
                let threshold = thresholds[latent];
                // An entry without a value is inside the band below the threshold, or it would not be here.
                if value - threshold < 0.5 * bandwidth {
                    gradient.log_threshold[latent] -= threshold / bandwidth * (threshold * *d_pre + weight);
                }
                if value > 0.0 {
                    active += 1;
                } else {
                    *d_pre = 0.0;
                }
            }
            f64::from(weight) * active as f64
        }
        Objective::TopK { .. } | Objective::BatchTopK { .. } | Objective::MatryoshkaBatchTopK { .. } => 0.0,
    }
}

fn column_sums(matrix: &[f32], out: &mut [f32]) {
    for row in matrix.chunks_exact(out.len()) {
        out.iter_mut().zip(row).for_each(|(sum, value)| *sum += value);
    }
}
