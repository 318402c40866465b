//! Keys and values of a prompt's first positions, kept so that they are computed once.

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
    pub(crate) len: usize,
    pub(crate) layers: Vec<PrefixLayer>,
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
        self.layers.len()
    }

    /// Bytes of memory held.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.layers
            .iter()
            .map(|layer| 4 * (layer.k.len() + layer.v.len()))
            .sum()
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
