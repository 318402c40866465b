//! The model: embed, run layers `a..b` on positions `p..` against a prefix, unembed.
//!
//! A full pass is the special case of an empty prefix and all layers. Capture, ablation and
//! patching are compositions of these parts; there is no hook machinery beyond "stop here, look
//! or change, go on". Deliberately absent: sampling loops, and edits, which are made by the caller
//! on the vectors between two partial runs.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use kernels::{Layout, Threads, gemm_f32, math};

use crate::accel::{DeviceEngine, Head};
use crate::budget::Budget;
use crate::config::ModelConfig;
use crate::device::{ComputeDevice, DeviceKind, Precision};
use crate::error::{ModelError, Result};
use crate::host::RopeTable;
use crate::names::HookName;
use crate::plain::{ParamSet, PlainModel};
use crate::weights::{Residency, Weights};

/// Longest prompt, in tokens, that the position table covers.
const MAX_POSITIONS: usize = 4096;

/// Rows of the residual stream that one chunk holds: enough for full GEMM speed, few enough to
/// stay in one core's cache for small models.
const ROWS_PER_CHUNK: usize = 288;

/// The same where weights are widened for each chunk: that must be little beside the products.
const ROWS_MAPPED: usize = 768;

/// A chunk of fewer rows is no faster to wait for: going through the weights is what it costs.
const LEAST_ROWS: usize = 64;

/// Receives every hook point of a run: its name and its value, `[rows, d_model]`.
pub type NamedTap<'a> = &'a mut dyn FnMut(HookName, &[f32]);

/// Which positions a partial run returns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    /// Every position of each prompt.
    All,
    /// Each prompt's last position; the last layer then computes no other.
    Last,
}

/// Rows of the unembedding for chosen tokens, `[tokens, d_model]`.
#[derive(Clone, Debug)]
pub struct Unembedding {
    rows: Vec<f32>,
    tokens: usize,
    /// The same rows on the model's device.
    pub(crate) device: Option<Head>,
}

impl Unembedding {
    /// How many tokens it has.
    #[must_use]
    pub fn tokens(&self) -> usize {
        self.tokens
    }
}

/// A transformer language model on the CPU engine, or on the device engine.
pub struct Transformer {
    folder: PathBuf,
    pub(crate) config: ModelConfig,
    pub(crate) weights: Arc<Weights>,
    /// One table for each of the configuration's `ropes`.
    pub(crate) ropes: Vec<RopeTable>,
    budget: Budget,
    /// Bytes of weights that runs went through.
    pub(crate) read: AtomicU64,
    /// Runs everything but the gathering of embeddings, where the model is on a device.
    pub(crate) engine: Option<DeviceEngine>,
}

impl Transformer {
    /// Opens a checkpoint folder (`config.json` and safetensors); nothing is widened yet.
    ///
    /// # Errors
    /// A file is missing or damaged, the family or a field is not implemented, or a tensor has
    /// another shape than the configuration says.
    pub fn open(folder: &Path) -> Result<Self> {
        Self::open_with(folder, Residency::Auto, Budget::default())
    }

    /// As [`Transformer::open`], choosing where the layers' weights are while it runs and how much memory runs may take.
    ///
    /// # Errors
    /// As [`Transformer::open`].
    pub fn open_with(folder: &Path, residency: Residency, budget: Budget) -> Result<Self> {
        let config = ModelConfig::read(&folder.join("config.json"))?;
        let weights = Arc::new(Weights::open(folder, &config, residency, budget)?);
        let ropes = config
            .ropes
            .iter()
            .map(|rope| RopeTable::new(MAX_POSITIONS, rope))
            .collect();
        Ok(Self {
            folder: folder.to_owned(),
            config,
            weights,
            ropes,
            budget,
            read: AtomicU64::new(0),
            engine: None,
        })
    }

    /// Opens a checkpoint folder on a device, where everything but the gathering of embeddings then runs: the weights are uploaded
    /// now. On `flex` it is [`Transformer::open`].
    ///
    /// # Errors
    /// As [`Transformer::open`], or the device does not compute in `precision`.
    pub fn open_on(folder: &Path, device: &ComputeDevice, precision: Precision, budget: Budget) -> Result<Self> {
        device.check(precision)?;
        let mut model = Self::open_with(folder, Residency::Auto, budget)?;
        if device.kind() != DeviceKind::Flex {
            let checkpoint = model.weights.checkpoint();
            model.engine = Some(DeviceEngine::new(&model.config, checkpoint, device, precision)?);
        }
        Ok(model)
    }

    /// Where it runs.
    #[must_use]
    pub fn device(&self) -> ComputeDevice {
        self.engine
            .as_ref()
            .map_or_else(ComputeDevice::flex, |engine| engine.device().clone())
    }

    /// Number type of its products with weights.
    #[must_use]
    pub fn precision(&self) -> Precision {
        self.engine.as_ref().map_or(Precision::F32, DeviceEngine::precision)
    }

    /// The same model as a graph that records gradients, on the same device. On a device it shares the weights that are there and
    /// runs from a site on; on `flex` its parameters are read again, as tensors.
    ///
    /// # Errors
    /// The checkpoint cannot be read.
    pub fn differentiable(&self) -> Result<PlainModel> {
        if let Some(engine) = &self.engine {
            let device = engine.device().burn().clone().autodiff();
            let weights = Arc::clone(&self.weights);
            return Ok(PlainModel::sharing(&self.config, engine.blocks(), weights, device));
        }
        let params = ParamSet::read(&self.config, self.weights.checkpoint())?;
        let device = ComputeDevice::flex().burn().clone().autodiff();
        PlainModel::new(&self.config, &params, &device, false)
    }

    /// The architecture.
    #[must_use]
    pub fn config(&self) -> &ModelConfig {
        &self.config
    }

    /// How much memory runs may take.
    #[must_use]
    pub fn budget(&self) -> Budget {
        self.budget
    }

    /// Bytes of layers' weights that runs have gone through so far, as they lie in memory or in their files; each chunk of prompts
    /// goes through all of a layer's.
    #[must_use]
    pub fn bytes_read(&self) -> u64 {
        self.read.load(Ordering::Relaxed)
    }

    /// The checkpoint folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// How many of `prompts` prompts of `seq` new positions one chunk should hold: as many chunks for each thread, none of them too
    /// small for fast products. Results do not depend on it.
    #[must_use]
    pub fn chunk_size(&self, prompts: usize, seq: usize) -> usize {
        if let Some(engine) = &self.engine {
            return engine.chunk_size(seq);
        }
        let rows = prompts * seq.max(1);
        let most = if self.resident() { ROWS_PER_CHUNK } else { ROWS_MAPPED };
        let threads = rayon::current_num_threads().max(1);
        let full = rows.div_ceil(most).next_multiple_of(threads);
        let chunks = full.min(rows.div_ceil(LEAST_ROWS)).max(1);
        prompts.div_ceil(chunks).clamp(1, (most / seq.max(1)).max(1))
    }

    /// Most prefixes whose prompts one chunk should hold: on a device each prefix is a run of its own.
    #[must_use]
    pub fn groups_per_chunk(&self) -> usize {
        if self.engine.is_some() { 1 } else { usize::MAX }
    }

    /// The stream entering layer 0 for `batch` prompts of equal length, whose first token stands at position `past`.
    ///
    /// # Shapes
    /// - `ids`: `[batch * seq]`; returns `[batch * seq, d_model]`
    ///
    /// # Errors
    /// An id is outside the vocabulary, or a position outside the learned ones.
    pub fn embed(&self, ids: &[u32], batch: usize, past: usize) -> Result<Vec<f32>> {
        let mut x = self.weights.embedding_rows(&self.config, ids)?;
        let scale = self.config.embedding_scale();
        if scale.to_bits() != 1f32.to_bits() {
            for value in &mut x {
                *value *= scale;
            }
        }
        if batch == 0 || !ids.len().is_multiple_of(batch) {
            return Err(ModelError::Run(format!(
                "{} token ids are no {batch} prompts of equal length",
                ids.len()
            )));
        }
        let seq = ids.len() / batch;
        self.check_positions(past + seq)?;
        if let Some(positions) = self.weights.position_rows(past, seq)? {
            for prompt in x.chunks_exact_mut(positions.len().max(1)) {
                for (x, position) in prompt.iter_mut().zip(&positions) {
                    *x += position;
                }
            }
        }
        Ok(x)
    }

    /// Longest prompt, in tokens.
    #[must_use]
    pub fn max_positions(&self) -> usize {
        self.config.position_limit().unwrap_or(MAX_POSITIONS)
    }

    pub(crate) fn check_positions(&self, len: usize) -> Result<()> {
        if len > self.max_positions() {
            return Err(ModelError::Run(format!(
                "prompts of {len} tokens; at most {} are supported for this model",
                self.max_positions()
            )));
        }
        Ok(())
    }

    /// Whether the layers' weights are kept in memory as f32 (otherwise they stay mapped in their stored dtype).
    #[must_use]
    pub fn resident(&self) -> bool {
        self.weights.resident()
    }

    /// Widens the weights of `layers` now, on all threads, instead of on first use. On a device they are there already.
    ///
    /// # Errors
    /// A tensor cannot be read.
    pub fn warm(&self, layers: Range<usize>) -> Result<()> {
        use rayon::prelude::*;
        if self.engine.is_some() {
            return Ok(());
        }
        layers
            .into_par_iter()
            .try_for_each(|layer| self.weights.layer(&self.config, layer).map(|_| ()))
    }

    /// The last norm's output, `[rows, d_model]` in and out.
    ///
    /// # Panics
    /// The device is lost, after which nothing runs there.
    #[must_use]
    pub fn final_norm(&self, x: &[f32]) -> Vec<f32> {
        if let Some(engine) = &self.engine {
            return engine.final_norm(x).unwrap_or_else(|error| panic!("{error}"));
        }
        let mut normed = vec![0.0; x.len()];
        self.weights
            .final_norm()
            .apply(x, self.config.norm_eps as f32, &mut normed);
        normed
    }

    /// The unembedding of chosen tokens.
    ///
    /// # Errors
    /// An id is outside the vocabulary.
    pub fn unembedding(&self, tokens: &[u32]) -> Result<Unembedding> {
        let rows = self.weights.head_rows(&self.config, tokens)?;
        Ok(Unembedding {
            device: self
                .engine
                .as_ref()
                .map(|engine| engine.head(rows.clone(), tokens.len())),
            rows,
            tokens: tokens.len(),
        })
    }

    /// Logits of chosen tokens from the stream after the last layer.
    ///
    /// # Shapes
    /// - `x`: `[rows, d_model]`; returns `[rows, tokens]`, soft-capped where the model does
    ///
    /// # Panics
    /// The device is lost, after which nothing runs there.
    #[must_use]
    pub fn logits(&self, x: &[f32], tokens: &Unembedding) -> Vec<f32> {
        if let (Some(engine), Some(head)) = (&self.engine, &tokens.device) {
            return engine.logits(x, head).unwrap_or_else(|error| panic!("{error}"));
        }
        let d = self.config.hidden_size;
        let rows = x.len() / d;
        let normed = self.final_norm(x);
        let mut logits = vec![0.0; rows * tokens.tokens];
        gemm_f32(
            (rows, d, tokens.tokens),
            (&normed, Layout::rows(d)),
            (&tokens.rows, Layout::transposed(d)),
            (&mut logits, Layout::rows(tokens.tokens)),
            false,
            1.0,
            Threads::One,
        );
        if let Some(cap) = self.config.final_softcap {
            math::softcap(&mut logits, cap as f32);
        }
        logits
    }

    /// Logits over the whole vocabulary from the last norm's output, without a copy of the unembedding.
    ///
    /// # Shapes
    /// - `normed`: `[rows, d_model]` from [`Transformer::final_norm`]; returns `[rows, vocab]`
    ///
    /// # Errors
    /// The unembedding cannot be read.
    pub fn all_logits(&self, normed: &[f32]) -> Result<Vec<f32>> {
        let rows = normed.len() / self.config.hidden_size;
        let mut logits = vec![0.0; rows * self.config.vocab_size];
        if let Some(engine) = &self.engine {
            engine.all_logits(&self.weights, normed, &mut logits)?;
            return Ok(logits);
        }
        self.weights.all_logits(&self.config, normed, &mut logits)?;
        if let Some(cap) = self.config.final_softcap {
            math::softcap(&mut logits, cap as f32);
        }
        Ok(logits)
    }
}
