//! The shared, expensive part of a run: prefixes, captures and directions, once for all SAEs.

use ablation::effects::{LetterLogits, top_letter};
use ablation::layers::{PairEffect, WordPair, patch_pairs};
use ablation::{Bench, Capture, Directions, Item, Labelled, Pair, Readout, Stage, arms};
use linear_probe::metrics::Evaluation;
use model_runner::Transformer;
use rand::seq::SliceRandom;
use store::{Source, Warning};
use tasks::PromptSet;

use super::plan::Plan;
use super::profile::Profile;
use crate::cache::ENGINE;
use crate::progress::Progress;

/// Lowest share of test words that the unedited model must get right.
const MIN_ACCURACY: f64 = 0.5;

/// Prompts of train and test words, ready for partial runs.
pub(crate) struct Stages<'a> {
    pub(crate) train: Stage<'a>,
    /// The test prompts, and behind them the same prompts with the query word replaced by its partner.
    pub(crate) test: Stage<'a>,
    /// For each test prompt, its item with the replaced word and that word.
    swapped: Vec<Option<(usize, usize)>>,
}

impl<'a> Stages<'a> {
    pub(crate) fn new(model: &'a Transformer, plan: &Plan) -> anyhow::Result<Self> {
        let items_of = |prompts: &PromptSet| -> Vec<Item> {
            prompts
                .prompts
                .iter()
                .map(|p| Item {
                    set: p.icl,
                    suffix: prompts.suffix(p).to_vec(),
                })
                .collect()
        };
        let mut items = items_of(&plan.test);
        let mut swapped = vec![None; items.len()];
        for (prompt, slot) in plan.test.prompts.iter().zip(&mut swapped) {
            let Some(&partner) = plan.partner_of.get(&prompt.word) else {
                continue;
            };
            // The partner must not be among the examples that already show its answer.
            if plan.test.sets[prompt.icl].words.contains(&partner) {
                continue;
            }
            let mut suffix = plan.test.suffix(prompt).to_vec();
            suffix[0] = plan.vocabulary.words[partner].token;
            *slot = Some((items.len(), partner));
            items.push(Item {
                set: prompt.icl,
                suffix,
            });
        }
        let answers = plan.answers.ids();
        Ok(Self {
            train: Stage::new(model, &plan.train.prefixes, items_of(&plan.train), answers)?,
            test: Stage::new(model, &plan.test.prefixes, items, answers)?,
            swapped,
        })
    }

    /// Positions run so far.
    pub(crate) fn tokens(&self) -> u64 {
        self.train.tokens() + self.test.tokens()
    }

    /// Bytes of the model's weights that these runs, and all others of the same model, went through.
    pub(crate) fn bytes(&self) -> u64 {
        self.train.model().bytes_read()
    }

    /// Products of these runs.
    pub(crate) fn flops(&self) -> f64 {
        self.train.flops() + self.test.flops()
    }
}

/// What is known about the site once it has been captured.
pub(crate) struct Site {
    /// Train words of the letters that take part.
    pub(crate) train: Labelled,
    /// All test words of those letters.
    pub(crate) test: Labelled,
    pub(crate) directions: Directions,
    pub(crate) lr: Evaluation,
    /// Stream at the selected train words.
    pub(crate) select: Capture,
    pub(crate) select_class: Vec<usize>,
    pub(crate) select_clean: Vec<LetterLogits>,
    /// Stream at the scored test words, and behind them at their replaced words.
    pub(crate) scored: Capture,
    /// Text of the word of each row.
    names: Vec<String>,
    /// How many of its rows are scored words.
    pub(crate) words: usize,
    /// How many test words the model was asked about.
    pub(crate) asked: usize,
    pub(crate) scored_class: Vec<usize>,
    pub(crate) pairs: Vec<Pair>,
    pub(crate) donors: Vec<Option<usize>>,
    /// Share of test words whose letter the unedited model ranks first.
    pub(crate) accuracy: f64,
    pub(crate) warnings: Vec<Warning>,
}

impl Site {
    pub(crate) fn new(
        plan: &Plan,
        stages: &Stages<'_>,
        progress: &Progress,
        profile: &Profile,
    ) -> anyhow::Result<Self> {
        let seed = plan.resample.unwrap_or(plan.directions.seed);
        progress.doing("capturing train words");
        let mut train = profile.time("capture", Some(stages), || labelled(plan, &plan.train, &stages.train))?;
        if let Some(seed) = plan.resample {
            train = halved(&train, seed);
        }
        progress.done(&format!("captured {} train words at `{}`", train.n(), plan.hook));
        let test = profile.time("capture", Some(stages), || labelled(plan, &plan.test, &stages.test))?;
        progress.doing("fitting probes");
        let directions = profile.time("probe", None, || Directions::fit(&train, seed))?;
        let lr = directions.evaluate_lr(&test)?;
        progress.done(&format!(
            "fitted probes (mean F1 {:.3} on held-out words)",
            lr.macro_mean(|c| c.f1).unwrap_or(f64::NAN)
        ));

        let select_items = items_of(&plan.train, &plan.select_words);
        let select = profile.time("capture", Some(stages), || {
            capture(&stages.train, plan.layer, &select_items)
        })?;
        let select_class = classes_of(plan, &plan.train, &select_items);
        let select_clean = profile.time("edit + suffix", Some(stages), || stages.train.clean_logits(&select))?;

        // Only words that the unedited model gets right can lose their letter.
        let mut warnings = Vec::new();
        let all = items_of(&plan.test, &plan.test_words);
        let everything = profile.time("capture", Some(stages), || capture(&stages.test, plan.layer, &all))?;
        let clean = profile.time("edit + suffix", Some(stages), || stages.test.clean_logits(&everything))?;
        let right: Vec<bool> = all
            .iter()
            .zip(&clean)
            .map(|(&item, logits)| {
                let word = plan.test.prompts[item].word;
                top_letter(logits) == plan.vocabulary.words[word].letter.index()
            })
            .collect();
        let accuracy = right.iter().filter(|&&r| r).count() as f64 / right.len().max(1) as f64;
        let kept: Vec<usize> = if accuracy >= MIN_ACCURACY {
            all.iter()
                .zip(&right)
                .filter(|(_, right)| **right)
                .map(|(&item, _)| item)
                .collect()
        } else {
            warnings.push(Warning::ModelFailsTask {
                accuracy,
                needed: MIN_ACCURACY,
            });
            all
        };
        let mut scored_class = classes_of(plan, &plan.test, &kept);
        let pairs = pairs(plan, &kept, &scored_class);
        let words = kept.len();
        let asked = right.len();
        let text = |word: usize| plan.vocabulary.words[word].text.clone();
        let mut names: Vec<String> = kept.iter().map(|&item| text(plan.test.prompts[item].word)).collect();
        let (mut rows, mut donors) = (kept, Vec::new());
        for row in 0..words {
            let swap = stages.swapped[rows[row]].and_then(|(item, word)| Some((item, word, plan.class_of(word)?)));
            donors.push(swap.map(|_| rows.len()));
            if let Some((item, word, class)) = swap {
                rows.push(item);
                names.push(text(word));
                scored_class.push(class);
            }
        }
        donors.resize(rows.len(), None);
        let scored = profile.time("capture", Some(stages), || capture(&stages.test, plan.layer, &rows))?;
        progress.done(&format!(
            "captured {words} test words (model right on {:.1} %)",
            100.0 * accuracy
        ));
        Ok(Self {
            train,
            test,
            directions,
            lr,
            select,
            select_class,
            select_clean,
            scored,
            names,
            words,
            asked,
            scored_class,
            pairs,
            donors,
            accuracy,
            warnings,
        })
    }

    /// The evaluation: scored words, unedited and with the ceiling edit.
    pub(crate) fn bench<'a>(&self, plan: &Plan, scored: &'a dyn Readout) -> anyhow::Result<Bench<'a>> {
        let letters = plan.letters.iter().map(|letter| letter.index()).collect();
        let full = arms::full_site(&self.directions);
        Ok(Bench::new(
            scored,
            letters,
            self.scored_class.clone(),
            self.pairs.clone(),
            self.donors.clone(),
            &full,
        )?)
    }

    /// Text of the word of a captured test row.
    pub(crate) fn word(&self, row: usize) -> String {
        self.names[row].clone()
    }
}

/// Effects of patching each scored word from the same prompt with its word replaced, per layer.
pub(crate) fn layer_map(plan: &Plan, site: &Site, stages: &Stages<'_>) -> anyhow::Result<Vec<Vec<PairEffect>>> {
    let letter = |class: usize| plan.letters[class].index();
    let pairs: Vec<WordPair> = site
        .donors
        .iter()
        .enumerate()
        .filter_map(|(row, donor)| Some((row, (*donor)?)))
        .map(|(row, donor)| WordPair {
            row,
            donor,
            from: letter(site.scored_class[row]),
            to: letter(site.scored_class[donor]),
        })
        .collect();
    let layers: Vec<usize> = (0..stages.test.model().config().layers).collect();
    let clean = stages.test.clean_logits(&site.scored)?;
    let captures = stages.test.capture(&layers, Some(&site.scored.rows))?;
    captures
        .iter()
        .map(|captured| Ok(patch_pairs(&stages.test, captured, &clean, &pairs)?))
        .collect()
}

fn labelled(plan: &Plan, prompts: &PromptSet, stage: &Stage<'_>) -> anyhow::Result<Labelled> {
    let all: Vec<usize> = (0..prompts.prompts.len()).collect();
    let d = stage.model().config().hidden_size;
    let compute = || Ok(stage.site_vectors(plan.layer, &all)?);
    let vectors = match &plan.cache {
        None => compute()?,
        Some(cache) => {
            let spec = &plan.directions;
            let source = Source {
                model: spec.model.id.clone(),
                model_hash: spec.model.hash.clone(),
                hook: plan.hook.clone(),
                prompts_hash: prompts.hash(),
                dtype: spec.dtype.clone(),
                device: spec.device.clone(),
                engine: ENGINE,
            };
            cache.vectors(&source, d, stage.capture_flops(plan.layer, all.len()), compute)?
        }
    };
    let mut out = Labelled {
        x: Vec::new(),
        y: Vec::new(),
        d,
        classes: plan.letters.len(),
    };
    for (item, row) in vectors.chunks_exact(d).enumerate() {
        if let Some(class) = plan.class_of(prompts.prompts[item].word) {
            out.x.extend_from_slice(row);
            out.y.push(class);
        }
    }
    Ok(out)
}

/// Half of each letter's words, drawn without replacement: what a probe or a mean does over such halves varies as much as it would
/// over new samples of the full size, and no word stands on both sides of an inner split, as copies of a bootstrap would.
fn halved(words: &Labelled, seed: u64) -> Labelled {
    let mut rng = stats::seed::rng(seed, "run/halve-train");
    let mut by_class: Vec<Vec<usize>> = vec![Vec::new(); words.classes];
    for (row, &class) in words.y.iter().enumerate() {
        by_class[class].push(row);
    }
    let mut kept: Vec<usize> = Vec::new();
    for mut rows in by_class {
        rows.shuffle(&mut rng);
        rows.truncate(rows.len().div_ceil(2));
        kept.extend(rows);
    }
    kept.sort_unstable();
    Labelled {
        x: kept.iter().flat_map(|&row| words.row(row).iter().copied()).collect(),
        y: kept.iter().map(|&row| words.y[row]).collect(),
        ..*words
    }
}

pub(crate) fn capture(stage: &Stage<'_>, layer: usize, items: &[usize]) -> anyhow::Result<Capture> {
    let mut captures = stage.capture(&[layer], Some(items))?;
    captures
        .pop()
        .ok_or_else(|| anyhow::anyhow!("a capture of one layer gave none"))
}

/// Prompts of the given words, in order.
fn items_of(prompts: &PromptSet, words: &[Vec<usize>]) -> Vec<usize> {
    let wanted: std::collections::BTreeSet<usize> = words.iter().flatten().copied().collect();
    (0..prompts.prompts.len())
        .filter(|&item| wanted.contains(&prompts.prompts[item].word))
        .collect()
}

fn classes_of(plan: &Plan, prompts: &PromptSet, items: &[usize]) -> Vec<usize> {
    items
        .iter()
        .map(|&item| plan.class_of(prompts.prompts[item].word).unwrap_or_default())
        .collect()
}

/// Every letter's editor on its own words and on the off-target sample.
fn pairs(plan: &Plan, items: &[usize], class_of: &[usize]) -> Vec<Pair> {
    let mut pairs = Vec::new();
    for class in 0..plan.letters.len() {
        for (row, &item) in items.iter().enumerate() {
            let on = class_of[row] == class;
            if on || plan.off_target[class].contains(&plan.test.prompts[item].word) {
                pairs.push(Pair { class, row, on });
            }
        }
    }
    pairs
}
