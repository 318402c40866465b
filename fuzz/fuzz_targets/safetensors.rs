//! Bytes as a safetensors file.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| checkpoint::fuzz::safetensors(bytes));
