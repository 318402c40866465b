//! Encoding with autoencoders of 16 thousand to a million latents, as shares of what this machine can multiply and read.
//!
//! `VERNIER_BENCH_LATENTS=16384,65536` chooses other widths; the default writes 9.7 GB to the temporary folder for the widest, one
//! width at a time, and owns 4 GB at most. Reading is bounded by a file in the page cache: what a disk adds is not measured.

use std::path::Path;

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, criterion_group, criterion_main};
use kernels::Threads;
use sae::{OpenOptions, Residency, Sae};
use vernier_benches::{OwnMemory, StreamedSae, bandwidth, peak, timed};

const WIDTHS: [usize; 3] = [16_384, 65_536, 1 << 20];
/// Wider ones are measured mapped only: a million latents are 19 GB in f32.
const WIDEST_RESIDENT: usize = 65_536;
/// Width of Gemma-2-2b.
const D_IN: usize = 2304;
const ROWS: usize = 256;
const K: usize = 64;
/// Far beyond what caches hold.
const READ: usize = 2 << 30;

/// What the machine can do: operations and bytes per second.
#[derive(Clone, Copy)]
struct Limits {
    flops: f64,
    bytes: f64,
}

fn widths() -> Vec<usize> {
    std::env::var("VERNIER_BENCH_LATENTS").map_or_else(
        |_| WIDTHS.to_vec(),
        |list| {
            let width = |width: &str| {
                width
                    .trim()
                    .parse()
                    .expect("VERNIER_BENCH_LATENTS is numbers with commas between")
            };
            list.split(',').map(width).collect()
        },
    )
}

/// Rows that look like activations in that they have no pattern.
fn rows() -> Vec<f32> {
    (0..(ROWS * D_IN) as u64)
        .map(|at| (at.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40) as f32 / f32::from(1u16 << 15) - 256.0)
        .collect()
}

fn open(folder: &Path, residency: Residency) -> Sae {
    OpenOptions::new()
        .residency(residency)
        .open(folder)
        .expect("what was written opens")
}

fn measure(group: &mut BenchmarkGroup<'_, WallTime>, sae: &Sae, x: &[f32], limits: Option<Limits>) {
    let (kind, size) = if sae.is_mapped() {
        ("mapped bf16", 2)
    } else {
        ("resident f32", 4)
    };
    let weights = (sae.d_in() * sae.d_sae()) as f64;
    let memory = OwnMemory::watch();
    let spread = timed(group, &format!("{}/{kind}", sae.d_sae()), || sae.encode(x));
    let most = memory.most().unwrap_or_default() as f64;
    if let (Some(spread), Some(limits)) = (spread, limits) {
        let share = |time: f64| {
            let flops = 2.0 * ROWS as f64 * weights / time;
            let bytes = weights * f64::from(size) / time;
            format!(
                "{:.1} GFLOP/s, {:.0} % of the peak; {:.1} GB/s of weights, {:.0} % of the reading rate",
                flops / 1e9,
                100.0 * flops / limits.flops,
                bytes / 1e9,
                100.0 * bytes / limits.bytes,
            )
        };
        println!(
            "  {} latents, {kind}: {spread}\n    median {}\n    fastest {}\n    owns {:.2} GiB at most",
            sae.d_sae(),
            share(spread.median),
            share(spread.min),
            most / f64::from(1 << 30),
        );
    }
}

fn bench(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("encode");
    let flops = peak(&mut group, "all threads", Threads::Pool);
    let bytes = bandwidth(&mut group, READ);
    let limits = flops.zip(bytes).map(|(flops, bytes)| Limits { flops, bytes });
    if let Some(Limits { flops, bytes }) = limits {
        println!(
            "encode summary: {ROWS} rows of width {D_IN}, top {K}; the machine multiplies {:.1} GFLOP/s and reads {:.1} GB/s",
            flops / 1e9,
            bytes / 1e9,
        );
    }
    let x = rows();
    for d_sae in widths() {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let shape = StreamedSae {
            d_in: D_IN,
            d_sae,
            k: K,
        };
        shape.write(folder.path()).expect("the temporary folder has room");
        let mapped = open(folder.path(), Residency::Mapped);
        measure(&mut group, &mapped, &x, limits);
        if d_sae <= WIDEST_RESIDENT {
            let resident = open(folder.path(), Residency::Resident);
            let (a, b) = (mapped.encode(&x), resident.encode(&x));
            let same = (0..ROWS).filter(|&row| a.row(row).0 == b.row(row).0).count();
            println!("  {d_sae} latents: {same} of {ROWS} rows have the same latents mapped and resident");
            measure(&mut group, &resident, &x, limits);
        }
    }
    group.finish();
}

criterion_group!(benches, bench);
criterion_main!(benches);
