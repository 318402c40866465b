//! Entry points for fuzzing: they take any bytes, return nothing, and must not panic.

/// Runs the configuration parser of every format on `bytes`, without weights.
pub fn cfg_json(bytes: &[u8]) {
    crate::formats::fuzz_configs(bytes);
}
