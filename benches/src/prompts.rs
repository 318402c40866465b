//! Real words and prompts for a model folder.

use std::path::{Path, PathBuf};

use ablation::Item;
use anyhow::Context;
use model_runner::{ModelConfig, Tokenizer};
use rand::seq::SliceRandom;
use tasks::{AnswerTokens, IclPlan, IclRequest, PromptSet, Template, build_prompts, draw_icl, vocabulary};

/// In-context examples per prompt, as in the paper.
const EXAMPLES: usize = 10;

/// The folder of the shipped model.
#[must_use]
pub fn embedded_model() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../datasets/embedded/model")
}

/// First-letter prompts and the answers to them.
pub struct Prompts {
    /// The prompts.
    pub set: PromptSet,
    /// The 26 answer tokens.
    pub answers: AnswerTokens,
}

impl Prompts {
    /// Prompts for `words` words of the model's vocabulary (all when `None`), drawn by seed 0.
    ///
    /// # Errors
    /// The folder has no tokenizer or configuration, or the tokenizer has too few words.
    pub fn new(model: &Path, plan: IclPlan, words: Option<usize>) -> anyhow::Result<Self> {
        let config = ModelConfig::read(&model.join("config.json"))?;
        let tokenizer = Tokenizer::open(model, config.bos_token_id)
            .with_context(|| format!("`{}` is no model folder", model.display()))?;
        let vocabulary = vocabulary(&tokenizer)?;
        let pool = vocabulary.indices();
        let mut asked = pool.clone();
        if let Some(words) = words {
            asked.shuffle(&mut stats::seed::rng(0, "benches/words"));
            asked.truncate(words);
            asked.sort_unstable();
        }
        let template = Template::verbose();
        let request = IclRequest {
            vocabulary: &vocabulary,
            template: &template,
            words: &asked,
            pool: &pool,
            examples: EXAMPLES,
            plan,
            seed: 0,
            purpose: "benches",
        };
        let set = build_prompts(&tokenizer, &template, &vocabulary, draw_icl(&request)?)?;
        Ok(Self {
            set,
            answers: AnswerTokens::new(&tokenizer)?,
        })
    }

    /// The prompts as a [`ablation::Stage`] wants them.
    #[must_use]
    pub fn items(&self) -> Vec<Item> {
        let prompts = self.set.prompts.iter();
        prompts
            .map(|prompt| Item {
                set: prompt.icl,
                suffix: self.set.suffix(prompt).to_vec(),
            })
            .collect()
    }

    /// Mean number of tokens before the query word.
    #[must_use]
    pub fn mean_prefix(&self) -> f64 {
        let total: usize = self.set.prompts.iter().map(|prompt| prompt.prefix_len).sum();
        total as f64 / self.set.prompts.len() as f64
    }
}
