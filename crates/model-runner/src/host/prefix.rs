//! Keys and values of a prompt's first positions, kept so that they are computed once.

use crate::error::{ModelError, Result};
use crate::plain::Past;

/// Keys and values of one layer.
#[derive(Clone, Debug, Default)]
pub(crate) struct PrefixLayer {
    /// `[kv_heads, len, head_dim]`, rotated.
    pub(crate) k: Vec<f32>,
    /// `[kv_heads, len, head_dim]`.
    pub(crate) v: Vec<f32>,
}

/// Keys and values of positions `0..len` for the first `layers()` layers.
///
/// It depends on the prefix tokens and the weights only, so every prompt and every edit at a
/// later position shares it.
#[derive(Clone, Debug)]
pub struct PrefixCache {
    len: usize,
    kept: Kept,
}

/// Where they are: where the model runs that made them.
#[derive(Clone, Debug)]
enum Kept {
    Host(Vec<PrefixLayer>),
    Device(Vec<Past>),
}

impl PrefixCache {
    /// Positions held.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether it holds no position.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Layers held.
    #[must_use]
    pub fn layers(&self) -> usize {
        match &self.kept {
            Kept::Host(layers) => layers.len(),
            Kept::Device(layers) => layers.len(),
        }
    }

    /// Bytes of memory held, on the host or on the device.
    #[must_use]
    pub fn bytes(&self) -> usize {
        match &self.kept {
            Kept::Host(layers) => layers.iter().map(|layer| 4 * (layer.k.len() + layer.v.len())).sum(),
            Kept::Device(layers) => {
                let size = |past: &Past| past.k.dims().iter().product::<usize>();
                layers.iter().map(|past| 2 * 4 * size(past)).sum()
            }
        }
    }

    pub(crate) fn on_host(len: usize, layers: Vec<PrefixLayer>) -> Self {
        Self {
            len,
            kept: Kept::Host(layers),
        }
    }

    pub(crate) fn on_device(len: usize, layers: Vec<Past>) -> Self {
        Self {
            len,
            kept: Kept::Device(layers),
        }
    }

    /// Layers in memory.
    pub(crate) fn host(&self) -> Result<&[PrefixLayer]> {
        match &self.kept {
            Kept::Host(layers) => Ok(layers),
            Kept::Device(_) => Err(elsewhere("on a device", "on the CPU")),
        }
    }

    /// Layers on a device.
    pub(crate) fn device(&self) -> Result<&[Past]> {
        match &self.kept {
            Kept::Device(layers) => Ok(layers),
            Kept::Host(_) => Err(elsewhere("on the CPU", "on a device")),
        }
    }
}

impl PrefixLayer {
    /// Appends the keys and values of one prompt's new positions.
    ///
    /// `kv`: `[new, 2 * kv_heads * head_dim]`, keys first.
    pub(crate) fn extended(&self, kv: &[f32], kv_heads: usize, head_dim: usize) -> Self {
        let width = kv_heads * head_dim;
        let gather = |old: &[f32], offset: usize| {
            let per_head = old.len() / kv_heads;
            let mut out = Vec::with_capacity(old.len() + kv.len() / 2);
            for head in 0..kv_heads {
                out.extend_from_slice(&old[head * per_head..(head + 1) * per_head]);
                for row in kv.chunks_exact(2 * width) {
                    let start = offset + head * head_dim;
                    out.extend_from_slice(&row[start..start + head_dim]);
                }
            }
            out
        };
        Self {
            k: gather(&self.k, 0),
            v: gather(&self.v, width),
        }
    }
}

fn elsewhere(prefix: &str, model: &str) -> ModelError {
    ModelError::Run(format!(
        "the prefix was run {prefix} and the model runs {model}: both must come from one `Transformer`"
    ))
}
