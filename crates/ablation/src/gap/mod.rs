//! Gap accounting: where the letter goes that a set of SAE latents does not carry.
//!
//! A [`Reference`] reads a class from the vector and writes it back along one line. [`Accounting`] divides its read of every word
//! exactly among groups of latents ([`Partition`]) and the SAE's error: the main latent, latents that split the class,
//! latents that absorb it, all others, what thresholds cut off, and what no latent carries. [`causal`] divides the gap of
//! mediated shares by the same groups with edits, [`shapley`] checks that division, [`edits`] gives the two absorption numbers,
//! and [`diagnosis`] names the cause.
//!
//! Everything takes plain vectors, latents and a [`crate::Readout`], so that planted truths run the code that measures models.
//! Deliberately absent: choosing main latents (see [`crate::select`]), statistics over letters, and words for a terminal.

mod alignment;
mod partition;
mod read;
mod reference;
mod terms;

pub use partition::{Config, Groups, Partition};
pub use read::{Accounting, WordRead, shares};
pub use reference::Reference;
pub use terms::Terms;
