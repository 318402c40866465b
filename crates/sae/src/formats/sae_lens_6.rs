//! `SAELens` 6: `cfg.json` in and out.
//!
//! Every field is used, known to be irrelevant to the numbers (`device`, settings of training), or refused with its name and value:
//! a normalisation or a rescaling that is silently dropped gives latents that look right and are not. The `metadata` object
//! describes and is kept whole; those of its fields that would change a number are checked.
//!
//! Training checkpoints are read where inference is defined: the ones that `save_inference_model` would only rename or convert.

use std::path::Path;

use serde_json::{Map, Value, json};

use super::sae_lens::{self, Parsed, TRAINING, TRAINING_WHY, Threshold};
use super::source::Source;
use super::{Loaded, Report};
use crate::fields::Fields;
use crate::{
    Architecture, Metadata, Normalization, NoteKind, OpenOptions, Output, Reshape, SaeConfig, SaeError, Sourced,
};

/// Version of `SAELens` whose layout is written.
const FORMAT_VERSION: &str = "6.0.0";
const CONVERT: &str = "load the autoencoder with SAELens 6 and save it again with `save_inference_model`";

pub(super) fn load(source: &Source, options: &OpenOptions) -> Result<Loaded, SaeError> {
    let cfg = source.need("cfg.json")?;
    let parsed = parse(&cfg.file, cfg.map.clone())?;
    sae_lens::load(source, options, parsed)
}

/// The configuration in `map`.
pub(super) fn parse(file: &Path, map: Map<String, Value>) -> Result<Parsed, SaeError> {
    let mut fields = Fields::new(file, "", map);
    let mut report = Report {
        configs: vec![file.to_owned()],
        ..Report::default()
    };
    let metadata = read_metadata(&mut fields, &mut report)?;
    let d_in = fields.positive("d_in", "width of the activations")?;
    let d_sae = fields.positive("d_sae", "number of latents")?;
    sae_lens::dtype(&mut fields, true)?;
    fields.ignored("device", "where the weights were when they were saved");
    let reshape_activations = read_reshape(&mut fields)?;
    let target = fields.peek("k").and_then(Value::as_f64);
    let (architecture, output, threshold) = sae_lens::architecture(&mut fields, d_in)?;
    let k = "field `k` of `cfg.json`";
    report.declared_l0 = sae_lens::k_of(architecture, k)
        .or_else(|| declared(&metadata))
        .or_else(|| {
            let target = target.filter(|_| matches!(threshold, Threshold::Running { .. }))?;
            Some(Sourced::stated(target, format!("{k}, the target of training")))
        });
    if output.transcoder {
        let hook = metadata.get("hook_name_out").and_then(Value::as_str);
        report.hook_out =
            hook.map(|hook| Sourced::stated(hook.to_owned(), "field `metadata.hook_name_out` of `cfg.json`"));
    } else if let (Some(out), hook) = (metadata.get("hook_name_out"), metadata.get("hook_name"))
        && Some(out) != hook
    {
        return Err(Fields::new(file, "metadata.", Map::new()).refuse(
            "hook_name_out",
            out,
            "it reads one hook and writes another, and the architecture is not one of a transcoder",
            "correct `architecture`, or remove it",
        ));
    }
    let apply_b_dec_to_input = fields.boolean(
        "apply_b_dec_to_input",
        None,
        "whether the decoder bias is subtracted before encoding",
    )?;
    let (normalize_activations, scaled) = read_normalization(&mut fields)?;
    fields.ignore(&TRAINING, TRAINING_WHY);
    report.fields =
        fields.finish("if it changes what the autoencoder computes this program cannot use it; else remove it")?;
    old_thresholds(&metadata, &mut report);
    let config = SaeConfig {
        d_in,
        d_sae,
        architecture,
        apply_b_dec_to_input,
        normalize_activations,
        reshape_activations,
        output,
        metadata,
    };
    crate::sae::check_config(&config).map_err(|error| super::in_file(error, Some(&file.to_owned()), file))?;
    Ok(Parsed {
        config,
        report,
        threshold,
        finetuned: false,
        scaled,
    })
}

/// L0 that the metadata promises.
fn declared(metadata: &Metadata) -> Option<Sourced<f64>> {
    if let Some(l0) = metadata.get("l0").and_then(Value::as_f64) {
        return Some(Sourced::stated(
            l0,
            "field `metadata.l0` of `cfg.json`, measured in training",
        ));
    }
    let source = "field `metadata.training_architecture_details.k` of `cfg.json`, the target of training";
    metadata.k().map(|k| Sourced::stated(k, source))
}

fn read_reshape(fields: &mut Fields) -> Result<Reshape, SaeError> {
    let how = "how the model's activations become rows";
    match fields.used("reshape_activations", how) {
        None => Ok(Reshape::None),
        Some(value) if value == "none" => Ok(Reshape::None),
        Some(value) if value == "hook_z" => Ok(Reshape::HookZ),
        Some(value) => Err(fields.refuse(
            "reshape_activations",
            &value,
            "this program knows no such reshaping",
            "use `none` or `hook_z`",
        )),
    }
}

/// The normalisation, and whether it is one whose factor belongs in the weights.
pub(super) fn read_normalization(fields: &mut Fields) -> Result<(Normalization, bool), SaeError> {
    let how = "what happens to a row before encoding, and back after decoding";
    let name = fields.string("normalize_activations", how, "add it, such as `none`")?;
    let (reason, hint) = match name.as_str() {
        "none" => return Ok((Normalization::None, false)),
        "layer_norm" => return Ok((Normalization::LayerNorm, false)),
        "constant_norm_rescale" => return Ok((Normalization::ConstantNormRescale, false)),
        "expected_average_only_in" => return Ok((Normalization::None, true)),
        "constant_scalar_rescale" => {
            let field = "activation_normalization_factor";
            let factor = fields.number(field, "factor of every row")? as f32;
            return Ok((Normalization::ConstantScalarRescale { factor }, false));
        }
        "covariance_whitening" => (
            "it needs a matrix that the weights have not absorbed",
            "finish training with SAELens, which folds it, and use what it saves for inference",
        ),
        _ => (
            "this program does not compute this normalisation",
            "use `none`, `layer_norm`, `constant_norm_rescale`, `constant_scalar_rescale` or `expected_average_only_in`",
        ),
    };
    Err(fields.refuse("normalize_activations", &name.into(), reason, hint))
}

fn read_metadata(outer: &mut Fields, report: &mut Report) -> Result<Metadata, SaeError> {
    let outer_version = outer.optional_string("sae_lens_version", "which layout this is")?;
    let Some(mut fields) = outer.object("metadata", CONVERT)? else {
        return Err(outer.missing("metadata", CONVERT));
    };
    let all = fields.rest().clone();
    let inner_version = fields.optional_string("sae_lens_version", "which layout this is")?;
    let version = outer_version
        .or(inner_version)
        .ok_or_else(|| fields.missing("sae_lens_version", CONVERT))?;
    if super::sae_lens_flat::major(&version).is_none_or(|major| major < 6) {
        let reason = "the layout before version 6 has other defaults and no `metadata`";
        return Err(fields.refuse("sae_lens_version", &version.into(), reason, CONVERT));
    }
    report.version = Some(version);
    let stated = |value: Option<String>, field: &str| {
        value.map(|value| Sourced::stated(value, format!("field `metadata.{field}` of `cfg.json`")))
    };
    let hook = fields.optional_string("hook_name", "where activations are taken")?;
    report.hook_in = stated(hook, "hook_name");
    let model = fields.optional_string("model_name", "name of the model in reports; its own files decide")?;
    report.model = stated(model, "model_name");
    fields.used("hook_name_out", "where the output belongs");
    sae_lens::no_head(&mut fields, "hook_head_index")?;
    sae_lens::no_head(&mut fields, "hook_head_index_out")?;
    sae_lens::model_as_stored(&mut fields)?;
    fields.used("l0", "the declared L0");
    fields.used("training_architecture", "name of the architecture in reports");
    outer.absorb(fields.finish_ignoring("provenance: kept, not acted on"));
    Ok(Metadata::from_map(all))
}

/// Warns of thresholds that may be in other units.
fn old_thresholds(metadata: &Metadata, report: &mut Report) {
    let batch = matches!(
        metadata.training_architecture(),
        Some("batchtopk" | "matryoshka_batchtopk")
    );
    let rescales = metadata
        .detail("rescale_acts_by_decoder_norm")
        .and_then(Value::as_bool)
        .unwrap_or(false);
    let version = report.version.as_deref().unwrap_or_default();
    let minor = version.split('.').nth(1).and_then(|minor| minor.parse::<u32>().ok());
    if batch && rescales && super::sae_lens_flat::major(version) == Some(6) && minor < Some(54) {
        report.note(NoteKind::Caution, sae_lens::OLD_THRESHOLDS);
    }
}

/// The configuration as `SAELens` 6 writes it, for weights stored as `dtype`.
pub(crate) fn to_json(config: &SaeConfig, dtype: &str) -> Value {
    let mut map = Map::new();
    map.insert("d_in".to_owned(), json!(config.d_in));
    map.insert("d_sae".to_owned(), json!(config.d_sae));
    map.insert("dtype".to_owned(), json!(dtype));
    map.insert("device".to_owned(), json!("cpu"));
    map.insert("apply_b_dec_to_input".to_owned(), json!(config.apply_b_dec_to_input));
    map.insert(
        "normalize_activations".to_owned(),
        json!(config.normalize_activations.name()),
    );
    if let Normalization::ConstantScalarRescale { factor } = config.normalize_activations {
        map.insert("activation_normalization_factor".to_owned(), json!(factor));
    }
    map.insert(
        "reshape_activations".to_owned(),
        json!(config.reshape_activations.name()),
    );
    let mut metadata = Map::new();
    // Without a version SAELens takes the file for the flat layout of its earlier versions.
    metadata.insert("sae_lens_version".to_owned(), json!(FORMAT_VERSION));
    metadata.extend(config.metadata.fields().clone());
    map.insert("metadata".to_owned(), Value::Object(metadata));
    match config.architecture {
        Architecture::TopK {
            k,
            rescale_acts_by_decoder_norm,
        }
        | Architecture::AbsTopK {
            k,
            rescale_acts_by_decoder_norm,
        } => {
            map.insert("k".to_owned(), json!(k));
            map.insert(
                "rescale_acts_by_decoder_norm".to_owned(),
                json!(rescale_acts_by_decoder_norm),
            );
        }
        Architecture::GroupMax { groups } => {
            map.insert("k".to_owned(), json!(groups));
        }
        Architecture::Standard | Architecture::JumpRelu | Architecture::Gated => {}
    }
    let Output {
        d_out,
        transcoder,
        skip,
    } = config.output;
    let name = match (config.architecture, transcoder, skip) {
        (Architecture::Standard, true, false) => "transcoder",
        (Architecture::Standard, true, true) => "skip_transcoder",
        (Architecture::JumpRelu, true, false) => "jumprelu_transcoder",
        (Architecture::JumpRelu, true, true) => "jumprelu_skip_transcoder",
        (other, ..) => other.name(),
    };
    if transcoder {
        map.insert("d_out".to_owned(), json!(d_out));
    }
    map.insert("architecture".to_owned(), json!(name));
    Value::Object(map)
}

/// Why `SAELens` 6 has no way to say this, if it has none.
pub(crate) fn unwritable(config: &SaeConfig) -> Option<&'static str> {
    let Output { transcoder, skip, .. } = config.output;
    let plain = matches!(config.architecture, Architecture::Standard | Architecture::JumpRelu);
    if matches!(config.architecture, Architecture::GroupMax { .. }) {
        Some("it has no group maximum")
    } else if transcoder && !plain {
        Some("its transcoders are `relu` or `jumprelu` ones")
    } else if skip && !transcoder {
        Some("its autoencoders have no skip connection")
    } else if matches!(
        config.normalize_activations,
        Normalization::ConstantScalarRescale { .. }
    ) {
        Some("only its temporal autoencoders multiply by a constant")
    } else {
        None
    }
}
