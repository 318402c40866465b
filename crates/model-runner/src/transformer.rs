//! The model: embed, run layers `a..b` on positions `p..` against a prefix, unembed.
//!
//! A full pass is the special case of an empty prefix and all layers. Capture, ablation and
//! patching are compositions of these parts; there is no hook machinery beyond "stop here, look
//! or change, go on". Deliberately absent: sampling loops, and edits, which are made by the caller
//! on the vectors between two partial runs.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use kernels::{Layout, Threads, gemm_f32, math};

use crate::budget::Budget;
use crate::config::ModelConfig;
use crate::error::{ModelError, Result};
use crate::host::{LayerGroup, LayerRun, PrefixCache, PrefixLayer, RopeTable, Tap, Workspace};
use crate::names::HookName;
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

/// Neighbouring prompts of a chunk that share the positions before them.
#[derive(Clone, Copy, Debug)]
pub struct PromptGroup<'a> {
    /// How many prompts.
    pub batch: usize,
    /// Keys and values of the positions before.
    pub prefix: Option<&'a PrefixCache>,
}

impl PromptGroup<'_> {
    fn past(&self) -> usize {
        self.prefix.map_or(0, PrefixCache::len)
    }
}

/// Rows of the unembedding for chosen tokens, `[tokens, d_model]`.
#[derive(Clone, Debug)]
pub struct Unembedding {
    rows: Vec<f32>,
    tokens: usize,
}

impl Unembedding {
    /// How many tokens it has.
    #[must_use]
    pub fn tokens(&self) -> usize {
        self.tokens
    }
}

/// A transformer language model on the CPU engine.
pub struct Transformer {
    folder: PathBuf,
    config: ModelConfig,
    weights: Weights,
    /// One table for each of the configuration's `ropes`.
    ropes: Vec<RopeTable>,
    budget: Budget,
    read: AtomicU64,
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
        let weights = Weights::open(folder, &config, residency, budget)?;
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
        })
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
        let rows = prompts * seq.max(1);
        let most = if self.resident() { ROWS_PER_CHUNK } else { ROWS_MAPPED };
        let threads = rayon::current_num_threads().max(1);
        let full = rows.div_ceil(most).next_multiple_of(threads);
        let chunks = full.min(rows.div_ceil(LEAST_ROWS)).max(1);
        prompts.div_ceil(chunks).clamp(1, (most / seq.max(1)).max(1))
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

    /// Widens the weights of `layers` now, on all threads, instead of on first use.
    ///
    /// # Errors
    /// A tensor cannot be read.
    pub fn warm(&self, layers: Range<usize>) -> Result<()> {
        use rayon::prelude::*;
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
        self.run_groups(x, &[PromptGroup { batch, prefix }], layers, keep)
    }

    /// As [`Transformer::run`] for prompts with different prefixes: products with weights take all of them at once, so that a
    /// chunk is full however few prompts share a prefix.
    ///
    /// # Shapes
    /// - `x`: `[batch of all groups * seq, d_model]`, group after group
    ///
    /// # Errors
    /// As [`Transformer::run`].
    pub fn run_groups(
        &self,
        x: Vec<f32>,
        groups: &[PromptGroup<'_>],
        layers: Range<usize>,
        keep: Keep,
    ) -> Result<Vec<f32>> {
        self.run_with(x, groups, layers, keep, Threads::One, None, None)
    }

    /// As [`Transformer::run`], showing every hook point on the way to `tap` (`[batch * seq, d_model]` each, in the order of
    /// computation; `[batch, d_model]` in the last layer with [`Keep::Last`]).
    ///
    /// # Errors
    /// As [`Transformer::run`].
    pub fn run_tapped(
        &self,
        x: Vec<f32>,
        batch: usize,
        layers: Range<usize>,
        prefix: Option<&PrefixCache>,
        keep: Keep,
        tap: NamedTap<'_>,
    ) -> Result<Vec<f32>> {
        let groups = [PromptGroup { batch, prefix }];
        self.run_with(x, &groups, layers, keep, Threads::One, Some(tap), None)
    }

    /// Runs the first `layers` layers over one prompt's first positions and keeps their keys and
    /// values, continuing `past` where given.
    ///
    /// # Errors
    /// As [`Transformer::run`].
    pub fn prefix(&self, ids: &[u32], layers: usize, past: Option<&PrefixCache>) -> Result<PrefixCache> {
        let mut caches = self.prefixes_after(&[ids], layers, past, Threads::Pool)?;
        caches
            .pop()
            .ok_or_else(|| ModelError::Run("a prefix left no keys".to_owned()))
    }

    /// As [`Transformer::prefix`] for prompts of one length, in one chunk on the calling thread.
    ///
    /// # Errors
    /// As [`Transformer::run`], or the prompts differ in length.
    pub fn prefixes(&self, prompts: &[&[u32]], layers: usize) -> Result<Vec<PrefixCache>> {
        self.prefixes_after(prompts, layers, None, Threads::One)
    }

    fn prefixes_after(
        &self,
        prompts: &[&[u32]],
        layers: usize,
        past: Option<&PrefixCache>,
        threads: Threads,
    ) -> Result<Vec<PrefixCache>> {
        let len = prompts.first().map_or(0, |ids| ids.len());
        if prompts.iter().any(|ids| ids.len() != len) {
            return Err(ModelError::Run("prefixes of one chunk differ in length".to_owned()));
        }
        let past_len = past.map_or(0, PrefixCache::len);
        let x = self.embed(&prompts.concat(), prompts.len(), past_len)?;
        let group = PromptGroup {
            batch: prompts.len(),
            prefix: past,
        };
        let mut caches: Vec<PrefixCache> = prompts
            .iter()
            .map(|_| PrefixCache {
                len: past_len + len,
                layers: Vec::with_capacity(layers),
            })
            .collect();
        let keys = Some(caches.as_mut_slice());
        self.run_with(x, &[group], 0..layers, Keep::All, threads, None, keys)?;
        Ok(caches)
    }

    #[expect(clippy::too_many_arguments, reason = "the one general form behind the narrow ones")]
    fn run_with(
        &self,
        mut x: Vec<f32>,
        groups: &[PromptGroup<'_>],
        layers: Range<usize>,
        keep: Keep,
        threads: Threads,
        mut tap: Option<NamedTap<'_>>,
        mut keys: Option<&mut [PrefixCache]>,
    ) -> Result<Vec<f32>> {
        let seq = self.check_run(&x, groups, &layers)?;
        let batch = groups.iter().map(|group| group.batch).sum();
        let mut space = Workspace::default();
        let mut of_layer = Vec::with_capacity(groups.len());
        for layer in layers.clone() {
            of_layer.clear();
            of_layer.extend(groups.iter().map(|group| LayerGroup {
                batch: group.batch,
                past: group.past(),
                prefix: group.prefix.map(|prefix| &prefix.layers[layer]),
            }));
            let weights = self.weights.layer(&self.config, layer)?;
            self.read.fetch_add(weights.bytes, Ordering::Relaxed);
            let run = LayerRun {
                config: &self.config,
                weights,
                window: self.config.windows[layer],
                rope: self.config.rope_of.get(layer).and_then(|&table| self.ropes.get(table)),
                groups: &of_layer,
                batch,
                seq,
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
                let (kv_heads, head_dim) = (self.config.kv_heads, self.config.head_dim);
                let empty = PrefixLayer::default();
                let olds = of_layer
                    .iter()
                    .flat_map(|group| std::iter::repeat_n(group.prefix.unwrap_or(&empty), group.batch));
                let news = space.kv.chunks_exact(seq * 2 * kv_heads * head_dim);
                for ((cache, old), new) in keys.iter_mut().zip(olds).zip(news) {
                    cache.layers.push(old.extended(new, kv_heads, head_dim));
                }
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

    fn check_run(&self, x: &[f32], groups: &[PromptGroup<'_>], layers: &Range<usize>) -> Result<usize> {
        let d = self.config.hidden_size;
        let batch: usize = groups.iter().map(|group| group.batch).sum();
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
        for group in groups {
            self.check_positions(group.past() + seq)?;
            let held = group.prefix.map_or(layers.end, PrefixCache::layers);
            if held < layers.end {
                return refuse(format!("the prefix holds {held} layers, the run needs {}", layers.end));
            }
        }
        Ok(seq)
    }

    /// The last norm's output, `[rows, d_model]` in and out.
    #[must_use]
    pub fn final_norm(&self, x: &[f32]) -> Vec<f32> {
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
            rows,
            tokens: tokens.len(),
        })
    }

    /// Logits of chosen tokens from the stream after the last layer.
    ///
    /// # Shapes
    /// - `x`: `[rows, d_model]`; returns `[rows, tokens]`, soft-capped where the model does
    #[must_use]
    pub fn logits(&self, x: &[f32], tokens: &Unembedding) -> Vec<f32> {
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
        self.weights.all_logits(&self.config, normed, &mut logits)?;
        if let Some(cap) = self.config.final_softcap {
            math::softcap(&mut logits, cap as f32);
        }
        Ok(logits)
    }
}
