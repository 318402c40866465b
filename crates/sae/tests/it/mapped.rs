//! Autoencoders that stay in their file against the same ones in memory: every golden folder, and every made-up one.
//!
//! Opened with [`Residency::Mapped`], which is what [`Residency::Auto`] takes for large ones only.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;

use sae::{
    Architecture, Format, Metadata, Normalization, OpenOptions, Output, Reshape, Residency, Sae, SaeConfig, SaeError,
    SparseLatents, StoredDtype, Weights,
};
use serde_json::json;

use crate::files;
use crate::golden::folders;
use crate::naive::Noise;

fn same_latents(mapped: &SparseLatents, resident: &SparseLatents, name: &str) {
    assert_eq!((mapped.rows(), mapped.width()), (resident.rows(), resident.width()));
    for row in 0..mapped.rows() {
        let ((index, values), (other, wanted)) = (mapped.row(row), resident.row(row));
        assert_eq!(index, other, "{name}, row {row}");
        for (value, want) in values.iter().zip(wanted) {
            assert!(
                (value - want).abs() <= 1e-5 * want.abs().max(1.0),
                "{name}: {value} for {want}"
            );
        }
    }
}

/// Everything that can be asked of both gives the same.
fn compare(path: &Path, name: &str) {
    compare_as(path, name, &OpenOptions::new());
}

fn compare_as(path: &Path, name: &str, options: &OpenOptions) {
    let open = |residency: Residency| options.clone().residency(residency).open(path).unwrap();
    let (mapped, resident) = (open(Residency::Mapped), open(Residency::Resident));
    assert!(mapped.is_mapped() && !resident.is_mapped(), "{name}");
    assert!(!open(Residency::Auto).is_mapped(), "{name} is small");
    let x: Vec<f32> = Noise::new(3).values(40 * mapped.d_in());
    let mut pairs = vec![(mapped.clone(), resident.clone())];
    if let (Ok(mapped), Ok(resident)) = (mapped.fold_decoder_norms(), resident.fold_decoder_norms()) {
        pairs.push((mapped, resident));
    }
    if let (Ok(mapped), Ok(resident)) = (mapped.fold_input_scale(3.0), resident.fold_input_scale(3.0)) {
        pairs.push((
            mapped.fold_norm_scaling_factor(0.3).unwrap(),
            resident.fold_norm_scaling_factor(0.3).unwrap(),
        ));
    }
    for (mapped, resident) in &pairs {
        assert_eq!(mapped.content_hash(), resident.content_hash(), "{name}");
        assert_eq!(mapped.weights(), resident.weights(), "{name}");
        assert_eq!(mapped.decoder_norms(), resident.decoder_norms(), "{name}");
        assert_eq!(mapped.identity().is_some(), resident.identity().is_some());
        let latents = resident.encode(&x);
        same_latents(&mapped.encode(&x), &latents, name);
        let (d_in, d_sae) = (mapped.d_in(), mapped.d_sae());
        assert_eq!(
            mapped.decode_with_input(&latents, &x),
            resident.decode_with_input(&latents, &x),
            "{name}"
        );
        let chosen = [d_sae - 1, 0, d_sae / 2, 0];
        assert_eq!(
            mapped.pre_activations(&x, &chosen),
            resident.pre_activations(&x, &chosen),
            "{name}"
        );
        for latent in chosen {
            assert_eq!(mapped.decoder_row(latent), resident.decoder_row(latent), "{name}");
            assert_eq!(mapped.encoder_column(latent), resident.encoder_column(latent), "{name}");
        }
        let weights = resident.weights();
        let mut rows = Vec::new();
        mapped.visit_decoder(|latents, block| {
            assert_eq!(latents.start * resident.d_out(), rows.len());
            rows.extend_from_slice(block);
        });
        assert_eq!(rows, weights.w_dec, "{name}");
        let mut seen = 0;
        mapped.visit_encoder(|latents, block| {
            for (at, row) in block.chunks_exact(latents.len()).enumerate() {
                assert_eq!(row, &weights.w_enc[at * d_sae..][latents.clone()], "{name}");
            }
            assert_eq!(block.len(), d_in * latents.len());
            seen += latents.len();
        });
        assert_eq!(seen, d_sae);
        let memory = mapped.clone().into_resident();
        assert!(!memory.is_mapped());
        assert_eq!(memory.weights(), weights, "{name}");
        let folder = tempfile::tempdir().unwrap();
        if mapped.save(folder.path(), sae::StoredDtype::F32).is_ok() {
            assert_eq!(Sae::open(folder.path()).unwrap().weights(), weights, "{name}");
        }
    }
}

#[test]
fn golden_folders() {
    for folder in folders() {
        compare(&folder, &folder.display().to_string());
    }
}

#[test]
fn made_up_folders() {
    let signed =
        json!({"d_in": 6, "num_latents": 10, "k": 3, "signed": true, "activation": "topk", "expansion_factor": 32});
    let logarithms: Vec<f32> = (0..10).map(|at| at as f32 / 10.0 - 1.5).collect();
    let made = [
        files::openai(Some("TopK"), false),
        files::openai(Some("ReLU"), true),
        files::goodfire(),
        files::deepseek_r1(),
        files::attention_hook_z(),
        files::hanna(None, None),
        files::hanna(Some(&[0.1; 10]), Some(&[0.2; 24])),
        files::llama_scope(|_| {}),
        files::openmoss(true, Some(1.5), &logarithms, |_| {}),
        files::openmoss(false, Some(1.5), &logarithms, |_| {}),
        files::sparsify(None, &signed),
        files::gemma_scope_2(&[0.1; 10], Some(&[0.2; 24]), None),
    ];
    for made in made {
        compare(&made.path, &made.path.display().to_string());
    }
    let qwen = files::qwen_scope("SAE-Res-Qwen3-8B-Base-W64K-L0_100");
    compare_as(
        &qwen.path,
        "qwen_scope",
        &OpenOptions::new().format(Format::QwenScope).k(3),
    );
}

/// Wider than any block, and no multiple of one.
#[test]
fn blocks_and_tasks_meet_seamlessly() {
    let (d_in, d_sae) = (12, 5003);
    let mut random = Noise::new(8);
    let mut values = |count: usize| random.values(count);
    let top_k = Architecture::TopK {
        k: 90,
        rescale_acts_by_decoder_norm: true,
    };
    for architecture in [Architecture::JumpRelu, Architecture::Gated, top_k] {
        let only = |wanted: bool, values: Vec<f32>| if wanted { values } else { Vec::new() };
        let (gated, jumps) = (
            architecture == Architecture::Gated,
            architecture == Architecture::JumpRelu,
        );
        let weights = Weights {
            w_enc: values(d_in * d_sae),
            b_enc: only(!gated, values(d_sae)),
            w_dec: values(d_sae * d_in),
            b_dec: values(d_in),
            threshold: only(jumps, values(d_sae)),
            b_gate: only(gated, values(d_sae)),
            b_mag: only(gated, values(d_sae)),
            r_mag: only(gated, values(d_sae)),
            w_skip: Vec::new(),
        };
        let config = SaeConfig {
            d_in,
            d_sae,
            architecture,
            apply_b_dec_to_input: true,
            normalize_activations: Normalization::None,
            reshape_activations: Reshape::None,
            output: Output::autoencoder(d_in),
            metadata: Metadata::new(),
        };
        let sae = Sae::new(config, weights).unwrap();
        for dtype in [StoredDtype::F32, StoredDtype::Bf16] {
            let folder = tempfile::tempdir().unwrap();
            sae.save(folder.path(), dtype).unwrap();
            compare(folder.path(), &format!("{architecture:?} {dtype:?}"));
        }
        // More rows than one group has, and the same rows alone.
        let x = values(1100 * d_in);
        let latents = sae.encode(&x);
        let alone = sae.encode(&x[700 * d_in..701 * d_in]);
        let (index, _) = latents.row(700);
        assert_eq!(index, alone.row(0).0);
        assert!(!index.is_empty() && (top_k != architecture || index.len() == 90));
        for threads in [1, 3] {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            assert_eq!(pool.install(|| sae.encode(&x)), latents, "{threads} threads");
        }
    }
}

#[test]
fn damage_is_found_where_it_lies() {
    for (tensor, at) in [("W_enc", 70), ("W_dec", 71)] {
        let folder = files::copy(&files::golden("saelens_topk"));
        let file = folder.path().join("sae_weights.safetensors");
        let sae = Sae::open(folder.path()).unwrap();
        let (config, mut weights) = sae.into_parts();
        let (name, matrix) = match tensor {
            "W_enc" => ("w_enc", &mut weights.w_enc),
            _ => ("w_dec", &mut weights.w_dec),
        };
        matrix[at] = f32::NAN;
        let (d_in, d_sae) = (config.d_in, config.d_sae);
        files::put_tensors(
            &file,
            &[
                ("W_enc", &[d_in, d_sae], &weights.w_enc),
                ("W_dec", &[d_sae, d_in], &weights.w_dec),
                ("b_enc", &[d_sae], &weights.b_enc),
                ("b_dec", &[d_in], &weights.b_dec),
            ],
        );
        for residency in [Residency::Mapped, Residency::Resident] {
            let error = OpenOptions::new().residency(residency).open(folder.path()).unwrap_err();
            let SaeError::Tensor { tensor, reason, .. } = &error else {
                panic!("{error}")
            };
            assert!(
                tensor == name && reason.contains(&format!("NaN at index {at}")),
                "{error}"
            );
        }
    }
}
