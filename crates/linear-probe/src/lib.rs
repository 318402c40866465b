//! Linear directions that read a label: logistic regression, mean difference, LEACE.
//!
//! Everything takes a [`Design`] (a checked view of `[n, d]` f32 activations) and [`Labels`] (one
//! class per row, for first letters 26 classes) and computes in f64 unless said otherwise:
//!
//! - [`fit_logistic`], [`fit_with_validation`]: one-vs-rest logistic regressions, all classes at
//!   once; the detection probe of Chanin et al. 2024 with a converged optimiser;
//! - [`diff_of_means`]: `mu_c - mu_notc`;
//! - [`Leace`]: closed-form erasure (Belrose et al. 2023), rank one per class or joint; the
//!   reference editor of the benchmark;
//! - [`Spectrum`]: principal components and Mahalanobis lengths; [`inlp`]: iterative nullspace projection;
//! - [`metrics`]: F1, precision, recall and ROC-AUC per class;
//! - [`sgd`], [`ksparse`], [`scores`]: the probes of Chanin et al. 2025 as their released code
//!   trains and scores them, on activations or on sparse latents ([`SparseRows`]), in f32;
//! - [`cosine`]: the latents whose encoder points along a probe;
//! - [`latent`]: the best single-threshold F1 of one sparse latent, for choosing latents.
//!
//! # Invariants
//! - No burn, no file, no printing; randomness only from a seed that the caller passes.
//! - Activations are never copied whole: each thread converts one block of rows to f64 at a time.
//!   Besides moments (`[d, d]`) only logits (`[n, n_classes]`) are held, so `n = 120,000`,
//!   `d = 2,304` fits.
//! - Row blocks are fixed by the shape and reduced in order: the thread count does not enter a
//!   row sum. Dense decompositions may differ between thread counts in their last digits.
//!
//! Deliberately absent: multinomial logistic regression (the paper's letters are independent
//! one-vs-rest problems), encoding, and any knowledge of models or SAEs.

pub mod cosine;
pub mod inlp;
pub mod ksparse;
pub mod latent;
pub mod metrics;
pub mod scores;
pub mod sgd;

mod blocks;
mod design;
mod diff_of_means;
mod error;
mod labels;
mod lbfgs;
mod leace;
mod line_search;
mod logistic;
mod moments;
mod objective;
mod rows;
mod solver;
mod spectrum;
mod validation;
mod whitening;

pub use design::Design;
pub use diff_of_means::{DiffOfMeans, diff_of_means};
pub use error::ProbeError;
pub use labels::Labels;
pub use lbfgs::{ClassOutcome, Stop};
pub use leace::Leace;
pub use logistic::{
    ClassWeight, DEFAULT_MAX_ITERATIONS, DEFAULT_TOLERANCE, LogisticConfig, LogisticFit, LogisticProbe, fit_logistic,
};
pub use moments::{Moments, Shrinkage};
pub use rows::{Rows, SparseRows};
pub use sgd::{SgdConfig, SgdProbe};
pub use spectrum::Spectrum;
pub use validation::{C_GRID, Candidate, ValidatedFit, Validation, fit_with_validation};
