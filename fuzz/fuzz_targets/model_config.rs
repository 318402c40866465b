//! Bytes as a model's `config.json`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| vernier_fuzz::fuzz::config_json(bytes));
