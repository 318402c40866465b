//! `bench cache`, and what runs ask the cache of activations.
//!
//! Kept are the site vectors of train and test words: what every further call on the same model, site and prompts would compute
//! again. Captures that take a moment are not kept; nothing on the shipped model is.
//!
//! Deliberately absent: key/value caches of examples and the streams that edits start from. They are larger than what they save.

mod place;
mod verb;

pub(crate) use place::{ENGINE, Place};
pub(crate) use verb::{CacheArgs, cache};
