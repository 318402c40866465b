//! Logistic probes against scikit-learn, and their behaviour.

mod common;

use std::time::Instant;

use common::{clusters, golden_data};
use linear_probe::metrics::evaluate;
use linear_probe::{
    ClassWeight, Design, Labels, LogisticConfig, LogisticFit, Stop, Validation, fit_logistic, fit_with_validation,
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
                1.668_932_897,
                -0.850_677_122,
                -1.184_280_873,
                -0.158_288_861,
                0.673_231_085,
                -2.268_560_299,
            ],
            [
                -1.087_172_507,
                1.953_372_644,
                -0.484_657_741,
                0.107_136_203,
                0.260_284_678,
                -1.467_682_885,
            ],
            [
                -0.556_575_624,
                -0.721_254_843,
                1.811_032_111,
                0.114_906_935,
                -0.786_393_517,
                1.637_159_881,
            ],
        ],
    },
    Golden {
        c: 0.05,
        class_weight: ClassWeight::Balanced,
        classes: [
            [
                0.358_486_340,
                -0.224_263_025,
                -0.268_773_334,
                -0.154_378_908,
                0.107_394_027,
                -0.394_322_843,
            ],
            [
                -0.282_659_074,
                0.476_968_878,
                -0.125_178_480,
                0.081_429_836,
                0.081_580_430,
                -0.400_387_209,
            ],
            [
                -0.135_941_292,
                -0.191_577_838,
                0.453_903_173,
                0.107_374_510,
                -0.206_350_709,
                0.388_542_465,
            ],
        ],
    },
    Golden {
        c: 1.0,
        class_weight: ClassWeight::Uniform,
        classes: [
            [
                1.646_219_067,
                -0.860_346_330,
                -1.187_076_003,
                -0.161_170_748,
                0.658_330_366,
                -2.391_301_216,
            ],
            [
                -1.099_930_852,
                1.847_814_151,
                -0.443_565_392,
                0.095_856_026,
                0.286_428_223,
                -2.311_564_548,
            ],
            [
                -0.524_036_427,
                -0.723_065_514,
                1.720_445_795,
                0.130_792_449,
                -0.830_447_182,
                0.884_512_768,
            ],
        ],
    },
    Golden {
        c: 0.05,
        class_weight: ClassWeight::Positive,
        classes: [
            [
                0.384_489_377,
                -0.239_526_315,
                -0.288_306_478,
                -0.154_748_819,
                0.116_337_876,
                -0.423_840_462,
            ],
            [
                -0.357_334_408,
                0.607_005_433,
                -0.158_653_918,
                0.082_563_255,
                0.099_343_961,
                -0.492_331_885,
            ],
            [
                -0.178_903_723,
                -0.244_076_087,
                0.588_351_980,
                0.107_176_930,
                -0.267_878_843,
                0.523_153_316,
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
    fit_logistic(design, &Labels::new(classes, n_classes).expect("valid"), config).expect("valid")
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
            0.814_814_814_815,
            0.814_814_814_815,
            0.814_814_814_815,
            0.937_149_270_483,
        ],
        [
            0.714_285_714_286,
            0.600_000_000_000,
            0.882_352_941_176,
            0.931_600_547_196,
        ],
        [
            0.702_702_702_703,
            0.619_047_619_048,
            0.812_500_000_000,
            0.923_295_454_545,
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
    let copy: Vec<f32> = rows.iter().flat_map(|&row| x[row * 5..row * 5 + 5].to_vec()).collect();
    let labels = Labels::new(&classes, 3).expect("valid").select(&rows).expect("valid");
    let config = config(1.0, ClassWeight::Balanced);
    let design = Design::new(&x, 60, 5).expect("valid").select(&rows).expect("valid");
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
    let chosen = found.candidates.iter().find(|c| c.c.total_cmp(&found.c).is_eq());
    assert!((chosen.expect("in the grid").mean_f1 - best).abs() < 1e-15);
    let direct = fit_logistic(design, &labels, &LogisticConfig::balanced(found.c)).expect("valid");
    assert_eq!(found.fit, direct);
}

#[test]
fn thread_count_does_not_matter() {
    let (x, classes) = clusters(2_000, 24, 4, &mut seed::rng(6, "clusters"));
    let with = |threads| {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .expect("threads");
        pool.install(|| fit(&x, &classes, 24, &LogisticConfig::balanced(1.0)))
    };
    assert_eq!(with(1), with(3));
}

#[test]
fn default_tolerance_is_far_below_what_a_decision_needs() {
    let (x, classes) = clusters(1_500, 64, 6, &mut seed::rng(7, "clusters"));
    let design = Design::new(&x, 1_500, 64).expect("valid");
    for c in [1e-4, 1.0, 100.0] {
        let scores = |config: &LogisticConfig| fit(&x, &classes, 64, config).probe.scores(design).expect("valid");
        let quick = scores(&LogisticConfig::balanced(c));
        let exact = scores(&config(c, ClassWeight::Balanced));
        let largest = quick.iter().zip(&exact).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
        println!("C {c}: largest difference of a logit {largest:.1e}");
        assert!(largest < 1e-2, "{largest}");
    }
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
            assert!(fit.outcomes.iter().all(|outcome| outcome.stop == Stop::Converged));
            // Generous, for a loaded machine; the printed time is the measurement.
            assert!(elapsed.as_secs_f64() < 15.0);
        }
    }
}
