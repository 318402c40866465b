//! The result file of `SAEBench` (`absorption_first_letter`, 0.6.0), field by field.
//!
//! Deliberately absent: making identifiers, versions and times, which the caller passes in, and a
//! place for what the format cannot hold: the version of the fraction, marks of letters, companions.
//! A reader cannot tell a file of 0.3.2 from one of 0.6 by its scores, only by who wrote it.

use serde::{Deserialize, Serialize};

use super::error::AbsorptionError;
use super::saebench::{Guard, SaeScore, Spread};

/// `eval_type_id` of the evaluation.
pub const EVAL_TYPE_ID: &str = "absorption_first_letter";

/// Settings of the evaluation; [`Default`] has those of `SAEBench` 0.6.0. The last four fields came
/// after 0.3.2 and are `None` where its files are read.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EvalConfig {
    /// Name of the model.
    pub model_name: String,
    /// A seed that `SAEBench` reports and never uses.
    pub random_seed: u64,
    /// Gain in F1 that another main latent must exceed.
    pub f1_jump_threshold: f64,
    /// Largest `k` of the k-sparse probes.
    pub max_k_value: usize,
    /// Template of a prompt line.
    pub prompt_template: String,
    /// Position of the word, from the end.
    pub prompt_token_pos: i64,
    /// Prompts per forward pass.
    pub llm_batch_size: usize,
    /// Number format of the model and the SAE.
    pub llm_dtype: String,
    /// Weight of the L1 norm in the ranking probe.
    pub k_sparse_probe_l1_decay: f64,
    /// Batch size of the ranking probe.
    pub k_sparse_probe_batch_size: usize,
    /// Epochs of the ranking probe.
    pub k_sparse_probe_num_epochs: usize,
    /// Guard: F1 that the dense probe of a letter must exceed.
    #[serde(rename = "min_GT_probe_f1", default, skip_serializing_if = "Option::is_none")]
    pub min_gt_probe_f1: Option<f64>,
    /// Guard: letters that must pass.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_feats_for_eval: Option<usize>,
    /// Words per batch when k-sparse probes are scored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub eval_k_sparse_probe_batch_size: Option<usize>,
    /// Whether latents are encoded once instead of per probe.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub precalc_k_sparse_probe_sae_acts: Option<bool>,
}

impl Default for EvalConfig {
    fn default() -> Self {
        let guard = Guard::default();
        Self {
            model_name: String::new(),
            random_seed: 42,
            f1_jump_threshold: 0.03,
            max_k_value: 10,
            prompt_template: "{word} has the first letter:".to_owned(),
            prompt_token_pos: -6,
            llm_batch_size: 10,
            llm_dtype: "float32".to_owned(),
            k_sparse_probe_l1_decay: 0.01,
            k_sparse_probe_batch_size: 4096,
            k_sparse_probe_num_epochs: 50,
            min_gt_probe_f1: Some(guard.min_probe_f1),
            min_feats_for_eval: Some(guard.min_letters),
            eval_k_sparse_probe_batch_size: Some(24),
            precalc_k_sparse_probe_sae_acts: Some(false),
        }
    }
}

/// Means over letters; lower is better. Standard deviations are over letters, `n - 1`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct MeanMetrics {
    /// Mean absorption fraction.
    pub mean_absorption_fraction_score: f64,
    /// Mean rate of full absorption.
    pub mean_full_absorption_score: f64,
    /// Mean number of main latents (the paper's number of splits is one less).
    pub mean_num_split_features: f64,
    /// Standard deviation of the fraction.
    pub std_dev_absorption_fraction_score: f64,
    /// Standard deviation of the rate of full absorption.
    pub std_dev_full_absorption_score: f64,
    /// Standard deviation of the number of main latents.
    pub std_dev_num_split_features: f64,
}

/// The one category of metrics.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct MetricCategories {
    /// Means over letters.
    pub mean: MeanMetrics,
}

/// One letter.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct ResultDetail {
    /// The letter, lower case.
    pub first_letter: char,
    /// Mean absorption fraction of its words.
    pub mean_absorption_fraction: f64,
    /// Share of its words that are fully absorbed.
    pub full_absorption_rate: f64,
    /// Fully absorbed words.
    pub num_full_absorption: u64,
    /// Test words that the dense probe finds.
    pub num_probe_true_positives: u64,
    /// Main latents.
    pub num_split_features: u64,
}

/// Which evaluation this is.
#[derive(Clone, Debug, PartialEq)]
pub struct RunFacts {
    /// Its identifier, in the form of a UUID.
    pub eval_id: String,
    /// Time of the evaluation, milliseconds since 1970.
    pub datetime_epoch_millis: u64,
    /// Commit of the code.
    pub sae_bench_commit_hash: String,
}

/// Which SAE was evaluated. `C`: its configuration, anything that serialises to a JSON object.
#[derive(Clone, Debug, PartialEq)]
pub struct SaeFacts<C> {
    /// Its id within the release; `custom_sae` for one that is in none.
    pub id: Option<String>,
    /// Its release.
    pub release: Option<String>,
    /// Version of `SAELens` that read it.
    pub sae_lens_version: Option<String>,
    /// Its configuration.
    pub config: C,
}

/// A result file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EvalOutput<C> {
    /// [`EVAL_TYPE_ID`].
    pub eval_type_id: String,
    /// Settings.
    pub eval_config: EvalConfig,
    /// Identifier of the evaluation.
    pub eval_id: String,
    /// Time of the evaluation, milliseconds since 1970.
    pub datetime_epoch_millis: u64,
    /// Scores.
    pub eval_result_metrics: MetricCategories,
    /// Letters that count, by letter.
    pub eval_result_details: Vec<ResultDetail>,
    /// Commit of the code.
    pub sae_bench_commit_hash: String,
    /// Id of the SAE within its release.
    pub sae_lens_id: Option<String>,
    /// Release of the SAE.
    pub sae_lens_release_id: Option<String>,
    /// Version of `SAELens`.
    pub sae_lens_version: Option<String>,
    /// Configuration of the SAE.
    pub sae_cfg_dict: C,
    /// Always null.
    pub eval_result_unstructured: Option<()>,
}

impl<C> EvalOutput<C> {
    /// Fills the format. The guard's settings are those of the score, and are left out where it had
    /// none ([`Guard::NONE`]).
    ///
    /// The format cannot say that a score is not valid ([`SaeScore::is_valid`]); `SAEBench` writes
    /// no file then.
    ///
    /// # Errors
    /// Fewer than two letters count: the format needs their standard deviation.
    pub fn new(score: &SaeScore, config: EvalConfig, run: RunFacts, sae: SaeFacts<C>) -> Result<Self, AbsorptionError> {
        let (mean_absorption_fraction_score, std_dev_absorption_fraction_score) = both(score, score.fraction)?;
        let (mean_full_absorption_score, std_dev_full_absorption_score) = both(score, score.full)?;
        let (mean_num_split_features, std_dev_num_split_features) = both(score, score.main_latents)?;
        let mut details: Vec<ResultDetail> = score
            .letters
            .iter()
            .filter(|letter| letter.counts())
            .filter_map(|letter| {
                Some(ResultDetail {
                    first_letter: letter.letter,
                    mean_absorption_fraction: letter.fraction(score.definition)?,
                    full_absorption_rate: letter.full_rate()?,
                    num_full_absorption: letter.full as u64,
                    num_probe_true_positives: letter.true_positives as u64,
                    num_split_features: letter.main_latents as u64,
                })
            })
            .collect();
        details.sort_by_key(|detail| detail.first_letter);
        let guard = Some(score.guard).filter(|guard| *guard != Guard::NONE);
        Ok(Self {
            eval_type_id: EVAL_TYPE_ID.to_owned(),
            eval_config: EvalConfig {
                min_gt_probe_f1: guard.map(|guard| guard.min_probe_f1),
                min_feats_for_eval: guard.map(|guard| guard.min_letters),
                ..config
            },
            eval_id: run.eval_id,
            datetime_epoch_millis: run.datetime_epoch_millis,
            eval_result_metrics: MetricCategories {
                mean: MeanMetrics {
                    mean_absorption_fraction_score,
                    mean_full_absorption_score,
                    mean_num_split_features,
                    std_dev_absorption_fraction_score,
                    std_dev_full_absorption_score,
                    std_dev_num_split_features,
                },
            },
            eval_result_details: details,
            sae_bench_commit_hash: run.sae_bench_commit_hash,
            sae_lens_id: sae.id,
            sae_lens_release_id: sae.release,
            sae_lens_version: sae.sae_lens_version,
            sae_cfg_dict: sae.config,
            eval_result_unstructured: None,
        })
    }
}

/// Mean and standard deviation.
fn both(score: &SaeScore, spread: Option<Spread>) -> Result<(f64, f64), AbsorptionError> {
    spread
        .and_then(|spread| Some((spread.mean, spread.sd?)))
        .ok_or(AbsorptionError::Letters {
            found: score.n,
            needed: 2,
        })
}
