//! Gradients of an answer metric with respect to the residual stream.

use burn::prelude::*;

use super::PlainModel;
use crate::error::{ModelError, Result};

/// `logit(positive) - mean(logits of negatives)` at the last position of one prompt (Chanin et al.
/// 2024, section 4: the metric `m`).
#[derive(Clone, Debug)]
pub struct LetterMetric {
    /// The right answer's token.
    pub positive: u32,
    /// The other answers' tokens.
    pub negatives: Vec<u32>,
}

/// The metric of each prompt and its gradient at `resid_post` of the asked layers.
///
/// # Shapes
/// - `ids`: `[batch * seq]`; `metrics`: `[batch]`
/// - returns: metrics `[batch]`, and per asked layer the gradient of their sum,
///   `[batch * seq * d_model]`
///
/// # Errors
/// The device records no gradients, a layer does not exist, or sizes disagree.
pub fn metric_gradient(
    model: &PlainModel,
    ids: &[u32],
    metrics: &[LetterMetric],
    layers: &[usize],
) -> Result<(Vec<f32>, Vec<Vec<f32>>)> {
    let batch = metrics.len();
    if batch == 0 || !ids.len().is_multiple_of(batch) {
        return Err(ModelError::Run(format!("{} token ids for {batch} prompts", ids.len())));
    }
    if let Some(layer) = layers.iter().find(|&&layer| layer >= model.config.layers) {
        return Err(ModelError::Run(format!(
            "layer {layer} of a model with {} layers",
            model.config.layers
        )));
    }
    if !model.device.is_autodiff() {
        return Err(ModelError::Run("gradients need an autodiff device".to_owned()));
    }
    let mut x = model.embed(ids, batch)?;
    let mut leaves = vec![None; layers.len()];
    for layer in 0..model.config.layers {
        x = model.layer(layer, x);
        if let Some(slot) = layers.iter().position(|&asked| asked == layer) {
            // A zero leaf added to the stream has the stream's gradient, at any number of points.
            let leaf = Tensor::<3>::zeros(x.dims(), &model.device).require_grad();
            x = x + leaf.clone();
            leaves[slot] = Some(leaf);
        }
    }
    let [_, seq, d] = x.dims();
    let last = x.slice_dim(1, seq - 1..seq).reshape([batch, d]);
    let logits = model.logits(last)?;
    let pick = metric_weights(metrics, model.config.vocab_size);
    let weights = Tensor::<2>::from_data(TensorData::new(pick, [batch, model.config.vocab_size]), &model.device);
    let values = (logits * weights).sum_dim(1);
    let host = values.clone().into_data().convert::<f32>().try_into_vec::<f32>();
    let host = host.map_err(|e| ModelError::Run(format!("reading the metric: {e:?}")))?;
    let gradients = values.sum().backward();
    let mut out = Vec::with_capacity(layers.len());
    for leaf in leaves.into_iter().flatten() {
        let gradient = leaf
            .grad(&gradients)
            .ok_or_else(|| ModelError::Run("a leaf has no gradient".to_owned()))?;
        let data = gradient.into_data().convert::<f32>().try_into_vec::<f32>();
        out.push(data.map_err(|e| ModelError::Run(format!("reading a gradient: {e:?}")))?);
    }
    Ok((host, out))
}

/// Each prompt's weights over the vocabulary, so that the metric is one product.
fn metric_weights(metrics: &[LetterMetric], vocab: usize) -> Vec<f32> {
    let mut weights = vec![0.0; metrics.len() * vocab];
    for (metric, row) in metrics.iter().zip(weights.chunks_exact_mut(vocab)) {
        row[metric.positive as usize] += 1.0;
        for &negative in &metric.negatives {
            row[negative as usize] -= 1.0 / metric.negatives.len() as f32;
        }
    }
    weights
}
