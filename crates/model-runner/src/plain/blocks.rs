//! A model's blocks and last norm on a device, and passes through some of them.
//!
//! The same blocks serve inference (plain tensors) and gradients (an input that records): parameters that are constants are not
//! recorded. Deliberately absent: anything on the host, and reading results back, which is the caller's and comes after the pass.

use std::ops::Range;

use burn::prelude::*;
use checkpoint::Checkpoint;

use super::layer::{Past, PlainLayer, PlainNorm, Seen};
use super::params::Source;
use super::shared::Tables;
use crate::config::ModelConfig;
use crate::device::Precision;
use crate::error::Result;
use crate::host::PrefixCache;
use crate::layout::Names;

/// Blocks and last norm.
pub(crate) struct Blocks {
    config: ModelConfig,
    pub(super) layers: Vec<PlainLayer>,
    pub(super) final_norm: PlainNorm,
}

/// Which layers a pass runs, after what, and down to which positions.
pub(crate) struct Pass<'a> {
    pub(crate) layers: Range<usize>,
    pub(crate) prefix: Option<&'a PrefixCache>,
    /// Only each prompt's last position leaves the last layer.
    pub(crate) last_only: bool,
}

/// What a pass shows after each layer.
pub(crate) struct Step<'a> {
    pub(crate) layer: usize,
    /// The stream after it, `[batch, positions, d_model]`.
    pub(crate) x: &'a Tensor<3>,
    /// Keys and values of the pass's own positions.
    pub(crate) own: Past,
    /// Hook points, where asked for.
    pub(crate) seen: Seen,
}

impl Blocks {
    pub(super) fn new(config: &ModelConfig, names: &Names<'_>, source: &Source<'_>) -> Result<Self> {
        Ok(Self {
            config: config.clone(),
            layers: (0..config.layers)
                .map(|layer| PlainLayer::new(config, names, layer, source))
                .collect::<Result<_>>()?,
            final_norm: PlainNorm::new(source, config, &names.final_norm())?,
        })
    }

    /// Uploads them tensor by tensor: the host never holds more than one in f32.
    pub(crate) fn upload(
        config: &ModelConfig,
        checkpoint: &Checkpoint,
        device: &Device,
        precision: Precision,
    ) -> Result<Self> {
        let source = Source::Checkpoint {
            checkpoint,
            device,
            precision,
        };
        Self::new(config, &Names::of(config, checkpoint), &source)
    }

    /// Runs a pass on `x` `[batch, seq, d_model]` and shows each layer's result; `look`: with its hook points.
    /// `device`: of the parameters.
    pub(crate) fn run(
        &self,
        mut x: Tensor<3>,
        pass: &Pass<'_>,
        device: &Device,
        look: bool,
        mut each: impl FnMut(Step<'_>) -> Result<()>,
    ) -> Result<Tensor<3>> {
        let past_len = pass.prefix.map_or(0, PrefixCache::len);
        let past = pass.prefix.map(PrefixCache::device).transpose()?;
        let [_, seq, _] = x.dims();
        let tables = Tables::new(&self.config, past_len, seq, device);
        for layer in pass.layers.clone() {
            let frame = tables.frame(&self.config, layer, past.map(|past| &past[layer]));
            let last_only = pass.last_only && layer + 1 == pass.layers.end;
            let mut seen = Seen::new();
            let own;
            (x, own) = self.layers[layer].run_shared(&self.config, &frame, x, last_only, look.then_some(&mut seen));
            each(Step {
                layer,
                x: &x,
                own,
                seen,
            })?;
        }
        if pass.layers.is_empty() && pass.last_only {
            x = x.slice_dim(1, seq - 1..seq);
        }
        Ok(x)
    }

    /// Runs a pass down to each prompt's last position: `[batch, d_model]`.
    pub(crate) fn last(&self, x: Tensor<3>, pass: &Pass<'_>, device: &Device) -> Result<Tensor<2>> {
        let [batch, _, d] = x.dims();
        let x = self.run(x, pass, device, false, |_| Ok(()))?;
        Ok(x.reshape([batch, d]))
    }

    /// The last norm's output, `[rows, d_model]` in and out.
    pub(crate) fn final_norm(&self, x: Tensor<2>) -> Tensor<2> {
        self.final_norm.apply(x)
    }
}
