//! Formats without golden files: made-up weights against naive sums in f64, written as each library computes.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use sae::{Architecture, Format, Normalization, NoteKind, OpenOptions, Reshape, Sae};
use serde_json::{Value, json};

use crate::files::{self, Made};
use crate::naive::{self, Layers, Noise, check, dot, jump, relu, top_k, top_k_signed};

#[track_caller]
fn open(made: &Made, format: Format) -> Sae {
    let sae = Sae::open(&made.path).unwrap();
    assert_eq!(sae.identity().unwrap().format, format);
    assert!(made.folder.path().is_dir());
    sae
}

#[track_caller]
fn hooks(sae: &Sae, hook_in: &str, hook_out: Option<&str>, guess: bool) {
    let identity = sae.identity().unwrap();
    let found = identity.hook_in.as_ref().unwrap();
    assert_eq!((found.value.as_str(), found.guess), (hook_in, guess));
    assert_eq!(identity.hook_out.as_ref().map(|hook| hook.value.as_str()), hook_out);
    assert_eq!(
        identity
            .notes_of(NoteKind::Guess)
            .any(|note| note.message.contains(hook_in)),
        guess
    );
}

/// `LN` of the library: unbiased deviation, 1e-5 added to it.
fn layer_norm(x: &[f64]) -> (Vec<f64>, f64, f64) {
    let mean = x.iter().sum::<f64>() / x.len() as f64;
    let square: f64 = x.iter().map(|x| (x - mean).powi(2)).sum();
    let deviation = (square / (x.len() - 1) as f64).sqrt();
    (
        x.iter().map(|x| (x - mean) / (deviation + 1e-5)).collect(),
        mean,
        deviation,
    )
}

#[test]
fn openai() {
    for tied in [false, true] {
        let made = files::openai(Some("TopK"), tied);
        let mut layers = made.layers.clone();
        if tied {
            layers.decoder.clone_from(&layers.encoder);
        }
        let sae = open(&made, Format::OpenAi);
        assert_eq!(sae.config().normalize_activations, Normalization::LayerNorm);
        assert_eq!(sae.identity().unwrap().declared_l0(), Some(3.0));
        check(&sae, &layers.rows(5), |x| {
            let (normal, mean, deviation) = layer_norm(x);
            let z = top_k(&layers.pre(&layers.centred(&normal)), 3);
            let out = layers.decode(&z).iter().map(|y| y * deviation + mean).collect();
            (z, out)
        });
    }
    for activation in [Some("ReLU"), None] {
        let made = files::openai(activation, false);
        let layers = &made.layers;
        let sae = open(&made, Format::OpenAi);
        let noted = sae.identity().unwrap().notes_of(NoteKind::Guess).count();
        assert_eq!(noted, usize::from(activation.is_none()));
        check(&sae, &layers.rows(5), |x| {
            let z = relu(&layers.pre(&layers.centred(x)));
            let out = layers.decode(&z);
            (z, out)
        });
    }
    let error = Sae::open(&files::openai(Some("Identity"), false).path)
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("`activation`") && error.contains("Identity") && error.contains("8.pt"),
        "{error}"
    );
}

#[test]
fn linear_layers_with_relu() {
    for (made, format) in [
        (files::goodfire(), Format::Goodfire),
        (files::deepseek_r1(), Format::DeepSeekR1),
    ] {
        let layers = &made.layers;
        let sae = open(&made, format);
        hooks(&sae, "blocks.19.hook_resid_post", None, true);
        check(&sae, &layers.rows(5), |x| {
            let z = relu(&layers.pre(x));
            let out = layers.decode(&z);
            (z, out)
        });
    }
}

#[test]
fn qwen_scope_takes_k_from_the_name_and_says_so() {
    let made = files::qwen_scope("SAE-Res-Qwen3-1.7B-Base-W32K-L0_3");
    let layers = &made.layers;
    let sae = open(&made, Format::QwenScope);
    hooks(&sae, "blocks.7.hook_resid_post", None, true);
    let declared = sae.identity().unwrap().declared_l0.clone().unwrap();
    assert!(declared.guess && declared.source.contains("l0_3"), "{declared:?}");
    let forward = |k: usize| {
        move |x: &[f64]| {
            let z = top_k(&layers.pre(x), k);
            let out = layers.decode(&z);
            (z, out)
        }
    };
    check(&sae, &layers.rows(5), forward(3));
    let given = OpenOptions::new().k(2).open(&made.path).unwrap();
    check(&given, &layers.rows(5), forward(2));
    assert_ne!(given.content_hash(), sae.content_hash());
    let nameless = files::qwen_scope("download");
    let error = Sae::open(&nameless.path).unwrap_err().to_string();
    assert!(error.contains("layer7.sae.pt") && error.contains("give `k`"), "{error}");
    OpenOptions::new().k(2).open(&nameless.path).unwrap();
    assert!(OpenOptions::new().k(11).open(&nameless.path).is_err());
}

#[test]
fn attention_outputs() {
    let made = files::attention_hook_z();
    let layers = &made.layers;
    let sae = open(&made, Format::AttentionHookZ);
    hooks(&sae, "blocks.5.attn.hook_z", None, false);
    assert_eq!(sae.config().reshape_activations, Reshape::HookZ);
    check(&sae, &layers.rows(5), |x| {
        let z = relu(&layers.pre(&layers.centred(x)));
        let out = layers.decode(&z);
        (z, out)
    });
    std::fs::remove_file(made.path.with_file_name("gpt2-small_L5_Hcat_z_cfg.json")).unwrap();
    let error = Sae::open(&made.path).unwrap_err().to_string();
    assert!(error.contains("_cfg.json"), "{error}");
}

#[test]
fn transcoders_of_hanna() {
    let mut noise = Noise::new(3);
    let (threshold, skip) = (noise.values(10), noise.values(24));
    for (threshold, skip) in [(None, None), (Some(&threshold), None), (Some(&threshold), Some(&skip))] {
        let made = files::hanna(threshold.map(Vec::as_slice), skip.map(Vec::as_slice));
        let layers = &made.layers;
        let sae = open(&made, Format::HannaTranscoder);
        hooks(&sae, "blocks.12.mlp.hook_in", Some("blocks.12.hook_mlp_out"), true);
        check(&sae, &layers.rows(5), |x| {
            let pre = layers.pre(x);
            let z = threshold.map_or_else(|| relu(&pre), |threshold| jump(&pre, &wide(threshold)));
            let mut out = layers.decode(&z);
            for (out, row) in out.iter_mut().zip(skip.unwrap_or(&vec![0.0; 24]).chunks(6)) {
                *out += dot(x, row);
            }
            (z, out)
        });
    }
}

fn wide(values: &[f32]) -> Vec<f64> {
    values.iter().map(|&value| f64::from(value)).collect()
}

#[test]
fn a_skip_connection_cannot_be_forgotten() {
    let skip = Noise::new(3).values(24);
    let made = files::hanna(None, Some(&skip));
    let sae = Sae::open(&made.path).unwrap();
    let x = made.layers.rows(5);
    let latents = sae.encode(&x);
    let panics = |call: &dyn Fn()| std::panic::catch_unwind(std::panic::AssertUnwindSafe(call)).is_err();
    assert!(panics(&|| drop(sae.decode(&latents))));
    assert!(panics(&|| drop(sae.error_term(&x, &latents))));
    assert!(panics(&|| {
        let _ = sae::evaluate(&sae, &x);
    }));
    assert_eq!(sae.decode_with_input(&latents, &x), sae.reconstruct(&x));
    let target = Noise::new(5).values(20);
    let error = sae.error_against(&target, &x, &latents);
    let sum: Vec<f32> = error
        .iter()
        .zip(sae.reconstruct(&x))
        .map(|(error, out)| error + out)
        .collect();
    naive::close(&sum, &wide(&target), 1e-6);
    assert_eq!(sae.d_out(), 4);
    assert!(sae::evaluate_against(&sae, &x, &target).mse > 0.0);
    // Folding the norms of the decoder leaves the output.
    naive::close(
        &sae.fold_decoder_norms().unwrap().reconstruct(&x),
        &wide(&sae.reconstruct(&x)),
        1e-5,
    );
    let folder = tempfile::tempdir().unwrap();
    sae.save(folder.path(), sae::StoredDtype::F32).unwrap();
    assert_eq!(Sae::open(folder.path()).unwrap().reconstruct(&x), sae.reconstruct(&x));
}

/// `OpenMOSS` at revision b932639: `standardize_parameters_of_dataset_norm`, `transform_to_unit_decoder_norm`, then a comparison
/// with the threshold. Latents come back in units of the decoder as it is here.
fn llama_scope_forward(
    layers: &Layers,
    [norm_in, norm_out]: [f64; 2],
    threshold: f64,
    x: &[f64],
) -> (Vec<f64>, Vec<f64>) {
    let root = (layers.d_in as f64).sqrt();
    let (s_in, s_out) = (root / norm_in, root / norm_out);
    let norms: Vec<f64> = layers.norms().iter().map(|norm| norm * s_in / s_out).collect();
    let (mut z, mut unit) = (Vec::new(), Vec::new());
    for latent in 0..layers.d_sae {
        let row = &layers.encoder[latent * layers.d_in..][..layers.d_in];
        let pre = (dot(x, row) + f64::from(layers.b_enc[latent]) / s_in) * norms[latent];
        unit.push(if pre > threshold { pre } else { 0.0 });
        z.push(unit[latent] / norms[latent]);
    }
    let mut out: Vec<f64> = layers.b_dec.iter().map(|&bias| f64::from(bias) / s_out).collect();
    for latent in 0..layers.d_sae {
        let row = &layers.decoder[latent * layers.d_out..][..layers.d_out];
        for (out, &weight) in out.iter_mut().zip(row) {
            *out += unit[latent] * f64::from(weight) * s_in / s_out / norms[latent];
        }
    }
    (z, out)
}

#[test]
fn llama_scope() {
    for norms in [[1.25, 1.25], [1.25, 3.0]] {
        let made =
            files::llama_scope(|cfg| cfg["dataset_average_activation_norm"] = json!({"in": norms[0], "out": norms[1]}));
        let sae = open(&made, Format::LlamaScope);
        hooks(&sae, "blocks.15.hook_resid_post", None, false);
        assert_eq!(sae.identity().unwrap().declared_l0(), Some(5.0));
        let file = made.path.join("checkpoints/final.safetensors");
        assert_eq!(Sae::open(&file).unwrap().weights(), sae.weights());
        check(&sae, &made.layers.rows(8), |x| {
            llama_scope_forward(&made.layers, norms, 0.3, x)
        });
        // With unit decoder rows latents are compared as the library has them.
        let folded = sae.fold_decoder_norms().unwrap();
        assert!(
            folded
                .thresholds()
                .unwrap()
                .iter()
                .all(|threshold| (threshold - 0.3).abs() < 1e-6)
        );
    }
}

#[test]
fn llama_scope_as_sae_lens_reads_it() {
    // Unit decoder rows: then both libraries agree, up to the factor on latents.
    let made = files::llama_scope(|_| {});
    let mut layers = made.layers.clone();
    let norms = layers.norms();
    for (row, norm) in layers.decoder.chunks_mut(6).zip(norms) {
        for weight in row {
            *weight = (f64::from(*weight) / norm) as f32;
        }
    }
    files::put_tensors(
        &made.path.join("checkpoints/final.safetensors"),
        &[
            ("encoder.weight", &[10, 6], &layers.encoder),
            ("encoder.bias", &[10], &layers.b_enc),
            ("decoder.weight", &[6, 10], &layers.decoder_t()),
            ("decoder.bias", &[6], &layers.b_dec),
        ],
    );
    let sae = Sae::open(&made.path).unwrap();
    let s = 6f64.sqrt() / 1.25;
    let x = layers.rows(8);
    check(&sae, &x, |x| {
        let scaled: Vec<f64> = x.iter().map(|x| x * s).collect();
        let z = jump(&layers.pre(&scaled), &[0.3 * s; 10]);
        let out = layers.decode(&z).iter().map(|out| out / s).collect();
        (z.iter().map(|z| z / s).collect(), out)
    });
}

#[test]
fn llama_scope_refuses_what_it_would_not_apply() {
    let check = |edit: &dyn Fn(&mut Value), expected: &[&str]| {
        let error = Sae::open(&files::llama_scope(|cfg| edit(cfg)).path)
            .unwrap_err()
            .to_string();
        for part in expected {
            assert!(error.contains(part), "`{part}` is not in: {error}");
        }
    };
    check(
        &|cfg| cfg["act_fn"] = json!("tanh"),
        &["hyperparams.json", "`act_fn`", "tanh"],
    );
    check(
        &|cfg| cfg["norm_activation"] = json!("batch-wise"),
        &["`norm_activation`", "batch-wise"],
    );
    check(&|cfg| cfg["use_glu_encoder"] = json!(true), &["`use_glu_encoder`"]);
    check(
        &|cfg| cfg["jump_relu_threshold"] = Value::Null,
        &["`act_fn` is `jumprelu`"],
    );
    check(
        &|cfg| cfg["dataset_average_activation_norm"] = Value::Null,
        &["norm_scaling_factor"],
    );
    check(
        &|cfg| cfg["dataset_average_activation_norm"]["in"] = json!(0),
        &["dataset_average_activation_norm.in"],
    );
    check(&|cfg| cfg["expansion_factor"] = json!(2), &["`expansion_factor`", "12"]);
    // Top-k before it was turned into `jumprelu`.
    let made = files::llama_scope(|cfg| {
        cfg["act_fn"] = json!("topk");
        cfg["jump_relu_threshold"] = json!(0.0);
    });
    let sae = Sae::open(&made.path).unwrap();
    assert_eq!(
        sae.config().architecture,
        Architecture::TopK {
            k: 5,
            rescale_acts_by_decoder_norm: true
        }
    );
    let made = files::llama_scope(|cfg| cfg["act_fn"] = json!("topk"));
    assert_eq!(
        Sae::open(&made.path).unwrap().config().architecture,
        Architecture::JumpRelu
    );
}

#[test]
fn openmoss_with_logarithms_of_thresholds() {
    let logarithms: Vec<f32> = Noise::new(11).values(10);
    for linear in [true, false] {
        let made = files::openmoss(linear, Some(1.25), &logarithms, |_| {});
        let layers = &made.layers;
        let sae = open(&made, Format::OpenMoss);
        let s = 6f64.sqrt() / 1.25;
        let norms = layers.norms();
        // Training: rows times `s`, pre-activations times decoder norms against the thresholds.
        check(&sae, &layers.rows(8), |x| {
            let scaled: Vec<f64> = x.iter().map(|x| x * s).collect();
            let pre = layers.pre(&scaled);
            let bars: Vec<f64> = logarithms
                .iter()
                .zip(&norms)
                .map(|(&log, norm)| f64::from(log).exp() / norm)
                .collect();
            let z = jump(&pre, &bars);
            let out = layers.decode(&z).iter().map(|out| out / s).collect();
            (z.iter().map(|z| z / s).collect(), out)
        });
        // The factor can be given where it is not stored, and only there.
        let given = OpenOptions::new().norm_scaling_factor(s as f32);
        assert!(given.open(&made.path).is_err());
        let made = files::openmoss(linear, None, &logarithms, |_| {});
        assert!(
            Sae::open(&made.path)
                .unwrap_err()
                .to_string()
                .contains("norm_scaling_factor")
        );
        let again = given.open(&made.path).unwrap();
        naive::close(&again.weights().threshold, &wide(&sae.weights().threshold), 1e-6);
        naive::close(&again.weights().b_enc, &wide(&sae.weights().b_enc), 1e-6);
    }
}

#[test]
fn openmoss_by_token() {
    let made = files::openmoss(true, None, &[-1.0; 10], |cfg| {
        cfg["norm_activation"] = json!("token-wise");
        cfg["sparsity_include_decoder_norm"] = json!(false);
        cfg["apply_decoder_bias_to_pre_encoder"] = json!(true);
    });
    let layers = &made.layers;
    let sae = open(&made, Format::OpenMoss);
    check(&sae, &layers.rows(8), |x| {
        let norm = x.iter().map(|x| x * x).sum::<f64>().sqrt();
        let s = 6f64.sqrt() / norm;
        let scaled: Vec<f64> = x.iter().map(|x| x * s).collect();
        let z = jump(&layers.pre(&layers.centred(&scaled)), &[(-1f64).exp(); 10]);
        let out = layers.decode(&z).iter().map(|out| out / s).collect();
        (z, out)
    });
}

#[test]
fn gemma_scope_2_transcoders() {
    let mut noise = Noise::new(13);
    let (threshold, skip) = (noise.values(10), noise.values(24));
    let cfg = json!({
        "architecture": "jump_relu", "type": "transcoder", "affine_connection": true, "width": 10, "l0": 20,
        "model_name": "gemma-v3-1b-pt", "hf_hook_point_in": "model.layers.9.pre_feedforward_layernorm.output",
        "hf_hook_point_out": "model.layers.9.post_feedforward_layernorm.output",
    });
    for cfg in [Some(&cfg), None] {
        let made = files::gemma_scope_2(&threshold, Some(&skip), cfg);
        let layers = &made.layers;
        let sae = open(&made, Format::GemmaScope2);
        hooks(
            &sae,
            "blocks.9.hook_mlp_in",
            Some("blocks.9.hook_mlp_out"),
            cfg.is_none(),
        );
        check(&sae, &layers.rows(5), |x| {
            let z = jump(&layers.pre(x), &wide(&threshold));
            let mut out = layers.decode(&z);
            // Stored as [d_in, d_out].
            for (x, row) in x.iter().zip(skip.chunks(4)) {
                for (out, &weight) in out.iter_mut().zip(row) {
                    *out += x * f64::from(weight);
                }
            }
            (z, out)
        });
    }
    let made = files::gemma_scope_2(&threshold, None, Some(&cfg));
    let error = Sae::open(&made.path).unwrap_err().to_string();
    assert!(
        error.contains("affine_skip_connection") && error.contains("params.safetensors"),
        "{error}"
    );
    let mut other = cfg.clone();
    other["width"] = json!(16);
    let made = files::gemma_scope_2(&threshold, Some(&skip), Some(&other));
    assert!(Sae::open(&made.path).unwrap_err().to_string().contains("`width` 16"));
}

#[test]
fn gemma_scope_by_its_path() {
    let source = files::golden("gemmascope_npz/layer_2/width_16k/average_l0_20/params.npz");
    let root = tempfile::tempdir().unwrap();
    for (inner, hook, out, reshape, scale) in [
        (
            "gemma-scope-2b-pt-res/layer_20/width_16k/average_l0_71",
            "blocks.20.hook_resid_post",
            None,
            Reshape::None,
            1.0,
        ),
        (
            "gemma-scope-9b-pt-att/layer_3/width_16k/average_l0_71",
            "blocks.3.attn.hook_z",
            None,
            Reshape::HookZ,
            1.0,
        ),
        (
            "gemma-scope-2b-pt-mlp/layer_4/width_16k/average_l0_71",
            "blocks.4.hook_mlp_out",
            None,
            Reshape::None,
            1.0,
        ),
        (
            "gemma-scope-2b-pt-res/embedding/width_4k/average_l0_6",
            "hook_embed",
            None,
            Reshape::None,
            8.0,
        ),
        (
            "gemma-scope-2b-pt-transcoders/layer_5/width_16k/average_l0_71",
            "blocks.5.ln2.hook_normalized",
            Some("blocks.5.hook_mlp_out"),
            Reshape::None,
            1.0,
        ),
    ] {
        let folder = root.path().join(inner);
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::copy(&source, folder.join("params.npz")).unwrap();
        let sae = Sae::open(&folder).unwrap();
        hooks(&sae, hook, out, true);
        assert_eq!(
            (sae.is_transcoder(), sae.config().reshape_activations),
            (out.is_some(), reshape)
        );
        let plain = Sae::open(&source).unwrap();
        // The encoder of an embedding is divided by sqrt(64).
        assert!((sae.weights().w_enc[0] * scale - plain.weights().w_enc[0]).abs() < 1e-6);
        assert!((sae.weights().w_dec[0] / scale - plain.weights().w_dec[0]).abs() < 1e-6);
    }
}

#[test]
fn sparsify_variants() {
    let skip = Noise::new(17).values(36);
    let cfg = |more: Value| {
        let mut cfg =
            json!({"activation": "topk", "num_latents": 10, "k": 3, "d_in": 6, "expansion_factor": 32, "new_field": 1});
        cfg.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        cfg
    };
    let add = |out: &mut [f64], x: &[f64]| {
        for (out, row) in out.iter_mut().zip(skip.chunks(6)) {
            *out += dot(x, row);
        }
    };
    let made = files::sparsify(Some(&skip), &cfg(json!({"transcode": true, "skip_connection": true})));
    let layers = &made.layers;
    let sae = open(&made, Format::Sparsify);
    hooks(&sae, "blocks.3.mlp.hook_in", Some("blocks.3.hook_mlp_out"), true);
    let unknown = sae
        .identity()
        .unwrap()
        .fields
        .iter()
        .find(|field| field.field == "new_field");
    assert_eq!(unknown.unwrap().verdict, sae::Verdict::Unknown);
    check(&sae, &layers.rows(5), |x| {
        let z = top_k(&layers.pre(x), 3);
        let mut out = layers.decode(&z);
        add(&mut out, x);
        (z, out)
    });
    // An autoencoder with a skip connection, which sees the input as it is.
    let made = files::sparsify(Some(&skip), &cfg(json!({"skip_connection": true})));
    let sae = open(&made, Format::Sparsify);
    check(&sae, &layers.rows(5), |x| {
        let z = top_k(&layers.pre(&layers.centred(x)), 3);
        let mut out = layers.decode(&z);
        add(&mut out, x);
        (z, out)
    });
    let x = layers.rows(5);
    let error = sae.error_term(&x, &sae.encode(&x));
    let sum: Vec<f32> = error
        .iter()
        .zip(sae.reconstruct(&x))
        .map(|(error, out)| error + out)
        .collect();
    naive::close(&sum, &wide(&x), 1e-6);
    let folder = tempfile::tempdir().unwrap();
    assert!(sae.save(folder.path(), sae::StoredDtype::F32).is_err());
    // Signed latents, of the first releases.
    let made = files::sparsify(None, &cfg(json!({"signed": true, "activation": null})));
    let sae = open(&made, Format::Sparsify);
    check(&sae, &layers.rows(5), |x| {
        let z = top_k_signed(&layers.pre(&layers.centred(x)), 3);
        let out = layers.decode(&z);
        (z, out)
    });
    assert!(sae.encode_dense(&x).iter().any(|&z| z < 0.0));
    for (field, value) in [
        ("activation", json!("softmax")),
        ("k", json!(11)),
        ("num_latents", json!(11)),
        ("d_in", json!(null)),
        ("transcode", json!("no")),
    ] {
        let made = files::sparsify(None, &cfg(json!({field: value})));
        let error = Sae::open(&made.path).unwrap_err().to_string();
        assert!(
            error.contains(if field == "num_latents" {
                "encoder.weight"
            } else {
                field
            }),
            "{error}"
        );
    }
    let made = files::sparsify(None, &cfg(json!({"activation": "groupmax"})));
    let error = Sae::open(&made.path).unwrap_err().to_string();
    assert!(error.contains("`k`") && error.contains("divides 10"), "{error}");
}
