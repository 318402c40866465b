//! `bench train sae`: autoencoders on a model's activations, one or a whole panel.

use std::path::Path;

use crate::failure;
use anyhow::Context;
use checkpoint::{Checkpoint, write};
use model_runner::{HookName, Keep, ModelConfig, Tokenizer, Transformer};
use sae::train::Rows;
use sae::{ActivationSource, Metadata, Objective, Sae, SaeError, StoredDtype, TrainConfig, evaluate};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tasks::{AnswerTokens, IclPlan, IclRequest, Template, build_prompts, draw_icl, vocabulary};

/// A panel: shared settings and its members.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Panel {
    pub(crate) layer: usize,
    /// Name that the autoencoders give as their model.
    pub(crate) model_name: String,
    pub(crate) seed: u64,
    /// Share of training rows that are words in prompts; the others are positions of the model's own text.
    pub(crate) word_share: f64,
    pub(crate) members: Vec<Member>,
}

/// One autoencoder.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Member {
    pub(crate) name: String,
    pub(crate) width: usize,
    pub(crate) objective: Objective,
    pub(crate) steps: usize,
    pub(crate) learning_rate: f32,
    pub(crate) seed: u64,
    /// Rows a step [default: 1,024].
    #[serde(default)]
    pub(crate) batch_size: Option<usize>,
}

/// Words and other positions, mixed in a fixed share.
struct Mixed<'a> {
    words: Rows<'a>,
    others: Rows<'a>,
    share: f64,
}

impl Mixed<'_> {
    /// Rows are counted in blocks of a hundred, the first of which are words.
    fn of(&self, row: usize) -> (bool, usize) {
        let words = (self.share * 100.0).round() as usize;
        let (block, at) = (row / 100, row % 100);
        if at < words {
            (true, (block * words + at) % self.words.rows())
        } else {
            (false, (block * (100 - words) + at - words) % self.others.rows())
        }
    }
}

impl ActivationSource for Mixed<'_> {
    fn rows(&self) -> usize {
        // Enough blocks that every word and every other position occurs.
        let words = self.words.rows() as f64 / self.share.max(0.01);
        let others = self.others.rows() as f64 / (1.0 - self.share).max(0.01);
        (words.max(others) / 100.0).ceil() as usize * 100
    }

    fn width(&self) -> usize {
        self.words.width()
    }

    fn read(&self, rows: &[usize], out: &mut [f32]) -> Result<(), SaeError> {
        for (&row, out) in rows.iter().zip(out.chunks_exact_mut(self.width())) {
            let (word, index) = self.of(row);
            if word {
                self.words.read(&[index], out)?;
            } else {
                self.others.read(&[index], out)?;
            }
        }
        Ok(())
    }
}

/// Trains the members of `panel` whose name contains `only` (all when `None`) and writes them to `out`.
pub(crate) fn train(
    model_dir: &Path,
    panel: &Path,
    only: Option<&str>,
    out: &Path,
    say: &mut dyn FnMut(&str),
) -> anyhow::Result<()> {
    let settings: Panel = checkpoint::read_json(panel)?;
    let model = Transformer::open(model_dir)?;
    let config = model.config().clone();
    if settings.layer >= config.layers {
        let reason = format!(
            "field `layer` is {}, the model has {} layers",
            settings.layer, config.layers
        );
        return Err(failure::input(format!("`{}`: {reason}", panel.display())));
    }
    let hook = HookName::resid_post(settings.layer).to_string();
    let words = word_rows(&model, model_dir, &config, settings.layer, settings.seed)?;
    let others = text_rows(&model, model_dir, settings.layer)?;
    let d = config.hidden_size;
    say(&format!(
        "{} word rows, {} other rows at `{hook}`",
        words.len() / d,
        others.len() / d
    ));
    let source = Mixed {
        words: Rows::new(&words, d),
        others: Rows::new(&others, d),
        share: settings.word_share,
    };
    let members = settings
        .members
        .iter()
        .filter(|m| only.is_none_or(|name| m.name.contains(name)));
    let mut trained = 0;
    for member in members {
        let mut config = TrainConfig::new(member.width, member.objective.clone(), member.steps);
        config.learning_rate = member.learning_rate;
        if let Some(batch) = member.batch_size {
            config.batch_size = batch;
        }
        config.held_out_rows = 1024;
        config.metadata = Metadata::new()
            .with("model_name", settings.model_name.as_str())
            .with("hook_name", hook.as_str())
            .with("prepend_bos", true)
            .with("seed", member.seed);
        let (sae, report) =
            sae::train(&config, &source, member.seed).with_context(|| format!("training `{}`", member.name))?;
        let folder = out.join(&member.name);
        sae.save(&folder, StoredDtype::Bf16)?;
        // What is shipped is measured: the file, read back.
        let shipped = Sae::open(&folder)?;
        let on_words = evaluate(&shipped, &words);
        let log = json!({"member": member, "report": report, "on_words": {
            "l0": on_words.l0, "explained_variance": on_words.explained_variance, "dead_share": on_words.dead_share,
        }});
        write::atomic(&folder.join("train_log.json"), &serde_json::to_vec_pretty(&log)?)?;
        say(&format!(
            "{:<22} L0 {:>5.1}  EV {:.3}  dead {:.3}  {:.0} s",
            member.name, on_words.l0, on_words.explained_variance, on_words.dead_share, report.seconds
        ));
        trained += 1;
    }
    if trained == 0 {
        let name = only.unwrap_or_default();
        return Err(failure::nothing_selected(format!(
            "no member of `{}` has a name with `{name}`",
            panel.display()
        )));
    }
    Ok(())
}

/// The stream at every vocabulary word in a ten-example prompt, `[words, d_model]`.
fn word_rows(
    model: &Transformer,
    dir: &Path,
    config: &ModelConfig,
    layer: usize,
    seed: u64,
) -> anyhow::Result<Vec<f32>> {
    let tokenizer = Tokenizer::open(dir, config.bos_token_id)?;
    let vocabulary = vocabulary(&tokenizer)?;
    let template = Template::verbose();
    let words = vocabulary.indices();
    let request = IclRequest {
        vocabulary: &vocabulary,
        template: &template,
        words: &words,
        pool: &words,
        examples: 10,
        plan: IclPlan::Shared {
            sets: 8,
            prompts_per_word: 1,
        },
        seed,
        purpose: "sae/activations",
    };
    let prompts = build_prompts(&tokenizer, &template, &vocabulary, draw_icl(&request)?)?;
    let items = prompts.prompts.iter().map(|p| ablation::Item {
        set: p.icl,
        suffix: prompts.suffix(p).to_vec(),
    });
    let answers = AnswerTokens::new(&tokenizer)?;
    let stage = ablation::Stage::new(model, &prompts.prefixes, items.collect(), answers.ids())?;
    let all: Vec<usize> = (0..stage.items().len()).collect();
    Ok(stage.site_vectors(layer, &all)?)
}

/// The stream at every position of the model's sampled text but the first, `[positions, d_model]`.
fn text_rows(model: &Transformer, dir: &Path, layer: usize) -> anyhow::Result<Vec<f32>> {
    let file = Checkpoint::open(&dir.join("sampled_ids.safetensors"))
        .context("the activations mix needs the model's sampled text")?;
    let view = file.get("ids")?;
    let length = view.shape.get(1).copied().unwrap_or(1);
    let ids: Vec<u32> = view.to_i64()?.into_iter().map(|id| id as u32).collect();
    let d = model.config().hidden_size;
    let mut rows = Vec::new();
    for document in ids.chunks_exact(length) {
        let x = model.run(model.embed(document, 1, 0)?, 1, 0..layer + 1, None, Keep::All)?;
        rows.extend_from_slice(&x[d..]);
    }
    Ok(rows)
}
