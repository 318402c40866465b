//! Editors of one residual vector, their effects, and the mediated share.
//!
//! A [`Stage`] holds prompts ready for partial runs, a [`Readout`] answers for vectors at the site; an [`Editor`] says what is changed at the
//! query word; an [`Arm`] is one editor per letter; a [`Bench`] applies arms to words and
//! [`score`] turns the effects into scores. Latents are chosen in [`select`], on train words.
//!
//! Invariants: opens no file and prints nothing; an edit that cannot apply is an error before
//! anything runs; an edit of exactly zero has exactly no effect.

pub mod absorption;
pub mod arms;
pub mod attribution;
mod chunk;
pub mod das;
mod directions;
pub mod dose;
mod editor;
pub mod effects;
pub mod efficiency;
mod error;
pub mod gap;
pub mod label_free;
pub mod layers;
mod measure;
pub mod misread;
pub mod paper;
pub mod planted;
mod prefixes;
mod readout;
mod remembered;
pub mod rewrite;
mod score;
pub mod select;
pub mod side;
mod stage;

pub use arms::{Arm, SaeSide};
pub use directions::{Directions, Labelled};
pub use editor::{Editor, Reader, Subject, Term};
pub use error::{AblationError, Result};
pub use measure::{Bench, EffectRow, Measured, Pair};
pub use readout::{Captured, Readout};
pub use remembered::Remembered;
pub use score::{ClassScore, MIN_CEILING, ScoreRows, Scored, mediated_shares, score, scores_of_sums};
pub use stage::{Capture, Item, Stage};
