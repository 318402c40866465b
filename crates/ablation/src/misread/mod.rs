//! The measurement-error view: a set of latents as a noisy instrument that reads the letter.
//!
//! A latent that should stand for a letter misses some of its words and fires on others. If misses fell on words at random, the
//! classical corrections of a misclassified variable would turn what the latent does into what the letter does
//! ([`attenuated`], [`wald`]). Absorption makes misses depend on the word, and then they do not; [`differential`] tests that.
//! What holds without any such assumption is the accounting word by word: how much of what a linear read finds of the letter in
//! a vector is carried by the set ([`readings`], [`reliability`]), and what that predicts of its effect.
//!
//! Everything here works on plain numbers and runs no model.
//!
//! Deliberately absent: parts of the read beyond the set (absorbing latents, the SAE's error), which the gap accounting
//! divides, and corrections of measured effects: no score of this benchmark is corrected by any of these numbers.

mod capture;
mod detect;
mod differential;
mod instrument;

pub use capture::{Agreement, Reading, Reliability, agreement, readings, reliability};
pub use detect::{Detection, detect};
pub use differential::{Covariate, Differential, MIN_VARYING, WordOutcome, differential};
pub use instrument::{Wald, attenuated, wald};
