//! How well the trained model does what it was trained for, and text of its own.

use std::collections::BTreeMap;

use model_runner::{Keep, PrefixCache, Tokenizer, Transformer, Unembedding};
use rand::RngExt;
use serde::Serialize;
use stats::seed::rng;
use tasks::{
    AnswerTokens, Corpus, Document, Format, IclPlan, IclRequest, Letter, Split, Template, Vocabulary, build_prompts,
    draw_icl,
};

/// Share of right answers, with counts.
#[derive(Debug, Serialize)]
pub(crate) struct Accuracy {
    pub(crate) right: usize,
    pub(crate) of: usize,
    pub(crate) share: f64,
}

impl Accuracy {
    fn new(right: usize, of: usize) -> Self {
        Self {
            right,
            of,
            share: right as f64 / of.max(1) as f64,
        }
    }
}

/// The accuracy table of the model.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    pub(crate) words: usize,
    pub(crate) held_out: Accuracy,
    pub(crate) trained: Accuracy,
    pub(crate) held_out_by_letter: BTreeMap<Letter, Accuracy>,
    /// Full-weight targets of fresh documents, by format, beyond the first 32 tokens.
    pub(crate) formats: BTreeMap<Format, Accuracy>,
}

/// First-letter accuracy (the most likely of all tokens is the right capital) with ten examples,
/// and accuracy on fresh documents of each graded format.
pub(crate) fn grade(
    model: &Transformer,
    tokenizer: &Tokenizer,
    vocabulary: &Vocabulary,
    split: &Split,
    corpus: &Corpus<'_>,
    seed: u64,
) -> anyhow::Result<Report> {
    let head = whole_vocabulary(model)?;
    let held_out = first_letter(model, tokenizer, vocabulary, &split.test, &split.train, &head, seed)?;
    let trained = first_letter(model, tokenizer, vocabulary, &split.train, &split.train, &head, seed)?;
    let total = |rows: &BTreeMap<Letter, Accuracy>| {
        Accuracy::new(rows.values().map(|a| a.right).sum(), rows.values().map(|a| a.of).sum())
    };
    let mut formats = BTreeMap::new();
    for format in corpus.graded() {
        let mut draw = rng(seed, &format!("lm/grade/{format:?}"));
        let (mut right, mut of) = (0, 0);
        for _ in 0..60 {
            let (r, n) = grade_document(model, &corpus.document_of(&[format], &mut draw), &head)?;
            right += r;
            of += n;
        }
        formats.insert(format, Accuracy::new(right, of));
    }
    Ok(Report {
        words: vocabulary.len(),
        held_out: total(&held_out),
        trained: total(&trained),
        held_out_by_letter: held_out,
        formats,
    })
}

fn whole_vocabulary(model: &Transformer) -> anyhow::Result<Unembedding> {
    let all: Vec<u32> = (0..model.config().vocab_size as u32).collect();
    Ok(model.unembedding(&all)?)
}

fn argmax(row: &[f32]) -> usize {
    row.iter()
        .enumerate()
        .max_by(|a, b| a.1.total_cmp(b.1))
        .map_or(0, |(i, _)| i)
}

fn first_letter(
    model: &Transformer,
    tokenizer: &Tokenizer,
    vocabulary: &Vocabulary,
    words: &[usize],
    pool: &[usize],
    head: &Unembedding,
    seed: u64,
) -> anyhow::Result<BTreeMap<Letter, Accuracy>> {
    let template = Template::verbose();
    let request = IclRequest {
        vocabulary,
        template: &template,
        words,
        pool,
        examples: 10,
        plan: IclPlan::Shared {
            sets: 8,
            prompts_per_word: 1,
        },
        seed,
        purpose: "lm/grade",
    };
    let prompts = build_prompts(tokenizer, &template, vocabulary, draw_icl(&request)?)?;
    let answers = AnswerTokens::new(tokenizer)?;
    let layers = model.config().layers;
    let mut counts: BTreeMap<Letter, (usize, usize)> = BTreeMap::new();
    for (set, prefix) in prompts.prefixes.iter().enumerate() {
        let cache = model.prefix(prefix, layers, None)?;
        let mine: Vec<_> = prompts.prompts.iter().filter(|p| p.icl == set).collect();
        for chunk in mine.chunks(model.chunk_size(mine.len(), prompts.suffix_len())) {
            let ids: Vec<u32> = chunk.iter().flat_map(|p| prompts.suffix(p).to_vec()).collect();
            let last = model.run(
                model.embed(&ids, chunk.len(), cache.len())?,
                chunk.len(),
                0..layers,
                Some(&cache),
                Keep::Last,
            )?;
            let logits = model.logits(&last, head);
            for (prompt, row) in chunk.iter().zip(logits.chunks_exact(head.tokens())) {
                let letter = vocabulary.words[prompt.word].letter;
                let count = counts.entry(letter).or_default();
                count.0 += usize::from(argmax(row) == answers.id(letter) as usize);
                count.1 += 1;
            }
        }
    }
    Ok(counts
        .into_iter()
        .map(|(letter, (right, of))| (letter, Accuracy::new(right, of)))
        .collect())
}

/// Right full-weight targets of a document, teacher-forced, and how many there are.
fn grade_document(model: &Transformer, document: &Document, head: &Unembedding) -> anyhow::Result<(usize, usize)> {
    let inputs = &document.ids[..document.ids.len() - 1];
    let x = model.run(model.embed(inputs, 1, 0)?, 1, 0..model.config().layers, None, Keep::All)?;
    let d = model.config().hidden_size;
    let (mut right, mut of) = (0, 0);
    for position in 32..inputs.len() {
        if document.weights[position + 1] < 1.0 {
            continue;
        }
        let logits = model.logits(&x[position * d..(position + 1) * d], head);
        right += usize::from(argmax(&logits) == document.ids[position + 1] as usize);
        of += 1;
    }
    Ok((right, of))
}

/// Documents that the model samples token by token at temperature 1, `[documents * length]`.
pub(crate) fn sample(model: &Transformer, tokens: usize, length: usize, seed: u64) -> anyhow::Result<Vec<u32>> {
    let head = whole_vocabulary(model)?;
    let layers = model.config().layers;
    let start = model.config().bos_token_id.unwrap_or_default();
    let mut out = Vec::new();
    for document in 0..tokens.div_ceil(length) {
        let mut draw = rng(seed, &format!("lm/sample/{document}"));
        let mut past: Option<PrefixCache> = None;
        let mut token = start;
        for _ in 0..length {
            out.push(token);
            let x = model.run(
                model.embed(&[token], 1, past.as_ref().map_or(0, PrefixCache::len))?,
                1,
                0..layers,
                past.as_ref(),
                Keep::Last,
            )?;
            past = Some(model.prefix(&[token], layers, past.as_ref())?);
            token = draw_token(&model.logits(&x, &head), draw.random());
        }
    }
    Ok(out)
}

/// The token at quantile `mark` of the softmax of `logits`.
fn draw_token(logits: &[f32], mark: f64) -> u32 {
    let top = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let weights: Vec<f64> = logits.iter().map(|&l| f64::from(l - top).exp()).collect();
    let mut left = mark * weights.iter().sum::<f64>();
    for (token, weight) in weights.iter().enumerate() {
        left -= weight;
        if left <= 0.0 {
            return token as u32;
        }
    }
    (weights.len() - 1) as u32
}
