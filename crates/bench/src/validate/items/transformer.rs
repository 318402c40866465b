//! A checkpoint whose attention heads copy the letter at known layers.

use std::collections::BTreeMap;

use ablation::layers::{WordPair, patch_pairs};
use ablation::planted::transformer::{Tokens, Wiring};
use ablation::planted::{directions, scores};
use ablation::{Bench, Captured, Item, Labelled, Pair, Stage, arms};
use checkpoint::write::TensorData;
use model_runner::Transformer;

use super::{Check, Setting, mean_of};

/// Letters.
const LETTERS: usize = 26;
/// Tokens between a word and the answer.
const BETWEEN: usize = 2;

pub(super) fn checks(setting: &Setting) -> anyhow::Result<Vec<Check>> {
    let words = setting.size(6, 20);
    let mut checks = one(
        "one copy",
        &Wiring {
            copies: vec![0.0, 0.0, 1.0, 0.0],
            words,
        },
        setting,
    )?;
    checks.extend(one(
        "two halves",
        &Wiring {
            copies: vec![0.0, 0.5, 0.0, 0.5, 0.0],
            words,
        },
        setting,
    )?);
    Ok(checks)
}

fn one(name: &str, wiring: &Wiring, setting: &Setting) -> anyhow::Result<Vec<Check>> {
    const SHARE: &str = "what the layers above still copy; tolerance: the last norm";
    let folder = tempfile::tempdir()?;
    let made = wiring.checkpoint(setting.seed);
    fs_err::write(folder.path().join("config.json"), &made.config)?;
    let tensors: Vec<TensorData<'_>> = made
        .tensors
        .iter()
        .map(|(name, shape, values)| TensorData::f32(name.as_str(), shape, values))
        .collect();
    checkpoint::write::safetensors(&folder.path().join("model.safetensors"), &tensors, &BTreeMap::new())?;
    let model = Transformer::open(folder.path())?;

    let tokens = made.tokens;
    let prefix = vec![Tokens::START, Tokens::FILLER, Tokens::FILLER];
    let items: Vec<Item> = (0..LETTERS * wiring.words)
        .map(|row| {
            let mut suffix = vec![tokens.word(row / wiring.words, row % wiring.words)];
            suffix.extend([Tokens::FILLER; BETWEEN]);
            suffix.push(Tokens::ANSWER);
            Item { set: 0, suffix }
        })
        .collect();
    let stage = Stage::new(&model, &[prefix], items, &tokens.letters())?;
    let class_of: Vec<usize> = (0..LETTERS * wiring.words).map(|row| row / wiring.words).collect();
    let layers: Vec<usize> = (0..wiring.copies.len()).collect();
    let captures = stage.capture(&layers, None)?;
    let mut checks = Vec::new();
    for (capture, planted) in captures.iter().zip(wiring.site_shares()) {
        let clean = stage.clean_logits(capture)?;
        let n = class_of.len();
        let pairs: Vec<WordPair> = (0..n)
            .map(|row| {
                let donor = (row + wiring.words * (1 + row % (LETTERS - 1))) % n;
                WordPair {
                    row,
                    donor,
                    from: class_of[row],
                    to: class_of[donor],
                }
            })
            .collect();
        let effects = patch_pairs(&stage, capture, &clean, &pairs)?;
        let patched: f64 = effects.iter().map(|effect| effect.patched).sum();
        let total: f64 = effects.iter().map(|effect| effect.total).sum();
        checks.push(Check::near(
            format!("site share, {name}, layer {}", capture.layer),
            planted,
            0.01,
            patched / total,
            SHARE,
        ));
    }
    checks.extend(edits(name, wiring, &stage, &captures, &class_of)?);
    Ok(checks)
}

/// The arms on the planted site before anything is copied, and behind the last copy.
fn edits(
    name: &str,
    wiring: &Wiring,
    stage: &Stage<'_>,
    captures: &[ablation::Capture],
    class_of: &[usize],
) -> anyhow::Result<Vec<Check>> {
    const KNOWN: &str = "the letter is one direction of the embedding, and nothing else tells it";
    let mut checks = Vec::new();
    for (capture, share) in captures.iter().zip(wiring.site_shares()) {
        // Between the copies the ceiling is a part of the answer, which the gate on ceilings decides by rounding.
        if share > 0.0 && share < 1.0 {
            continue;
        }
        let site = Captured { stage, capture };
        let all = Labelled {
            x: capture.sites(),
            y: class_of.to_vec(),
            d: capture.d(),
            classes: LETTERS,
        };
        let found = directions(&all)?;
        let mut taken = [0; LETTERS];
        let pairs: Vec<Pair> = (0..LETTERS)
            .flat_map(|class| (0..class_of.len()).map(move |row| (class, row)))
            .filter_map(|(class, row)| {
                let on = class_of[row] == class;
                // Two words of each other letter are enough.
                (on || row % wiring.words < 2).then_some(Pair { class, row, on })
            })
            .inspect(|pair| taken[pair.class] += 1)
            .collect();
        let donors = vec![None; class_of.len()];
        let full = arms::full_site(&found);
        let bench = Bench::new(&site, (0..LETTERS).collect(), class_of.to_vec(), pairs, donors, &full)?;
        let ceiling = scores(&bench, &full, None)?;
        if share < 0.5 {
            checks.push(Check::near(
                format!("letters without a ceiling, {name}, layer {}", capture.layer),
                LETTERS as f64,
                0.0,
                ceiling.unidentified.len() as f64,
                "behind the last copy no edit of the word can change the answer",
            ));
            continue;
        }
        let leace = scores(&bench, &arms::leace_1(&found, &all), None)?;
        checks.push(Check::near(
            format!("MS of LEACE, {name}, layer {}", capture.layer),
            1.0,
            0.05,
            mean_of(&leace, |s| s.ms),
            KNOWN,
        ));
        checks.push(Check::below(
            format!("O of LEACE, {name}, layer {}", capture.layer),
            0.1,
            mean_of(&leace, |s| s.o_mean),
            KNOWN,
        ));
    }
    Ok(checks)
}
