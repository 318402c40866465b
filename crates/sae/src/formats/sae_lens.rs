//! What the two layouts of `SAELens` share: names of architectures and normalisations, and the tensors.

use serde_json::Value;

use super::source::Source;
use super::tensors::Tensors;
use super::{Loaded, Report};
use crate::factor::Factor;
use crate::fields::Fields;
use crate::matrix::Matrix;
use crate::parts::Parts;
use crate::{Architecture, Format, NoteKind, OpenOptions, Output, SaeConfig, SaeError, Sourced, Weights};

/// Fields that only training reads.
pub(super) const TRAINING: [&str; 22] = [
    "decoder_init_norm",
    "l1_coefficient",
    "l1_warm_up_steps",
    "lp_norm",
    "l0_coefficient",
    "l0_warm_up_steps",
    "pre_act_loss_coefficient",
    "jumprelu_init_threshold",
    "jumprelu_bandwidth",
    "jumprelu_sparsity_loss_mode",
    "jumprelu_tanh_scale",
    "jumprelu_ste_to_input",
    "target_l0",
    "aux_loss_coefficient",
    "use_sparse_activations",
    "topk_threshold_lr",
    "matryoshka_widths",
    "use_matryoshka_aux_loss",
    "mse_loss_normalization",
    "noise_scale",
    "noise",
    "detach_matryoshka_losses",
];
pub(super) const TRAINING_WHY: &str = "training reads it, inference does not";
pub(super) const OLD_THRESHOLDS: &str = "SAELens before the fix of its issue 763 saved a threshold in other units when it folded a norm factor \
     into a batch top-k autoencoder that rescales by decoder norms; compare the measured L0 with the declared one";

/// A configuration, and what the weights of it have to hold.
pub(super) struct Parsed {
    pub(super) config: SaeConfig,
    pub(super) report: Report,
    /// How the threshold is stored.
    pub(super) threshold: Threshold,
    /// Whether a stored factor of fine-tuning is applied at decode: as `SAELens` did before 6.
    pub(super) finetuned: bool,
    /// Whether the activations were multiplied with a factor in training that the weights may not have absorbed.
    pub(super) scaled: bool,
}

/// How the threshold of a `JumpReLU` is stored.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Threshold {
    /// As one, per latent, or its logarithm.
    PerLatent,
    /// As the running mean of batch top-k, from before the conversion for inference.
    Running {
        /// Whether it compares pre-activations times decoder norms, which the conversion then folds.
        rescale: bool,
    },
}

/// Architecture, output side and threshold by their name and the fields that go with it.
pub(super) fn architecture(fields: &mut Fields, d_in: usize) -> Result<(Architecture, Output, Threshold), SaeError> {
    const HOW: &str = "how pre-activations become latents";
    let name = fields.string("architecture", HOW, "add it, such as `standard`, `jumprelu` or `topk`")?;
    let mut output = Output::autoencoder(d_in);
    let mut threshold = Threshold::PerLatent;
    let architecture = match name.as_str() {
        "standard" => Architecture::Standard,
        "jumprelu" => Architecture::JumpRelu,
        "gated" => Architecture::Gated,
        "topk" | "abstopk" => {
            let k = fields.positive("k", "latents kept per row")?;
            let rescale_acts_by_decoder_norm = rescale(fields, Some(false))?;
            if name == "topk" {
                Architecture::TopK {
                    k,
                    rescale_acts_by_decoder_norm,
                }
            } else {
                Architecture::AbsTopK {
                    k,
                    rescale_acts_by_decoder_norm,
                }
            }
        }
        "batchtopk" | "matryoshka_batchtopk" => {
            fields.number("k", "latents per row that training aimed at: the declared L0")?;
            // The default of the training class, which is the one that writes this name.
            let rescale = rescale(fields, Some(true))?;
            threshold = Threshold::Running { rescale };
            Architecture::JumpRelu
        }
        "transcoder" | "skip_transcoder" | "jumprelu_transcoder" | "jumprelu_skip_transcoder" => {
            output = Output {
                d_out: fields.positive("d_out", "width of the output")?,
                transcoder: true,
                skip: name.contains("skip"),
            };
            if name.starts_with("jumprelu") {
                Architecture::JumpRelu
            } else {
                Architecture::Standard
            }
        }
        "matching_pursuit" => {
            let reason = "its latents are chosen one after the other against what is left of the input, which this program does not do";
            return Err(fields.refuse("architecture", &name.into(), reason, "use it with SAELens"));
        }
        "temporal" => {
            let reason = "its latents depend on other positions, and this program encodes rows";
            return Err(fields.refuse("architecture", &name.into(), reason, "use it with SAELens"));
        }
        _ => {
            let reason = "this program does not compute this architecture";
            let hint = "use `standard`, `jumprelu`, `topk`, `abstopk`, `gated` or a transcoder";
            return Err(fields.refuse("architecture", &name.into(), reason, hint));
        }
    };
    for field in ["k", "rescale_acts_by_decoder_norm"] {
        let value = fields.used(field, "checked: it has no meaning for this architecture");
        if let Some(value) = value.filter(|value| value != &Value::Bool(false)) {
            let reason = format!("it has no meaning for architecture `{name}`");
            return Err(fields.refuse(field, &value, &reason, "remove it, or correct `architecture`"));
        }
    }
    if let Some(value) = fields
        .used("d_out", "checked: an autoencoder's output is as wide as its input")
        .filter(|value| value.as_u64() != Some(d_in as u64))
    {
        let reason = format!("architecture `{name}` has an output of `d_in` = {d_in} values");
        return Err(fields.refuse("d_out", &value, &reason, "correct it, or `architecture`"));
    }
    Ok((architecture, output, threshold))
}

fn rescale(fields: &mut Fields, default: Option<bool>) -> Result<bool, SaeError> {
    fields.boolean(
        "rescale_acts_by_decoder_norm",
        default,
        "whether decoder norms scale what is compared",
    )
}

/// `dtype`, which has to be a float type; the tensors' own types are what is read.
pub(super) fn dtype(fields: &mut Fields, required: bool) -> Result<(), SaeError> {
    let how = "checked: it must be a float type; the tensors' own types are what is read";
    let hint = "add it, such as `float32`; the tensors' own types are what is read";
    let Some(dtype) = fields.optional_string("dtype", how)? else {
        return if required {
            Err(fields.missing("dtype", hint))
        } else {
            Ok(())
        };
    };
    if matches!(
        dtype.trim_start_matches("torch."),
        "float64" | "float32" | "float16" | "bfloat16"
    ) {
        return Ok(());
    }
    let hint = "write `float32`, `bfloat16`, `float16` or `float64`";
    Err(fields.refuse("dtype", &dtype.into(), "not a float type", hint))
}

/// Refuses autoencoders of one attention head.
pub(super) fn no_head(fields: &mut Fields, field: &str) -> Result<(), SaeError> {
    match fields.used(field, "checked: autoencoders of one head cannot be used") {
        Some(value) => {
            let reason = "autoencoders of one head are not supported";
            Err(fields.refuse(field, &value, reason, "use one of the whole stream"))
        }
        None => Ok(()),
    }
}

/// Refuses autoencoders of a model that was changed on loading.
pub(super) fn model_as_stored(fields: &mut Fields) -> Result<(), SaeError> {
    let field = "model_from_pretrained_kwargs";
    let how = "checked: models are used as stored, so nothing may be switched on here";
    if let Some(value) = fields.used(field, how)
        && !value.as_object().is_some_and(|kwargs| {
            kwargs
                .values()
                .all(|value| value.is_null() || value == &Value::Bool(false))
        })
    {
        let hint = "if the model that will be used was changed in this way already, empty this field";
        return Err(fields.refuse(field, &value, "models are used as stored", hint));
    }
    Ok(())
}

/// Reads the weights of a configuration, and settles the factor of its activations.
pub(super) fn load(source: &Source, options: &OpenOptions, parsed: Parsed) -> Result<Loaded, SaeError> {
    let Parsed {
        config,
        mut report,
        threshold,
        finetuned,
        scaled,
    } = parsed;
    settle_factor(source, options, scaled, &mut report)?;
    let mut tensors = Tensors::new(&source.checkpoint, &source.weights, "");
    let mut parts = matrices(&mut tensors, &config)?;
    if config.architecture == Architecture::JumpRelu {
        parts.vectors.threshold = thresholds(&mut tensors, &config, threshold, &parts.decoder)?;
    }
    if let Threshold::Running { rescale } = threshold {
        report.fold_decoder = rescale;
        report.note(
            NoteKind::Changed,
            "a training checkpoint of batch top-k: its running threshold was turned into `jumprelu`, as SAELens does on saving for \
             inference",
        );
    }
    for name in ["scaling_factor", "finetuning_scaling_factor"] {
        if !tensors.has(name) {
            continue;
        }
        if tensors.all_ones(name)? {
            tensors.ignore(&[name], "all ones: a leftover of fine-tuning")?;
        } else if finetuned {
            let factors = tensors.read(name, &[config.d_sae], "multiplies the decoder rows")?;
            parts.decoder.scale(Factor::EachTimes(factors.into()));
            report.note(
                NoteKind::Changed,
                format!(
                    "`{name}` was folded into `W_dec`, as SAELens applied it before version 6; SAELens 6 leaves it out"
                ),
            );
        } else {
            let hint = "fold it into `W_dec` and save the autoencoder again";
            return Err(tensors.refuse(
                name,
                "it is not all ones, and `cfg.json` does not say that it applies",
                hint,
            ));
        }
    }
    if config.architecture != Architecture::JumpRelu && tensors.has("threshold") {
        let hint = "`architecture` may have to be `jumprelu`";
        return Err(tensors.refuse("threshold", "the architecture in `cfg.json` has no thresholds", hint));
    }
    report.tensors = tensors.finish(
        "the architecture in `cfg.json` has no such tensor",
        "weights and `cfg.json` may be of different autoencoders",
    )?;
    Ok(Loaded { config, parts, report })
}

fn matrices(tensors: &mut Tensors<'_>, config: &SaeConfig) -> Result<Parts, SaeError> {
    let SaeConfig {
        d_in, d_sae, output, ..
    } = *config;
    let encoder = tensors.latent_columns("W_enc", [d_in, d_sae], "encoder")?;
    let decoder = tensors.latent_rows("W_dec", [d_sae, output.d_out], "decoder")?;
    let mut vectors = Weights {
        b_dec: tensors.read("b_dec", &[output.d_out], "decoder bias")?,
        ..Weights::default()
    };
    if config.architecture == Architecture::Gated {
        vectors.b_gate = tensors.read("b_gate", &[d_sae], "bias of the gate")?;
        vectors.b_mag = tensors.read("b_mag", &[d_sae], "bias of the magnitude")?;
        vectors.r_mag = tensors.read("r_mag", &[d_sae], "logarithm of the magnitude's factor")?;
    } else {
        vectors.b_enc = tensors.read("b_enc", &[d_sae], "encoder bias")?;
    }
    if output.skip {
        vectors.w_skip = tensors.read("W_skip", &[output.d_out, d_in], "skip connection")?;
    }
    Ok(Parts {
        encoder,
        decoder,
        vectors,
    })
}

fn thresholds(
    tensors: &mut Tensors<'_>,
    config: &SaeConfig,
    threshold: Threshold,
    decoder: &Matrix,
) -> Result<Vec<f32>, SaeError> {
    if let Threshold::Running { rescale } = threshold {
        let value = tensors.scalar("topk_threshold", "threshold of every latent")? as f32;
        if !rescale {
            return Ok(vec![value; config.d_sae]);
        }
        // It compares pre-activations times decoder norms; folding the norms multiplies it back.
        let norms = decoder.norms();
        return Ok(norms.into_iter().map(|norm| value / norm.max(1e-8)).collect());
    }
    if !tensors.has("threshold") && tensors.has("log_threshold") {
        let mut values = tensors.read("log_threshold", &[config.d_sae], "logarithm of the thresholds")?;
        for value in &mut values {
            *value = value.exp();
        }
        return Ok(values);
    }
    tensors.read("threshold", &[config.d_sae], "thresholds")
}

/// Whether a factor of the activations is stored beside a training checkpoint, given by the caller, folded, or unknown.
fn settle_factor(source: &Source, options: &OpenOptions, scaled: bool, report: &mut Report) -> Result<(), SaeError> {
    let six = report
        .version
        .as_deref()
        .is_some_and(|version| super::sae_lens_flat::major(version) >= Some(6));
    if !scaled {
        return match options.norm_scaling_factor {
            None => Ok(()),
            Some(_) => Err(SaeError::Option {
                option: "norm_scaling_factor",
                format: if six { Format::SaeLens6 } else { Format::SaeLensFlat },
                reason: "`normalize_activations` is not `expected_average_only_in`".to_owned(),
            }),
        };
    }
    if let Some(scaler) = source.config("activation_scaler.json") {
        let mut fields = Fields::new(&scaler.file, "", scaler.map.clone());
        let how = "factor of the activations, folded into the weights";
        let factor = fields
            .optional_number("scaling_factor", how)?
            .map(|factor| factor as f32);
        if let Some(factor) = factor.filter(|&factor| !(factor > 0.0 && factor.is_finite())) {
            let hint = "write the factor, or null where there is none";
            return Err(fields.refuse("scaling_factor", &factor.into(), "not a positive number", hint));
        }
        if fields.boolean("has_whitening", Some(false), "checked: whitening is not folded here")? {
            let hint = "finish training with SAELens, which folds it, and use what it saves for inference";
            return Err(fields.refuse("has_whitening", &true.into(), "the activations were whitened", hint));
        }
        report.fields.extend(fields.finish("remove it")?);
        report.configs.push(scaler.file.clone());
        if let Some(factor) = factor {
            report.note(
                NoteKind::Changed,
                format!("the factor {factor} of `activation_scaler.json` was folded into the weights, as SAELens does at the end of training"),
            );
            report.fold_input = Some(factor);
            return Ok(());
        }
    }
    if let Some(factor) = options.norm_scaling_factor {
        report.note(
            NoteKind::Changed,
            format!("the given factor {factor} of the activations was folded into the weights"),
        );
        report.fold_input = Some(factor);
        return Ok(());
    }
    let message = if six {
        "`normalize_activations` is `expected_average_only_in`: its factor is taken to be folded into the weights, which SAELens 6 \
         does before it saves; if L0 or reconstruction are off, give the factor (sqrt(d_in) over the mean norm of activations)"
    } else {
        "`normalize_activations` is `expected_average_only_in`, and files of this age do not hold its factor: the weights are used as \
         stored, as SAELens does; unless the factor was folded before saving, give it (sqrt(d_in) over the mean norm of activations)"
    };
    report.note(NoteKind::MissingFactor, message);
    Ok(())
}

/// `k` as the declared L0, for architectures that keep exactly that many.
pub(super) fn k_of(architecture: Architecture, source: &str) -> Option<Sourced<f64>> {
    architecture.limit().map(|k| Sourced::stated(k as f64, source))
}
