//! What an editor does beside removing its letter, and how much depends on choices that the main arms fix.
//!
//! [`text`]: unrelated text, the editor active at every position. [`answers`]: the whole prediction at the answer position, of prompts
//! that ask the same word for something else and, outside the letters, of the first-letter prompts. [`error_term`]: what the SAE's
//! reconstruction leaves out. [`positions`]: the same editors at other sets of positions. All damage is a divergence between the
//! model's unedited and edited predictions over its whole vocabulary, `KL(p_0 || p_E)` in nats, computed in one place.
//!
//! Deliberately absent: what makes an arm (see [`crate::arms`]) and which of these a run measures.

pub mod answers;
mod divergence;
pub mod error_term;
pub mod positions;
pub mod text;
