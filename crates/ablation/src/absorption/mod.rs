//! Absorption in every published definition, from plain data: activations, cosines, attributions.
//!
//! A word's letter is absorbed if the probe finds the letter, the SAE's main latents of that letter
//! do not carry it, and another latent does. The definitions differ in what "carry" means:
//!
//! | module | what decides | source |
//! |---|---|---|
//! | [`chanin`] | effect on the letter's logit, from attributions | Chanin et al. 2025, section 5 |
//! | [`saebench`] | share of the projection on the probe; yes or no, and a fraction | `SAEBench` 0.6.0 and 0.3.2 |
//! | [`variants`] | true share of the projection, several absorbers, weak main latents | Chanin et al. 2025, A.13 |
//!
//! [`Word`] is what the last two read of a word; [`schema`] is the result file of `SAEBench`;
//! [`companions`] are the numbers without which a low absorption score says nothing: an SAE
//! whose main latents never fire on the letter, or which was never trained, scores low too.
//!
//! Deliberately absent: models, prompts, attributions, probes and the choice of main latents
//! ([`linear_probe::ksparse`]). Lower is better everywhere; nothing here is turned into `1 - x`.

pub mod chanin;
pub mod companions;
mod error;
mod full;
pub mod saebench;
pub mod schema;
pub mod variants;
mod word;

pub use error::AbsorptionError;
pub use full::{Absorber, MIN_COSINE, MIN_SHARE, decoder_cosines, full_absorption};
pub use word::{Accounting, Along, Entry, Word, decoder_along};

/// Below this magnitude a latent counts as silent, in both released implementations. Magnitude, so
/// that a strongly negative activation of a signed SAE counts as firing; the first releases
/// compared the signed value, which is the same for every SAE that they were made for.
pub const SILENT: f64 = 1e-8;
