//! What `bench paper` will look at: model, words, SAEs by layer. No forward pass.

use std::path::PathBuf;

use model_runner::{HookName, ModelConfig, Tokenizer, choose_bos};
use tasks::{
    AnswerTokens, IclPlan, IclRequest, Letter, PromptSet, Split, Tokenize, Vocabulary, build_prompts, draw_icl,
    vocabulary,
};

use super::args::PaperArgs;
use crate::failure;
use crate::run::Icl;
use crate::run::plan::{self, SaeInput};

/// Fewest train and test words for a letter to take part.
const FEWEST: usize = 2;

/// An autoencoder and the layer whose output it reads.
pub(crate) struct Member {
    pub(crate) input: SaeInput,
    pub(crate) layer: usize,
}

/// Everything but vectors.
pub(crate) struct Plan {
    pub(crate) model_dir: PathBuf,
    pub(crate) model_id: String,
    pub(crate) model_hash: String,
    pub(crate) tokenizer_hash: String,
    pub(crate) config: ModelConfig,
    pub(crate) tokenizer: Tokenizer,
    pub(crate) vocabulary: Vocabulary,
    /// Words of letters that take part.
    pub(crate) split: Split,
    /// A class is an index into these.
    pub(crate) letters: Vec<Letter>,
    pub(crate) answers: AnswerTokens,
    /// `"a"` to `"z"`, the last token of each.
    pub(crate) lower: [u32; 26],
    pub(crate) saes: Vec<Member>,
    /// Kind of device and number type of passes, where they are not the CPU's.
    pub(crate) device: Option<(&'static str, String)>,
    /// What the reader must know.
    pub(crate) notes: Vec<String>,
    pub(crate) failed: Vec<(String, String)>,
}

impl Plan {
    pub(crate) fn new(args: &PaperArgs) -> anyhow::Result<Self> {
        let run = args.as_run();
        let embedded = run.model.is_none();
        let model = plan::find_model(&run)?;
        let model_dir = model.path.clone();
        let config = ModelConfig::read(&model_dir.join("config.json"))?;
        let bos = choose_bos(&config, run.bos)?.id;
        let (inputs, failed) = plan::read_saes(&run, embedded, &config, bos)?;
        let (mut saes, mut notes) = (Vec::new(), Vec::new());
        for input in inputs {
            let told = input.warnings.iter();
            notes.extend(told.map(|warning| format!("{}; {}", warning.message(), warning.remedy())));
            let hook = HookName::parse(&input.spec.hook, config.layers).ok();
            let layer = args.layer.or(hook.map(|hook| hook.layer)).ok_or_else(|| {
                failure::usage(format!(
                    "`{}` does not name a layer of this model\nhint: choose one with `--layer L`",
                    input.id
                ))
            })?;
            if layer >= config.layers {
                return Err(failure::usage(format!(
                    "`--layer {layer}`: the model has {} layers, 0 to {}",
                    config.layers,
                    config.layers - 1
                )));
            }
            if let Some(trained) = hook.filter(|hook| hook.layer != layer) {
                notes.push(format!(
                    "`{}` was trained on layer {}, and is measured on layer {layer} as asked",
                    input.id, trained.layer
                ));
            }
            saes.push(Member { input, layer });
        }
        saes.sort_by_key(|member| member.layer);
        let tokenizer = Tokenizer::open(&model_dir, bos)?;
        let vocabulary = vocabulary(&tokenizer)?;
        let answers = AnswerTokens::new(&tokenizer)?;
        let mut lower = [0; 26];
        for (letter, slot) in Letter::all().zip(&mut lower) {
            let tokens = tokenizer.encode(&letter.lower().to_string())?;
            *slot = tokens.last().copied().unwrap_or_else(|| answers.id(letter));
        }
        let split = plan::split(&run, embedded, &model_dir, &vocabulary)?;
        let (train, test) = (vocabulary.by_letter(&split.train)?, vocabulary.by_letter(&split.test)?);
        let enough = |words: Option<&Vec<usize>>| words.is_some_and(|words| words.len() >= FEWEST);
        let letters: Vec<Letter> = Letter::all()
            .filter(|letter| enough(train.get(letter)) && enough(test.get(letter)))
            .collect();
        if letters.len() < Letter::COUNT {
            let absent: Vec<String> = Letter::all()
                .filter(|letter| !letters.contains(letter))
                .map(|letter| letter.to_string())
                .collect();
            notes.push(format!(
                "letters without {FEWEST} train and {FEWEST} test words take no part: {}",
                absent.join(", ")
            ));
        }
        if letters.len() < 2 {
            return Err(failure::nothing_selected(
                "fewer than two letters have train and test words\nhint: check `--held-out`",
            ));
        }
        let keep = |part: Vec<usize>| -> Vec<usize> {
            let takes_part = |&word: &usize| letters.contains(&vocabulary.words[word].letter);
            part.into_iter().filter(takes_part).collect()
        };
        let split = Split {
            train: keep(split.train),
            test: keep(split.test),
        };
        Ok(Self {
            model_id: match &model.hub {
                _ if embedded => "the embedded model".to_owned(),
                Some(_) => model.id(),
                None => plan::folder_name(&model_dir),
            },
            model_hash: plan::model_hash(&model_dir)?,
            tokenizer_hash: checkpoint::content_hash(&model_dir.join("tokenizer.json"))?,
            model_dir,
            config,
            tokenizer,
            split,
            letters,
            answers,
            lower,
            saes,
            device: args.place.key()?,
            notes,
            failed,
            vocabulary,
        })
    }

    /// Layers that have SAEs, ascending.
    pub(crate) fn layers(&self) -> Vec<usize> {
        let mut layers: Vec<usize> = self.saes.iter().map(|member| member.layer).collect();
        layers.dedup();
        layers
    }

    pub(crate) fn class_of(&self, word: usize) -> usize {
        let letter = self.vocabulary.words[word].letter;
        self.letters.iter().position(|&l| l == letter).unwrap_or_default()
    }

    /// Alphabet index of each class.
    pub(crate) fn alphabet(&self) -> Vec<usize> {
        self.letters.iter().map(|letter| letter.index()).collect()
    }

    /// One prompt for each of `words`, with ten examples from `pool`.
    pub(crate) fn prompts(
        &self,
        args: &PaperArgs,
        words: &[usize],
        pool: &[usize],
        purpose: &str,
    ) -> anyhow::Result<PromptSet> {
        let template = args.template();
        let plan = match args.icl {
            Icl::Fresh => IclPlan::Fresh { prompts_per_word: 1 },
            Icl::Shared => IclPlan::Shared {
                sets: 8,
                prompts_per_word: 1,
            },
        };
        let request = IclRequest {
            vocabulary: &self.vocabulary,
            template: &template,
            words,
            pool,
            examples: 10,
            plan,
            seed: args.seed,
            purpose,
        };
        let draw = draw_icl(&request)?;
        Ok(build_prompts(&self.tokenizer, &template, &self.vocabulary, draw)?)
    }
}
