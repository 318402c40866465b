//! Properties that hold for any input.

use proptest::prelude::*;
use rand::RngExt;
use stats::{benjamini_hochberg, letter_t, max_t, seed, sign_flip};

fn values() -> impl Strategy<Value = Vec<f64>> {
    prop::collection::vec(-10.0..10.0_f64, 3..30)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn letter_t_moves_with_its_data(values in values(), shift in -5.0..5.0_f64, scale in 0.1..9.0_f64) {
        let plain = letter_t(&values, 0.95).expect("defined");
        let moved: Vec<f64> = values.iter().map(|v| scale * v + shift).collect();
        let moved = letter_t(&moved, 0.95).expect("defined");
        prop_assert!((moved.lo - (scale * plain.lo + shift)).abs() < 1e-9);
        prop_assert!((moved.hi - (scale * plain.hi + shift)).abs() < 1e-9);
    }

    #[test]
    fn q_is_at_least_p_and_keeps_its_order(p in prop::collection::vec(0.0..=1.0_f64, 0..40)) {
        let q = benjamini_hochberg(&p).expect("defined");
        for i in 0..p.len() {
            prop_assert!(q[i] >= p[i] && q[i] <= 1.0);
            for j in 0..p.len() {
                prop_assert!(p[i] > p[j] || q[i] <= q[j]);
            }
        }
    }

    #[test]
    fn sign_flip_ignores_sign_and_scale(values in values(), scale in 0.01..100.0_f64) {
        let plain = sign_flip(&values, 200, 1).expect("defined");
        let scaled: Vec<f64> = values.iter().map(|v| -scale * v).collect();
        let scaled = sign_flip(&scaled, 200, 1).expect("defined");
        prop_assert!((plain.p - scaled.p).abs() < 1e-12);
        prop_assert!(plain.p > 0.0 && plain.p <= 1.0);
    }

    #[test]
    fn max_t_is_a_probability(tests in prop::collection::vec(prop::collection::vec(-1.0..1.0_f64, 9), 1..5)) {
        let p = max_t(&tests, 50, 2).expect("defined");
        prop_assert!(p.iter().all(|&p| p > 0.0 && p <= 1.0));
    }
}

/// Kolmogorov-Smirnov distance of 1,000 null p-values to the uniform distribution; the 99.9 %
/// point is 1.95 / sqrt(1000) = .062.
#[test]
fn null_p_values_are_uniform() {
    let mut p: Vec<f64> = (0..1_000)
        .map(|index| {
            let mut rng = seed::rng(index, "null");
            let d: Vec<f64> = (0..26).map(|_| rng.random_range(-1.0..1.0)).collect();
            sign_flip(&d, 999, index).expect("defined").p
        })
        .collect();
    p.sort_by(f64::total_cmp);
    let distance = p
        .iter()
        .enumerate()
        .map(|(rank, p)| (p - (rank as f64 + 0.5) / 1_000.0).abs())
        .fold(0.0, f64::max);
    assert!(distance < 0.062, "{distance}");
}
