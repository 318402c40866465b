//! Integration tests of `checkpoint`, one binary.

mod damaged; // Hostile bytes: every truncation, forged headers, random corruption.
mod json; // Errors that point at line, column and field.
mod round_trip; // Every dtype, both directions against the `safetensors` crate, conversions.
mod sharded; // Folders, shard indexes, content hashes.
mod support;
mod write; // Atomic replacement.
