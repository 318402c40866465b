//! One block of the transformer on a chunk of prompts.

use kernels::Threads;
use kernels::math::simd;
use kernels::norm::rms_norm_row;

use super::attention::{self, Shape};
use super::prefix::PrefixLayer;
use super::rope::RopeTable;
use crate::config::{ModelConfig, Window};
use crate::error::Result;
use crate::linear::Linear;
use crate::names::Point;
use crate::weights::{LayerWeights, NormWeights};

/// Receives the value of a hook point: its kind and `[rows, width]`.
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
    mlp_in: Vec<f32>,
    up: Vec<f32>,
    gated: Vec<f32>,
    added: Vec<f32>,
    /// A block of weights on its way from the mapped file.
    block: Vec<f32>,
}

fn sized(buffer: &mut Vec<f32>, len: usize) -> &mut [f32] {
    // Every element is overwritten before it is read, so old contents may stay.
    if buffer.len() < len {
        buffer.resize(len, 0.0);
    }
    &mut buffer[..len]
}

/// Neighbouring prompts of a chunk with the same positions before them.
#[derive(Clone, Copy)]
pub(crate) struct LayerGroup<'a> {
    pub(crate) batch: usize,
    /// Positions before their first.
    pub(crate) past: usize,
    /// Keys and values there.
    pub(crate) prefix: Option<&'a PrefixLayer>,
}

/// What one block needs to know about the chunk.
#[derive(Clone, Copy)]
pub(crate) struct LayerRun<'a> {
    pub(crate) config: &'a ModelConfig,
    pub(crate) weights: &'a LayerWeights,
    pub(crate) window: Window,
    /// `None` where positions were added to the embedding.
    pub(crate) rope: Option<&'a RopeTable>,
    /// Prompts of the chunk that share a prefix, in order.
    pub(crate) groups: &'a [LayerGroup<'a>],
    /// Prompts of all groups.
    pub(crate) batch: usize,
    pub(crate) seq: usize,
    /// Compute the output at each prompt's last position only.
    pub(crate) last_only: bool,
    pub(crate) threads: Threads,
}

impl LayerRun<'_> {
    /// Runs the block: `x` `[batch * seq, d_model]` becomes the stream after it, with
    /// `[batch, d_model]` rows where only the last position was asked for.
    pub(crate) fn run(&self, x: &mut Vec<f32>, space: &mut Workspace, mut tap: Option<Tap<'_>>) -> Result<()> {
        let (config, weights) = (self.config, self.weights);
        let d = config.hidden_size;
        let queries = if self.last_only { 1 } else { self.seq };
        let eps = config.norm_eps as f32;
        debug_assert_eq!(x.len(), self.batch * self.seq * d);

        self.attend(x, space, queries, &mut tap)?;
        let asked = self.batch * queries;
        let mlp_in = sized(&mut space.mlp_in, asked * d);
        if config.parallel {
            // Both halves read the stream that entered the block.
            weights.mlp_in.apply(x, eps, mlp_in);
        }
        let (out, raw) = (Point::AttnOut, Point::AttnRaw);
        let norm = weights.attn_out.as_ref();
        self.add(
            x,
            &space.projected[..asked * d],
            norm,
            (raw, out),
            &mut space.added,
            &mut tap,
        );
        if !config.parallel {
            if let Some(tap) = &mut tap {
                tap(Point::ResidMid, x);
            }
            weights.mlp_in.apply(x, eps, mlp_in);
        }
        if let Some(tap) = &mut tap {
            tap(Point::MlpIn, mlp_in);
        }

        let inner = config.intermediate_size;
        let up = sized(&mut space.up, asked * weights.up.width);
        self.product(&weights.up, asked, mlp_in, up, &mut space.block)?;
        let neurons: &[f32] = if config.gated {
            let gated = sized(&mut space.gated, asked * inner);
            config.activation.gated(up, inner, gated);
            gated
        } else {
            config.activation.apply(up);
            up
        };
        if let Some(tap) = &mut tap {
            tap(Point::MlpPost, neurons);
        }
        let projected = sized(&mut space.projected, asked * d);
        self.product(&weights.down, asked, neurons, projected, &mut space.block)?;
        let (out, raw) = (Point::MlpOut, Point::MlpRaw);
        let norm = weights.mlp_out.as_ref();
        self.add(x, projected, norm, (raw, out), &mut space.added, &mut tap);
        if let Some(tap) = &mut tap {
            tap(Point::ResidPost, x);
        }
        Ok(())
    }

    /// Leaves what attention computes in `space.projected`, `[batch * queries, d_model]`.
    fn attend(&self, x: &mut Vec<f32>, space: &mut Workspace, queries: usize, tap: &mut Option<Tap<'_>>) -> Result<()> {
        let (config, weights) = (self.config, self.weights);
        let d = config.hidden_size;
        let rows = self.batch * self.seq;
        let normed = sized(&mut space.normed, rows * d);
        weights.attn_in.apply(x, config.norm_eps as f32, normed);
        let kv = sized(&mut space.kv, rows * weights.kv.width);
        self.product(&weights.kv, rows, normed, kv, &mut space.block)?;
        if self.last_only {
            keep_last(x, self.batch, self.seq, d);
            keep_last_slice(normed, self.batch, self.seq, d);
        }
        let asked = self.batch * queries;
        let q_width = config.heads * config.head_dim;
        let q = sized(&mut space.q, asked * q_width);
        self.product(&weights.q, asked, &normed[..asked * d], q, &mut space.block)?;
        self.rotate(q, kv, queries);

        let heads = sized(&mut space.heads, asked * q_width);
        // Products with weights take the whole chunk; only the keys of the positions before differ between groups.
        let mut done = 0;
        for group in self.groups {
            let shape = Shape {
                batch: group.batch,
                seq: self.seq,
                queries,
                prefix: group.past,
            };
            let queries_of = done * queries * q_width..(done + group.batch) * queries * q_width;
            let kv_width = weights.kv.width;
            attention::attend(
                config,
                self.window,
                shape,
                &q[queries_of.clone()],
                &kv[done * self.seq * kv_width..(done + group.batch) * self.seq * kv_width],
                group.prefix,
                &mut space.scores,
                &mut heads[queries_of],
                self.threads,
            );
            done += group.batch;
        }
        if let Some(tap) = tap {
            tap(Point::Z, heads);
        }
        let projected = sized(&mut space.projected, asked * d);
        self.product(&weights.o, asked, heads, projected, &mut space.block)
    }

    fn product(&self, linear: &Linear, rows: usize, a: &[f32], out: &mut [f32], block: &mut Vec<f32>) -> Result<()> {
        linear.apply(rows, a, out, block, self.threads)
    }

    /// Adds a branch to the stream, normalised where the family does that, and shows it to the tap.
    fn add(
        &self,
        x: &mut [f32],
        branch: &[f32],
        norm: Option<&NormWeights>,
        (raw, out): (Point, Point),
        added: &mut Vec<f32>,
        tap: &mut Option<Tap<'_>>,
    ) {
        let eps = self.config.norm_eps as f32;
        let branch = match (norm, &tap) {
            (None, _) => branch,
            // Normalised straight into the stream where nobody looks.
            (Some(norm), None) if norm.add_to(branch, eps, x) => return,
            (Some(norm), _) => {
                let added = sized(added, x.len());
                norm.apply(branch, eps, added);
                if let Some(tap) = tap {
                    tap(raw, branch);
                }
                added
            }
        };
        if let Some(tap) = tap {
            tap(out, branch);
        }
        simd(
            #[inline(always)]
            || {
                for (x, added) in x.iter_mut().zip(branch) {
                    *x += *added;
                }
            },
        );
    }

    /// Normalises each head's queries and keys where the family does that, then turns them by their positions.
    fn rotate(&self, q: &mut [f32], kv: &mut [f32], queries: usize) {
        let config = self.config;
        let hd = config.head_dim;
        let eps = config.norm_eps as f32;
        let scale = config.query_scale();
        let rope = self.rope;
        let (q_width, kv_width) = (config.heads * hd, 2 * config.kv_heads * hd);
        let (mut q, mut kv) = (q, kv);
        simd(
            #[inline(always)]
            || {
                for group in self.groups {
                    let (of_group, rest) = q.split_at_mut(group.batch * queries * q_width);
                    q = rest;
                    for (row, line) in of_group.chunks_exact_mut(q_width).enumerate() {
                        let position = group.past + self.seq - queries + row % queries;
                        for head in line.chunks_exact_mut(hd) {
                            place(head, (self.weights.query_norm.as_deref(), eps), rope, position, scale);
                        }
                    }
                    let (of_group, rest) = kv.split_at_mut(group.batch * self.seq * kv_width);
                    kv = rest;
                    for (row, line) in of_group.chunks_exact_mut(kv_width).enumerate() {
                        let position = group.past + row % self.seq;
                        for head in line[..config.kv_heads * hd].chunks_exact_mut(hd) {
                            place(head, (self.weights.key_norm.as_deref(), eps), rope, position, 1.0);
                        }
                    }
                }
            },
        );
    }
}

/// Normalises a head where the family does that, turns it by its position and multiplies it by `scale`.
#[inline(always)]
fn place(head: &mut [f32], (norm, eps): (Option<&[f32]>, f32), rope: Option<&RopeTable>, position: usize, scale: f32) {
    if let Some(norm) = norm {
        rms_norm_row(head, norm, eps);
    }
    match rope {
        Some(rope) => rope.turn(head, position, scale),
        None => head.iter_mut().for_each(|value| *value *= scale),
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
