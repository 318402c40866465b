//! The CPU engine: forward passes by parts on plain `f32` slices.
//!
//! Why not tensors of the array library: a small model's pass through them spends four fifths of
//! its time in page faults, temporary copies and scalar `exp`/`tanh`. Here one chunk of prompts
//! runs through all asked layers on one thread with reused buffers, so that it stays in that
//! core's cache, and as many chunks run at once as there are threads. The array library remains
//! the engine for gradients, training and other devices (`crate::plain`); tests hold the two
//! equal.

mod attention;
mod layer;
mod prefix;
mod rope;

pub(crate) use layer::{LayerGroup, LayerRun, Tap, Workspace};
pub use prefix::PrefixCache;
pub(crate) use prefix::PrefixLayer;
pub(crate) use rope::RopeTable;
