//! A transformer whose letter takes a known way: an attention head of a known layer copies it from the word to the answer.
//!
//! The embedding of a word has its letter's direction; one head per copying layer attends from the answer position to the word and
//! writes the letter, times the layer's share, where the unembedding reads it. All other positions attend to the start token,
//! whose value is nothing; the MLPs add nothing. So replacing the word's vector before the first copying layer changes the whole
//! answer (site share 1), between two copying layers what is still to be copied, and after the last one nothing (site share 0).
//!
//! It is a checkpoint of the Llama family, given as the text of its `config.json` and its tensors: whoever writes these two files has
//! a model that every verb can open.
//!
//! Deliberately absent: files, a tokenizer, and anything that a model would have to learn.

use super::draw::{add, unit};

/// Letters.
const LETTERS: usize = 26;
/// Width of the one head; it carries a letter's 26 coordinates.
const HEAD: usize = 32;
/// Width of the stream.
const D: usize = 96;
/// Neurons of the MLPs, which add nothing.
const NEURONS: usize = 8;
/// Coordinates of the stream: letters as embedded.
const SEEN: usize = 0;
/// Letters as copied.
const COPIED: usize = 26;
/// Whether the token is a word.
const IS_WORD: usize = 52;
/// Whether it is the one that answers.
const ANSWERS: usize = 53;
/// Whether it looks at the start token.
const RESTS: usize = 54;
/// Whether it is the start token.
const IS_START: usize = 55;
/// What tells words of a letter apart: this coordinate and those behind it.
const IDENTITY: usize = 56;
/// Coordinates of the identity.
const IDENTITIES: usize = 32;
/// What gives all embeddings one length, so that norms scale all alike.
const FILL: usize = 88;
/// Length of every embedding: long beside what is copied, so that the last norm hardly depends on it.
const LENGTH: f64 = 20.0;
/// Difference of attention scores that leaves nothing for other positions.
const SHARPNESS: f64 = 60.0;
/// Logits of a letter that was copied whole.
const GAIN: f64 = 8.0;

/// What is planted.
#[derive(Clone, Debug, PartialEq)]
pub struct Wiring {
    /// Share of the letter that each layer's head copies, `[layers]`; they should sum to 1.
    pub copies: Vec<f64>,
    /// Words per letter.
    pub words: usize,
}

/// Tokens of a planted transformer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tokens {
    words: usize,
}

/// A checkpoint in memory.
pub struct Checkpoint {
    /// The text of `config.json`.
    pub config: String,
    /// Name, shape and row-major values of each tensor.
    pub tensors: Vec<(String, Vec<usize>, Vec<f32>)>,
    /// What its tokens are.
    pub tokens: Tokens,
}

impl Tokens {
    /// The start token.
    pub const START: u32 = 0;
    /// A token that means nothing.
    pub const FILLER: u32 = 1;
    /// The token at whose position the answer is read.
    pub const ANSWER: u32 = 2;

    /// The answer token of each letter.
    #[must_use]
    pub fn letters(self) -> [u32; LETTERS] {
        std::array::from_fn(|letter| 3 + letter as u32)
    }

    /// Token of a letter's word.
    #[must_use]
    pub fn word(self, letter: usize, index: usize) -> u32 {
        (3 + LETTERS + letter * self.words + index) as u32
    }

    /// Size of the vocabulary.
    #[must_use]
    pub fn count(self) -> usize {
        3 + LETTERS + LETTERS * self.words
    }
}

impl Wiring {
    /// Site share of replacing the word's vector as it leaves each layer, `[layers]`: what the layers above still copy.
    #[must_use]
    pub fn site_shares(&self) -> Vec<f64> {
        let whole: f64 = self.copies.iter().sum();
        (0..self.copies.len())
            .map(|layer| self.copies[layer + 1..].iter().sum::<f64>() / whole)
            .collect()
    }

    /// The checkpoint.
    #[must_use]
    pub fn checkpoint(&self, seed: u64) -> Checkpoint {
        let tokens = Tokens { words: self.words };
        let vocabulary = tokens.count();
        let mut tensors = vec![
            (
                "model.embed_tokens.weight".to_owned(),
                vec![vocabulary, D],
                embedding(tokens, seed),
            ),
            ("model.norm.weight".to_owned(), vec![D], vec![1.0; D]),
            ("lm_head.weight".to_owned(), vec![vocabulary, D], unembedding(tokens)),
        ];
        for (layer, &share) in self.copies.iter().enumerate() {
            let name = |part: &str| format!("model.layers.{layer}.{part}.weight");
            let [q, k, v, o] = attention(share);
            tensors.extend([
                (name("input_layernorm"), vec![D], vec![1.0; D]),
                (name("post_attention_layernorm"), vec![D], vec![1.0; D]),
                (name("self_attn.q_proj"), vec![HEAD, D], q),
                (name("self_attn.k_proj"), vec![HEAD, D], k),
                (name("self_attn.v_proj"), vec![HEAD, D], v),
                (name("self_attn.o_proj"), vec![D, HEAD], o),
                (name("mlp.gate_proj"), vec![NEURONS, D], vec![0.0; NEURONS * D]),
                (name("mlp.up_proj"), vec![NEURONS, D], vec![0.0; NEURONS * D]),
                (name("mlp.down_proj"), vec![D, NEURONS], vec![0.0; NEURONS * D]),
            ]);
        }
        Checkpoint {
            config: config(self.copies.len(), vocabulary),
            tensors,
            tokens,
        }
    }
}

fn config(layers: usize, vocabulary: usize) -> String {
    format!(
        r#"{{
  "architectures": ["LlamaForCausalLM"],
  "attention_bias": false,
  "bos_token_id": {start},
  "head_dim": {HEAD},
  "hidden_act": "silu",
  "hidden_size": {D},
  "intermediate_size": {NEURONS},
  "max_position_embeddings": 128,
  "mlp_bias": false,
  "model_type": "llama",
  "num_attention_heads": 1,
  "num_hidden_layers": {layers},
  "num_key_value_heads": 1,
  "rms_norm_eps": 1e-06,
  "rope_theta": 1000000.0,
  "tie_word_embeddings": false,
  "vocab_size": {vocabulary}
}}
"#,
        start = Tokens::START
    )
}

fn embedding(tokens: Tokens, seed: u64) -> Vec<f32> {
    let mut rng = stats::seed::rng(seed, "planted/transformer/words");
    let mut rows = vec![vec![0.0; D]; tokens.count()];
    for row in &mut rows {
        row[RESTS] = 1.0;
    }
    rows[Tokens::START as usize][IS_START] = 1.0;
    let answers = &mut rows[Tokens::ANSWER as usize];
    answers[RESTS] = 0.0;
    answers[ANSWERS] = 1.0;
    for letter in 0..LETTERS {
        for index in 0..tokens.words {
            let row = &mut rows[tokens.word(letter, index) as usize];
            row[SEEN + letter] = 1.0;
            row[IS_WORD] = 1.0;
            add(
                &mut row[IDENTITY..IDENTITY + IDENTITIES],
                &unit(IDENTITIES, &mut rng),
                1.0,
            );
        }
    }
    for row in &mut rows {
        let used: f64 = row.iter().map(|v| v * v).sum();
        row[FILL] = (LENGTH * LENGTH - used).sqrt();
    }
    rows.iter().flatten().map(|&v| v as f32).collect()
}

fn unembedding(tokens: Tokens) -> Vec<f32> {
    let mut out = vec![0.0f32; tokens.count() * D];
    // A whole copy has length 1 in a stream of length LENGTH, which the last norm brings to sqrt(D).
    let weight = GAIN * LENGTH / (D as f64).sqrt();
    for (letter, token) in tokens.letters().into_iter().enumerate() {
        out[token as usize * D + COPIED + letter] = weight as f32;
    }
    out
}

/// Queries, keys, values and output of a layer whose head copies this share.
fn attention(share: f64) -> [Vec<f32>; 4] {
    let normed = (D as f64).sqrt() / LENGTH;
    // The last pair of rotated coordinates turns by 2e-6 a position: positions do not matter.
    let pair = [HEAD / 2 - 1, HEAD - 1];
    let (mut q, mut k) = (vec![0.0f32; HEAD * D], vec![0.0f32; HEAD * D]);
    let sharp = (SHARPNESS * (HEAD as f64).sqrt()).sqrt() / normed;
    for (at, (from, to)) in pair.into_iter().zip([(ANSWERS, IS_WORD), (RESTS, IS_START)]) {
        q[at * D + from] = sharp as f32;
        k[at * D + to] = sharp as f32;
    }
    let (mut v, mut o) = (vec![0.0f32; HEAD * D], vec![0.0f32; D * HEAD]);
    for letter in 0..LETTERS {
        v[letter * D + SEEN + letter] = (1.0 / normed) as f32;
        o[(COPIED + letter) * HEAD + letter] = share as f32;
    }
    [q, k, v, o]
}
