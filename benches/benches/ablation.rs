//! Exact edits by prefix reuse against whole passes: 64 words, 32 edits each, at layer 1.

use ablation::Stage;
use ablation::effects::LetterLogits;
use criterion::{Criterion, criterion_group, criterion_main};
use model_runner::Transformer;
use rand::Rng;
use tasks::IclPlan;
use vernier_benches::{FullPass, Prompts, embedded_model, timed};

const LAYER: usize = 1;
const WORDS: usize = 64;
const EDITS: usize = 32;
/// Length of an edit, in units of the square root of the width: a third of a normed vector.
const DOSE: f32 = 0.3;
/// Largest difference of a logit that counts as the same number.
const TOLERANCE: f32 = 1e-4;

/// `[EDITS][d]`: the same random directions for every word.
fn directions(d: usize) -> Vec<Vec<f32>> {
    let mut rng = stats::seed::rng(0, "benches/ablation/directions");
    let mut draw = || f64::from(rng.next_u32()) / f64::from(u32::MAX) - 0.5;
    let mut direction = || -> Vec<f32> {
        let raw: Vec<f64> = (0..d).map(|_| draw()).collect();
        let length = raw.iter().map(|v| v * v).sum::<f64>().sqrt();
        raw.iter()
            .map(|v| (v / length) as f32 * DOSE * (d as f32).sqrt())
            .collect()
    };
    (0..EDITS).map(|_| direction()).collect()
}

/// Prefixes, capture and edited suffixes: everything that reuse costs.
fn by_reuse(model: &Transformer, prompts: &Prompts, edits: &[Vec<f32>]) -> anyhow::Result<Vec<LetterLogits>> {
    let stage = Stage::new(model, &prompts.set.prefixes, prompts.items(), prompts.answers.ids())?;
    let captures = stage.capture(&[LAYER], None)?;
    let rows: Vec<usize> = (0..WORDS * EDITS).map(|job| job / EDITS).collect();
    let edited = |(job, &row): (usize, &usize)| {
        captures[0]
            .site(row)
            .iter()
            .zip(&edits[job % EDITS])
            .map(|(x, delta)| x + delta)
            .collect::<Vec<f32>>()
    };
    let vectors: Vec<f32> = rows.iter().enumerate().flat_map(edited).collect();
    Ok(stage.edited_logits(&captures[0], &rows, &vectors)?)
}

fn by_whole_passes(full: &FullPass<'_>, edits: &[Vec<f32>]) -> anyhow::Result<Vec<LetterLogits>> {
    let prompts: Vec<usize> = (0..WORDS * EDITS).map(|job| job / EDITS).collect();
    let deltas: Vec<&[f32]> = (0..WORDS * EDITS).map(|job| edits[job % EDITS].as_slice()).collect();
    full.edited_logits(LAYER, &prompts, &deltas)
}

fn bench(criterion: &mut Criterion) {
    let folder = embedded_model();
    let model = Transformer::open(&folder).expect("the shipped model opens");
    let plan = IclPlan::Shared {
        sets: 8,
        prompts_per_word: 1,
    };
    let prompts = Prompts::new(&folder, plan, Some(WORDS)).expect("the shipped tokenizer has words");
    assert_eq!(prompts.set.prompts.len(), WORDS, "no word was left out");
    let full = FullPass::new(&model, &prompts.set, prompts.answers.ids()).expect("the answers are tokens");
    let edits = directions(model.config().hidden_size);

    let reuse = by_reuse(&model, &prompts, &edits).expect("the edits run");
    let whole = by_whole_passes(&full, &edits).expect("the edits run");
    let pairs = reuse.iter().flatten().zip(whole.iter().flatten());
    let worst = pairs.map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    assert!(worst < TOLERANCE, "the two ways differ by {worst}");

    let mut group = criterion.benchmark_group("ablation");
    let reuse = timed(&mut group, "prefix-reuse", || by_reuse(&model, &prompts, &edits));
    let whole = timed(&mut group, "whole-passes", || by_whole_passes(&full, &edits));
    group.finish();
    if let (Some(reuse), Some(whole)) = (reuse, whole) {
        println!(
            "ablation summary: {WORDS} words x {EDITS} edits at layer {LAYER}, {:.0} + {} tokens a prompt\n  \
             prefix reuse  {reuse}\n  whole passes  {whole}\n  \
             ratio {:.1} of medians, {:.1} of fastest samples; largest difference of a logit {worst:.1e}",
            prompts.mean_prefix(),
            prompts.set.suffix_len(),
            whole.median / reuse.median,
            whole.min / reuse.min,
        );
    }
}

criterion_group!(benches, bench);
criterion_main!(benches);
