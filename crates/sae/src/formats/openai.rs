//! `OpenAI`'s `GPT-2` autoencoders: a torch file with `pre_bias` `[d_in]`, `encoder.weight` `[d_sae, d_in]`, `latent_bias` `[d_sae]`,
//! `decoder.weight` `[d_in, d_sae]`, statistics of training, and as plain values `activation` and `activation_state_dict`.
//!
//! With `TopK` rows are normalised (mean 0, unbiased deviation 1, with 1e-5 added to the deviation), `pre_bias` is subtracted in
//! that space, and the way back is taken after decoding; with `ReLU` there is no normalisation. That the activation decides the
//! normalisation is how the library itself reads its files.
//!
//! Tied autoencoders have `decoder.linear.weight` instead, which is the encoder again.

use serde_json::Value;

use super::source::Source;
use super::tensors::Tensors;
use super::{Loaded, Report, deepseek_r1};
use crate::fields::Fields;
use crate::parts::Parts;
use crate::{Architecture, Metadata, Normalization, NoteKind, Output, Reshape, SaeConfig, SaeError, Sourced, Weights};

const STATISTICS: [&str; 3] = [
    "stats_last_nonzero",
    "latents_activation_frequency",
    "latents_mean_square",
];
const TIED: &str = "decoder.linear.weight";

pub(super) fn load(source: &Source) -> Result<Loaded, SaeError> {
    let mut report = Report::default();
    let mut fields = deepseek_r1::values(source);
    let mut tensors = Tensors::new(&source.checkpoint, &source.weights, "");
    let architecture = read_activation(&mut fields, &mut tensors, &mut report)?;
    report.fields = fields.finish("the file may be of another library")?;
    let [d_sae, d_in] = tensors.matrix_shape("encoder.weight")?;
    let encoder = tensors.latent_rows("encoder.weight", [d_sae, d_in], "encoder")?;
    let vectors = Weights {
        b_enc: tensors.read("latent_bias", &[d_sae], "encoder bias")?,
        b_dec: tensors.read("pre_bias", &[d_in], "decoder bias, subtracted from the input too")?,
        ..Weights::default()
    };
    let decoder = if tensors.has("decoder.weight") {
        tensors.latent_columns("decoder.weight", [d_in, d_sae], "decoder")?
    } else if tensors.has(TIED) {
        tensors.latent_rows(TIED, [d_sae, d_in], "decoder: the encoder, turned over")?
    } else {
        report.note(
            NoteKind::Guess,
            "there is no decoder: taken to be the encoder, turned over",
        );
        tensors.latent_rows("encoder.weight", [d_sae, d_in], "encoder, and tied decoder")?
    };
    tensors.ignore(&STATISTICS, "statistics of training")?;
    report.tensors = tensors.finish("this format has no such tensor", "the file may be of another library")?;
    let top_k = architecture != Architecture::Standard;
    let config = SaeConfig {
        d_in,
        d_sae,
        architecture,
        apply_b_dec_to_input: true,
        normalize_activations: if top_k {
            Normalization::LayerNorm
        } else {
            Normalization::None
        },
        reshape_activations: Reshape::None,
        output: Output::autoencoder(d_in),
        metadata: Metadata::new(),
    };
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

fn read_activation(
    fields: &mut Fields,
    tensors: &mut Tensors<'_>,
    report: &mut Report,
) -> Result<Architecture, SaeError> {
    const STATE: &str = "activation_state_dict.";
    let how = "how pre-activations become latents, and whether rows are normalised";
    let name = fields.optional_string("activation", how)?;
    let (k, postact) = (format!("{STATE}k"), format!("{STATE}postact_fn"));
    let architecture = match name.as_deref() {
        Some("TopK") => {
            // The library stores it as a number; a tensor would serve its reader as well.
            let count = if tensors.has(&k) {
                let values = tensors.integers(&k, "latents kept per row")?;
                match values.as_slice() {
                    &[value] if value > 0 => value as usize,
                    _ => return Err(tensors.refuse(&k, "it is not one positive number", "fetch the file again")),
                }
            } else {
                fields.positive(&k, "latents kept per row")?
            };
            report.declared_l0 = Some(Sourced::stated(count as f64, format!("value `{k}` of the file")));
            let after = fields.optional_string(&postact, "what is done to the values that are kept")?;
            if let Some(other) = after.filter(|after| after != "ReLU") {
                let hint = "use `ReLU`";
                return Err(fields.refuse(
                    &postact,
                    &other.into(),
                    "this program computes `ReLU` after top-k",
                    hint,
                ));
            }
            // Modules of PyTorch may store their values a second time under their own name.
            if let Some(value) = fields.used("activation.k", "checked: `k` again")
                && value.as_u64() != Some(count as u64)
            {
                let reason = format!("`{k}` is {count}");
                return Err(fields.refuse("activation.k", &value, &reason, "fetch the file again"));
            }
            if let Some(value) = fields.used("activation.postact_fn", "checked: `ReLU` again")
                && value != "ReLU"
            {
                let reason = "this program computes `ReLU` after top-k";
                return Err(fields.refuse("activation.postact_fn", &value, reason, "use `ReLU`"));
            }
            Architecture::TopK {
                k: count,
                rescale_acts_by_decoder_norm: false,
            }
        }
        Some("ReLU") => Architecture::Standard,
        Some(other) => {
            let value: Value = other.into();
            let reason = "this program does not compute this activation";
            return Err(fields.refuse("activation", &value, reason, "use `TopK` or `ReLU`"));
        }
        None => {
            report.note(
                NoteKind::Guess,
                "the file names no activation: taken to be `ReLU` without normalisation, as the library does",
            );
            Architecture::Standard
        }
    };
    if fields
        .peek("activation_state_dict")
        .is_some_and(|state| state == &serde_json::json!({}))
    {
        fields.ignored("activation_state_dict", "empty");
    }
    if architecture == Architecture::Standard {
        for field in [&k, &postact] {
            if let Some(value) = fields.used(field, "checked: it has no meaning without top-k") {
                let hint = "correct `activation`";
                return Err(fields.refuse(field, &value, "it has no meaning without top-k", hint));
            }
        }
    }
    Ok(architecture)
}
