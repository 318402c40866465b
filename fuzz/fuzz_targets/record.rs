//! Bytes as the JSON file of one unit.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| store::fuzz::record(bytes));
