//! One block as array operations.

use burn::prelude::*;
use burn::tensor::activation;

use super::params::{AnyTensor, Tensors};
use crate::config::{ModelConfig, Window};
use crate::host::RopeTable;

/// Tensors of one block, in checkpoint layout (`[out, in]`).
pub(super) struct PlainLayer {
    q: Tensor<2>,
    k: Tensor<2>,
    v: Tensor<2>,
    o: Tensor<2>,
    gate: Tensor<2>,
    up: Tensor<2>,
    down: Tensor<2>,
    attn_in: Tensor<1>,
    attn_out: Tensor<1>,
    mlp_in: Tensor<1>,
    mlp_out: Tensor<1>,
}

/// Tensors per block in a [`super::ParamSet`].
const PARTS: usize = 11;

impl PlainLayer {
    pub(super) fn new(_config: &ModelConfig, layer: usize, tensors: &Tensors<'_>) -> Self {
        let first = 1 + layer * PARTS;
        Self {
            q: tensors.matrix(first),
            k: tensors.matrix(first + 1),
            v: tensors.matrix(first + 2),
            o: tensors.matrix(first + 3),
            gate: tensors.matrix(first + 4),
            up: tensors.matrix(first + 5),
            down: tensors.matrix(first + 6),
            attn_in: tensors.vector(first + 7),
            attn_out: tensors.vector(first + 8),
            mlp_in: tensors.vector(first + 9),
            mlp_out: tensors.vector(first + 10),
        }
    }

    pub(super) fn collect(&self, all: &mut Vec<AnyTensor>) {
        for matrix in [&self.q, &self.k, &self.v, &self.o, &self.gate, &self.up, &self.down] {
            all.push(AnyTensor::Matrix(matrix.clone()));
        }
        for vector in [&self.attn_in, &self.attn_out, &self.mlp_in, &self.mlp_out] {
            all.push(AnyTensor::Vector(vector.clone()));
        }
    }

    /// `x` `[batch, seq, d_model]` to the same shape after the block.
    pub(super) fn run(&self, config: &ModelConfig, window: Window, x: Tensor<3>) -> Tensor<3> {
        let [batch, seq, d] = x.dims();
        let x = x.reshape([batch * seq, d]);
        let normed = rms_norm(x.clone(), &self.attn_in, config.rms_eps);
        let attended = self.attend(config, window, normed, batch, seq);
        let projected = attended.matmul(self.o.clone().transpose());
        let x = x + rms_norm(projected, &self.attn_out, config.rms_eps);
        let normed = rms_norm(x.clone(), &self.mlp_in, config.rms_eps);
        let gate = activation::gelu_approximate(normed.clone().matmul(self.gate.clone().transpose()));
        let up = normed.matmul(self.up.clone().transpose());
        let down = (gate * up).matmul(self.down.clone().transpose());
        (x + rms_norm(down, &self.mlp_out, config.rms_eps)).reshape([batch, seq, d])
    }

    /// `[batch * seq, d_model]` to `[batch * seq, heads * head_dim]`.
    fn attend(&self, config: &ModelConfig, window: Window, x: Tensor<2>, batch: usize, seq: usize) -> Tensor<2> {
        let (heads, kv_heads, hd) = (config.heads, config.kv_heads, config.head_dim);
        let repeat = |t: Tensor<4>| -> Tensor<4> {
            t.unsqueeze_dim::<5>(2)
                .expand([batch, kv_heads, config.group(), seq, hd])
                .reshape([batch, heads, seq, hd])
        };
        let split = |t: Tensor<2>, heads: usize| t.reshape([batch, seq, heads, hd]).swap_dims(1, 2);
        let v = repeat(split(x.clone().matmul(self.v.clone().transpose()), kv_heads));
        if window == Window::Sliding(1) {
            // A query that sees only itself has one score, whose softmax is 1.
            return v.swap_dims(1, 2).reshape([batch * seq, heads * hd]);
        }
        let q = split(x.clone().matmul(self.q.clone().transpose()), heads) * config.query_scale();
        let k = split(x.matmul(self.k.clone().transpose()), kv_heads);
        let turn = Rotation::new(config, seq, &q.device());
        let scores = turn.apply(q).matmul(repeat(turn.apply(k)).swap_dims(2, 3));
        let scores = match config.attn_softcap {
            Some(cap) => activation::tanh(scores / cap) * cap,
            None => scores,
        };
        let hidden = mask(window, seq, &scores.device()).expand([batch, heads, seq, seq]);
        let weights = activation::softmax(scores.mask_fill(hidden, f32::NEG_INFINITY), 3);
        weights.matmul(v).swap_dims(1, 2).reshape([batch * seq, heads * hd])
    }
}

/// True where a key must not be seen, `[1, 1, seq, seq]`.
fn mask(window: Window, seq: usize, device: &Device) -> Tensor<4, Bool> {
    let mut hidden = Vec::with_capacity(seq * seq);
    for query in 0..seq {
        let first = window.first_key(query);
        hidden.extend((0..seq).map(|key| key > query || key < first));
    }
    Tensor::<4, Bool>::from_data(TensorData::new(hidden, [1, 1, seq, seq]), device)
}

/// `x / rms(x) * (1 + w)` over the last axis.
pub(super) fn rms_norm(x: Tensor<2>, weight: &Tensor<1>, eps: f64) -> Tensor<2> {
    let mean_square = (x.clone() * x.clone()).mean_dim(1);
    let scale = (mean_square + eps).sqrt().recip();
    x * scale * (weight.clone() + 1.0).unsqueeze()
}

/// Takes the cosines or the sines of a position.
type Pick = fn((&[f32], &[f32])) -> Vec<f32>;

/// Cosines and sines as tensors, `[1, 1, seq, head_dim / 2]`.
struct Rotation {
    cos: Tensor<4>,
    sin: Tensor<4>,
    half: usize,
}

impl Rotation {
    fn new(config: &ModelConfig, seq: usize, device: &Device) -> Self {
        let table = RopeTable::new(seq, config.head_dim, config.rope_theta);
        let half = config.head_dim / 2;
        let gather = |pick: Pick| -> Tensor<4> {
            let values: Vec<f32> = (0..seq).flat_map(|position| pick(table.at(position))).collect();
            Tensor::from_data(TensorData::new(values, [1, 1, seq, half]), device)
        };
        Self {
            cos: gather(|(c, _)| c.to_vec()),
            sin: gather(|(_, s)| s.to_vec()),
            half,
        }
    }

    fn apply(&self, x: Tensor<4>) -> Tensor<4> {
        let low = x.clone().slice_dim(3, 0..self.half);
        let high = x.slice_dim(3, self.half..2 * self.half);
        let (cos, sin) = (self.cos.clone(), self.sin.clone());
        let turned_low = low.clone() * cos.clone() - high.clone() * sin.clone();
        let turned_high = high * cos + low * sin;
        Tensor::cat(vec![turned_low, turned_high], 3)
    }
}
