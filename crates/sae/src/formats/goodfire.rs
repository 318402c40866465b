//! Goodfire: a torch file with `encoder_linear.weight` `[d_sae, d_in]`, `encoder_linear.bias`, `decoder_linear.weight`
//! `[d_in, d_sae]` and `decoder_linear.bias`. A plain `relu` without subtraction of the decoder bias, and no configuration.

use super::source::Source;
use super::{Loaded, deepseek_r1};
use crate::{SaeError, Sourced};

pub(super) fn load(source: &Source) -> Result<Loaded, SaeError> {
    let mut loaded = deepseek_r1::linear_layers(source, ["encoder_linear.", "decoder_linear."])?;
    let layer = source
        .number_after("sae-l")
        .map(|(layer, part)| (format!("blocks.{layer}.hook_resid_post"), part));
    loaded.report.hook_in = layer.map(|(hook, part)| Sourced::guessed(hook, format!("the file is called `{part}`")));
    let model = ["llama-3.1-8b-instruct", "llama-3.3-70b-instruct"]
        .into_iter()
        .find(|name| source.says(name));
    loaded.report.model = model.map(|model| Sourced::guessed(model.to_owned(), "the path names the model"));
    Ok(loaded)
}
