//! Logistic regression within letters against a reference computed another way, and against known truth.

use rand::RngExt;
use stats::{LogisticPlan, LogisticRows, StatsError, logistic_within, seed, usable_columns};

/// Rows of `letters x words` with two covariates; outcome `logit = intercept(letter) + b . x`.
struct World {
    x: Vec<f64>,
    y: Vec<bool>,
    letter: Vec<usize>,
}

impl World {
    fn draw(letters: usize, words: usize, b: [f64; 2], name: &str) -> Self {
        let mut rng = seed::rng(3, name);
        let mut world = Self {
            x: Vec::new(),
            y: Vec::new(),
            letter: Vec::new(),
        };
        for letter in 0..letters {
            let intercept = 1.5 * (rng.random::<f64>() - 0.5) - 0.5;
            for _ in 0..words {
                let x = [
                    2.0 * rng.random::<f64>() - 1.0,
                    f64::from(u8::from(rng.random::<f64>() < 0.4)),
                ];
                let eta = intercept + b[0] * x[0] + b[1] * x[1];
                world.y.push(rng.random::<f64>() < 1.0 / (1.0 + (-eta).exp()));
                world.x.extend(x);
                world.letter.push(letter);
            }
        }
        world
    }

    fn rows(&self) -> LogisticRows<'_> {
        LogisticRows {
            x: &self.x,
            columns: 2,
            y: &self.y,
            letter: &self.letter,
        }
    }
}

const NO_RIDGE: LogisticPlan = LogisticPlan {
    ridge: 1e-12,
    separated: 6.0,
    level: 0.95,
};

/// Three letters of four words. Reference: Newton's method with one column per intercept and the sandwich clustered by letter, in
/// `NumPy` 1.26.
#[test]
fn small_example_matches_a_second_implementation() {
    let x = [-1.0, 0.5, 1.5, -0.5, 2.0, 0.0, -1.5, 1.0, 0.3, -0.7, 1.2, -2.0];
    let y = [
        false, true, true, true, true, false, true, false, false, true, true, false,
    ];
    let letter = [0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2];
    let rows = LogisticRows {
        x: &x,
        columns: 1,
        y: &y,
        letter: &letter,
    };
    let fit = logistic_within(rows, &NO_RIDGE).expect("defined");
    let slope = fit.slopes[0];
    assert!((slope.value - GOLDEN_SLOPE).abs() < 1e-8, "{slope:?}");
    assert!((slope.standard_error - GOLDEN_ERROR).abs() < 1e-8, "{slope:?}");
    assert_eq!((fit.rows, fit.letters), (12, 3));
    assert!(fit.uniform.is_empty());
}

const GOLDEN_SLOPE: f64 = 0.560_159_037_629_128_1;
const GOLDEN_ERROR: f64 = 0.557_680_343_200_718_2;

#[test]
fn planted_slopes_are_found_and_their_intervals_hold_them() {
    let truth = [1.2, -0.8];
    let (mut inside, mut all) = (0, 0);
    for draw in 0..100 {
        let world = World::draw(24, 40, truth, &format!("world/{draw}"));
        let fit = logistic_within(world.rows(), &LogisticPlan::default()).expect("defined");
        for (slope, truth) in fit.slopes.iter().zip(truth) {
            assert!(
                (slope.value - truth).abs() < 5.0 * slope.standard_error + 0.1,
                "{slope:?}"
            );
            inside += usize::from((slope.lo..=slope.hi).contains(&truth));
            all += 1;
        }
    }
    // 95 % nominal; 200 intervals have a standard error of 1.5 points.
    let coverage = f64::from(inside as u32) / f64::from(all);
    assert!((0.88..=0.99).contains(&coverage), "{coverage}");
}

#[test]
fn without_a_slope_small_p_values_are_rare() {
    let small = (0..200).filter(|draw| {
        let world = World::draw(20, 25, [0.0, 0.0], &format!("null/{draw}"));
        let fit = logistic_within(world.rows(), &LogisticPlan::default()).expect("defined");
        fit.slopes[0].p < 0.05
    });
    let share = small.count() as f64 / 200.0;
    assert!((0.01..=0.11).contains(&share), "{share}");
}

#[test]
fn letters_with_one_outcome_are_named_and_change_nothing() {
    let world = World::draw(12, 30, [1.0, 0.5], "uniform");
    let before = logistic_within(world.rows(), &LogisticPlan::default()).expect("defined");
    let (mut x, mut y, mut letter) = (world.x.clone(), world.y.clone(), world.letter.clone());
    for i in 0..10 {
        x.extend([f64::from(i), 1.0]);
        y.push(true);
        letter.push(99);
    }
    let rows = LogisticRows {
        x: &x,
        columns: 2,
        y: &y,
        letter: &letter,
    };
    let after = logistic_within(rows, &LogisticPlan::default()).expect("defined");
    assert_eq!(after.uniform, [99]);
    assert_eq!(before.slopes, after.slopes);
}

#[test]
fn a_separating_covariate_is_marked_and_finite() {
    let mut world = World::draw(10, 20, [0.0, 0.0], "separated");
    for (i, y) in world.y.iter().enumerate() {
        world.x[2 * i] = if *y { 1.0 } else { -1.0 };
    }
    let fit = logistic_within(world.rows(), &LogisticPlan::default()).expect("the ridge holds it");
    assert!(
        fit.slopes[0].separated && fit.slopes[0].value.is_finite(),
        "{:?}",
        fit.slopes[0]
    );
    assert!(!fit.slopes[1].separated);
}

#[test]
fn useless_columns_are_refused_by_number() {
    let mut world = World::draw(8, 20, [1.0, 0.0], "columns");
    assert_eq!(usable_columns(world.rows()), Ok(vec![0, 1]));
    for i in 0..world.y.len() {
        world.x[2 * i + 1] = 3.0 - 2.0 * world.x[2 * i];
    }
    assert_eq!(usable_columns(world.rows()), Ok(vec![0]));
    let refused = logistic_within(world.rows(), &LogisticPlan::default());
    assert!(
        matches!(refused, Err(StatsError::Collinear { column: 1 })),
        "{refused:?}"
    );
    // Constant within each letter.
    for i in 0..world.y.len() {
        world.x[2 * i] = world.letter[i] as f64;
    }
    assert!(!usable_columns(world.rows()).expect("sizes agree").contains(&0));
}

#[test]
fn too_little_is_refused() {
    let world = World::draw(2, 30, [1.0, 0.0], "few");
    assert!(matches!(
        logistic_within(world.rows(), &LogisticPlan::default()),
        Err(StatsError::TooFewLetters { found: 2, needed: 3 })
    ));
    let short = LogisticRows {
        letter: &world.letter[1..],
        ..world.rows()
    };
    assert!(matches!(
        logistic_within(short, &LogisticPlan::default()),
        Err(StatsError::LengthMismatch { .. })
    ));
}
