//! What the benches share; results with machine and date are in `README.md` beside this package.
//!
//! Deliberately absent: assertions on time. A bench states what it measured; whether that is good
//! enough is decided where machine and date are known.

mod clock;
mod full_pass;
mod peak;
mod prompts;
mod random_model;
mod random_sae;

pub use clock::{OwnMemory, Spread, peak_rss, timed};
pub use full_pass::FullPass;
pub use model_runner::run_flops;
pub use peak::{bandwidth, peak};
pub use prompts::{Prompts, embedded_model};
pub use random_model::{RandomModel, RandomSae};
pub use random_sae::StreamedSae;
