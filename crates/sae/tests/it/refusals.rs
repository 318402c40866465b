//! Everything that cannot be applied exactly is an error that names file, field and value.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use checkpoint::write::{self, TensorData};
use sae::{Sae, StoredDtype};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::files::{self, golden};

/// A copy of a golden folder with an edited configuration.
fn edited(name: &str, edit: impl FnOnce(&mut Value)) -> TempDir {
    let target = tempfile::tempdir().unwrap();
    let mut cfg: Value = checkpoint::read_json_value(&golden(name).join("cfg.json")).unwrap();
    edit(&mut cfg);
    write::atomic(&target.path().join("cfg.json"), cfg.to_string().as_bytes()).unwrap();
    std::fs::copy(
        golden(name).join("sae_weights.safetensors"),
        target.path().join("sae_weights.safetensors"),
    )
    .unwrap();
    target
}

#[track_caller]
fn check(name: &str, edit: impl FnOnce(&mut Value), expected: &[&str]) {
    let error = Sae::open(edited(name, edit).path()).unwrap_err().to_string();
    for part in expected {
        assert!(error.contains(part), "`{part}` is not in: {error}");
    }
}

/// Sets a field; null counts as absent.
#[track_caller]
fn check_value(name: &str, field: &str, value: Value, expected: &[&str]) {
    check(
        name,
        |cfg| cfg[field] = value,
        &[&["cfg.json", field], expected].concat(),
    );
}

#[test]
fn fields_of_the_configuration() {
    let standard = "saelens_standard";
    check_value(standard, "d_in", json!(0), &["0", "positive"]);
    check_value(standard, "d_in", json!("64"), &["64"]);
    check_value(standard, "d_sae", json!(1.5), &["1.5"]);
    check_value(standard, "d_sae", Value::Null, &["no field"]);
    check_value(standard, "d_out", json!(32), &["32"]);
    check_value(standard, "dtype", json!("int8"), &["int8"]);
    check_value(standard, "architecture", json!("gaussian"), &["gaussian", "jumprelu"]);
    check_value(
        standard,
        "architecture",
        json!("matching_pursuit"),
        &["one after the other"],
    );
    check_value(standard, "architecture", json!("temporal"), &["other positions"]);
    check(
        standard,
        |cfg| cfg["architecture"] = json!("gated"),
        &["sae_weights.safetensors", "b_gate"],
    );
    check(
        standard,
        |cfg| cfg["architecture"] = json!("batchtopk"),
        &["cfg.json", "no field `k`"],
    );
    check_value(standard, "apply_b_dec_to_input", json!("yes"), &["yes"]);
    check_value(standard, "apply_b_dec_to_input", Value::Null, &["no field"]);
    check_value(
        standard,
        "normalize_activations",
        json!("covariance_whitening"),
        &["covariance_whitening"],
    );
    check(
        standard,
        |cfg| cfg["normalize_activations"] = json!("constant_scalar_rescale"),
        &["cfg.json", "activation_normalization_factor"],
    );
    check_value(standard, "reshape_activations", json!("heads"), &["heads", "hook_z"]);
    check_value(standard, "k", json!(12), &["12", "standard"]);
    check_value(standard, "rescale_acts_by_decoder_norm", json!(true), &["true"]);
    check_value(standard, "temperature", json!(2), &["temperature", "2"]);
    check_value(standard, "residual_threshold", json!(0.01), &["0.01"]);
    check_value("saelens_topk", "k", json!(0), &["0"]);
    check_value("saelens_topk", "k", json!(161), &["161", "160"]);
    check_value("saelens_topk", "k", Value::Null, &["no field"]);
    check("saelens_topk", |cfg| cfg["k"] = json!(0), &["hint"]);
}

#[test]
fn harmless_spellings_are_read() {
    for (field, value) in [
        ("device", json!("cuda:3")),
        ("dtype", json!("torch.bfloat16")),
        ("d_out", json!(64)),
        ("k", Value::Null),
    ] {
        Sae::open(edited("saelens_standard", |cfg| cfg[field] = value).path()).unwrap();
    }
    Sae::open(edited("saelens_topk", |cfg| cfg["k"] = json!(12.0)).path()).unwrap();
    Sae::open(edited("saelens_topk", |cfg| cfg["metadata"]["note"] = json!("kept")).path()).unwrap();
}

#[test]
fn fields_of_the_metadata() {
    let set = |field: &str, value: Value, expected: &str| {
        check(
            "saelens_standard",
            |cfg| cfg["metadata"][field] = value,
            &["cfg.json", &format!("metadata.{field}"), expected],
        );
    };
    set("hook_head_index", json!(3), "3");
    set("hook_name_out", json!("blocks.2.hook_mlp_out"), "transcoder");
    set("sae_lens_version", json!("5.10.1"), "SAELens 6");
    set("sae_lens_version", Value::Null, "no field");
    set(
        "model_from_pretrained_kwargs",
        json!({"center_writing_weights": true}),
        "center_writing_weights",
    );
    check("saelens_standard", |cfg| cfg["metadata"] = json!(3), &["metadata", "3"]);
    check(
        "saelens_standard",
        |cfg| drop(cfg.as_object_mut().unwrap().remove("metadata")),
        &["no field `hook_name`"],
    );
}

#[test]
fn files_that_are_not_there_or_not_json() {
    let empty = tempfile::tempdir().unwrap();
    let error = Sae::open(empty.path()).unwrap_err().to_string();
    assert!(
        error.contains("an empty folder") && error.contains("sae_weights.safetensors"),
        "{error}"
    );
    let error = Sae::open(&empty.path().join("nothing")).unwrap_err().to_string();
    assert!(error.contains("nothing"), "{error}");
    std::fs::write(empty.path().join("cfg.json"), "[1]").unwrap();
    assert!(
        Sae::open(empty.path())
            .unwrap_err()
            .to_string()
            .contains("expected an object")
    );
    std::fs::copy(
        golden("saelens_standard").join("cfg.json"),
        empty.path().join("cfg.json"),
    )
    .unwrap();
    assert!(
        Sae::open(empty.path())
            .unwrap_err()
            .to_string()
            .contains("sae_weights.safetensors")
    );
}

/// The tensors of a golden folder, changed and written again.
#[track_caller]
fn check_weights(name: &str, change: impl FnOnce(&mut Vec<TensorData<'static>>), expected: &[&str]) {
    let target = edited(name, |_| {});
    let file = target.path().join("sae_weights.safetensors");
    let mut tensors: Vec<TensorData<'static>> = {
        let source = checkpoint::Checkpoint::open(&golden(name).join("sae_weights.safetensors")).unwrap();
        let copy = |name| {
            let view = source.get(name).unwrap();
            TensorData {
                name: name.to_owned(),
                dtype: view.dtype,
                shape: view.shape.to_vec(),
                bytes: view.bytes.to_vec().into(),
            }
        };
        source.names().map(copy).collect()
    };
    change(&mut tensors);
    write::safetensors(&file, &tensors, &std::collections::BTreeMap::new()).unwrap();
    let error = Sae::open(target.path()).unwrap_err().to_string();
    for part in [&["sae_weights.safetensors"], expected].concat() {
        assert!(error.contains(part), "`{part}` is not in: {error}");
    }
}

fn find<'a>(tensors: &'a mut [TensorData<'static>], name: &str) -> &'a mut TensorData<'static> {
    tensors.iter_mut().find(|tensor| tensor.name == name).unwrap()
}

#[test]
fn tensors_of_the_wrong_kind() {
    let jumprelu = "saelens_jumprelu";
    for (name, shape) in [
        ("W_enc", "[64, 160]"),
        ("W_dec", "[160, 64]"),
        ("b_enc", "[160]"),
        ("b_dec", "[64]"),
        ("threshold", "[160]"),
    ] {
        check_weights(
            jumprelu,
            |tensors| tensors.retain(|tensor| tensor.name != name),
            &[name],
        );
        let flat = |tensors: &mut Vec<TensorData<'static>>| find(tensors, name).shape.push(1);
        check_weights(jumprelu, flat, &[name, shape, "1]"]);
    }
    check_weights(
        jumprelu,
        |tensors| find(tensors, "W_enc").shape.reverse(),
        &["W_enc", "[64, 160]", "[160, 64]"],
    );
    check_weights(
        jumprelu,
        |tensors| tensors.push(TensorData::f32("r_mag", &[1], &[1.0])),
        &["r_mag"],
    );
    check_weights(
        "saelens_standard",
        |tensors| tensors.push(TensorData::f32("threshold", &[1], &[1.0])),
        &["threshold", "jumprelu"],
    );
    check_weights(
        jumprelu,
        |tensors| tensors.push(TensorData::f32("scaling_factor", &[1], &[2.0])),
        &["scaling_factor"],
    );
    let spoil = |tensors: &mut Vec<TensorData<'static>>| {
        find(tensors, "b_dec").bytes.to_mut()[4..8].copy_from_slice(&f32::NAN.to_le_bytes());
    };
    check_weights(jumprelu, spoil, &["b_dec", "NaN", "index 1"]);
}

#[test]
fn hashes_follow_content() {
    let sae = Sae::open(&golden("saelens_jumprelu")).unwrap();
    assert_eq!(
        sae.content_hash(),
        Sae::open(&golden("saelens_jumprelu")).unwrap().content_hash()
    );
    assert_eq!(sae.content_hash().len(), 64);
    let other = Sae::open(edited("saelens_jumprelu", |cfg| cfg["apply_b_dec_to_input"] = json!(true)).path()).unwrap();
    assert_ne!(sae.content_hash(), other.content_hash());
    let (config, weights) = sae.clone().into_parts();
    let in_memory = Sae::new(config.clone(), weights.clone()).unwrap();
    assert_eq!(
        in_memory.content_hash(),
        Sae::new(config.clone(), weights.clone()).unwrap().content_hash()
    );
    let mut moved = weights;
    moved.b_enc[3] += 1.0;
    assert_ne!(
        in_memory.content_hash(),
        Sae::new(config, moved).unwrap().content_hash()
    );
    let target = tempfile::tempdir().unwrap();
    in_memory.save(target.path(), StoredDtype::F32).unwrap();
}

#[test]
fn files_of_no_format_list_what_was_looked_for_and_found() {
    let folder = tempfile::tempdir().unwrap();
    files::put_tensors(
        &folder.path().join("weights.safetensors"),
        &[("lm_head", &[2], &[1.0, 2.0])],
    );
    let error = Sae::open(folder.path()).unwrap_err().to_string();
    for part in [
        "weights.safetensors",
        "`lm_head`",
        "SAELens 6",
        "sparsify",
        "Qwen-Scope",
        "hint:",
    ] {
        assert!(error.contains(part), "`{part}` is not in: {error}");
    }
    files::put_tensors(
        &folder.path().join("more.safetensors"),
        &[("lm_head", &[2], &[1.0, 2.0])],
    );
    let error = Sae::open(folder.path()).unwrap_err().to_string();
    assert!(error.contains("`more.safetensors`, `weights.safetensors`") && error.contains("name the weight file"));
    // A repository of many autoencoders.
    let repository = tempfile::tempdir().unwrap();
    std::fs::create_dir(repository.path().join("layer_3")).unwrap();
    let error = Sae::open(repository.path()).unwrap_err().to_string();
    assert!(error.contains("`layer_3`"), "{error}");
}

#[test]
fn a_missing_configuration_is_named() {
    let folder = files::copy(&golden("saelens_standard"));
    std::fs::remove_file(folder.path().join("cfg.json")).unwrap();
    let error = Sae::open(folder.path()).unwrap_err().to_string();
    assert!(error.contains("fetch the `cfg.json`"), "{error}");
    let error = Sae::open_as(folder.path(), sae::Format::SaeLens6)
        .unwrap_err()
        .to_string();
    assert!(error.contains("cfg.json"), "{error}");
    let folder = files::copy(&golden("sparsify_topk/layers.2"));
    std::fs::remove_file(folder.path().join("cfg.json")).unwrap();
    assert!(Sae::open(folder.path()).unwrap_err().to_string().contains("`cfg.json`"));
    let folder = files::copy(&golden("dl_topk"));
    std::fs::remove_file(folder.path().join("config.json")).unwrap();
    let error = Sae::open(folder.path()).unwrap_err().to_string();
    assert!(
        error.contains("BatchTopKSAE") && error.contains("config.json"),
        "{error}"
    );
}

#[test]
fn kinds_that_are_not_computed_are_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("x.safetensors");
    let check = |tensors: &[(&str, &[usize], &[f32])], expected: &str| {
        files::put_tensors(&file, tensors);
        let error = Sae::open(&file).unwrap_err().to_string();
        assert!(error.contains(expected) && error.contains("x.safetensors"), "{error}");
    };
    check(
        &[("W_enc_3", &[2, 2], &[1.0; 4]), ("b_enc_3", &[2], &[1.0; 2])],
        "a cross-layer transcoder",
    );
    check(
        &[("w_dec", &[2, 2, 2], &[1.0; 8]), ("w_enc", &[2, 2], &[1.0; 4])],
        "a crosscoder",
    );
    check(
        &[
            ("D", &[2, 2], &[1.0; 4]),
            ("attn_layers.0.k_ctx.weight", &[2, 2], &[1.0; 4]),
        ],
        "a temporal",
    );
}

#[test]
fn options_without_a_use_are_refused() {
    use sae::OpenOptions;
    for (name, options, expected) in [
        ("saelens_topk", OpenOptions::new().k(3), "`k`"),
        (
            "saelens_topk",
            OpenOptions::new().norm_scaling_factor(2.0),
            "`norm_scaling_factor`",
        ),
        ("dl_gated", OpenOptions::new().stored_threshold(), "AutoEncoderTopK"),
        ("dl_batchtopk", OpenOptions::new().stored_threshold(), "AutoEncoderTopK"),
    ] {
        let error = options.open(&golden(name)).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
    // What an option changed is another autoencoder.
    let folder = golden("dl_topk");
    let stored = OpenOptions::new().stored_threshold().open(&folder).unwrap();
    assert_ne!(stored.content_hash(), Sae::open(&folder).unwrap().content_hash());
}
