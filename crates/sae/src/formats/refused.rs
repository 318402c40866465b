//! Checkpoints that are known by name and not computed, each with its reason, and hints for files that nobody knows.

use super::source::Source;
use crate::SaeError;

/// Refuses what is known not to fit rows of one place of a model.
pub(super) fn check(source: &Source) -> Result<(), SaeError> {
    let names: Vec<&str> = source.checkpoint.names().collect();
    let refuse = |what: &str, reason: &str, hint: &str| {
        Err(SaeError::Unsupported {
            path: source.weights.clone(),
            what: what.to_owned(),
            reason: reason.to_owned(),
            hint: hint.to_owned(),
        })
    };
    let numbered = |name: &&str, prefix: &str| {
        name.strip_prefix(prefix)
            .is_some_and(|rest| !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_digit()))
    };
    if names
        .iter()
        .any(|name| numbered(name, "W_enc_") || numbered(name, "W_dec_"))
    {
        return refuse(
            "a cross-layer transcoder",
            "each of its latents writes to many layers, and this program decodes to one place",
            "use an autoencoder or a transcoder of one layer",
        );
    }
    if names.iter().any(|name| name.starts_with("attn_layers.")) {
        return refuse(
            "a temporal autoencoder",
            "its latents depend on other positions, and this program encodes rows",
            "use it with SAELens",
        );
    }
    for name in [
        "encoder.weight",
        "decoder.weight",
        "W_enc",
        "W_dec",
        "w_enc",
        "w_dec",
        "W_E",
        "W_D",
    ] {
        if let Ok(view) = source.checkpoint.get(name)
            && view.shape.len() > 2
            && !view.shape.contains(&1)
        {
            let reason = format!("`{name}` has shape {:?}: one matrix per layer", view.shape);
            return refuse(
                "a crosscoder or cross-layer transcoder",
                &reason,
                "use an autoencoder or a transcoder of one layer",
            );
        }
    }
    if names
        .iter()
        .any(|name| name.starts_with("W_Q") || name.starts_with("W_O"))
        && source.config("config.json").is_some()
    {
        return refuse(
            "a sparse replacement of attention",
            "its latents depend on other positions, and this program encodes rows",
            "use it with the library that trained it",
        );
    }
    Ok(())
}

/// The likely way out for files that fit no format.
pub(super) fn hint(source: &Source) -> String {
    let has = |name: &str| source.checkpoint.contains(name);
    if source.is_safetensors() && has("W_enc") && source.config("cfg.json").is_none() {
        "these look like SAELens weights: fetch the `cfg.json` that belongs beside them".to_owned()
    } else if source.is_safetensors() && has("encoder.weight") && !source.has_config() {
        "the configuration is missing: fetch the `cfg.json`, `config.json` or `hyperparams.json` that belongs beside it"
            .to_owned()
    } else if source.is_torch() && source.config("config.json").is_some() {
        "`config.json` has no `trainer`, which dictionary_learning writes".to_owned()
    } else if source.is_torch() && has("W_enc") {
        "the orientation of `W_enc` is that of an autoencoder with a configuration, such as `{name}_cfg.json`: fetch it"
            .to_owned()
    } else {
        "name the folder of one autoencoder with all its files, or the format".to_owned()
    }
}
