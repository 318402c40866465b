//! Tables, figures and sentences from result records.
//!
//! Everything that is shown goes through one row model, [`Table`]: terminal, Markdown, CSV, LaTeX and JSON are renderings of the
//! same cells, so that they cannot disagree. A number that is shown carries its interval ([`Cell::Estimate`]); a number that is
//! not there says why ([`Cell::Missing`]) and is never shown as `NaN`. What a paper says stands beside it with its source
//! ([`Published`]). Figures ([`svg`]) are self-contained SVG texts.
//!
//! # Architecture invariants
//! - This crate does not link burn, computes no statistics and runs no model: it is given numbers.
//! - It neither prints nor writes files: every function returns text.
//! - Output depends on the input alone. Width and character set of a terminal are arguments ([`TermOptions`]), not looked up, and
//!   there is no colour in text.

mod csv;
mod error;
mod format;
mod json;
mod latex;
mod markdown;
mod number;
mod plain;
mod published;
mod ratio;
pub mod sentences;
pub mod svg;
mod table;
mod term;

pub use error::ReportError;
pub use format::{Format, render};
pub use published::{Published, Says};
pub use ratio::predicted_and_observed;
pub use table::{Align, Cell, Column, Table};
pub use term::TermOptions;
