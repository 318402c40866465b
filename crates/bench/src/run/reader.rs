//! SAEs one at a time, the next one read while the current one is scored.
//!
//! At most two are held: what is being scored, and what waits. Opening an SAE reads all of its values once, to check them, so that a
//! mapped file is in the page cache when its turn comes.

use std::sync::mpsc::{Receiver, sync_channel};

use sae::Sae;

use super::plan::SaeInput;
use crate::dump::OpenArgs;

/// SAEs in the order of a list.
pub(super) struct Reader {
    opened: Receiver<(String, anyhow::Result<Sae>)>,
}

impl Reader {
    /// Begins to read the first.
    pub(super) fn start(inputs: Vec<SaeInput>, open: OpenArgs) -> Self {
        // Without room in the channel the reader holds one until it is taken.
        let (send, opened) = sync_channel(0);
        let read = move || {
            for input in inputs {
                let sae = open.open(&input.path).map(folded);
                // Nobody takes any more: the run has ended.
                if send.send((input.id, sae)).is_err() {
                    break;
                }
            }
        };
        // Without a thread the channel is closed, and `next` says so.
        let _ = std::thread::Builder::new().name("read SAEs".to_owned()).spawn(read);
        Self { opened }
    }

    /// The next SAE of the list, which must be the one of this id.
    pub(super) fn next(&self, id: &str) -> anyhow::Result<Sae> {
        let (found, sae) = self
            .opened
            .recv()
            .map_err(|_| anyhow::anyhow!("the thread that reads SAEs ended before `{id}`"))?;
        anyhow::ensure!(found == id, "read `{found}` where `{id}` was expected");
        sae
    }
}

/// Effects do not depend on the decoder's length, but activations and cosines are read beside each other, so norms are folded where
/// that is legal; where it is not and they are off, the absorption shares are off by as much, and the record says so.
fn folded(opened: Sae) -> Sae {
    opened.fold_decoder_norms().unwrap_or(opened)
}
