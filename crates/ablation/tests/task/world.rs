//! The model, its words and prompts, made ready once for all tests.

use std::collections::HashMap;
use std::sync::OnceLock;

use ablation::attribution::AnswerSet;
use ablation::{Capture, Item, Labelled, Stage};
use model_runner::plain::PlainModel;
use model_runner::{Tokenizer, Transformer, testing};
use sae::{Sae, SparseLatents};
use tasks::{
    AnswerTokens, Assignment, IclDraw, IclSet, Letter, PromptSet, Template, Tokenize, Vocabulary, build_prompts,
    vocabulary,
};

use crate::golden::{CLASSES, Part, PromptWords, path};

/// The autoencoders are on what leaves this layer.
pub(crate) const LAYER: usize = 1;

/// Alphabet index of each class: all letters are classes.
pub(crate) fn alphabet() -> Vec<usize> {
    (0..CLASSES).collect()
}

pub(crate) struct World {
    pub(crate) model: Transformer,
    /// The same model, recording gradients.
    pub(crate) plain: PlainModel,
    pub(crate) tokenizer: Tokenizer,
    pub(crate) vocabulary: Vocabulary,
    by_token: HashMap<u32, usize>,
    pub(crate) answers: AnswerSet,
}

pub(crate) fn world() -> &'static World {
    static WORLD: OnceLock<World> = OnceLock::new();
    WORLD.get_or_init(|| {
        let folder = path("model");
        let model = testing::open(&folder).unwrap();
        let tokenizer = Tokenizer::open(&folder, model.config().bos_token_id).unwrap();
        let vocabulary = vocabulary(&tokenizer).unwrap();
        let lower = |letter: Letter| *tokenizer.encode(&letter.lower().to_string()).unwrap().last().unwrap();
        World {
            plain: model.differentiable().unwrap(),
            answers: AnswerSet {
                capitals: *AnswerTokens::new(&tokenizer).unwrap().ids(),
                lower: std::array::from_fn(|index| lower(Letter::from_index(index).unwrap())),
            },
            by_token: vocabulary
                .words
                .iter()
                .enumerate()
                .map(|(index, word)| (word.token, index))
                .collect(),
            vocabulary,
            tokenizer,
            model,
        }
    })
}

impl World {
    /// Index of a token's word.
    fn word(&self, token: u32) -> usize {
        self.by_token[&token]
    }

    /// Text of a token.
    pub(crate) fn text(&self, token: u32) -> String {
        self.vocabulary.words[self.word(token)].text.clone()
    }

    /// Prompts from their words, through text and tokenizer.
    pub(crate) fn prompts(&self, rows: &[PromptWords], leading_separator: bool) -> PromptSet {
        let template = Template {
            leading_separator,
            ..Template::verbose()
        };
        let mut draw = IclDraw {
            sets: Vec::new(),
            assignments: Vec::new(),
        };
        for (id, [examples @ .., asked]) in rows.iter().enumerate() {
            let words: Vec<usize> = examples.iter().map(|&token| self.word(token)).collect();
            let prefix_text = template.prefix(words.iter().map(|&word| &self.vocabulary.words[word]));
            draw.sets.push(IclSet { id, words, prefix_text });
            draw.assignments.push(Assignment {
                word: self.word(*asked),
                icl: id,
            });
        }
        let prompts = build_prompts(&self.tokenizer, &template, &self.vocabulary, draw).unwrap();
        assert!(prompts.report.dropped.is_empty(), "{:?}", prompts.report);
        assert_eq!(prompts.suffix_len(), 6, "the word is at position -6");
        prompts
    }

    pub(crate) fn stage(&self, prompts: &PromptSet) -> Stage<'_> {
        let items = prompts.prompts.iter().map(|prompt| Item {
            set: prompt.icl,
            suffix: prompts.suffix(prompt).to_vec(),
        });
        Stage::new(&self.model, &prompts.prefixes, items.collect(), &self.answers.capitals).unwrap()
    }

    /// Stream at the words of prompts, `[n, d_model]`: every prompt is run as a whole.
    pub(crate) fn site_vectors(&self, prompts: &[PromptWords], leading_separator: bool) -> Vec<f32> {
        // Prefixes of a few prompts at a time: keys and values of all would take gigabytes.
        let runs = prompts.chunks(256).flat_map(|prompts| {
            let stage = self.stage(&self.prompts(prompts, leading_separator));
            let all: Vec<usize> = (0..prompts.len()).collect();
            stage.site_vectors(LAYER, &all).unwrap()
        });
        runs.collect()
    }

    /// The same for words without examples. Layers 0 and 1 of this model have a window of one token, so that what leaves them
    /// depends on the word alone; `probes::streams_and_dense_probes_equal` checks it on whole prompts.
    pub(crate) fn word_vectors(&self, words: &[u32]) -> Vec<f32> {
        let bos = self.model.config().bos_token_id.unwrap();
        let items = words.iter().map(|&word| Item {
            set: 0,
            suffix: vec![word],
        });
        let stage = Stage::new(&self.model, &[vec![bos]], items.collect(), &self.answers.capitals).unwrap();
        stage
            .site_vectors(LAYER, &(0..words.len()).collect::<Vec<_>>())
            .unwrap()
    }

    pub(crate) fn labelled(&self, part: &Part) -> Labelled {
        Labelled {
            x: self.word_vectors(&part.words()),
            y: part.letters.clone(),
            d: self.model.config().hidden_size,
            classes: CLASSES,
        }
    }
}

pub(crate) fn capture(stage: &Stage<'_>) -> Capture {
    stage.capture(&[LAYER], None).unwrap().remove(0)
}

pub(crate) fn sae(name: &str) -> Sae {
    Sae::open(&path("saes").join(name)).unwrap()
}

/// Latents of all site vectors of a capture.
pub(crate) fn encode(sae: &Sae, capture: &Capture) -> SparseLatents {
    sae.encode(&capture.sites())
}

/// Class of a letter, which is its place in the alphabet.
pub(crate) fn class_of(letter: char) -> usize {
    tasks::Letter::from_char(letter).unwrap().index()
}

/// Largest absolute difference.
#[track_caller]
pub(crate) fn worst<A: Copy + Into<f64>, B: Copy + Into<f64>>(found: &[A], expected: &[B]) -> f64 {
    assert_eq!(found.len(), expected.len());
    let pairs = found.iter().zip(expected);
    pairs.map(|(&a, &b)| (a.into() - b.into()).abs()).fold(0.0, f64::max)
}
