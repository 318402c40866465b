//! Detection tools against the released code of Chanin et al. 2025.
//!
//! `tests/golden/synthetic` was computed by `sae-spelling` (`PyTorch` 2.2.2, scikit-learn 1.5.1)
//! on made-up activations; `SAEBench` 0.6 gives the same numbers up to rounding.

mod golden;
mod ksparse;
mod scores;
mod sgd;
