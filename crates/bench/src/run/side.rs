//! What side effects need beside the prompts of a run: text, other questions about the same words, vectors at other positions.
//!
//! All of it is drawn with the plan and run once for all units, and only for `--arms full`. What cannot be had is a warning of the
//! record, not an error: a run without text still measures everything else.

use std::collections::BTreeSet;
use std::path::Path;

use ablation::side::positions::PositionFits;
use ablation::side::text::TextStage;
use ablation::{Capture, Item, Pair, Stage};
use model_runner::{ModelConfig, Tokenizer, Transformer};
use serde_json::Value;
use store::Warning;
use tasks::{Attribute, PromptSet, Question, TaskError, Vocabulary, ask_instead};

use super::args::RunArgs;
use super::plan::Plan;
use super::site::{Site, Stages, capture};
use super::text::{self, Text};
use crate::failure;
use crate::progress::Progress;

/// Most memory for the train words' vectors at every position.
const FIT_BYTES: usize = 1 << 29;

/// Fewest tokens of text that are worth a mean.
const FEWEST_TOKENS: usize = 64;

/// Tokens of text on which a dose sweep is matched: every letter's editor at every factor runs them.
const DOSE_TOKENS: usize = 104;

/// What is asked and read beside the first-letter prompts.
pub(crate) struct SidePlan {
    pub(crate) text: Option<Text>,
    pub(crate) questions: Vec<Question>,
}

/// What a side plan is drawn from.
pub(super) struct Drawn<'a> {
    pub(super) model: (&'a Path, &'a ModelConfig),
    pub(super) tokenizer: &'a Tokenizer,
    pub(super) bos: Option<u32>,
    pub(super) vocabulary: &'a Vocabulary,
    pub(super) test: &'a PromptSet,
    /// Words that are scored if the model knows them.
    pub(super) words: &'a [usize],
}

impl SidePlan {
    /// Finds text and writes the other questions; none where not every arm is measured.
    pub(super) fn new(args: &RunArgs, drawn: &Drawn<'_>, warnings: &mut Vec<Warning>) -> anyhow::Result<Option<Self>> {
        if !args.full() {
            if args.text.is_some() || args.text_tokens.is_some() {
                return Err(failure::usage(
                    "`--text` and `--text-tokens` say how text damage is measured, which only `--arms full` does\nhint: add `--arms full`",
                ));
            }
            return Ok(None);
        }
        if let Some(tokens) = args.text_tokens.filter(|&tokens| tokens < FEWEST_TOKENS) {
            return Err(failure::usage(format!(
                "`--text-tokens {tokens}`: a divergence wants at least {FEWEST_TOKENS} tokens"
            )));
        }
        let text = text::find(args, drawn.model, drawn.tokenizer, drawn.bos)?;
        if text.is_none() && args.text_tokens.is_some() {
            return Err(failure::usage(
                "`--text-tokens` says how much of a text is used, and there is none for this model\nhint: give it with `--text FILE`",
            ));
        }
        if text.is_none() {
            warnings.push(Warning::TextNotMeasured {
                model: super::plan::folder_name(drawn.model.0),
            });
        }
        let wanted: BTreeSet<usize> = drawn.words.iter().copied().collect();
        let mut questions = Vec::new();
        for attribute in Attribute::ALL {
            let prompts = &drawn.test.prompts;
            let asked = (0..prompts.len()).filter(|&at| wanted.contains(&prompts[at].word));
            match ask_instead(drawn.tokenizer, drawn.vocabulary, drawn.test, asked, attribute) {
                Ok(question) => questions.push(question),
                // A tokenizer that cannot write this question can still write the others.
                Err(error @ (TaskError::EveryWordDropped { .. } | TaskError::AnswerWithoutTokens { .. })) => {
                    warnings.push(Warning::NotMeasured {
                        measurement: format!("side/*/{}_kl", attribute.name()),
                        reason: error.to_string(),
                    });
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(Some(Self { text, questions }))
    }

    /// What changes results: the text, by content.
    pub(super) fn settings(&self) -> [(String, Value); 2] {
        let hash = self.text.as_ref().map_or_else(|| "none".to_owned(), Text::hash);
        let tokens = self.text.as_ref().map_or(0, Text::tokens);
        [
            ("text".to_owned(), hash.into()),
            ("text_tokens".to_owned(), tokens.into()),
        ]
    }
}

/// Prompts of one question, captured.
pub(crate) struct Asked<'a> {
    pub(crate) attribute: Attribute,
    pub(crate) stage: Stage<'a>,
    pub(crate) capture: Capture,
    /// Each word with its own letter's editor.
    pub(crate) pairs: Vec<Pair>,
    /// First token of each row's answer.
    pub(crate) answers: Vec<u32>,
}

/// Everything run once.
pub(crate) struct SideStages<'a> {
    pub(crate) text: Option<TextStage<'a>>,
    /// The first sequences of it, on which arms are matched by their damage.
    pub(crate) dose_text: Option<TextStage<'a>>,
    pub(crate) questions: Vec<Asked<'a>>,
    pub(crate) fits: PositionFits,
}

impl<'a> SideStages<'a> {
    /// Runs what the plan asks for; none where it asks for nothing.
    pub(crate) fn new(
        model: &'a Transformer,
        plan: &Plan,
        site: &Site,
        stages: &Stages<'_>,
        progress: &Progress,
    ) -> anyhow::Result<Option<Self>> {
        let Some(side) = &plan.side else { return Ok(None) };
        progress.doing("text and other questions");
        let text = side
            .text
            .as_ref()
            .map(|text| TextStage::new(model, text.sequences.clone(), plan.layer, text.start))
            .transpose()?;
        let dose_text = side
            .text
            .as_ref()
            .map(|text| TextStage::new(model, text.beginning(DOSE_TOKENS), plan.layer, text.start))
            .transpose()?;
        let words: BTreeSet<usize> = site.scored.rows[..site.words]
            .iter()
            .map(|&item| plan.test.prompts[item].word)
            .collect();
        let questions = side
            .questions
            .iter()
            .map(|question| Asked::new(model, plan, question, &words))
            .collect::<anyhow::Result<_>>()?;
        progress.say("ran text and other questions about the test words");
        Ok(Some(Self {
            text,
            dose_text,
            questions,
            fits: fits(plan, stages)?,
        }))
    }
}

impl<'a> Asked<'a> {
    fn new(model: &'a Transformer, plan: &Plan, question: &Question, words: &BTreeSet<usize>) -> anyhow::Result<Self> {
        let prompts = &question.prompts;
        let (mut items, mut pairs, mut answers) = (Vec::new(), Vec::new(), Vec::new());
        for (prompt, &answer) in prompts.prompts.iter().zip(&question.answers) {
            let Some(class) = plan.class_of(prompt.word).filter(|_| words.contains(&prompt.word)) else {
                continue;
            };
            pairs.push(Pair {
                class,
                row: items.len(),
                on: true,
            });
            items.push(Item {
                set: prompt.icl,
                suffix: prompts.suffix(prompt).to_vec(),
            });
            answers.push(answer);
        }
        let rows: Vec<usize> = (0..items.len()).collect();
        let stage = Stage::new(model, &prompts.prefixes, items, plan.answers.ids())?;
        Ok(Self {
            attribute: question.attribute,
            capture: capture(&stage, plan.layer, &rows)?,
            stage,
            pairs,
            answers,
        })
    }
}

/// What the train words say at every position; an even part of them where all would not fit in memory.
fn fits(plan: &Plan, stages: &Stages<'_>) -> anyhow::Result<PositionFits> {
    let prompts = &plan.train.prompts;
    let known: Vec<(usize, usize)> = (0..prompts.len())
        .filter_map(|item| Some((item, plan.class_of(prompts[item].word)?)))
        .collect();
    let row = 4 * plan.train.suffix_len() * stages.train.model().config().hidden_size;
    let step = (known.len() * row).div_ceil(FIT_BYTES).max(1);
    let (items, classes): (Vec<usize>, Vec<usize>) = known.into_iter().step_by(step).unzip();
    let captured = capture(&stages.train, plan.layer, &items)?;
    Ok(PositionFits::new(&captured, &classes, plan.letters.len())?)
}
