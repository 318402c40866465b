//! Bytes as the configuration of an SAE, in every format.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| sae::fuzz::cfg_json(bytes));
