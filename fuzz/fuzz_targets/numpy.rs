//! Bytes as a `NumPy` array, and as an archive of them.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    checkpoint::fuzz::npy(bytes);
    checkpoint::fuzz::npz(bytes);
});
