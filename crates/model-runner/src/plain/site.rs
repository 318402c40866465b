//! Gradients of letter logits with respect to the vector at one position, by partial runs.
//!
//! Only the positions from the site on and the layers above it are run, against keys and values that were run before: for a
//! prompt of 90 tokens that is a fifteenth of a whole pass. Deliberately absent: what the gradient is taken for (first-order
//! attribution and integrated gradients are compositions of this, made by the caller).

use std::ops::Range;

use burn::prelude::*;

use super::PlainModel;
use crate::error::{ModelError, Result};
use crate::host::PrefixCache;

/// Prompts of one prefix from the site on.
#[derive(Clone, Copy)]
pub struct SiteRun<'a> {
    /// The stream at the site and behind it, `[batch * seq, d_model]`.
    pub stream: &'a [f32],
    /// Number of prompts.
    pub batch: usize,
    /// The layers above the site, up to the model's last.
    pub from_layer: usize,
    /// Keys and values of the positions before.
    pub prefix: &'a PrefixCache,
}

/// Logits and the gradient of a weighted sum of them.
#[derive(Clone, Debug, PartialEq)]
pub struct SiteGradient {
    /// `[batch, tokens]`.
    pub logits: Vec<f32>,
    /// `[batch, d_model]`, logits per unit of the stream: at each prompt's first position.
    pub gradient: Vec<f32>,
}

/// Logits of `tokens` at the last position, and the gradient of `sum_t weights[b, t] logit[b, t]` at each prompt's first position.
///
/// # Shapes
/// - `tokens`: `[tokens]`; `weights`: `[batch, tokens]`
///
/// # Errors
/// The device records no gradients, the prefix lacks a layer, a token is outside the vocabulary, or sizes disagree.
pub fn site_gradient(model: &PlainModel, run: SiteRun<'_>, tokens: &[u32], weights: &[f32]) -> Result<SiteGradient> {
    let (d, layers) = (model.config.hidden_size, model.config.layers);
    let refuse = |reason: String| Err(ModelError::Run(reason));
    if run.batch == 0 || run.stream.is_empty() || !run.stream.len().is_multiple_of(run.batch * d) {
        return refuse(format!(
            "a stream of {} values is no {} prompts of width {d}",
            run.stream.len(),
            run.batch
        ));
    }
    if run.from_layer > layers || run.prefix.layers() < layers {
        return refuse(format!(
            "layers from {} with a prefix of {} in a model of {layers}",
            run.from_layer,
            run.prefix.layers()
        ));
    }
    if tokens.is_empty() || weights.len() != run.batch * tokens.len() {
        return refuse(format!(
            "{} weights for {} prompts and {} tokens",
            weights.len(),
            run.batch,
            tokens.len()
        ));
    }
    if let Some(token) = tokens.iter().find(|&&token| token as usize >= model.config.vocab_size) {
        return refuse(format!("token {token} of a vocabulary of {}", model.config.vocab_size));
    }
    if !model.device.is_autodiff() {
        return refuse("gradients need an autodiff device".to_owned());
    }
    let seq = run.stream.len() / (run.batch * d);
    let device = &model.device;
    let data = TensorData::new(run.stream.to_vec(), [run.batch, seq, d]);
    let x = Tensor::<3>::from_data(data, device).require_grad();
    let above: Range<usize> = run.from_layer..layers;
    let last = model.suffix(x.clone(), above, run.prefix)?;
    let logits = model.logits_of(last, tokens)?;
    let data = TensorData::new(weights.to_vec(), [run.batch, tokens.len()]);
    let weights = Tensor::<2>::from_data(data, device);
    let gradients = (logits.clone() * weights).sum().backward();
    let host = |data: TensorData| {
        data.convert::<f32>()
            .try_into_vec::<f32>()
            .map_err(|e| ModelError::Run(format!("reading a tensor: {e:?}")))
    };
    let gradient = x
        .grad(&gradients)
        .ok_or_else(|| ModelError::Run("the stream has no gradient".to_owned()))?;
    Ok(SiteGradient {
        logits: host(logits.into_data())?,
        gradient: host(gradient.slice_dim(1, 0..1).into_data())?,
    })
}
