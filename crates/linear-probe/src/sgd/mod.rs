//! The probe of Chanin et al. 2025 as its released code trains it: mini-batch Adam.
//!
//! One linear layer, all classes at once, on the loss of [`positive_weights`]: `BCEWithLogits`
//! averaged over rows and classes (section 4, "LR probe"). With [`SgdConfig::l1`] it is the probe
//! that ranks SAE latents for k-sparse probing (section 2). Everything is in f32, in torch's order
//! of operations where that is known. From the same initial weights and row orders the weights after
//! 50 epochs agree with torch's to 4e-7, with the L1 term to 3e-6 (weights of up to 0.75).
//!
//! # Deviations from the released code
//! - It sets no seed. Here rows and initial weights come from named sub-seeds of a run seed, or
//!   are given.
//! - It trains in the data type of the SAE, bfloat16 on a GPU; here always f32.
//! - It divides by zero for a letter without training words; here that is an error.
//!
//! Deliberately absent: plain SGD and `AdamW`, which the released code offers and its experiments
//! do not use, early stopping, and centring or scaling of the inputs. For a probe without training
//! noise see [`crate::fit_logistic`].

mod adam;
mod config;
mod loss;

use rand::RngExt;
use rand::seq::SliceRandom;
use serde::{Deserialize, Serialize};

pub use adam::learning_rates;
pub use config::{Init, RowOrder, SgdConfig, Start};
pub use loss::positive_weights;

use crate::error::ProbeError;
use crate::labels::Labels;
use crate::logistic::LogisticProbe;
use crate::rows::{Batch, Rows};
use adam::{Adam, Pull};

/// Rows per product where no batch size is given.
const SCORING_ROWS: usize = 1024;

/// One linear function per class, in f32.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SgdProbe {
    /// Number of columns of the inputs.
    pub d: usize,
    /// `[n_classes, d]`, row-major, in logits per unit of the inputs.
    pub weight: Vec<f32>,
    /// `[n_classes]`, in logits.
    pub bias: Vec<f32>,
}

/// A trained probe and its training curve.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SgdFit {
    /// The probe.
    pub probe: SgdProbe,
    /// `[epochs]`, mean over the rows of an epoch of the loss before each update, in nats, without
    /// penalties.
    pub losses: Vec<f64>,
}

/// Loss of a probe and its gradient.
#[derive(Clone, Debug, PartialEq)]
pub struct Gradient {
    /// Mean loss over rows and classes, in nats, without penalties.
    pub loss: f64,
    /// `[n_classes, d]`.
    pub weight: Vec<f32>,
    /// `[n_classes]`.
    pub bias: Vec<f32>,
}

/// Trains a probe.
///
/// # Shapes
/// - `rows`: `[n, d]`
/// - `labels`: `[n]`
///
/// # Errors
/// Labels of another length, a class without positives or negatives, a setting out of range,
/// given weights or row orders that do not fit, or a loss that is no longer finite.
pub fn train(rows: Rows<'_>, labels: &Labels, config: &SgdConfig, start: Start<'_>) -> Result<SgdFit, ProbeError> {
    let (n, d, classes) = (rows.n(), rows.d(), labels.n_classes());
    labels.require_fittable(n)?;
    config.check()?;
    let probe = initial(start.init, d, classes)?;
    if let RowOrder::Given(orders) = start.order {
        check_orders(orders, config.epochs, n)?;
    }
    let positive = positive_weights(labels.counts(), n);
    let mut weight = transposed(&probe.weight, classes, d);
    let mut bias = probe.bias;
    let (mut weight_adam, mut bias_adam) = (Adam::new(weight.len()), Adam::new(classes));
    let decay = config.weight_decay as f32;
    let l1 = (config.l1 / classes as f64) as f32;
    let mut gradient = vec![0.0; weight.len()];
    let mut logits = vec![0.0; config.batch_size.min(n) * classes];
    let mut buffer = Vec::new();
    let mut losses = Vec::with_capacity(config.epochs);
    let rates = learning_rates(config.rate, config.end_rate, config.epochs);
    let mut updates = 0;
    for (epoch, rate) in rates.into_iter().enumerate() {
        let order = match start.order {
            RowOrder::Seeded(seed) => shuffled(seed, epoch, n),
            RowOrder::Given(orders) => orders[epoch].clone(),
        };
        let mut total = 0.0;
        for chosen in order.chunks(config.batch_size) {
            let batch = Batch::gather(rows, chosen, buffer);
            let logits = &mut logits[..chosen.len() * classes];
            batch.logits(&weight, &bias, logits);
            total += loss::residuals(logits, labels, chosen, &positive) * chosen.len() as f64;
            batch.adjoint(logits, classes, &mut gradient);
            weight_adam.update(&mut weight, &gradient, rate, Pull { decay, l1 });
            bias_adam.update(&mut bias, &column_sums(logits, classes), rate, Pull { decay, l1: 0.0 });
            buffer = batch.release();
            updates += 1;
        }
        if !total.is_finite() {
            return Err(ProbeError::Diverged { updates });
        }
        losses.push(total / n as f64);
    }
    let weight = transposed(&weight, d, classes);
    Ok(SgdFit {
        probe: SgdProbe { d, weight, bias },
        losses,
    })
}

/// Loss of `probe` on all rows and its gradient: one full batch.
///
/// # Shapes
/// - `rows`: `[n, d]`
/// - `labels`: `[n]`
///
/// # Errors
/// Labels of another length, a class without positives or negatives, or a probe of other shape.
pub fn loss_and_gradient(rows: Rows<'_>, labels: &Labels, probe: &SgdProbe) -> Result<Gradient, ProbeError> {
    let (n, d, classes) = (rows.n(), rows.d(), labels.n_classes());
    labels.require_fittable(n)?;
    probe.check(d, classes)?;
    let chosen: Vec<usize> = (0..n).collect();
    let batch = Batch::gather(rows, &chosen, Vec::new());
    let mut logits = vec![0.0; n * classes];
    batch.logits(&transposed(&probe.weight, classes, d), &probe.bias, &mut logits);
    let positive = positive_weights(labels.counts(), n);
    let loss = loss::residuals(&mut logits, labels, &chosen, &positive);
    let mut gradient = vec![0.0; d * classes];
    batch.adjoint(&logits, classes, &mut gradient);
    Ok(Gradient {
        loss,
        weight: transposed(&gradient, d, classes),
        bias: column_sums(&logits, classes),
    })
}

impl SgdProbe {
    /// Logits of every row and class, computed in f32 as the released code does.
    ///
    /// # Shapes
    /// - `rows`: `[n, d]`
    /// - returns: `[n, n_classes]`, row-major
    ///
    /// # Errors
    /// [`ProbeError::Length`] if the rows have other columns than the probe.
    pub fn scores(&self, rows: Rows<'_>) -> Result<Vec<f64>, ProbeError> {
        let classes = self.bias.len();
        self.check(rows.d(), classes)?;
        let weight = transposed(&self.weight, classes, self.d);
        let mut scores = Vec::with_capacity(rows.n() * classes);
        let mut logits = vec![0.0; SCORING_ROWS.min(rows.n()) * classes];
        let mut buffer = Vec::new();
        let all: Vec<usize> = (0..rows.n()).collect();
        for chosen in all.chunks(SCORING_ROWS) {
            let batch = Batch::gather(rows, chosen, buffer);
            let logits = &mut logits[..chosen.len() * classes];
            batch.logits(&weight, &self.bias, logits);
            scores.extend(logits.iter().map(|&logit| f64::from(logit)));
            buffer = batch.release();
        }
        Ok(scores)
    }

    /// Weights of one class, `[d]`: the probe direction of its letter, not normalised.
    ///
    /// # Panics
    /// Panics if `class` is not a class of the probe.
    #[must_use]
    pub fn direction(&self, class: usize) -> &[f32] {
        &self.weight[class * self.d..(class + 1) * self.d]
    }

    /// The same probe in f64, for everything that takes the converged one.
    #[must_use]
    pub fn widened(&self) -> LogisticProbe {
        let wide = |values: &[f32]| values.iter().map(|&value| f64::from(value)).collect();
        LogisticProbe {
            d: self.d,
            weight: wide(&self.weight),
            bias: wide(&self.bias),
        }
    }

    fn check(&self, d: usize, classes: usize) -> Result<(), ProbeError> {
        let parts = [
            ("probe columns", d, self.d),
            ("probe weight", classes.saturating_mul(d), self.weight.len()),
            ("probe bias", classes, self.bias.len()),
        ];
        match parts.into_iter().find(|(_, expected, found)| expected != found) {
            Some((what, expected, found)) => Err(ProbeError::Length { what, expected, found }),
            None => Ok(()),
        }
    }
}

/// `torch.nn.Linear`'s initial weights: uniform in `+-1 / sqrt(d)`, biases too.
fn initial(init: Init<'_>, d: usize, classes: usize) -> Result<SgdProbe, ProbeError> {
    match init {
        Init::Given(probe) => {
            probe.check(d, classes)?;
            Ok(probe.clone())
        }
        Init::Seeded(seed) => {
            let mut rng = stats::seed::rng(seed, "linear-probe/sgd-init");
            let bound = (1.0 / d as f64).sqrt() as f32;
            let mut draw = |count: usize| (0..count).map(|_| rng.random_range(-bound..=bound)).collect();
            Ok(SgdProbe {
                d,
                weight: draw(classes * d),
                bias: draw(classes),
            })
        }
    }
}

fn shuffled(seed: u64, epoch: usize, n: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..n).collect();
    order.shuffle(&mut stats::seed::rng(
        seed,
        &format!("linear-probe/sgd-order/epoch={epoch}"),
    ));
    order
}

fn check_orders(orders: &[Vec<usize>], epochs: usize, n: usize) -> Result<(), ProbeError> {
    let length = |what, expected, found| {
        if expected == found {
            Ok(())
        } else {
            Err(ProbeError::Length { what, expected, found })
        }
    };
    length("row orders", epochs, orders.len())?;
    for order in orders {
        length("row order", n, order.len())?;
        let mut seen = vec![false; n];
        for &row in order {
            let seen = seen.get_mut(row).ok_or(ProbeError::RowOutOfRange { row, n })?;
            if std::mem::replace(seen, true) {
                return Err(ProbeError::DuplicateRow { row });
            }
        }
    }
    Ok(())
}

/// `[rows, columns]` to `[columns, rows]`.
fn transposed(x: &[f32], rows: usize, columns: usize) -> Vec<f32> {
    let mut out = vec![0.0; x.len()];
    for (i, row) in x.chunks_exact(columns).enumerate() {
        for (j, &value) in row.iter().enumerate() {
            out[j * rows + i] = value;
        }
    }
    out
}

fn column_sums(x: &[f32], columns: usize) -> Vec<f32> {
    let mut sums = vec![0.0_f64; columns];
    for row in x.chunks_exact(columns) {
        for (sum, &value) in sums.iter_mut().zip(row) {
            *sum += f64::from(value);
        }
    }
    sums.into_iter().map(|sum| sum as f32).collect()
}
