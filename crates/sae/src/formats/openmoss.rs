//! `OpenMOSS` checkpoints (Language-Model-SAEs, now llamascopium): `config.json` and `sae_weights.safetensors`, such as Llama Scope
//! R1-Distill.
//!
//! Tensors are `encoder.weight` `[d_sae, d_in]`, `decoder.weight` `[d_in, d_sae]` and biases, or `W_E` `[d_in, d_sae]`, `W_D`
//! `[d_sae, d_in]`, `b_E`, `b_D`; logarithms of thresholds; and average norms of activations.
//!
//! Training sees `s x` with `s = sqrt(d_in) / average norm`. As the library does for inference, the factor goes into the weights:
//! `b_enc / s_in`, `W_dec s_in / s_out`, `b_dec / s_out`, so that latents are in units of the activations (`SAELens` folds it the other
//! way, which makes its latents `s_in` times as large). Thresholds compare the pre-activation, times the decoder norm where
//! `sparsity_include_decoder_norm` is set.
//!
//! Deliberately absent: gated linear units, batch-wise norms, `.dcp` folders, crosscoders and attention replacements.

use std::path::Path;

use serde_json::{Map, Value};

use super::source::Source;
use super::{Loaded, Report, openmoss_weights};
use crate::fields::Fields;
use crate::{NoteKind, OpenOptions, SaeError, Sourced};

pub(super) const AVERAGE: &str = "dataset_average_activation_norm";

/// What a configuration says, before the weights are seen.
pub(super) struct Parsed {
    pub(super) report: Report,
    pub(super) file: std::path::PathBuf,
    pub(super) d_in: usize,
    pub(super) d_sae: Option<usize>,
    pub(super) activation: Activation,
    pub(super) norm: Norm,
    pub(super) hooks: [String; 2],
    /// Whether thresholds and top-k compare pre-activations times decoder norms.
    pub(super) include_decoder_norm: bool,
    pub(super) subtract_bias: bool,
    pub(super) decoder_bias: bool,
}

/// `act_fn`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Activation {
    Relu,
    /// With one threshold for all latents, in units of the activations, where the configuration has it.
    JumpRelu(Option<f64>),
    TopK(usize),
}

/// `norm_activation`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Norm {
    TokenWise,
    /// With the average norms in and out, where the configuration has them.
    DatasetWise(Option<[f64; 2]>),
    Inference,
}

pub(super) fn load(source: &Source, options: &OpenOptions) -> Result<Loaded, SaeError> {
    let config = source.need("config.json")?;
    let parsed = parse(&config.file, config.map.clone())?;
    openmoss_weights::build(source, options, parsed)
}

/// The configuration in `map`.
pub(super) fn parse(file: &Path, map: Map<String, Value>) -> Result<Parsed, SaeError> {
    let mut fields = Fields::new(file, "", map);
    let mut report = Report {
        configs: vec![file.to_owned()],
        ..Report::default()
    };
    let kind = fields.optional_string("sae_type", "checked: this program reads `sae`")?;
    if let Some(other) = kind.filter(|kind| kind != "sae") {
        let reason = "this program reads autoencoders and transcoders of one layer";
        return Err(fields.refuse("sae_type", &other.into(), reason, "use one with `sae`"));
    }
    let hint = "add it, such as `blocks.15.hook_resid_post`";
    let hook_in = fields.string("hook_point_in", "where activations are taken", hint)?;
    let hook_out = fields
        .optional_string("hook_point_out", "where the output belongs")?
        .unwrap_or_else(|| hook_in.clone());
    let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let stated = |value: &str, field: &str| Sourced::stated(value.to_owned(), format!("field `{field}` of `{name}`"));
    report.hook_in = Some(stated(&hook_in, "hook_point_in"));
    if hook_out != hook_in {
        report.hook_out = Some(stated(&hook_out, "hook_point_out"));
    }
    let d_in = fields.positive("d_model", "width of the activations")?;
    let d_sae = latents(&mut fields, d_in)?;
    let top_k = fields.optional_positive("top_k", "latents kept per row, or the target of training")?;
    report.declared_l0 = top_k.map(|k| Sourced::stated(k as f64, format!("field `top_k` of `{name}`")));
    let activation = read_activation(&mut fields, top_k, &mut report)?;
    let norm = read_norm(&mut fields)?;
    if fields.boolean("use_glu_encoder", Some(false), "checked: the encoder is one matrix")? {
        let reason = "this program does not compute encoders with gated linear units";
        return Err(fields.refuse("use_glu_encoder", &true.into(), reason, "use an autoencoder without"));
    }
    let field = "sparsity_include_decoder_norm";
    let how = "whether decoder norms scale what is compared";
    if fields.peek(field).is_none() {
        report.note(
            NoteKind::Guess,
            format!("`{name}` has no `{field}`: taken to be true, the library's default"),
        );
    }
    let include_decoder_norm = fields.boolean(field, Some(true), how)?;
    let how = "whether the decoder bias is subtracted before encoding";
    let subtract_bias = fields.boolean("apply_decoder_bias_to_pre_encoder", Some(false), how)?;
    let decoder_bias = fields.boolean("use_decoder_bias", Some(true), "whether there is a decoder bias")?;
    fields.ignore(
        &[
            "decoder_exactly_unit_norm",
            "use_ghost_grads",
            "lp",
            "l1_coefficient",
            "init_decoder_norm",
            "init_encoder_norm",
        ],
        super::sae_lens::TRAINING_WHY,
    );
    fields.ignore(&["device", "dtype"], "the tensors' own types are what is read");
    report.fields = fields.finish_tolerant();
    Ok(Parsed {
        report,
        file: file.to_owned(),
        d_in,
        d_sae,
        activation,
        norm,
        hooks: [hook_in, hook_out],
        include_decoder_norm,
        subtract_bias,
        decoder_bias,
    })
}

/// Number of latents, stated or by the expansion factor.
fn latents(fields: &mut Fields, d_in: usize) -> Result<Option<usize>, SaeError> {
    let stated = fields.optional_positive("d_sae", "number of latents")?;
    let Some(factor) = fields.optional_number("expansion_factor", "number of latents per input")? else {
        return Ok(stated);
    };
    let product = d_in as f64 * factor;
    let by_factor = (product.fract() == 0.0 && (1.0..9.0e15).contains(&product)).then_some(product as usize);
    match (stated, by_factor) {
        (_, None) => Err(fields.refuse(
            "expansion_factor",
            &factor.into(),
            "its product with `d_model` is no number of latents",
            "correct it",
        )),
        (Some(stated), Some(other)) if stated != other => {
            let reason = format!("with `d_model` it makes {other} latents, and `d_sae` is {stated}");
            Err(fields.refuse("expansion_factor", &factor.into(), &reason, "correct one of them"))
        }
        (_, product) => Ok(product),
    }
}

fn read_activation(fields: &mut Fields, top_k: Option<usize>, report: &mut Report) -> Result<Activation, SaeError> {
    let name = fields.string(
        "act_fn",
        "how pre-activations become latents",
        "add it, such as `jumprelu`",
    )?;
    let threshold = fields.optional_number(
        "jump_relu_threshold",
        "threshold of all latents, in units of the activations",
    )?;
    match name.to_lowercase().as_str() {
        "relu" => Ok(Activation::Relu),
        "jumprelu" => Ok(Activation::JumpRelu(threshold)),
        "topk" if threshold.is_some_and(|threshold| threshold > 0.0) => {
            report.note(
                NoteKind::Changed,
                "`act_fn` is `topk` and there is a `jump_relu_threshold`: read as `jumprelu`, as the library does for inference",
            );
            Ok(Activation::JumpRelu(threshold))
        }
        "topk" => match top_k {
            Some(k) => Ok(Activation::TopK(k)),
            None => Err(fields.missing("top_k", "add it: a positive integer")),
        },
        _ => {
            let reason = "this program does not compute this activation";
            Err(fields.refuse("act_fn", &name.into(), reason, "use `jumprelu`, `topk` or `relu`"))
        }
    }
}

fn read_norm(fields: &mut Fields) -> Result<Norm, SaeError> {
    let how = "what happens to a row before encoding";
    let name = fields.string("norm_activation", how, "add it, such as `dataset-wise`")?;
    let norms = match fields.object(AVERAGE, "write an object with `in` and `out`")? {
        None => None,
        Some(mut inner) => {
            let into = average(&mut inner, "in")?;
            let out = average(&mut inner, "out")?;
            let records = inner.finish("remove it")?;
            fields.absorb(records);
            Some([into, out])
        }
    };
    match name.as_str() {
        "dataset-wise" => Ok(Norm::DatasetWise(norms)),
        "token-wise" => Ok(Norm::TokenWise),
        "inference" => Ok(Norm::Inference),
        _ => {
            let reason = "this program does not compute this normalisation, which depends on other rows or is unknown";
            Err(fields.refuse(
                "norm_activation",
                &name.into(),
                reason,
                "use `dataset-wise`, `token-wise` or `inference`",
            ))
        }
    }
}

fn average(fields: &mut Fields, field: &str) -> Result<f64, SaeError> {
    let value = fields.number(field, "average norm of activations")?;
    if value > 0.0 {
        return Ok(value);
    }
    Err(fields.refuse(
        field,
        &value.into(),
        "not a positive number",
        "write the average norm of activations",
    ))
}
