//! Weights of an `OpenMOSS` checkpoint, brought into units of the activations.
//!
//! [`super::openmoss`] says what is computed and reads the configuration.

use super::openmoss::{AVERAGE, Activation, Norm, Parsed};
use super::source::Source;
use super::tensors::Tensors;
use super::{Loaded, Report};
use crate::factor::Factor;
use crate::parts::Parts;
use crate::{
    Architecture, Metadata, Normalization, NoteKind, OpenOptions, Output, Reshape, SaeConfig, SaeError, Weights,
};

/// Reads the weights of a configuration into units of the activations.
pub(super) fn build(source: &Source, options: &OpenOptions, parsed: Parsed) -> Result<Loaded, SaeError> {
    let mut tensors = Tensors::new(&source.checkpoint, &source.weights, "");
    let mut parts = matrices(&mut tensors, &parsed)?;
    let (d_in, d_sae) = (parsed.d_in, parts.vectors.b_enc.len());
    let transcoder = parsed.hooks[0] != parsed.hooks[1];
    let mut report = Report::default();
    let [s_in, s_out] = match parsed.norm {
        Norm::DatasetWise(norms) => {
            let given = options.norm_scaling_factor.map(f64::from);
            let norms = norms.map_or_else(|| stored_norms(&mut tensors, &parsed.hooks), |norms| Ok(Some(norms)))?;
            factors(source, d_in, norms, given, &mut report)?
        }
        Norm::TokenWise | Norm::Inference => [1.0; 2],
    };
    check(&parsed, options, transcoder, [s_in, s_out])?;
    // Before the factors: the thresholds of training compare with the norms of training.
    let norms: Vec<f32> = if parsed.include_decoder_norm {
        let norms = parts.decoder.norms().into_iter();
        norms.map(|norm| norm.max(1e-8)).collect()
    } else {
        vec![1.0; d_sae]
    };
    scale(&mut parts.vectors.b_enc, 1.0 / s_in);
    parts.decoder.scale(Factor::TimesWide(s_in / s_out));
    scale(&mut parts.vectors.b_dec, 1.0 / s_out);
    let architecture = match parsed.activation {
        Activation::Relu => Architecture::Standard,
        Activation::TopK(k) => Architecture::TopK {
            k,
            rescale_acts_by_decoder_norm: parsed.include_decoder_norm,
        },
        Activation::JumpRelu(threshold) => {
            parts.vectors.threshold = thresholds(
                &mut tensors,
                threshold,
                &norms,
                [s_in, s_out],
                parsed.include_decoder_norm,
            )?;
            Architecture::JumpRelu
        }
    };
    tensors.ignore(&["tokens_since_last_activation", "is_dead"], "state of training")?;
    ignore_norms(source, &mut tensors)?;
    let Report { notes, .. } = report;
    let mut report = parsed.report;
    report.notes.extend(notes);
    report.tensors = tensors.finish(
        "an autoencoder with this configuration has no such tensor",
        "weights and configuration may be of different autoencoders",
    )?;
    let config = SaeConfig {
        d_in,
        d_sae,
        architecture,
        apply_b_dec_to_input: parsed.subtract_bias,
        normalize_activations: if parsed.norm == Norm::TokenWise {
            Normalization::ConstantNormRescale
        } else {
            Normalization::None
        },
        reshape_activations: Reshape::None,
        output: Output {
            d_out: d_in,
            transcoder,
            skip: false,
        },
        metadata: Metadata::new(),
    };
    Ok(Loaded { config, parts, report })
}

fn matrices(tensors: &mut Tensors<'_>, parsed: &Parsed) -> Result<Parts, SaeError> {
    let d_in = parsed.d_in;
    let linear = tensors.has("encoder.weight");
    let d_sae = match (parsed.d_sae, linear) {
        (Some(d_sae), _) => d_sae,
        (None, true) => tensors.matrix_shape("encoder.weight")?[0],
        (None, false) => tensors.matrix_shape("W_E")?[1],
    };
    let mut vectors = Weights::default();
    let (encoder, decoder, bias) = if linear {
        let encoder = tensors.latent_rows("encoder.weight", [d_sae, d_in], "encoder")?;
        vectors.b_enc = tensors.read("encoder.bias", &[d_sae], "encoder bias")?;
        let decoder = tensors.latent_columns("decoder.weight", [d_in, d_sae], "decoder")?;
        (encoder, decoder, "decoder.bias")
    } else {
        let encoder = tensors.latent_columns("W_E", [d_in, d_sae], "encoder")?;
        vectors.b_enc = tensors.read("b_E", &[d_sae], "encoder bias")?;
        let decoder = tensors.latent_rows("W_D", [d_sae, d_in], "decoder")?;
        (encoder, decoder, "b_D")
    };
    vectors.b_dec = if parsed.decoder_bias {
        tensors.read(bias, &[d_in], "decoder bias")?
    } else {
        vec![0.0; d_in]
    };
    Ok(Parts {
        encoder,
        decoder,
        vectors,
    })
}

/// Refuses what the factors leave undefined.
fn check(parsed: &Parsed, options: &OpenOptions, transcoder: bool, [s_in, s_out]: [f64; 2]) -> Result<(), SaeError> {
    if options.norm_scaling_factor.is_some() && !matches!(parsed.norm, Norm::DatasetWise(_)) {
        return Err(SaeError::Option {
            option: "norm_scaling_factor",
            format: crate::Format::OpenMoss,
            reason: "`norm_activation` is not `dataset-wise`".to_owned(),
        });
    }
    let undecided = |what: &str, reason: &str, hint: &str| {
        Err(SaeError::Undecided {
            file: parsed.file.clone(),
            what: what.to_owned(),
            reason: reason.to_owned(),
            hint: hint.to_owned(),
        })
    };
    if parsed.norm == Norm::TokenWise && transcoder {
        return undecided(
            "norm_activation",
            "`token-wise` with another hook out scales the output by a norm that is not known here",
            "use a transcoder with `dataset-wise` norms",
        );
    }
    if parsed.subtract_bias && (s_in - s_out).abs() > 0.0 {
        return undecided(
            "apply_decoder_bias_to_pre_encoder",
            "the decoder bias would be subtracted in other units than it is added in",
            "use one with equal average norms in and out",
        );
    }
    Ok(())
}

fn scale(values: &mut [f32], factor: f64) {
    for value in values {
        *value = (f64::from(*value) * factor) as f32;
    }
}

/// Thresholds for pre-activations in units of the activations.
fn thresholds(
    tensors: &mut Tensors<'_>,
    common: Option<f64>,
    norms: &[f32],
    [s_in, s_out]: [f64; 2],
    include_decoder_norm: bool,
) -> Result<Vec<f32>, SaeError> {
    let logarithm = tensors.first_of(&["log_jumprelu_threshold", "activation_function.log_jumprelu_threshold"]);
    if tensors.has(logarithm) {
        // In units of training, where the pre-activation is `s_in` times as large.
        let values = tensors.per_latent(logarithm, norms.len(), "logarithm of the thresholds")?;
        let values = values.iter().zip(norms);
        return Ok(values
            .map(|(log, norm)| (f64::from(*log).exp() / (f64::from(*norm) * s_in)) as f32)
            .collect());
    }
    let Some(common) = common else {
        let hint = "fetch the file again, or add `jump_relu_threshold` to the configuration";
        return Err(tensors.refuse(logarithm, "there is none, and `act_fn` is `jumprelu`", hint));
    };
    // The library compares it after the factors and the decoder norms have gone into the weights.
    let factor = if include_decoder_norm { s_in / s_out } else { 1.0 };
    Ok(norms
        .iter()
        .map(|norm| (common / (f64::from(*norm) * factor)) as f32)
        .collect())
}

/// Average norms stored with the weights.
fn stored_norms(tensors: &mut Tensors<'_>, hooks: &[String; 2]) -> Result<Option<[f64; 2]>, SaeError> {
    let [hook_in, hook_out] = hooks;
    let (name_in, name_out) = (format!("{AVERAGE}.{hook_in}"), format!("{AVERAGE}.{hook_out}"));
    if !tensors.has(&name_in) {
        return Ok(None);
    }
    let mut norm = |name: &str| {
        let value = tensors.scalar(name, "average norm of activations")?;
        if value > 0.0 {
            Ok(value)
        } else {
            Err(tensors.refuse(name, &format!("it is {value}, not a norm"), "fetch the file again"))
        }
    };
    let into = norm(&name_in)?;
    let out = if hook_in == hook_out { into } else { norm(&name_out)? };
    Ok(Some([into, out]))
}

/// Norms of a checkpoint whose configuration does not ask for them.
fn ignore_norms(source: &Source, tensors: &mut Tensors<'_>) -> Result<(), SaeError> {
    let names: Vec<&str> = source
        .checkpoint
        .names()
        .filter(|name| name.starts_with(AVERAGE) && !tensors.seen(name))
        .collect();
    tensors.ignore(
        &names,
        "`norm_activation` does not ask for it, or the configuration has it",
    )
}

fn factors(
    source: &Source,
    d_in: usize,
    norms: Option<[f64; 2]>,
    given: Option<f64>,
    report: &mut Report,
) -> Result<[f64; 2], SaeError> {
    match (norms, given) {
        (Some(_), Some(_)) => Err(SaeError::Option {
            option: "norm_scaling_factor",
            format: crate::Format::OpenMoss,
            reason: "the files hold the average norm".to_owned(),
        }),
        (Some(norms), None) => {
            report.note(
                NoteKind::Changed,
                "the average norms of activations went into the weights; latents are in units of the activations",
            );
            Ok(norms.map(|norm| (d_in as f64).sqrt() / norm))
        }
        (None, Some(factor)) if factor > 0.0 && factor.is_finite() => {
            report.note(
                NoteKind::Changed,
                format!("the given factor {factor} of the activations went into the weights"),
            );
            Ok([factor; 2])
        }
        (None, _) => Err(SaeError::Undecided {
            file: source.weights.clone(),
            what: AVERAGE.to_owned(),
            reason: "`norm_activation` is `dataset-wise`, and neither the weights nor the configuration hold the average norm".to_owned(),
            hint: "give `norm_scaling_factor`: sqrt(d_model) over the average norm of activations".to_owned(),
        }),
    }
}
