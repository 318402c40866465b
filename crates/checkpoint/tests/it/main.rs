//! Integration tests of `checkpoint`, one binary.

mod archive; // Zip: both directories, both methods, and what is refused.
mod build;
mod damaged; // Hostile bytes: every truncation, forged headers, random corruption.
mod json; // Errors that point at line, column and field.
mod mutations; // No format panics, whatever the bytes.
mod numpy; // `.npz` and `.npy` against what NumPy stored.
mod pickles; // Hand-made pickles: hostile shapes, sharing, cycles.
mod round_trip; // Every dtype, both directions against the `safetensors` crate, conversions.
mod sharded; // Folders, shard indexes, content hashes.
mod support;
mod torch; // What PyTorch wrote, against what it meant.
mod write; // Atomic replacement.
