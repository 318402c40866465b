//! Rows of a run in chunks that one thread runs at a time.

use model_runner::{PrefixCache, PromptGroup};
use std::borrow::Cow;

/// Rows that one thread runs at a time, ordered by example set.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Chunk {
    pub(crate) rows: Vec<usize>,
    /// The example sets, each once.
    pub(crate) sets: Vec<usize>,
    /// How many rows each of them has.
    pub(crate) counts: Vec<usize>,
}

impl Chunk {
    /// Rows of each example set, in chunks of `size` rows and at most `most_sets` sets.
    pub(crate) fn of(by_set: &[Vec<usize>], size: usize, most_sets: usize) -> Vec<Self> {
        let mut chunks: Vec<Self> = Vec::new();
        for (set, rows) in by_set.iter().enumerate() {
            let mut rest = rows.as_slice();
            while !rest.is_empty() {
                let full = |chunk: &Self| chunk.rows.len() >= size || chunk.sets.len() >= most_sets;
                if chunks.last().is_none_or(full) {
                    chunks.push(Self::default());
                }
                let Some(chunk) = chunks.last_mut() else { break };
                let (now, later) = rest.split_at(rest.len().min(size - chunk.rows.len()));
                chunk.sets.push(set);
                chunk.counts.push(now.len());
                chunk.rows.extend_from_slice(now);
                rest = later;
            }
        }
        chunks
    }

    /// The prompts of each set with its prefix.
    pub(crate) fn groups<'a>(&self, prefixes: &'a [Cow<'_, PrefixCache>]) -> Vec<PromptGroup<'a>> {
        let pairs = self.counts.iter().zip(prefixes);
        pairs
            .map(|(&batch, prefix)| PromptGroup {
                batch,
                prefix: Some(&**prefix),
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_is_in_one_chunk_and_chunks_are_full() {
        let by_set: Vec<Vec<usize>> = vec![(0..7).collect(), vec![], (7..8).collect(), (8..20).collect()];
        for (size, most) in [(5, usize::MAX), (5, 1), (100, 2), (1, 3)] {
            let chunks = Chunk::of(&by_set, size, most);
            let rows: Vec<usize> = chunks.iter().flat_map(|c| c.rows.iter().copied()).collect();
            assert_eq!(rows, (0..20).collect::<Vec<_>>());
            for (at, chunk) in chunks.iter().enumerate() {
                assert_eq!(chunk.counts.iter().sum::<usize>(), chunk.rows.len());
                assert!(chunk.rows.len() <= size && chunk.sets.len() <= most);
                let last = at + 1 == chunks.len();
                assert!(
                    last || chunk.rows.len() == size || chunk.sets.len() == most,
                    "{chunk:?}"
                );
                let mut rows = chunk.rows.iter();
                for (&set, &count) in chunk.sets.iter().zip(&chunk.counts) {
                    assert!(rows.by_ref().take(count).all(|row| by_set[set].contains(row)));
                }
            }
        }
    }
}
