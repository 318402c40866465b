//! Token ids from a tensor of a file: what prompts, measured text and inspected activations begin with.

use std::path::Path;

use anyhow::Context;
use checkpoint::Checkpoint;

use crate::failure;

/// Rows of token ids, all of one length.
pub(crate) struct TokenIds {
    /// `[batch, seq]`, row after row.
    pub(crate) ids: Vec<u32>,
    /// Rows.
    pub(crate) batch: usize,
    /// Length of a row.
    pub(crate) seq: usize,
    /// The tensor's own shape: `[batch, seq]` or `[seq]`.
    pub(crate) shape: Vec<usize>,
}

impl TokenIds {
    /// Reads a tensor `[batch, seq]` or `[seq]`, as it is: no special token is added.
    pub(crate) fn read(checkpoint: &Checkpoint, file: &Path, tensor: &str) -> anyhow::Result<Self> {
        let view = checkpoint.get(tensor)?;
        let (batch, seq) = match *view.shape {
            [batch, seq] => (batch, seq),
            [seq] => (1, seq),
            _ => {
                return Err(failure::input(format!(
                    "`{}`: tensor `{tensor}` has shape {:?}; token ids are [batch, seq] or [seq]",
                    file.display(),
                    view.shape
                )));
            }
        };
        if batch == 0 || seq == 0 {
            return Err(failure::nothing_selected(format!(
                "`{}`: tensor `{tensor}` holds no token",
                file.display()
            )));
        }
        let ids = view
            .to_i64()?
            .into_iter()
            .map(u32::try_from)
            .collect::<Result<_, _>>()
            .with_context(|| {
                format!(
                    "`{}`: tensor `{tensor}` holds a negative or too large token id",
                    file.display()
                )
            })?;
        Ok(Self {
            ids,
            batch,
            seq,
            shape: view.shape.to_vec(),
        })
    }

    /// The rows.
    pub(crate) fn rows(&self) -> impl Iterator<Item = &[u32]> {
        self.ids.chunks(self.seq)
    }
}
