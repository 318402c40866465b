//! How much memory the parts of a run may take.

/// A memory budget in bytes, shared out among what a run keeps. No result depends on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    bytes: usize,
}

impl Default for Budget {
    /// 8 GiB.
    fn default() -> Self {
        Self::of(8 << 30)
    }
}

impl Budget {
    /// Of so many bytes.
    #[must_use]
    pub fn of(bytes: u64) -> Self {
        Self {
            bytes: usize::try_from(bytes).unwrap_or(usize::MAX),
        }
    }

    /// For layers that are widened to f32 and kept; larger ones stay in their files.
    #[must_use]
    pub fn weights(self) -> u64 {
        (self.bytes / 4) as u64
    }

    /// For the keys and values of all example sets; where they are larger, each chunk runs its own.
    #[must_use]
    pub fn prefixes(self) -> usize {
        self.bytes / 4
    }

    /// For the keys and values that one chunk runs itself; every thread has a chunk.
    #[must_use]
    pub fn chunk_prefixes(self) -> usize {
        self.bytes / 16 / rayon::current_num_threads().max(1)
    }

    /// Prompts of which the whole suffix is held before it is cut to the word: `row` bytes each.
    #[must_use]
    pub fn captured(self, row: usize) -> usize {
        (self.bytes / 16 / row.max(1)).max(1)
    }

    /// Edited vectors that are held at once: `row` bytes each.
    #[must_use]
    pub fn edits(self, row: usize) -> usize {
        (self.bytes / 32 / row.max(1)).clamp(1, MOST_EDITS)
    }
}

/// More edits at once fill no thread better.
const MOST_EDITS: usize = 1 << 14;
