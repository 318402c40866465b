//! One block of the transformer on a chunk of prompts.

use kernels::math::{gated_gelu, rms_norm, simd};
use kernels::{Layout, Threads, gemm_f32};

use super::attention::{self, Shape};
use super::prefix::PrefixLayer;
use super::rope::RopeTable;
use crate::config::{ModelConfig, Window};
use crate::names::Point;
use crate::weights::LayerWeights;

/// Receives the value of a hook point: its kind and `[rows, d_model]`.
pub(crate) type Tap<'a> = &'a mut dyn FnMut(Point, &[f32]);

/// Buffers that a chunk reuses from layer to layer.
#[derive(Default)]
pub(crate) struct Workspace {
    normed: Vec<f32>,
    q: Vec<f32>,
    /// Keys and values of the layer that ran last, `[batch * seq, 2 * kv_heads * head_dim]`.
    pub(crate) kv: Vec<f32>,
    scores: Vec<f32>,
    heads: Vec<f32>,
    projected: Vec<f32>,
    gate_up: Vec<f32>,
    gated: Vec<f32>,
    added: Vec<f32>,
}

fn sized(buffer: &mut Vec<f32>, len: usize) -> &mut [f32] {
    // Every element is overwritten before it is read, so old contents may stay.
    if buffer.len() < len {
        buffer.resize(len, 0.0);
    }
    &mut buffer[..len]
}

/// What one block needs to know about the chunk.
#[derive(Clone, Copy)]
pub(crate) struct LayerRun<'a> {
    pub(crate) config: &'a ModelConfig,
    pub(crate) weights: &'a LayerWeights,
    pub(crate) window: Window,
    pub(crate) rope: &'a RopeTable,
    pub(crate) batch: usize,
    pub(crate) seq: usize,
    /// Positions before the chunk's first.
    pub(crate) past: usize,
    pub(crate) prefix: Option<&'a PrefixLayer>,
    /// Compute the output at each prompt's last position only.
    pub(crate) last_only: bool,
    pub(crate) threads: Threads,
}

impl LayerRun<'_> {
    /// Runs the block: `x` `[batch * seq, d_model]` becomes the stream after it, with
    /// `[batch, d_model]` rows where only the last position was asked for.
    pub(crate) fn run(&self, x: &mut Vec<f32>, space: &mut Workspace, mut tap: Option<Tap<'_>>) {
        let config = self.config;
        let d = config.hidden_size;
        let rows = self.batch * self.seq;
        let queries = if self.last_only { 1 } else { self.seq };
        let eps = config.rms_eps as f32;
        debug_assert_eq!(x.len(), rows * d);

        let normed = sized(&mut space.normed, rows * d);
        rms_norm(x, &self.weights.attn_in, eps, normed, false);
        let kv_width = 2 * config.kv_heads * config.head_dim;
        let kv = sized(&mut space.kv, rows * kv_width);
        self.product(rows, normed, &self.weights.kv, kv_width, kv);
        if self.last_only {
            keep_last(x, self.batch, self.seq, d);
            keep_last_slice(normed, self.batch, self.seq, d);
        }
        let asked = self.batch * queries;
        let q_width = config.heads * config.head_dim;
        let q = sized(&mut space.q, asked * q_width);
        self.product(asked, &normed[..asked * d], &self.weights.q, q_width, q);
        self.rotate(q, kv, queries);

        let heads = sized(&mut space.heads, asked * q_width);
        let shape = Shape {
            batch: self.batch,
            seq: self.seq,
            queries,
            prefix: self.past,
        };
        attention::attend(
            config,
            self.window,
            shape,
            q,
            kv,
            self.prefix,
            &mut space.scores,
            heads,
            self.threads,
        );
        let projected = sized(&mut space.projected, asked * d);
        self.product(asked, heads, &self.weights.o, d, projected);
        self.add(
            x,
            projected,
            &self.weights.attn_out,
            Point::AttnOut,
            &mut space.added,
            &mut tap,
        );
        if let Some(tap) = &mut tap {
            tap(Point::ResidMid, x);
        }

        let normed = sized(&mut space.normed, asked * d);
        rms_norm(x, &self.weights.mlp_in, eps, normed, false);
        let inner = config.intermediate_size;
        let gate_up = sized(&mut space.gate_up, asked * 2 * inner);
        self.product(asked, normed, &self.weights.gate_up, 2 * inner, gate_up);
        let gated = sized(&mut space.gated, asked * inner);
        gated_gelu(gate_up, inner, gated);
        let projected = sized(&mut space.projected, asked * d);
        self.product(asked, gated, &self.weights.down, d, projected);
        self.add(
            x,
            projected,
            &self.weights.mlp_out,
            Point::MlpOut,
            &mut space.added,
            &mut tap,
        );
        if let Some(tap) = &mut tap {
            tap(Point::ResidPost, x);
        }
    }

    /// `out = a w` for `w` `[in, out]`.
    fn product(&self, rows: usize, a: &[f32], w: &[f32], width: usize, out: &mut [f32]) {
        let inner = w.len() / width;
        gemm_f32(
            (rows, inner, width),
            (a, Layout::rows(inner)),
            (w, Layout::rows(width)),
            (out, Layout::rows(width)),
            false,
            1.0,
            self.threads,
        );
    }

    /// Adds the normalised branch to the stream and shows it to the tap.
    fn add(
        &self,
        x: &mut [f32],
        branch: &[f32],
        norm: &[f32],
        point: Point,
        added: &mut Vec<f32>,
        tap: &mut Option<Tap<'_>>,
    ) {
        let eps = self.config.rms_eps as f32;
        let Some(tap) = tap else {
            rms_norm(branch, norm, eps, x, true);
            return;
        };
        let added = sized(added, x.len());
        rms_norm(branch, norm, eps, added, false);
        tap(point, added);
        for (x, added) in x.iter_mut().zip(added) {
            *x += *added;
        }
    }

    fn rotate(&self, q: &mut [f32], kv: &mut [f32], queries: usize) {
        let config = self.config;
        let hd = config.head_dim;
        let scale = config.query_scale();
        simd(|| {
            for (row, line) in q.chunks_exact_mut(config.heads * hd).enumerate() {
                let position = self.past + self.seq - queries + row % queries;
                for head in line.chunks_exact_mut(hd) {
                    self.rope.turn(head, position, scale);
                }
            }
            for (row, line) in kv.chunks_exact_mut(2 * config.kv_heads * hd).enumerate() {
                let position = self.past + row % self.seq;
                for head in line[..config.kv_heads * hd].chunks_exact_mut(hd) {
                    self.rope.turn(head, position, 1.0);
                }
            }
        });
    }
}

fn keep_last_slice(x: &mut [f32], batch: usize, seq: usize, d: usize) {
    for prompt in 0..batch {
        let from = (prompt * seq + seq - 1) * d;
        x.copy_within(from..from + d, prompt * d);
    }
}

fn keep_last(x: &mut Vec<f32>, batch: usize, seq: usize, d: usize) {
    keep_last_slice(x, batch, seq, d);
    x.truncate(batch * d);
}
