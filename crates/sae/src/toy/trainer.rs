//! The loop.

use rayon::prelude::*;

use super::adam::Adam;
use super::batch::{Batch, Sampler};
use super::gradient::{Sparsity, Work};
use super::params::Params;
use super::{Setting, ToyConfig, ToyData, ToySae, stream};
use crate::SaeError;

/// Share of the running threshold of batch top-k that each step replaces, as in the authors' later code.
const THRESHOLD_RATE: f64 = 0.01;
/// Steps at the end whose mean loss is reported.
const LAST: usize = 500;

/// Fits one toy.
///
/// # Errors
/// [`SaeError::Train`] if a setting makes no sense, [`SaeError::Diverged`] if the loss is not a number.
pub fn train(config: &ToyConfig) -> Result<ToySae, SaeError> {
    config.check()?;
    match config.setting {
        Setting::BatchTopK => fit::<12>(config),
        _ => fit::<4>(config),
    }
}

/// [`train`] for each configuration, on all threads; results are in the order of the configurations.
///
/// # Errors
/// The first of the errors of [`train`].
pub fn train_all(configs: &[ToyConfig]) -> Result<Vec<ToySae>, SaeError> {
    configs.par_iter().with_max_len(1).map(train).collect()
}

/// `N` is the number of features.
fn fit<const N: usize>(config: &ToyConfig) -> Result<ToySae, SaeError> {
    let data = ToyData::new(config.setting, config.d_in, config.seed)?;
    let mut rng = stream::rng(config.seed, "toy weights");
    let mut params = Params::random(N, config.d_in, config.tied, config.encoder_start, &mut rng);
    let mut gradient = Params::zeros(N, config.d_in, config.tied);
    let mut sampler = Sampler::new(config.setting, stream::rng(config.seed, "toy rows"));
    let (mut adam, mut batch, mut work) = (Adam::new(&params), Batch::default(), Work::<N>::default());
    let sparsity = config
        .setting
        .top_k()
        .map_or(Sparsity::L1(config.lambda), Sparsity::BatchTopK);
    let (mut threshold, mut loss) = (0.0, 0.0);
    let last = LAST.min(config.steps);
    for step in 0..config.steps {
        params.normalise_decoder();
        sampler.draw(config.batch, &mut batch);
        let outcome = work.run(&params, data.features(), &mut batch, sparsity, &mut gradient);
        if !outcome.loss.is_finite() {
            return Err(SaeError::Diverged {
                step,
                loss: outcome.loss,
            });
        }
        if step + last >= config.steps {
            loss += outcome.loss / last as f64;
        }
        if let Some(smallest) = outcome.smallest {
            threshold += THRESHOLD_RATE * (smallest - threshold);
        }
        if config.project_gradient {
            gradient.project(&params);
        }
        adam.step(&mut params, &gradient, config.learning_rate);
    }
    params.normalise_decoder();
    Ok(ToySae {
        config: config.clone(),
        features: data.features().to_vec(),
        w_enc: params.encoder().to_vec(),
        b_enc: params.b_enc().to_vec(),
        w_dec: params.decoder().to_vec(),
        b_dec: params.b_dec().to_vec(),
        threshold: config.setting.top_k().map(|_| threshold),
        loss,
    })
}
