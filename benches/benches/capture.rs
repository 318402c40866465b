//! Capture of the whole vocabulary at layer 1: shared example sets against fresh examples per word.

use ablation::Stage;
use criterion::{Criterion, criterion_group, criterion_main};
use model_runner::Transformer;
use tasks::IclPlan;
use vernier_benches::{FullPass, Prompts, embedded_model, timed};

const LAYER: usize = 1;
const SETS: usize = 8;

/// Prefixes and capture, as `bench run` does it.
fn staged(model: &Transformer, prompts: &Prompts) -> anyhow::Result<Vec<f32>> {
    let stage = Stage::new(model, &prompts.set.prefixes, prompts.items(), prompts.answers.ids())?;
    let all: Vec<usize> = (0..stage.items().len()).collect();
    Ok(stage.site_vectors(LAYER, &all)?)
}

fn bench(criterion: &mut Criterion) {
    let folder = embedded_model();
    let model = Transformer::open(&folder).expect("the shipped model opens");
    let prompts = |plan| Prompts::new(&folder, plan, None).expect("the shipped tokenizer has words");
    let shared = prompts(IclPlan::Shared {
        sets: SETS,
        prompts_per_word: 1,
    });
    let fresh = prompts(IclPlan::Fresh { prompts_per_word: 1 });
    let full = FullPass::new(&model, &fresh.set, fresh.answers.ids()).expect("the answers are tokens");

    let a = staged(&model, &fresh).expect("the capture runs");
    let b = full.site_vectors(LAYER).expect("the capture runs");
    let worst = a
        .iter()
        .zip(&b)
        .map(|(a, b)| (a - b).abs() / (1.0 + a.abs()))
        .fold(0.0, f32::max);
    assert!(worst < 1e-4, "the two ways differ by {worst}");

    let mut group = criterion.benchmark_group("capture");
    let times = (
        timed(&mut group, "shared-sets", || staged(&model, &shared)),
        timed(&mut group, "fresh-sets", || staged(&model, &fresh)),
        timed(&mut group, "fresh-to-the-layer", || full.site_vectors(LAYER)),
    );
    group.finish();
    if let (Some(shared_time), Some(fresh_time), Some(short_time)) = times {
        println!(
            "capture summary: {} words at layer {LAYER}, {:.0} + {} tokens a prompt\n  \
             {SETS} shared sets                       {shared_time}\n  \
             fresh sets, as `--icl fresh`         {fresh_time}\n  \
             fresh sets, layers 0 to {LAYER} only       {short_time}\n  \
             ratios {:.1} and {:.1} of medians, {:.1} and {:.1} of fastest samples; largest relative difference {worst:.1e}",
            shared.set.prompts.len(),
            fresh.mean_prefix(),
            fresh.set.suffix_len(),
            fresh_time.median / shared_time.median,
            short_time.median / shared_time.median,
            fresh_time.min / shared_time.min,
            short_time.min / shared_time.min,
        );
    }
}

criterion_group!(benches, bench);
criterion_main!(benches);
