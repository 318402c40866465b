//! Hand-written gradients against finite differences of the same loss, computed independently in f64.
//!
//! The reference selects latents itself, so the tests also cover the selections. Central differences with step 1e-5 are exact
//! to about 1e-9 here; what is left is f32 rounding in the code under test, bounded by 1e-4 of each tensor's largest
//! derivative. `JumpReLU`'s threshold has a surrogate derivative: the reference differentiates the ramp that it stands for.

use rand::RngExt;

use super::objective::Objective;
use super::params::Params;
use super::step::{self, Context};
use super::workspace::Workspace;
use super::{adam, seed};

const D_IN: usize = 6;
const D_SAE: usize = 20;
const ROWS: usize = 9;

struct Case {
    objective: Objective,
    apply: bool,
    penalty: f64,
    dead: Option<(Vec<u32>, f64)>,
    /// Added to all encoder biases: below 0, few latents are active and the sparse products run.
    bias: f32,
}

fn values(seed: u64, purpose: &str, count: usize, scale: f32) -> Vec<f32> {
    let mut rng = seed::rng(seed, purpose);
    (0..count).map(|_| scale * (2.0 * rng.random::<f32>() - 1.0)).collect()
}

fn params(objective: &Objective) -> Params {
    let mut w_dec = values(1, "dec", D_SAE * D_IN, 1.0);
    adam::normalise(&mut w_dec, D_IN);
    let log_threshold = match objective {
        Objective::JumpRelu { .. } => values(1, "threshold", D_SAE, 0.3).iter().map(|x| x - 1.0).collect(),
        _ => Vec::new(),
    };
    Params {
        d_in: D_IN,
        d_sae: D_SAE,
        w_enc: values(1, "enc", D_SAE * D_IN, 0.7),
        w_dec,
        b_enc: values(1, "b_enc", D_SAE, 0.3),
        b_dec: values(1, "b_dec", D_IN, 0.3),
        log_threshold,
    }
}

type Wide = [Vec<f64>; 5];

fn pre(p: &Wide, x: &[f64], apply: bool) -> Vec<f64> {
    let h: Vec<f64> = x
        .iter()
        .zip(&p[3])
        .map(|(x, b)| if apply { x - b } else { *x })
        .collect();
    (0..D_SAE)
        .map(|j| p[2][j] + (0..D_IN).map(|i| h[i] * p[0][j * D_IN + i]).sum::<f64>())
        .collect()
}

/// Indices of the `k` largest.
fn best(values: &[f64], k: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|&a, &b| values[b].total_cmp(&values[a]));
    order.truncate(k);
    order
}

/// The loss at `p`; `at` is where the surrogate and everything held fixed is taken.
fn loss(case: &Case, p: &Wide, at: &Wide, x: &[f64]) -> f64 {
    let all: Vec<Vec<f64>> = x.chunks(D_IN).map(|x| pre(p, x, case.apply)).collect();
    let fixed: Vec<Vec<f64>> = x.chunks(D_IN).map(|x| pre(at, x, case.apply)).collect();
    let flat: Vec<f64> = all.concat().iter().map(|v| v.max(0.0)).collect();
    let mut widths = vec![D_SAE];
    let mut total = 0.0;
    let z: Vec<Vec<f64>> = match &case.objective {
        Objective::Standard { .. } => {
            total += case.penalty * flat.iter().sum::<f64>() / ROWS as f64;
            all.iter().map(|row| row.iter().map(|v| v.max(0.0)).collect()).collect()
        }
        Objective::TopK { k } => all.iter().map(|row| keep(row, &best(row, *k))).collect(),
        Objective::BatchTopK { k, .. } => keep(&flat, &best(&flat, k * ROWS))
            .chunks(D_SAE)
            .map(<[f64]>::to_vec)
            .collect(),
        Objective::MatryoshkaBatchTopK { k, widths: inner, .. } => {
            widths.clone_from(inner);
            keep(&flat, &best(&flat, k * ROWS))
                .chunks(D_SAE)
                .map(<[f64]>::to_vec)
                .collect()
        }
        Objective::JumpRelu { bandwidth, .. } => {
            let width = f64::from(*bandwidth);
            let ramp = |pre: f64, log: f64| ((pre - log.exp()) / width + 0.5).clamp(0.0, 1.0);
            let mut out = Vec::new();
            for (row, fixed) in all.iter().zip(&fixed) {
                out.push(
                    (0..D_SAE)
                        .map(|j| {
                            let moved = ramp(fixed[j], p[4][j]) - ramp(fixed[j], at[4][j]);
                            total += case.penalty * (f64::from(fixed[j] > at[4][j].exp()) + moved) / ROWS as f64;
                            f64::from(fixed[j] > at[4][j].exp()) * row[j] + at[4][j].exp() * moved
                        })
                        .collect(),
                );
            }
            out
        }
    };
    for (row, (x, z)) in x.chunks(D_IN).zip(&z).enumerate() {
        for &width in &widths {
            let recon = decode(p, z, width);
            total += (0..D_IN).map(|i| (recon[i] + p[3][i] - x[i]).powi(2)).sum::<f64>() / ROWS as f64;
        }
        if let Some((dead, weight)) = &case.dead {
            let k = (D_IN / 2).min(dead.len());
            let values: Vec<f64> = dead.iter().map(|&j| all[row][j as usize]).collect();
            let mut alone = vec![0.0; D_SAE];
            for at in best(&values, k) {
                alone[dead[at] as usize] = values[at];
            }
            let share = (dead.len() as f64 / (D_IN as f64 / 2.0)).min(1.0);
            let (held, recon) = (
                FIXED.with_borrow(|fixed| fixed[row * D_IN..][..D_IN].to_vec()),
                decode(p, &alone, D_SAE),
            );
            total += weight * share * (0..D_IN).map(|i| (recon[i] - held[i]).powi(2)).sum::<f64>() / ROWS as f64;
        }
    }
    total
}

thread_local! {
    /// The residual that the auxiliary loss aims at, held fixed.
    static FIXED: std::cell::RefCell<Vec<f64>> = const { std::cell::RefCell::new(Vec::new()) };
}

fn keep(values: &[f64], chosen: &[usize]) -> Vec<f64> {
    let mut out = vec![0.0; values.len()];
    for &at in chosen {
        out[at] = values[at].max(0.0);
    }
    out
}

fn decode(p: &Wide, z: &[f64], width: usize) -> Vec<f64> {
    (0..D_IN)
        .map(|i| (0..width).map(|j| z[j] * p[1][j * D_IN + i]).sum::<f64>())
        .collect()
}

fn widen(params: &Params) -> Wide {
    // Order of `Params::tensors`.
    params
        .tensors()
        .map(|tensor| tensor.iter().map(|&value| f64::from(value)).collect())
}

/// Returns whether the latents were so many that the dense products ran.
#[track_caller]
fn check(case: &Case) -> bool {
    let mut params = params(&case.objective);
    params.b_enc.iter_mut().for_each(|bias| *bias += case.bias);
    let x = values(2, "rows", ROWS * D_IN, 1.5);
    let dead = case
        .dead
        .as_ref()
        .map(|(dead, weight)| (dead.as_slice(), *weight as f32));
    let context = Context {
        objective: &case.objective,
        apply_b_dec_to_input: case.apply,
        penalty: case.penalty as f32,
        auxiliary: dead,
        guess: 0.1,
    };
    let (mut work, mut gradient) = (Workspace::default(), params.zeros_like());
    let outcome = step::run(&params, &context, &x, &mut work, &mut gradient);
    FIXED.set(work.error.iter().map(|&error| -f64::from(error)).collect());
    let (at, x) = (widen(&params), x.iter().map(|&x| f64::from(x)).collect::<Vec<_>>());
    let expected = loss(case, &at, &at, &x);
    assert!(
        (outcome.loss - expected).abs() < 1e-5 * expected,
        "loss {} is not {expected}",
        outcome.loss
    );
    let names = ["w_enc", "w_dec", "b_enc", "b_dec", "log_threshold"];
    for (tensor, (name, got)) in names.iter().zip(gradient.tensors()).enumerate() {
        let differences: Vec<f64> = (0..got.len())
            .map(|index| {
                let moved = |by: f64| {
                    let mut p = at.clone();
                    p[tensor][index] += by;
                    loss(case, &p, &at, &x)
                };
                (moved(1e-5) - moved(-1e-5)) / 2e-5
            })
            .collect();
        let top = differences.iter().fold(0f64, |top, value| top.max(value.abs()));
        assert!(got.is_empty() || top > 0.0, "no derivative of {name}");
        for (index, (&got, want)) in got.iter().zip(&differences).enumerate() {
            assert!(
                (f64::from(got) - want).abs() < 1e-4 * top,
                "{name}[{index}]: {got} is not {want} (scale {top})"
            );
        }
    }
    super::products::is_dense(&outcome.latents)
}

#[test]
fn standard_dense_and_sparse() {
    let objective = Objective::Standard {
        l1_coefficient: 0.4,
        l1_warmup_steps: 0,
    };
    for (apply, bias) in [(true, 0.0), (false, 0.0), (true, -2.0), (false, -2.0)] {
        let dense = check(&Case {
            objective: objective.clone(),
            apply,
            penalty: 0.4,
            dead: None,
            bias,
        });
        assert_eq!(dense, bias >= 0.0);
    }
}

#[test]
fn top_k() {
    for (k, apply) in [(1, true), (4, true), (4, false)] {
        check(&Case {
            objective: Objective::TopK { k },
            apply,
            penalty: 0.0,
            dead: None,
            bias: 0.0,
        });
    }
}

#[test]
fn batch_top_k() {
    check(&Case {
        objective: Objective::BatchTopK {
            k: 3,
            threshold_rate: 0.1,
        },
        apply: true,
        penalty: 0.0,
        dead: None,
        bias: 0.0,
    });
    check(&Case {
        objective: Objective::BatchTopK {
            k: 1,
            threshold_rate: 0.1,
        },
        apply: false,
        penalty: 0.0,
        dead: None,
        bias: 0.0,
    });
}

#[test]
fn matryoshka() {
    let objective = Objective::MatryoshkaBatchTopK {
        k: 3,
        threshold_rate: 0.1,
        widths: vec![4, 9, D_SAE],
    };
    check(&Case {
        objective,
        apply: true,
        penalty: 0.0,
        dead: None,
        bias: 0.0,
    });
}

#[test]
fn jumprelu() {
    for bandwidth in [0.3, 0.8] {
        let objective = Objective::JumpRelu {
            l0_coefficient: 0.7,
            l0_warmup_steps: 0,
            bandwidth,
            initial_threshold: 0.3,
        };
        for bias in [0.0, -1.2] {
            let objective = objective.clone();
            let dense = check(&Case {
                objective,
                apply: true,
                penalty: 0.7,
                dead: None,
                bias,
            });
            assert_eq!(dense, bias >= 0.0);
        }
    }
}

#[test]
fn auxiliary_loss() {
    // Few dead latents, and more than the auxiliary loss uses.
    for dead in [vec![3, 17], vec![0, 2, 5, 11, 19]] {
        check(&Case {
            objective: Objective::TopK { k: 2 },
            apply: true,
            penalty: 0.0,
            dead: Some((dead, 0.5)),
            bias: 0.0,
        });
    }
}

#[test]
fn batch_selection_does_not_depend_on_the_guess() {
    let pre = values(4, "pre", 40 * 64, 1.0);
    let (exact, bar) = super::select::batch_top_k(&pre, 64, 200, 0.0);
    assert_eq!(exact.entries(), 200);
    for guess in [0.01, 0.5 * bar, bar, 2.0 * bar] {
        let (latents, other) = super::select::batch_top_k(&pre, 64, 200, guess);
        assert_eq!(latents, exact);
        assert!((other - bar).abs() <= 0.0);
    }
}
