//! What "A is for Absorption" (Chanin et al. 2025) measures of one SAE, in the order in which it is needed.
//!
//! [`Detection`] finds which latents stand for a letter and how well they tell it; [`measure`] asks on new prompts which words
//! lose their letter to another latent, in every published definition; [`random_like`] is the SAE that learnt nothing and is
//! scored in the same way, since a low absorption score alone says nothing.
//!
//! Deliberately absent: prompts, captures and probes, which the caller makes once for all SAEs of a layer, and the aggregates
//! and tables, which are made from these results alone.

mod control;
mod detection;
mod example;
mod measure;

pub use control::random_like;
pub use detection::{
    DecoderCosines, Detection, KPoint, KSparseLetter, Material, SingleLatent, rank_latents, sparse_rows,
};
pub use example::{Example, Neighbour, example};
pub use measure::{Attributed, Found, LetterCounts, MANY_STEPS, PathCheck, Settings, Words, measure};
