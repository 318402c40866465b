//! Integration tests of `checkpoint::hub`, one binary.

#[cfg(feature = "download")]
mod download; // Fetching from a small server on this machine, and what interrupts it.
mod hostile; // Nothing that anybody writes panics or leads out of the folders it should stay in.
mod incomplete; // Snapshots with something missing, and the file that the error names.
mod paths; // Paths, globs over paths, and what wins over an id.
mod resolve; // Revisions, places in a repository, globs over it.
#[cfg(feature = "download")]
mod server;
mod support;
