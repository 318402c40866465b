//! The baseline: every prompt as one whole pass, nothing kept between two of them.
//!
//! It uses the same engine, weights, threads and chunk size rule as the partial runs, and asks the
//! last layer for the last position only, so that what differs is reuse and nothing else.

use std::collections::BTreeMap;

use ablation::effects::LetterLogits;
use model_runner::{Keep, Transformer, Unembedding};
use rayon::prelude::*;
use tasks::{Prompt, PromptSet};

/// Whole passes over prompts.
pub struct FullPass<'a> {
    model: &'a Transformer,
    prompts: &'a PromptSet,
    letters: Unembedding,
}

impl<'a> FullPass<'a> {
    /// Takes the answers' rows of the unembedding.
    ///
    /// # Errors
    /// An answer token is outside the model's vocabulary.
    pub fn new(model: &'a Transformer, prompts: &'a PromptSet, answers: &[u32; 26]) -> anyhow::Result<Self> {
        model.warm(0..model.config().layers)?;
        Ok(Self {
            model,
            prompts,
            letters: model.unembedding(answers)?,
        })
    }

    /// Runs of equal length, in chunks that one thread runs at a time: indices into `jobs`.
    fn chunks(&self, jobs: &[usize]) -> Vec<Vec<usize>> {
        let mut by_length: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for (job, &prompt) in jobs.iter().enumerate() {
            by_length
                .entry(self.prompts.prompts[prompt].ids.len())
                .or_default()
                .push(job);
        }
        let split = |(length, jobs): (usize, Vec<usize>)| {
            jobs.chunks(self.model.chunk_size(jobs.len(), length))
                .map(<[usize]>::to_vec)
                .collect::<Vec<_>>()
        };
        by_length.into_iter().flat_map(split).collect()
    }

    /// The stream after `layer` at every position of some prompts, one after the other.
    fn lower(&self, prompts: &[&Prompt], layer: usize) -> anyhow::Result<Vec<f32>> {
        let ids: Vec<u32> = prompts.iter().flat_map(|prompt| prompt.ids.iter().copied()).collect();
        Ok(self.model.run(
            self.model.embed(&ids, prompts.len(), 0)?,
            prompts.len(),
            0..layer + 1,
            None,
            Keep::All,
        )?)
    }

    fn of(&self, jobs: &[usize], chunk: &[usize]) -> Vec<&Prompt> {
        chunk.iter().map(|&job| &self.prompts.prompts[jobs[job]]).collect()
    }

    /// The vector at the query word after `layer`, of every prompt: `[prompts, d_model]`.
    ///
    /// # Errors
    /// The model refuses a run.
    pub fn site_vectors(&self, layer: usize) -> anyhow::Result<Vec<f32>> {
        let d = self.model.config().hidden_size;
        let jobs: Vec<usize> = (0..self.prompts.prompts.len()).collect();
        let run = |chunk: Vec<usize>| -> anyhow::Result<(Vec<usize>, Vec<f32>)> {
            let prompts = self.of(&jobs, &chunk);
            let x = self.lower(&prompts, layer)?;
            let rows = x.chunks_exact(d * prompts[0].ids.len()).zip(&prompts);
            let sites = rows
                .flat_map(|(x, prompt)| x[prompt.word_position * d..][..d].to_vec())
                .collect();
            Ok((chunk, sites))
        };
        let done = self
            .chunks(&jobs)
            .into_par_iter()
            .map(run)
            .collect::<anyhow::Result<Vec<_>>>()?;
        let mut out = vec![0.0; jobs.len() * d];
        for (chunk, sites) in done {
            for (job, site) in chunk.into_iter().zip(sites.chunks_exact(d)) {
                out[job * d..(job + 1) * d].copy_from_slice(site);
            }
        }
        Ok(out)
    }

    /// Letter logits of edited prompts: `deltas` `[edits, d_model]` is added at the query word
    /// after `layer` of `prompts[edit]`.
    ///
    /// # Errors
    /// The model refuses a run.
    pub fn edited_logits(
        &self,
        layer: usize,
        prompts: &[usize],
        deltas: &[&[f32]],
    ) -> anyhow::Result<Vec<LetterLogits>> {
        let d = self.model.config().hidden_size;
        let layers = self.model.config().layers;
        let run = |chunk: Vec<usize>| -> anyhow::Result<(Vec<usize>, Vec<f32>)> {
            let chosen = self.of(prompts, &chunk);
            let mut x = self.lower(&chosen, layer)?;
            let width = d * chosen[0].ids.len();
            for ((x, prompt), &edit) in x.chunks_exact_mut(width).zip(&chosen).zip(&chunk) {
                let site = &mut x[prompt.word_position * d..][..d];
                site.iter_mut().zip(deltas[edit]).for_each(|(x, delta)| *x += delta);
            }
            let last = self.model.run(x, chosen.len(), layer + 1..layers, None, Keep::Last)?;
            Ok((chunk, self.model.logits(&last, &self.letters)))
        };
        let done = self
            .chunks(prompts)
            .into_par_iter()
            .map(run)
            .collect::<anyhow::Result<Vec<_>>>()?;
        let mut out = vec![[0.0; 26]; prompts.len()];
        for (chunk, logits) in done {
            for (edit, logits) in chunk.into_iter().zip(logits.chunks_exact(26)) {
                out[edit].copy_from_slice(logits);
            }
        }
        Ok(out)
    }
}
