//! Keys and values of the example sets: run once and kept, or run again where there are too many.

use std::borrow::Cow;

use model_runner::{PrefixCache, Transformer, run_flops};
use rayon::prelude::*;

use crate::error::Result;

/// Keys and values of the example sets.
pub(crate) struct Prefixes {
    kept: Kept,
    /// Sets that a chunk may hold where it has to run them itself.
    per_chunk: usize,
}

enum Kept {
    /// Run once and kept.
    All(Vec<PrefixCache>),
    /// Run again by each chunk: with fresh examples per word there are too many to keep.
    OnDemand(Vec<Vec<u32>>),
}

impl Prefixes {
    /// Runs token ids of example sets through all layers, unless they would not fit.
    ///
    /// # Errors
    /// The model refuses a prefix.
    pub(crate) fn new(model: &Transformer, ids: &[Vec<u32>]) -> Result<Self> {
        let (config, budget) = (model.config(), model.budget());
        let per_token = 8 * config.layers * config.kv_heads * config.head_dim;
        let tokens: usize = ids.iter().map(Vec::len).sum();
        let longest = ids.iter().map(Vec::len).max().unwrap_or_default().max(1);
        let per_chunk = (budget.chunk_prefixes() / (longest * per_token)).max(1);
        let kept = if tokens.saturating_mul(per_token) > budget.prefixes() {
            Kept::OnDemand(ids.to_vec())
        } else {
            let sets: Vec<usize> = (0..ids.len()).collect();
            let batches = batches(model, ids, &sets);
            let run = |batch: &Vec<usize>| prefixes(model, ids, batch, config.layers);
            let done = batches.par_iter().map(run).collect::<Result<Vec<_>>>()?;
            let mut order: Vec<(usize, PrefixCache)> =
                batches.into_iter().flatten().zip(done.into_iter().flatten()).collect();
            order.sort_by_key(|(set, _)| *set);
            Kept::All(order.into_iter().map(|(_, cache)| cache).collect())
        };
        Ok(Self { kept, per_chunk })
    }

    /// How many sets.
    pub(crate) fn len(&self) -> usize {
        match &self.kept {
            Kept::All(kept) => kept.len(),
            Kept::OnDemand(ids) => ids.len(),
        }
    }

    /// Positions and products of those that were run.
    pub(crate) fn cost(&self, model: &Transformer) -> (u64, f64) {
        let Kept::All(kept) = &self.kept else { return (0, 0.0) };
        let of = |cache: &PrefixCache| run_flops(model.config(), 0..model.config().layers, 1, cache.len(), 0, false);
        (kept.iter().map(|c| c.len() as u64).sum(), kept.iter().map(of).sum())
    }

    /// Tokens of the longest.
    pub(crate) fn longest(&self) -> usize {
        match &self.kept {
            Kept::All(kept) => kept.iter().map(PrefixCache::len).max(),
            Kept::OnDemand(ids) => ids.iter().map(Vec::len).max(),
        }
        .unwrap_or_default()
    }

    /// Most sets that one chunk may ask for.
    pub(crate) fn per_chunk(&self) -> usize {
        match &self.kept {
            Kept::All(_) => usize::MAX,
            Kept::OnDemand(_) => self.per_chunk,
        }
    }

    /// Keys and values of some sets, of at least the first `layers` layers, in their order.
    pub(crate) fn get(&self, model: &Transformer, sets: &[usize], layers: usize) -> Result<Vec<Cow<'_, PrefixCache>>> {
        match &self.kept {
            Kept::All(kept) => Ok(sets.iter().map(|&set| Cow::Borrowed(&kept[set])).collect()),
            Kept::OnDemand(ids) => {
                let mut caches: Vec<Option<PrefixCache>> = vec![None; sets.len()];
                for batch in batches(model, ids, sets) {
                    for (set, cache) in batch.iter().zip(prefixes(model, ids, &batch, layers)?) {
                        if let Some(at) = sets.iter().position(|asked| asked == set) {
                            caches[at] = Some(cache);
                        }
                    }
                }
                Ok(caches.into_iter().flatten().map(Cow::Owned).collect())
            }
        }
    }
}

/// Some sets in chunks of one length each.
fn batches(model: &Transformer, ids: &[Vec<u32>], sets: &[usize]) -> Vec<Vec<usize>> {
    let mut sorted = sets.to_vec();
    sorted.sort_by_key(|&set| (ids[set].len(), set));
    let equal = sorted.chunk_by(|&a, &b| ids[a].len() == ids[b].len());
    equal
        .flat_map(|equal| {
            let size = model.chunk_size(equal.len(), ids[equal[0]].len());
            equal.chunks(size).map(<[usize]>::to_vec).collect::<Vec<_>>()
        })
        .collect()
}

fn prefixes(model: &Transformer, ids: &[Vec<u32>], batch: &[usize], layers: usize) -> Result<Vec<PrefixCache>> {
    let prompts: Vec<&[u32]> = batch.iter().map(|&set| ids[set].as_slice()).collect();
    Ok(model.prefixes(&prompts, layers)?)
}
