//! Gemma Scope: `params.npz` with `W_enc`, `W_dec`, `b_enc`, `b_dec` and `threshold` (also in lower case), and no configuration.
//!
//! All are `JumpReLU` without subtraction of the decoder bias. What the arrays do not say - layer, hook, and whether this is a
//! transcoder - is guessed from the path, as published:
//! `{repository}/layer_{n}/width_{w}/average_l0_{l0}/params.npz`.
//!
//! Autoencoders of the embedding were trained before Gemma's factor of `sqrt(d)` on it; their encoder and decoder are rescaled for
//! activations after it, as `SAELens` does.

use super::source::Source;
use super::tensors::Tensors;
use super::{Loaded, Report};
use crate::factor::Factor;
use crate::parts::Parts;
use crate::{Architecture, Metadata, Normalization, NoteKind, Output, Reshape, SaeConfig, SaeError, Sourced, Weights};

pub(super) fn load(source: &Source, transcoder: bool) -> Result<Loaded, SaeError> {
    let mut tensors = Tensors::new(&source.checkpoint, &source.weights, "");
    let (encoder, decoder) = (
        tensors.first_of(&["W_enc", "w_enc"]),
        tensors.first_of(&["W_dec", "w_dec"]),
    );
    let [d_in, d_sae] = tensors.matrix_shape(encoder)?;
    let d_out = if transcoder {
        tensors.matrix_shape(decoder)?[1]
    } else {
        d_in
    };
    let mut encoder = tensors.latent_columns(encoder, [d_in, d_sae], "encoder")?;
    let mut decoder = tensors.latent_rows(decoder, [d_sae, d_out], "decoder")?;
    let vectors = Weights {
        b_enc: tensors.read("b_enc", &[d_sae], "encoder bias")?,
        b_dec: tensors.read("b_dec", &[d_out], "decoder bias")?,
        threshold: tensors.per_latent("threshold", d_sae, "thresholds")?,
        ..Weights::default()
    };
    let mut report = Report::default();
    if tensors.has("scaling_factor") {
        if !tensors.all_ones("scaling_factor")? {
            return Err(tensors.refuse("scaling_factor", "it is not all ones", "fold it into the decoder"));
        }
        tensors.ignore(&["scaling_factor"], "all ones")?;
    }
    report.tensors = tensors.finish("Gemma Scope has no such array", "the file may be of another library")?;
    let embedding = !transcoder && source.has_part("embedding");
    if embedding {
        let root = (d_in as f32).sqrt();
        encoder.scale(Factor::Over(root));
        decoder.scale(Factor::Times(root));
        report.note(
            NoteKind::Changed,
            format!("the path says `embedding`: encoder divided and decoder multiplied by sqrt({d_in}), for embeddings after Gemma's scaling"),
        );
    }
    let kind = hooks(source, transcoder, embedding, &mut report);
    report.declared_l0 = source
        .number_after("average_l0_")
        .map(|(l0, part)| Sourced::guessed(l0 as f64, format!("the path has `{part}`")));
    report.model = source
        .says("gemma-scope")
        .then(|| model(source))
        .flatten()
        .map(|model| Sourced::guessed(model, "the path names the release"));
    let config = SaeConfig {
        d_in,
        d_sae,
        architecture: Architecture::JumpRelu,
        apply_b_dec_to_input: false,
        normalize_activations: Normalization::None,
        reshape_activations: kind,
        output: Output {
            d_out,
            transcoder,
            skip: false,
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

/// Guesses the hooks, and with them how activations become rows.
fn hooks(source: &Source, transcoder: bool, embedding: bool, report: &mut Report) -> Reshape {
    if embedding {
        report.hook_in = Some(Sourced::guessed("hook_embed".to_owned(), "the path has `embedding`"));
        return Reshape::None;
    }
    let Some((layer, part)) = source.number_after("layer_") else {
        let message = "nothing on the path names a layer: the hook is unknown";
        report.note(NoteKind::Guess, message);
        return Reshape::None;
    };
    if transcoder {
        let why = format!("the path has `{part}`, and transcoders of Gemma Scope read and write these hooks");
        report.hook_in = Some(Sourced::guessed(
            format!("blocks.{layer}.ln2.hook_normalized"),
            why.clone(),
        ));
        report.hook_out = Some(Sourced::guessed(format!("blocks.{layer}.hook_mlp_out"), why));
        return Reshape::None;
    }
    let says = |word: &str| source.says(&format!("-{word}"));
    let (hook, why) = if says("att") {
        ("attn.hook_z", "an `-att` release")
    } else if says("mlp") {
        ("hook_mlp_out", "an `-mlp` release")
    } else if says("res") {
        ("hook_resid_post", "a `-res` release")
    } else {
        (
            "hook_resid_post",
            "no release, and those of the residual stream are the most common",
        )
    };
    let source = format!("the path has `{part}` and names {why}");
    report.hook_in = Some(Sourced::guessed(format!("blocks.{layer}.{hook}"), source));
    if hook.ends_with("hook_z") {
        Reshape::HookZ
    } else {
        Reshape::None
    }
}

/// The model of a release.
fn model(source: &Source) -> Option<String> {
    ["2b", "9b", "27b"].into_iter().find_map(|size| {
        let tuned = source.says(&format!("gemma-scope-{size}-it"));
        let pretrained = source.says(&format!("gemma-scope-{size}-pt"));
        let suffix = if tuned { "-it" } else { "" };
        (tuned || pretrained).then(|| format!("gemma-2-{size}{suffix}"))
    })
}
