//! Reliability against a textbook table, by hand, and on tables with known components.

use stats::simulate::{ReliabilityCoverage, ScoreModel, reliability_coverage};
use stats::{Design, Estimate, FacetTable, MDD_FACTOR, Reliability, StatsError, facets, reliability};

/// Six subjects by four judges, table 2 of Shrout & Fleiss 1979.
const SHROUT_FLEISS: [[f64; 4]; 6] = [
    [9.0, 2.0, 5.0, 8.0],
    [6.0, 1.0, 3.0, 2.0],
    [8.0, 4.0, 6.0, 8.0],
    [7.0, 1.0, 2.0, 6.0],
    [10.0, 5.0, 6.0, 9.0],
    [6.0, 2.0, 4.0, 7.0],
];

fn table<const K: usize>(rows: &[[f64; K]]) -> Vec<Vec<f64>> {
    rows.iter().map(|row| row.to_vec()).collect()
}

fn shrout_fleiss(design: Design) -> Reliability {
    reliability(&table(&SHROUT_FLEISS), design, 0.95).expect("defined")
}

/// Quantiles of F and chi-square agree with an independent implementation to 1e-6.
#[track_caller]
fn close(found: Estimate, value: f64, lo: f64, hi: f64) {
    assert!((found.value - value).abs() < 1e-12, "{found:?}");
    assert!((found.lo - lo).abs() < 1e-6, "{found:?}");
    assert!((found.hi - hi).abs() < 1e-6, "{found:?}");
}

/// Published to two digits: ICC(2,1) = .29, ICC(3,1) = .71, ICC(2,4) = .62; limits .02 and .76.
/// More digits from a separate implementation with its own incomplete beta and gamma functions.
#[test]
fn textbook_table_crossed() {
    let found = shrout_fleiss(Design::Crossed);
    close(found.icc, 0.289_763_779_527_559, 0.018_786_513_375, 0.761_084_369_649);
    assert!((found.icc_mean.value - 0.620_050_547_598_989).abs() < 1e-12);
    assert!((found.consistency.expect("crossed") - 0.714_840_714_840_715).abs() < 1e-12);
    close(found.sem, 2.502_776_236_280_201, 1.602_141_494_842, 8.725_265_849_061);
    assert!((found.mdd.value - 1.96 * 2.0_f64.sqrt() * found.sem.value).abs() < 1e-12);
    // Mean squares of the paper: 11.24 between subjects, 32.49 between judges, 1.02 residual.
    let components = found.components;
    assert!((components.residual - 1.019_444_444_444_444).abs() < 1e-12);
    let replicate = components.replicate.expect("crossed");
    assert!((replicate - (32.486_111_111_111_11 - 1.019_444_444_444_444) / 6.0).abs() < 1e-12);
    assert!((components.item - (11.241_666_666_666_67 - 1.019_444_444_444_444) / 4.0).abs() < 1e-12);
    assert!((found.mean - 127.0 / 24.0).abs() < 1e-12);
}

/// Published: ICC(1,1) = .17 with limits -.13 and .72, ICC(1,4) = .44.
#[test]
fn textbook_table_nested() {
    let found = shrout_fleiss(Design::Nested);
    close(found.icc, 0.165_741_768_405_475, -0.132_932_324_875, 0.722_560_062_328);
    assert!((found.icc_mean.value - 0.442_797_133_679_269).abs() < 1e-12);
    close(found.sem, 2.502_776_236_280_201, 1.891_129_342_040, 3.701_166_906_551);
    assert_eq!((found.components.replicate, found.consistency), (None, None));
}

#[test]
fn averaging_redraws() {
    let found = shrout_fleiss(Design::Crossed);
    assert!((found.icc_of_mean(4) - found.icc_mean.value).abs() < 1e-15);
    assert!((found.sem_of_mean(4) - found.sem.value / 2.0).abs() < 1e-15);
    assert!((found.mdd_of_mean(4) - found.mdd.value / 2.0).abs() < 1e-12);
    // Under the same judges only the residual is left: 1.96 sqrt(2 * 1.0194).
    let same = found.mdd_under_same_seeds(1).expect("crossed");
    assert!((same - 1.96 * (2.0 * 1.019_444_444_444_444_f64).sqrt()).abs() < 1e-12);
    assert_eq!(shrout_fleiss(Design::Nested).mdd_under_same_seeds(1), None);
    // The MDD is 6.94.
    assert!(found.distinguishable(0.0, 7.0, 1) && !found.distinguishable(0.0, 6.9, 1));
    assert!(found.distinguishable(3.5, 0.0, 4));
}

/// A redraw that changes nothing: no noise, full reliability, no signal-to-noise ratio.
#[test]
fn constant_rows_have_no_noise() {
    let rows = table(&[[0.1; 5], [0.7; 5], [0.3; 5]]);
    for design in [Design::Crossed, Design::Nested] {
        let found = reliability(&rows, design, 0.95).expect("defined");
        let one = Estimate {
            value: 1.0,
            lo: 1.0,
            hi: 1.0,
        };
        assert_eq!((found.icc, found.icc_mean), (one, one));
        assert_eq!((found.sem.value, found.sem.hi, found.mdd.hi), (0.0, 0.0, 0.0));
        assert_eq!(found.signal_to_noise, None);
    }
}

/// A shift common to all items is noise for absolute agreement, none for consistency.
#[test]
fn common_shift_counts_as_noise() {
    let rows = table(&[[0.0, 1.0, 2.0], [4.0, 5.0, 6.0], [8.0, 9.0, 10.0], [3.0, 4.0, 5.0]]);
    let found = reliability(&rows, Design::Crossed, 0.95).expect("defined");
    assert_eq!(found.consistency, Some(1.0));
    // Columns have variance 1; items 0, 4, 8, 3 around 3.75 have variance 32.75 / 3.
    assert!((found.sem.value - 1.0).abs() < 1e-12);
    let item = 32.75 / 3.0;
    assert!((found.icc.value - item / (item + 1.0)).abs() < 1e-12);
    assert!(found.icc.lo > 0.0 && found.icc.lo < found.icc.value && found.icc.value < found.icc.hi);
    assert_eq!(found.mdd_under_same_seeds(1), Some(0.0));
    // Without a common shift in the design the same table is plain noise within items.
    let nested = reliability(&rows, Design::Nested, 0.95).expect("defined");
    assert!((nested.sem.value - 1.0).abs() < 1e-12 && nested.sem.hi < found.sem.hi);
}

/// The corners of the formulas: finite where a mean square is exactly zero.
#[test]
fn only_a_shift_or_only_noise() {
    let shift = reliability(&table(&[[0.0, 1.0, 5.0]; 4]), Design::Crossed, 0.95).expect("defined");
    // Columns 0, 1, 5 around 2 have variance 7.
    assert!((shift.sem.value - 7.0_f64.sqrt()).abs() < 1e-12);
    assert_eq!((shift.icc.value, shift.consistency), (0.0, None));
    let noise = table(&[[1.0, -1.0], [-1.0, 1.0], [2.0, -2.0], [-2.0, 2.0]]);
    for design in [Design::Crossed, Design::Nested] {
        let found = reliability(&noise, design, 0.95).expect("defined");
        assert!(found.icc.value < 0.0 && found.icc.lo.is_finite() && found.icc.hi.is_finite());
        assert_eq!((found.icc_mean.value, found.icc_of_mean(10)), (0.0, 0.0));
        assert_eq!(found.signal_to_noise, Some(0.0));
    }
}

/// Items without any difference: the estimate may be below zero, its limits stay ordered.
#[test]
fn no_items_to_tell_apart() {
    let rows = table(&[[1.0, -1.0, 0.5], [-1.0, 1.0, 0.2], [0.3, 0.2, -0.6], [0.1, -0.2, 0.3]]);
    for design in [Design::Crossed, Design::Nested] {
        let icc = reliability(&rows, design, 0.95).expect("defined").icc;
        assert!(icc.value < 0.0, "{icc:?}");
        assert!(icc.lo <= icc.value && icc.value <= icc.hi && icc.hi < 1.0, "{icc:?}");
    }
}

#[test]
fn too_little_data_is_an_error() {
    let of = |rows: &[Vec<f64>]| reliability(rows, Design::Crossed, 0.95);
    let small = |items, replicates| {
        Err(StatsError::TooSmallTable {
            items,
            replicates,
            needed_items: 3,
            needed_replicates: 2,
        })
    };
    assert_eq!(of(&[]), small(0, 0));
    assert_eq!(of(&table(&[[1.0, 2.0], [2.0, 3.0]])), small(2, 2));
    assert_eq!(of(&table(&[[1.0], [2.0], [3.0]])), small(3, 1));
    assert_eq!(
        of(&[vec![1.0, 2.0], vec![1.0], vec![2.0, 3.0]]),
        Err(StatsError::RaggedTable {
            item: 1,
            expected: 2,
            found: 1
        })
    );
    assert_eq!(
        of(&table(&[[0.1, 0.1]; 4])),
        Err(StatsError::ConstantTable { value: 0.1 })
    );
    assert!(matches!(
        of(&table(&[[1.0, 2.0], [f64::NAN, 0.0], [1.0, 1.0]])),
        Err(StatsError::NonFinite { position: 0, .. })
    ));
    assert_eq!(
        reliability(&table(&SHROUT_FLEISS), Design::Crossed, 1.0),
        Err(StatsError::InvalidLevel { level: 1.0 })
    );
}

/// ICC .75 and SEM .58 as planted; Monte-Carlo standard error of a coverage .003 over 4,000 tables.
/// The nested limits are exact; the crossed ones are approximations, so their band is wider. Means of unbiased components: four standard errors of a mean of 4,000.
#[track_caller]
fn known_components(design: Design, lowest: f64) {
    let model = ScoreModel {
        items: 8,
        replicates: 10,
        design,
        item_sd: 1.0,
        replicate_sd: 0.3,
        residual_sd: 0.5,
    };
    let found: ReliabilityCoverage = reliability_coverage(&model, 4_000, 0.95, 7).expect("defined");
    println!("{design:?}: {found:?}");
    assert!((lowest..=0.97).contains(&found.icc), "{found:?}");
    assert!((lowest..=0.97).contains(&found.sem), "{found:?}");
    // Item mean squares are chi-square with 7 degrees: relative SD sqrt(2 / 7) over sqrt(4,000).
    assert!((found.mean_item_variance - 1.0).abs() < 4.0 * 0.0088, "{found:?}");
    // SD of squared SEM is below .06 (9 degrees for the replicates' .09, 63 for the residual's .25).
    assert!((found.mean_squared_sem - 0.34).abs() < 4.0 * 0.001, "{found:?}");
}

#[test]
fn limits_cover_known_components_nested() {
    known_components(Design::Nested, 0.935);
}

#[test]
fn limits_cover_known_components_crossed() {
    known_components(Design::Crossed, 0.925);
}

/// Few redraws that carry most of the noise: the hardest case for the limits of a SEM, in which
/// Satterthwaite degrees would cover 91 %. Coverage of the ICC is what the docs promise.
#[test]
fn limits_cover_with_few_noisy_redraws() {
    let model = ScoreModel {
        items: 5,
        replicates: 5,
        design: Design::Crossed,
        item_sd: 1.0,
        replicate_sd: 0.5,
        residual_sd: 0.2,
    };
    let found = reliability_coverage(&model, 4_000, 0.95, 8).expect("defined");
    println!("few redraws: {found:?}");
    assert!((0.935..=0.97).contains(&found.sem), "{found:?}");
    assert!((0.92..=0.96).contains(&found.icc), "{found:?}");
}

/// Two scores of one item under independent redraws differ by less than the MDD in 95 % of pairs.
#[test]
fn mdd_is_a_bound_for_rescored_items() {
    let model = ScoreModel {
        items: 2_000,
        replicates: 6,
        design: Design::Nested,
        item_sd: 2.0,
        replicate_sd: 0.2,
        residual_sd: 0.1,
    };
    let rows = model.table(3).expect("defined");
    let found = reliability(&rows, model.design, 0.95).expect("defined");
    // 10,000 degrees: relative error of the SEM .007; four of it.
    assert!((found.mdd.value / (MDD_FACTOR * model.sem()) - 1.0).abs() < 0.03);
    let pairs: Vec<f64> = rows
        .iter()
        .flat_map(|row| [0, 2, 4].map(|j| row[j] - row[j + 1]))
        .collect();
    let below = pairs.iter().filter(|d| d.abs() < found.mdd.value).count() as f64 / pairs.len() as f64;
    // Standard error .0028 over 6,000 pairs.
    assert!((below - 0.95).abs() < 0.012, "{below}");
    let signal = found.signal_to_noise.expect("noise");
    assert!((signal / (2.0 / model.sem()) - 1.0).abs() < 0.1, "{signal}");
}

#[test]
fn facets_add_up_and_plan() {
    let quiet = table(&[[0.1; 3], [0.7; 3], [0.3; 3], [0.4; 3]]);
    let crossed = table(&[[0.0, 0.1, 0.2], [0.4, 0.5, 0.6], [0.8, 0.9, 1.0], [0.3, 0.4, 0.5]]);
    let tables = [
        FacetTable {
            name: "precision",
            scores: &quiet,
            design: Design::Crossed,
        },
        FacetTable {
            name: "word split",
            scores: &crossed,
            design: Design::Crossed,
        },
        FacetTable {
            name: "SAE seed",
            scores: &crossed,
            design: Design::Nested,
        },
    ];
    let report = facets(&tables, 0.95).expect("defined");
    let shares: Vec<f64> = report.facets.iter().map(|facet| facet.share).collect();
    assert!(shares[0] < 1e-12, "{shares:?}");
    assert!(
        (shares[1] - 0.5).abs() < 1e-9 && (shares[2] - 0.5).abs() < 1e-9,
        "{shares:?}"
    );
    // Two sources of SEM .1 each.
    assert!((report.single.sem - 0.02_f64.sqrt()).abs() < 1e-12);
    let plan = report.plan(&[1, 4, 2]).expect("defined");
    assert!((plan.sem - (0.01_f64 / 4.0 + 0.01 / 2.0).sqrt()).abs() < 1e-12);
    assert!((plan.mdd - MDD_FACTOR * plan.sem).abs() < 1e-12);
    assert!(plan.generalisability > report.single.generalisability);
    assert!(matches!(
        report.plan(&[1, 4]),
        Err(StatsError::LengthMismatch { expected: 3, found: 2 })
    ));
    assert!(matches!(report.plan(&[1, 0, 1]), Err(StatsError::OutOfRange { .. })));
    assert_eq!(facets(&[], 0.95), Err(StatsError::Empty));
}
