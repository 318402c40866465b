//! What a model checkpoint is.

use std::path::Path;

use checkpoint::Checkpoint;
use model_runner::{
    BosPolicy, ModelConfig, Norm, Point, Positions, Scaling, Tokenizer, Transformer, Verdict, Window, choose_bos,
};
use report::{Cell, Table};

use super::facts::{Facts, contents, fields, tensors};
use crate::run::plan::model_hash;

pub(super) fn model(path: &Path) -> anyhow::Result<Vec<Table>> {
    let (config, read) = ModelConfig::read_with_fields(&path.join("config.json"))?;
    let checkpoint = Checkpoint::open(path)?;
    // Refuses a tensor that is missing or has another shape than the configuration says.
    let transformer = Transformer::open(path)?;
    let cap = |cap: Option<f64>| cap.map_or_else(|| Cell::text("none"), |value| Cell::Number { value, digits: 1 });
    let mut facts = Facts::new(format!("Model `{}`", path.display()));
    facts.text("family", config.family.as_str())?;
    facts.count("layers", config.layers)?;
    facts.count("width of the residual stream", config.hidden_size)?;
    facts.count("width inside the MLP", config.intermediate_size)?;
    facts.count("query heads", config.heads)?;
    facts.count("key and value heads", config.kv_heads)?;
    facts.count("width of a head", config.head_dim)?;
    facts.cell("soft cap of attention scores", cap(config.attn_softcap))?;
    facts.cell("soft cap of logits", cap(config.final_softcap))?;
    facts.text("windows, layer by layer", windows(&config.windows))?;
    facts.text("norms", norms(&config))?;
    facts.text("positions", positions(&config))?;
    facts.text("attention and MLP", branches(&config))?;
    facts.text(
        "unembedding",
        if config.tied { "the embedding" } else { "its own matrix" },
    )?;
    contents(&mut facts, &checkpoint)?;
    facts.count("tokens in the embedding", config.vocab_size)?;
    let bos = choose_bos(&config, BosPolicy::Auto);
    let said = match &bos {
        Ok(choice) => match choice.id {
            Some(id) => format!("token {id} begins every prompt: {}", choice.reason),
            None => format!("prompts begin without one: {}", choice.reason),
        },
        Err(error) => error.to_string(),
    };
    facts.text("beginning of sequence", said)?;
    tokenizer(&mut facts, path, bos.ok().and_then(|choice| choice.id))?;
    facts.text(
        "hooks",
        format!(
            "of blocks 0 to {}: {}",
            config.layers.saturating_sub(1),
            Point::all()
                .filter(|point| point.exists(&config))
                .map(|point| point.name().to_owned())
                .collect::<Vec<_>>()
                .join(", ")
        ),
    )?;
    facts.text(
        "weights while running",
        if transformer.resident() {
            "widened to f32 in memory"
        } else {
            "mapped as stored, widened block by block in each product"
        },
    )?;
    facts.text("content hash", model_hash(path)?)?;
    facts
        .table
        .notes
        .push("The content hash is over weights and config.json, as in the records of `bench run`.".to_owned());
    let rows = read.into_iter().map(|field| {
        let (verdict, why) = match field.verdict {
            Verdict::Used => ("used", String::new()),
            Verdict::Ignored(why) => ("ignored", why.to_owned()),
        };
        (field.field, field.value, verdict, why)
    });
    let fields = fields("Fields of config.json", rows)?;
    Ok(vec![facts.table, fields, tensors(&checkpoint, true)?])
}

fn norms(config: &ModelConfig) -> String {
    let kind = match config.norm {
        Norm::Rms => "RMS",
        Norm::RmsPlusOne => "RMS times 1 + w",
        Norm::Layer => "layer norm",
    };
    let after = if config.post_norms {
        ", also after attention and MLP"
    } else {
        ""
    };
    let heads = if config.qk_norm {
        ", queries and keys of each head"
    } else {
        ""
    };
    format!("{kind}, eps {:e}{after}{heads}", config.norm_eps)
}

fn positions(config: &ModelConfig) -> String {
    if let Positions::Learned(count) = config.positions {
        return format!("{count} learned vectors");
    }
    let one = |rope: &model_runner::Rope| {
        let scaling = match rope.scaling {
            Scaling::None => String::new(),
            Scaling::Linear(factor) => format!(", angles divided by {factor}"),
            Scaling::Llama3 { factor, original, .. } => {
                format!(", long waves divided by {factor} (llama3, from {original} tokens)")
            }
        };
        format!(
            "rotary over {} of {} dimensions, base {}{scaling}",
            rope.dims, config.head_dim, rope.theta
        )
    };
    match config.ropes.as_slice() {
        [full, local] => format!("full layers: {}; sliding layers: {}", one(full), one(local)),
        ropes => ropes.iter().map(one).collect::<Vec<_>>().join("; "),
    }
}

fn branches(config: &ModelConfig) -> String {
    let order = if config.parallel {
        "side by side"
    } else {
        "one after the other"
    };
    let gate = if config.gated { "gated " } else { "" };
    let mut biases = Vec::new();
    for (has, name) in [
        (config.biases.qkv, "queries, keys, values"),
        (config.biases.o, "attention output"),
        (config.biases.mlp, "MLP"),
    ] {
        if has {
            biases.push(name);
        }
    }
    let biases = if biases.is_empty() {
        "none".to_owned()
    } else {
        biases.join(", ")
    };
    format!("{order}; {gate}{:?}; biases: {biases}", config.activation)
}

/// Runs of layers with one window: `0-1: 1 token, 2-3: all`.
fn windows(windows: &[Window]) -> String {
    let word = |window: &Window| match window {
        Window::Full => "all earlier tokens".to_owned(),
        Window::Sliding(1) => "its own token only".to_owned(),
        Window::Sliding(n) => format!("the last {n} tokens"),
    };
    let mut runs: Vec<String> = Vec::new();
    let mut start = 0;
    for run in windows.chunk_by(|a, b| a == b) {
        let end = start + run.len() - 1;
        let layers = if run.len() == 1 {
            start.to_string()
        } else {
            format!("{start}-{end}")
        };
        runs.push(format!("{layers}: {}", word(&run[0])));
        start = end + 1;
    }
    runs.join("; ")
}

fn tokenizer(facts: &mut Facts, path: &Path, bos: Option<u32>) -> anyhow::Result<()> {
    if !path.join("tokenizer.json").is_file() {
        return facts.cell(
            "tokenizer",
            Cell::Missing("there is no tokenizer.json: `bench run` cannot use this folder".to_owned()),
        );
    }
    let tokenizer = Tokenizer::open(path, bos)?;
    let words = tasks::vocabulary(&tokenizer)?;
    let letters: std::collections::BTreeSet<char> = words.words.iter().map(|word| word.letter.lower()).collect();
    facts.count("tokens of the tokenizer", words.entries)?;
    facts.text(
        "alphabetic words",
        format!("{}, with {} of 26 first letters", words.len(), letters.len()),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_are_runs_of_layers() {
        let layers = [Window::Sliding(1), Window::Sliding(1), Window::Full];
        assert_eq!(windows(&layers), "0-1: its own token only; 2: all earlier tokens");
    }
}
