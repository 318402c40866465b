//! Training of the small embedded model, and of its tokenizer.

mod adamw;
mod head;
mod lm;
mod tokenizer;

pub use adamw::AdamW;
pub use lm::{LmSettings, LmTrainer, StepReport};
pub use tokenizer::{TokenizerPlan, train_tokenizer};
