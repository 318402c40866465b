//! Bytes as a model's `config.json`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| model_runner::fuzz::config_json(bytes));
