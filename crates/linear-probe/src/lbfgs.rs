//! Limited-memory BFGS for one class.
//!
//! The classes are separate problems that share products with the design: each [`ClassState`] has
//! its own point, history, line search and end, and the caller only batches the products of the
//! classes that are still running. Two-loop recursion with history 10 (Nocedal & Wright 2006,
//! algorithm 7.4); the basis of [`crate::whitening`] makes the first Hessian guess `I / 4`.
//!
//! Deliberately absent: bounds, L1 penalties and stochastic gradients.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use crate::line_search::search;
use crate::objective::{Objective, Point};

/// Pairs of step and gradient change kept.
const HISTORY: usize = 10;

/// Why the optimiser of a class ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stop {
    /// The gradient is below the tolerance.
    Converged,
    /// The iterations are used up.
    MaxIterations,
    /// No step lowers the loss further: the tolerance is below rounding error.
    Stalled,
}

/// How the fit of one class ended.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClassOutcome {
    /// Why it ended.
    pub stop: Stop,
    /// Iterations, one product with the design and one with its transpose each.
    pub iterations: usize,
    /// Largest absolute entry of the gradient of the penalised mean loss, in the whitened basis
    /// (no unit).
    pub gradient: f64,
    /// Penalised weighted mean loss, in nats.
    pub loss: f64,
}

/// The state of one class. Vectors of length `d + 1` hold whitened weights and then the bias.
pub(crate) struct ClassState {
    pub(crate) objective: Objective,
    /// Penalty of each entry of `point`, zero for the bias.
    pub(crate) penalty: Vec<f64>,
    pub(crate) point: Vec<f64>,
    pub(crate) logits: Vec<f64>,
    pub(crate) residuals: Vec<f64>,
    pub(crate) direction: Vec<f64>,
    pub(crate) iterations: usize,
    pub(crate) stop: Option<Stop>,
    loss: f64,
    gradient: Vec<f64>,
    step: f64,
    history: VecDeque<(Vec<f64>, Vec<f64>)>,
}

impl ClassState {
    /// Starts at `point`, whose logits are `logits`.
    pub(crate) fn new(objective: Objective, penalty: Vec<f64>, point: Vec<f64>, logits: Vec<f64>) -> Self {
        let mut residuals = vec![0.0; logits.len()];
        let loss = objective.along(&logits, &logits, 0.0, &mut residuals).value;
        Self {
            loss: loss + half_penalty(&penalty, &point),
            direction: vec![0.0; point.len()],
            gradient: Vec::new(),
            history: VecDeque::with_capacity(HISTORY),
            iterations: 0,
            step: 0.0,
            stop: None,
            objective,
            penalty,
            point,
            logits,
            residuals,
        }
    }

    /// Takes the gradient of the data term at the current point (`[d + 1]`), learns from the last
    /// step, and either ends or sets the next direction.
    pub(crate) fn advance(&mut self, mut gradient: Vec<f64>, tolerance: f64, max: usize) {
        for ((gradient, penalty), point) in gradient.iter_mut().zip(&self.penalty).zip(&self.point) {
            *gradient += penalty * point;
        }
        if self.step > 0.0 {
            let moved: Vec<f64> = self.direction.iter().map(|p| self.step * p).collect();
            let change: Vec<f64> = gradient
                .iter()
                .zip(&self.gradient)
                .map(|(new, old)| new - old)
                .collect();
            // Convexity makes this product positive except for rounding.
            if dot(&moved, &change) > f64::EPSILON * dot(&change, &change) {
                if self.history.len() == HISTORY {
                    self.history.pop_front();
                }
                self.history.push_back((moved, change));
            }
        }
        self.gradient = gradient;
        if self.largest_gradient() <= tolerance {
            self.stop = Some(Stop::Converged);
        } else if self.iterations >= max {
            self.stop = Some(Stop::MaxIterations);
        } else {
            self.set_direction();
        }
    }

    /// Moves along the direction, whose logits are `change`.
    pub(crate) fn line_search(&mut self, change: &[f64]) {
        self.iterations += 1;
        let (direction, point) = (&self.direction, &self.point);
        let cross: f64 = self
            .penalty
            .iter()
            .zip(direction)
            .zip(point)
            .map(|((c, p), w)| c * p * w)
            .sum();
        let square = 2.0 * half_penalty(&self.penalty, direction);
        let base = half_penalty(&self.penalty, point);
        let start = Point {
            value: self.loss,
            slope: dot(&self.gradient, direction),
        };
        let found = search(start, |step| {
            let data = self.objective.along(&self.logits, change, step, &mut self.residuals);
            Point {
                value: data.value + base + step * (cross + 0.5 * step * square),
                slope: data.slope + cross + step * square,
            }
        });
        let Some((step, end)) = found else {
            self.stop = Some(Stop::Stalled);
            return;
        };
        self.step = step;
        self.loss = end.value;
        self.logits.iter_mut().zip(change).for_each(|(z, q)| *z += step * q);
        self.point
            .iter_mut()
            .zip(&self.direction)
            .for_each(|(w, p)| *w += step * p);
    }

    pub(crate) fn outcome(&self) -> ClassOutcome {
        ClassOutcome {
            stop: self.stop.unwrap_or(Stop::MaxIterations),
            iterations: self.iterations,
            gradient: self.largest_gradient(),
            loss: self.loss,
        }
    }

    fn largest_gradient(&self) -> f64 {
        self.gradient
            .iter()
            .fold(0.0, |largest, entry| largest.max(entry.abs()))
    }

    fn set_direction(&mut self) {
        let mut q: Vec<f64> = self.gradient.iter().map(|entry| -entry).collect();
        let mut shares = Vec::with_capacity(self.history.len());
        for (moved, change) in self.history.iter().rev() {
            let share = dot(moved, &q) / dot(moved, change);
            add_scaled(&mut q, -share, change);
            shares.push(share);
        }
        let guess = self.history.back().map_or(4.0, |(s, y)| dot(s, y) / dot(y, y));
        for entry in &mut q {
            *entry *= guess;
        }
        for ((moved, change), share) in self.history.iter().zip(shares.into_iter().rev()) {
            let back = dot(change, &q) / dot(moved, change);
            add_scaled(&mut q, share - back, moved);
        }
        self.direction = q;
    }
}

fn half_penalty(penalty: &[f64], point: &[f64]) -> f64 {
    0.5 * penalty.iter().zip(point).map(|(c, w)| c * w * w).sum::<f64>()
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn add_scaled(target: &mut [f64], scale: f64, other: &[f64]) {
    target
        .iter_mut()
        .zip(other)
        .for_each(|(target, other)| *target += scale * other);
}
