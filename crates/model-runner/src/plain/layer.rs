//! One block as array operations.

use std::ops::Range;

use burn::prelude::*;
use burn::tensor::{DType, activation};
use kernels::Activation;

use super::params::Source;
use super::shared::{Frame, Shared};
use crate::config::{Layout, ModelConfig, Norm, Rope, Window};
use crate::error::Result;
use crate::host::RopeTable;
use crate::layout::{Names, NormPlace, Piece, Projection};
use crate::names::Point;

/// Hook points of one block that somebody wants to see, `[rows, width]` each.
pub(crate) type Seen = Vec<(Point, Tensor<2>)>;

/// A projection over leaves in checkpoint layout.
pub(super) struct PlainLinear {
    /// Weight and bias of each stored tensor, with the outputs that are taken of it.
    parts: Vec<(Tensor<2>, Option<Tensor<1>>, Piece)>,
    /// Stored `[in, out]`.
    in_out: bool,
    /// What the product is computed in, where it is not f32.
    dtype: Option<DType>,
}

impl PlainLinear {
    fn new(source: &Source<'_>, config: &ModelConfig, projection: Projection) -> Result<Self> {
        let bias = projection.bias;
        let parts = projection
            .pieces
            .into_iter()
            .map(|piece| source.linear(config, piece, bias))
            .collect::<Result<_>>()?;
        Ok(Self {
            parts,
            in_out: config.layout == Layout::Gpt2 && !source.transposed(),
            dtype: source.dtype(),
        })
    }

    /// `[rows, in]` to one `[rows, outputs]` for each part.
    pub(super) fn parts(&self, x: &Tensor<2>) -> Vec<Tensor<2>> {
        let x = match self.dtype {
            Some(dtype) => x.clone().cast(dtype),
            None => x.clone(),
        };
        self.parts
            .iter()
            .map(|(weight, bias, piece)| {
                let weight = if self.in_out {
                    weight.clone()
                } else {
                    weight.clone().transpose()
                };
                let mut out = x.clone().matmul(weight);
                if self.dtype.is_some() {
                    out = out.cast(DType::F32);
                }
                if let Some(bias) = bias {
                    out = out + bias.clone().unsqueeze();
                }
                if let [range] = piece.outputs.as_slice() {
                    if range.len() == piece.stored {
                        return out;
                    }
                    return out.slice_dim(1, range.clone());
                }
                Tensor::cat(
                    piece
                        .outputs
                        .iter()
                        .map(|range| out.clone().slice_dim(1, range.clone()))
                        .collect(),
                    1,
                )
            })
            .collect()
    }

    pub(super) fn apply(&self, x: &Tensor<2>) -> Tensor<2> {
        let mut parts = self.parts(x);
        if parts.len() == 1 {
            parts.remove(0)
        } else {
            Tensor::cat(parts, 1)
        }
    }
}

/// A norm over leaves.
pub(super) struct PlainNorm {
    weight: Tensor<1>,
    bias: Option<Tensor<1>>,
    kind: Norm,
    eps: f64,
}

impl PlainNorm {
    pub(super) fn new(source: &Source<'_>, config: &ModelConfig, name: &str) -> Result<Self> {
        let bias = (config.norm == Norm::Layer)
            .then(|| source.vector(&format!("{name}.bias"), false))
            .transpose()?;
        // Constants of a device get Gemma's 1 added once, here; leaves keep the stored weight, whose gradient is asked for.
        let plus_one = config.norm == Norm::RmsPlusOne && source.constant();
        Ok(Self {
            weight: source.vector(&format!("{name}.weight"), plus_one)?,
            bias,
            kind: if plus_one { Norm::Rms } else { config.norm },
            eps: config.norm_eps,
        })
    }

    /// Over the last axis of `[rows, width]`.
    pub(super) fn apply(&self, x: Tensor<2>) -> Tensor<2> {
        let x = match self.kind {
            Norm::Layer => x.clone() - x.mean_dim(1),
            Norm::Rms | Norm::RmsPlusOne => x,
        };
        let mean_square = (x.clone() * x.clone()).mean_dim(1);
        let scale = (mean_square + self.eps).sqrt().recip();
        let weight = match self.kind {
            Norm::RmsPlusOne => self.weight.clone() + 1.0,
            Norm::Rms | Norm::Layer => self.weight.clone(),
        };
        let out = x * scale * weight.unsqueeze();
        match &self.bias {
            Some(bias) => out + bias.clone().unsqueeze(),
            None => out,
        }
    }
}

/// Tensors of one block, in checkpoint layout.
pub(super) struct PlainLayer {
    pub(super) q: PlainLinear,
    pub(super) kv: PlainLinear,
    o: PlainLinear,
    up: PlainLinear,
    down: PlainLinear,
    attn_in: PlainNorm,
    attn_out: Option<PlainNorm>,
    mlp_in: PlainNorm,
    mlp_out: Option<PlainNorm>,
    pub(super) q_norm: Option<PlainNorm>,
    pub(super) k_norm: Option<PlainNorm>,
    rope: Option<Rope>,
}

impl PlainLayer {
    pub(super) fn new(config: &ModelConfig, names: &Names<'_>, layer: usize, source: &Source<'_>) -> Result<Self> {
        let linear = |projection| PlainLinear::new(source, config, projection);
        let norm = |place| {
            names
                .norm(layer, place)
                .map(|(name, _)| PlainNorm::new(source, config, &name))
                .transpose()
        };
        let missing = || crate::error::ModelError::Run(format!("layer {layer} lacks a norm"));
        Ok(Self {
            q: linear(names.queries(layer))?,
            kv: linear(names.keys_values(layer))?,
            o: linear(names.output(layer))?,
            up: linear(names.up(layer))?,
            down: linear(names.down(layer))?,
            attn_in: norm(NormPlace::AttnIn)?.ok_or_else(missing)?,
            attn_out: norm(NormPlace::AttnOut)?,
            mlp_in: norm(NormPlace::MlpIn)?.ok_or_else(missing)?,
            mlp_out: norm(NormPlace::MlpOut)?,
            q_norm: norm(NormPlace::Query)?,
            k_norm: norm(NormPlace::Key)?,
            rope: config
                .rope_of
                .get(layer)
                .and_then(|&table| config.ropes.get(table))
                .copied(),
        })
    }

    /// `x` `[batch, seq, d_model]` to the same shape after the block, or to `[batch, 1, d_model]` of the last position only.
    /// `past`: keys and values of the positions before `x`.
    pub(super) fn run(
        &self,
        config: &ModelConfig,
        window: Window,
        x: Tensor<3>,
        past: Option<&Past>,
        last_only: bool,
    ) -> Tensor<3> {
        let [batch, seq, d] = x.dims();
        let normed = self.attn_in.apply(x.clone().reshape([batch * seq, d]));
        let shape = Shape {
            batch,
            seq,
            queries: if last_only { 1 } else { seq },
        };
        let attended = self.attend(config, window, &normed, shape, past);
        self.after_attention(config, x, &attended, shape, None)
    }

    /// As [`PlainLayer::run`] against a prefix that lies on the device; also gives the keys and values of `x`'s own positions.
    pub(super) fn run_shared(
        &self,
        config: &ModelConfig,
        frame: &Frame<'_>,
        x: Tensor<3>,
        last_only: bool,
        seen: Option<&mut Seen>,
    ) -> (Tensor<3>, Past) {
        let [batch, seq, d] = x.dims();
        let normed = self.attn_in.apply(x.clone().reshape([batch * seq, d]));
        let shape = Shape {
            batch,
            seq,
            queries: if last_only { 1 } else { seq },
        };
        let Shared { attended, own } = self.attend_shared(config, frame, &normed, shape);
        (self.after_attention(config, x, &attended, shape, seen), own)
    }

    /// The block from the heads' outputs `[batch * queries, heads * head_dim]` on.
    fn after_attention(
        &self,
        config: &ModelConfig,
        x: Tensor<3>,
        attended: &Tensor<2>,
        shape: Shape,
        mut seen: Option<&mut Seen>,
    ) -> Tensor<3> {
        let [batch, seq, d] = x.dims();
        let mut see = |point: Point, value: &Tensor<2>| {
            if let Some(seen) = &mut seen {
                seen.push((point, value.clone()));
            }
        };
        // A query's output depends on the other positions through their keys and values only.
        let (x, seq) = (x.slice_dim(1, seq - shape.queries..seq), shape.queries);
        let x = x.reshape([batch * seq, d]);
        see(Point::Z, attended);
        let raw = self.o.apply(attended);
        let added = match &self.attn_out {
            Some(norm) => {
                see(Point::AttnRaw, &raw);
                norm.apply(raw)
            }
            None => raw,
        };
        see(Point::AttnOut, &added);
        let mid = x.clone() + added;
        let read = if config.parallel {
            x
        } else {
            see(Point::ResidMid, &mid);
            mid.clone()
        };
        let read = self.mlp_in.apply(read);
        see(Point::MlpIn, &read);
        let neurons = self.neurons(config, &read);
        see(Point::MlpPost, &neurons);
        let raw = self.down.apply(&neurons);
        let added = match &self.mlp_out {
            Some(norm) => {
                see(Point::MlpRaw, &raw);
                norm.apply(raw)
            }
            None => raw,
        };
        see(Point::MlpOut, &added);
        let out = mid + added;
        see(Point::ResidPost, &out);
        out.reshape([batch, seq, d])
    }

    /// What the MLP's second product reads.
    fn neurons(&self, config: &ModelConfig, x: &Tensor<2>) -> Tensor<2> {
        let act = |x: Tensor<2>| match config.activation {
            Activation::GeluTanh => activation::gelu_approximate(x),
            Activation::Gelu => activation::gelu(x),
            Activation::Silu => activation::silu(x),
            Activation::Relu => activation::relu(x),
        };
        let mut parts = self.up.parts(x);
        match (config.gated, parts.pop()) {
            (true, Some(up)) => act(parts.remove(0)) * up,
            (_, Some(up)) => act(up),
            (_, None) => x.clone(),
        }
    }

    /// `[batch * seq, d_model]` to `[batch * queries, heads * head_dim]`.
    fn attend(
        &self,
        config: &ModelConfig,
        window: Window,
        x: &Tensor<2>,
        shape: Shape,
        past: Option<&Past>,
    ) -> Tensor<2> {
        let Shape { batch, seq, queries } = shape;
        let (heads, kv_heads, hd) = (config.heads, config.kv_heads, config.head_dim);
        let repeat = |t: Tensor<4>| -> Tensor<4> {
            let len = t.dims()[2];
            t.unsqueeze_dim::<5>(2)
                .expand([batch, kv_heads, config.group(), len, hd])
                .reshape([batch, heads, len, hd])
        };
        let split = |t: Tensor<2>, heads: usize| t.reshape([batch, seq, heads, hd]).swap_dims(1, 2);
        let normed = |t: Tensor<2>, norm: &Option<PlainNorm>| match norm {
            Some(norm) => {
                let dims = t.dims();
                norm.apply(t.reshape([-1, hd as i32])).reshape(dims)
            }
            None => t,
        };
        let last = |t: Tensor<4>| t.slice_dim(2, seq - queries..seq);
        let joined = |t: Tensor<4>| t.swap_dims(1, 2).reshape([batch * queries, heads * hd]);
        let [k, v] = <[Tensor<2>; 2]>::try_from(self.kv.parts(x)).unwrap_or_else(|_| [x.clone(), x.clone()]);
        let v = split(v, kv_heads);
        if window == Window::Sliding(1) {
            // A query that sees only itself has one score, whose softmax is 1.
            return joined(last(repeat(v)));
        }
        let q = last(split(normed(self.q.apply(x), &self.q_norm), heads)) * config.query_scale();
        let k = split(normed(k, &self.k_norm), kv_heads);
        let start = past.map_or(0, |past| past.len);
        let (q, k) = match &self.rope {
            Some(rope) => {
                let turn = |positions: Range<usize>| Rotation::new(rope, hd, positions, &q.device());
                (
                    turn(start + seq - queries..start + seq).apply(q.clone()),
                    turn(start..start + seq).apply(k),
                )
            }
            None => (q, k),
        };
        let after = |past: Option<&Tensor<3>>, t: Tensor<4>| match past {
            Some(past) => {
                let past = past.clone().unsqueeze::<4>().expand([batch, kv_heads, start, hd]);
                Tensor::cat(vec![past, t], 2)
            }
            None => t,
        };
        let k = after(past.map(|past| &past.k), k);
        let v = after(past.map(|past| &past.v), v);
        let scores = q.matmul(repeat(k).swap_dims(2, 3));
        let scores = match config.attn_softcap {
            Some(cap) => activation::tanh(scores / cap) * cap,
            None => scores,
        };
        let positions = start + seq - queries..start + seq;
        let hidden = mask(window, positions, &scores.device()).expand([batch, heads, queries, start + seq]);
        let weights = activation::softmax(scores.mask_fill(hidden, f32::NEG_INFINITY), 3);
        joined(weights.matmul(repeat(v)))
    }
}

/// Rotated keys and values of one layer at the positions before a suffix, shared by all prompts.
#[derive(Clone, Debug)]
pub(crate) struct Past {
    pub(crate) len: usize,
    /// `[kv_heads, len, head_dim]`.
    pub(crate) k: Tensor<3>,
    /// `[kv_heads, len, head_dim]`.
    pub(crate) v: Tensor<3>,
}

/// Sizes of one run of a block.
#[derive(Clone, Copy)]
pub(super) struct Shape {
    pub(super) batch: usize,
    /// Positions of `x`.
    pub(super) seq: usize,
    /// The last ones, whose output is wanted.
    pub(super) queries: usize,
}

/// True where a key must not be seen, `[1, 1, queries, queries.end]`; `queries` are positions.
fn mask(window: Window, queries: Range<usize>, device: &Device) -> Tensor<4, Bool> {
    let keys = queries.end;
    let rows = queries.len();
    let mut hidden = Vec::with_capacity(rows * keys);
    for query in queries {
        let first = window.first_key(query);
        hidden.extend((0..keys).map(|key| key > query || key < first));
    }
    Tensor::<4, Bool>::from_data(TensorData::new(hidden, [1, 1, rows, keys]), device)
}

/// Takes the cosines or the sines of a position.
type Pick = fn((&[f32], &[f32])) -> Vec<f32>;

/// Cosines and sines as tensors, `[1, 1, seq, dims / 2]`.
pub(super) struct Rotation {
    pub(super) cos: Tensor<4>,
    pub(super) sin: Tensor<4>,
    half: usize,
    head_dim: usize,
}

impl Rotation {
    /// Of the last `count` of its positions.
    pub(super) fn last(&self, count: usize) -> Self {
        let cut = |t: &Tensor<4>| {
            let len = t.dims()[2];
            t.clone().slice_dim(2, len - count..len)
        };
        Self {
            cos: cut(&self.cos),
            sin: cut(&self.sin),
            ..*self
        }
    }

    pub(super) fn new(rope: &Rope, head_dim: usize, positions: Range<usize>, device: &Device) -> Self {
        let table = RopeTable::new(positions.end, rope);
        let seq = positions.len();
        let half = rope.dims / 2;
        let gather = |pick: Pick| -> Tensor<4> {
            let values: Vec<f32> = positions
                .clone()
                .flat_map(|position| pick(table.at(position)))
                .collect();
            Tensor::from_data(TensorData::new(values, [1, 1, seq, half]), device)
        };
        Self {
            cos: gather(|(c, _)| c.to_vec()),
            sin: gather(|(_, s)| s.to_vec()),
            half,
            head_dim,
        }
    }

    pub(super) fn apply(&self, x: Tensor<4>) -> Tensor<4> {
        let low = x.clone().slice_dim(3, 0..self.half);
        let high = x.clone().slice_dim(3, self.half..2 * self.half);
        let (cos, sin) = (self.cos.clone(), self.sin.clone());
        let turned_low = low.clone() * cos.clone() - high.clone() * sin.clone();
        let turned_high = high * cos + low * sin;
        let mut parts = vec![turned_low, turned_high];
        if 2 * self.half < self.head_dim {
            parts.push(x.slice_dim(3, 2 * self.half..self.head_dim));
        }
        Tensor::cat(parts, 3)
    }
}
