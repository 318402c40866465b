//! Behaviour of the letter-clustered bootstrap on small inputs.

use rand::{Rng, RngExt};
use rayon::ThreadPoolBuilder;
use stats::{
    BootstrapConfig, ClusterBootstrap, LetterRows, MetricBootstrap, StatsError, cluster_bootstrap, letter_t, seed,
};

type Letters = Vec<LetterRows<2, 2>>;

const CONFIG: BootstrapConfig = BootstrapConfig {
    level: 0.95,
    replicates: 1_000,
    seed: 11,
};

/// On-target rows in group 0, off-target rows in group 1; each row is (numerator, denominator).
fn letters(count: usize, rows: usize) -> Letters {
    let mut rng = seed::rng(4, "letters");
    (0..count)
        .map(|_| {
            let share: f64 = rng.random_range(0.3..0.9);
            let damage: f64 = rng.random_range(0.0..0.3);
            LetterRows {
                groups: [ratio_rows(share, rows, &mut rng), ratio_rows(damage, rows, &mut rng)],
            }
        })
        .collect()
}

fn ratio_rows(ratio: f64, rows: usize, rng: &mut impl Rng) -> Vec<[f64; 2]> {
    (0..rows)
        .map(|_| {
            let full: f64 = rng.random_range(0.5..2.0);
            [ratio * full + rng.random_range(-0.3..0.3), full]
        })
        .collect()
}

/// Mediated share, damage share, their product, and a constant.
fn metrics(sums: &[[f64; 2]; 2]) -> Option<[f64; 4]> {
    if sums[0][1] <= 0.0 || sums[1][1] <= 0.0 {
        return None;
    }
    let share = sums[0][0] / sums[0][1];
    let damage = sums[1][0] / sums[1][1];
    Some([
        share,
        damage,
        share.clamp(0.0, 1.0) * (1.0 - damage.clamp(0.0, 1.0)),
        1.0,
    ])
}

fn run(letters: &Letters) -> ClusterBootstrap<4> {
    cluster_bootstrap(letters, metrics, &CONFIG).expect("defined")
}

fn first(letters: &Letters) -> MetricBootstrap {
    run(letters).metrics[0].clone().expect("defined")
}

#[test]
fn point_is_the_macro_mean_of_ratios_of_sums() {
    let letters = letters(8, 30);
    let result = run(&letters);
    let by_hand: Vec<f64> = letters
        .iter()
        .map(|letter| {
            let total = |column: usize| letter.groups[0].iter().map(|row| row[column]).sum::<f64>();
            total(0) / total(1)
        })
        .collect();
    let metric = result.metrics[0].as_ref().expect("defined");
    assert_eq!(metric.letter_t, letter_t(&by_hand, 0.95).expect("defined"));
    assert!((metric.bootstrap_t.value - metric.letter_t.value).abs() < 1e-15);
    assert!(metric.bootstrap_t.lo < metric.bootstrap_t.value);
    assert!(metric.bootstrap_t.value < metric.bootstrap_t.hi);
    assert_eq!(metric.undefined, 0);
}

#[test]
fn thread_count_does_not_matter() {
    let letters = letters(8, 30);
    let with = |threads| {
        ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .expect("defined")
            .install(|| run(&letters))
    };
    assert_eq!(with(1), with(3));
}

#[test]
fn seed_matters_a_little() {
    let letters = letters(8, 30);
    let other = BootstrapConfig { seed: 12, ..CONFIG };
    let (a, b) = (
        first(&letters),
        cluster_bootstrap(&letters, metrics, &other).expect("defined"),
    );
    let b = b.metrics[0].clone().expect("defined");
    assert_ne!(a.bootstrap_t, b.bootstrap_t);
    assert!((a.bootstrap_t.lo - b.bootstrap_t.lo).abs() < 0.3 * a.standard_error);
}

#[test]
fn shift_and_scale_move_the_interval_with_the_data() {
    let letters = letters(8, 30);
    let moved = cluster_bootstrap(
        &letters,
        |sums| metrics(sums).map(|[share, ..]| [3.0 * share - 7.0]),
        &CONFIG,
    )
    .expect("defined");
    let (a, b) = (first(&letters), moved.metrics[0].clone().expect("defined"));
    for (plain, moved) in [(a.bootstrap_t, b.bootstrap_t), (a.percentile, b.percentile)] {
        assert!((3.0 * plain.lo - 7.0 - moved.lo).abs() < 1e-10);
        assert!((3.0 * plain.hi - 7.0 - moved.hi).abs() < 1e-10);
    }
}

#[test]
fn a_metric_without_variance_fails_alone() {
    let result = run(&letters(8, 30));
    assert_eq!(result.metrics[3], Err(StatsError::ZeroVariance { value: 1.0 }));
    assert!(result.metrics[2].is_ok());
}

#[test]
fn undefined_letters_and_replicates() {
    let ratio = |sums: &[[f64; 2]; 1]| (sums[0][1] > 0.0).then(|| [sums[0][0] / sums[0][1]]);
    let letter = |share: f64, zeros: usize, rows: usize| {
        let row = |i| if i < zeros { [0.0, 0.0] } else { [share, 1.0] };
        LetterRows {
            groups: [(0..rows).map(row).collect::<Vec<_>>()],
        }
    };
    let mut panel: Vec<_> = (0..6).map(|i| letter(f64::from(i) / 6.0, 0, 10)).collect();
    assert!(cluster_bootstrap(&panel, ratio, &CONFIG).expect("defined").metrics[0].is_ok());
    // Three of four rows without denominator: a drawn letter misses all of them with chance .32.
    panel.push(letter(0.5, 3, 4));
    let few = cluster_bootstrap(&panel, ratio, &CONFIG).expect("defined");
    assert!(matches!(few.metrics[0], Err(StatsError::TooManyUndefined { undefined, .. }) if undefined > 200));
    panel.push(letter(0.5, 4, 4));
    assert_eq!(
        cluster_bootstrap(&panel, ratio, &CONFIG).expect_err("undefined"),
        StatsError::UndefinedLetter { letter: 7 }
    );
    panel.push(letter(0.5, 0, 0));
    assert_eq!(
        cluster_bootstrap(&panel, ratio, &CONFIG).expect_err("undefined"),
        StatsError::EmptyGroup { letter: 8, group: 0 }
    );
}

/// The size of a headline table: 26 letters, 100 words, 4 metrics, 10,000 replicates.
#[test]
fn headline_call_is_quick() {
    let letters = letters(26, 50);
    let config = BootstrapConfig {
        replicates: 10_000,
        ..CONFIG
    };
    let start = std::time::Instant::now();
    let result = cluster_bootstrap(&letters, metrics, &config).expect("defined");
    let elapsed = start.elapsed();
    println!("26 x (50 + 50) rows x 4 metrics x 10,000 replicates: {elapsed:?}");
    assert!(result.metrics[0].is_ok());
    // Generous, for a loaded machine; the printed time is the measurement.
    assert!(elapsed.as_secs_f64() < 2.0, "{elapsed:?}");
}
