//! Attention of many prompts to the prefix that they share.
//!
//! All prompts of a chunk see the same keys and values of the prefix. So they are not repeated, neither for each prompt nor for the
//! heads of a group: every query of the chunk that reads one key head is a row of one product with that head's keys. Heads stand
//! outermost, `[kv_heads, batch, group * queries, ..]`, which makes the rows of that product neighbours in memory.
//! Deliberately absent: prompts with prefixes of their own.

use burn::prelude::*;
use burn::tensor::activation;

use super::layer::{Past, PlainLayer, PlainNorm, Rotation, Shape};
use crate::config::{ModelConfig, Window};

/// Added to the score of a key that must not be seen. Finite, because some shading languages may assume that nothing is infinite;
/// the exponential of it is 0 all the same.
const HIDDEN: f32 = -1e30;

/// What the layers of one run share, as tensors of its device.
pub(crate) struct Tables {
    start: usize,
    seq: usize,
    /// One for each of the configuration's rotary tables, of the run's own positions.
    rotations: Vec<Rotation>,
    /// For each kind of window that the layers have, what is added to scores, `[1, 1, seq, start + seq]`.
    masks: Vec<(Window, Tensor<4>)>,
}

impl Tables {
    /// For runs of `seq` positions from `start` on.
    pub(crate) fn new(config: &ModelConfig, start: usize, seq: usize, device: &Device) -> Self {
        let mut masks: Vec<(Window, Tensor<4>)> = Vec::new();
        for &window in &config.windows {
            if masks.iter().all(|(known, _)| *known != window) {
                masks.push((window, mask(window, start, seq, device)));
            }
        }
        let turn = |rope| Rotation::new(rope, config.head_dim, start..start + seq, device);
        Self {
            start,
            seq,
            rotations: config.ropes.iter().map(turn).collect(),
            masks,
        }
    }

    /// The part that one layer needs.
    pub(crate) fn frame<'a>(&'a self, config: &ModelConfig, layer: usize, past: Option<&'a Past>) -> Frame<'a> {
        let window = config.windows[layer];
        Frame {
            window,
            past: past.filter(|_| self.start > 0),
            rotation: config.rope_of.get(layer).and_then(|&table| self.rotations.get(table)),
            mask: self
                .masks
                .iter()
                .find(|(known, _)| *known == window)
                .map(|(_, mask)| mask),
            seq: self.seq,
        }
    }
}

/// Where a block's positions are, and what stands before them.
pub(crate) struct Frame<'a> {
    window: Window,
    past: Option<&'a Past>,
    rotation: Option<&'a Rotation>,
    mask: Option<&'a Tensor<4>>,
    seq: usize,
}

/// What attention gives.
pub(super) struct Shared {
    /// `[batch * queries, heads * head_dim]`.
    pub(super) attended: Tensor<2>,
    /// Keys and values of the run's own positions, of the first prompt.
    pub(super) own: Past,
}

impl PlainLayer {
    /// `x` `[batch * seq, d_model]`, normalised.
    pub(super) fn attend_shared(&self, config: &ModelConfig, frame: &Frame<'_>, x: &Tensor<2>, shape: Shape) -> Shared {
        let Shape { batch, seq, queries } = shape;
        debug_assert_eq!(seq, frame.seq);
        let (kv_heads, group, hd) = (config.kv_heads, config.group(), config.head_dim);
        let [k, v] = <[Tensor<2>; 2]>::try_from(self.kv.parts(x)).unwrap_or_else(|_| [x.clone(), x.clone()]);
        // [batch * seq, kv_heads * hd] to [kv_heads, batch, seq, hd].
        let split = |t: Tensor<2>| t.reshape([batch, seq, kv_heads, hd]).permute([2, 0, 1, 3]);
        let k = split(normed(k, self.k_norm.as_ref(), hd));
        let k = match frame.rotation {
            Some(rotation) => rotation.apply(k),
            None => k,
        };
        let v = split(v);
        let first = |t: &Tensor<4>| t.clone().slice_dim(1, 0..1).reshape([kv_heads, seq, hd]);
        let own = Past {
            len: seq,
            k: first(&k),
            v: first(&v),
        };
        // [kv_heads, batch, group, queries, hd] to [batch * queries, heads * hd].
        let joined = |t: Tensor<5>| {
            t.permute([1, 3, 0, 2, 4])
                .reshape([batch * queries, kv_heads * group * hd])
        };
        if frame.window == Window::Sliding(1) {
            // A query that sees only itself has one score, whose softmax is 1.
            let seen = v.slice_dim(2, seq - queries..seq).unsqueeze_dim::<5>(2);
            let attended = joined(seen.expand([kv_heads, batch, group, queries, hd]));
            return Shared { attended, own };
        }
        let asked = last_rows(x, shape);
        let q = normed(self.q.apply(&asked), self.q_norm.as_ref(), hd) * config.query_scale();
        let q = q
            .reshape([batch, queries, kv_heads, group, hd])
            .permute([2, 0, 3, 1, 4])
            .reshape([kv_heads, batch * group, queries, hd]);
        let q = match frame.rotation {
            Some(rotation) if queries == seq => rotation.apply(q),
            Some(rotation) => rotation.last(queries).apply(q),
            None => q,
        };
        let rows = group * queries;
        let own_q = q.clone().reshape([kv_heads, batch, rows, hd]);
        let own_scores = own_q
            .matmul(k.swap_dims(2, 3))
            .reshape([kv_heads, batch * group, queries, seq]);
        let scores = match frame.past {
            Some(past) => {
                let shared_q = q.reshape([kv_heads, batch * rows, hd]);
                let before = shared_q.matmul(past.k.clone().swap_dims(1, 2)).reshape([
                    kv_heads,
                    batch * group,
                    queries,
                    past.len,
                ]);
                Tensor::cat(vec![before, own_scores], 3)
            }
            None => own_scores,
        };
        let scores = match config.attn_softcap {
            Some(cap) => activation::tanh(scores / cap) * cap,
            None => scores,
        };
        let scores = match frame.mask {
            Some(mask) => scores + mask.clone().slice_dim(2, seq - queries..seq),
            None => scores,
        };
        let weights = activation::softmax(scores, 3);
        let start = frame.past.map_or(0, |past| past.len);
        let own_weights = weights
            .clone()
            .slice_dim(3, start..start + seq)
            .reshape([kv_heads, batch, rows, seq]);
        let mixed = own_weights.matmul(v);
        let mixed = match frame.past {
            Some(past) => {
                let before = weights
                    .slice_dim(3, 0..start)
                    .reshape([kv_heads, batch * rows, start])
                    .matmul(past.v.clone());
                mixed + before.reshape([kv_heads, batch, rows, hd])
            }
            None => mixed,
        };
        Shared {
            attended: joined(mixed.reshape([kv_heads, batch, group, queries, hd])),
            own,
        }
    }
}

/// Each prompt's last positions of `[batch * seq, d_model]`.
fn last_rows(x: &Tensor<2>, shape: Shape) -> Tensor<2> {
    let Shape { batch, seq, queries } = shape;
    if queries == seq {
        return x.clone();
    }
    let d = x.dims()[1];
    x.clone()
        .reshape([batch, seq, d])
        .slice_dim(1, seq - queries..seq)
        .reshape([batch * queries, d])
}

/// Normalises each head where the family does that.
fn normed(t: Tensor<2>, norm: Option<&PlainNorm>, head_dim: usize) -> Tensor<2> {
    match norm {
        Some(norm) => {
            let [rows, width] = t.dims();
            norm.apply(t.reshape([rows * width / head_dim, head_dim]))
                .reshape([rows, width])
        }
        None => t,
    }
}

fn mask(window: Window, start: usize, seq: usize, device: &Device) -> Tensor<4> {
    let keys = start + seq;
    let mut values = Vec::with_capacity(seq * keys);
    for query in start..keys {
        let first = window.first_key(query);
        values.extend((0..keys).map(|key| if key > query || key < first { HIDDEN } else { 0.0 }));
    }
    Tensor::from_data(TensorData::new(values, [1, 1, seq, keys]), device)
}
