//! Qwen-Scope: a torch file per layer with `W_enc` `[d_sae, d_in]`, `W_dec` `[d_in, d_sae]`, `b_enc` and `b_dec`. Top-k without
//! subtraction of the decoder bias.
//!
//! `k` is in the name of the repository only (`SAE-Res-{model}-W{width}K-L0_{k}`). It is taken from there and reported as a guess,
//! or given by the caller; without either there is nothing to compute.

use super::source::Source;
use super::tensors::Tensors;
use super::{Loaded, Report, deepseek_r1};
use crate::parts::Parts;
use crate::{
    Architecture, Metadata, Normalization, OpenOptions, Output, Reshape, SaeConfig, SaeError, Sourced, Weights,
};

pub(super) fn load(source: &Source, options: &OpenOptions) -> Result<Loaded, SaeError> {
    let mut tensors = Tensors::new(&source.checkpoint, &source.weights, "");
    let [d_sae, d_in] = tensors.matrix_shape("W_enc")?;
    let encoder = tensors.latent_rows("W_enc", [d_sae, d_in], "encoder")?;
    let decoder = tensors.latent_columns("W_dec", [d_in, d_sae], "decoder")?;
    let vectors = Weights {
        b_enc: tensors.read("b_enc", &[d_sae], "encoder bias")?,
        b_dec: tensors.read("b_dec", &[d_in], "decoder bias")?,
        ..Weights::default()
    };
    let mut report = Report {
        tensors: tensors.finish("Qwen-Scope has no such tensor", "the file may be of another library")?,
        fields: deepseek_r1::no_values(source)?,
        ..Report::default()
    };
    let (k, declared) = match (options.k, source.number_after("l0_")) {
        (Some(k), _) => (k, Sourced::stated(k as f64, "given by the caller")),
        (None, Some((k, part))) => (k, Sourced::guessed(k as f64, format!("the path has `{part}`"))),
        (None, None) => {
            return Err(SaeError::Undecided {
                file: source.weights.clone(),
                what: "k".to_owned(),
                reason: "Qwen-Scope has it in the name of the repository only, as `L0_50`, and the path does not"
                    .to_owned(),
                hint: "give `k`, or name the folder as the repository is called".to_owned(),
            });
        }
    };
    if !(1..=d_sae).contains(&k) {
        return Err(SaeError::Undecided {
            file: source.weights.clone(),
            what: "k".to_owned(),
            reason: format!("{} is {k}, and there are {d_sae} latents", declared.source),
            hint: "give `k`".to_owned(),
        });
    }
    report.declared_l0 = Some(declared);
    report.hook_in = source.number_after("layer").map(|(layer, part)| {
        Sourced::guessed(
            format!("blocks.{layer}.hook_resid_post"),
            format!("the file is called `{part}`"),
        )
    });
    let config = SaeConfig {
        d_in,
        d_sae,
        architecture: Architecture::TopK {
            k,
            rescale_acts_by_decoder_norm: false,
        },
        apply_b_dec_to_input: false,
        normalize_activations: Normalization::None,
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
