//! Trees of features: the true dictionary, a trained one, and broken ones.

use ablation::planted::hierarchy::Hierarchy;
use ablation::planted::{permuted_decoder, random_of_l0};
use ablation::{SaeSide, select};
use sae::train::Rows;
use sae::{Objective, Sae, TrainConfig};

use super::{Check, Measured, Setting, mean_of, measure, one_each};

/// Active latents per row of the trained autoencoder.
const K: usize = 8;
/// Latents, a quarter of the features, as in the benchmark that this is scaled down from.
const WIDTH: usize = 256;
/// Sets of the k-curve.
const KS: [usize; 5] = [1, 2, 4, 8, 16];

pub(super) fn checks(setting: &Setting) -> anyhow::Result<Vec<Check>> {
    const ORDER: &str = "oracle > trained > permuted ~ random ~ 0 (reliability audit of SAE benchmarks)";
    const MARGIN: &str = "the order, by a margin of .1";
    let features = Hierarchy::small().plant(setting.seed)?;
    let d = features.world.train.d;
    let corpus = features.corpus(setting.size(20_000, 100_000), setting.seed);
    let trained = train(&corpus, d, setting)?;
    let sample = &corpus[..4096 * d];
    let l0 = sae::evaluate(&trained, sample).l0;
    measure(&features.world, |measured| {
        let k1 = |sae: &Sae| -> anyhow::Result<f64> {
            let latents = sae.encode(&measured.world.train.x);
            let probes = select::by_sparse_probe(&latents, &measured.world.train)?;
            let main: Vec<u32> = probes.iter().map(|probe| probe.latent).collect();
            Ok(mean_of(&measured.latents(sae, &one_each(&main))?, |s| s.m_star))
        };
        let oracle = features.oracle()?;
        let (oracle_k1, trained_k1) = (k1(&oracle)?, k1(&trained)?);
        let permuted = k1(&permuted_decoder(&trained, setting.seed)?)?;
        let random = k1(&random_of_l0(sample, d, WIDTH, l0, setting.seed)?)?;
        // Every latent that has a positive pre-activation fires: what an autoencoder is before training.
        let untrained = k1(&random_of_l0(sample, d, WIDTH, f64::INFINITY, setting.seed)?)?;
        let oracle_best = best_k(measured, &oracle)?;
        let trained_best = best_k(measured, &trained)?;
        Ok(vec![
            Check::above(
                "M* of the true dictionary",
                0.95,
                oracle_k1,
                "a sound dictionary carries its letters",
            ),
            Check::above("M*, true dictionary less trained", 0.1, oracle_k1 - trained_k1, MARGIN),
            Check::above(
                "M*, trained less the best broken control",
                0.1,
                trained_k1 - permuted.max(random).max(untrained),
                MARGIN,
            ),
            Check::near("M* with a permuted decoder", 0.0, 0.1, permuted, ORDER),
            Check::near("M* of a random dictionary of equal L0", 0.0, 0.1, random, ORDER),
            Check::near("M* of an untrained dictionary", 0.0, 0.1, untrained, ORDER),
            Check::above(
                "M* at the best k <= 16, true dictionary less trained",
                0.0,
                oracle_best - trained_best,
                ORDER,
            ),
            Check::above(
                "M* of the trained one, best k less k = 1",
                0.0,
                trained_best - trained_k1,
                "more latents carry more of a letter that is split or absorbed",
            ),
        ])
    })
}

fn train(corpus: &[f32], d: usize, setting: &Setting) -> anyhow::Result<Sae> {
    let objective = Objective::BatchTopK {
        k: K,
        threshold_rate: 0.01,
    };
    let mut config = TrainConfig::new(WIDTH, objective, setting.size(1000, 6000));
    config.batch_size = 512;
    config.learning_rate = 1e-3;
    Ok(sae::train(&config, &Rows::new(corpus, d), setting.seed)?.0)
}

/// The highest M* over set sizes; sets are the latents with the largest exact effect on train words.
fn best_k(measured: &Measured<'_>, sae: &Sae) -> anyhow::Result<f64> {
    let world = measured.world;
    let side = SaeSide::new(sae, &world.train)?;
    let site = world.train_site();
    let clean = ablation::Readout::clean_logits(&site)?;
    let effects = select::single_effects(&site, &side, &side.train, &world.train.y, &clean)?;
    let ranked = select::rank_by_effect(&effects, &world.train.y, world.train.classes, sae.d_sae());
    let mut best = f64::NEG_INFINITY;
    for k in KS {
        let sets: Vec<Vec<u32>> = ranked.iter().map(|r| r.iter().take(k).copied().collect()).collect();
        best = best.max(mean_of(&measured.latents(sae, &sets)?, |s| s.m_star));
    }
    Ok(best)
}
