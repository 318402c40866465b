//! Partial runs of a [`Transformer`]: any layers, any positions behind a prefix, one chunk of prompts at a time.
//!
//! The general form is a chunk of prompts in groups that share a prefix. On a device each group is a run of its own, uploaded and
//! read back once. Deliberately absent: how work is cut into chunks, which is the caller's.

use std::ops::Range;
use std::sync::atomic::Ordering;

use kernels::Threads;

use crate::accel::Chunk;
use crate::error::{ModelError, Result};
use crate::host::{LayerGroup, LayerRun, PrefixCache, PrefixLayer, Tap, Workspace};
use crate::names::HookName;
use crate::transformer::{Keep, NamedTap, Transformer, Unembedding};

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

/// How the CPU engine runs.
struct HostRun<'a, 'k> {
    keep: Keep,
    threads: Threads,
    tap: Option<NamedTap<'a>>,
    /// Takes the keys and values of each prompt, layer after layer.
    keys: Option<&'k mut [Vec<PrefixLayer>]>,
}

impl HostRun<'_, '_> {
    fn new(keep: Keep) -> Self {
        Self {
            keep,
            threads: Threads::One,
            tap: None,
            keys: None,
        }
    }
}

impl Transformer {
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
        match &self.engine {
            None => self.run_with(x, groups, layers, HostRun::new(keep)),
            Some(engine) => {
                let mut out = Vec::new();
                for chunk in self.chunks(&x, groups, &layers, keep)? {
                    out.extend(engine.run(chunk)?);
                }
                Ok(out)
            }
        }
    }

    /// As [`Transformer::run_groups`] through the last of `kept`, in one pass: the stream leaving each of `kept`.
    ///
    /// # Errors
    /// As [`Transformer::run`], or `kept` does not ascend from `from` on.
    pub fn run_keeping(
        &self,
        mut x: Vec<f32>,
        groups: &[PromptGroup<'_>],
        from: usize,
        kept: &[usize],
    ) -> Result<Vec<Vec<f32>>> {
        if !kept.is_sorted_by(|a, b| a < b) || kept.first().is_some_and(|&first| first < from) {
            return Err(ModelError::Run(format!("layers {kept:?} do not ascend from {from} on")));
        }
        let Some(&last) = kept.last() else {
            return Ok(Vec::new());
        };
        let mut streams: Vec<Vec<f32>> = kept.iter().map(|_| Vec::new()).collect();
        if let Some(engine) = &self.engine {
            for chunk in self.chunks(&x, groups, &(from..last + 1), Keep::All)? {
                for (stream, more) in streams.iter_mut().zip(engine.run_keeping(chunk, kept)?) {
                    stream.extend(more);
                }
            }
            return Ok(streams);
        }
        let mut next = from;
        for (stream, &layer) in streams.iter_mut().zip(kept) {
            x = self.run_groups(x, groups, next..layer + 1, Keep::All)?;
            next = layer + 1;
            *stream = if layer < last {
                x.clone()
            } else {
                std::mem::take(&mut x)
            };
        }
        Ok(streams)
    }

    /// As [`Transformer::run_groups`] to the last layer, then [`Transformer::logits`] at each prompt's last position,
    /// `[batch, tokens]`: on a device nothing comes back in between.
    ///
    /// # Errors
    /// As [`Transformer::run`].
    pub fn run_to_logits(
        &self,
        x: Vec<f32>,
        groups: &[PromptGroup<'_>],
        from: usize,
        tokens: &Unembedding,
    ) -> Result<Vec<f32>> {
        let layers = from..self.config.layers;
        match (&self.engine, &tokens.device) {
            (Some(engine), Some(head)) => {
                let mut out = Vec::new();
                for chunk in self.chunks(&x, groups, &layers, Keep::Last)? {
                    out.extend(engine.run_to_logits(chunk, head)?);
                }
                Ok(out)
            }
            _ => Ok(self.logits(&self.run_groups(x, groups, layers, Keep::Last)?, tokens)),
        }
    }

    /// Checked runs for the device engine, one for each group.
    fn chunks<'a>(
        &self,
        x: &[f32],
        groups: &[PromptGroup<'a>],
        layers: &Range<usize>,
        keep: Keep,
    ) -> Result<Vec<Chunk<'a>>> {
        let seq = self.check_run(x, groups, layers)?;
        let mut rest = x;
        let chunks = groups.iter().map(|group| {
            let (of_group, more) = rest.split_at(group.batch * seq * self.config.hidden_size);
            rest = more;
            Chunk {
                x: of_group.to_vec(),
                batch: group.batch,
                layers: layers.clone(),
                prefix: group.prefix,
                last_only: keep == Keep::Last,
            }
        });
        Ok(chunks.collect())
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
        let group = PromptGroup { batch, prefix };
        self.run_tapped_at(x, group, layers, keep, &|_| true, tap)
    }

    /// As [`Transformer::run_tapped`], showing only the hook points that are `wanted`; a device sends no others back.
    ///
    /// # Errors
    /// As [`Transformer::run`].
    pub fn run_tapped_at(
        &self,
        x: Vec<f32>,
        group: PromptGroup<'_>,
        layers: Range<usize>,
        keep: Keep,
        wanted: &dyn Fn(HookName) -> bool,
        tap: NamedTap<'_>,
    ) -> Result<Vec<f32>> {
        if let Some(engine) = &self.engine {
            let mut out = Vec::new();
            for chunk in self.chunks(&x, &[group], &layers, keep)? {
                out = engine.run_tapped(chunk, wanted, tap)?;
            }
            return Ok(out);
        }
        let mut filtered = |hook: HookName, value: &[f32]| {
            if wanted(hook) {
                tap(hook, value);
            }
        };
        let how = HostRun {
            tap: Some(&mut filtered),
            ..HostRun::new(keep)
        };
        self.run_with(x, &[group], layers, how)
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
        let own = prompts.first().map_or(0, |ids| ids.len());
        if prompts.iter().any(|ids| ids.len() != own) {
            return Err(ModelError::Run("prefixes of one chunk differ in length".to_owned()));
        }
        let past_len = past.map_or(0, PrefixCache::len);
        let len = past_len + own;
        let x = self.embed(&prompts.concat(), prompts.len(), past_len)?;
        if let Some(engine) = &self.engine {
            let alone = PromptGroup { batch: 1, prefix: past };
            let chunks = self.chunks(&x, &vec![alone; prompts.len()], &(0..layers), Keep::All)?;
            let cache = |chunk| Ok(PrefixCache::on_device(len, engine.prefix(chunk)?));
            return chunks.into_iter().map(cache).collect();
        }
        let group = PromptGroup {
            batch: prompts.len(),
            prefix: past,
        };
        let mut kept: Vec<Vec<PrefixLayer>> = prompts.iter().map(|_| Vec::with_capacity(layers)).collect();
        let how = HostRun {
            threads,
            keys: Some(&mut kept),
            ..HostRun::new(Keep::All)
        };
        self.run_with(x, &[group], 0..layers, how)?;
        Ok(kept.into_iter().map(|kept| PrefixCache::on_host(len, kept)).collect())
    }

    fn run_with(
        &self,
        mut x: Vec<f32>,
        groups: &[PromptGroup<'_>],
        layers: Range<usize>,
        mut how: HostRun<'_, '_>,
    ) -> Result<Vec<f32>> {
        let seq = self.check_run(&x, groups, &layers)?;
        let batch = groups.iter().map(|group| group.batch).sum();
        let before: Vec<Option<&[PrefixLayer]>> = groups
            .iter()
            .map(|group| group.prefix.map(PrefixCache::host).transpose())
            .collect::<Result<_>>()?;
        let mut space = Workspace::default();
        let mut of_layer = Vec::with_capacity(groups.len());
        for layer in layers.clone() {
            of_layer.clear();
            of_layer.extend(groups.iter().zip(&before).map(|(group, before)| LayerGroup {
                batch: group.batch,
                past: group.past(),
                prefix: before.map(|layers| &layers[layer]),
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
                last_only: how.keep == Keep::Last && layer + 1 == layers.end,
                threads: how.threads,
            };
            match &mut how.tap {
                Some(tap) => {
                    let mut named = |point, value: &[f32]| tap(HookName { layer, point }, value);
                    run.run(&mut x, &mut space, Some(&mut named as Tap<'_>))?;
                }
                None => run.run(&mut x, &mut space, None)?,
            }
            if let Some(keys) = &mut how.keys {
                let (kv_heads, head_dim) = (self.config.kv_heads, self.config.head_dim);
                let empty = PrefixLayer::default();
                let olds = of_layer
                    .iter()
                    .flat_map(|group| std::iter::repeat_n(group.prefix.unwrap_or(&empty), group.batch));
                let news = space.kv.chunks_exact(seq * 2 * kv_heads * head_dim);
                for ((kept, old), new) in keys.iter_mut().zip(olds).zip(news) {
                    kept.push(old.extended(new, kv_heads, head_dim));
                }
            }
        }
        if layers.is_empty() && how.keep == Keep::Last {
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
}
