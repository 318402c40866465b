//! Vectors, made when a unit needs them first and shared by all that do.

use std::cell::{OnceCell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;

use ablation::attribution::AnswerSet;
use ablation::{Capture, Item, Labelled, Stage};
use model_runner::Transformer;
use model_runner::plain::PlainModel;
use tasks::{PartnerRequest, PromptSet, partners};

use super::args::PaperArgs;
use super::plan::Plan;

/// Most memory for vectors of several layers at once.
const LAYER_BYTES: usize = 2 << 30;

/// Word pairs of the patching map.
const PAIRS: usize = 200;

/// Prompts with their stage.
pub(crate) struct Prompts<'m> {
    pub(crate) set: PromptSet,
    pub(crate) stage: Stage<'m>,
}

/// Vectors of one layer.
pub(crate) struct Layer {
    pub(crate) train: Labelled,
    pub(crate) test: Labelled,
    /// Vocabulary index of each test row.
    pub(crate) test_words: Vec<usize>,
}

/// The new prompts of one layer: test words with examples from the whole vocabulary.
pub(crate) struct Fresh {
    pub(crate) capture: Capture,
    /// Vocabulary index of each row.
    pub(crate) words: Vec<usize>,
}

/// The model at work.
pub(crate) struct Lab<'m> {
    pub(crate) plan: &'m Plan,
    pub(crate) args: &'m PaperArgs,
    pub(crate) model: &'m Transformer,
    train: OnceCell<Prompts<'m>>,
    test: OnceCell<Prompts<'m>>,
    fresh: OnceCell<(Prompts<'m>, Vec<(usize, usize)>)>,
    plain: OnceCell<PlainModel>,
    layers: RefCell<BTreeMap<usize, Rc<Layer>>>,
    captures: RefCell<BTreeMap<usize, Rc<Fresh>>>,
}

/// The value of `cell`, made on first use.
fn once<T>(cell: &OnceCell<T>, make: impl FnOnce() -> anyhow::Result<T>) -> anyhow::Result<&T> {
    if let Some(value) = cell.get() {
        return Ok(value);
    }
    let value = make()?;
    Ok(cell.get_or_init(|| value))
}

impl<'m> Lab<'m> {
    pub(crate) fn new(plan: &'m Plan, args: &'m PaperArgs, model: &'m Transformer) -> Self {
        Self {
            plan,
            args,
            model,
            train: OnceCell::new(),
            test: OnceCell::new(),
            fresh: OnceCell::new(),
            plain: OnceCell::new(),
            layers: RefCell::default(),
            captures: RefCell::default(),
        }
    }

    fn stage(&self, set: PromptSet, more: Vec<Item>) -> anyhow::Result<Prompts<'m>> {
        let mut items: Vec<Item> = set
            .prompts
            .iter()
            .map(|prompt| Item {
                set: prompt.icl,
                suffix: set.suffix(prompt).to_vec(),
            })
            .collect();
        items.extend(more);
        let stage = Stage::new(self.model, &set.prefixes, items, self.plan.answers.ids())?;
        Ok(Prompts { set, stage })
    }

    fn train(&self) -> anyhow::Result<&Prompts<'m>> {
        once(&self.train, || {
            let words = &self.plan.split.train;
            self.stage(self.plan.prompts(self.args, words, words, "paper/train")?, Vec::new())
        })
    }

    fn test(&self) -> anyhow::Result<&Prompts<'m>> {
        once(&self.test, || {
            let words = &self.plan.split.test;
            self.stage(self.plan.prompts(self.args, words, words, "paper/test")?, Vec::new())
        })
    }

    /// New prompts, and pairs of items: a prompt and the same one with another word.
    pub(crate) fn fresh(&self) -> anyhow::Result<&(Prompts<'m>, Vec<(usize, usize)>)> {
        once(&self.fresh, || {
            let plan = self.plan;
            let words = &plan.split.test;
            let pool = plan.vocabulary.indices();
            let set = plan.prompts(self.args, words, &pool, "paper/absorption")?;
            let request = PartnerRequest {
                vocabulary: &plan.vocabulary,
                words,
                pool: words,
                seed: self.args.seed,
            };
            let partner_of: BTreeMap<usize, usize> =
                partners(&request)?.into_iter().map(|p| (p.word, p.partner)).collect();
            let n = set.prompts.len();
            let (mut more, mut pairs) = (Vec::new(), Vec::new());
            for (item, prompt) in set.prompts.iter().enumerate().step_by(n.div_ceil(PAIRS).max(1)) {
                let Some(&partner) = partner_of.get(&prompt.word) else {
                    continue;
                };
                if set.sets[prompt.icl].words.contains(&partner) {
                    continue;
                }
                let mut suffix = set.suffix(prompt).to_vec();
                suffix[0] = plan.vocabulary.words[partner].token;
                pairs.push((item, partner));
                more.push(Item {
                    set: prompt.icl,
                    suffix,
                });
            }
            Ok((self.stage(set, more)?, pairs))
        })
    }

    /// The model as a graph of array operations that records gradients.
    pub(crate) fn plain(&self) -> anyhow::Result<&PlainModel> {
        once(&self.plain, || Ok(self.model.differentiable()?))
    }

    pub(crate) fn answers(&self) -> AnswerSet {
        AnswerSet {
            capitals: *self.plan.answers.ids(),
            lower: self.plan.lower,
        }
    }

    fn labelled(&self, prompts: &Prompts<'_>, x: Vec<f32>) -> Labelled {
        Labelled {
            x,
            y: prompts.set.prompts.iter().map(|p| self.plan.class_of(p.word)).collect(),
            d: self.model.config().hidden_size,
            classes: self.plan.letters.len(),
        }
    }

    /// Train and test vectors of some layers, each pass of the model serving as many as fit in memory.
    pub(crate) fn each_layer(
        &self,
        layers: &[usize],
        mut visit: impl FnMut(usize, &Layer) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        let (train, test) = (self.train()?, self.test()?);
        let rows = train.set.prompts.len() + test.set.prompts.len();
        let at_once = (LAYER_BYTES / (rows * self.model.config().hidden_size * 4).max(1)).max(1);
        for layers in layers.chunks(at_once) {
            let of = |prompts: &Prompts<'_>| -> anyhow::Result<Vec<Vec<f32>>> {
                let all: Vec<usize> = (0..prompts.set.prompts.len()).collect();
                Ok(prompts.stage.site_vectors_of(layers, &all)?)
            };
            for ((&layer, x), y) in layers.iter().zip(of(train)?).zip(of(test)?) {
                let one = Layer {
                    train: self.labelled(train, x),
                    test: self.labelled(test, y),
                    test_words: test.set.prompts.iter().map(|p| p.word).collect(),
                };
                visit(layer, &one)?;
            }
        }
        Ok(())
    }

    /// Train and test vectors of one layer, kept for the SAEs of that layer.
    pub(crate) fn layer(&self, layer: usize) -> anyhow::Result<Rc<Layer>> {
        if let Some(found) = self.layers.borrow().get(&layer) {
            return Ok(Rc::clone(found));
        }
        // One layer at a time: SAEs come in the order of layers.
        self.layers.borrow_mut().clear();
        let mut made = None;
        self.each_layer(&[layer], |_, one| {
            made = Some(Layer {
                train: one.train.clone(),
                test: one.test.clone(),
                test_words: one.test_words.clone(),
            });
            Ok(())
        })?;
        let made = Rc::new(made.ok_or_else(|| anyhow::anyhow!("a capture of one layer gave none"))?);
        self.layers.borrow_mut().insert(layer, Rc::clone(&made));
        Ok(made)
    }

    /// The stream of the new prompts after one layer.
    pub(crate) fn capture(&self, layer: usize) -> anyhow::Result<Rc<Fresh>> {
        if let Some(found) = self.captures.borrow().get(&layer) {
            return Ok(Rc::clone(found));
        }
        self.captures.borrow_mut().clear();
        let (prompts, _) = self.fresh()?;
        let items: Vec<usize> = (0..prompts.set.prompts.len()).collect();
        let capture = crate::run::site::capture(&prompts.stage, layer, &items)?;
        let made = Rc::new(Fresh {
            capture,
            words: prompts.set.prompts.iter().map(|p| p.word).collect(),
        });
        self.captures.borrow_mut().insert(layer, Rc::clone(&made));
        Ok(made)
    }
}
