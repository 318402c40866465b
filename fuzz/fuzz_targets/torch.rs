//! Bytes as an archive of `torch.save`, and as the pickle inside one.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| checkpoint::fuzz::torch(bytes));
