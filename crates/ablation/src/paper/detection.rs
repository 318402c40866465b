//! Which latents stand for a letter: by encoder cosine, by k-sparse probing, and over how many the letter is split.

use std::time::Instant;

use linear_probe::ksparse::{self, JUMP, LOOK_AHEAD_PAPER, LOOK_AHEAD_SAEBENCH};
use linear_probe::metrics::{ClassScores, score_class};
use linear_probe::sgd::{self, Start};
use linear_probe::{Labels, LogisticProbe, ProbeError, Rows, SgdConfig, SgdProbe, SparseRows};
use sae::{Sae, SparseLatents, evaluate};
use serde::{Deserialize, Serialize};

use crate::absorption::decoder_cosines;
use crate::directions::Labelled;
use crate::error::Result;
use crate::select::{contribution_scale, encoder_cosines};

/// Latents per letter whose cosines are kept.
const RUNNERS_UP: usize = 5;

/// What detection reads: everything encoded once.
#[derive(Clone, Copy)]
pub struct Material<'a> {
    /// The autoencoder.
    pub sae: &'a Sae,
    /// Vectors of train words.
    pub train: &'a Labelled,
    /// Their latents.
    pub train_latents: &'a SparseLatents,
    /// Vectors of test words.
    pub test: &'a Labelled,
    /// Their latents.
    pub test_latents: &'a SparseLatents,
    /// The dense probe.
    pub probe: &'a LogisticProbe,
}

/// The latent whose encoder points most along a letter's probe (section 5.1).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SingleLatent {
    /// The latent.
    pub latent: u32,
    /// Cosine of its encoder column with the probe.
    pub encoder_cosine: f64,
    /// Cosine of its decoder row with the probe.
    pub decoder_cosine: f64,
    /// The next ones, with their encoder cosines.
    pub runners_up: Vec<(u32, f64)>,
    /// As a classifier of test words that says yes where it fires; the AUC is that of the distance to its threshold. `None` if
    /// the letter has no test words.
    pub scores: Option<ClassScores>,
    /// Mean activation on the letter's train words, on the scale of the vector.
    pub mean: f64,
}

/// k-sparse probing with one `k`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct KPoint {
    /// Number of latents.
    pub k: usize,
    /// Of the regression on test words.
    pub scores: Option<ClassScores>,
}

/// k-sparse probing of one letter (section 5.3, appendix A.7).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct KSparseLetter {
    /// Latents by falling weight of the ranking probe, as many as the largest `k`.
    pub latents: Vec<u32>,
    /// For each `k`, ascending.
    pub by_k: Vec<KPoint>,
    /// The first latent as a classifier that says yes where it fires.
    pub fires: Option<ClassScores>,
    /// Main latents by the paper's rule (`k` up to 15).
    pub main: Vec<u32>,
    /// Main latents by `SAEBench`'s rule (`k` up to 10).
    pub main_saebench: Vec<u32>,
    /// Weights of the regression on `main`, in their order.
    pub weight: Vec<f64>,
    /// Its bias.
    pub bias: f64,
}

impl KSparseLetter {
    /// Score of the regression on the main latents: the k-sparse probe finds the letter where it is above 0.
    #[must_use]
    pub fn score(&self, latents: &SparseLatents, row: usize) -> f64 {
        let weighted = self.main.iter().zip(&self.weight);
        weighted.map(|(&j, w)| w * f64::from(latents.get(row, j))).sum::<f64>() + self.bias
    }

    /// F1 at `k`, if it was measured.
    #[must_use]
    pub fn f1(&self, k: usize) -> Option<f64> {
        self.by_k
            .iter()
            .find(|point| point.k == k)?
            .scores
            .map(|scores| scores.f1)
    }
}

/// Cosines of all decoder rows with one letter's probe (Figure 18).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DecoderCosines {
    /// The largest, largest first.
    pub top: Vec<(u32, f64)>,
    /// Standard deviation over all latents.
    pub sd: f64,
}

/// What is known about one SAE's letter latents. Lists are by class.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Detection {
    /// Active latents per test word.
    pub l0: f64,
    /// Share of the variance of test words that the SAE explains.
    pub explained_variance: f64,
    /// By encoder cosine.
    pub single: Vec<SingleLatent>,
    /// By k-sparse probing.
    pub ksparse: Vec<KSparseLetter>,
    /// Decoder rows along each probe.
    pub decoder: Vec<DecoderCosines>,
    /// Seconds of each stage.
    pub seconds: Vec<(String, f64)>,
}

impl Detection {
    /// Main latents of each class by `SAEBench`'s rule, by number.
    #[must_use]
    pub fn main_counts(&self) -> Vec<usize> {
        self.ksparse.iter().map(|letter| letter.main_saebench.len()).collect()
    }

    /// Finds them. `ranking`: how the probe that ranks latents is trained; `ks`: sizes of the k-sparse probes.
    ///
    /// # Errors
    /// A letter has no train words, or a fit fails.
    pub fn new(material: Material<'_>, ranking: &SgdConfig, ks: &[usize], seed: u64) -> Result<Self> {
        let mut seconds = Vec::new();
        let begun = Instant::now();
        let quality = evaluate(material.sae, &material.test.x);
        let single = single_latents(material)?;
        seconds.push(("encoder cosine".to_owned(), begun.elapsed().as_secs_f64()));
        let begun = Instant::now();
        let ranked = rank_latents(material, ranking, seed)?;
        seconds.push(("ranking probe".to_owned(), begun.elapsed().as_secs_f64()));
        let begun = Instant::now();
        let ksparse = k_sparse(material, &ranked, ks)?;
        seconds.push(("k-sparse probes".to_owned(), begun.elapsed().as_secs_f64()));
        Ok(Self {
            l0: quality.l0,
            explained_variance: quality.explained_variance,
            single,
            ksparse,
            decoder: decoder_outliers(material),
            seconds,
        })
    }
}

/// The arrays of encoded latents as rows of a probe.
///
/// # Errors
/// There are no rows.
pub fn sparse_rows(latents: &SparseLatents) -> std::result::Result<SparseRows<'_>, ProbeError> {
    let (indptr, index, value) = latents.arrays();
    SparseRows::new(latents.width(), indptr, index, value)
}

/// Trains the L1 probe whose signed weights rank latents.
///
/// # Errors
/// A letter has no train words, or training diverges.
pub fn rank_latents(material: Material<'_>, config: &SgdConfig, seed: u64) -> Result<SgdProbe> {
    let rows = Rows::from(sparse_rows(material.train_latents)?);
    let labels = Labels::new(&material.train.y, material.train.classes)?;
    let seed = stats::seed::sub_seed(seed, "paper/ranking-probe");
    Ok(sgd::train(rows, &labels, config, Start::seeded(seed))?.probe)
}

fn single_latents(material: Material<'_>) -> Result<Vec<SingleLatent>> {
    let Material {
        sae,
        train,
        train_latents,
        test,
        test_latents,
        probe,
    } = material;
    let cosines = encoder_cosines(sae, probe);
    (0..train.classes)
        .map(|class| {
            let order = best(&cosines[class], RUNNERS_UP);
            let latent = order.first().copied().unwrap_or_default();
            let decoder = decoder_cosines_of(sae, latent, probe.direction(class));
            // How far from firing; the decision is the same as that of the activation.
            let bar = sae
                .thresholds()
                .map_or(0.0, |bars| f64::from(bars[latent as usize].max(0.0)));
            let pre = sae.pre_activations(&test.x, &[latent as usize]);
            let positive: Vec<bool> = test.y.iter().map(|&y| y == class).collect();
            let fires: Vec<f64> = (0..test.n())
                .map(|row| f64::from(test_latents.get(row, latent)))
                .collect();
            let distance: Vec<f64> = pre.iter().map(|&value| f64::from(value) - bar).collect();
            let auc = score_class(&distance, &positive, 0.0).map(|scores| scores.auc);
            let scores = score_class(&fires, &positive, linear_probe::cosine::FIRES)
                .zip(auc)
                .map(|(scores, auc)| ClassScores { auc, ..scores });
            let own: Vec<usize> = (0..train.n()).filter(|&row| train.y[row] == class).collect();
            let total: f64 = own
                .iter()
                .map(|&row| f64::from(train_latents.get(row, latent) * contribution_scale(train_latents, row)))
                .sum();
            Ok(SingleLatent {
                latent,
                encoder_cosine: cosines[class].get(latent as usize).copied().unwrap_or_default(),
                decoder_cosine: decoder,
                runners_up: order[1..].iter().map(|&j| (j, cosines[class][j as usize])).collect(),
                scores,
                mean: total / own.len().max(1) as f64,
            })
        })
        .collect()
}

fn decoder_outliers(material: Material<'_>) -> Vec<DecoderCosines> {
    all_decoder_cosines(material.sae, material.probe)
        .iter()
        .map(|cosines| DecoderCosines {
            top: best(cosines, RUNNERS_UP)
                .into_iter()
                .map(|j| (j, cosines[j as usize]))
                .collect(),
            sd: stats::sd(cosines).unwrap_or_default(),
        })
        .collect()
}

fn decoder_cosines_of(sae: &Sae, latent: u32, direction: &[f64]) -> f64 {
    let row = sae.decoder_row(latent as usize);
    let dot: f64 = row.iter().zip(direction).map(|(&w, v)| f64::from(w) * v).sum();
    let length = |square: f64| square.sqrt();
    let both =
        length(row.iter().map(|&w| f64::from(w) * f64::from(w)).sum()) * length(direction.iter().map(|v| v * v).sum());
    if both > 0.0 { dot / both } else { 0.0 }
}

/// Indices of the largest values, largest first; equal ones by ascending index.
fn best(values: &[f64], count: usize) -> Vec<u32> {
    let mut order: Vec<u32> = (0..values.len() as u32).collect();
    let by = |a: &u32, b: &u32| values[*b as usize].total_cmp(&values[*a as usize]).then(a.cmp(b));
    if count < order.len() {
        order.select_nth_unstable_by(count, by);
        order.truncate(count);
    }
    order.sort_by(by);
    order
}

fn k_sparse(material: Material<'_>, ranked: &SgdProbe, ks: &[usize]) -> Result<Vec<KSparseLetter>> {
    let Material {
        train,
        train_latents,
        test,
        test_latents,
        ..
    } = material;
    let (labels, test_labels) = (
        Labels::new(&train.y, train.classes)?,
        Labels::new(&test.y, test.classes)?,
    );
    let ks: Vec<usize> = ks.iter().copied().filter(|&k| k <= train_latents.width()).collect();
    let found = ksparse::evaluate(
        ranked,
        (sparse_rows(train_latents)?, &labels),
        (sparse_rows(test_latents)?, &test_labels),
        &ks,
    )?;
    Ok(found
        .into_iter()
        .map(|class| {
            let narrow = |latents: &[usize]| latents.iter().map(|&j| j as u32).collect::<Vec<u32>>();
            let main = class.main_latents(JUMP, LOOK_AHEAD_PAPER).to_vec();
            let probe = class
                .by_k
                .iter()
                .find(|scores| scores.k == main.len())
                .map(|scores| &scores.probe);
            KSparseLetter {
                latents: narrow(&class.ranking.latents),
                by_k: class
                    .by_k
                    .iter()
                    .map(|scores| KPoint {
                        k: scores.k,
                        scores: scores.regression,
                    })
                    .collect(),
                fires: class.by_k.first().and_then(|scores| scores.sum),
                main_saebench: narrow(class.main_latents(JUMP, LOOK_AHEAD_SAEBENCH)),
                weight: probe.map(|probe| probe.weight.clone()).unwrap_or_default(),
                bias: probe.map_or(0.0, |probe| probe.bias),
                main: narrow(&main),
            }
        })
        .collect())
}

/// Cosines of all decoder rows with each class's probe, `[classes][d_sae]`.
pub(super) fn all_decoder_cosines(sae: &Sae, probe: &LogisticProbe) -> Vec<Vec<f64>> {
    (0..probe.bias.len())
        .map(|class| decoder_cosines(sae, probe.direction(class)))
        .collect()
}
