//! `cfg.json` of `SAELens` 6, in and out.
//!
//! Every field is used, known to be irrelevant to the numbers (`device`), or refused with its name and value: a normalisation or
//! a rescaling that is silently dropped gives latents that look right and are not.
//!
//! Deliberately absent: the flat layout before `SAELens` 6, whose defaults differ; re-saving with `SAELens` 6 converts it.

use std::path::Path;

use checkpoint::CheckpointError;
use serde_json::{Map, Value, json};

use crate::fields::Fields;
use crate::{Architecture, Metadata, Normalization, SaeConfig, SaeError};

/// Version of `SAELens` whose layout is written.
const FORMAT_VERSION: &str = "6.0.0";
const CONVERT: &str = "load the autoencoder with SAELens 6 and save it again with `save_inference_model`";

/// The configuration in `file`.
pub(crate) fn read(file: &Path) -> Result<SaeConfig, SaeError> {
    let Value::Object(map) = checkpoint::read_json_value(file)? else {
        return Err(SaeError::Checkpoint(CheckpointError::Json {
            file: file.to_owned(),
            reason: "expected an object".to_owned(),
            field: None,
        }));
    };
    let mut fields = Fields::new(file, "", map);
    let metadata = read_metadata(file, &mut fields)?;
    let d_in = fields.positive("d_in")?;
    let d_sae = fields.positive("d_sae")?;
    if let Some(value) = fields.take("d_out").filter(|value| value.as_u64() != Some(d_in as u64)) {
        return Err(fields.refuse(
            "d_out",
            &value,
            "only autoencoders with `d_out` equal to `d_in` are supported",
            "transcoders cannot be used",
        ));
    }
    let dtype = fields.string(
        "dtype",
        "add it, such as `float32`; the tensors' own types are what is read",
    )?;
    if !matches!(
        dtype.trim_start_matches("torch."),
        "float64" | "float32" | "float16" | "bfloat16"
    ) {
        return Err(fields.refuse(
            "dtype",
            &dtype.into(),
            "not a float type",
            "write `float32`, `bfloat16`, `float16` or `float64`",
        ));
    }
    // Where the weights were on the machine that saved them changes no number.
    fields.take("device");
    if let Some(value) = fields.take("reshape_activations").filter(|value| value != "none") {
        return Err(fields.refuse(
            "reshape_activations",
            &value,
            "activations are used in the shape they have",
            "only autoencoders on unreshaped activations can be used",
        ));
    }
    let config = SaeConfig {
        d_in,
        d_sae,
        architecture: read_architecture(&mut fields)?,
        apply_b_dec_to_input: fields.boolean("apply_b_dec_to_input", None)?,
        normalize_activations: read_normalization(&mut fields)?,
        metadata,
    };
    fields.finish("if it changes what the autoencoder computes this program cannot use it; else remove it")?;
    Ok(config)
}

fn read_architecture(fields: &mut Fields) -> Result<Architecture, SaeError> {
    let name = fields.string("architecture", "add it: `standard`, `jumprelu` or `topk`")?;
    let architecture = match name.as_str() {
        "standard" => Architecture::Standard,
        "jumprelu" => Architecture::JumpRelu,
        "topk" => {
            let k = fields.positive("k")?;
            let rescale_acts_by_decoder_norm = fields.boolean("rescale_acts_by_decoder_norm", Some(false))?;
            return Ok(Architecture::TopK {
                k,
                rescale_acts_by_decoder_norm,
            });
        }
        "batchtopk" | "matryoshka_batchtopk" => {
            let hint = "save it with SAELens's `save_inference_model`, which turns its threshold into `jumprelu`";
            return Err(fields.refuse(
                "architecture",
                &name.into(),
                "a training checkpoint, which depends on the batch",
                hint,
            ));
        }
        _ => {
            let reason = "this program does not compute this architecture";
            return Err(fields.refuse(
                "architecture",
                &name.into(),
                reason,
                "use `standard`, `jumprelu` or `topk`",
            ));
        }
    };
    for field in ["k", "rescale_acts_by_decoder_norm"] {
        if let Some(value) = fields.take(field).filter(|value| value != &Value::Bool(false)) {
            let reason = format!("it has no meaning for architecture `{name}`");
            return Err(fields.refuse(field, &value, &reason, "remove it, or correct `architecture`"));
        }
    }
    Ok(architecture)
}

fn read_normalization(fields: &mut Fields) -> Result<Normalization, SaeError> {
    let known = [
        Normalization::None,
        Normalization::ConstantNormRescale,
        Normalization::LayerNorm,
    ];
    let name = fields.string("normalize_activations", "add it, such as `none`")?;
    if let Some(found) = known.into_iter().find(|normalization| normalization.name() == name) {
        return Ok(found);
    }
    let (reason, hint) = if name == "expected_average_only_in" {
        (
            "it needs a factor that the file does not hold",
            "fold the factor into the weights with SAELens and save with `none`",
        )
    } else {
        (
            "this program does not compute this normalisation",
            "use `none`, `layer_norm` or `constant_norm_rescale`",
        )
    };
    Err(fields.refuse("normalize_activations", &name.into(), reason, hint))
}

fn read_metadata(file: &Path, fields: &mut Fields) -> Result<Metadata, SaeError> {
    let map = match fields.take("metadata") {
        Some(Value::Object(map)) => map,
        Some(value) => return Err(fields.refuse("metadata", &value, "not an object", CONVERT)),
        None => {
            return Err(SaeError::MissingField {
                file: file.to_owned(),
                field: "metadata".to_owned(),
                hint: CONVERT.to_owned(),
            });
        }
    };
    let all = map.clone();
    let mut fields = Fields::new(file, "metadata.", map);
    let version = fields.string("sae_lens_version", CONVERT)?;
    if version
        .split('.')
        .next()
        .and_then(|major| major.parse::<u32>().ok())
        .is_none_or(|major| major < 6)
    {
        return Err(fields.refuse(
            "sae_lens_version",
            &version.into(),
            "the layout before version 6 has other defaults",
            CONVERT,
        ));
    }
    if let Some(value) = fields.take("hook_head_index") {
        return Err(fields.refuse(
            "hook_head_index",
            &value,
            "autoencoders of one head are not supported",
            "use one of the whole stream",
        ));
    }
    let hook = fields.take("hook_name");
    if let Some(value) = fields
        .take("hook_name_out")
        .filter(|value| Some(value) != hook.as_ref())
    {
        return Err(fields.refuse(
            "hook_name_out",
            &value,
            "it reads one hook and writes another",
            "transcoders cannot be used",
        ));
    }
    if let Some(value) = fields.take("model_from_pretrained_kwargs")
        && !value.as_object().is_some_and(|kwargs| {
            kwargs
                .values()
                .all(|value| value.is_null() || value == &Value::Bool(false))
        })
    {
        let hint = "if the model that will be used was changed in this way already, empty this field";
        return Err(fields.refuse(
            "model_from_pretrained_kwargs",
            &value,
            "models are used as stored",
            hint,
        ));
    }
    drop(fields.into_rest());
    Ok(Metadata::from_map(all))
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
    map.insert("reshape_activations".to_owned(), json!("none"));
    let mut metadata = Map::new();
    // Without a version SAELens takes the file for the flat layout of its earlier versions.
    metadata.insert("sae_lens_version".to_owned(), json!(FORMAT_VERSION));
    metadata.extend(config.metadata.fields().clone());
    map.insert("metadata".to_owned(), Value::Object(metadata));
    if let Architecture::TopK {
        k,
        rescale_acts_by_decoder_norm,
    } = config.architecture
    {
        map.insert("k".to_owned(), json!(k));
        map.insert(
            "rescale_acts_by_decoder_norm".to_owned(),
            json!(rescale_acts_by_decoder_norm),
        );
    }
    map.insert("architecture".to_owned(), json!(config.architecture.name()));
    Value::Object(map)
}
