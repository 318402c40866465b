//! Floating-point operations of a partial run, counted from the configuration.
//!
//! `2 m n k` for every matrix product, attention included and counted only over keys that a query
//! sees. Norms, rotations, softmax and the activation are not counted, so the quotient of this
//! count and a time is a lower bound of what the machine did.

use std::ops::Range;

use crate::config::{ModelConfig, Window};

/// Operations of `Transformer::run` on `batch` prompts of `seq` new positions after `past` shared
/// ones. `last`: only each prompt's last position leaves the last layer.
#[must_use]
pub fn run_flops(config: &ModelConfig, layers: Range<usize>, batch: usize, seq: usize, past: usize, last: bool) -> f64 {
    let (d, inner) = (config.hidden_size as f64, config.intermediate_size as f64);
    let q_width = (config.heads * config.head_dim) as f64;
    let kv_width = (2 * config.kv_heads * config.head_dim) as f64;
    let end = layers.end;
    let of_layer = |layer: usize| {
        let queries = if last && layer + 1 == end { 1 } else { seq };
        let rows = (batch * seq) as f64;
        let asked = (batch * queries) as f64;
        let keys: usize = (seq - queries..seq)
            .map(|query| visible(config.windows[layer], past + query))
            .sum();
        let attention = 2.0 * 2.0 * (batch * keys) as f64 * q_width;
        2.0 * rows * d * kv_width + 4.0 * asked * d * q_width + 6.0 * asked * d * inner + attention
    };
    // Layers that do not exist take no time; whoever runs them is told by the model.
    (layers.start..end.min(config.layers)).map(of_layer).sum()
}

/// Keys that the query at `position` has to be compared with; a lone key needs no product.
fn visible(window: Window, position: usize) -> usize {
    match position + 1 - window.first_key(position) {
        1 => 0,
        keys => keys,
    }
}
