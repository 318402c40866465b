//! Result records, row tables, a cache of activations, and atomic files.
//!
//! One *unit* of work (a model, a site, an SAE, a task and a seed) leaves two files behind: a JSON [`Record`] that says what was
//! run and what came out, and beside it the long table of rows from which every number in the record can be computed again.
//!
//! ```text
//! results/
//!   .vernier.lock                                                 held while a process writes here
//!   gpt2__blocks.6.hook_resid_post__res-jb__0f3a5c9d1e77.json      record, written last
//!   gpt2__blocks.6.hook_resid_post__res-jb__0f3a5c9d1e77.rows.csv.zst
//! ```
//!
//! Identity comes from content: the [key](Spec::key) of a record is the hash of everything that can change its answer. File
//! names are for people; a record found by its name is accepted only if its content hashes to the key that was asked for.
//!
//! A file is visible only when it is complete. It is written under a temporary name in the same folder, flushed to the disk and
//! renamed; the record follows its rows. A process that is killed at any moment leaves either a finished unit or no unit.
//!
//! # Architecture invariants
//! - This crate does not link burn and knows nothing about models, SAEs or metrics: names of measurements are plain strings.
//! - Nothing here prints, reads the environment or touches a network.
//! - There is no index or database: the folder is the state. The cache of [`Activations`] can be deleted at any time.

mod atomic;
mod cache;
mod canonical;
mod draft;
mod error;
mod estimate;
mod folder;
#[doc(hidden)]
pub mod fuzz;
mod hash;
mod lock;
mod names;
mod record;
mod results;
mod rows;
mod rows_read;
mod spec;
mod time;
mod warning;
mod writer;

pub use atomic::{AtomicFile, write_atomic};
pub use cache::{Activations, Cached, CachedState, Matrix, Source};
pub use canonical::canonical_json;
pub use draft::Draft;
pub use error::StoreError;
pub use estimate::Estimate;
pub use folder::{Entry, Store};
pub use hash::{Blake3, ParseHashError};
pub use record::{Env, Record, RowsRef, SCHEMA_VERSION, Stage, Status, Timing};
pub use results::{LetterRow, TableRow};
pub use rows::{FinishedRows, RowsWriter};
pub use rows_read::RowsReader;
pub use spec::{ModelSpec, SaeSpec, SiteSpec, Spec};
pub use time::rfc3339;
pub use warning::Warning;
pub use writer::Writer;
