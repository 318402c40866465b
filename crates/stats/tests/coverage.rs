//! Known truth: intervals on simulated panels hold the planted macro mean as often as they say.
//!
//! Panels are those of the benchmark: 26 letters of 15 to 200 words, ratios of sums, letters at
//! random. The bootstrap inside the simulation draws 1,000 replicates instead of 10,000,
//! which lowers the coverage of the bootstrap-t by .002.

use rayon::ThreadPoolBuilder;
use stats::StatsError;
use stats::simulate::{Coverage, CoverageConfig, PanelModel, Rate, coverage, panel_metrics};

const CONFIG: CoverageConfig = CoverageConfig {
    panels: 2_000,
    replicates: 1_000,
    level: 0.95,
    seed: 1,
};

/// The band is what the benchmark promises; the Monte-Carlo standard error of a coverage near .95
/// over 2,000 panels is .005, so a true coverage of .95 leaves it once in 16,000 runs.
#[track_caller]
fn check(letter_sd: f64, most_for_words: f64) -> Coverage {
    let start = std::time::Instant::now();
    let found = coverage(&PanelModel::benchmark(letter_sd), &CONFIG).expect("defined");
    println!("letter SD {letter_sd}: {found:?} in {:?}", start.elapsed());
    let right = 0.93..=0.97;
    for metric in 0..3 {
        assert!(right.contains(&found.letter_t[metric]), "{found:?}");
        assert!(right.contains(&found.bootstrap_t[metric]), "{found:?}");
    }
    // The linearised variance of a ratio is a little small for 15 words, hence a lower band.
    assert!((0.92..=0.97).contains(&found.within_letters_of_these), "{found:?}");
    assert!(found.pooled_words < most_for_words, "{found:?}");
    assert!(found.within_letters < most_for_words, "{found:?}");
    found
}

#[test]
fn covers_with_letter_sd_of_a_tenth() {
    check(0.10, 0.75);
}

#[test]
fn covers_with_letter_sd_of_published_absorption_scores() {
    check(0.23, 0.45);
}

/// Without any variance between letters the word-level intervals are right, so what they fail for
/// above is the letters.
#[test]
fn words_are_enough_if_letters_do_not_differ() {
    // Only the word-level intervals are looked at, so the bootstrap is kept short.
    let config = CoverageConfig {
        replicates: 40,
        ..CONFIG
    };
    let found = coverage(&PanelModel::benchmark(0.0), &config).expect("defined");
    println!("letter SD 0: {found:?}");
    assert!((0.93..=0.97).contains(&found.pooled_words), "{found:?}");
    assert!((0.93..=0.97).contains(&found.within_letters), "{found:?}");
}

/// The ratio of sums finds the planted rate, the mean of ratios misses it by `coupling * Var f`.
#[test]
fn target_of_the_simulator_is_the_ratio_of_sums() {
    let model = PanelModel {
        words: [40_000, 40_000],
        letters: 3,
        ..PanelModel::benchmark(0.1)
    };
    let panel = model.panel(3).expect("defined");
    for (rows, truth) in panel.letters.iter().zip(&panel.truth) {
        let words = &rows.groups[0];
        let mean_of_ratios = words.iter().map(|[a, f]| a / f).sum::<f64>() / words.len() as f64;
        let sums = rows
            .groups
            .clone()
            .map(|rows| rows.iter().fold([0.0; 2], |[a, f], row| [a + row[0], f + row[1]]));
        let found = panel_metrics(&sums).expect("defined")[0];
        // Word noise .436 times sqrt(1 + Var f) over sqrt(40,000) is .0025; four of it.
        assert!((found - truth[0]).abs() < 0.01, "{found} {truth:?}");
        let bias = -model.coupling * 0.25_f64.exp_m1();
        assert!(
            (mean_of_ratios - truth[0] - bias).abs() < 0.01,
            "{mean_of_ratios} {truth:?}"
        );
        assert!(bias > 0.05);
    }
}

/// Truth of a letter drawn, averaged over many letters, is the truth of the model.
#[test]
fn letters_are_drawn_around_the_truth() {
    let model = PanelModel {
        letters: 20_000,
        words: [2, 2],
        off_target_words: 2,
        ..PanelModel::benchmark(0.23)
    };
    let panel = model.panel(9).expect("defined");
    for (metric, truth) in model.truth().into_iter().enumerate() {
        let values: Vec<f64> = panel.truth.iter().map(|letter| letter[metric]).collect();
        // Four standard errors: SD at most .23 over sqrt(20,000).
        assert!(
            (stats::mean(&values).expect("defined") - truth).abs() < 0.0065,
            "{metric}"
        );
    }
    // Four standard errors of an SD: at most .23 / sqrt(2 * 20,000) each.
    let shares: Vec<f64> = panel.truth.iter().map(|letter| letter[0]).collect();
    assert!((stats::sd(&shares).expect("defined") - 0.23).abs() < 0.005);
}

#[test]
fn seeds_decide_and_threads_do_not() {
    let model = PanelModel::benchmark(0.1);
    assert_eq!(model.panel(1), model.panel(1));
    assert_ne!(model.panel(1), model.panel(2));
    let small = CoverageConfig {
        panels: 20,
        replicates: 40,
        ..CONFIG
    };
    let with = |threads| {
        let pool = ThreadPoolBuilder::new().num_threads(threads).build().expect("threads");
        pool.install(|| coverage(&model, &small))
    };
    assert!(with(1).is_ok());
    assert_eq!(with(1), with(3));
}

#[test]
fn impossible_models_are_refused() {
    let model = PanelModel::benchmark(0.1);
    let name = |model: PanelModel| match model.panel(1) {
        Err(StatsError::OutOfRange { name, .. }) => name,
        other => panic!("{other:?}"),
    };
    // No distribution on [0, 1] with mean .5 has an SD above .5.
    assert_eq!(name(PanelModel::benchmark(0.5)), "SD over letters");
    assert_eq!(name(PanelModel { words: [5, 4], ..model }), "words per letter");
    assert_eq!(name(PanelModel { prompts: 0, ..model }), "prompts");
    assert_eq!(
        name(PanelModel {
            coupling: f64::NAN,
            ..model
        }),
        "coupling"
    );
    let share = Rate {
        mean: 1.0,
        ..model.share
    };
    assert_eq!(name(PanelModel { share, ..model }), "mean of a rate");
    assert!(matches!(
        PanelModel { letters: 2, ..model }.panel(1),
        Err(StatsError::TooFewLetters { found: 2, .. })
    ));
    assert_eq!(
        coverage(&model, &CoverageConfig { panels: 0, ..CONFIG }),
        Err(StatsError::NoDraws)
    );
}
