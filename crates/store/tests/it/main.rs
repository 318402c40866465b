//! The store from outside.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on stops where it stands")]

/// Kills, damage and tampering.
mod damage;
/// Specs, drafts and rows that the tests share.
mod fixtures;
/// What changes a key and what does not.
mod keys;
/// Locks between processes.
mod locks;
/// Writing, finding, listing and reading.
mod round_trip;
/// Every warning has words and survives a round trip.
mod warnings;
