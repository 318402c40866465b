//! Training of a small byte-pair tokenizer in Gemma's style.
//!
//! Merges are learnt inside words only (a word carries its leading space), so every line of the
//! corpus splits at spaces. Words of rare first letters are counted more often until each letter
//! has its share of the vocabulary: the benchmark needs held-out words of all 26.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokenizers::models::TrainerWrapper;
use tokenizers::models::bpe::BpeTrainer;
use tokenizers::{AddedToken, Model, ModelWrapper, Trainer};

use crate::error::{ModelError, Result};

/// What the tokenizer should hold.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TokenizerPlan {
    /// Tokens in all.
    pub vocab_size: usize,
    /// Smallest share of the word count that each first letter gets.
    pub letter_floor: f64,
    /// Words that must be single tokens, with their leading space.
    pub required: Vec<String>,
}

/// Trains on word counts (words with their leading space, as ` cat`) and returns `tokenizer.json`.
///
/// # Errors
/// The trainer fails, or a required word did not become a token.
pub fn train_tokenizer(plan: &TokenizerPlan, counts: &BTreeMap<String, u64>) -> Result<Value> {
    const SPECIAL: [&str; 4] = ["<pad>", "<eos>", "<bos>", "<unk>"];
    let refuse = |reason: String| ModelError::Training(format!("tokenizer: {reason}"));
    let mut tokens: Vec<String> = SPECIAL.iter().map(ToString::to_string).collect();
    tokens.extend((0..=255u8).map(|byte| format!("<0x{byte:02X}>")));
    let special = tokens
        .iter()
        .map(|token| AddedToken::from(token.clone(), true))
        .collect();
    let trainer = BpeTrainer::builder()
        .vocab_size(plan.vocab_size)
        .special_tokens(special)
        .show_progress(false)
        .initial_alphabet("\n,:.-'".chars().collect())
        .build();
    let mut trainer = TrainerWrapper::from(trainer);
    let raised = raise_rare_letters(counts, plan.letter_floor);
    let most = raised.values().copied().max().unwrap_or(1);
    let mut lines: Vec<(String, u64)> = raised.into_iter().collect();
    lines.extend(plan.required.iter().map(|word| (word.clone(), most)));
    // The trainer counts the pieces that it is fed; repeated feeding is how a count is given.
    let mut model = ModelWrapper::BPE(tokenizers::models::bpe::BPE::default());
    let feed = lines.iter().flat_map(|(word, count)| {
        std::iter::repeat_n(word.replace(' ', "\u{2581}"), (*count).clamp(1, 4_000) as usize)
    });
    trainer
        .feed(feed, |word| Ok(vec![word.to_owned()]))
        .map_err(|e| refuse(e.to_string()))?;
    trainer.train(&mut model).map_err(|e| refuse(e.to_string()))?;
    let vocab = model.get_vocab();
    for word in &plan.required {
        if !vocab.contains_key(&word.replace(' ', "\u{2581}")) {
            return Err(refuse(format!(
                "`{word}` did not become a token\nhint: raise `vocab_size`"
            )));
        }
    }
    let mut model = serde_json::to_value(&model).map_err(|e| refuse(e.to_string()))?;
    model["byte_fallback"] = json!(true);
    model["unk_token"] = json!("<unk>");
    model["fuse_unk"] = json!(true);
    Ok(tokenizer_json(&SPECIAL, &model))
}

/// Multiplies the counts of words whose first letter has less than `floor` of all counts.
fn raise_rare_letters(counts: &BTreeMap<String, u64>, floor: f64) -> BTreeMap<String, u64> {
    let letter = |word: &str| word.trim_start().chars().next().map(|c| c.to_ascii_lowercase());
    let mut totals: BTreeMap<Option<char>, u64> = BTreeMap::new();
    for (word, count) in counts {
        *totals.entry(letter(word)).or_default() += count;
    }
    let all: u64 = totals.values().sum();
    let factor = |word: &str| {
        let share = totals[&letter(word)] as f64 / all.max(1) as f64;
        (floor / share).max(1.0)
    };
    counts
        .iter()
        .map(|(word, &count)| (word.clone(), (count as f64 * factor(word)).ceil() as u64))
        .collect()
}

/// The file around the model: Gemma's normaliser, decoder and start token.
fn tokenizer_json(special: &[&str], model: &Value) -> Value {
    let added: Vec<Value> = special
        .iter()
        .enumerate()
        .map(|(id, content)| {
            json!({"id": id, "content": content, "single_word": false, "lstrip": false, "rstrip": false, "normalized": false, "special": true})
        })
        .collect();
    let bos = json!({"SpecialToken": {"id": "<bos>", "type_id": 0}});
    let sequence = |id: &str, kind: u32| json!({"Sequence": {"id": id, "type_id": kind}});
    json!({
        "version": "1.0",
        "truncation": null,
        "padding": null,
        "added_tokens": added,
        "normalizer": {"type": "Replace", "pattern": {"String": " "}, "content": "\u{2581}"},
        "pre_tokenizer": {"type": "Split", "pattern": {"String": "\u{2581}"}, "behavior": "MergedWithNext", "invert": false},
        "post_processor": {
            "type": "TemplateProcessing",
            "single": [bos, sequence("A", 0)],
            "pair": [bos, sequence("A", 0), sequence("B", 1)],
            "special_tokens": {"<bos>": {"id": "<bos>", "ids": [2], "tokens": ["<bos>"]}}
        },
        "decoder": {"type": "Sequence", "decoders": [
            {"type": "Replace", "pattern": {"String": "\u{2581}"}, "content": " "},
            {"type": "ByteFallback"},
            {"type": "Fuse"}
        ]},
        "model": model
    })
}
