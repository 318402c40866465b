//! The autoencoder of `DeepSeek`-R1-Distill by qresearch: a torch file with weights and biases of two linear layers, `encoder` and
//! `decoder`. A plain `relu` without subtraction of the decoder bias, and no configuration.

use serde_json::Map;

use super::source::Source;
use super::tensors::Tensors;
use super::{Loaded, Report};
use crate::fields::Fields;
use crate::parts::Parts;
use crate::{Architecture, Metadata, Normalization, Output, Reshape, SaeConfig, SaeError, Sourced, Weights};

pub(super) fn load(source: &Source) -> Result<Loaded, SaeError> {
    let mut loaded = linear_layers(source, ["encoder.", "decoder."])?;
    loaded.report.hook_in = source.number_after("l").map(|(layer, part)| {
        Sourced::guessed(
            format!("blocks.{layer}.hook_resid_post"),
            format!("the path has `{part}`"),
        )
    });
    Ok(loaded)
}

/// A `relu` between two linear layers of these names, with biases.
pub(super) fn linear_layers(source: &Source, [encoder, decoder]: [&str; 2]) -> Result<Loaded, SaeError> {
    let mut tensors = Tensors::new(&source.checkpoint, &source.weights, "");
    let name = |layer: &str, part: &str| format!("{layer}{part}");
    let [d_sae, d_in] = tensors.matrix_shape(&name(encoder, "weight"))?;
    let vectors = Weights {
        b_enc: tensors.read(&name(encoder, "bias"), &[d_sae], "encoder bias")?,
        b_dec: tensors.read(&name(decoder, "bias"), &[d_in], "decoder bias")?,
        ..Weights::default()
    };
    let encoder = tensors.latent_rows(&name(encoder, "weight"), [d_sae, d_in], "encoder")?;
    let decoder = tensors.latent_columns(&name(decoder, "weight"), [d_in, d_sae], "decoder")?;
    let report = Report {
        tensors: tensors.finish("this format has no such tensor", "the file may be of another library")?,
        fields: no_values(source)?,
        ..Report::default()
    };
    let config = SaeConfig {
        d_in,
        d_sae,
        architecture: Architecture::Standard,
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

/// The values in a torch file that are no tensors.
pub(super) fn values(source: &Source) -> Fields {
    let map: Map<String, serde_json::Value> = source
        .checkpoint
        .values()
        .iter()
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    Fields::new(&source.weights, "", map)
}

/// Refuses values in a torch file, for formats that have none.
pub(super) fn no_values(source: &Source) -> Result<Vec<crate::FieldRecord>, SaeError> {
    values(source).finish("the file may be of another library")
}
