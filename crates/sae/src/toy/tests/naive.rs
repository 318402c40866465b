//! One row after the other, in all dimensions: the loss and gradient as they are written down.

use super::super::batch::Batch;
use super::super::data::combine;
use super::super::gradient::Sparsity;
use super::super::params::Params;
use super::super::view::dot;

/// All rows of a batch, `[rows][d_in]`, equal ones as often as they are in it.
pub(super) fn expand(batch: &Batch, features: &[f64], d_in: usize) -> Vec<Vec<f64>> {
    let rows = batch.magnitudes.chunks_exact(features.len() / d_in);
    rows.zip(&batch.weights)
        .flat_map(|(row, &weight)| std::iter::repeat_n(combine(row, features, d_in), weight as usize))
        .collect()
}

/// Latents of all rows, after the selection.
fn encode(params: &Params, rows: &[Vec<f64>], sparsity: Sparsity) -> Vec<Vec<f64>> {
    let encoder = || params.encoder().chunks_exact(params.d_in).zip(params.b_enc());
    let mut latents: Vec<Vec<f64>> = rows
        .iter()
        .map(|x| {
            let input: Vec<f64> = x.iter().zip(params.b_dec()).map(|(x, b)| x - b).collect();
            encoder().map(|(row, b)| (dot(row, &input) + b).max(0.0)).collect()
        })
        .collect();
    if let Sparsity::BatchTopK(k) = sparsity {
        let mut order: Vec<(usize, usize)> = (0..rows.len())
            .flat_map(|row| (0..params.latents).map(move |latent| (row, latent)))
            .collect();
        order.sort_by(|a, b| latents[b.0][b.1].total_cmp(&latents[a.0][a.1]));
        for &(row, latent) in &order[k * rows.len()..] {
            latents[row][latent] = 0.0;
        }
    }
    latents
}

fn error(params: &Params, x: &[f64], z: &[f64]) -> Vec<f64> {
    let reconstruction = combine(z, params.decoder(), params.d_in);
    (0..params.d_in)
        .map(|at| reconstruction[at] + params.b_dec()[at] - x[at])
        .collect()
}

fn lambda(sparsity: Sparsity) -> f64 {
    match sparsity {
        Sparsity::L1(lambda) => lambda,
        Sparsity::BatchTopK(_) => 0.0,
    }
}

pub(super) fn loss(params: &Params, rows: &[Vec<f64>], sparsity: Sparsity) -> f64 {
    let latents = encode(params, rows, sparsity);
    let each = rows.iter().zip(&latents).map(|(x, z)| {
        let error = error(params, x, z);
        dot(&error, &error) + lambda(sparsity) * z.iter().sum::<f64>()
    });
    each.sum::<f64>() / rows.len() as f64
}

pub(super) fn gradient(params: &Params, rows: &[Vec<f64>], sparsity: Sparsity) -> Params {
    let d_in = params.d_in;
    let mut out = Params::zeros(params.latents, d_in, params.tied);
    let latents = encode(params, rows, sparsity);
    let mean = 1.0 / rows.len() as f64;
    for (x, z) in rows.iter().zip(&latents) {
        let error = error(params, x, z);
        for (sum, error) in out.parts_mut()[2].iter_mut().zip(&error) {
            *sum += 2.0 * mean * error;
        }
        for (j, &z) in z.iter().enumerate().filter(|(_, z)| **z > 0.0) {
            let row = j * d_in..(j + 1) * d_in;
            let (encoder, decoder) = (&params.encoder()[row.clone()], &params.decoder()[row.clone()]);
            let d_pre = mean * (2.0 * dot(decoder, &error) + lambda(sparsity));
            for at in 0..d_in {
                let [to_decoder, to_b_enc, to_b_dec, to_encoder] = out.parts_mut();
                to_decoder[row.start + at] += 2.0 * mean * z * error[at];
                let to_encoder = if params.tied { to_decoder } else { to_encoder };
                to_encoder[row.start + at] += d_pre * (x[at] - params.b_dec()[at]);
                to_b_dec[at] -= d_pre * encoder[at];
                to_b_enc[j] += if at == 0 { d_pre } else { 0.0 };
            }
        }
    }
    out
}
