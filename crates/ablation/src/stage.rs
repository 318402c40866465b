//! Prompts made ready for many partial runs: prefixes cached, suffixes captured, edits batched.
//!
//! An edit at the query word of layer `l` changes only positions from the word on in the layers
//! above, so the examples before it are run once per example set, the suffix up to `l` once per
//! prompt, and every edit re-runs a handful of positions through the upper layers. Deliberately
//! absent: what an edit is (see [`crate::Editor`]) and whether its effect is good.

use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};

use model_runner::plain::{PlainModel, SiteGradient, SiteRun, site_gradient};
use model_runner::{Keep, PrefixCache, PromptGroup, Transformer, Unembedding, run_flops};
use rayon::prelude::*;

use crate::chunk::Chunk;
use crate::effects::LetterLogits;
use crate::error::{AblationError, Result};
use crate::prefixes::Prefixes;

/// One prompt: an example set and the tokens from the query word on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// Index of the example set.
    pub set: usize,
    /// Tokens from the query word to the end.
    pub suffix: Vec<u32>,
}

/// Prompts with their prefixes run.
pub struct Stage<'a> {
    model: &'a Transformer,
    items: Vec<Item>,
    prefixes: Prefixes,
    letters: Unembedding,
    seq: usize,
    tokens: AtomicU64,
    flops: AtomicU64,
}

/// Positions in one graph of array operations: its overhead is per operation, its memory per position.
const GRADIENT_ROWS: usize = 1536;

/// Most memory for the recorded arrays of one graph, estimated. Not divided among threads: how rows are grouped must not depend on how
/// many run at once, or gradients would differ in their last digits with `--threads`.
const GRADIENT_BYTES: usize = 256 << 20;

/// Logits over a whole vocabulary that are held at a time: 512 MiB.
const VOCABULARY_VALUES: usize = 1 << 27;

/// The stream leaving one layer at every suffix position of some prompts.
#[derive(Clone, Debug)]
pub struct Capture {
    /// The layer that it leaves.
    pub layer: usize,
    /// Item of each row.
    pub rows: Vec<usize>,
    d: usize,
    seq: usize,
    /// `[rows, seq, d_model]`.
    stream: Vec<f32>,
}

impl Capture {
    /// Width of the stream.
    #[must_use]
    pub fn d(&self) -> usize {
        self.d
    }

    /// The vector at the query word of a row, `[d_model]`.
    #[must_use]
    pub fn site(&self, row: usize) -> &[f32] {
        &self.stream[row * self.seq * self.d..][..self.d]
    }

    /// The vector of a row at a position behind the query word (0 is the word itself), `[d_model]`.
    #[must_use]
    pub fn at(&self, row: usize, position: usize) -> &[f32] {
        &self.stream[(row * self.seq + position) * self.d..][..self.d]
    }

    /// The vectors of a row at some positions, counted from the query word (0), `[positions, d_model]`.
    ///
    /// # Panics
    /// If the row has no such positions.
    #[must_use]
    pub fn span(&self, row: usize, positions: Range<usize>) -> &[f32] {
        let row = &self.stream[row * self.seq * self.d..(row + 1) * self.seq * self.d];
        &row[positions.start * self.d..positions.end * self.d]
    }

    /// Positions of each row, the query word's included.
    #[must_use]
    pub fn positions(&self) -> usize {
        self.seq
    }

    /// All site vectors, `[rows, d_model]`.
    #[must_use]
    pub fn sites(&self) -> Vec<f32> {
        (0..self.rows.len())
            .flat_map(|row| self.site(row).iter().copied())
            .collect()
    }
}

impl<'a> Stage<'a> {
    /// Runs each example set's prefix (`prefixes`, token ids with the start token) through all
    /// layers. `answers`: the 26 answer tokens.
    ///
    /// # Errors
    /// There are no prompts, suffixes differ in length, a set does not exist, or the model refuses.
    pub fn new(model: &'a Transformer, prefixes: &[Vec<u32>], items: Vec<Item>, answers: &[u32; 26]) -> Result<Self> {
        let seq = items.first().map_or(0, |item| item.suffix.len());
        if seq == 0
            || items
                .iter()
                .any(|item| item.suffix.len() != seq || item.set >= prefixes.len())
        {
            return Err(AblationError::Edit(
                "prompts need suffixes of one length and existing example sets, and at least one prompt".to_owned(),
            ));
        }
        let layers = model.config().layers;
        model.warm(0..layers)?;
        let prefixes = Prefixes::new(model, prefixes)?;
        let (tokens, flops) = prefixes.cost(model);
        Ok(Self {
            letters: model.unembedding(answers)?,
            model,
            items,
            prefixes,
            seq,
            tokens: AtomicU64::new(tokens),
            flops: AtomicU64::new(flops as u64),
        })
    }

    /// The prompts.
    #[must_use]
    pub fn items(&self) -> &[Item] {
        &self.items
    }

    /// Positions run so far, whatever the number of layers: prefixes that are kept, and suffixes.
    #[must_use]
    pub fn tokens(&self) -> u64 {
        self.tokens.load(Ordering::Relaxed)
    }

    /// Floating-point operations of matrix products in these runs; those of gradients and of prefixes that are run again are not counted.
    #[must_use]
    pub fn flops(&self) -> f64 {
        self.flops.load(Ordering::Relaxed) as f64
    }

    /// Operations that the site vectors of `items` prompts after `layer` take.
    #[must_use]
    pub fn capture_flops(&self, layer: usize, items: usize) -> f64 {
        let past = self.prefixes.longest();
        run_flops(self.model.config(), 0..layer + 1, items, 1, past, false)
    }

    /// The model.
    #[must_use]
    pub fn model(&self) -> &Transformer {
        self.model
    }

    /// Rows ordered by example set, in chunks that one thread runs at a time.
    fn chunks(&self, sets: impl Iterator<Item = usize>, positions: usize) -> Vec<Chunk> {
        let by_set = self.by_set(sets, positions);
        let total = by_set.iter().map(Vec::len).sum();
        let size = self.model.chunk_size(total, positions);
        let sets = self.prefixes.per_chunk().min(self.model.groups_per_chunk());
        Chunk::of(&by_set, size, sets)
    }

    /// Rows of each example set; their positions are counted as run.
    fn by_set(&self, sets: impl Iterator<Item = usize>, positions: usize) -> Vec<Vec<usize>> {
        let mut by_set: Vec<Vec<usize>> = vec![Vec::new(); self.prefixes.len()];
        for (row, set) in sets.enumerate() {
            self.tokens.fetch_add(positions as u64, Ordering::Relaxed);
            by_set[set].push(row);
        }
        by_set
    }

    /// Counts the products of a chunk's run.
    fn count(&self, groups: &[PromptGroup<'_>], layers: Range<usize>, positions: usize, last: bool) {
        for group in groups {
            let past = group.prefix.map_or(0, PrefixCache::len);
            let flops = run_flops(self.model.config(), layers.clone(), group.batch, positions, past, last);
            self.flops.fetch_add(flops as u64, Ordering::Relaxed);
        }
    }

    /// The vector at the query word after `layer`, of some prompts: `[items, d_model]`.
    ///
    /// # Errors
    /// The layer does not exist.
    pub fn site_vectors(&self, layer: usize, items: &[usize]) -> Result<Vec<f32>> {
        let mut of_layer = self.site_vectors_of(&[layer], items)?;
        Ok(of_layer.pop().unwrap_or_default())
    }

    /// The vectors at the query word after each of `layers`, in one pass: `[layers][items, d_model]`.
    ///
    /// # Errors
    /// A layer does not exist, or the layers do not ascend.
    pub fn site_vectors_of(&self, layers: &[usize], items: &[usize]) -> Result<Vec<Vec<f32>>> {
        if !layers.is_sorted_by(|a, b| a < b) {
            return Err(AblationError::Edit(format!("layers {layers:?} do not ascend")));
        }
        let length = items.len() * self.model.config().hidden_size;
        let mut sites: Vec<Vec<f32>> = layers.iter().map(|_| Vec::with_capacity(length)).collect();
        // What stands behind the word cannot reach it. A block at a time, since chunks and their sum are both held for a moment.
        let of_item = 4 * layers.len().max(1) * self.model.config().hidden_size;
        for block in items.chunks(self.model.budget().captured(of_item)) {
            for (sites, stream) in sites.iter_mut().zip(self.streams(layers, block, 1)?) {
                sites.extend(stream);
            }
        }
        Ok(sites)
    }

    /// Runs `items` (all when `None`) up to each of `layers` and keeps the suffix stream.
    ///
    /// # Errors
    /// A layer does not exist.
    pub fn capture(&self, layers: &[usize], items: Option<&[usize]>) -> Result<Vec<Capture>> {
        let all: Vec<usize> = (0..self.items.len()).collect();
        let items = items.unwrap_or(&all);
        let mut order: Vec<usize> = layers.to_vec();
        order.sort_unstable();
        order.dedup();
        let streams = self.streams(&order, items, self.seq)?;
        let captures = order.iter().zip(streams).map(|(&layer, stream)| Capture {
            layer,
            rows: items.to_vec(),
            d: self.model.config().hidden_size,
            seq: self.seq,
            stream,
        });
        Ok(captures.collect())
    }

    /// The stream after each of `layers`, which ascend, at the first `positions` of the suffix: `[layers][items, positions, d_model]`.
    fn streams(&self, layers: &[usize], items: &[usize], positions: usize) -> Result<Vec<Vec<f32>>> {
        let d = self.model.config().hidden_size;
        let last = layers.last().copied().unwrap_or_default();
        let chunks = self.chunks(items.iter().map(|&item| self.items[item].set), positions);
        let run = |chunk: &Chunk| -> Result<Vec<Vec<f32>>> {
            let prefixes = self.prefixes.get(self.model, &chunk.sets, last + 1)?;
            let groups = chunk.groups(&prefixes);
            let mut x = Vec::with_capacity(chunk.rows.len() * positions * d);
            let mut rows = chunk.rows.iter();
            for (&count, prefix) in chunk.counts.iter().zip(&prefixes) {
                let of_set = rows.by_ref().take(count);
                let ids: Vec<u32> = of_set
                    .flat_map(|&row| self.items[items[row]].suffix[..positions].iter().copied())
                    .collect();
                x.extend(self.model.embed(&ids, count, prefix.len())?);
            }
            self.count(&groups, 0..last + 1, positions, false);
            Ok(self.model.run_keeping(x, &groups, 0, layers)?)
        };
        let done = chunks.par_iter().map(run).collect::<Result<Vec<_>>>()?;
        let width = positions * d;
        let mut streams: Vec<Vec<f32>> = layers.iter().map(|_| vec![0.0; items.len() * width]).collect();
        for (chunk, kept) in chunks.iter().zip(done) {
            for (stream, kept) in streams.iter_mut().zip(kept) {
                for (&row, from) in chunk.rows.iter().zip(kept.chunks_exact(width)) {
                    stream[row * width..(row + 1) * width].copy_from_slice(from);
                }
            }
        }
        Ok(streams)
    }

    /// Letter logits of the captured prompts, unedited.
    ///
    /// # Errors
    /// The model refuses the run.
    pub fn clean_logits(&self, capture: &Capture) -> Result<Vec<LetterLogits>> {
        let rows: Vec<usize> = (0..capture.rows.len()).collect();
        self.edited_logits(capture, &rows, &capture.sites())
    }

    /// Letter logits after replacing the site vector of captured rows.
    ///
    /// # Shapes
    /// - `rows`: `[edits]`, rows of the capture, repeats allowed
    /// - `vectors`: `[edits, d_model]`, what stands at the query word instead
    /// - returns: `[edits]` of 26 logits
    ///
    /// # Errors
    /// Sizes disagree, or the model refuses the run.
    pub fn edited_logits(&self, capture: &Capture, rows: &[usize], vectors: &[f32]) -> Result<Vec<LetterLogits>> {
        self.edited_logits_at(capture, 0, rows, vectors)
    }

    /// As [`Stage::edited_logits`], with the edit at any position from the query word (0) on.
    ///
    /// # Errors
    /// As [`Stage::edited_logits`], or there is no such position.
    pub fn edited_logits_at(
        &self,
        capture: &Capture,
        position: usize,
        rows: &[usize],
        vectors: &[f32],
    ) -> Result<Vec<LetterLogits>> {
        self.edited_logits_over(capture, position..position + 1, rows, vectors)
    }

    /// As [`Stage::edited_logits`], with neighbouring positions edited at once.
    ///
    /// # Shapes
    /// - `positions`: counted from the query word (0)
    /// - `vectors`: `[edits, positions, d_model]`
    /// - returns: `[edits]` of 26 logits
    ///
    /// # Errors
    /// As [`Stage::edited_logits`], or there are no such positions.
    pub fn edited_logits_over(
        &self,
        capture: &Capture,
        positions: Range<usize>,
        rows: &[usize],
        vectors: &[f32],
    ) -> Result<Vec<LetterLogits>> {
        let edit = Edit {
            capture,
            position: positions.start,
            count: positions.len(),
            rows,
            vectors,
        };
        self.logits_of(edit, &self.letters)
    }

    /// The stream after the last layer at the last position, where the answer is predicted, with the query word's vector replaced:
    /// `[edits, d_model]`.
    ///
    /// # Errors
    /// As [`Stage::edited_logits`].
    #[expect(
        clippy::redundant_closure_for_method_calls,
        reason = "the method alone is not general enough over the suffix's lifetime"
    )]
    pub fn edited_last(&self, capture: &Capture, rows: &[usize], vectors: &[f32]) -> Result<Vec<f32>> {
        let edit = Edit::at_word(capture, rows, vectors);
        self.edited(edit, capture.d, |run| run.last())
    }

    /// As [`Stage::edited_logits`], of 26 other tokens.
    ///
    /// # Errors
    /// As [`Stage::edited_logits`], or a token is outside the vocabulary.
    pub fn edited_logits_of(
        &self,
        capture: &Capture,
        rows: &[usize],
        vectors: &[f32],
        tokens: &[u32; 26],
    ) -> Result<Vec<LetterLogits>> {
        let edit = Edit::at_word(capture, rows, vectors);
        self.logits_of(edit, &self.model.unembedding(tokens)?)
    }

    fn logits_of(&self, edit: Edit<'_>, tokens: &Unembedding) -> Result<Vec<LetterLogits>> {
        let flat = self.edited(edit, 26, |run| run.logits(tokens))?;
        Ok(flat
            .chunks_exact(26)
            .map(|row| {
                let mut logits = [0.0; 26];
                logits.copy_from_slice(row);
                logits
            })
            .collect())
    }

    /// Probability of each letter's answer among all tokens of the vocabulary, after an edit at the query word.
    ///
    /// # Errors
    /// As [`Stage::edited_logits`].
    pub fn edited_probabilities(&self, capture: &Capture, rows: &[usize], vectors: &[f32]) -> Result<Vec<[f64; 26]>> {
        let edit = Edit::at_word(capture, rows, vectors);
        let (d, vocabulary) = (capture.d, self.model.config().vocab_size);
        // A device's chunks are so large that their logits over the whole vocabulary would not fit.
        let at_once = (VOCABULARY_VALUES / vocabulary).max(1);
        let flat = self.edited(edit, 26, |run| {
            let last = run.last()?;
            let mut letters = self.model.logits(&last, &self.letters);
            for (letters, last) in letters.chunks_mut(26 * at_once).zip(last.chunks(d * at_once)) {
                let all = self.model.all_logits(&self.model.final_norm(last))?;
                for (letters, all) in letters.chunks_exact_mut(26).zip(all.chunks_exact(vocabulary)) {
                    let top = all.iter().copied().fold(f32::NEG_INFINITY, f32::max);
                    let sum: f64 = all.iter().map(|&logit| f64::from(logit - top).exp()).sum();
                    for letter in letters {
                        *letter = (f64::from(*letter - top).exp() / sum) as f32;
                    }
                }
            }
            Ok(letters)
        })?;
        Ok(flat
            .chunks_exact(26)
            .map(|row| std::array::from_fn(|letter| f64::from(row[letter])))
            .collect())
    }

    /// Logits of `tokens` after replacing the site vector, and the gradient of their weighted sum there.
    ///
    /// `plain`: the same model on an autodiff device.
    ///
    /// # Shapes
    /// - `rows`: `[edits]`; `vectors`: `[edits, d_model]`; `weights`: `[edits, tokens]`
    /// - returns: logits `[edits, tokens]` and gradients `[edits, d_model]`
    ///
    /// # Errors
    /// As [`Stage::edited_logits`], or `plain` records no gradients.
    pub fn site_gradients(
        &self,
        plain: &PlainModel,
        capture: &Capture,
        (rows, vectors): (&[usize], &[f32]),
        (tokens, weights): (&[u32], &[f32]),
    ) -> Result<(Vec<f32>, Vec<f32>)> {
        let edit = Edit::at_word(capture, rows, vectors);
        self.check(edit)?;
        let (d, n) = (capture.d, tokens.len());
        if weights.len() != rows.len() * n {
            return Err(AblationError::Edit(format!(
                "{} weights for {} edits of {n} tokens",
                weights.len(),
                rows.len()
            )));
        }
        let sets = rows.iter().map(|&row| self.items[capture.rows[row]].set);
        let size = self.gradient_rows(capture.layer).div_ceil(self.seq);
        let by_set = self.by_set(sets, self.seq);
        // One graph has one prefix.
        let chunks: Vec<(usize, &[usize])> = by_set
            .iter()
            .enumerate()
            .flat_map(|(set, rows)| rows.chunks(size).map(move |rows| (set, rows)))
            .collect();
        let run = |(set, edits): &(usize, &[usize])| -> Result<SiteGradient> {
            let prefix = self.prefixes.get(self.model, &[*set], self.model.config().layers)?;
            let stream = self.stream_of(edit, edits);
            let run = SiteRun {
                stream: &stream,
                batch: edits.len(),
                from_layer: capture.layer + 1,
                prefix: &prefix[0],
            };
            let weights: Vec<f32> = edits
                .iter()
                .flat_map(|&edit| weights[edit * n..(edit + 1) * n].iter().copied())
                .collect();
            Ok(site_gradient(plain, run, tokens, &weights)?)
        };
        let done = chunks.par_iter().map(run).collect::<Result<Vec<_>>>()?;
        let (mut logits, mut gradients) = (vec![0.0; rows.len() * n], vec![0.0; rows.len() * d]);
        for ((_, edits), found) in chunks.iter().zip(done) {
            for (at, &edit) in edits.iter().enumerate() {
                logits[edit * n..(edit + 1) * n].copy_from_slice(&found.logits[at * n..(at + 1) * n]);
                gradients[edit * d..(edit + 1) * d].copy_from_slice(&found.gradient[at * d..(at + 1) * d]);
            }
        }
        Ok((logits, gradients))
    }

    /// Positions in one graph: as many as its recorded arrays have room for.
    fn gradient_rows(&self, layer: usize) -> usize {
        let config = self.model.config();
        let above = config.layers.saturating_sub(layer + 1).max(1);
        let keys = self.prefixes.longest() + self.seq;
        // About a dozen arrays of the stream's width, eight of the inner width and four of the scores stay for the way back.
        let per_layer = 12 * config.hidden_size + 8 * config.intermediate_size + 4 * config.heads * keys;
        (GRADIENT_BYTES / (4 * above * per_layer)).clamp(1, GRADIENT_ROWS)
    }

    fn check(&self, edit: Edit<'_>) -> Result<()> {
        let Edit {
            capture,
            position,
            count,
            rows,
            vectors,
        } = edit;
        if vectors.len() != rows.len() * count * capture.d || rows.iter().any(|&row| row >= capture.rows.len()) {
            return Err(AblationError::Edit(format!(
                "{} edited values for {count} positions of {} rows of width {}",
                vectors.len(),
                rows.len(),
                capture.d
            )));
        }
        if count == 0 || position + count > self.seq {
            return Err(AblationError::Edit(format!(
                "{count} positions from {position} on behind the query word; the prompts have {} from it on",
                self.seq
            )));
        }
        Ok(())
    }

    /// The stream of some edits with the edited vectors in place, `[edits, seq, d_model]`.
    fn stream_of(&self, edit: Edit<'_>, edits: &[usize]) -> Vec<f32> {
        let Edit {
            capture,
            position,
            count,
            rows,
            vectors,
        } = edit;
        let (d, width) = (capture.d, self.seq * capture.d);
        let edited = count * d;
        let mut x = Vec::with_capacity(edits.len() * width);
        for &edit in edits {
            let row = &capture.stream[rows[edit] * width..(rows[edit] + 1) * width];
            x.extend_from_slice(&row[..position * d]);
            x.extend_from_slice(&vectors[edit * edited..(edit + 1) * edited]);
            x.extend_from_slice(&row[(position + count) * d..]);
        }
        x
    }

    /// Makes ready each chunk of edits, which `finish` runs to the last position, giving `width` numbers an edit.
    fn edited(
        &self,
        edit: Edit<'_>,
        width: usize,
        finish: impl Fn(Suffixes<'_>) -> Result<Vec<f32>> + Sync,
    ) -> Result<Vec<f32>> {
        self.check(edit)?;
        let layers: Range<usize> = edit.capture.layer + 1..self.model.config().layers;
        let sets = edit.rows.iter().map(|&row| self.items[edit.capture.rows[row]].set);
        let chunks = self.chunks(sets, self.seq);
        let run = |chunk: &Chunk| -> Result<Vec<f32>> {
            let prefixes = self.prefixes.get(self.model, &chunk.sets, self.model.config().layers)?;
            let groups = chunk.groups(&prefixes);
            self.count(&groups, layers.clone(), self.seq, true);
            finish(Suffixes {
                model: self.model,
                x: self.stream_of(edit, &chunk.rows),
                groups: &groups,
                from: layers.start,
            })
        };
        let done = chunks.par_iter().map(run).collect::<Result<Vec<_>>>()?;
        let mut out = vec![0.0; edit.rows.len() * width];
        for (chunk, values) in chunks.iter().zip(done) {
            for (&edit, row) in chunk.rows.iter().zip(values.chunks_exact(width)) {
                out[edit * width..(edit + 1) * width].copy_from_slice(row);
            }
        }
        Ok(out)
    }
}

/// A chunk of edited prompts before the layers above the edit.
struct Suffixes<'a> {
    model: &'a Transformer,
    /// `[prompts of all groups, seq, d_model]`.
    x: Vec<f32>,
    groups: &'a [PromptGroup<'a>],
    /// The first of those layers.
    from: usize,
}

impl Suffixes<'_> {
    /// The stream after the last layer at the last position, `[prompts, d_model]`.
    fn last(self) -> Result<Vec<f32>> {
        let layers = self.from..self.model.config().layers;
        Ok(self.model.run_groups(self.x, self.groups, layers, Keep::Last)?)
    }

    /// Logits there, `[prompts, tokens]`, which on a device come straight from it.
    fn logits(self, tokens: &Unembedding) -> Result<Vec<f32>> {
        Ok(self.model.run_to_logits(self.x, self.groups, self.from, tokens)?)
    }
}

/// Vectors that replace those of captured rows at neighbouring positions.
#[derive(Clone, Copy)]
struct Edit<'a> {
    capture: &'a Capture,
    /// The first of the positions.
    position: usize,
    /// How many there are.
    count: usize,
    rows: &'a [usize],
    vectors: &'a [f32],
}

impl<'a> Edit<'a> {
    /// At the query word.
    fn at_word(capture: &'a Capture, rows: &'a [usize], vectors: &'a [f32]) -> Self {
        Self {
            capture,
            position: 0,
            count: 1,
            rows,
            vectors,
        }
    }
}
