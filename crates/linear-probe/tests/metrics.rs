//! Classification scores and latent thresholds against by-hand values and exhaustive search.

use linear_probe::latent::{best_threshold_f1, best_thresholds};
use linear_probe::metrics::{Confusion, confusion, evaluate, roc_auc};
use linear_probe::{Labels, ProbeError};
use proptest::prelude::*;

#[test]
fn auc_counts_ties_one_half() {
    let positive = [true, false, true, false];
    assert_eq!(roc_auc(&[3.0, 1.0, 2.0, 0.0], &positive), Some(1.0));
    assert_eq!(roc_auc(&[1.0; 4], &positive), Some(0.5));
    // Pairs: 2>1, 2>2 tie, 0<1, 0<2: 1.5 of 4.
    assert_eq!(roc_auc(&[2.0, 1.0, 0.0, 2.0], &positive), Some(0.375));
    assert_eq!(roc_auc(&[0.0, -0.0, 0.0, -0.0], &positive), Some(0.5));
    assert_eq!(roc_auc(&[1.0, 2.0], &[true, true]), None);
}

#[test]
fn classes_without_rows_are_listed_and_left_out() {
    let labels = Labels::new(&[0, 2, 0, 2], 3).expect("valid");
    let scores = [1.0, 0.0, -1.0, -1.0, 0.0, 1.0, -1.0, 0.0, -1.0, -1.0, 0.0, 1.0];
    let report = evaluate(&scores, &labels, 0.0).expect("valid");
    assert_eq!(report.undefined, [1]);
    assert_eq!(report.macro_mean(|class| class.recall), Some(0.75));
    assert_eq!(report.macro_mean(|class| class.precision), Some(1.0));
    let mut bad = scores;
    bad[4] = f64::NAN;
    assert!(matches!(
        evaluate(&bad, &labels, 0.0),
        Err(ProbeError::NonFinite { row: 1, column: 1, .. })
    ));
}

#[test]
fn latent_by_hand() {
    let positive = [true, true, true, false, false, false];
    let nonzero = [(0, 5.0), (1, 3.0), (3, 1.0), (4, 1.0)];
    let found = best_threshold_f1(&nonzero, &positive)
        .expect("valid")
        .expect("has rows");
    assert!((found.threshold - 2.0).abs() < 1e-15);
    let count = |true_positives, false_positives, false_negatives| Confusion {
        true_positives,
        false_positives,
        false_negatives,
    };
    assert_eq!(found.best, count(2, 0, 1));
    assert_eq!(found.fires, count(2, 2, 1));
    assert!((found.best.f1() - 0.8).abs() < 1e-15);

    let silent = best_threshold_f1(&[], &positive).expect("valid").expect("has rows");
    assert_eq!(silent.best, count(0, 0, 3));
    assert_eq!(best_threshold_f1(&[(0, 1.0)], &[false]), Ok(None));
}

#[test]
fn latent_refuses_bad_rows() {
    let positive = [true, false];
    let found = |nonzero: &[(usize, f32)]| best_threshold_f1(nonzero, &positive);
    assert_eq!(found(&[(2, 1.0)]), Err(ProbeError::RowOutOfRange { row: 2, n: 2 }));
    assert_eq!(found(&[(1, 1.0), (1, 2.0)]), Err(ProbeError::DuplicateRow { row: 1 }));
    assert!(matches!(
        found(&[(0, f32::NAN)]),
        Err(ProbeError::NonFinite { row: 0, .. })
    ));
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// Small integers make ties frequent. Every threshold that separates anything is tried.
    #[test]
    fn best_threshold_is_the_best(rows in prop::collection::vec((0..3_usize, 0..6_u8), 1..40)) {
        let values: Vec<f64> = rows.iter().map(|row| f64::from(row.1)).collect();
        let classes: Vec<usize> = rows.iter().map(|row| row.0).collect();
        let labels = Labels::new(&classes, 3).expect("valid");
        let nonzero: Vec<(usize, f32)> = rows
            .iter()
            .enumerate()
            .filter(|(_, row)| row.1 > 0)
            .map(|(index, row)| (index, f32::from(row.1)))
            .collect();
        for (class, found) in best_thresholds(&nonzero, &labels).expect("valid").iter().enumerate() {
            let positive: Vec<bool> = classes.iter().map(|&c| c == class).collect();
            let best = (0..6)
                .map(|cut| confusion(&values, &positive, f64::from(cut)).f1())
                .fold(0.0, f64::max);
            match found {
                None => prop_assert_eq!(labels.counts()[class], 0),
                Some(found) => {
                    prop_assert!((found.best.f1() - best).abs() < 1e-12);
                    prop_assert_eq!(found.best, confusion(&values, &positive, found.threshold));
                    prop_assert_eq!(found.fires, confusion(&values, &positive, 0.0));
                }
            }
        }
    }

    #[test]
    fn auc_is_the_share_of_ordered_pairs(rows in prop::collection::vec((any::<bool>(), -3..4_i8), 1..30)) {
        let scores: Vec<f64> = rows.iter().map(|row| f64::from(row.1)).collect();
        let positive: Vec<bool> = rows.iter().map(|row| row.0).collect();
        let (mut wins, mut pairs) = (0.0, 0.0);
        for a in rows.iter().filter(|row| row.0) {
            for b in rows.iter().filter(|row| !row.0) {
                pairs += 1.0;
                wins += match a.1.cmp(&b.1) {
                    std::cmp::Ordering::Greater => 1.0,
                    std::cmp::Ordering::Equal => 0.5,
                    std::cmp::Ordering::Less => 0.0,
                };
            }
        }
        match roc_auc(&scores, &positive) {
            None => prop_assert!(pairs < 0.5),
            Some(auc) => prop_assert!((auc - wins / pairs).abs() < 1e-12),
        }
    }
}
