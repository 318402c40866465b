//! Attention-output autoencoders of Kissane and Krzyzanowski: `{name}.pt` with `W_enc` `[d_in, d_sae]`, `W_dec`, `b_enc`, `b_dec`,
//! and `{name}_cfg.json` with `act_size`, `dict_size` and `act_name`. A plain `relu` on the flattened heads, with the decoder bias
//! subtracted.
//!
//! The configuration is that of the training run; fields that this does not read are reported as unknown, as `SAELens` skips them.

use std::path::Path;

use serde_json::{Map, Value};

use super::source::Source;
use super::tensors::Tensors;
use super::{Loaded, Report, deepseek_r1};
use crate::fields::Fields;
use crate::parts::Parts;
use crate::{Architecture, Metadata, Normalization, Output, Reshape, SaeConfig, SaeError, Sourced, Weights};

pub(super) fn load(source: &Source) -> Result<Loaded, SaeError> {
    let cfg = source.need("_cfg.json")?;
    let (config, mut report) = parse(&cfg.file, cfg.map.clone())?;
    let (d_in, d_sae) = (config.d_in, config.d_sae);
    let mut tensors = Tensors::new(&source.checkpoint, &source.weights, "");
    let encoder = tensors.latent_columns("W_enc", [d_in, d_sae], "encoder")?;
    let decoder = tensors.latent_rows("W_dec", [d_sae, d_in], "decoder")?;
    let vectors = Weights {
        b_enc: tensors.read("b_enc", &[d_sae], "encoder bias")?,
        b_dec: tensors.read("b_dec", &[d_in], "decoder bias")?,
        ..Weights::default()
    };
    report.tensors = tensors.finish("this format has no such tensor", "the file may be of another library")?;
    report.fields.extend(deepseek_r1::no_values(source)?);
    Ok(Loaded {
        config,
        parts: Parts {
            encoder,
            decoder,
            vectors,
        },
        report,
    })
}

/// The configuration in `map`.
pub(super) fn parse(file: &Path, map: Map<String, Value>) -> Result<(SaeConfig, Report), SaeError> {
    let mut fields = Fields::new(file, "", map);
    let mut report = Report {
        configs: vec![file.to_owned()],
        ..Report::default()
    };
    let d_in = fields.positive("act_size", "width of the activations")?;
    let d_sae = fields.positive("dict_size", "number of latents")?;
    let hook = fields.string(
        "act_name",
        "where activations are taken",
        "add it, such as `blocks.0.attn.hook_z`",
    )?;
    let model = fields.optional_string("model_name", "name of the model in reports; its own files decide")?;
    let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let stated = |value: String, field: &str| Sourced::stated(value, format!("field `{field}` of `{name}`"));
    let reshape_activations = if hook.ends_with("hook_z") {
        Reshape::HookZ
    } else {
        Reshape::None
    };
    report.hook_in = Some(stated(hook, "act_name"));
    report.model = model.map(|model| stated(model, "model_name"));
    fields.ignore(
        &[
            "seed",
            "batch_size",
            "buffer_mult",
            "lr",
            "num_tokens",
            "l1_coeff",
            "beta1",
            "beta2",
            "device",
            "wandb_log",
        ],
        super::sae_lens::TRAINING_WHY,
    );
    report.fields = fields.finish_tolerant();
    let config = SaeConfig {
        d_in,
        d_sae,
        architecture: Architecture::Standard,
        apply_b_dec_to_input: true,
        normalize_activations: Normalization::None,
        reshape_activations,
        output: Output::autoencoder(d_in),
        metadata: Metadata::new(),
    };
    Ok((config, report))
}
