//! What is asked of the model itself: where the letter is, and what it can spell.

use std::collections::BTreeMap;

use ablation::layers::{WordPair, patch_pairs_at};
use model_runner::{Keep, PrefixCache};
use rand::seq::{SliceRandom, index};
use rayon::prelude::*;
use serde_json::json;
use stats::seed::rng;
use tasks::{AnswerFormat, AnswerStyle, Template, Tokenize, Word};

use super::data::{AbilityUnit, MapCell, MapUnit, Share};
use super::lab::Lab;
use super::measure::Opener;
use super::units::{Timed, Units};

/// Example sets of the spelling prompts, shared by the words.
const SETS: usize = 8;

/// Most words that are spelled.
const SPELLED: usize = 2000;

/// The layer and position map of patching (Figure 22).
pub(crate) fn map(opener: &Opener<'_>, units: &Units<'_>) -> anyhow::Result<Timed<MapUnit>> {
    units.get("patching-map", &opener.key(), || {
        let lab = opener.lab()?;
        let (prompts, swaps) = lab.fresh()?;
        let n = prompts.set.prompts.len();
        let letter = |word: usize| opener.plan.vocabulary.words[word].letter.index();
        // Rows of the capture: the words, and behind them the same prompts with another word.
        let items: Vec<usize> = swaps
            .iter()
            .map(|(item, _)| *item)
            .chain((0..swaps.len()).map(|i| n + i))
            .collect();
        let pairs: Vec<WordPair> = swaps
            .iter()
            .enumerate()
            .map(|(row, &(item, partner))| WordPair {
                row,
                donor: swaps.len() + row,
                from: letter(prompts.set.prompts[item].word),
                to: letter(partner),
            })
            .collect();
        let stage = &prompts.stage;
        let mut cells = Vec::new();
        for layer in 0..opener.plan.config.layers {
            let capture = crate::run::site::capture(stage, layer, &items)?;
            let clean = stage.clean_logits(&capture)?;
            for position in 0..capture.positions() {
                let effects = patch_pairs_at(stage, &capture, position, &clean, &pairs)?;
                let mut sums: BTreeMap<usize, (f64, f64)> = BTreeMap::new();
                for effect in effects {
                    let sum = sums.entry(effect.letter).or_default();
                    sum.0 += effect.patched;
                    sum.1 += effect.total;
                }
                cells.push(MapCell {
                    layer,
                    position,
                    by_letter: sums
                        .into_iter()
                        .map(|(letter, (patched, total))| (letter, patched, total))
                        .collect(),
                });
            }
        }
        let mut positions = vec!["word".to_owned()];
        positions.extend(
            opener
                .plan
                .tokenizer
                .tokens(&prompts.set.tail)
                .iter()
                .map(|token| token.replace('\u{2581}', " ")),
        );
        Ok(MapUnit {
            pairs: pairs.len(),
            positions,
            cells,
        })
    })
}

/// First-letter and spelling accuracy by length of the word (Figure 13).
pub(crate) fn ability(opener: &Opener<'_>, units: &Units<'_>) -> anyhow::Result<Timed<AbilityUnit>> {
    units.get("ability", &json!([opener.key(), SETS, SPELLED]), || {
        let lab = opener.lab()?;
        let first = grade(lab, &Template::verbose(), &AnswerFormat::FirstLetter, "first")?;
        let whole = grade(
            lab,
            &Template::short(),
            &AnswerFormat::Spelling("-".to_owned()),
            "spelling",
        )?;
        let mut by_length: BTreeMap<usize, (Share, Share, Share)> = BTreeMap::new();
        for graded in first {
            by_length.entry(graded.length).or_default().0.add(&graded);
        }
        for graded in whole {
            let entry = by_length.entry(graded.length).or_default();
            entry.1.add(&graded);
            entry.2.right += graded.right;
            entry.2.of += graded.of;
        }
        Ok(AbilityUnit {
            by_length: by_length
                .into_iter()
                .map(|(length, (a, b, c))| (length, a, b, c))
                .collect(),
        })
    })
}

impl Share {
    /// A word is right if every token of its answer is the most likely one.
    fn add(&mut self, graded: &Graded) {
        self.right += usize::from(graded.right == graded.of);
        self.of += 1;
    }
}

/// One word, teacher-forced.
struct Graded {
    length: usize,
    /// Answer tokens that are the most likely ones.
    right: usize,
    of: usize,
}

/// A prompt and its answer behind a prefix.
struct Question {
    set: usize,
    length: usize,
    /// Word, tail and answer but for its last token.
    ids: Vec<u32>,
    answer: Vec<u32>,
}

fn grade(lab: &Lab<'_>, template: &Template, format: &AnswerFormat, purpose: &str) -> anyhow::Result<Vec<Graded>> {
    let (plan, seed) = (lab.plan, lab.args.seed);
    let style = AnswerStyle::paper();
    let all = &plan.vocabulary.words;
    let answer = |word: &Word| format.text(&word.text, &style).unwrap_or_default();
    let mut words = plan.split.test.clone();
    words.shuffle(&mut rng(seed, &format!("paper/ability/{purpose}")));
    words.truncate(SPELLED);
    let sets: Vec<Vec<usize>> = (0..SETS)
        .map(|set| {
            let mut draw = rng(seed, &format!("paper/ability/{purpose}/set={set}"));
            index::sample(&mut draw, all.len(), 10.min(all.len())).into_vec()
        })
        .collect();
    let texts: Vec<String> = sets
        .iter()
        .map(|set| {
            let line = |&word: &usize| {
                format!(
                    "{}{}{}",
                    template.line(&all[word]),
                    answer(&all[word]),
                    template.separator
                )
            };
            set.iter().map(line).collect::<String>() + &template.before
        })
        .collect();
    let with_bos = |text: &str| -> anyhow::Result<Vec<u32>> {
        Ok(plan
            .tokenizer
            .bos()
            .into_iter()
            .chain(plan.tokenizer.encode(text)?)
            .collect())
    };
    let prefixes = texts
        .iter()
        .map(|text| with_bos(text))
        .collect::<anyhow::Result<Vec<_>>>()?;
    let mut questions = Vec::new();
    for (at, &word) in words.iter().enumerate() {
        let set = at % SETS;
        if sets[set].contains(&word) {
            continue;
        }
        let text = format!("{}{}{}", texts[set], all[word].text, template.after);
        let base = with_bos(&text)?;
        let whole = with_bos(&(text + &answer(&all[word])))?;
        // Where the answer changes how the text before it is split, the question is another one.
        if !base.starts_with(&prefixes[set]) || !whole.starts_with(&base) || whole.len() == base.len() {
            continue;
        }
        questions.push(Question {
            set,
            length: all[word].text.chars().filter(|c| c.is_alphabetic()).count(),
            ids: whole[prefixes[set].len()..whole.len() - 1].to_vec(),
            answer: whole[base.len()..].to_vec(),
        });
    }
    let layers = lab.model.config().layers;
    let caches: Vec<PrefixCache> = prefixes
        .iter()
        .map(|ids| lab.model.prefix(ids, layers, None))
        .collect::<Result<_, _>>()?;
    let graded = questions.par_iter().map(|question| -> anyhow::Result<Graded> {
        let prefix = &caches[question.set];
        let x = lab.model.embed(&question.ids, 1, prefix.len())?;
        let x = lab.model.run(x, 1, 0..layers, Some(prefix), Keep::All)?;
        let d = lab.model.config().hidden_size;
        let from = question.ids.len() - question.answer.len();
        let last = &x[from * d..];
        let logits = lab.model.all_logits(&lab.model.final_norm(last))?;
        let vocabulary = lab.model.config().vocab_size;
        let right = logits
            .chunks_exact(vocabulary)
            .zip(&question.answer)
            .filter(|(row, answer)| top(row) == **answer as usize)
            .count();
        Ok(Graded {
            length: question.length,
            right,
            of: question.answer.len(),
        })
    });
    graded.collect()
}

fn top(row: &[f32]) -> usize {
    (0..row.len())
        .max_by(|&a, &b| row[a].total_cmp(&row[b]))
        .unwrap_or_default()
}
