//! A checkpoint's tensors, checked against the configuration and ready for the CPU engine.
//!
//! The embedding stays in the mapped file in its stored dtype: only the rows of the tokens at hand are ever widened, which for
//! 256,000 tokens is the difference between megabytes and gigabytes. So do the layers of a large model (see [`crate::linear`]).

use std::ops::Range;
use std::path::Path;
use std::sync::{Arc, OnceLock};

use checkpoint::Checkpoint;
use kernels::norm::{layer_norm, rms_norm};
use kernels::{Layout as MatrixLayout, Threads, gemm_f32};

use crate::budget::Budget;
use crate::config::{Layout, ModelConfig, Norm};
use crate::error::{ModelError, Result};
use crate::layout::{Names, NormPlace};
use crate::linear::Linear;

/// Where a model's layers are while it runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Residency {
    /// In memory if the budget has room for them in f32, else mapped.
    #[default]
    Auto,
    /// Widened to f32 on first use and kept.
    Resident,
    /// In the mapped file in their stored dtype, widened block by block in every product.
    Mapped,
}

/// Buffers that files may hold and that are computed here instead, and a copy of a tied embedding.
const DERIVED: &[&str] = &[
    "rotary_emb.inv_freq",
    "attn.bias",
    "attn.masked_bias",
    "attention.bias",
    "attention.masked_bias",
];

/// The weight of a norm, with a bias for layer norms.
#[derive(Clone, Debug)]
pub(crate) struct NormWeights {
    /// What the normalised row is multiplied by: `1 + w` for Gemma.
    pub(crate) weight: Vec<f32>,
    bias: Option<Vec<f32>>,
}

impl NormWeights {
    fn read(checkpoint: &Checkpoint, kind: Norm, name: &str) -> Result<Self> {
        let mut weight = checkpoint.get(&format!("{name}.weight"))?.to_f32()?;
        if kind == Norm::RmsPlusOne {
            for value in &mut weight {
                *value += 1.0;
            }
        }
        let bias = match kind {
            Norm::Layer => Some(checkpoint.get(&format!("{name}.bias"))?.to_f32()?),
            Norm::Rms | Norm::RmsPlusOne => None,
        };
        Ok(Self { weight, bias })
    }

    /// Normalises the rows of `x` into `out`.
    pub(crate) fn apply(&self, x: &[f32], eps: f32, out: &mut [f32]) {
        match &self.bias {
            Some(bias) => layer_norm(x, &self.weight, bias, eps, out),
            None => rms_norm(x, &self.weight, eps, out, false),
        }
    }

    /// Adds the normalised rows of `branch` to `x` in one pass; false, with nothing done, for norms with a bias.
    pub(crate) fn add_to(&self, branch: &[f32], eps: f32, x: &mut [f32]) -> bool {
        if self.bias.is_some() {
            return false;
        }
        rms_norm(branch, &self.weight, eps, x, true);
        true
    }
}

/// One block's weights.
#[derive(Clone, Debug)]
pub(crate) struct LayerWeights {
    pub(crate) attn_in: NormWeights,
    pub(crate) attn_out: Option<NormWeights>,
    pub(crate) mlp_in: NormWeights,
    pub(crate) mlp_out: Option<NormWeights>,
    /// What each head's query is multiplied by after its norm, `[head_dim]`.
    pub(crate) query_norm: Option<Vec<f32>>,
    pub(crate) key_norm: Option<Vec<f32>>,
    /// `[d_model]` to `[heads * head_dim]`.
    pub(crate) q: Linear,
    /// Keys beside values, to `[2 * kv_heads * head_dim]`.
    pub(crate) kv: Linear,
    /// `[heads * head_dim]` to `[d_model]`.
    pub(crate) o: Linear,
    /// Gate beside up, to `[2 * intermediate]`, or up alone.
    pub(crate) up: Linear,
    /// `[intermediate]` to `[d_model]`.
    pub(crate) down: Linear,
    /// Bytes of these matrices, as they lie in memory or in their files.
    pub(crate) bytes: u64,
}

/// The tensors of a model: mapped, checked, read layer by layer on demand.
pub(crate) struct Weights {
    checkpoint: Arc<Checkpoint>,
    layers: Vec<OnceLock<LayerWeights>>,
    final_norm: NormWeights,
    embedding: String,
    positions: Option<String>,
    head: String,
    resident: bool,
}

impl Weights {
    /// Opens the checkpoint and checks that every tensor is there with the right shape, and none that would be left out.
    pub(crate) fn open(folder: &Path, config: &ModelConfig, residency: Residency, budget: Budget) -> Result<Self> {
        let checkpoint = Arc::new(Checkpoint::open(folder)?);
        let names = Names::of(config, &checkpoint);
        let shapes = names.shapes();
        for (name, shape) in &shapes {
            checkpoint.get(name)?.expect_shape(shape)?;
        }
        refuse_extra(&names, config, &checkpoint, &shapes)?;
        let resident = match residency {
            Residency::Resident => true,
            Residency::Mapped => false,
            Residency::Auto => 4 * layer_parameters(&names, config) <= budget.weights(),
        };
        Ok(Self {
            final_norm: NormWeights::read(&checkpoint, config.norm, &names.final_norm())?,
            embedding: format!("{}.weight", names.embedding()),
            positions: names.positions().map(|(name, _)| format!("{name}.weight")),
            head: format!("{}.weight", names.head()),
            layers: (0..config.layers).map(|_| OnceLock::new()).collect(),
            checkpoint,
            resident,
        })
    }

    pub(crate) fn final_norm(&self) -> &NormWeights {
        &self.final_norm
    }

    /// Whether the layers are kept widened.
    pub(crate) fn resident(&self) -> bool {
        self.resident
    }

    /// The block's weights, read on first use.
    pub(crate) fn layer(&self, config: &ModelConfig, layer: usize) -> Result<&LayerWeights> {
        let cell = &self.layers[layer];
        if let Some(weights) = cell.get() {
            return Ok(weights);
        }
        let weights = self.read_layer(config, layer)?;
        Ok(cell.get_or_init(|| weights))
    }

    fn read_layer(&self, config: &ModelConfig, layer: usize) -> Result<LayerWeights> {
        let names = Names::of(config, &self.checkpoint);
        let linear = |projection| {
            let in_out = config.layout == Layout::Gpt2;
            Linear::read(&self.checkpoint, &projection, in_out, self.resident)
        };
        let norm = |place| {
            names
                .norm(layer, place)
                .map(|(name, _)| NormWeights::read(&self.checkpoint, config.norm, &name))
                .transpose()
        };
        let needed = |place| -> Result<NormWeights> {
            norm(place)?.ok_or_else(|| ModelError::Run(format!("layer {layer} has no norm {place:?}")))
        };
        let (q, kv, o) = (
            linear(names.queries(layer))?,
            linear(names.keys_values(layer))?,
            linear(names.output(layer))?,
        );
        let (up, down) = (linear(names.up(layer))?, linear(names.down(layer))?);
        let sizes = [&q, &kv, &o, &up, &down].map(Linear::bytes);
        Ok(LayerWeights {
            bytes: sizes.into_iter().sum::<Result<u64>>()?,
            attn_in: needed(NormPlace::AttnIn)?,
            attn_out: norm(NormPlace::AttnOut)?,
            mlp_in: needed(NormPlace::MlpIn)?,
            mlp_out: norm(NormPlace::MlpOut)?,
            query_norm: norm(NormPlace::Query)?.map(|norm| norm.weight),
            key_norm: norm(NormPlace::Key)?.map(|norm| norm.weight),
            q,
            kv,
            o,
            up,
            down,
        })
    }

    /// Rows of the embedding, `[ids, d_model]`, unscaled.
    pub(crate) fn embedding_rows(&self, config: &ModelConfig, ids: &[u32]) -> Result<Vec<f32>> {
        self.token_rows(config, &self.embedding, ids)
    }

    /// Rows of the unembedding, `[ids, d_model]`.
    pub(crate) fn head_rows(&self, config: &ModelConfig, ids: &[u32]) -> Result<Vec<f32>> {
        self.token_rows(config, &self.head, ids)
    }

    /// Consecutive rows of the unembedding, `[ids, d_model]`.
    pub(crate) fn head_range(&self, ids: Range<usize>) -> Result<Vec<f32>> {
        let mut rows = Vec::new();
        self.checkpoint.get(&self.head)?.extend_rows_f32(ids, &mut rows)?;
        Ok(rows)
    }

    /// The checkpoint's tensors.
    pub(crate) fn checkpoint(&self) -> &Checkpoint {
        &self.checkpoint
    }

    fn token_rows(&self, config: &ModelConfig, name: &str, ids: &[u32]) -> Result<Vec<f32>> {
        let rows: Vec<usize> = ids.iter().map(|&id| id as usize).collect();
        if let Some(bad) = rows.iter().find(|&&row| row >= config.vocab_size) {
            return Err(ModelError::Run(format!(
                "token id {bad} is outside the model's vocabulary of {}\nhint: the tokenizer and the model do not belong together",
                config.vocab_size
            )));
        }
        Ok(self.checkpoint.get(name)?.rows_f32(&rows)?)
    }

    /// Vectors of consecutive positions, `[positions, d_model]`; `None` where positions are rotary.
    pub(crate) fn position_rows(&self, from: usize, count: usize) -> Result<Option<Vec<f32>>> {
        let Some(name) = &self.positions else {
            return Ok(None);
        };
        let rows: Vec<usize> = (from..from + count).collect();
        Ok(Some(self.checkpoint.get(name)?.rows_f32(&rows)?))
    }

    /// Logits over the whole vocabulary of normalised rows, block by block of the unembedding.
    ///
    /// `normed`: `[rows, d_model]`; `out`: `[rows, vocab]`.
    pub(crate) fn all_logits(&self, config: &ModelConfig, normed: &[f32], out: &mut [f32]) -> Result<()> {
        const TOKENS: usize = 2048;
        let (d, vocab) = (config.hidden_size, config.vocab_size);
        let rows = normed.len() / d;
        let view = self.checkpoint.get(&self.head)?;
        let mut block = Vec::new();
        for start in (0..vocab).step_by(TOKENS) {
            let end = vocab.min(start + TOKENS);
            block.clear();
            view.extend_rows_f32(start..end, &mut block)?;
            gemm_f32(
                (rows, d, end - start),
                (normed, MatrixLayout::rows(d)),
                (&block, MatrixLayout::transposed(d)),
                (&mut *out, MatrixLayout::rows(vocab).at(start)),
                false,
                1.0,
                Threads::Pool,
            );
        }
        Ok(())
    }
}

fn layer_parameters(names: &Names<'_>, config: &ModelConfig) -> u64 {
    let of = |projection: crate::layout::Projection| projection.input as u64 * projection.width() as u64;
    let one =
        of(names.queries(0)) + of(names.keys_values(0)) + of(names.output(0)) + of(names.up(0)) + of(names.down(0));
    one * config.layers as u64
}

/// A tensor that the architecture does not use means that the architecture is another one.
fn refuse_extra(
    names: &Names<'_>,
    config: &ModelConfig,
    checkpoint: &Checkpoint,
    shapes: &[(String, Vec<usize>)],
) -> Result<()> {
    let known: std::collections::BTreeSet<&str> = shapes.iter().map(|(name, _)| name.as_str()).collect();
    let prefix = names.layer_prefix(0);
    let block = prefix.trim_end_matches("0.");
    let extra = checkpoint.names().find(|name| {
        name.starts_with(block) && !known.contains(name) && !DERIVED.iter().any(|derived| name.ends_with(derived))
    });
    match extra {
        None => Ok(()),
        Some(name) => Err(ModelError::ExtraTensor {
            folder: checkpoint.root().to_owned(),
            tensor: name.to_owned(),
            family: config.family.clone(),
        }),
    }
}
