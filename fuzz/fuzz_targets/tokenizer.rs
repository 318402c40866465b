//! Bytes as a `tokenizer.json`.

#![no_main]

use std::panic;

libfuzzer_sys::fuzz_target!(
    init: {
        // The hook of libFuzzer's binding ends the process at every panic, also at those of the crate `tokenizers` that
        // `model-runner` contains. Without it a panic that nobody catches still ends the process.
        panic::set_hook(Box::new(|_| {}));
    },
    |bytes: &[u8]| vernier_fuzz::fuzz::tokenizer_json(bytes)
);
