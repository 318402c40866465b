//! `SAELens` before 6: a flat `cfg.json`, from the first releases to 5.
//!
//! Names and defaults changed between releases; they are migrated here as `SAELens` 6 does on reading. Files of the first releases
//! hold the whole configuration of the training run, which that reader skips; so do we, and every skipped field is reported.
//!
//! One difference: a factor of fine-tuning that is not all ones is folded into the decoder, as the releases that wrote it applied
//! it, while `SAELens` 6 leaves it out.

use std::path::Path;

use serde_json::{Map, Value};

use super::sae_lens::{self, Parsed, TRAINING, TRAINING_WHY, Threshold};
use super::source::Source;
use super::{Loaded, Report};
use crate::fields::Fields;
use crate::{Architecture, Metadata, Normalization, OpenOptions, Output, Reshape, SaeConfig, SaeError, Sourced};

/// Fields that describe, and that `SAELens` 6 keeps as metadata.
const KEPT: [&str; 8] = [
    "context_size",
    "prepend_bos",
    "dataset_path",
    "neuronpedia_id",
    "sae_lens_training_version",
    "exclude_special_tokens",
    "seqpos_slice",
    "model_class_name",
];

/// The number before the first dot.
pub(super) fn major(version: &str) -> Option<u32> {
    version.split('.').next()?.parse().ok()
}

pub(super) fn load(source: &Source, options: &OpenOptions) -> Result<Loaded, SaeError> {
    let cfg = source.need("cfg.json")?;
    let parsed = parse(&cfg.file, cfg.map.clone())?;
    sae_lens::load(source, options, parsed)
}

/// The configuration in `map`.
pub(super) fn parse(file: &Path, map: Map<String, Value>) -> Result<Parsed, SaeError> {
    let mut fields = Fields::new(file, "", rename(file, map)?);
    let mut report = Report {
        configs: vec![file.to_owned()],
        ..Report::default()
    };
    if let Some(value) = fields.used("metadata", "checked: files before version 6 have none") {
        let hint = "load the autoencoder with SAELens 6 and save it again";
        return Err(fields.refuse(
            "metadata",
            &value,
            "files before version 6 have none, and no version of 6 is named",
            hint,
        ));
    }
    report.version = fields.optional_string("sae_lens_version", "which layout this is")?;
    let mut metadata = Metadata::new();
    let hint = "add it, such as `blocks.8.hook_resid_pre`";
    let hook = fields.string("hook_name", "where activations are taken", hint)?;
    let model = fields.optional_string("model_name", "name of the model in reports; its own files decide")?;
    let stated = |value: String, field: &str| Sourced::stated(value, format!("field `{field}` of `cfg.json`"));
    report.model = model.map(|model| stated(model, "model_name"));
    let d_in = fields.positive("d_in", "width of the activations")?;
    let d_sae = fields.positive("d_sae", "number of latents")?;
    sae_lens::dtype(&mut fields, false)?;
    sae_lens::no_head(&mut fields, "hook_head_index")?;
    sae_lens::model_as_stored(&mut fields)?;
    let architecture = read_architecture(&mut fields)?;
    report.declared_l0 = sae_lens::k_of(architecture, "field `activation_fn_kwargs.k` of `cfg.json`");
    let apply_b_dec_to_input = fields.boolean(
        "apply_b_dec_to_input",
        Some(true),
        "whether the decoder bias is subtracted before encoding",
    )?;
    let (normalize_activations, scaled) = read_normalization(&mut fields)?;
    let reshape_activations = read_reshape(&mut fields, &hook)?;
    report.hook_in = Some(stated(hook, "hook_name"));
    let finetuned = fields.boolean(
        "finetuning_scaling_factor",
        Some(false),
        "whether a stored factor multiplies the decoder rows",
    )?;
    for field in KEPT {
        if let Some(value) = fields.ignored(field, "provenance: kept, not acted on") {
            metadata.set(field, value);
        }
    }
    fields.ignore(&["hook_layer", "hook_point_layer"], "the hook's name says it");
    fields.ignored("device", "where the weights were when they were saved");
    fields.ignore(&TRAINING, TRAINING_WHY);
    fields.ignore(&TRAINING_RUN, TRAINING_WHY);
    report.fields = fields.finish_tolerant();
    let config = SaeConfig {
        d_in,
        d_sae,
        architecture,
        apply_b_dec_to_input,
        normalize_activations,
        reshape_activations,
        output: Output::autoencoder(d_in),
        metadata,
    };
    crate::sae::check_config(&config).map_err(|error| super::in_file(error, Some(&file.to_owned()), file))?;
    Ok(Parsed {
        config,
        report,
        threshold: Threshold::PerLatent,
        finetuned,
        scaled,
    })
}

/// Settings of training runs, as the first releases saved them with the autoencoder.
const TRAINING_RUN: [&str; 24] = [
    "dataset_trust_remote_code",
    "is_dataset_tokenized",
    "use_cached_activations",
    "cached_activations_path",
    "n_batches_in_buffer",
    "total_training_tokens",
    "training_tokens",
    "store_batch_size",
    "train_batch_size",
    "seed",
    "b_dec_init_method",
    "expansion_factor",
    "from_pretrained_path",
    "lr",
    "lr_scheduler_name",
    "lr_warm_up_steps",
    "use_ghost_grads",
    "feature_sampling_window",
    "dead_feature_window",
    "dead_feature_threshold",
    "log_to_wandb",
    "wandb_project",
    "checkpoint_path",
    "n_checkpoints",
];

/// Old names become new ones; both at once contradict each other.
fn rename(file: &Path, map: Map<String, Value>) -> Result<Map<String, Value>, SaeError> {
    let mut out = Map::new();
    for (field, value) in map {
        let name = match field.as_str() {
            "hook_point" => "hook_name",
            "hook_point_head_index" => "hook_head_index",
            "activation_fn_str" => "activation_fn",
            other => other,
        };
        let before = out.insert(name.to_owned(), value.clone());
        if before.is_some_and(|before| before != value) {
            let reason = format!("it is another name of `{name}`, which has another value");
            return Err(Fields::new(file, "", Map::new()).refuse(&field, &value, &reason, "keep one of them"));
        }
    }
    Ok(out)
}

fn read_architecture(fields: &mut Fields) -> Result<Architecture, SaeError> {
    let how = "how pre-activations become latents";
    let name = fields.string_or("architecture", "standard", how)?;
    let activation = fields.string_or("activation_fn", "relu", how)?;
    let k = read_k(fields, activation == "topk")?;
    if activation != "topk" && k.is_some() {
        // Read as `relu`, such a file gives latents that look right and are not.
        let reason = "`activation_fn_kwargs.k` is for `topk`";
        return Err(fields.refuse(
            "activation_fn",
            &activation.into(),
            reason,
            "write `topk`, or remove `k`",
        ));
    }
    let refuse_activation = || {
        let reason = format!("architecture `{name}` with this activation is not computed by this program");
        let value = Value::from(activation.as_str());
        Err(fields.refuse(
            "activation_fn",
            &value,
            &reason,
            "use `relu`, or `topk` with `standard` or `topk`",
        ))
    };
    match (name.as_str(), activation.as_str()) {
        ("standard" | "topk", "topk") => {}
        ("standard", "relu") => return Ok(Architecture::Standard),
        ("gated", "relu") => return Ok(Architecture::Gated),
        ("jumprelu", "relu") => return Ok(Architecture::JumpRelu),
        ("standard" | "gated" | "jumprelu" | "topk", _) => return refuse_activation(),
        _ => {
            let reason = "this program does not compute this architecture";
            let hint = "use `standard`, `gated`, `jumprelu` or `topk`";
            return Err(fields.refuse("architecture", &name.into(), reason, hint));
        }
    }
    let k = k.ok_or_else(|| fields.missing("activation_fn_kwargs.k", "add it: a positive integer"))?;
    Ok(Architecture::TopK {
        k,
        rescale_acts_by_decoder_norm: false,
    })
}

/// `k` of the activation's arguments.
fn read_k(fields: &mut Fields, top_k: bool) -> Result<Option<usize>, SaeError> {
    let Some(mut kwargs) = fields.object("activation_fn_kwargs", "write `{\"k\": 32}`")? else {
        return Ok(None);
    };
    let k = kwargs.optional_positive(
        "k",
        if top_k {
            "latents kept per row"
        } else {
            "no meaning without top-k"
        },
    )?;
    if let Some(value) = kwargs
        .used("signed", "checked: only positive latents are kept")
        .filter(|value| value != &Value::Bool(false))
    {
        let hint = "use it with the library that trained it";
        return Err(kwargs.refuse(
            "signed",
            &value,
            "SAELens reads signed top-k as plain top-k, which it is not",
            hint,
        ));
    }
    fields.absorb(
        kwargs.finish("if it changes what the activation computes this program cannot use it; else remove it")?,
    );
    Ok(k)
}

fn read_normalization(fields: &mut Fields) -> Result<(Normalization, bool), SaeError> {
    let field = "normalize_activations";
    match fields.peek(field) {
        None | Some(Value::Null | Value::Bool(false)) => {
            if fields.used(field, "false: no normalisation").is_none() {
                fields.defaulted(field, "none", "what happens to a row before encoding");
            }
            Ok((Normalization::None, false))
        }
        Some(Value::Bool(true)) => {
            fields.used(field, "true: `expected_average_only_in`");
            Ok((Normalization::None, true))
        }
        Some(_) => super::sae_lens_6::read_normalization(fields),
    }
}

fn read_reshape(fields: &mut Fields, hook: &str) -> Result<Reshape, SaeError> {
    let how = "how the model's activations become rows";
    let value = fields.optional_string("reshape_activations", how)?;
    match value.as_deref() {
        None if hook.contains("hook_z") => Ok(Reshape::HookZ),
        None | Some("none") => Ok(Reshape::None),
        Some("hook_z") => Ok(Reshape::HookZ),
        Some(other) => Err(fields.refuse(
            "reshape_activations",
            &other.into(),
            "this program knows no such reshaping",
            "use `none` or `hook_z`",
        )),
    }
}
