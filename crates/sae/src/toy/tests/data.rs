//! Rows follow the rule.

use super::super::alias::Alias;
use super::super::batch::{Batch, Sampler};
use super::super::{Setting, ToyData, stream};

#[test]
fn rates_are_those_of_the_paper() {
    for setting in Setting::ALL {
        let patterns = 0..1u32 << setting.features();
        let total: f64 = patterns.clone().map(|firing| setting.probability(firing)).sum();
        assert!((total - 1.0).abs() < 1e-12, "{setting:?}: {total}");
        let rate = |mask: u32| -> f64 {
            let firing = patterns.clone().filter(|firing| firing & mask == mask);
            firing.map(|firing| setting.probability(firing)).sum()
        };
        let (parent, child, both) = match setting {
            Setting::Independent => (0.25, 0.05, 0.0125),
            Setting::Hierarchical | Setting::MagnitudeVariance => (0.25, 0.05, 0.05),
            Setting::PartialCoOccurrence => (0.25, 0.05, 0.0475),
            Setting::BatchTopK => (0.4, 0.24, 0.24),
        };
        for (mask, want) in [(1, parent), (2, child), (3, both), (4, rate(8))] {
            assert!(
                (rate(mask) - want).abs() < 1e-12,
                "{setting:?}: {} is not {want}",
                rate(mask)
            );
        }
    }
}

/// Rates of each feature and pair over rows with counts agree with the rule to five standard errors.
#[track_caller]
fn check(setting: Setting, batch: &Batch) {
    let features = setting.features();
    let rows = batch.weights.iter().sum::<f64>();
    for mask in (0..features).flat_map(|a| (0..=a).map(move |b| 1u32 << a | 1 << b)) {
        let all = |firing: u32| firing & mask == mask;
        let want: f64 = (0..1 << features)
            .filter(|&firing| all(firing))
            .map(|firing| setting.probability(firing))
            .sum();
        let count = batch.magnitudes.chunks_exact(features).zip(&batch.weights);
        let hits = count.filter(|(row, _)| (0..features).all(|at| mask >> at & 1 == 0 || row[at] > 0.0));
        let got = hits.map(|(_, weight)| weight).sum::<f64>() / rows;
        let error = (want * (1.0 - want) / rows).sqrt();
        assert!(
            (got - want).abs() <= 5.0 * error,
            "{setting:?} {mask:b}: {got} is not {want}"
        );
    }
}

#[test]
fn merged_batches_and_single_rows_follow_the_rule() {
    for setting in Setting::ALL {
        let mut sampler = Sampler::new(setting, stream::rng(9, "test rows"));
        let (mut batch, mut all) = (Batch::default(), Batch::default());
        for _ in 0..20 {
            sampler.draw(4096, &mut batch);
            assert!((batch.weights.iter().sum::<f64>() - 4096.0).abs() < 0.5);
            all.magnitudes.extend(&batch.magnitudes);
            all.weights.extend(&batch.weights);
        }
        check(setting, &all);
        let magnitudes = ToyData::new(setting, 50, 9).unwrap().magnitudes(40_000);
        let weights = vec![1.0; 40_000];
        check(setting, &Batch { magnitudes, weights });
    }
}

#[test]
fn only_the_parent_of_one_setting_varies() {
    for setting in Setting::ALL {
        let rows = ToyData::new(setting, 50, 1).unwrap().magnitudes(40_000);
        let rows = rows.chunks_exact(setting.features());
        let parents: Vec<f64> = rows.clone().map(|row| row[0]).filter(|&size| size > 0.0).collect();
        let mean = parents.iter().sum::<f64>() / parents.len() as f64;
        let square = parents.iter().map(|size| (size - mean).powi(2)).sum::<f64>() / parents.len() as f64;
        assert!((mean - 1.0).abs() < 5e-3);
        assert!((square.sqrt() - setting.parent_deviation()).abs() < 3e-3);
        assert!(rows.flat_map(|row| &row[1..]).all(|size| [0.0, 1.0].contains(size)));
    }
}

#[test]
fn features_are_orthonormal_and_rows_are_their_sums() {
    let data = ToyData::new(Setting::BatchTopK, 50, 4).unwrap();
    let rows: Vec<&[f64]> = data.features().chunks_exact(50).collect();
    for (i, a) in rows.iter().enumerate() {
        for (j, b) in rows.iter().enumerate() {
            let product: f64 = a.iter().zip(*b).map(|(a, b)| a * b).sum();
            let want = f64::from(u8::from(i == j));
            assert!((product - want).abs() < 1e-14, "{i} {j}: {product}");
        }
    }
    let mut magnitudes = vec![0.0; 24];
    (magnitudes[2], magnitudes[5], magnitudes[12]) = (1.0, 0.5, 2.0);
    let x = data.activations(&magnitudes);
    for at in 0..50 {
        assert!((x[at] - (rows[2][at] + 0.5 * rows[5][at])).abs() < 1e-15);
        assert!((x[50 + at] - 2.0 * rows[0][at]).abs() < 1e-15);
    }
    assert_ne!(
        data.features(),
        ToyData::new(Setting::BatchTopK, 50, 5).unwrap().features()
    );
}

#[test]
fn an_alias_table_holds_its_weights() {
    for weights in [
        vec![2.5],
        vec![0.1, 0.9],
        vec![1.0, 0.0, 3.0],
        (1..=33).map(f64::from).collect(),
    ] {
        let alias = Alias::new(&weights);
        let total: f64 = weights.iter().sum();
        let mut counts = vec![0u32; weights.len()];
        // Every 4097th of all draws: an equidistant sample of the table.
        for draw in (0..=u32::MAX).step_by(4097) {
            counts[alias.pick(draw)] += 1;
        }
        let draws = f64::from(counts.iter().sum::<u32>());
        for (&weight, &count) in weights.iter().zip(&counts) {
            assert!(
                (f64::from(count) / draws - weight / total).abs() < 1e-3,
                "{weights:?}: {counts:?}"
            );
            assert!(weight > 0.0 || count == 0);
        }
    }
}
