//! `bench train lm`: tokenizer, model, word split, accuracy table and sampled tokens.

use std::path::Path;
use std::time::Instant;

use anyhow::Context;
use checkpoint::write;
use model_runner::train::{LmTrainer, train_tokenizer};
use model_runner::{Tokenizer, Transformer};
use rand::seq::SliceRandom;
use serde_json::json;
use stats::seed::rng;
use tasks::{Corpus, Split, Tokenize, Vocabulary, vocabulary};

use super::grade;
use super::recipe::Recipe;
use super::text;

/// Steps between two lines of the log.
const LOG_EVERY: usize = 100;

/// Trains everything that `recipe` describes and writes it to `out`.
pub(crate) fn train(recipe_path: &Path, out: &Path, say: &mut dyn FnMut(&str)) -> anyhow::Result<()> {
    let recipe = Recipe::read(recipe_path)?;
    let started = Instant::now();
    let mut glosses = text::glosses()?;
    let counts = text::word_counts(&glosses)?;
    let json = train_tokenizer(&recipe.tokenizer, &counts)?;
    write::atomic(&out.join("tokenizer.json"), &serde_json::to_vec(&json)?)?;
    let tokenizer = Tokenizer::open(out, Some(2))?;
    let vocabulary = vocabulary(&tokenizer)?;
    let split = hold_out(&recipe, &vocabulary)?;
    say(&format!(
        "tokenizer: {} tokens, {} words ({} held out), {:.0} s",
        tokenizer.vocab_size(),
        vocabulary.len(),
        split.test.len(),
        started.elapsed().as_secs_f64()
    ));
    glosses.shuffle(&mut rng(recipe.seed, "lm/text"));
    glosses.truncate(recipe.text_lines);
    let encoded = glosses
        .iter()
        .map(|line| tokenizer.encode(line))
        .collect::<Result<Vec<_>, _>>()?;
    let corpus = Corpus::new(&tokenizer, &vocabulary, &split, recipe.corpus.clone(), encoded)?;

    let config = recipe.config(tokenizer.vocab_size())?;
    let mut trainer = LmTrainer::new(&config, &recipe.training, &mut rng(recipe.seed, "lm/init"))?;
    say(&format!("model: {} parameters", trainer.params().count()));
    let mut draw = rng(recipe.seed, "lm/documents");
    let mut log = Vec::new();
    let (mut loss, mut right) = (0.0, 0.0);
    let begun = Instant::now();
    for step in 1..=recipe.training.steps {
        let documents: Vec<_> = (0..recipe.training.batch).map(|_| corpus.document(&mut draw)).collect();
        let report = trainer.step(&documents)?;
        loss += report.loss;
        right += report.letters_right;
        if step % LOG_EVERY == 0 || step == recipe.training.steps {
            let n = if step % LOG_EVERY == 0 {
                LOG_EVERY
            } else {
                step % LOG_EVERY
            } as f64;
            let seconds = begun.elapsed().as_secs_f64();
            let tokens = step * recipe.training.batch * recipe.corpus.length;
            say(&format!(
                "step {step:>5}  loss {:.3}  letters {:.3}  {:.0} s  {:.0} tokens/s",
                loss / n,
                right / n,
                seconds,
                tokens as f64 / seconds
            ));
            log.push(json!({"step": step, "tokens": tokens, "loss": loss / n, "letters_right": right / n, "seconds": seconds.round()}));
            (loss, right) = (0.0, 0.0);
        }
    }
    trainer.params().write_bf16(&out.join("model.safetensors"))?;
    let pretty = |value: &serde_json::Value| serde_json::to_vec_pretty(value);
    write::atomic(
        &out.join("config.json"),
        &pretty(&recipe.config_json(config.vocab_size)?)?,
    )?;
    let held_out: Vec<&str> = split.test.iter().map(|&w| vocabulary.words[w].text.as_str()).collect();
    write::atomic(&out.join("held_out_words.json"), &pretty(&json!(held_out))?)?;
    write::atomic(&out.join("train_log.json"), &pretty(&json!(log))?)?;

    let model = Transformer::open(out).context("reading the model back")?;
    let report = grade::grade(&model, &tokenizer, &vocabulary, &split, &corpus, recipe.seed)?;
    say(&serde_json::to_string_pretty(&report)?);
    write::atomic(&out.join("accuracy.json"), &pretty(&serde_json::to_value(&report)?)?)?;
    let sampled = grade::sample(&model, recipe.sampled_tokens, recipe.corpus.length, recipe.seed)?;
    let rows = sampled.len() / recipe.corpus.length;
    let ids: Vec<i64> = sampled.into_iter().map(i64::from).collect();
    let tensor = write::TensorData::i64("ids", &[rows, recipe.corpus.length], &ids);
    write::safetensors(
        &out.join("sampled_ids.safetensors"),
        &[tensor],
        &std::collections::BTreeMap::new(),
    )?;
    say(&format!(
        "written to `{}` after {:.0} s",
        out.display(),
        started.elapsed().as_secs_f64()
    ));
    Ok(())
}

/// Draws the held-out words letter by letter, so that every letter has its share.
fn hold_out(recipe: &Recipe, vocabulary: &Vocabulary) -> anyhow::Result<Split> {
    let mut split = Split {
        train: Vec::new(),
        test: Vec::new(),
    };
    for (letter, mut words) in vocabulary.by_letter(&vocabulary.indices())? {
        words.shuffle(&mut rng(recipe.seed, &format!("lm/held-out/{letter}")));
        let share = (recipe.held_out.share * words.len() as f64).round() as usize;
        let count = share.max(recipe.held_out.per_letter).min(words.len() / 2);
        split.test.extend_from_slice(&words[..count]);
        split.train.extend_from_slice(&words[count..]);
    }
    split.train.sort_unstable();
    split.test.sort_unstable();
    Ok(split)
}
