//! Logistic probes against scikit-learn, and their behaviour.

mod common;

use std::time::Instant;

use common::{clusters, golden_data};
use linear_probe::metrics::evaluate;
use linear_probe::{
    ClassWeight, Design, Labels, LogisticConfig, LogisticFit, Stop, Validation, fit_logistic,
    fit_with_validation,
};
use stats::seed;

/// `LogisticRegression(C=C, class_weight=..., tol=1e-13, solver="newton-cholesky")`, one fit per
/// class against the rest, scikit-learn 1.9.1, `NumPy` 2.4.6, on `common::golden_data`. Per class
/// five weights and the bias.
struct Golden {
    c: f64,
    class_weight: ClassWeight,
    classes: [[f64; 6]; 3],
}

const GOLDENS: [Golden; 4] = [
    Golden {
        c: 1.0,
        class_weight: ClassWeight::Balanced,
        classes: [
            [
                1.668932897,
                -0.850677122,
                -1.184280873,
                -0.158288861,
                0.673231085,
                -2.268560299,
            ],
            [
                -1.087172507,
                1.953372644,
                -0.484657741,
                0.107136203,
                0.260284678,
                -1.467682885,
            ],
            [
                -0.556575624,
                -0.721254843,
                1.811032111,
                0.114906935,
                -0.786393517,
                1.637159881,
            ],
        ],
    },
    Golden {
        c: 0.05,
        class_weight: ClassWeight::Balanced,
        classes: [
            [
                0.358486340,
                -0.224263025,
                -0.268773334,
                -0.154378908,
                0.107394027,
                -0.394322843,
            ],
            [
                -0.282659074,
                0.476968878,
                -0.125178480,
                0.081429836,
                0.081580430,
                -0.400387209,
            ],
            [
                -0.135941292,
                -0.191577838,
                0.453903173,
                0.107374510,
                -0.206350709,
                0.388542465,
            ],
        ],
    },
    Golden {
        c: 1.0,
        class_weight: ClassWeight::Uniform,
        classes: [
            [
                1.646219067,
                -0.860346330,
                -1.187076003,
                -0.161170748,
                0.658330366,
                -2.391301216,
            ],
            [
                -1.099930852,
                1.847814151,
                -0.443565392,
                0.095856026,
                0.286428223,
                -2.311564548,
            ],
            [
                -0.524036427,
                -0.723065514,
                1.720445795,
                0.130792449,
                -0.830447182,
                0.884512768,
            ],
        ],
    },
    Golden {
        c: 0.05,
        class_weight: ClassWeight::Positive,
        classes: [
            [
                0.384489377,
                -0.239526315,
                -0.288306478,
                -0.154748819,
                0.116337876,
                -0.423840462,
            ],
            [
                -0.357334408,
                0.607005433,
                -0.158653918,
                0.082563255,
                0.099343961,
                -0.492331885,
            ],
            [
                -0.178903723,
                -0.244076087,
                0.588351980,
                0.107176930,
                -0.267878843,
                0.523153316,
            ],
        ],
    },
];

fn config(c: f64, class_weight: ClassWeight) -> LogisticConfig {
    LogisticConfig {
        class_weight,
        tolerance: 1e-10,
        ..LogisticConfig::balanced(c)
    }
}

fn fit(x: &[f32], classes: &[usize], d: usize, config: &LogisticConfig) -> LogisticFit {
    let design = Design::new(x, classes.len(), d).expect("valid");
    let n_classes = classes.iter().max().expect("rows") + 1;
    fit_logistic(
        design,
        &Labels::new(classes, n_classes).expect("valid"),
        config,
    )
    .expect("valid")
}

#[test]
fn weights_equal_scikit_learn() {
    let (x, classes) = golden_data();
    for golden in &GOLDENS {
        let fit = fit(&x, &classes, 5, &config(golden.c, golden.class_weight));
        for (class, expected) in golden.classes.iter().enumerate() {
            let found = [fit.probe.direction(class), &[fit.probe.bias[class]]].concat();
            for (found, expected) in found.iter().zip(expected) {
                // Goldens have nine decimals; the optimiser's tolerance is 1e-10.
                assert!((found - expected).abs() < 1e-6, "{found} {expected}");
            }
            assert_eq!(fit.outcomes[class].stop, Stop::Converged);
        }
    }
}

/// `f1_score`, `precision_score`, `recall_score`, `roc_auc_score` of scikit-learn 1.9.1 on the
/// scores of the first golden.
#[test]
fn scores_equal_scikit_learn() {
    let expected = [
        [
            0.814814814815,
            0.814814814815,
            0.814814814815,
            0.937149270483,
        ],
        [
            0.714285714286,
            0.600000000000,
            0.882352941176,
            0.931600547196,
        ],
        [
            0.702702702703,
            0.619047619048,
            0.812500000000,
            0.923295454545,
        ],
    ];
    let (x, classes) = golden_data();
    let fit = fit(&x, &classes, 5, &config(1.0, ClassWeight::Balanced));
    let design = Design::new(&x, 60, 5).expect("valid");
    let labels = Labels::new(&classes, 3).expect("valid");
    let scores = fit.probe.scores(design).expect("valid");
    let report = evaluate(&scores, &labels, 0.0).expect("valid");
    for (class, expected) in report.classes.iter().zip(expected) {
        let class = class.expect("defined");
        for (found, expected) in [class.f1, class.precision, class.recall, class.auc]
            .iter()
            .zip(expected)
        {
            assert!((found - expected).abs() < 1e-11, "{found} {expected}");
        }
    }
}

#[test]
fn a_selected_view_equals_a_copy() {
    let (x, classes) = golden_data();
    let rows: Vec<usize> = (0..60).rev().filter(|row| row % 4 != 0).collect();
    let copy: Vec<f32> = rows
        .iter()
        .flat_map(|&row| x[row * 5..row * 5 + 5].to_vec())
        .collect();
    let labels = Labels::new(&classes, 3)
        .expect("valid")
        .select(&rows)
        .expect("valid");
    let config = config(1.0, ClassWeight::Balanced);
    let design = Design::new(&x, 60, 5)
        .expect("valid")
        .select(&rows)
        .expect("valid");
    let copied = Design::new(&copy, rows.len(), 5).expect("valid");
    assert_eq!(
        fit_logistic(design, &labels, &config).expect("valid"),
        fit_logistic(copied, &labels, &config).expect("valid"),
    );
}

#[test]
fn units_of_the_activations_do_not_change_the_path() {
    let (x, classes) = golden_data();
    let scaled: Vec<f32> = x.iter().map(|x| x * 1024.0).collect();
    let plain = fit(&x, &classes, 5, &config(1.0, ClassWeight::Balanced));
    // w scales by 1/1024, so the same penalty of w needs l2 times 1024^2.
    let other = fit(
        &scaled,
        &classes,
        5,
        &config(1.0 / 1024.0_f64.powi(2), ClassWeight::Balanced),
    );
    for (plain, other) in plain.probe.weight.iter().zip(&other.probe.weight) {
        assert!((plain - other * 1024.0).abs() < 1e-7);
    }
    assert_eq!(plain.outcomes[0].iterations, other.outcomes[0].iterations);
}

#[test]
fn validation_prefers_a_penalty_that_generalises() {
    let (x, classes) = clusters(600, 60, 4, &mut seed::rng(1, "clusters"));
    let labels = Labels::new(&classes, 4).expect("valid");
    let validation = Validation {
        grid: &[1e-6, 1e-2, 1.0],
        held_out: 0.2,
        seed: 5,
        config: LogisticConfig::balanced(1.0),
    };
    let design = Design::new(&x, 600, 60).expect("valid");
    let found = fit_with_validation(design, &labels, &validation).expect("valid");
    let best = found
        .candidates
        .iter()
        .map(|candidate| candidate.mean_f1)
        .fold(0.0, f64::max);
    let chosen = found
        .candidates
        .iter()
        .find(|c| c.c.total_cmp(&found.c).is_eq());
    assert!((chosen.expect("in the grid").mean_f1 - best).abs() < 1e-15);
    let direct = fit_logistic(design, &labels, &LogisticConfig::balanced(found.c)).expect("valid");
    assert_eq!(found.fit, direct);
}

/// The size of the embedded benchmark: 4,600 words, 256 columns, 26 letters.
#[test]
fn benchmark_size_is_quick() {
    for d in [128, 256] {
        let (x, classes) = clusters(4_600, d, 26, &mut seed::rng(2, "clusters"));
        for c in [0.01, 1.0] {
            let start = Instant::now();
            let fit = fit(&x, &classes, d, &LogisticConfig::balanced(c));
            let elapsed = start.elapsed();
            let most = fit.outcomes.iter().map(|outcome| outcome.iterations).max();
            println!("d {d}, C {c}: {elapsed:?}, at most {most:?} iterations");
            assert!(
                fit.outcomes
                    .iter()
                    .all(|outcome| outcome.stop == Stop::Converged)
            );
            // Generous, for a loaded machine; the printed time is the measurement.
            assert!(elapsed.as_secs_f64() < 15.0);
        }
    }
}
