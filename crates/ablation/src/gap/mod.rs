//! Gap accounting: where the letter goes that a set of SAE latents does not carry.
//!
//! A [`Reference`] reads a class from the vector and writes it back along one line. [`Accounting`] divides its read of every word
//! exactly among groups of latents ([`Partition`]) and the SAE's error: the main latent, latents that split the class, latents
//! that absorb it, all others, what thresholds cut off, and what no latent carries. [`measure_effects`] divides the gap of
//! mediated shares between reading and writing with edits, and the read part among the same groups ([`GapTerms`]);
//! [`shapley_check`] divides it again by brute force; [`Absorbed`] gives the two absorption numbers; [`diagnose`] names the cause.
//!
//! Everything takes plain vectors, latents and a [`crate::Readout`], so that planted truths run the code that measures models.
//! Deliberately absent: choosing main latents (see [`crate::select`]), statistics over letters, and tables.

mod absorbed;
mod alignment;
mod diagnosis;
mod effects;
mod line;
mod partition;
mod read;
mod reference;
mod sequence;
mod shapley;
mod terms;

pub use absorbed::Absorbed;
pub use diagnosis::{Cause, Curve, Diagnosis, Rule, Symptoms, diagnose};
pub use effects::{COLUMNS, ClassEffects, MOST_WRITE, WordEffects, WriteOrder, measure_effects};
pub use partition::{Config, Groups, Partition};
pub use read::{Accounting, WordRead, shares};
pub use reference::Reference;
pub use sequence::{STEPS, sequence};
pub use shapley::{ClassShapley, shapley_check};
pub use terms::{GapTerms, Terms};
