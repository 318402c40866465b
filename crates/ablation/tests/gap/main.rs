//! The accounting of gaps against planted truths and exact identities.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod causes;
mod delta;
mod identity;
mod made;
mod planted;
