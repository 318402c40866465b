//! What holds for every autoencoder: saving and opening again, sparse against dense, edits that change nothing.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::PathBuf;

use checkpoint::Checkpoint;
use sae::{
    Architecture, Metadata, Normalization, Output, Reshape, Sae, SaeConfig, SaeError, SparseLatents, StoredDtype,
    Weights,
};

use crate::files;

fn folder(name: &str) -> PathBuf {
    files::golden(name)
}

fn tensor(name: &str, key: &str) -> Vec<f32> {
    Checkpoint::open(&folder(name).join("golden.safetensors"))
        .unwrap()
        .get(key)
        .unwrap()
        .to_f32()
        .unwrap()
}

#[track_caller]
fn close(got: &[f32], want: &[f32], tolerance: f32) {
    assert_eq!(got.len(), want.len());
    let top = want.iter().fold(1e-6, |top: f32, value| top.max(value.abs()));
    for (at, (got, want)) in got.iter().zip(want).enumerate() {
        assert!(
            (got - want).abs() <= tolerance * top,
            "at {at}: {got} is not {want} (scale {top})"
        );
    }
}

#[test]
fn batch_top_k_becomes_jumprelu() {
    for (name, training) in [
        ("saelens_batchtopk", "batchtopk"),
        ("saelens_batchtopk_rescale", "batchtopk"),
        ("saelens_matryoshka_batchtopk", "matryoshka_batchtopk"),
    ] {
        let sae = Sae::open(&folder(name)).unwrap();
        assert_eq!(sae.config().architecture, Architecture::JumpRelu);
        let metadata = &sae.config().metadata;
        assert_eq!(metadata.training_architecture(), Some(training));
        assert_eq!(metadata.k(), Some(12.0));
        assert_eq!(metadata.hook_name(), Some("blocks.2.hook_resid_post"));
        assert_eq!(metadata.context_size(), Some(24));
        assert_eq!(metadata.prepend_bos(), Some(true));
    }
}

#[test]
fn norms_are_not_folded_where_latents_are_compared() {
    for name in [
        "saelens_topk",
        "saelens_abstopk",
        "dl_topk",
        "sparsify_topk/layers.2",
        "sparsify_groupmax/layers.2",
    ] {
        let error = Sae::open(&folder(name)).unwrap().fold_decoder_norms().unwrap_err();
        assert!(
            matches!(error, SaeError::Fold { .. }) && error.to_string().contains("rescale_acts_by_decoder_norm"),
            "{error}"
        );
    }
}

#[test]
fn saving_and_opening_gives_the_same_autoencoder() {
    for name in [
        "saelens_standard_layernorm",
        "saelens_topk_rescale",
        "saelens_matryoshka_batchtopk",
        "saelens_gated",
        "saelens_abstopk",
        "gemmascope_npz/layer_2/width_16k/average_l0_20",
    ] {
        let sae = Sae::open(&folder(name)).unwrap();
        let target = tempfile::tempdir().unwrap();
        sae.save(target.path(), StoredDtype::F32).unwrap();
        let again = Sae::open(target.path()).unwrap();
        // Files of other libraries get the version of the layout that they are now in.
        let mut config = sae.config().clone();
        if config.metadata.get("sae_lens_version").is_none() {
            config.metadata = again.config().metadata.clone();
        }
        assert_eq!(again.config(), &config);
        assert_eq!(again.config().metadata.hook_name(), sae.config().metadata.hook_name());
        assert_eq!(again.weights(), sae.weights());
        let hash = again.content_hash();
        sae.save(target.path(), StoredDtype::Bf16).unwrap();
        let rounded = Sae::open(target.path()).unwrap();
        assert_ne!(rounded.content_hash(), hash);
        // Rounding to 8 bits moves a weight by at most 2^-8 of itself; thresholds are not rounded.
        close(&rounded.weights().w_enc, &sae.weights().w_enc, 1.0 / 256.0);
        assert_eq!(rounded.weights().threshold, sae.weights().threshold);
    }
}

#[test]
fn sparse_and_dense_views_agree() {
    let name = "saelens_jumprelu";
    let (sae, input) = (Sae::open(&folder(name)).unwrap(), tensor(name, "input"));
    let (latents, dense) = (sae.encode(&input), sae.encode_dense(&input));
    let (d_in, d_sae) = (sae.d_in(), sae.d_sae());
    let columns = latents.columns();
    let rates = latents.firing_rates();
    for latent in 0..d_sae {
        let (rows, values) = columns.latent(latent);
        let expected: Vec<(u32, f32)> = (0..32u32)
            .map(|row| (row, dense[row as usize * d_sae + latent]))
            .filter(|entry| entry.1 != 0.0)
            .collect();
        assert_eq!(
            rows.iter().copied().zip(values.iter().copied()).collect::<Vec<_>>(),
            expected
        );
        assert!((rates[latent] - expected.len() as f64 / 32.0).abs() < 1e-12);
    }
    let active = dense.iter().filter(|&&value| value != 0.0).count();
    assert!((latents.mean_l0() - active as f64 / 32.0).abs() < 1e-12);
    let mut recon = Vec::new();
    for row in dense.chunks(d_sae) {
        let mut out: Vec<f64> = sae.weights().b_dec.iter().map(|&bias| f64::from(bias)).collect();
        for (latent, &value) in row.iter().enumerate() {
            for (out, &weight) in out.iter_mut().zip(&*sae.decoder_row(latent)) {
                *out += f64::from(value) * f64::from(weight);
            }
        }
        recon.extend(out.into_iter().map(|value| value as f32));
    }
    close(&sae.decode(&latents), &recon, 1e-5);
    let picked = latents.select_rows(&[3, 3, 0]);
    assert_eq!(picked.row(1), latents.row(3));
    assert_eq!(sae.decode(&picked)[2 * d_in..], sae.decode(&latents)[..d_in]);
}

#[test]
fn null_edits_change_nothing() {
    for name in [
        "saelens_jumprelu",
        "saelens_standard_layernorm",
        "saelens_topk_rescale",
        "saelens_gated",
        "saelens_abstopk",
    ] {
        let (sae, input) = (Sae::open(&folder(name)).unwrap(), tensor(name, "input"));
        let latents = sae.encode(&input);
        let same = latents.map(|_, _, value| value);
        assert_eq!(same, latents);
        let error = sae.error_term(&input, &latents);
        let sum: Vec<f32> = sae
            .decode(&same)
            .iter()
            .zip(&error)
            .map(|(recon, error)| recon + error)
            .collect();
        close(&sum, &input, 1e-6);
        // A removed latent moves the reconstruction along its decoder row and nowhere else.
        let (index, value) = latents.row(0);
        let (latent, value) = (index[0], value[0]);
        assert!((latents.get(0, latent) - value).abs() <= 0.0);
        let removed = latents.map(|row, other, value| if (row, other) == (0, latent) { 0.0 } else { value });
        let (before, after) = (sae.decode(&latents), sae.decode(&removed));
        let scale = latents.row_norm(0).map_or(1.0, |norm| norm.scale);
        let norm = if sae.config().architecture.rescales() {
            sae.decoder_norms()[latent as usize]
        } else {
            1.0
        };
        let step: Vec<f32> = sae
            .decoder_row(latent as usize)
            .iter()
            .map(|weight| value / norm * weight * scale)
            .collect();
        let moved: Vec<f32> = before
            .iter()
            .zip(&after)
            .map(|(before, after)| before - after)
            .take(sae.d_in())
            .collect();
        close(&moved, &step, 1e-4);
        assert_eq!(before[sae.d_in()..], after[sae.d_in()..]);
    }
}

#[test]
fn pre_activations_decide_what_fires() {
    let name = "saelens_jumprelu_bdec";
    let (sae, input) = (Sae::open(&folder(name)).unwrap(), tensor(name, "input"));
    let chosen = [5, 159, 0, 5];
    let pre = sae.pre_activations(&input, &chosen);
    let latents = sae.encode(&input);
    let thresholds = sae.thresholds().unwrap();
    for (row, pre) in pre.chunks(chosen.len()).enumerate() {
        for (&latent, &pre) in chosen.iter().zip(pre) {
            let expected = if pre > thresholds[latent] { pre.max(0.0) } else { 0.0 };
            assert!((latents.get(row, latent as u32) - expected).abs() < 1e-4);
        }
    }
}

#[test]
fn top_k_over_many_blocks_keeps_the_earliest_of_equals() {
    // 2,500 latents, more than two blocks: latent j has pre-activation `j % 7`, and k asks for a part of the sixes.
    let d_sae = 2500;
    let config = SaeConfig {
        d_in: 1,
        d_sae,
        architecture: Architecture::TopK {
            k: 300,
            rescale_acts_by_decoder_norm: false,
        },
        apply_b_dec_to_input: false,
        normalize_activations: Normalization::None,
        reshape_activations: Reshape::None,
        output: Output::autoencoder(1),
        metadata: Metadata::new(),
    };
    let weights = Weights {
        w_enc: (0..d_sae).map(|latent| (latent % 7) as f32).collect(),
        b_enc: vec![0.0; d_sae],
        w_dec: vec![1.0; d_sae],
        b_dec: vec![0.0],
        ..Weights::default()
    };
    let latents: SparseLatents = Sae::new(config, weights).unwrap().encode(&[1.0; 200]);
    let expected: Vec<u32> = (0..300).map(|nth| 7 * nth + 6).collect();
    for row in 0..200 {
        assert_eq!(latents.row(row).0, expected);
    }
}
