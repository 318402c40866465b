//! The prompts of a dump: token ids of equal or different lengths, and the shape that results have.

use std::path::Path;

use checkpoint::Checkpoint;
use model_runner::{BosChoice, Tokenizer};
use tasks::Tokenize;

use crate::failure;
use crate::token_ids::TokenIds;

/// Token ids of prompts.
pub(super) struct Prompts {
    /// All ids, one prompt after the other.
    ids: Vec<u32>,
    /// Where each prompt starts in `ids`, and the end.
    offsets: Vec<usize>,
    /// Dimensions before the width: `[batch, seq]`, `[seq]` or, for prompts of different lengths, `[tokens]`.
    pub(super) shape: Vec<usize>,
}

impl Prompts {
    /// Ids of a tensor `[batch, seq]` or `[seq]`, as they are: no special token is added.
    pub(super) fn of_tensor(file: &Path, tensor: &str) -> anyhow::Result<Self> {
        let read = TokenIds::read(&Checkpoint::open(file)?, file, tensor)?;
        Ok(Self {
            offsets: (0..=read.batch).map(|prompt| prompt * read.seq).collect(),
            ids: read.ids,
            shape: read.shape,
        })
    }

    /// One prompt per line.
    pub(super) fn of_lines(file: &Path, tokenizer: &Tokenizer, bos: &BosChoice) -> anyhow::Result<Self> {
        let text = fs_err::read_to_string(file).map_err(|error| failure::input(error.to_string()))?;
        let (mut ids, mut offsets) = (Vec::new(), vec![0]);
        for (number, line) in text.lines().enumerate() {
            let before = ids.len();
            ids.extend(bos.id);
            ids.extend(tokenizer.encode(line)?);
            if ids.len() == before {
                return Err(failure::input(format!(
                    "`{}`: line {} is empty\nhint: one prompt per line",
                    file.display(),
                    number + 1
                )));
            }
            offsets.push(ids.len());
        }
        if ids.is_empty() {
            return Err(failure::nothing_selected(format!(
                "`{}` holds no prompt",
                file.display()
            )));
        }
        let shape = vec![ids.len()];
        Ok(Self { ids, offsets, shape })
    }

    /// How many.
    pub(super) fn len(&self) -> usize {
        self.offsets.len() - 1
    }

    /// How many tokens together.
    pub(super) fn tokens(&self) -> usize {
        self.ids.len()
    }

    pub(super) fn ids(&self) -> &[u32] {
        &self.ids
    }

    /// First row of each prompt, and the number of rows.
    pub(super) fn offsets(&self) -> &[usize] {
        &self.offsets
    }

    pub(super) fn prompt(&self, prompt: usize) -> &[u32] {
        &self.ids[self.offsets[prompt]..self.offsets[prompt + 1]]
    }

    /// Whether results have the shape of a tensor of ids.
    pub(super) fn rectangular(&self) -> bool {
        self.shape != [self.ids.len()] || self.len() == 1
    }
}
