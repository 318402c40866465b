//! What this machine can do at best: the rates that others are stated as fractions of.

use criterion::BenchmarkGroup;
use criterion::measurement::WallTime;
use kernels::{Layout, Threads, gemm_f32};
use rayon::prelude::*;

use crate::timed;

/// `(m, k, n)`: large squares, and the products of a Gemma-2-2b MLP on one chunk's rows.
const SHAPES: [(usize, usize, usize); 4] = [
    (1024, 1024, 1024),
    (2048, 2048, 2048),
    (288, 2304, 18_432),
    (1152, 9216, 2304),
];
/// Best rate of f32 products over all shapes, in operations per second; `None` where a filter left it out.
pub fn peak(group: &mut BenchmarkGroup<'_, WallTime>, name: &str, threads: Threads) -> Option<f64> {
    let rate = |&(m, k, n): &(usize, usize, usize)| -> Option<f64> {
        let a: Vec<f32> = (0..m * k).map(|i| (i % 17) as f32 - 8.0).collect();
        let b: Vec<f32> = (0..k * n).map(|i| (i % 13) as f32 - 6.0).collect();
        let mut out = vec![0.0; m * n];
        let spread = timed(group, &format!("peak/{name}/{m}x{k}x{n}"), || {
            let (a, b) = ((a.as_slice(), Layout::rows(k)), (b.as_slice(), Layout::rows(n)));
            gemm_f32((m, k, n), a, b, (&mut out, Layout::rows(n)), false, 1.0, threads);
        })?;
        let flops = 2.0 * (m * k * n) as f64;
        println!("  {name} {m}x{k}x{n}: {:.1} GFLOP/s", flops / spread.median / 1e9);
        Some(flops / spread.min)
    };
    SHAPES.iter().filter_map(rate).reduce(f64::max)
}

/// Words that are read at a time by one task.
const STRETCH: usize = 1 << 17;

/// Rate at which all threads together read a buffer of `bytes` from front to back, in bytes per second; `None` where a filter
/// left it out.
pub fn bandwidth(group: &mut BenchmarkGroup<'_, WallTime>, bytes: usize) -> Option<f64> {
    let words: Vec<u64> = (0..bytes as u64 / 8).collect();
    let sum = |words: &[u64]| words.iter().fold(0u64, |sum, &word| sum.wrapping_add(word));
    let read = || words.par_chunks(STRETCH).map(sum).reduce(|| 0, u64::wrapping_add);
    let spread = timed(group, "read/all threads", read)?;
    Some(words.len() as f64 * 8.0 / spread.min)
}
