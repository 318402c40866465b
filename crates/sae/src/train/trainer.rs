//! The loop.

use std::time::Instant;

use super::adam::{self, Adam};
use super::batches::Batches;
use super::config::{DeadLatents, TrainConfig};
use super::objective::Objective;
use super::params::Params;
use super::step::{self, Context, Outcome};
use super::workspace::Workspace;
use super::{ActivationSource, TrainReport, finish, seed};
use crate::{Architecture, Normalization, Sae, SaeError, evaluate};

/// Rows from which scale and mean are estimated.
const SAMPLE: usize = 8192;
/// Points of the loss curve.
const CURVE: usize = 100;
/// Share of the last batch's bar that the next one is expected to exceed.
const GUESS: f32 = 0.8;

/// State of a run between steps.
pub(crate) struct Run<'a> {
    pub(crate) config: &'a TrainConfig,
    pub(crate) seed: u64,
    pub(crate) params: Params,
    pub(crate) gradient: Params,
    pub(crate) adam: Adam,
    pub(crate) work: Workspace,
    /// Steps since each latent last fired.
    pub(crate) silent: Vec<usize>,
    /// Running mean of batch top-k's bar, and the last one.
    pub(crate) threshold: Option<f32>,
    pub(crate) bar: f32,
}

/// Trains an autoencoder on scaled rows and folds the scale back, so that the result takes rows as they are.
///
/// The same arguments give the same bytes on the same machine, whatever the number of threads.
///
/// # Errors
/// [`SaeError::Train`] for settings that make no sense, [`SaeError::Source`] if rows cannot be read, [`SaeError::Diverged`] if
/// the loss stops being a number.
pub fn train(
    config: &TrainConfig,
    activations: &dyn ActivationSource,
    seed: u64,
) -> Result<(Sae, TrainReport), SaeError> {
    from(None, config, activations, seed)
}

/// Trains on from `start`, whose latents stay the first ones, with as many new ones behind them as `config` has more: what a narrow
/// autoencoder does when it gets room.
///
/// Adam starts anew. Batches and the new latents come from `seed`, as in [`train`].
///
/// # Errors
/// Those of [`train`], and [`SaeError::Train`] where `start` is not a `ReLU` autoencoder of rows as they are, is wider than `config`
/// says, treats the decoder bias differently, or has an objective of another kind to go on with.
pub fn extend(
    start: &Sae,
    config: &TrainConfig,
    activations: &dyn ActivationSource,
    seed: u64,
) -> Result<(Sae, TrainReport), SaeError> {
    let found = start.config();
    let fits = found.architecture == Architecture::Standard
        && found.normalize_activations == Normalization::None
        && !start.is_transcoder()
        && found.d_in == activations.width()
        && found.d_sae <= config.d_sae
        && found.apply_b_dec_to_input == config.apply_b_dec_to_input
        && matches!(config.objective, Objective::Standard { .. });
    if !fits {
        return Err(SaeError::Train {
            field: "start",
            value: format!("{} of {} latents", found.architecture.name(), found.d_sae),
            reason: "training goes on from a ReLU autoencoder of these rows, no wider than the result, with the same treatment of the \
                     decoder bias and an L1 penalty"
                .to_owned(),
        });
    }
    from(Some(start), config, activations, seed)
}

fn from(
    start: Option<&Sae>,
    config: &TrainConfig,
    activations: &dyn ActivationSource,
    seed: u64,
) -> Result<(Sae, TrainReport), SaeError> {
    let begun = Instant::now();
    let d_in = activations.width();
    config.check(activations.rows())?;
    let (mut batches, held_out) = Batches::split(activations.rows(), config.held_out_rows, seed);
    let mut sample = vec![0.0; batches.sample(SAMPLE).len() * d_in];
    activations.read(batches.sample(SAMPLE), &mut sample)?;
    let scale = input_scale(&sample, d_in)?;
    let mut run = Run::new(config, &sample, d_in, scale, seed);
    if let Some(start) = start {
        run.params.continue_from(&start.weights(), scale);
    }

    let mut x = vec![0.0; config.batch_size * d_in];
    let mut loss_curve = Vec::new();
    let every = config.steps.div_ceil(CURVE);
    for step in 0..config.steps {
        activations.read(batches.take(config.batch_size), &mut x)?;
        for value in &mut x {
            *value *= scale;
        }
        let loss = run.step(step, &x);
        if !loss.is_finite() {
            return Err(SaeError::Diverged { step, loss });
        }
        if step % every == 0 || step + 1 == config.steps {
            loss_curve.push((step, loss));
        }
    }
    let sae = finish::sae(config, &run.params, run.threshold, scale, seed)?;
    let mut rows = vec![0.0; held_out.len() * d_in];
    activations.read(&held_out, &mut rows)?;
    let quality = evaluate(&sae, &rows);
    let report = TrainReport {
        l0: quality.l0,
        explained_variance: quality.explained_variance,
        dead_share: quality.dead_share,
        mse: quality.mse,
        steps: config.steps,
        input_scale: scale,
        loss_curve,
        seconds: begun.elapsed().as_secs_f64(),
    };
    Ok((sae, report))
}

/// The factor that gives rows a mean norm of `sqrt(d)`.
fn input_scale(sample: &[f32], d_in: usize) -> Result<f32, SaeError> {
    let rows = sample.chunks_exact(d_in);
    let count = rows.len() as f64;
    let norms = rows.map(|row| row.iter().map(|&value| f64::from(value).powi(2)).sum::<f64>().sqrt());
    let mean = norms.sum::<f64>() / count;
    let scale = ((d_in as f64).sqrt() / mean) as f32;
    if scale > 0.0 && scale.is_finite() {
        return Ok(scale);
    }
    let reason = "rows have to be finite and not all zero".to_owned();
    Err(SaeError::Train {
        field: "activations",
        value: format!("rows of mean norm {mean}"),
        reason,
    })
}

impl<'a> Run<'a> {
    fn new(config: &'a TrainConfig, sample: &[f32], d_in: usize, scale: f32, seed: u64) -> Self {
        let d_sae = config.d_sae;
        let mut w_dec = vec![0.0; d_sae * d_in];
        seed::fill_normal(&mut seed::rng(seed, "sae/init"), &mut w_dec);
        adam::normalise(&mut w_dec, d_in);
        let mut mean = vec![0f64; d_in];
        for row in sample.chunks_exact(d_in) {
            mean.iter_mut()
                .zip(row)
                .for_each(|(mean, &value)| *mean += f64::from(value));
        }
        let factor = f64::from(scale) / (sample.len() / d_in) as f64;
        let log_threshold = match config.objective {
            Objective::JumpRelu { initial_threshold, .. } => vec![initial_threshold.ln(); d_sae],
            _ => Vec::new(),
        };
        let params = Params {
            d_in,
            d_sae,
            w_enc: w_dec.iter().map(|weight| weight * config.encoder_init_norm).collect(),
            w_dec,
            b_enc: vec![0.0; d_sae],
            b_dec: mean.into_iter().map(|mean| (mean * factor) as f32).collect(),
            log_threshold,
        };
        Self {
            config,
            seed,
            gradient: params.zeros_like(),
            adam: Adam::new(&params, config.betas),
            params,
            work: Workspace::default(),
            silent: vec![0; d_sae],
            threshold: None,
            bar: 0.0,
        }
    }

    /// Latents that have not fired for long, ascending.
    fn dead(&self) -> Vec<u32> {
        let silent = self.silent.iter().enumerate();
        silent
            .filter(|&(_, &steps)| steps >= self.config.dead_after)
            .map(|(latent, _)| latent as u32)
            .collect()
    }

    /// One step on scaled rows; returns the loss.
    fn step(&mut self, step: usize, x: &[f32]) -> f64 {
        let config = self.config;
        let dead = self.dead();
        let auxiliary = match config.dead_latents {
            DeadLatents::Auxiliary { coefficient } if !dead.is_empty() => Some((dead.as_slice(), coefficient)),
            _ => None,
        };
        let context = Context {
            objective: &config.objective,
            apply_b_dec_to_input: config.apply_b_dec_to_input,
            penalty: penalty(&config.objective, step),
            auxiliary,
            guess: GUESS * self.bar,
        };
        let outcome = step::run(&self.params, &context, x, &mut self.work, &mut self.gradient);
        self.watch(&outcome);
        self.adam.step(
            &mut self.params,
            &mut self.gradient,
            learning_rate(config, step),
            config.gradient_clip,
        );
        if let DeadLatents::Resample { every } = config.dead_latents
            && step > 0
            && step.is_multiple_of(every)
            && step < config.steps - config.decay_steps
        {
            self.resample(step, &self.dead());
        }
        outcome.loss
    }

    /// Counts silent steps and follows the bar of batch top-k.
    fn watch(&mut self, outcome: &Outcome) {
        for steps in &mut self.silent {
            *steps += 1;
        }
        for (&latent, &value) in outcome.latents.index().iter().zip(outcome.latents.values()) {
            if value > 0.0 {
                self.silent[latent as usize] = 0;
            }
        }
        let (Objective::BatchTopK { threshold_rate, .. } | Objective::MatryoshkaBatchTopK { threshold_rate, .. }) =
            self.config.objective
        else {
            return;
        };
        if outcome.smallest > 0.0 {
            self.bar = outcome.smallest;
            // SAELens starts from 0; starting from the first value forgets the start as fast and never undershoots.
            let before = self.threshold.unwrap_or(self.bar);
            self.threshold = Some(before + threshold_rate * (self.bar - before));
        }
    }
}

/// Weight of the penalty at a step.
fn penalty(objective: &Objective, step: usize) -> f32 {
    let (coefficient, warmup) = match *objective {
        Objective::Standard {
            l1_coefficient,
            l1_warmup_steps,
        } => (l1_coefficient, l1_warmup_steps),
        Objective::JumpRelu {
            l0_coefficient,
            l0_warmup_steps,
            ..
        } => (l0_coefficient, l0_warmup_steps),
        Objective::TopK { .. } | Objective::BatchTopK { .. } | Objective::MatryoshkaBatchTopK { .. } => return 0.0,
    };
    coefficient * ((step + 1) as f32 / warmup.max(1) as f32).min(1.0)
}

/// Linear warm-up, plateau, linear decay.
fn learning_rate(config: &TrainConfig, step: usize) -> f32 {
    let up = (step + 1) as f32 / config.warmup_steps.max(1) as f32;
    let down = (config.steps - step) as f32 / config.decay_steps.max(1) as f32;
    config.learning_rate * up.min(down).min(1.0)
}
