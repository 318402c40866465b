//! Gemma Scope 2: `params.safetensors` with lower-case names and `config.json`, which some of its repositories lack.
//!
//! All are `JumpReLU` without subtraction of the decoder bias. With `affine_skip_connection` `[d_in, d_out]` (turned over to
//! `W_skip`) or with different hooks in and out it is a transcoder. Without a configuration the path is asked, and the answer
//! reported as a guess.
//!
//! Deliberately absent: cross-layer transcoders, whose decoder has a third dimension.

use std::path::Path;

use serde_json::{Map, Value};

use super::source::Source;
use super::tensors::Tensors;
use super::{Loaded, Report};
use crate::fields::Fields;
use crate::parts::Parts;
use crate::{Architecture, Metadata, Normalization, NoteKind, Output, Reshape, SaeConfig, SaeError, Sourced, Weights};

/// What `config.json` says.
pub(super) struct Parsed {
    report: Report,
    width: Option<usize>,
    /// Whether it is a transcoder, and has a skip connection.
    transcoder: Option<bool>,
    affine: Option<bool>,
}

pub(super) fn load(source: &Source) -> Result<Loaded, SaeError> {
    let mut tensors = Tensors::new(&source.checkpoint, &source.weights, "");
    let [d_in, d_sae] = tensors.matrix_shape("w_enc")?;
    let [_, d_out] = tensors.matrix_shape("w_dec")?;
    let parsed = match source.config("config.json") {
        Some(config) => parse(&config.file, config.map.clone())?,
        None => guess(source),
    };
    let Parsed {
        mut report,
        width,
        transcoder,
        affine,
    } = parsed;
    let skip = tensors.has("affine_skip_connection");
    if let Some(width) = width.filter(|&width| width != d_sae) {
        let reason = format!("`config.json` says `width` {width}, and the file has {d_sae} latents");
        return Err(tensors.refuse(
            "w_enc",
            &reason,
            "weights and `config.json` may be of different autoencoders",
        ));
    }
    if let Some(affine) = affine.filter(|&affine| affine != skip) {
        let name = "affine_skip_connection";
        let reason = if affine {
            "`config.json` says `affine_connection`, and there is no such tensor"
        } else {
            "`config.json` says that there is no affine connection"
        };
        return Err(tensors.refuse(
            name,
            reason,
            "weights and `config.json` may be of different autoencoders",
        ));
    }
    let transcoder = transcoder.unwrap_or(skip);
    let encoder = tensors.latent_columns("w_enc", [d_in, d_sae], "encoder")?;
    let decoder = tensors.latent_rows("w_dec", [d_sae, d_out], "decoder")?;
    let mut vectors = Weights {
        b_enc: tensors.read("b_enc", &[d_sae], "encoder bias")?,
        b_dec: tensors.read("b_dec", &[d_out], "decoder bias")?,
        threshold: tensors.per_latent("threshold", d_sae, "thresholds")?,
        ..Weights::default()
    };
    if skip {
        vectors.w_skip = tensors.transposed("affine_skip_connection", [d_in, d_out], "skip connection")?;
    }
    report.tensors = tensors.finish("Gemma Scope 2 has no such tensor", "the file may be of another library")?;
    let hook_z = report
        .hook_in
        .as_ref()
        .is_some_and(|hook| hook.value.ends_with("hook_z"));
    let config = SaeConfig {
        d_in,
        d_sae,
        architecture: Architecture::JumpRelu,
        apply_b_dec_to_input: false,
        normalize_activations: Normalization::None,
        reshape_activations: if hook_z { Reshape::HookZ } else { Reshape::None },
        output: Output {
            d_out,
            transcoder,
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

/// The configuration in `map`.
pub(super) fn parse(file: &Path, map: Map<String, Value>) -> Result<Parsed, SaeError> {
    let mut fields = Fields::new(file, "", map);
    let mut report = Report {
        configs: vec![file.to_owned()],
        ..Report::default()
    };
    let architecture = fields.string(
        "architecture",
        "how pre-activations become latents",
        "add it: `jump_relu`",
    )?;
    if architecture != "jump_relu" {
        let reason = "this program knows Gemma Scope 2 with `jump_relu` only";
        return Err(fields.refuse("architecture", &architecture.into(), reason, "correct it"));
    }
    let stated = |value: String, field: &str| Sourced::stated(value, format!("field `{field}` of `config.json`"));
    let model = fields.optional_string("model_name", "name of the model in reports; its own files decide")?;
    report.model = model.map(|model| stated(model.replace("-v3", "-3"), "model_name"));
    let kind = fields.optional_string("type", "whether the output is at another hook")?;
    let hook_in = fields.optional_string("hf_hook_point_in", "where activations are taken")?;
    let hook_out = fields.optional_string("hf_hook_point_out", "where the output belongs")?;
    let transcoder = match kind.as_deref() {
        Some("sae") => Some(false),
        Some("transcoder") => Some(true),
        Some("clt" | "crosscoder") => {
            let reason = "it has one decoder per layer";
            let hint = "use an autoencoder or a transcoder of one layer";
            return Err(fields.refuse("type", &kind.unwrap_or_default().into(), reason, hint));
        }
        Some(other) => {
            let reason = "this program knows `sae` and `transcoder`";
            return Err(fields.refuse("type", &other.into(), reason, "correct it"));
        }
        None => hook_out.as_ref().map(|out| Some(out) != hook_in.as_ref()),
    };
    if transcoder == Some(false)
        && let (Some(into), Some(out)) = (&hook_in, &hook_out)
        && into != out
    {
        let reason = format!("`type` is `sae` and `hf_hook_point_in` is `{into}`");
        return Err(fields.refuse(
            "hf_hook_point_out",
            &out.as_str().into(),
            &reason,
            "correct one of them",
        ));
    }
    report.hook_in = hook_in.map(|hook| stated(transformer_lens(&hook), "hf_hook_point_in"));
    if transcoder == Some(true) {
        report.hook_out = hook_out.map(|hook| stated(transformer_lens(&hook), "hf_hook_point_out"));
    }
    let width = fields.optional_positive("width", "checked: number of latents")?;
    let l0 = fields.optional_number("l0", "the declared L0")?;
    report.declared_l0 = l0.map(|l0| Sourced::stated(l0, "field `l0` of `config.json`, the target of training"));
    let affine = fields.has("affine_connection");
    let affine = affine
        .then(|| {
            fields.boolean(
                "affine_connection",
                Some(false),
                "checked: whether there is a skip connection",
            )
        })
        .transpose()?;
    report.fields =
        fields.finish("if it changes what the autoencoder computes this program cannot use it; else remove it")?;
    Ok(Parsed {
        report,
        width,
        transcoder,
        affine,
    })
}

/// `TransformerLens`'s name of a hook that Gemma Scope 2 names by module; others stay as they are.
fn transformer_lens(hook: &str) -> String {
    let known = [
        (".output", "hook_resid_post"),
        (".self_attn.o_proj.input", "attn.hook_z"),
        (".post_feedforward_layernorm.output", "hook_mlp_out"),
        (".pre_feedforward_layernorm.output", "hook_mlp_in"),
    ];
    hook.strip_prefix("model.layers.")
        .and_then(|rest| {
            known.iter().find_map(|(suffix, name)| {
                let layer: usize = rest.strip_suffix(suffix)?.parse().ok()?;
                Some(format!("blocks.{layer}.{name}"))
            })
        })
        .unwrap_or_else(|| hook.to_owned())
}

/// What the path suggests.
fn guess(source: &Source) -> Parsed {
    let mut report = Report::default();
    report.note(
        NoteKind::Guess,
        "there is no `config.json`: hooks and kind are taken from the path",
    );
    let transcoder = source.says("transcoder");
    let kinds = [
        ("transcoder", "hook_mlp_in"),
        ("resid_post", "hook_resid_post"),
        ("attn_out", "attn.hook_z"),
        ("mlp_out", "hook_mlp_out"),
    ];
    let kind = kinds.into_iter().find(|(word, _)| source.says(word));
    if let (Some((layer, part)), Some((word, hook))) = (source.number_after("layer_"), kind) {
        let why = format!("the path has `{word}` and `{part}`");
        report.hook_in = Some(Sourced::guessed(format!("blocks.{layer}.{hook}"), why.clone()));
        if transcoder {
            report.hook_out = Some(Sourced::guessed(format!("blocks.{layer}.hook_mlp_out"), why));
        }
    }
    Parsed {
        report,
        width: None,
        transcoder: transcoder.then_some(true),
        affine: None,
    }
}
