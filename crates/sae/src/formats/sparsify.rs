//! `EleutherAI` sparsify: `cfg.json` and `sae.safetensors` with `encoder.weight` `[d_sae, d_in]`, `encoder.bias`, `W_dec`
//! `[d_sae, d_in]`, `b_dec` and, with a skip connection, `W_skip` `[d_in, d_in]`.
//!
//! The decoder bias is subtracted from the input unless the coder transcodes. `num_latents` 0 stands for `d_in` times
//! `expansion_factor`. Its loader skips unknown fields, so they are tolerated here and reported.
//!
//! `SAELens` reads these differently (it turns `W_dec` over, subtracts the bias depending on `normalize_decoder`, ignores
//! `groupmax`); this follows sparsify itself.

use std::path::Path;

use serde_json::{Map, Value};

use super::source::Source;
use super::tensors::Tensors;
use super::{Loaded, Report};
use crate::fields::Fields;
use crate::parts::Parts;
use crate::{Architecture, Metadata, Normalization, NoteKind, Output, Reshape, SaeConfig, SaeError, Sourced, Weights};

pub(super) fn load(source: &Source) -> Result<Loaded, SaeError> {
    let cfg = source.need("cfg.json")?;
    let (config, mut report) = parse(&cfg.file, cfg.map.clone())?;
    hooks(source, config.output.transcoder, &mut report);
    let (d_in, d_sae) = (config.d_in, config.d_sae);
    let mut tensors = Tensors::new(&source.checkpoint, &source.weights, "");
    let encoder = tensors.latent_rows("encoder.weight", [d_sae, d_in], "encoder")?;
    let decoder = tensors.latent_rows("W_dec", [d_sae, d_in], "decoder")?;
    let mut vectors = Weights {
        b_enc: tensors.read("encoder.bias", &[d_sae], "encoder bias")?,
        b_dec: tensors.read("b_dec", &[d_in], "decoder bias")?,
        ..Weights::default()
    };
    if config.output.skip {
        vectors.w_skip = tensors.read("W_skip", &[d_in, d_in], "skip connection")?;
    }
    report.tensors = tensors.finish(
        "a coder with this `cfg.json` has no such tensor",
        "weights and `cfg.json` may be of different coders",
    )?;
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
pub(super) fn parse(file: &Path, map: Map<String, Value>) -> Result<(SaeConfig, Report), SaeError> {
    let mut fields = Fields::new(file, "", map);
    let mut report = Report {
        configs: vec![file.to_owned()],
        ..Report::default()
    };
    let d_in = fields.positive("d_in", "width of the activations")?;
    let d_sae = latents(&mut fields, d_in)?;
    let k = fields.positive("k", "latents kept per row")?;
    report.declared_l0 = Some(Sourced::stated(k as f64, "field `k` of `cfg.json`"));
    let signed = fields.boolean(
        "signed",
        Some(false),
        "whether latents are kept by magnitude, with their sign",
    )?;
    let activation = fields.optional_string("activation", "how pre-activations become latents")?;
    let architecture = match (activation.as_deref().unwrap_or("topk"), signed) {
        ("topk", false) => Architecture::TopK {
            k,
            rescale_acts_by_decoder_norm: false,
        },
        ("topk", true) => Architecture::AbsTopK {
            k,
            rescale_acts_by_decoder_norm: false,
        },
        ("groupmax", false) => Architecture::GroupMax { groups: k },
        (other, _) => {
            let reason = if signed {
                "signed latents go with `topk`"
            } else {
                "this program does not compute this activation"
            };
            return Err(fields.refuse("activation", &other.into(), reason, "use `topk` or `groupmax`"));
        }
    };
    if activation.is_none() {
        report.note(
            NoteKind::Guess,
            "`cfg.json` has no `activation`: taken to be `topk`, the only one of the releases before the field",
        );
    }
    let how = "whether the output is at another hook, and the decoder bias stays out of the input";
    let transcode = fields.boolean("transcode", Some(false), how)?;
    let skip = fields.boolean("skip_connection", Some(false), "whether there is a skip connection")?;
    fields.ignore(
        &["normalize_decoder", "multi_topk"],
        "training reads it; the decoder is used as stored",
    );
    report.fields = fields.finish_tolerant();
    let config = SaeConfig {
        d_in,
        d_sae,
        architecture,
        apply_b_dec_to_input: !transcode,
        normalize_activations: Normalization::None,
        reshape_activations: Reshape::None,
        output: Output {
            d_out: d_in,
            transcoder: transcode,
            skip,
        },
        metadata: Metadata::new(),
    };
    crate::sae::check_config(&config).map_err(|error| super::in_file(error, Some(&file.to_owned()), file))?;
    Ok((config, report))
}

/// Number of latents: stated, or by the expansion factor where it is 0 or absent.
fn latents(fields: &mut Fields, d_in: usize) -> Result<usize, SaeError> {
    let stated = match fields.peek("num_latents").and_then(Value::as_u64) {
        Some(0) => {
            fields.used("num_latents", "0: `d_in` times `expansion_factor`");
            None
        }
        _ => fields.optional_positive("num_latents", "number of latents")?,
    };
    if let Some(stated) = stated {
        fields.ignored("expansion_factor", "`num_latents` is stated");
        return Ok(stated);
    }
    let factor = fields.positive("expansion_factor", "number of latents per input")?;
    d_in.checked_mul(factor).ok_or_else(|| {
        fields.refuse(
            "expansion_factor",
            &factor.into(),
            "the product with `d_in` overflows",
            "correct it",
        )
    })
}

/// Hookpoints name modules of the transformer; the folder is called after one.
fn hooks(source: &Source, transcoder: bool, report: &mut Report) {
    let (hook_in, hook_out, why) = if source.has_part("embed_tokens") {
        ("hook_embed".to_owned(), None, "`embed_tokens`".to_owned())
    } else if let Some((layer, part)) = source
        .number_after("layers.")
        .or_else(|| source.number_after("layers_"))
    {
        let why = format!("`{part}`");
        let mlp = part.rsplit('.').next() == Some("mlp");
        match (mlp, transcoder) {
            (true, true) => {
                let hook = |name: &str| format!("blocks.{layer}.{name}");
                (hook("mlp.hook_in"), Some(hook("hook_mlp_out")), why)
            }
            (true, false) => (format!("blocks.{layer}.hook_mlp_out"), None, why),
            (false, _) if part.ends_with(&format!(".{layer}")) || part.ends_with(&format!("_{layer}")) => {
                (format!("blocks.{layer}.hook_resid_post"), None, why)
            }
            (false, _) => (part.to_owned(), None, why),
        }
    } else {
        report.note(NoteKind::Guess, "the folder names no hookpoint: the hook is unknown");
        return;
    };
    let why = format!("the folder is called {why}");
    if hook_in.ends_with("hook_resid_post") {
        report.note(
            NoteKind::Caution,
            "coders of mid-2024 were trained on hidden states, whose index is one above that of block outputs: compare the \
             reconstruction at this block and the one before",
        );
    }
    report.hook_in = Some(Sourced::guessed(hook_in, why.clone()));
    report.hook_out = hook_out.map(|hook| Sourced::guessed(hook, why));
}
