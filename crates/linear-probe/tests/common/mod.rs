//! Data that the tests share.

use rand::{Rng, RngExt};

/// 60 rows, 5 columns, 3 classes from a linear congruential generator, so that an independent
/// implementation can build the same numbers. Columns 3 and 4 have another scale and another
/// mean. Generator: `s' = (1103515245 s + 12345) mod 2^31`, `s_0 = 12345`, `x = 2 s / 2^31 - 1`.
pub(crate) fn golden_data() -> (Vec<f32>, Vec<usize>) {
    let mut state = 12_345_u64;
    let mut x: Vec<f32> = (0..60 * 5)
        .map(|_| {
            state = (state * 1_103_515_245 + 12_345) % (1 << 31);
            (state as f64 / f64::from(1_u32 << 31) * 2.0 - 1.0) as f32
        })
        .collect();
    let classes: Vec<usize> = (0..60)
        .map(|i| if i % 5 == 0 { 0 } else { (i * i + i / 3) % 3 })
        .collect();
    for (row, &class) in x.chunks_exact_mut(5).zip(&classes) {
        row[class] += 0.75;
        row[3] *= 8.0;
        row[4] += 3.0;
    }
    (x, classes)
}

/// `n` rows of `classes` shifted clusters in `d` anisotropic dimensions, class sizes unequal.
pub(crate) fn clusters(n: usize, d: usize, classes: usize, rng: &mut impl Rng) -> (Vec<f32>, Vec<usize>) {
    let shifts: Vec<f32> = (0..classes * d).map(|_| rng.random_range(-0.25..0.25)).collect();
    let labels: Vec<usize> = (0..n)
        .map(|row| {
            if row < 2 * classes {
                row % classes
            } else {
                let u: f64 = rng.random();
                ((u * u * classes as f64) as usize).min(classes - 1)
            }
        })
        .collect();
    let x = labels
        .iter()
        .flat_map(|&class| {
            let shift = &shifts[class * d..(class + 1) * d];
            (0..d)
                .map(|j| {
                    let noise: f32 = (0..4).map(|_| rng.random_range(-0.5..0.5_f32)).sum();
                    // Scales from 1 to about 20, as in residual streams, and a common offset.
                    (1.0 + 20.0 * (j as f32 / d as f32).powi(4)) * (shift[j] + noise) + 3.0
                })
                .collect::<Vec<_>>()
        })
        .collect();
    (x, labels)
}
