//! `bench inspect`: what a checkpoint is, without running it.
//!
//! A folder is a model or an autoencoder by the files that it holds; a file is a list of tensors.
//! For an autoencoder every field of its `cfg.json` is listed with what becomes of it, because a
//! field that is silently dropped gives latents that look right and are not.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use checkpoint::{Checkpoint, CheckpointError};
use clap::Args;
use model_runner::{ModelConfig, Tokenizer, Transformer, Window};
use report::{Cell, Column, Format, Table};
use sae::{Architecture, Sae};
use serde_json::Value;

use crate::run::plan::model_hash;
use crate::{failure, print_tables};

/// Farthest that a decoder norm may be from 1 to count as 1: bfloat16 keeps 8 significant bits, so
/// rounding moves each entry, and with it the norm, by at most a relative 2^-8.
const UNIT: f32 = 1.0 / 256.0;

/// Show what a model or autoencoder checkpoint is.
#[derive(Args, Debug)]
pub(crate) struct InspectArgs {
    /// Model folder, autoencoder folder or safetensors file.
    #[arg(value_name = "PATH")]
    path: PathBuf,
    /// Format of the tables on stdout: term, md, csv, latex or json.
    #[arg(long, default_value = "term")]
    format: Format,
}

/// Inspects. Returns the exit code.
pub(crate) fn inspect(args: &InspectArgs) -> anyhow::Result<u8> {
    let path = &args.path;
    let has = |name: &str| path.join(name).is_file();
    let tables = if path.is_file() {
        match path.file_name().and_then(|name| name.to_str()) {
            Some(name @ ("config.json" | "cfg.json")) => {
                return Err(failure::input(format!(
                    "`{}` is one file of a checkpoint\nhint: name the folder that holds `{name}`",
                    path.display()
                )));
            }
            _ => vec![file(path)?, tensors(&Checkpoint::open(path)?, false)?],
        }
    } else if !path.exists() {
        return Err(failure::input(format!(
            "there is nothing at `{}`\nhint: name a model folder, an SAE folder or a safetensors file; `bench ls models` and `bench ls saes` show what is shipped",
            path.display()
        )));
    } else if has("cfg.json") || has("sae_weights.safetensors") {
        autoencoder(path)?
    } else if has("config.json") || has("model.safetensors") || has("model.safetensors.index.json") {
        model(path)?
    } else {
        return Err(failure::input(format!(
            "`{}` is no checkpoint folder: it holds neither `config.json` (a model) nor `cfg.json` (an SAE)\nhint: {}",
            path.display(),
            inside(path)?
        )));
    };
    print_tables(&tables, args.format)?;
    Ok(failure::DONE)
}

/// What a folder that is no checkpoint holds instead.
fn inside(folder: &Path) -> anyhow::Result<String> {
    let mut checkpoints = Vec::new();
    for entry in fs_err::read_dir(folder)? {
        let path = entry?.path();
        let file = path.extension().is_some_and(|e| e == "safetensors");
        if file || path.join("cfg.json").is_file() || path.join("config.json").is_file() {
            checkpoints.push(format!("`{}`", path.display()));
        }
    }
    checkpoints.sort();
    let more = if checkpoints.len() > 5 { ", ..." } else { "" };
    checkpoints.truncate(5);
    Ok(if checkpoints.is_empty() {
        "name the folder that holds the weights".to_owned()
    } else {
        format!("inside it are {}{more}", checkpoints.join(", "))
    })
}

/// A table of one fact a row.
struct Facts {
    table: Table,
}

impl Facts {
    fn new(title: String) -> Self {
        Self {
            table: Table::new(title, vec![Column::text("what"), Column::text("value")]),
        }
    }

    fn cell(&mut self, what: &str, value: Cell) -> anyhow::Result<()> {
        Ok(self.table.push(vec![Cell::text(what), value])?)
    }

    fn text(&mut self, what: &str, value: impl Into<String>) -> anyhow::Result<()> {
        self.cell(what, Cell::text(value))
    }

    fn count(&mut self, what: &str, n: usize) -> anyhow::Result<()> {
        self.cell(what, Cell::count(n as u64))
    }
}

fn file(path: &Path) -> anyhow::Result<Table> {
    let checkpoint = Checkpoint::open(path)?;
    let mut facts = Facts::new(format!("Safetensors file `{}`", path.display()));
    contents(&mut facts, &checkpoint)?;
    facts.text("hash of the file", checkpoint::content_hash(path)?)?;
    for (key, value) in checkpoint.metadata() {
        facts.text(&format!("metadata: {key}"), value.as_str())?;
    }
    Ok(facts.table)
}

/// Tensors, elements, types and bytes.
fn contents(facts: &mut Facts, checkpoint: &Checkpoint) -> anyhow::Result<()> {
    let (mut elements, mut types) = (0, BTreeMap::<String, usize>::new());
    for name in checkpoint.names() {
        match checkpoint.get(name) {
            Ok(view) => {
                elements += view.elements();
                *types.entry(view.dtype.to_string()).or_default() += 1;
            }
            Err(CheckpointError::Dtype { found, .. }) => *types.entry(found).or_default() += 1,
            Err(other) => return Err(other.into()),
        }
    }
    let types: Vec<String> = if types.len() == 1 {
        types.into_keys().collect()
    } else {
        types.into_iter().map(|(t, n)| format!("{t} ({n})")).collect()
    };
    facts.count("tensors", checkpoint.names().len())?;
    facts.count("parameters", elements)?;
    facts.text(
        "stored as",
        if types.is_empty() {
            "nothing".to_owned()
        } else {
            types.join(", ")
        },
    )?;
    facts.cell("bytes", Cell::count(checkpoint.total_bytes()))
}

/// Every tensor, or with `group` one row for those that differ in their layer only.
fn tensors(checkpoint: &Checkpoint, group: bool) -> anyhow::Result<Table> {
    let mut rows: BTreeMap<(String, String, String), usize> = BTreeMap::new();
    for name in checkpoint.names() {
        let (dtype, shape) = match checkpoint.get(name) {
            Ok(view) => (view.dtype.to_string(), format!("{:?}", view.shape)),
            Err(CheckpointError::Dtype { found, .. }) => {
                (format!("{found} (not read by this program)"), "unknown".to_owned())
            }
            Err(other) => return Err(other.into()),
        };
        let parts = name.split('.').map(|part| {
            if group && part.parse::<u32>().is_ok() {
                "*"
            } else {
                part
            }
        });
        *rows
            .entry((parts.collect::<Vec<_>>().join("."), dtype, shape))
            .or_default() += 1;
    }
    let mut columns = vec![Column::text("tensor"), Column::text("dtype"), Column::text("shape")];
    if group {
        columns.push(Column::number("count").with_help("tensors of that name, one a layer where it has a `*`"));
    }
    let mut table = Table::new("Tensors", columns);
    for ((name, dtype, shape), count) in rows {
        let mut row = vec![Cell::text(name), Cell::text(dtype), Cell::text(shape)];
        if group {
            row.push(Cell::count(count as u64));
        }
        table.push(row)?;
    }
    Ok(table)
}

fn model(path: &Path) -> anyhow::Result<Vec<Table>> {
    let config = ModelConfig::read(&path.join("config.json"))?;
    let checkpoint = Checkpoint::open(path)?;
    // Refuses a tensor that is missing or has another shape than the configuration says.
    Transformer::open(path)?;
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
    contents(&mut facts, &checkpoint)?;
    facts.count("tokens in the embedding", config.vocab_size)?;
    tokenizer(&mut facts, path, config.bos_token_id)?;
    facts.text(
        "hooks",
        format!(
            "blocks.0.hook_resid_post to blocks.{}.hook_resid_post",
            config.layers.saturating_sub(1)
        ),
    )?;
    facts.text("content hash", model_hash(path)?)?;
    facts
        .table
        .notes
        .push("The content hash is over weights and config.json, as in the records of `bench run`.".to_owned());
    Ok(vec![facts.table, tensors(&checkpoint, true)?])
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

fn autoencoder(path: &Path) -> anyhow::Result<Vec<Table>> {
    // Refuses every field and tensor that it would not apply.
    let sae = Sae::open(path)?;
    let config = sae.config();
    let metadata = &config.metadata;
    let unknown = |what: &str| Cell::Missing(format!("cfg.json does not say {what}"));
    let mut facts = Facts::new(format!("Sparse autoencoder `{}`", path.display()));
    let computes = match config.architecture {
        Architecture::Standard => "standard: relu".to_owned(),
        Architecture::JumpRelu => "jumprelu: above a threshold of its own, per latent".to_owned(),
        Architecture::TopK {
            k,
            rescale_acts_by_decoder_norm: false,
        } => format!("topk: the {k} largest"),
        Architecture::TopK { k, .. } => format!("topk: the {k} largest after multiplying with decoder norms"),
        Architecture::AbsTopK { k, .. } => format!("abstopk: the {k} of largest magnitude, with their sign"),
        Architecture::Gated => "gated: a magnitude where a gate of its own is open, per latent".to_owned(),
        Architecture::GroupMax { groups } => format!("groupmax: the largest of each of {groups} groups"),
    };
    facts.text("architecture", computes)?;
    facts.cell(
        "trained as",
        metadata
            .training_architecture()
            .map_or_else(|| unknown("how it was trained"), Cell::text),
    )?;
    let version = metadata.get("sae_lens_version").and_then(Value::as_str).unwrap_or("6");
    facts.text(
        "format",
        format!("SAELens {version}: cfg.json and sae_weights.safetensors"),
    )?;
    facts.count("d_in", config.d_in)?;
    facts.count("d_sae", config.d_sae)?;
    facts.cell(
        "hook",
        metadata.hook_name().map_or_else(|| unknown("its hook"), Cell::text),
    )?;
    facts.cell(
        "model",
        metadata.model_name().map_or_else(|| unknown("its model"), Cell::text),
    )?;
    let declared = match (config.architecture, metadata.k()) {
        (Architecture::TopK { k, .. }, _) => Cell::text(format!("{k}, at most, by construction")),
        (_, Some(k)) => Cell::text(format!("{k}, the target of training")),
        (_, None) => unknown("how many latents are active"),
    };
    facts.cell("declared L0", declared)?;
    let log = checkpoint::read_json_value(&path.join("train_log.json")).ok();
    let measured = log.as_ref().and_then(|log| log.get("on_words")?.get("l0")?.as_f64());
    facts.cell(
        "measured L0",
        measured.map_or_else(
            || Cell::Missing("there is no train_log.json with it; `bench run` measures it".to_owned()),
            |value| Cell::text(format!("{value:.1} on vocabulary words, by its train_log.json")),
        ),
    )?;
    let thresholds = sae
        .thresholds()
        .map_or_else(|| "none".to_owned(), |values| format!("yes, {}", range(values)));
    facts.text("thresholds", thresholds)?;
    let norms = sae.decoder_norms();
    facts.text("decoder norms", range(&norms))?;
    let off = norms.iter().filter(|&&norm| (norm - 1.0).abs() > UNIT).count();
    let fold = match (off, sae.fold_decoder_norms()) {
        (0, _) => "yes".to_owned(),
        (_, Ok(_)) => format!(
            "no, {off} of {}; norms are folded into the latents before use",
            norms.len()
        ),
        (_, Err(_)) => format!(
            "no, {off} of {}; they cannot be folded under plain top-k, so activations of its latents are not comparable",
            norms.len()
        ),
    };
    facts.text("unit decoder rows", fold)?;
    let weights = path.join("sae_weights.safetensors");
    let checkpoint = Checkpoint::open(&weights)?;
    contents(&mut facts, &checkpoint)?;
    facts.text("content hash", sae.content_hash())?;
    facts
        .table
        .notes
        .push("The content hash is over both files: `b3sum sae_weights.safetensors cfg.json | b3sum`.".to_owned());
    Ok(vec![
        facts.table,
        tensors(&checkpoint, false)?,
        fields(&path.join("cfg.json"), config.architecture)?,
    ])
}

fn range(values: &[f32]) -> String {
    let lowest = values.iter().copied().fold(f32::INFINITY, f32::min);
    let highest = values.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let mean = values.iter().map(|&v| f64::from(v)).sum::<f64>() / values.len().max(1) as f64;
    format!("{lowest:.4} to {highest:.4}, mean {mean:.4}")
}

/// What becomes of every field of a configuration that [`Sae::open`] has accepted.
fn fields(cfg: &Path, architecture: Architecture) -> anyhow::Result<Table> {
    let columns = vec![
        Column::text("field"),
        Column::text("value"),
        Column::text("use"),
        Column::text("why"),
    ];
    let mut table = Table::new("Fields of cfg.json", columns);
    let value = checkpoint::read_json_value(cfg)?;
    let mut stack: Vec<(String, &Value)> = vec![(String::new(), &value)];
    while let Some((path, value)) = stack.pop() {
        match value {
            Value::Object(map) if path.is_empty() || !map.is_empty() => {
                let inner = map.iter().rev().map(|(name, value)| {
                    let path = if path.is_empty() {
                        name.clone()
                    } else {
                        format!("{path}.{name}")
                    };
                    (path, value)
                });
                stack.extend(inner);
            }
            _ => {
                let (used, why) = use_of(&path, value, architecture);
                let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                table.push(vec![
                    Cell::text(path),
                    Cell::text(text),
                    Cell::text(used),
                    Cell::text(why),
                ])?;
            }
        }
    }
    table.notes.push("used: changes what is computed. checked: any other value is refused. ignored: changes no number. provenance: kept, not acted on.".to_owned());
    Ok(table)
}

/// Use and reason of one field, as `crates/sae/src/cfg_json.rs` treats it.
fn use_of(path: &str, value: &Value, architecture: Architecture) -> (&'static str, &'static str) {
    if path.starts_with("metadata.model_from_pretrained_kwargs") {
        return (
            "checked",
            "models are used as stored, so nothing may be switched on here",
        );
    }
    let top_k = matches!(architecture, Architecture::TopK { .. });
    match path {
        "d_in" | "d_sae" => ("used", "shape of the weights"),
        "architecture" => ("used", "how pre-activations become latents"),
        "k" if top_k => ("used", "latents kept per row"),
        "rescale_acts_by_decoder_norm" if top_k => ("used", "whether decoder norms scale what is compared"),
        "k" | "rescale_acts_by_decoder_norm" => ("checked", "it has no meaning for this architecture"),
        "apply_b_dec_to_input" => ("used", "whether the decoder bias is subtracted before encoding"),
        "normalize_activations" => (
            "used",
            "what happens to a vector before encoding, and back after decoding",
        ),
        "d_out" => ("checked", "it must equal `d_in`"),
        "dtype" => (
            "checked",
            "it must be a float type; the tensors' own types are what is read",
        ),
        "reshape_activations" => ("checked", "only `none` can be used"),
        "device" => ("ignored", "where the weights were when they were saved"),
        "metadata.hook_name" => ("used", "the layer that `bench run` edits unless `--layer` names one"),
        "metadata.sae_lens_version" => ("checked", "the layout before version 6 has other defaults"),
        "metadata.hook_head_index" => ("checked", "autoencoders of one head cannot be used"),
        "metadata.hook_name_out" => ("checked", "it must equal `hook_name`"),
        "metadata.training_architecture" => ("provenance", "the name of its architecture in records and tables"),
        "metadata.model_name" => ("provenance", "the model's own files decide"),
        "metadata.training_architecture_details.k" | "metadata.k" => ("provenance", "the declared L0"),
        _ if value.is_null() => ("provenance", "it says nothing"),
        _ => ("provenance", "how it was trained"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_are_runs_of_layers() {
        let layers = [Window::Sliding(1), Window::Sliding(1), Window::Full];
        assert_eq!(windows(&layers), "0-1: its own token only; 2: all earlier tokens");
    }

    #[test]
    fn every_field_has_one_use() {
        let top_k = Architecture::TopK {
            k: 8,
            rescale_acts_by_decoder_norm: false,
        };
        assert_eq!(use_of("k", &Value::Null, top_k).0, "used");
        assert_eq!(use_of("k", &Value::Null, Architecture::Standard).0, "checked");
        assert_eq!(use_of("device", &Value::Null, top_k).0, "ignored");
        assert_eq!(use_of("metadata.context_size", &Value::Null, top_k).0, "provenance");
    }
}
