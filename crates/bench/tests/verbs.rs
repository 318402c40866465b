//! `bench probe` and `bench absorption` as a script meets them: published numbers from given tensors, and refusals.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod verbs {
    pub(crate) mod common;

    mod absorption;
    mod probe;
    mod refusals;
}
