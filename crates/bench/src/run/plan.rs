//! From arguments to prompts and specs: everything that needs no forward pass.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::Context;
use checkpoint::hub::Resolved;
use model_runner::{HookName, ModelConfig, Point, Tokenizer, choose_bos};
use rand::seq::SliceRandom;
use sae::Sae;
use stats::seed::rng;
use store::{ModelSpec, SaeSpec, SiteSpec, Spec, Warning};
use tasks::{
    AnswerTokens, DropReason, IclPlan, IclRequest, Letter, OffTargetRequest, PartnerRequest, PromptSet,
    SelectionRequest, Split, Template, Vocabulary, build_prompts, draw_icl, off_target, parse_letters, partners,
    select_words, vocabulary,
};

use super::args::{Icl, RunArgs, Source};
use super::side::{self, SidePlan};
use crate::cache::Place;
use crate::{embedded, failure, locate};

/// Version of the formulas; raised when one changes.
const METRIC_VERSION: u32 = 1;

/// Fewest test words for a letter to take part.
const FEWEST_WORDS: usize = 2;

/// Largest share of words that the tokenizer may split inside the prompt.
const MOST_SPLIT: f64 = 0.9;

/// One autoencoder of a run.
#[derive(Clone)]
pub(crate) struct SaeInput {
    pub(crate) id: String,
    pub(crate) path: PathBuf,
    pub(crate) spec: SaeSpec,
    /// What its files leave open or were found to be, for its record.
    pub(crate) warnings: Vec<Warning>,
    /// Active latents per row that the files promise.
    pub(crate) declared_l0: Option<f64>,
}

/// What will be run.
pub(crate) struct Plan {
    pub(crate) model_dir: PathBuf,
    pub(crate) layer: usize,
    pub(crate) hook: String,
    pub(crate) vocabulary: Vocabulary,
    pub(crate) answers: AnswerTokens,
    /// Letters that take part, in order; a class is an index into them.
    pub(crate) letters: Vec<Letter>,
    pub(crate) train: PromptSet,
    pub(crate) test: PromptSet,
    /// Vocabulary indices, by class.
    pub(crate) select_words: Vec<Vec<usize>>,
    /// Vocabulary indices, by class.
    pub(crate) test_words: Vec<Vec<usize>>,
    /// Vocabulary indices of other letters' words, by class.
    pub(crate) off_target: Vec<Vec<usize>>,
    /// For each test word the word that replaces it in patching: another letter, the same case
    /// and leading space where there is one.
    pub(crate) partner_of: BTreeMap<usize, usize>,
    pub(crate) warnings: Vec<Warning>,
    /// Where site vectors are kept for later runs.
    pub(crate) cache: Option<Place>,
    /// Seed with which half of the train words are drawn, if they are.
    pub(crate) resample: Option<u64>,
    /// Text and other questions, where every arm is measured.
    pub(crate) side: Option<SidePlan>,
    /// Spec of the unit without an SAE.
    pub(crate) directions: Spec,
    pub(crate) saes: Vec<SaeInput>,
    /// Whether every arm is measured.
    full: bool,
    /// SAEs that could not be read, with the reason.
    pub(crate) unreadable: Vec<(String, String)>,
}

impl Plan {
    /// Reads configuration, tokenizer and SAE headers and draws all words and prompts.
    pub(crate) fn new(args: &RunArgs) -> anyhow::Result<Self> {
        let embedded_model = args.model.is_none();
        let model = find_model(args)?;
        let model_dir = model.path.clone();
        let config = ModelConfig::read(&model_dir.join("config.json"))?;
        let bos = choose_bos(&config, args.bos)?.id;
        let (saes, unreadable) = read_saes(args, embedded_model, &config, bos)?;
        let layer = choose_layer(args, embedded_model, &config, &saes)?;
        let hook = HookName::resid_post(layer).to_string();
        let tokenizer = Tokenizer::open(&model_dir, bos)?;
        let vocabulary = vocabulary(&tokenizer)?;
        let answers = AnswerTokens::new(&tokenizer)?;
        let split = split(args, embedded_model, &model_dir, &vocabulary)?;
        let mut warnings = Vec::new();
        if !answers.warnings.is_empty() {
            let letters = answers.warnings.iter().map(|w| w.letter.lower()).collect();
            warnings.push(Warning::AnswersOfSeveralTokens { letters });
        }

        let mut draw = Draw {
            args,
            vocabulary: &vocabulary,
            tokenizer: &tokenizer,
            warnings: &mut warnings,
        };
        let mut train_part = split.train.clone();
        train_part.shuffle(&mut rng(args.seed_of(Source::Train), "run/probe-words"));
        train_part.truncate(args.probe_words);
        train_part.sort_unstable();
        let train = draw.prompts(&train_part, &split.train, "train")?;
        let test = draw.prompts(&split.test, &split.test, "test")?;
        let (letters, test_words) = draw.select(&test, args.test_cap(), args.letters.as_deref(), Source::Words)?;
        let (select_letters, select_words) =
            draw.select(&train, args.select_cap(), args.letters.as_deref(), Source::Train)?;
        let by_letter: BTreeMap<Letter, Vec<usize>> = select_letters.into_iter().zip(select_words).collect();
        let (letters, test_words): (Vec<Letter>, Vec<Vec<usize>>) = letters
            .into_iter()
            .zip(test_words)
            .filter(|(letter, _)| by_letter.contains_key(letter))
            .unzip();
        let select_words = letters.iter().map(|letter| by_letter[letter].clone()).collect();
        let pool: Vec<usize> = test_words.iter().flatten().copied().collect();
        let (off_target, partner_of) = others(args, &vocabulary, &pool, &letters)?;
        if let Some(limit) = args.limit.filter(|&limit| limit < args.words.max(args.select_words)) {
            warnings.push(Warning::LimitedRun {
                used: limit as u64,
                available: args.words as u64,
            });
        }

        let drawn = Drawn {
            bos,
            vocabulary: &vocabulary,
            split: &split,
            train: &train,
            test: &test,
            letters: &letters,
        };
        let mut directions = directions_spec(args, &config, &model, &hook, &drawn)?;
        let drawn = side::Drawn {
            model: (&model_dir, &config),
            tokenizer: &tokenizer,
            bos,
            vocabulary: &vocabulary,
            test: &test,
            words: &pool,
        };
        let side = SidePlan::new(args, &drawn, &mut warnings)?;
        directions.settings.extend(side.iter().flat_map(SidePlan::settings));
        Ok(Self {
            model_dir,
            layer,
            hook,
            vocabulary,
            answers,
            letters,
            train,
            test,
            select_words,
            test_words,
            off_target,
            partner_of,
            warnings,
            cache: Place::new(args.cache.as_deref(), args.cache_size),
            resample: args.redrawn(Source::Train),
            side,
            directions,
            saes,
            full: args.full(),
            unreadable,
        })
    }

    /// Spec of the unit of one SAE.
    pub(crate) fn sae_spec(&self, sae: &SaeInput) -> Spec {
        Spec {
            sae: Some(sae.spec.clone()),
            arms: super::unit::sae_arm_names(self.full),
            ..self.directions.clone()
        }
    }

    /// Class of a vocabulary word, if its letter takes part.
    pub(crate) fn class_of(&self, word: usize) -> Option<usize> {
        let letter = self.vocabulary.words[word].letter;
        self.letters.iter().position(|&l| l == letter)
    }
}

/// Words of other letters: those on which damage is measured, by class, and each word's partner in patching.
type Others = (Vec<Vec<usize>>, BTreeMap<usize, usize>);

fn others(args: &RunArgs, vocabulary: &Vocabulary, pool: &[usize], letters: &[Letter]) -> anyhow::Result<Others> {
    let request = OffTargetRequest {
        vocabulary,
        pool,
        letters,
        per_letter: args.off_target,
        seed: args.seed_of(Source::Words),
    };
    let off = off_target(&request)?.into_iter().map(|off| off.words).collect();
    let request = PartnerRequest {
        vocabulary,
        words: pool,
        pool,
        seed: args.seed_of(Source::Prompts),
    };
    let partners = partners(&request)?.into_iter().map(|p| (p.word, p.partner)).collect();
    Ok((off, partners))
}

/// What was drawn, as far as it is part of a unit's identity.
struct Drawn<'a> {
    bos: Option<u32>,
    vocabulary: &'a Vocabulary,
    split: &'a Split,
    train: &'a PromptSet,
    test: &'a PromptSet,
    letters: &'a [Letter],
}

/// Spec of the unit of all arms that need no SAE.
fn directions_spec(
    args: &RunArgs,
    config: &ModelConfig,
    model: &Resolved,
    hook: &str,
    drawn: &Drawn<'_>,
) -> anyhow::Result<Spec> {
    let names = |indices: &[usize]| {
        indices
            .iter()
            .map(|&i| drawn.vocabulary.words[i].text.as_str())
            .collect::<Vec<_>>()
            .join("\n")
    };
    let words_hash =
        store::Blake3::of(format!("{}\n\n{}", names(&drawn.split.train), names(&drawn.split.test)).as_bytes());
    let prompts_hash = store::Blake3::of(format!("{}{}", drawn.train.hash(), drawn.test.hash()).as_bytes());
    let id = match &model.hub {
        _ if args.model.is_none() => "embedded".to_owned(),
        Some(_) => model.id(),
        None => folder_name(&model.path),
    };
    let mut settings = args.settings();
    // Which token, not which policy: two families may read `auto` differently.
    settings.insert("bos".to_owned(), drawn.bos.map_or_else(|| "none".into(), Into::into));
    Ok(Spec {
        task: "first-letter".to_owned(),
        metric_version: METRIC_VERSION,
        model: ModelSpec {
            id,
            family: config.family.clone(),
            hash: model_hash(&model.path)?,
            tokenizer_hash: checkpoint::content_hash(&model.path.join("tokenizer.json"))?,
            revision: model.hub.as_ref().map(|hub| hub.commit.clone()),
        },
        site: SiteSpec { hook: hook.to_owned() },
        sae: None,
        arms: super::unit::direction_arm_names(args.full()),
        letters: drawn.letters.iter().map(|letter| letter.lower()).collect(),
        words_hash: words_hash.to_string(),
        prompts_hash: prompts_hash.to_string(),
        seed: args.seed,
        dtype: args.place.dtype.clone(),
        device: args.place.kind()?.to_owned(),
        // A cap that cuts nothing is none.
        limit: args
            .limit
            .filter(|&limit| limit < args.words.max(args.select_words))
            .map(|limit| limit as u64),
        settings,
    })
}

/// The model's folder; refuses settings that no model can run with.
pub(crate) fn find_model(args: &RunArgs) -> anyhow::Result<Resolved> {
    args.place.open()?;
    match &args.model {
        Some(text) => locate::model(text, true),
        None => Ok(Resolved {
            path: embedded::folder()?.join("model"),
            hub: None,
        }),
    }
}

/// Draws of words and prompts.
struct Draw<'a> {
    args: &'a RunArgs,
    vocabulary: &'a Vocabulary,
    tokenizer: &'a Tokenizer,
    warnings: &'a mut Vec<Warning>,
}

impl Draw<'_> {
    fn prompts(&mut self, words: &[usize], pool: &[usize], purpose: &str) -> anyhow::Result<PromptSet> {
        let template = Template::verbose();
        let plan = match self.args.icl {
            Icl::Shared => IclPlan::Shared {
                sets: self.args.icl_sets,
                prompts_per_word: 1,
            },
            Icl::Fresh => IclPlan::Fresh { prompts_per_word: 1 },
        };
        let request = IclRequest {
            vocabulary: self.vocabulary,
            template: &template,
            words,
            pool,
            examples: self.args.examples,
            plan,
            seed: self.args.seed_of(Source::Prompts),
            purpose,
        };
        let set = build_prompts(self.tokenizer, &template, self.vocabulary, draw_icl(&request)?)?;
        let split = set
            .report
            .dropped
            .iter()
            .filter(|d| matches!(d.reason, DropReason::Split { .. }))
            .count();
        if split as f64 > MOST_SPLIT * set.report.words as f64 {
            return Err(failure::input(format!(
                "`tokenizer.json` splits {split} of {} words inside the prompt, for example `{}`\nhint: the benchmark needs words that are one token each; check that the file belongs to this model",
                set.report.words, set.report.dropped[0].text
            )));
        }
        if let Some(first) = set.report.dropped.first() {
            self.warnings.push(Warning::DroppedWords {
                dropped: set.report.dropped.len() as u64,
                total: set.report.words as u64,
                reason: format!(
                    "for example `{}` in the {purpose} prompts: {:?}",
                    first.text, first.reason
                ),
            });
        }
        Ok(set)
    }

    fn select(
        &mut self,
        prompts: &PromptSet,
        cap: usize,
        letters: Option<&str>,
        source: Source,
    ) -> anyhow::Result<(Vec<Letter>, Vec<Vec<usize>>)> {
        let purpose = if source == Source::Train { "select" } else { "test" };
        let part: Vec<usize> = prompts.prompts.iter().map(|prompt| prompt.word).collect();
        let asked = letters.map(parse_letters).transpose()?;
        let request = SelectionRequest {
            vocabulary: self.vocabulary,
            part: &part,
            per_letter: cap,
            minimum: FEWEST_WORDS,
            letters: asked.as_deref(),
            seed: self.args.seed_of(source),
            purpose,
        };
        let selection = select_words(&request)?;
        if !selection.dropped.is_empty() {
            let letters = selection.dropped.iter().map(|d| d.letter.lower()).collect();
            self.warnings.push(Warning::NoWordsForLetter { letters });
        }
        Ok(selection.letters.into_iter().unzip())
    }
}

pub(crate) fn split(
    args: &RunArgs,
    embedded_model: bool,
    model_dir: &Path,
    vocabulary: &Vocabulary,
) -> anyhow::Result<Split> {
    let shipped = model_dir.join("held_out_words.json");
    let file = match &args.held_out {
        Some(file) => Some(file.clone()),
        None if embedded_model => Some(shipped),
        None => None,
    };
    let Some(file) = file else {
        return Ok(Split::stratified(vocabulary, args.seed)?);
    };
    let words: Vec<String> = checkpoint::read_json(&file)
        .context("`--held-out` wants a JSON list of words, such as `[\" cat\", \"Dog\"]`")?;
    Split::from_test_words(vocabulary, &words).with_context(|| format!("reading `{}`", file.display()))
}

fn choose_layer(
    args: &RunArgs,
    embedded_model: bool,
    config: &ModelConfig,
    saes: &[SaeInput],
) -> anyhow::Result<usize> {
    let trained: Vec<usize> = saes
        .iter()
        .filter_map(|sae| HookName::parse(&sae.spec.hook, config.layers).ok())
        .map(|hook| hook.layer)
        .collect();
    let layer = match (args.layer, trained.first()) {
        (Some(layer), _) => layer,
        (None, Some(&layer)) if trained.iter().all(|&other| other == layer) => layer,
        (None, Some(_)) => {
            return Err(failure::usage(
                "the SAEs were trained on different layers\nhint: choose one with `--layer L`",
            ));
        }
        (None, None) if embedded_model => embedded::LAYER,
        (None, None) => {
            return Err(failure::usage(
                "no SAE names a layer of this model\nhint: choose one with `--layer L`",
            ));
        }
    };
    if layer >= config.layers {
        return Err(failure::usage(format!(
            "`--layer {layer}`: the model has {} layers, 0 to {}",
            config.layers,
            config.layers - 1
        )));
    }
    Ok(layer)
}

/// SAEs that can be run, and those that cannot, by name with the reason.
pub(crate) type Inputs = (Vec<SaeInput>, Vec<(String, String)>);

/// What was named, with the one that failed to be found by its name.
fn find_saes(args: &RunArgs, embedded_model: bool) -> anyhow::Result<Vec<Resolved>> {
    if args.sae.is_empty() && embedded_model {
        let here = |path| Resolved { path, hub: None };
        return Ok(embedded::saes()?.into_iter().map(here).collect());
    }
    let mut found = Vec::new();
    for text in &args.sae {
        found.extend(locate::saes(text)?);
    }
    Ok(found)
}

/// Opens every SAE once for its hash and shape; one that cannot be read fails alone.
pub(crate) fn read_saes(
    args: &RunArgs,
    embedded_model: bool,
    model: &ModelConfig,
    bos: Option<u32>,
) -> anyhow::Result<Inputs> {
    let found = find_saes(args, embedded_model)?;
    let alone = found.len() == 1 && !args.sae.is_empty();
    let (mut good, mut bad) = (Vec::new(), Vec::new());
    for resolved in found {
        let mut id = match &resolved.hub {
            Some(_) => resolved.id(),
            None => folder_name(&resolved.path),
        };
        if id == "directions" || good.iter().any(|other: &SaeInput| other.id == id) {
            id = resolved.path.display().to_string();
        }
        if good.iter().any(|other: &SaeInput| other.id == id) {
            return Err(failure::usage(format!("`--sae {id}` is given twice")));
        }
        let opened = args
            .open
            .open(&resolved.path)
            .and_then(|sae| fits(sae, &resolved.path, model));
        match opened {
            Ok(sae) => good.push(sae_input(id, resolved, &sae, bos)),
            Err(error) if alone => return Err(error),
            Err(error) => bad.push((id, format!("{error:#}"))),
        }
    }
    Ok((good, bad))
}

fn sae_input(id: String, resolved: Resolved, sae: &Sae, bos: Option<u32>) -> SaeInput {
    let config = sae.config();
    let architecture = config
        .metadata
        .training_architecture()
        .unwrap_or(config.architecture.name());
    let mut warnings = Vec::new();
    for note in sae
        .identity()
        .map(|identity| identity.notes.as_slice())
        .unwrap_or_default()
    {
        warnings.push(Warning::SaeNote {
            sae: id.clone(),
            note: note.message.clone(),
        });
    }
    if let Some(trained_with) = config.metadata.prepend_bos()
        && trained_with != bos.is_some()
    {
        warnings.push(Warning::BosMismatch {
            sae: id.clone(),
            trained_with,
        });
    }
    SaeInput {
        spec: SaeSpec {
            id: id.clone(),
            hash: sae.content_hash(),
            architecture: architecture.to_owned(),
            hook: hook_of(sae).unwrap_or_else(|| "unknown".to_owned()),
            width: config.d_sae as u64,
            revision: resolved.hub.map(|hub| hub.commit),
        },
        declared_l0: sae.identity().and_then(sae::Identity::declared_l0),
        path: resolved.path,
        id,
        warnings,
    }
}

/// The hook that an SAE reads; the stream entering a block is named as that leaving the block before, which it is.
fn hook_of(sae: &Sae) -> Option<String> {
    let named = sae.identity().and_then(|identity| identity.hook_in.as_ref());
    let name = match named {
        Some(hook) => hook.value.as_str(),
        None => sae.config().metadata.hook_name()?,
    };
    let same = HookName::parse(name, usize::MAX)
        .ok()
        .and_then(|hook| match hook.point {
            Point::ResidPre => hook.layer.checked_sub(1).map(HookName::resid_post),
            _ => None,
        });
    Some(same.map_or_else(|| name.to_owned(), |hook| hook.to_string()))
}

/// Refuses an SAE that does not stand at the model's residual stream.
fn fits(sae: Sae, path: &Path, model: &ModelConfig) -> anyhow::Result<Sae> {
    if sae.is_transcoder() {
        return Err(failure::input(format!(
            "`{}` is a transcoder: its output is not its input, so no vector of the residual stream is its to edit\nhint: `bench encode` and `bench inspect` take it",
            path.display()
        )));
    }
    if let Some(hook) = hook_of(&sae)
        && let Ok(parsed) = HookName::parse(&hook, usize::MAX)
        && parsed.point != Point::ResidPost
    {
        return Err(failure::input(format!(
            "`{}` was trained on `{hook}`; `bench run` edits the residual stream between blocks\nhint: `bench encode` and `bench inspect` take it",
            path.display()
        )));
    }
    if sae.d_in() == model.hidden_size {
        return Ok(sae);
    }
    Err(failure::input(format!(
        "`{}`: field `d_in` is {}, the model's residual stream has width {} (`hidden_size`)\nhint: choose an SAE that was trained on this model",
        path.display(),
        sae.d_in(),
        model.hidden_size
    )))
}

pub(crate) fn folder_name(path: &Path) -> String {
    let name = path
        .canonicalize()
        .ok()
        .and_then(|p| p.file_name().map(|n| n.to_string_lossy().into_owned()));
    name.unwrap_or_else(|| path.display().to_string())
}

/// Hash of weights and configuration together.
pub(crate) fn model_hash(dir: &Path) -> anyhow::Result<String> {
    let parts = format!(
        "{}{}",
        checkpoint::content_hash(dir)?,
        checkpoint::content_hash(&dir.join("config.json"))?
    );
    Ok(store::Blake3::of(parts.as_bytes()).to_string())
}
