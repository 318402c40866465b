//! Transcoders of Hanna: `layer_{n}.safetensors` with `W_enc` `[d_sae, d_in]`, `W_dec` `[d_sae, d_out]`, `b_enc`, `b_dec`, and
//! sometimes `threshold` or `W_skip`. `relu`, or `JumpReLU` where there are thresholds.
//!
//! Deliberately absent: the repository's YAML files, which name the model and settings of training and decide nothing here. The
//! layer is in the name of the file only and reported as a guess.

use super::source::Source;
use super::tensors::Tensors;
use super::{Loaded, Report};
use crate::parts::Parts;
use crate::{Architecture, Metadata, Normalization, NoteKind, Output, Reshape, SaeConfig, SaeError, Sourced, Weights};

pub(super) fn load(source: &Source) -> Result<Loaded, SaeError> {
    let mut tensors = Tensors::new(&source.checkpoint, &source.weights, "");
    let [d_sae, d_in] = tensors.matrix_shape("W_enc")?;
    let [_, d_out] = tensors.matrix_shape("W_dec")?;
    let encoder = tensors.latent_rows("W_enc", [d_sae, d_in], "encoder")?;
    let decoder = tensors.latent_rows("W_dec", [d_sae, d_out], "decoder")?;
    let mut vectors = Weights {
        b_enc: tensors.read("b_enc", &[d_sae], "encoder bias")?,
        b_dec: tensors.read("b_dec", &[d_out], "decoder bias")?,
        ..Weights::default()
    };
    let mut architecture = Architecture::Standard;
    if tensors.has("threshold") {
        architecture = Architecture::JumpRelu;
        vectors.threshold = tensors.per_latent("threshold", d_sae, "thresholds")?;
    }
    let skip = tensors.has("W_skip");
    if skip {
        vectors.w_skip = tensors.read("W_skip", &[d_out, d_in], "skip connection")?;
    }
    let mut report = Report {
        tensors: tensors.finish("this format has no such tensor", "the file may be of another library")?,
        ..Report::default()
    };
    match source.number_after("layer_") {
        Some((layer, part)) => {
            let why = format!("the file is called `{part}`");
            report.hook_in = Some(Sourced::guessed(format!("blocks.{layer}.mlp.hook_in"), why.clone()));
            report.hook_out = Some(Sourced::guessed(format!("blocks.{layer}.hook_mlp_out"), why));
        }
        None => report.note(NoteKind::Guess, "the file names no layer: the hooks are unknown"),
    }
    let config = SaeConfig {
        d_in,
        d_sae,
        architecture,
        apply_b_dec_to_input: false,
        normalize_activations: Normalization::None,
        reshape_activations: Reshape::None,
        output: Output {
            d_out,
            transcoder: true,
            skip,
        },
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
