//! A cache of activations: matrices that took long to compute, found again by what they were computed from.
//!
//! An [`Activations`] folder holds one file per matrix. Its name is the hash of a [`Source`] (model, site, prompts, number type), so
//! a changed input is another name and nothing is ever stale. A file carries its source, its shape and a hash of its numbers, all
//! checked on every read: a damaged file is an error that names it, never a wrong number. Files are written atomically, so two
//! processes may fill one folder; both write the same bytes.
//!
//! The folder is bounded by size: [`Activations::put`] removes what was used longest ago until there is room. The time of last use
//! is the file's own.
//!
//! Deliberately absent: an index, locks, and any knowledge of models.

mod file;
mod folder;

pub use file::{Matrix, Source};
pub use folder::{Activations, Cached, CachedState};
