//! Models and SAEs by name: where they lie in the Hugging Face cache, and what to do when they do not.
//!
//! A user writes a path, a hub id such as `google/gemma-2-2b@main`, or a place in a repository such as
//! `google/gemma-scope-2b-pt-res:layer_12/width_16k/average_l0_82`, and may put a glob where a path goes. [`Reference`] is that text
//! taken apart, [`Cache::find`] turns it into files on disk, and [`Resolved`] says where they came from, down to the commit.
//!
//! The order is fixed: **what exists on disk under the text as written wins**; else a text that can only be a path is a path error;
//! else `owner/name` is looked up in the cache. What is cached is used as it is: nobody asks the hub whether a branch has moved, so
//! two runs on one machine see the same files, and a record that holds the commit says which. A glob over a repository therefore sees
//! the files that are cached, which may be fewer than the repository has.
//!
//! Nothing here opens a connection unless the cargo feature `download` is on and a `Downloader` is asked.
//!
//! Deliberately absent: datasets and spaces, writing to the cache (outside `download`), ids without an owner (`gpt2`), and any
//! opinion on what an SAE's tensors mean.

mod cache;
mod command;
mod environment;
mod error;
mod folder;
mod glob;
mod natural;
mod near;
mod reference;
mod resolved;
mod snapshot;
mod wanted;

#[cfg(feature = "download")]
mod download;

pub use cache::Cache;
pub use environment::Environment;
pub use error::HubError;
pub use reference::Reference;
pub use resolved::{Provenance, Resolved};
pub use wanted::Wanted;

#[cfg(feature = "download")]
pub use download::{DownloadError, Downloader, Event};
