//! Every configuration parser of every format on the same bytes, without weights.

use std::path::Path;

use serde_json::Value;

use super::{
    attention_hook_z, dictionary_learning, gemma_scope_2, openmoss, sae_lens_6, sae_lens_flat, source, sparsify,
};

/// Parses `bytes` as the configuration of each format; what comes of it does not matter.
pub(crate) fn configs(bytes: &[u8]) {
    let Ok(value) = serde_json::from_slice::<Value>(bytes) else {
        return;
    };
    let file = Path::new("cfg.json");
    let Ok(map) = source::object(file, value) else {
        return;
    };
    drop(sae_lens_6::parse(file, map.clone()));
    drop(sae_lens_flat::parse(file, map.clone()));
    drop(gemma_scope_2::parse(file, map.clone()));
    drop(dictionary_learning::parse(file, map.clone()));
    drop(sparsify::parse(file, map.clone()));
    drop(openmoss::parse(file, map.clone()));
    drop(attention_hook_z::parse(file, map));
}
