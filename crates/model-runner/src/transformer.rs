//! The model: embed, run layers `a..b` on positions `p..` against a prefix, unembed.
//!
//! A full pass is the special case of an empty prefix and all layers. Capture, ablation and
//! patching are compositions of these parts; there is no hook machinery beyond "stop here, look
//! or change, go on". Deliberately absent: sampling loops, and edits, which are made by the caller
//! on the vectors between two partial runs.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use kernels::{Layout, Threads, gemm_f32, math};

use crate::accel::{Chunk, DeviceEngine, Head};
use crate::config::ModelConfig;
use crate::device::{ComputeDevice, DeviceKind, Precision};
use crate::error::{ModelError, Result};
use crate::host::{LayerRun, PrefixCache, PrefixLayer, RopeTable, Tap, Workspace};
use crate::names::HookName;
use crate::plain::{ParamSet, PlainModel};
use crate::weights::{Residency, Weights};

/// Longest prompt, in tokens, that the position table covers.
const MAX_POSITIONS: usize = 4096;

/// Rows of the residual stream that one chunk holds: enough for full GEMM speed, few enough to
/// stay in one core's cache for small models.
const ROWS_PER_CHUNK: usize = 288;

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
    device: Option<Head>,
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
    config: ModelConfig,
    weights: Arc<Weights>,
    /// One table for each of the configuration's `ropes`.
    ropes: Vec<RopeTable>,
    /// Runs everything but the gathering of embeddings, where the model is on a device.
    engine: Option<DeviceEngine>,
}

impl Transformer {
    /// Opens a checkpoint folder (`config.json` and safetensors); nothing is widened yet.
    ///
    /// # Errors
    /// A file is missing or damaged, the family or a field is not implemented, or a tensor has
    /// another shape than the configuration says.
    pub fn open(folder: &Path) -> Result<Self> {
        Self::open_with(folder, Residency::Auto)
    }

    /// As [`Transformer::open`], choosing where the layers' weights are while it runs.
    ///
    /// # Errors
    /// As [`Transformer::open`].
    pub fn open_with(folder: &Path, residency: Residency) -> Result<Self> {
        let config = ModelConfig::read(&folder.join("config.json"))?;
        let weights = Arc::new(Weights::open(folder, &config, residency)?);
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
            engine: None,
        })
    }

    /// Opens a checkpoint folder on a device, where everything but the gathering of embeddings then runs: the weights are uploaded
    /// now. On `flex` it is [`Transformer::open`].
    ///
    /// # Errors
    /// As [`Transformer::open`], or the device does not compute in `precision`.
    pub fn open_on(folder: &Path, device: &ComputeDevice, precision: Precision) -> Result<Self> {
        device.check(precision)?;
        let mut model = Self::open(folder)?;
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
        match &self.engine {
            Some(engine) => Ok(PlainModel::sharing(
                &self.config,
                engine.blocks(),
                Arc::clone(&self.weights),
                engine.device().burn().clone().autodiff(),
            )),
            None => {
                let params = ParamSet::read(&self.config, self.weights.checkpoint())?;
                let device = ComputeDevice::flex().burn().clone().autodiff();
                PlainModel::new(&self.config, &params, &device, false)
            }
        }
    }

    /// The architecture.
    #[must_use]
    pub fn config(&self) -> &ModelConfig {
        &self.config
    }

    /// The checkpoint folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// How many prompts of `seq` new positions one chunk should hold.
    #[must_use]
    pub fn chunk_size(&self, seq: usize) -> usize {
        match &self.engine {
            Some(engine) => engine.chunk_size(seq),
            None => (ROWS_PER_CHUNK / seq.max(1)).max(1),
        }
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

    fn check_positions(&self, len: usize) -> Result<()> {
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

    /// Runs layers over a chunk of prompts that share a prefix.
    ///
    /// # Shapes
    /// - `x`: `[batch * seq, d_model]`, the stream entering `layers.start` at positions
    ///   `prefix.len()..prefix.len() + seq` of each prompt
    /// - returns: the stream leaving the last of `layers`, `[batch * seq, d_model]`, or
    ///   `[batch, d_model]` with [`Keep::Last`]
    ///
    /// # Errors
    /// The layers do not exist, the prefix lacks one of them, `x` has another size, or the prompt
    /// is longer than the position table.
    pub fn run(
        &self,
        x: Vec<f32>,
        batch: usize,
        layers: Range<usize>,
        prefix: Option<&PrefixCache>,
        keep: Keep,
    ) -> Result<Vec<f32>> {
        match &self.engine {
            Some(engine) => engine.run(self.chunk(x, batch, layers, prefix, keep)?),
            None => self.run_with(x, batch, layers, prefix, keep, Threads::One, None, None),
        }
    }

    /// As [`Transformer::run`] through the last of `kept`, in one pass: the stream leaving each of `kept`, `[batch * seq, d_model]`.
    ///
    /// # Errors
    /// As [`Transformer::run`], or `kept` does not ascend from `from` on.
    pub fn run_keeping(
        &self,
        mut x: Vec<f32>,
        batch: usize,
        from: usize,
        kept: &[usize],
        prefix: Option<&PrefixCache>,
    ) -> Result<Vec<Vec<f32>>> {
        if !kept.is_sorted_by(|a, b| a < b) || kept.first().is_some_and(|&first| first < from) {
            return Err(ModelError::Run(format!("layers {kept:?} do not ascend from {from} on")));
        }
        let Some(&last) = kept.last() else {
            return Ok(Vec::new());
        };
        if let Some(engine) = &self.engine {
            return engine.run_keeping(self.chunk(x, batch, from..last + 1, prefix, Keep::All)?, kept);
        }
        let mut streams = Vec::with_capacity(kept.len());
        let mut next = from;
        for &layer in kept {
            x = self.run(x, batch, next..layer + 1, prefix, Keep::All)?;
            next = layer + 1;
            streams.push(if layer < last {
                x.clone()
            } else {
                std::mem::take(&mut x)
            });
        }
        Ok(streams)
    }

    /// As [`Transformer::run`] to the last layer, then [`Transformer::logits`] at each prompt's last position, `[batch, tokens]`:
    /// on a device nothing comes back in between.
    ///
    /// # Errors
    /// As [`Transformer::run`].
    pub fn run_to_logits(
        &self,
        x: Vec<f32>,
        batch: usize,
        from: usize,
        prefix: Option<&PrefixCache>,
        tokens: &Unembedding,
    ) -> Result<Vec<f32>> {
        let layers = from..self.config.layers;
        match (&self.engine, &tokens.device) {
            (Some(engine), Some(head)) => engine.run_to_logits(self.chunk(x, batch, layers, prefix, Keep::Last)?, head),
            _ => Ok(self.logits(&self.run(x, batch, layers, prefix, Keep::Last)?, tokens)),
        }
    }

    /// A checked run for the device engine.
    fn chunk<'a>(
        &self,
        x: Vec<f32>,
        batch: usize,
        layers: Range<usize>,
        prefix: Option<&'a PrefixCache>,
        keep: Keep,
    ) -> Result<Chunk<'a>> {
        self.check_run(&x, batch, &layers, prefix)?;
        Ok(Chunk {
            x,
            batch,
            layers,
            prefix,
            last_only: keep == Keep::Last,
        })
    }

    /// As [`Transformer::run`], showing every hook point on the way to `tap`
    /// (`[batch * seq, d_model]` each, in the order of computation).
    ///
    /// # Errors
    /// As [`Transformer::run`].
    pub fn run_tapped(
        &self,
        x: Vec<f32>,
        batch: usize,
        layers: Range<usize>,
        prefix: Option<&PrefixCache>,
        tap: NamedTap<'_>,
    ) -> Result<Vec<f32>> {
        self.run_tapped_at(x, batch, layers, prefix, &|_| true, tap)
    }

    /// As [`Transformer::run_tapped`], showing only the hook points that are `wanted`; a device sends no others back.
    ///
    /// # Errors
    /// As [`Transformer::run`].
    pub fn run_tapped_at(
        &self,
        x: Vec<f32>,
        batch: usize,
        layers: Range<usize>,
        prefix: Option<&PrefixCache>,
        wanted: &dyn Fn(HookName) -> bool,
        tap: NamedTap<'_>,
    ) -> Result<Vec<f32>> {
        if let Some(engine) = &self.engine {
            return engine.run_tapped(self.chunk(x, batch, layers, prefix, Keep::All)?, wanted, tap);
        }
        let mut filtered = |hook: HookName, value: &[f32]| {
            if wanted(hook) {
                tap(hook, value);
            }
        };
        self.run_with(
            x,
            batch,
            layers,
            prefix,
            Keep::All,
            Threads::One,
            Some(&mut filtered),
            None,
        )
    }

    /// Runs the first `layers` layers over one prompt's first positions and keeps their keys and
    /// values, continuing `past` where given.
    ///
    /// # Errors
    /// As [`Transformer::run`].
    pub fn prefix(&self, ids: &[u32], layers: usize, past: Option<&PrefixCache>) -> Result<PrefixCache> {
        let past_len = past.map_or(0, PrefixCache::len);
        let x = self.embed(ids, 1, past_len)?;
        let len = past_len + ids.len();
        if let Some(engine) = &self.engine {
            let chunk = self.chunk(x, 1, 0..layers, past, Keep::All)?;
            return Ok(PrefixCache::on_device(len, engine.prefix(chunk)?));
        }
        let mut kept = Vec::with_capacity(layers);
        self.run_with(x, 1, 0..layers, past, Keep::All, Threads::Pool, None, Some(&mut kept))?;
        Ok(PrefixCache::on_host(len, kept))
    }

    #[expect(clippy::too_many_arguments, reason = "the one general form behind three narrow ones")]
    fn run_with(
        &self,
        mut x: Vec<f32>,
        batch: usize,
        layers: Range<usize>,
        prefix: Option<&PrefixCache>,
        keep: Keep,
        threads: Threads,
        mut tap: Option<NamedTap<'_>>,
        mut keys: Option<&mut Vec<PrefixLayer>>,
    ) -> Result<Vec<f32>> {
        let seq = self.check_run(&x, batch, &layers, prefix)?;
        let past = prefix.map_or(0, PrefixCache::len);
        let before = prefix.map(PrefixCache::host).transpose()?;
        let mut space = Workspace::default();
        for layer in layers.clone() {
            let run = LayerRun {
                config: &self.config,
                weights: self.weights.layer(&self.config, layer)?,
                window: self.config.windows[layer],
                rope: self.config.rope_of.get(layer).and_then(|&table| self.ropes.get(table)),
                batch,
                seq,
                past,
                prefix: before.map(|layers| &layers[layer]),
                last_only: keep == Keep::Last && layer + 1 == layers.end,
                threads,
            };
            match &mut tap {
                Some(tap) => {
                    let mut named = |point, value: &[f32]| tap(HookName { layer, point }, value);
                    run.run(&mut x, &mut space, Some(&mut named as Tap<'_>))?;
                }
                None => run.run(&mut x, &mut space, None)?,
            }
            if let Some(keys) = &mut keys {
                let width = 2 * self.config.kv_heads * self.config.head_dim;
                let empty = PrefixLayer::default();
                let old = before.map_or(&empty, |layers| &layers[layer]);
                keys.push(old.extended(&space.kv[..seq * width], self.config.kv_heads, self.config.head_dim));
            }
        }
        if layers.is_empty() && keep == Keep::Last {
            let d = self.config.hidden_size;
            x = x
                .chunks_exact(seq * d)
                .flat_map(|prompt| prompt[(seq - 1) * d..].to_vec())
                .collect();
        }
        Ok(x)
    }

    fn check_run(&self, x: &[f32], batch: usize, layers: &Range<usize>, prefix: Option<&PrefixCache>) -> Result<usize> {
        let d = self.config.hidden_size;
        let refuse = |reason: String| Err(ModelError::Run(reason));
        if layers.start > layers.end || layers.end > self.config.layers {
            return refuse(format!(
                "layers {layers:?} of a model with {} layers",
                self.config.layers
            ));
        }
        if batch == 0 || x.is_empty() || !x.len().is_multiple_of(batch * d) {
            return refuse(format!(
                "a stream of {} values is no {batch} prompts of width {d}",
                x.len()
            ));
        }
        let seq = x.len() / (batch * d);
        self.check_positions(prefix.map_or(0, PrefixCache::len) + seq)?;
        if prefix.is_some_and(|p| p.layers() < layers.end) {
            return refuse(format!(
                "the prefix holds {} layers, the run needs {}",
                prefix.map_or(0, PrefixCache::layers),
                layers.end
            ));
        }
        Ok(seq)
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
