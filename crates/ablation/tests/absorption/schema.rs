//! The result file of `SAEBench`.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;

use ablation::absorption::AbsorptionError;
use ablation::absorption::saebench::{Definition, Guard, LetterWords, SaeScore, WordScore};
use ablation::absorption::schema::{EvalConfig, EvalOutput, RunFacts, SaeFacts};
use serde_json::{Value, json};

type Output = EvalOutput<BTreeMap<String, Value>>;

fn word(fraction: f64, full: bool) -> WordScore {
    WordScore {
        projection: 1.0,
        main: 0.0,
        absorbers: 0.0,
        all: 0.0,
        fraction_0_6: fraction,
        fraction_0_3_2: fraction,
        absorbed_by: full.then_some(3),
    }
}

fn output(definition: Definition, guard: Guard, letters: &str) -> Result<Output, AbsorptionError> {
    let (weak, strong) = (
        [word(0.25, false), word(0.0, false)],
        [word(1.0, true), word(0.5, false)],
    );
    let letters: Vec<LetterWords<'_>> = letters
        .chars()
        .map(|letter| LetterWords {
            letter,
            probe_f1: if letter == 'x' { 0.5 } else { 0.9 },
            main_latents: if letter == 'a' { 1 } else { 3 },
            true_positives: 2,
            words: if letter == 'a' { &weak } else { &strong },
        })
        .collect();
    EvalOutput::new(
        &SaeScore::new(&letters, definition, &guard).unwrap(),
        EvalConfig {
            model_name: "gemma-2-2b".to_owned(),
            ..EvalConfig::default()
        },
        RunFacts {
            eval_id: "00112233-4455-6677-8899-aabbccddeeff".to_owned(),
            datetime_epoch_millis: 1_740_000_000_000,
            sae_bench_commit_hash: "abc".to_owned(),
        },
        SaeFacts {
            id: Some("custom_sae".to_owned()),
            release: Some("ours".to_owned()),
            sae_lens_version: Some("6.54.12".to_owned()),
            config: BTreeMap::from([("d_sae".to_owned(), json!(160))]),
        },
    )
}

#[test]
fn the_file_is_the_published_one() {
    let output = output(Definition::V0_6, Guard::default(), "bxa").unwrap();
    let mut expected = json!({
        "eval_type_id": "absorption_first_letter",
        "eval_config": {
            "model_name": "gemma-2-2b",
            "random_seed": 42,
            "f1_jump_threshold": 0.03,
            "max_k_value": 10,
            "prompt_template": "{word} has the first letter:",
            "prompt_token_pos": -6,
            "llm_batch_size": 10,
            "llm_dtype": "float32",
            "k_sparse_probe_l1_decay": 0.01,
            "k_sparse_probe_batch_size": 4096,
            "k_sparse_probe_num_epochs": 50,
            "min_GT_probe_f1": 0.6,
            "min_feats_for_eval": 20,
            "eval_k_sparse_probe_batch_size": 24,
            "precalc_k_sparse_probe_sae_acts": false
        },
        "eval_id": "00112233-4455-6677-8899-aabbccddeeff",
        "datetime_epoch_millis": 1_740_000_000_000_u64,
        "eval_result_metrics": { "mean": {
            "mean_absorption_fraction_score": 0.4375,
            "mean_full_absorption_score": 0.25,
            "mean_num_split_features": 2.0,
            "std_dev_absorption_fraction_score": 0.625 / 2.0_f64.sqrt(),
            "std_dev_full_absorption_score": 0.5 / 2.0_f64.sqrt(),
            "std_dev_num_split_features": 2.0_f64.sqrt()
        } },
        "eval_result_details": [
            {
                "first_letter": "a",
                "mean_absorption_fraction": 0.125,
                "full_absorption_rate": 0.0,
                "num_full_absorption": 0,
                "num_probe_true_positives": 2,
                "num_split_features": 1
            },
            {
                "first_letter": "b",
                "mean_absorption_fraction": 0.75,
                "full_absorption_rate": 0.5,
                "num_full_absorption": 1,
                "num_probe_true_positives": 2,
                "num_split_features": 3
            }
        ],
        "sae_bench_commit_hash": "abc",
        "sae_lens_id": "custom_sae",
        "sae_lens_release_id": "ours",
        "sae_lens_version": "6.54.12",
        "sae_cfg_dict": { "d_sae": 160 },
        "eval_result_unstructured": null
    });
    let mut found = serde_json::to_value(&output).unwrap();
    let keys = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!(keys(&found), keys(&expected), "in this order");
    let [found_mean, expected_mean] = [&mut found, &mut expected].map(|file| file["eval_result_metrics"].take());
    assert_eq!(found, expected);
    let (found_mean, expected_mean) = (&found_mean["mean"], &expected_mean["mean"]);
    assert_eq!(keys(found_mean), keys(expected_mean));
    for key in keys(expected_mean) {
        let (a, b) = (
            found_mean[&key].as_f64().unwrap(),
            expected_mean[&key].as_f64().unwrap(),
        );
        assert!((a - b).abs() < 1e-12, "{key}: {a} {b}");
    }
}

#[test]
fn a_file_reads_back_and_an_old_one_reads() {
    let output = output(Definition::V0_6, Guard::default(), "ab").unwrap();
    let text = serde_json::to_string(&output).unwrap();
    assert_eq!(serde_json::from_str::<Output>(&text).unwrap(), output);
    let mut old: Value = serde_json::from_str(&text).unwrap();
    let config = old["eval_config"].as_object_mut().unwrap();
    for key in [
        "min_GT_probe_f1",
        "min_feats_for_eval",
        "eval_k_sparse_probe_batch_size",
        "precalc_k_sparse_probe_sae_acts",
    ] {
        assert!(config.remove(key).is_some(), "{key}");
    }
    let old: Output = serde_json::from_value(old).unwrap();
    assert_eq!(old.eval_config.min_gt_probe_f1, None);
    assert_eq!(old.eval_result_metrics, output.eval_result_metrics);
}

#[test]
fn no_guard_is_not_written_and_one_letter_is_refused() {
    let unguarded = output(Definition::V0_3_2, Guard::of(Definition::V0_3_2), "abx").unwrap();
    assert_eq!(unguarded.eval_result_details.len(), 3);
    let config = serde_json::to_value(unguarded.eval_config).unwrap();
    assert!(config.get("min_GT_probe_f1").is_none() && config.get("min_feats_for_eval").is_none());
    let refused = output(Definition::V0_6, Guard::default(), "ax").unwrap_err();
    assert_eq!(refused, AbsorptionError::Letters { found: 1, needed: 2 });
}
