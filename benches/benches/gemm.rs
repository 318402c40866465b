//! This machine's f32 matrix-product peak, and the share of it that the forward pass reaches.

use criterion::{Criterion, criterion_group, criterion_main};
use kernels::Threads;
use model_runner::{Keep, PrefixCache, Transformer};
use rayon::prelude::*;
use vernier_benches::{RandomModel, Spread, embedded_model, peak, run_flops, timed};

/// Tokens before the query word: ten examples of the verbose template.
const PAST: usize = 81;
/// Tokens from the query word on.
const SEQ: usize = 6;

/// A model with one prefix, ready for suffix runs.
struct Ready {
    model: Transformer,
    prefix: PrefixCache,
    chunk: Vec<f32>,
    batch: usize,
}

impl Ready {
    fn new(model: Transformer) -> anyhow::Result<Self> {
        let layers = model.config().layers;
        model.warm(0..layers)?;
        let ids = |n: usize| -> Vec<u32> { (0..n as u32).map(|i| 10 + i * 7 % 3000).collect() };
        let batch = model.chunk_size(1 << 16, SEQ);
        let chunk = model.embed(&ids(batch * SEQ), batch, 0)?;
        Ok(Self {
            prefix: model.prefix(&ids(PAST), layers, None)?,
            model,
            chunk,
            batch,
        })
    }

    fn flops(&self) -> f64 {
        let config = self.model.config();
        run_flops(config, 0..config.layers, self.batch, SEQ, PAST, false)
    }

    /// `chunks` chunks, one thread each.
    fn run(&self, chunks: usize) -> anyhow::Result<Vec<Vec<f32>>> {
        let layers = 0..self.model.config().layers;
        let one = |_| {
            Ok(self.model.run(
                self.chunk.clone(),
                self.batch,
                layers.clone(),
                Some(&self.prefix),
                Keep::All,
            )?)
        };
        if chunks == 1 {
            return one(0).map(|x| vec![x]);
        }
        (0..chunks).into_par_iter().map(one).collect()
    }
}

fn report(name: &str, what: &str, flops: f64, spread: Option<Spread>, peak: Option<f64>) {
    if let (Some(spread), Some(peak)) = (spread, peak) {
        let rate = flops / spread.median;
        println!(
            "  {name}, {what}: {spread}, {:.1} GFLOP/s, {:.0} % of peak, {:.0} % in the fastest sample",
            rate / 1e9,
            100.0 * rate / peak,
            100.0 * flops / spread.min / peak,
        );
    }
}

fn bench(criterion: &mut Criterion) {
    let threads = rayon::current_num_threads();
    let mut group = criterion.benchmark_group("gemm");
    let one = peak(&mut group, "one thread", Threads::One);
    let pool = peak(&mut group, "all threads", Threads::Pool);
    if let (Some(one), Some(pool)) = (one, pool) {
        println!(
            "gemm summary: peak {:.1} GFLOP/s on one thread, {:.1} on {threads}",
            one / 1e9,
            pool / 1e9
        );
    }

    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let shape = RandomModel {
        layers: 2,
        vocab_size: 4096,
        shard_bytes: u64::MAX,
    };
    shape
        .write(folder.path())
        .expect("the temporary folder has room for 0.35 GB");
    for (name, path) in [
        ("embedded model", embedded_model().as_path()),
        ("two Gemma-2-2b layers", folder.path()),
    ] {
        let ready = Ready::new(Transformer::open(path).expect("the model opens")).expect("the model runs");
        let single = timed(&mut group, &format!("{name}/one thread"), || ready.run(1));
        report(name, "one thread", ready.flops(), single, one);
        // Two chunks a thread, as a real run has many.
        let many = timed(&mut group, &format!("{name}/all threads"), || ready.run(2 * threads));
        report(name, "all threads", ready.flops() * 2.0 * threads as f64, many, pool);
    }
    group.finish();
}

criterion_group!(benches, bench);
criterion_main!(benches);
