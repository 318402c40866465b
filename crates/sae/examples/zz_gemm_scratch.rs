use kernels::{Layout, Threads, gemm_f32};
use rayon::prelude::*;
use std::time::Instant;
fn main() {
    let k = 2304usize;
    let big = 65536usize;
    let mats: Vec<f32> = (0..k * big).map(|i| (i % 13) as f32 - 6.0).collect();
    // peak
    for (m, n) in [(2048usize, 2048usize)] {
        let a = vec![1.0f32; m * 2048]; let b = vec![1.0f32; 2048 * n];
        let mut out = vec![0.0f32; m * n];
        for (name, th) in [("one", Threads::One), ("pool", Threads::Pool)] {
            let mut best = f64::MAX;
            for _ in 0..6 { let t = Instant::now(); gemm_f32((m, 2048, n), (&a, Layout::rows(2048)), (&b, Layout::rows(n)), (&mut out, Layout::rows(n)), false, 1.0, th); best = best.min(t.elapsed().as_secs_f64()); }
            println!("peak {name}: {:.1}", 2.0 * (m * 2048 * n) as f64 / best / 1e9);
        }
    }
    for m in [128usize, 256, 512, 1024] {
        let x: Vec<f32> = (0..m * k).map(|i| (i % 17) as f32 - 8.0).collect();
        for n in [128usize, 256, 512, 1024, 2048] {
            for (name, kind) in [("rows65k", 0), ("transposed", 1), ("packed[k,n]", 2)] {
                let mut best = f64::MAX;
                let blocks = 8192 / n;
                for _ in 0..4 {
                    let t = Instant::now();
                    (0..2usize).into_par_iter().for_each(|th| {
                        let mut out = vec![0.0f32; m * n];
                        for b in 0..blocks / 2 {
                            let start = (th * blocks / 2 + b) * n;
                            let rhs = match kind { 0 => (&mats[..], Layout::rows(big).at(start)), 1 => (&mats[..], Layout::transposed(k).at(start * k)), _ => (&mats[start * k..], Layout::rows(n)) };
                            gemm_f32((m, k, n), (&x, Layout::rows(k)), rhs, (&mut out, Layout::rows(n)), false, 1.0, Threads::One);
                        }
                    });
                    best = best.min(t.elapsed().as_secs_f64());
                }
                println!("m {m} n {n} {name}: {:.1}", 2.0 * (m * k * 8192) as f64 / best / 1e9);
            }
        }
    }
}
