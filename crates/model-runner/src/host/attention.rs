//! Grouped-query attention of a chunk of prompts against their shared prefix and themselves.
//!
//! The prefix part is one matrix product per head over all prompts of the chunk (they share the
//! prefix, and keys are never repeated per query head); the few suffix positions are added by
//! hand. Scores are capped and normalised in place in one pass.

use kernels::math::{TANH_SMALL, dot, exp, largest, simd, softmax_row, sum, tanh, tanh_small};
use kernels::{Layout, Threads, gemm_f32};

use super::prefix::PrefixLayer;
use crate::config::{ModelConfig, Window};

/// The shape of one attention call.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shape {
    /// Prompts in the chunk.
    pub(super) batch: usize,
    /// New positions of each prompt.
    pub(super) seq: usize,
    /// How many of them, the last ones, ask queries.
    pub(super) queries: usize,
    /// Positions before them.
    pub(super) prefix: usize,
}

/// From this many positions on the suffix part is a matrix product too.
const SUFFIX_GEMM: usize = 16;

/// Writes the heads' mixtures of values into `out` `[batch * queries, heads * head_dim]`.
///
/// `q`: `[batch * queries, heads * head_dim]`, rotated and scaled. `kv`: `[batch * seq,
/// 2 * kv_heads * head_dim]`, keys rotated. `scores`: buffer.
#[expect(clippy::too_many_arguments, reason = "buffers are passed, not stored")]
pub(super) fn attend(
    config: &ModelConfig,
    window: Window,
    shape: Shape,
    q: &[f32],
    kv: &[f32],
    prefix: Option<&PrefixLayer>,
    scores: &mut Vec<f32>,
    out: &mut [f32],
    threads: Threads,
) {
    let Shape {
        batch,
        seq,
        queries,
        prefix: past,
    } = shape;
    let (hd, kv_heads) = (config.head_dim, config.kv_heads);
    let q_width = config.heads * hd;
    let kv_width = 2 * kv_heads * hd;
    let value_offset = kv_heads * hd;
    if window == Window::Sliding(1) {
        // A query that sees only itself has one score, whose softmax is 1.
        for row in 0..batch * queries {
            let position = (row / queries) * seq + (seq - queries) + row % queries;
            for head in 0..config.heads {
                let from = position * kv_width + value_offset + (head / config.group()) * hd;
                let to = row * q_width + head * hd;
                out[to..to + hd].copy_from_slice(&kv[from..from + hd]);
            }
        }
        return;
    }
    let rows = batch * queries;
    let first_position = past + seq - queries;
    let low = window.first_key(first_position).min(past);
    let width = past - low + seq;
    scores.clear();
    scores.resize(rows * width, 0.0);
    for head in 0..config.heads {
        let kv_head = head / config.group();
        let head_offset = head * hd;
        let visible_past = past - low;
        if let Some(prefix) = prefix.filter(|_| visible_past > 0) {
            let start = (kv_head * past + low) * hd;
            gemm_f32(
                (rows, hd, visible_past),
                (q, Layout::rows(q_width).at(head_offset)),
                (&prefix.k, Layout::transposed(hd).at(start)),
                (scores, Layout::rows(width)),
                false,
                1.0,
                threads,
            );
        }
        for prompt in 0..batch {
            let keys = prompt * seq * kv_width + kv_head * hd;
            if seq >= SUFFIX_GEMM {
                gemm_f32(
                    (queries, hd, seq),
                    (q, Layout::rows(q_width).at(prompt * queries * q_width + head_offset)),
                    (
                        kv,
                        Layout {
                            offset: keys,
                            row: 1,
                            col: kv_width,
                        },
                    ),
                    (scores, Layout::rows(width).at(prompt * queries * width + visible_past)),
                    false,
                    1.0,
                    threads,
                );
                continue;
            }
            simd(
                #[inline(always)]
                || {
                    for query in 0..queries {
                        let row = prompt * queries + query;
                        let from = row * q_width + head_offset;
                        let line = &mut scores[row * width + visible_past..(row + 1) * width];
                        for (key, score) in line.iter_mut().enumerate().take(seq - queries + query + 1) {
                            let at = keys + key * kv_width;
                            *score = dot(&q[from..from + hd], &kv[at..at + hd]);
                        }
                    }
                },
            );
        }
        normalise(scores, width, shape, window, low, config.attn_softcap);
        mix(config, shape, head, low, scores, kv, prefix, out, threads);
    }
}

/// Caps and normalises each row over the keys that its query sees, zeroing the rest.
fn normalise(scores: &mut [f32], width: usize, shape: Shape, window: Window, low: usize, cap: Option<f64>) {
    let Shape {
        seq,
        queries,
        prefix: past,
        ..
    } = shape;
    simd(
        #[inline(always)]
        || {
            for (row, line) in scores.chunks_exact_mut(width).enumerate() {
                let position = past + seq - queries + row % queries;
                let first = window.first_key(position).max(low) - low;
                let end = position + 1 - low;
                line[..first].fill(0.0);
                line[end..].fill(0.0);
                let seen = &mut line[first..end];
                if let Some(cap) = cap {
                    let cap = cap as f32;
                    let inverse = 1.0 / cap;
                    // A capped score lies in [-cap, cap]: with a cap that exp can hold there is no
                    // need to look for the maximum first.
                    if cap <= 80.0 {
                        // Scores far below the cap are the rule.
                        if largest(seen) * inverse < TANH_SMALL {
                            for score in seen.iter_mut() {
                                *score = exp(cap * tanh_small(*score * inverse));
                            }
                        } else {
                            for score in seen.iter_mut() {
                                *score = exp(cap * tanh(*score * inverse));
                            }
                        }
                        let scale = 1.0 / sum(seen);
                        for score in seen {
                            *score *= scale;
                        }
                        continue;
                    }
                    for score in seen.iter_mut() {
                        *score = cap * tanh(*score * inverse);
                    }
                }
                softmax_row(seen);
            }
        },
    );
}

/// `out` head := weights times values.
#[expect(clippy::too_many_arguments, reason = "buffers are passed, not stored")]
fn mix(
    config: &ModelConfig,
    shape: Shape,
    head: usize,
    low: usize,
    scores: &[f32],
    kv: &[f32],
    prefix: Option<&PrefixLayer>,
    out: &mut [f32],
    threads: Threads,
) {
    let Shape {
        batch,
        seq,
        queries,
        prefix: past,
    } = shape;
    let hd = config.head_dim;
    let q_width = config.heads * hd;
    let kv_width = 2 * config.kv_heads * hd;
    let kv_head = head / config.group();
    let visible_past = past - low;
    let width = visible_past + seq;
    let rows = batch * queries;
    let target = Layout::rows(q_width).at(head * hd);
    if let Some(prefix) = prefix.filter(|_| visible_past > 0) {
        let start = (kv_head * past + low) * hd;
        gemm_f32(
            (rows, visible_past, hd),
            (scores, Layout::rows(width)),
            (&prefix.v, Layout::rows(hd).at(start)),
            (out, target),
            false,
            1.0,
            threads,
        );
    } else {
        for row in 0..rows {
            out[row * q_width + head * hd..][..hd].fill(0.0);
        }
    }
    for prompt in 0..batch {
        let values = prompt * seq * kv_width + (config.kv_heads + kv_head) * hd;
        if seq >= SUFFIX_GEMM {
            gemm_f32(
                (queries, seq, hd),
                (scores, Layout::rows(width).at(prompt * queries * width + visible_past)),
                (kv, Layout::rows(kv_width).at(values)),
                (out, target.at(head * hd + prompt * queries * q_width)),
                true,
                1.0,
                threads,
            );
            continue;
        }
        simd(
            #[inline(always)]
            || {
                for query in 0..queries {
                    let row = prompt * queries + query;
                    let line = &scores[row * width + visible_past..(row + 1) * width];
                    let sum = &mut out[row * q_width + head * hd..][..hd];
                    for (key, &weight) in line.iter().enumerate().take(seq - queries + query + 1) {
                        let value = &kv[values + key * kv_width..][..hd];
                        for (sum, &value) in sum.iter_mut().zip(value) {
                            *sum += weight * value;
                        }
                    }
                }
            },
        );
    }
}
