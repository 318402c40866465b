//! The unembedding, the soft cap and the cross entropy, forward and backward in one pass.
//!
//! Over a whole vocabulary this is most of a small model's training time as separate array
//! operations (each walks `[targets, vocab]` again), so its gradient is written by hand; the rest
//! of the model is differentiated automatically.

use kernels::math::{exp, simd, sum, tanh};
use kernels::{Layout, Threads, gemm_f32};
use rayon::prelude::*;

/// Loss and gradients of the head.
pub(super) struct HeadGradient {
    /// Weighted mean cross entropy, nats.
    pub(super) loss: f64,
    /// With respect to the normalised stream, `[targets, d_model]`.
    pub(super) stream: Vec<f32>,
    /// With respect to the embedding, `[vocab, d_model]`.
    pub(super) embedding: Vec<f32>,
    /// Whether each target was the most likely token.
    pub(super) right: Vec<bool>,
}

/// `stream`: `[targets, d]`; `embedding`: `[vocab, d]`; `weights` of the targets sum to anything positive.
pub(super) fn head_gradient(
    stream: &[f32],
    embedding: &[f32],
    d: usize,
    cap: Option<f32>,
    targets: &[u32],
    weights: &[f32],
) -> HeadGradient {
    let n = targets.len();
    let vocab = embedding.len() / d;
    let mut logits = vec![0.0; n * vocab];
    gemm_f32(
        (n, d, vocab),
        (stream, Layout::rows(d)),
        (embedding, Layout::transposed(d)),
        (&mut logits, Layout::rows(vocab)),
        false,
        1.0,
        Threads::Pool,
    );
    let total: f64 = weights.iter().map(|&w| f64::from(w)).sum();
    let outcome: Vec<(f64, bool)> = logits
        .par_chunks_exact_mut(vocab)
        .zip(targets.par_iter().zip(weights))
        .map(|(row, (&target, &weight))| row_gradient(row, target as usize, f64::from(weight) / total, cap))
        .collect();
    let mut stream_gradient = vec![0.0; n * d];
    let mut embedding_gradient = vec![0.0; vocab * d];
    gemm_f32(
        (n, vocab, d),
        (&logits, Layout::rows(vocab)),
        (embedding, Layout::rows(d)),
        (&mut stream_gradient, Layout::rows(d)),
        false,
        1.0,
        Threads::Pool,
    );
    gemm_f32(
        (vocab, n, d),
        (&logits, Layout::transposed(vocab)),
        (stream, Layout::rows(d)),
        (&mut embedding_gradient, Layout::rows(d)),
        false,
        1.0,
        Threads::Pool,
    );
    HeadGradient {
        loss: outcome.iter().map(|(loss, _)| loss).sum(),
        stream: stream_gradient,
        embedding: embedding_gradient,
        right: outcome.into_iter().map(|(_, right)| right).collect(),
    }
}

/// Turns a row of raw logits into their gradient; returns the weighted loss and whether the
/// target was on top.
fn row_gradient(row: &mut [f32], target: usize, weight: f64, cap: Option<f32>) -> (f64, bool) {
    // d/dx of cap * tanh(x / cap) is 1 - tanh^2, kept apart because the softmax overwrites the row.
    let mut slopes = vec![1.0f32; row.len()];
    simd(
        #[inline(always)]
        || {
            if let Some(cap) = cap {
                let inverse = 1.0 / cap;
                for (value, slope) in row.iter_mut().zip(&mut slopes) {
                    let t = tanh(*value * inverse);
                    *slope = 1.0 - t * t;
                    *value = cap * t;
                }
            }
            let top = row
                .iter()
                .fold(f32::NEG_INFINITY, |top, &v| if v > top { v } else { top });
            let answer = row[target];
            for value in row.iter_mut() {
                *value = exp(*value - top);
            }
            let total = sum(row);
            let loss = f64::from(total).ln() + f64::from(top) - f64::from(answer);
            let scale = weight as f32 / total;
            for (value, slope) in row.iter_mut().zip(&slopes) {
                *value *= scale * slope;
            }
            row[target] -= weight as f32 * slopes[target];
            (loss * weight, answer >= top)
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gradients_equal_finite_differences() {
        let (n, d, vocab) = (3, 4, 7);
        let stream: Vec<f32> = (0..n * d).map(|i| (i as f32 * 0.7).sin()).collect();
        let embedding: Vec<f32> = (0..vocab * d).map(|i| (i as f32 * 1.3).cos()).collect();
        let (targets, weights) = ([2, 0, 6], [1.0, 0.3, 1.0]);
        let run = |s: &[f32], e: &[f32]| head_gradient(s, e, d, Some(2.0), &targets, &weights);
        let exact = run(&stream, &embedding);
        let step = 1e-2;
        let check = |gradient: f32, up: f64, down: f64| {
            // Central differences of an f32 loss: rounding 1e-7 / 1e-2, curvature 1e-4.
            let numeric = (up - down) / (2.0 * f64::from(step));
            assert!((f64::from(gradient) - numeric).abs() < 5e-4, "{gradient} {numeric}");
        };
        for i in 0..n * d {
            let (mut up, mut down) = (stream.clone(), stream.clone());
            up[i] += step;
            down[i] -= step;
            check(exact.stream[i], run(&up, &embedding).loss, run(&down, &embedding).loss);
        }
        for i in 0..vocab * d {
            let (mut up, mut down) = (embedding.clone(), embedding.clone());
            up[i] += step;
            down[i] -= step;
            check(exact.embedding[i], run(&stream, &up).loss, run(&stream, &down).loss);
        }
    }
}
