//! Scores as `SAEBench`'s result files, so that its plotting code reads them.

use std::path::Path;

use ablation::absorption::saebench::{Definition, Guard};
use ablation::absorption::schema::{EvalConfig, EvalOutput, RunFacts, SaeFacts};
use serde_json::json;

use super::items::Measured;
use super::output::file_name;

/// Writes one file per SAE; returns the SAEs for which `SAEBench` would write none, with the reason.
pub(crate) fn write(out: &Path, measured: &Measured<'_>) -> anyhow::Result<Vec<(String, String)>> {
    let folder = out.join("saebench");
    fs_err::create_dir_all(&folder)?;
    let now = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .map_or(0, |since| since.as_millis() as u64);
    let mut without = Vec::new();
    for (member, units) in &measured.saes {
        let id = &member.input.id;
        let found = &units.absorption.data.found;
        let main = units.detection.data.detection.main_counts();
        let score = found.score(&main, Definition::V0_6, &Guard::default())?;
        if !score.is_valid() {
            without.push((
                id.clone(),
                format!("{} letters have a probe F1 above 0.6, 20 are needed", score.n),
            ));
            continue;
        }
        let config = EvalConfig {
            model_name: measured.plan.model_id.clone(),
            random_seed: measured.args.seed,
            k_sparse_probe_batch_size: units.detection.data.ranking_batch,
            precalc_k_sparse_probe_sae_acts: Some(true),
            ..EvalConfig::default()
        };
        let spec = &member.input.spec;
        let run = RunFacts {
            eval_id: uuid(&format!(
                "{} {} {}",
                measured.plan.model_hash, spec.hash, measured.args.seed
            )),
            datetime_epoch_millis: now,
            sae_bench_commit_hash: format!("vernier {}", env!("CARGO_PKG_VERSION")),
        };
        let sae = SaeFacts {
            id: Some(id.clone()),
            release: Some("custom_sae".to_owned()),
            sae_lens_version: None,
            config: json!({
                "architecture": spec.architecture,
                "d_sae": spec.width,
                "hook_name": spec.hook,
                "hook_layer": member.layer,
                "model_name": measured.plan.model_id,
            }),
        };
        let file = EvalOutput::new(&score, config, run, sae)?;
        let name = format!("custom_sae_{}_eval_results.json", file_name(member));
        store::write_atomic(&folder.join(name), &serde_json::to_vec_pretty(&file)?)?;
    }
    Ok(without)
}

/// Sixteen bytes of a hash in the form of an identifier.
fn uuid(text: &str) -> String {
    let hash = store::Blake3::of(text.as_bytes()).to_string();
    let part = |from: usize, to: usize| hash.get(from..to).unwrap_or_default();
    format!(
        "{}-{}-{}-{}-{}",
        part(0, 8),
        part(8, 12),
        part(12, 16),
        part(16, 20),
        part(20, 32)
    )
}
