//! Damage: a checkpoint with one changed byte or configuration field is refused, or read to the same autoencoder, or - where the
//! changed place holds a number or a choice that may have another value - to another one. Nothing panics.
//!
//! What may change the autoencoder, and nothing else:
//! - a byte of tensor data: the tail of a safetensors file behind its header, and what lies in front of the directory of an
//!   archive (`.pt`, `.npz`). The latter includes the pickle, whose shapes, strides and counts are numbers too; the checksums that
//!   would tell are not compared for stored members;
//! - a field whose verdict is "used", replaced by another value of its kind;
//! - a field that a flat or tolerant layout may leave out, by its documented default (`MAY_BE_ABSENT`).

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::{Path, PathBuf};

use sae::{Identity, Sae, Verdict};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::files::{self, Made};
use crate::naive::Noise;

const ROUNDS: usize = 200;

/// Fields whose absence has a documented meaning of its own.
const MAY_BE_ABSENT: [&str; 13] = [
    // SAELens 6, whose first releases had no such field.
    "rescale_acts_by_decoder_norm",
    // SAELens before 6, by its migration rules.
    "apply_b_dec_to_input",
    "normalize_activations",
    // sparsify, by the defaults of its configuration.
    "activation",
    "transcode",
    "skip_connection",
    "signed",
    // OpenMOSS, likewise.
    "sparsity_include_decoder_norm",
    "use_decoder_bias",
    "apply_decoder_bias_to_pre_encoder",
    "hook_point_out",
    // Gemma Scope 2: then the hooks decide.
    "type",
    "hf_hook_point_out",
];

/// A good checkpoint in a folder of its own: the folder, and what to open in it.
struct Good {
    name: &'static str,
    _keep: TempDir,
    folder: PathBuf,
    open: PathBuf,
}

impl Good {
    fn golden(name: &'static str) -> Self {
        let keep = files::copy(&files::golden(name));
        Self {
            name,
            folder: keep.path().to_owned(),
            open: keep.path().to_owned(),
            _keep: keep,
        }
    }

    fn made(name: &'static str, made: Made) -> Self {
        Self {
            name,
            folder: made.folder.path().to_owned(),
            open: made.path,
            _keep: made.folder,
        }
    }
}

fn good() -> Vec<Good> {
    let cfg =
        json!({"activation": "topk", "num_latents": 10, "k": 3, "d_in": 6, "expansion_factor": 32, "transcode": true});
    let gemma = json!({
        "architecture": "jump_relu", "type": "transcoder", "affine_connection": false, "width": 10, "l0": 20,
        "model_name": "gemma-v3-1b-pt", "hf_hook_point_in": "model.layers.9.pre_feedforward_layernorm.output",
        "hf_hook_point_out": "model.layers.9.post_feedforward_layernorm.output",
    });
    vec![
        Good::golden("saelens_topk_rescale"),
        Good::golden("saelens_gated"),
        Good::golden("saelens_matryoshka_batchtopk"),
        Good::golden("saelens3_topk"),
        Good::golden("saelens3_jumprelu"),
        Good::golden("gemmascope_npz"),
        Good::golden("gemmascope2_safetensors"),
        Good::golden("dl_autoencoder"),
        Good::golden("dl_gated"),
        Good::golden("dl_topk"),
        Good::golden("dl_batchtopk"),
        Good::golden("dl_matryoshka_batchtopk"),
        Good::golden("dl_jumprelu"),
        Good::golden("sparsify_groupmax"),
        Good::made("sparsify transcoder", files::sparsify(None, &cfg)),
        Good::made(
            "gemma scope 2 transcoder",
            files::gemma_scope_2(&[0.1; 10], None, Some(&gemma)),
        ),
        Good::made("openai", files::openai(Some("TopK"), false)),
        Good::made("openai relu", files::openai(Some("ReLU"), true)),
        Good::made("llama scope", files::llama_scope(|_| {})),
        Good::made("openmoss", files::openmoss(true, Some(1.25), &[-1.0; 10], |_| {})),
        Good::made("goodfire", files::goodfire()),
        Good::made("deepseek", files::deepseek_r1()),
        Good::made("qwen scope", files::qwen_scope("SAE-Res-Qwen3-1.7B-Base-W32K-L0_3")),
        Good::made("hook_z", files::attention_hook_z()),
        Good::made("hanna", files::hanna(Some(&[0.1; 10]), None)),
    ]
}

/// Everything that decides a number.
fn numbers(sae: &Sae) -> (String, Vec<Vec<u32>>) {
    let (config, weights) = (sae.config(), sae.weights());
    let text = format!(
        "{:?}",
        (
            config.d_in,
            config.d_sae,
            config.architecture,
            config.apply_b_dec_to_input,
            config.normalize_activations,
            config.reshape_activations,
            config.output,
        )
    );
    let bits = [
        &weights.w_enc,
        &weights.b_enc,
        &weights.w_dec,
        &weights.b_dec,
        &weights.threshold,
        &weights.b_gate,
        &weights.b_mag,
        &weights.r_mag,
        &weights.w_skip,
    ];
    (
        text,
        bits.into_iter()
            .map(|values| values.iter().map(|value| value.to_bits()).collect())
            .collect(),
    )
}

/// The place that `Good::open` opens: for golden folders with inner folders, the innermost.
fn place(good: &Good) -> PathBuf {
    if good.open != good.folder {
        return good.open.clone();
    }
    let mut found = Vec::new();
    files::walk(&good.folder, &mut found);
    found[0].parent().unwrap().to_owned()
}

#[track_caller]
fn judge(good: &Good, what: &str, before: &Sae, after: Result<Sae, sae::SaeError>, may_differ: bool) {
    match after {
        Err(error) => {
            let text = error.to_string();
            let name = good.folder.file_name().unwrap().to_string_lossy();
            assert!(
                text.contains(name.as_ref()),
                "{} {what}: no file is named: {text}",
                good.name
            );
        }
        Ok(after) => assert!(
            may_differ || numbers(&after) == numbers(before),
            "{} {what}: read to another autoencoder",
            good.name
        ),
    }
}

fn used(identity: &Identity, field: &str) -> bool {
    identity
        .fields
        .iter()
        .any(|record| record.field == field && matches!(record.verdict, Verdict::Used(_)))
}

/// Paths of all fields that are no objects.
fn leaves(value: &Value, prefix: &str, out: &mut Vec<String>) {
    if let Value::Object(map) = value {
        for (name, inner) in map {
            let path = if prefix.is_empty() {
                name.clone()
            } else {
                format!("{prefix}.{name}")
            };
            if inner.is_object() {
                out.push(path.clone());
            }
            leaves(inner, &path, out);
        }
    } else {
        out.push(prefix.to_owned());
    }
}

fn at<'v>(value: &'v mut Value, path: &str) -> (&'v mut serde_json::Map<String, Value>, String) {
    let mut map = value.as_object_mut().unwrap();
    let (outer, name) = path.rsplit_once('.').unwrap_or(("", path));
    for part in outer.split('.').filter(|part| !part.is_empty()) {
        map = map.get_mut(part).unwrap().as_object_mut().unwrap();
    }
    (map, name.to_owned())
}

/// Another value of the same kind.
fn other(value: &Value, noise: &mut Noise) -> Value {
    match value {
        Value::Bool(value) => json!(!value),
        Value::Number(number) if number.is_u64() => json!(noise.below(200)),
        Value::Number(_) => json!(noise.values(1)[0]),
        Value::String(text) => {
            let words = [
                "topk",
                "standard",
                "none",
                "layer_norm",
                "relu",
                "jumprelu",
                "",
                "hook_z",
                "dataset-wise",
                "ReLU",
            ];
            let word = words[noise.below(words.len() + 1) % words.len()];
            json!(if noise.below(3) == 0 {
                format!("{text}x")
            } else {
                word.to_owned()
            })
        }
        Value::Array(_) => json!([1, 2]),
        _ => json!({}),
    }
}

/// A value of another kind.
fn kind(value: &Value, noise: &mut Noise) -> Value {
    let kinds = [
        json!(null),
        json!("7"),
        json!([7]),
        json!({"a": 7}),
        json!(-7),
        json!(0.5),
        json!(1e300),
        json!(true),
    ];
    loop {
        let found = &kinds[noise.below(kinds.len())];
        if std::mem::discriminant(found) != std::mem::discriminant(value) {
            return found.clone();
        }
    }
}

#[test]
fn one_changed_field() {
    for good in good() {
        let place = place(&good);
        let before = Sae::open(&place).unwrap();
        let identity = before.identity().unwrap();
        let configs: Vec<PathBuf> = identity.files[1..].to_vec();
        if configs.is_empty() {
            continue;
        }
        let mut noise = Noise::new(41);
        for round in 0..ROUNDS {
            let file = &configs[round % configs.len()];
            let text = std::fs::read(file).unwrap();
            let mut value: Value = serde_json::from_slice(&text).unwrap();
            let mut paths = Vec::new();
            leaves(&value, "", &mut paths);
            let path = &paths[noise.below(paths.len())];
            let (map, name) = at(&mut value, path);
            let old = map[&name].clone();
            let (new, same_kind) = match noise.below(3) {
                0 => (None, false),
                1 => (Some(kind(&old, &mut noise)), false),
                _ => (Some(other(&old, &mut noise)), true),
            };
            // `null` is another way of leaving a field out.
            let absent = new.as_ref().is_none_or(Value::is_null);
            let what = format!("{path} = {new:?}");
            match new {
                None => drop(map.shift_remove(&name)),
                Some(new) => drop(map.insert(name.clone(), new)),
            }
            std::fs::write(file, value.to_string()).unwrap();
            let current = match path.as_str() {
                "hook_point" => "hook_name",
                "activation_fn_str" => "activation_fn",
                other => other,
            };
            let may_differ = if absent {
                MAY_BE_ABSENT.contains(&name.as_str())
            } else {
                // A number for a number, whatever its form, is a value of its kind.
                used(identity, current) && (same_kind || old.is_number())
            };
            judge(&good, &what, &before, Sae::open(&place), may_differ);
            std::fs::write(file, text).unwrap();
        }
        assert_eq!(numbers(&Sae::open(&place).unwrap()), numbers(&before));
    }
}

/// Bytes of tensor data in a weight file.
fn payload(file: &Path, bytes: &[u8]) -> std::ops::Range<usize> {
    if file.extension().is_some_and(|extension| extension == "safetensors") {
        let header = usize::try_from(u64::from_le_bytes(bytes[..8].try_into().unwrap())).unwrap();
        8 + header..bytes.len()
    } else {
        let directory = bytes.windows(4).position(|window| window == b"PK\x01\x02").unwrap();
        0..directory
    }
}

#[test]
fn one_changed_byte() {
    for good in good() {
        let place = place(&good);
        let before = Sae::open(&place).unwrap();
        let identity = before.identity().unwrap();
        let mut noise = Noise::new(43);
        for round in 0..ROUNDS {
            let file = &identity.files[round % identity.files.len()];
            let good_bytes = std::fs::read(file).unwrap();
            let json = file.extension().is_some_and(|extension| extension == "json");
            let data = if json { 0..0 } else { payload(file, &good_bytes) };
            let head = data.start.max(good_bytes.len().min(1000));
            // Half of the changes go where structure is: headers, and the ends of archives.
            let position = match noise.below(4) {
                0 => noise.below(head),
                1 => good_bytes.len() - 1 - noise.below(good_bytes.len().min(1500)),
                _ => noise.below(good_bytes.len()),
            };
            let mut bytes = good_bytes.clone();
            bytes[position] ^= 1 << noise.below(8);
            std::fs::write(file, &bytes).unwrap();
            let may_differ = if json {
                changed_value(identity, &good_bytes, &bytes)
            } else {
                data.contains(&position)
            };
            let what = format!("byte {position} of {}", file.display());
            judge(&good, &what, &before, Sae::open(&place), may_differ);
            std::fs::write(file, good_bytes).unwrap();
        }
    }
}

/// Whether two configurations have the same fields and differ in the value of one that is used, or lack one that may be absent.
fn changed_value(identity: &Identity, before: &[u8], after: &[u8]) -> bool {
    let Ok(mut after) = serde_json::from_slice::<Value>(after) else {
        return false;
    };
    let mut before: Value = serde_json::from_slice(before).unwrap();
    let (mut old, mut new) = (Vec::new(), Vec::new());
    leaves(&before, "", &mut old);
    leaves(&after, "", &mut new);
    let Some(path) = old.iter().find(|path| {
        if !new.contains(path) {
            return true;
        }
        let (map, name) = at(&mut before, path);
        let value = map[&name].clone();
        let (map, name) = at(&mut after, path);
        // Of objects, the fields inside differ.
        !value.is_object() && map[&name] != value
    }) else {
        return false;
    };
    let name = path.rsplit('.').next().unwrap();
    if new.contains(path) {
        let current = if path == "activation_fn_str" {
            "activation_fn"
        } else {
            path.as_str()
        };
        used(identity, current)
    } else {
        MAY_BE_ABSENT.contains(&name)
    }
}

#[test]
fn configurations_of_any_bytes() {
    let mut noise = Noise::new(47);
    let mut seeds: Vec<Vec<u8>> = vec![b"{}".to_vec(), b"[]".to_vec(), b"{\"d_in\":1e999}".to_vec(), Vec::new()];
    for good in good() {
        let place = place(&good);
        let sae = Sae::open(&place).unwrap();
        let identity = sae.identity().unwrap();
        seeds.extend(identity.files[1..].iter().map(|file| std::fs::read(file).unwrap()));
    }
    for seed in &seeds {
        sae::fuzz::cfg_json(seed);
        for _ in 0..ROUNDS {
            let mut bytes = seed.clone();
            for _ in 0..=noise.below(4) {
                if !bytes.is_empty() {
                    let position = noise.below(bytes.len());
                    bytes[position] = noise.next() as u8;
                }
            }
            sae::fuzz::cfg_json(&bytes);
            bytes.truncate(noise.below(seed.len() + 1));
            sae::fuzz::cfg_json(&bytes);
        }
    }
}
