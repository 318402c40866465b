//! Keys and values of the example sets: run once and kept, or run again where there are too many.

use std::borrow::Cow;

use model_runner::{PrefixCache, Transformer, run_flops};
use rayon::prelude::*;

use crate::error::Result;

/// Most memory that kept prefixes may take; beyond it each chunk runs its own prefix.
const PREFIX_BYTES: usize = 2 << 30;

/// Keys and values of the example sets.
pub(crate) enum Prefixes {
    /// Run once and kept.
    Kept(Vec<PrefixCache>),
    /// Run again by each chunk: with fresh examples per word there are too many to keep.
    OnDemand(Vec<Vec<u32>>),
}

impl Prefixes {
    /// Runs token ids of example sets through all layers, unless they would not fit.
    ///
    /// # Errors
    /// The model refuses a prefix.
    pub(crate) fn new(model: &Transformer, ids: &[Vec<u32>]) -> Result<Self> {
        let config = model.config();
        let per_token = 8 * config.layers * config.kv_heads * config.head_dim;
        let tokens: usize = ids.iter().map(Vec::len).sum();
        if tokens.saturating_mul(per_token) > PREFIX_BYTES {
            return Ok(Self::OnDemand(ids.to_vec()));
        }
        let kept = ids.par_iter().map(|ids| model.prefix(ids, config.layers, None));
        Ok(Self::Kept(kept.collect::<std::result::Result<Vec<_>, _>>()?))
    }

    /// How many sets.
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Kept(kept) => kept.len(),
            Self::OnDemand(ids) => ids.len(),
        }
    }

    /// Positions and products of those that were run.
    pub(crate) fn cost(&self, model: &Transformer) -> (u64, f64) {
        let Self::Kept(kept) = self else { return (0, 0.0) };
        let of = |cache: &PrefixCache| run_flops(model.config(), 0..model.config().layers, 1, cache.len(), 0, false);
        (kept.iter().map(|c| c.len() as u64).sum(), kept.iter().map(of).sum())
    }

    /// Tokens of the longest.
    pub(crate) fn longest(&self) -> usize {
        match self {
            Self::Kept(kept) => kept.iter().map(PrefixCache::len).max(),
            Self::OnDemand(ids) => ids.iter().map(Vec::len).max(),
        }
        .unwrap_or_default()
    }

    /// A set's keys and values, of at least the first `layers` layers.
    pub(crate) fn get(&self, model: &Transformer, set: usize, layers: usize) -> Result<Cow<'_, PrefixCache>> {
        match self {
            Self::Kept(kept) => Ok(Cow::Borrowed(&kept[set])),
            Self::OnDemand(ids) => Ok(Cow::Owned(model.prefix(&ids[set], layers, None)?)),
        }
    }
}
