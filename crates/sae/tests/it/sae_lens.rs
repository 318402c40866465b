//! `SAELens` beyond its golden folders: transcoders, training checkpoints, factors of activations, and the flat layouts before 6.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use sae::{Architecture, Format, Normalization, NoteKind, OpenOptions, Reshape, Sae, Verdict};
use serde_json::{Value, json};

use crate::files::{self, Made};
use crate::naive::{self, Layers, Noise, check, dot, jump, relu, top_k};

#[expect(clippy::needless_pass_by_value, reason = "callers write the value in place")]
fn cfg(architecture: &str, more: Value) -> Value {
    let mut cfg = json!({
        "d_in": 6, "d_sae": 10, "dtype": "float32", "device": "cuda", "apply_b_dec_to_input": true,
        "normalize_activations": "none", "reshape_activations": "none", "architecture": architecture,
        "metadata": {"sae_lens_version": "6.20.0", "model_name": "gpt2", "hook_name": "blocks.1.hook_resid_pre"},
    });
    cfg.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    cfg
}

fn made(more: &[(&str, &[usize], &[f32])], cfg: &Value) -> Made {
    files::sae_lens(Layers::new(6, 10, 6), more, cfg)
}

fn wide(values: &[f32]) -> Vec<f64> {
    values.iter().map(|&value| f64::from(value)).collect()
}

#[test]
fn transcoders() {
    let mut noise = Noise::new(23);
    let (threshold, skip) = (noise.values(10), noise.values(24));
    for (jumps, skips) in [(false, false), (false, true), (true, false), (true, true)] {
        let name = format!(
            "{}{}transcoder",
            if jumps { "jumprelu_" } else { "" },
            if skips { "skip_" } else { "" }
        );
        let mut cfg = cfg(&name, json!({"d_out": 4, "apply_b_dec_to_input": false}));
        cfg["metadata"]["hook_name_out"] = json!("blocks.1.hook_mlp_out");
        let mut more: Vec<(&str, &[usize], &[f32])> = Vec::new();
        if jumps {
            more.push(("threshold", &[10], &threshold));
        }
        if skips {
            more.push(("W_skip", &[4, 6], &skip));
        }
        let made = files::sae_lens(Layers::new(6, 10, 4), &more, &cfg);
        let layers = &made.layers;
        let sae = Sae::open(&made.path).unwrap();
        let identity = sae.identity().unwrap();
        assert_eq!(identity.hook_out.as_ref().unwrap().value, "blocks.1.hook_mlp_out");
        assert!(identity.output.transcoder && identity.output.skip == skips && identity.output.d_out == 4);
        check(&sae, &layers.rows(5), |x| {
            let pre = layers.pre(x);
            let z = if jumps {
                jump(&pre, &wide(&threshold))
            } else {
                relu(&pre)
            };
            let mut out = layers.decode(&z);
            if skips {
                out.iter_mut()
                    .zip(skip.chunks(6))
                    .for_each(|(out, row)| *out += dot(x, row));
            }
            (z, out)
        });
        let folder = tempfile::tempdir().unwrap();
        sae.save(folder.path(), sae::StoredDtype::F32).unwrap();
        let again = Sae::open(folder.path()).unwrap();
        assert_eq!((again.config(), again.weights()), (sae.config(), sae.weights()));
    }
    let made = made(&[], &cfg("transcoder", json!({"d_out": 6})));
    let sae = Sae::open(&made.path);
    assert!(sae.is_ok(), "equal widths may subtract the bias");
    let made = files::sae_lens(Layers::new(6, 10, 4), &[], &cfg("transcoder", json!({"d_out": 4})));
    let error = Sae::open(&made.path).unwrap_err().to_string();
    assert!(
        error.contains("`apply_b_dec_to_input`") && error.contains("cfg.json"),
        "{error}"
    );
}

#[test]
fn training_checkpoints_become_what_saving_for_inference_makes_of_them() {
    let threshold = [0.7f32];
    for (name, rescale) in [("batchtopk", false), ("matryoshka_batchtopk", true)] {
        let cfg = cfg(
            name,
            json!({
                "k": 4.0, "rescale_acts_by_decoder_norm": rescale, "topk_threshold_lr": 0.01, "aux_loss_coefficient": 1.0,
                "use_sparse_activations": false, "decoder_init_norm": 0.1,
            }),
        );
        let made = made(&[("topk_threshold", &[], &threshold)], &cfg);
        let layers = &made.layers;
        let sae = Sae::open(&made.path).unwrap();
        assert_eq!(sae.config().architecture, Architecture::JumpRelu);
        let identity = sae.identity().unwrap();
        assert_eq!(identity.declared_l0(), Some(4.0));
        assert_eq!(identity.notes_of(NoteKind::Changed).count(), 1);
        check(&sae, &layers.rows(8), |x| {
            let norms = if rescale { layers.norms() } else { vec![1.0; 10] };
            let pre: Vec<f64> = layers
                .pre(&layers.centred(x))
                .iter()
                .zip(&norms)
                .map(|(pre, norm)| pre * norm)
                .collect();
            let z = jump(&pre, &[f64::from(0.7f32); 10]);
            let out = layers.decode(&z.iter().zip(&norms).map(|(z, norm)| z / norm).collect::<Vec<_>>());
            (z, out)
        });
    }
    let logarithms = Noise::new(29).values(10);
    let cfg = cfg("jumprelu", json!({"jumprelu_bandwidth": 0.05, "l0_coefficient": 1.0}));
    let made = made(&[("log_threshold", &[10], &logarithms)], &cfg);
    let layers = &made.layers;
    let sae = Sae::open(&made.path).unwrap();
    check(&sae, &layers.rows(8), |x| {
        let bars: Vec<f64> = logarithms.iter().map(|&log| f64::from(log).exp()).collect();
        let z = jump(&layers.pre(&layers.centred(x)), &bars);
        let out = layers.decode(&z);
        (z, out)
    });
}

/// A standard autoencoder of rows times `s`, as `fold_activation_norm_scaling_factor` makes it.
fn scaled(layers: &Layers, s: f64) -> impl Fn(&[f64]) -> (Vec<f64>, Vec<f64>) {
    move |x| {
        let x: Vec<f64> = x.iter().map(|x| x * s).collect();
        let z = relu(&layers.pre(&layers.centred(&x)));
        let out = layers.decode(&z).iter().map(|out| out / s).collect();
        (z, out)
    }
}

#[test]
fn a_factor_of_the_activations_is_stored_given_or_reported_as_missing() {
    let cfg = cfg("standard", json!({"normalize_activations": "expected_average_only_in"}));
    let made = made(&[], &cfg);
    let layers = &made.layers;
    let sae = Sae::open(&made.path).unwrap();
    let note = sae
        .identity()
        .unwrap()
        .notes_of(NoteKind::MissingFactor)
        .next()
        .unwrap();
    assert!(
        note.message.contains("SAELens 6 does before it saves"),
        "{}",
        note.message
    );
    check(&sae, &layers.rows(5), scaled(layers, 1.0));
    let given = OpenOptions::new().norm_scaling_factor(2.5).open(&made.path).unwrap();
    assert_eq!(given.identity().unwrap().notes_of(NoteKind::MissingFactor).count(), 0);
    check(&given, &layers.rows(5), scaled(layers, 2.5));
    let scaler = made.path.join("activation_scaler.json");
    files::put_json(&scaler, &json!({"scaling_factor": 1.5, "has_whitening": false}));
    let stored = Sae::open(&made.path).unwrap();
    check(&stored, &layers.rows(5), scaled(layers, 1.5));
    assert_eq!(stored.identity().unwrap().files.len(), 3);
    files::put_json(&scaler, &json!({"scaling_factor": null}));
    let folded = Sae::open(&made.path).unwrap();
    check(&folded, &layers.rows(5), scaled(layers, 1.0));
    files::put_json(&scaler, &json!({"scaling_factor": 1.5, "has_whitening": true}));
    let error = Sae::open(&made.path).unwrap_err().to_string();
    assert!(
        error.contains("activation_scaler.json") && error.contains("has_whitening"),
        "{error}"
    );
}

#[test]
fn rows_can_be_heads_or_constant_multiples() {
    let made = made(&[], &cfg("standard", json!({"reshape_activations": "hook_z"})));
    let sae = Sae::open(&made.path).unwrap();
    assert_eq!(sae.config().reshape_activations, Reshape::HookZ);
    // [2, 3] flattened is a row of 6, head after head.
    check(&sae, &made.layers.rows(5), scaled(&made.layers, 1.0));
    let folder = tempfile::tempdir().unwrap();
    sae.save(folder.path(), sae::StoredDtype::F32).unwrap();
    assert_eq!(Sae::open(folder.path()).unwrap().config(), sae.config());
    let more = json!({"normalize_activations": "constant_scalar_rescale", "activation_normalization_factor": 0.5});
    let made = self::made(&[], &cfg("standard", more));
    let sae = Sae::open(&made.path).unwrap();
    assert_eq!(
        sae.config().normalize_activations,
        Normalization::ConstantScalarRescale { factor: 0.5 }
    );
    check(&sae, &made.layers.rows(5), scaled(&made.layers, 0.5));
}

#[test]
fn every_field_has_a_verdict() {
    let sae = Sae::open(&files::golden("saelens_batchtopk")).unwrap();
    let identity = sae.identity().unwrap();
    let verdict = |field: &str| {
        let found = identity.fields.iter().find(|record| record.field == field);
        &found.unwrap_or_else(|| panic!("no `{field}`")).verdict
    };
    assert!(matches!(verdict("architecture"), Verdict::Used(_)));
    assert!(matches!(verdict("metadata.hook_name"), Verdict::Used(_)));
    assert!(matches!(verdict("device"), Verdict::Ignored(_)));
    assert!(matches!(verdict("metadata.context_size"), Verdict::Ignored(_)));
    assert!(matches!(verdict("metadata.hook_head_index"), Verdict::Ignored(_)));
    let Value::Object(cfg) = checkpoint::read_json_value(&files::golden("saelens_batchtopk/cfg.json")).unwrap() else {
        panic!("not an object");
    };
    let top: Vec<&String> = cfg.keys().filter(|field| *field != "metadata").collect();
    for field in top {
        verdict(field);
    }
    assert_eq!(identity.version.as_deref(), Some("6.54.12"));
    assert!(identity.tensors.iter().all(|tensor| tensor.dtype == "F32"));
    // Old thresholds may be in other units.
    assert_eq!(identity.notes_of(NoteKind::Caution).count(), 0);
    let folder = files::copy(&files::golden("saelens_batchtopk"));
    let mut cfg = cfg;
    cfg["metadata"]["sae_lens_version"] = json!("6.20.1");
    files::put_json(&folder.path().join("cfg.json"), &Value::Object(cfg));
    let old = Sae::open(folder.path()).unwrap();
    assert_eq!(old.identity().unwrap().notes_of(NoteKind::Caution).count(), 1);
}

#[expect(clippy::needless_pass_by_value, reason = "callers write the value in place")]
fn flat(more: Value) -> Value {
    let mut cfg = json!({
        "hook_point": "blocks.1.hook_resid_pre", "hook_point_layer": 1, "hook_point_head_index": null, "model_name": "gpt2",
        "d_in": 6, "d_sae": 10, "dtype": "torch.float32", "l1_coefficient": 0.001, "lr_end": 0.1,
    });
    cfg.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    cfg
}

#[test]
fn the_first_releases() {
    let made = made(&[], &flat(json!({})));
    let layers = &made.layers;
    let sae = Sae::open(&made.path).unwrap();
    let identity = sae.identity().unwrap();
    assert_eq!(identity.format, Format::SaeLensFlat);
    assert_eq!(identity.hook_in.as_ref().unwrap().value, "blocks.1.hook_resid_pre");
    // Defaults: `relu`, the decoder bias subtracted.
    check(&sae, &layers.rows(5), scaled(layers, 1.0));
    let unknown: Vec<&str> = identity
        .fields
        .iter()
        .filter(|record| record.verdict == Verdict::Unknown)
        .map(|record| record.field.as_str())
        .collect();
    assert_eq!(unknown, ["lr_end"]);
    let hook_z = self::made(&[], &flat(json!({"hook_point": "blocks.1.attn.hook_z"})));
    assert_eq!(
        Sae::open(&hook_z.path).unwrap().config().reshape_activations,
        Reshape::HookZ
    );
    let top = self::made(
        &[],
        &flat(json!({"activation_fn_str": "topk", "activation_fn_kwargs": {"k": 3}, "apply_b_dec_to_input": false})),
    );
    check(&Sae::open(&top.path).unwrap(), &layers.rows(5), |x| {
        let z = top_k(&layers.pre(x), 3);
        let out = layers.decode(&z);
        (z, out)
    });
    for (value, kind) in [
        (json!(true), 1),
        (json!(false), 0),
        (json!(null), 0),
        (json!("none"), 0),
    ] {
        let made = self::made(&[], &flat(json!({"normalize_activations": value})));
        let sae = Sae::open(&made.path).unwrap();
        assert_eq!(
            sae.identity().unwrap().notes_of(NoteKind::MissingFactor).count(),
            kind,
            "{value}"
        );
    }
}

#[test]
fn factors_of_fine_tuning() {
    let factors = Noise::new(31).values(10);
    let ones = [1.0; 10];
    let layers = Layers::new(6, 10, 6);
    let open = |factor: &[f32], says: bool| {
        let made = made(
            &[("scaling_factor", &[10], factor)],
            &flat(json!({"finetuning_scaling_factor": says})),
        );
        Sae::open(&made.path)
    };
    for says in [true, false] {
        check(&open(&ones, says).unwrap(), &layers.rows(5), scaled(&layers, 1.0));
    }
    assert!(
        open(&factors, false)
            .unwrap_err()
            .to_string()
            .contains("scaling_factor")
    );
    let sae = open(&factors, true).unwrap();
    assert_eq!(sae.identity().unwrap().notes_of(NoteKind::Changed).count(), 1);
    check(&sae, &layers.rows(5), |x| {
        let z = relu(&layers.pre(&layers.centred(x)));
        let out = layers.decode(
            &z.iter()
                .zip(&factors)
                .map(|(z, &factor)| z * f64::from(factor))
                .collect::<Vec<_>>(),
        );
        (z, out)
    });
}

#[test]
fn flat_fields_that_would_be_dropped_are_refused() {
    for (more, expected) in [
        (json!({"hook_point_head_index": 3}), "hook_head_index"),
        (json!({"hook_name": "blocks.2.hook_resid_pre"}), "hook_name"),
        (json!({"activation_fn_str": "tanh-relu"}), "tanh-relu"),
        // Read as `relu`, a top-k autoencoder gives latents that look right and are not.
        (json!({"activation_fn_kwargs": {"k": 3}}), "activation_fn_kwargs.k"),
        (json!({"activation_fn_str": "topk"}), "activation_fn_kwargs.k"),
        (
            json!({"activation_fn_str": "topk", "activation_fn_kwargs": {"k": 3, "signed": true}}),
            "signed",
        ),
        (
            json!({"activation_fn_str": "topk", "activation_fn_kwargs": {"k": 3, "temperature": 2}}),
            "temperature",
        ),
        (json!({"architecture": "gated"}), "b_gate"),
        (json!({"architecture": "jumprelu"}), "threshold"),
        (json!({"architecture": "transcoder"}), "architecture"),
        (json!({"normalize_activations": "whiten"}), "normalize_activations"),
        (
            json!({"model_from_pretrained_kwargs": {"center_writing_weights": true}}),
            "model_from_pretrained_kwargs",
        ),
        (json!({"hook_point": null}), "hook_name"),
        (json!({"d_sae": "10"}), "d_sae"),
    ] {
        let made = made(&[], &flat(more.clone()));
        let error = Sae::open(&made.path).unwrap_err().to_string();
        assert!(error.contains(expected) && error.contains("sae"), "{more}: {error}");
    }
}

#[test]
fn thresholds_are_not_rounded_with_the_rest() {
    let threshold = Noise::new(37).values(10);
    let made = made(
        &[("threshold", &[10], &threshold)],
        &cfg("jumprelu", json!({"dtype": "bfloat16"})),
    );
    let sae = Sae::open(&made.path).unwrap();
    naive::close(sae.thresholds().unwrap(), &wide(&threshold), 0.0);
}
