//! Latents and reconstructions against `SAELens` 6.54.12, and against values worked out by it for weights from a formula.
//!
//! Tolerance: 1e-4 of the largest value, for f32 products in another order; f32 folders agree to about 1e-6.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::{Path, PathBuf};

use checkpoint::Checkpoint;
use sae::{Architecture, Metadata, Normalization, Sae, SaeConfig, SaeError, SparseLatents, StoredDtype, Weights};

const TOLERANCE: f32 = 1e-4;

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name)
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

#[track_caller]
fn check(name: &str, tolerance: f32) -> Sae {
    let sae = Sae::open(&folder(name)).unwrap();
    let keys = Checkpoint::open(&folder(name).join("golden.safetensors")).unwrap();
    for suffix in ["", "3"] {
        if keys.contains(&format!("input{suffix}")) {
            let input = tensor(name, &format!("input{suffix}"));
            let latents = sae.encode(&input);
            close(&latents.to_dense(), &tensor(name, &format!("acts{suffix}")), tolerance);
            close(
                &sae.decode(&latents),
                &tensor(name, &format!("recon{suffix}")),
                tolerance,
            );
        }
    }
    sae
}

#[track_caller]
fn check_folded(name: &str) {
    let sae = check(name, TOLERANCE);
    let input = tensor(name, "input");
    close(&sae.decoder_norms(), &tensor(name, "folded.W_dec_norm_before"), 1e-5);
    let folded = sae.fold_decoder_norms().unwrap();
    close(&folded.decoder_norms(), &vec![1.0; sae.d_sae()], 1e-6);
    let latents = folded.encode(&input);
    close(&latents.to_dense(), &tensor(name, "folded.acts"), TOLERANCE);
    close(&folded.decode(&latents), &tensor(name, "folded.recon"), TOLERANCE);
}

#[test]
fn standard() {
    check_folded("saelens_standard");
    check_folded("saelens_standard_nobdec");
}

#[test]
fn input_normalisation() {
    check_folded("saelens_standard_layernorm");
    check_folded("saelens_standard_constnorm");
}

#[test]
fn jumprelu() {
    check_folded("saelens_jumprelu");
    check_folded("saelens_jumprelu_bdec");
}

#[test]
fn batch_top_k_becomes_jumprelu() {
    for (name, training) in [
        ("saelens_batchtopk", "batchtopk"),
        ("saelens_batchtopk_rescale", "batchtopk"),
        ("saelens_matryoshka_batchtopk", "matryoshka_batchtopk"),
    ] {
        check_folded(name);
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
fn top_k() {
    check("saelens_topk", TOLERANCE);
    check_folded("saelens_topk_rescale");
    let error = Sae::open(&folder("saelens_topk"))
        .unwrap()
        .fold_decoder_norms()
        .unwrap_err();
    assert!(
        matches!(error, SaeError::Fold { .. }) && error.to_string().contains("rescale_acts_by_decoder_norm"),
        "{error}"
    );
}

#[test]
fn bf16_weights_are_widened() {
    // The golden values were computed in bf16, which has 8 bits: a percent or two after a sum.
    check("saelens_standard_bf16", 0.04);
}

#[test]
fn saving_and_opening_gives_the_same_autoencoder() {
    for name in [
        "saelens_standard_layernorm",
        "saelens_topk_rescale",
        "saelens_matryoshka_batchtopk",
    ] {
        let sae = Sae::open(&folder(name)).unwrap();
        let target = tempfile::tempdir().unwrap();
        sae.save(target.path(), StoredDtype::F32).unwrap();
        let again = Sae::open(target.path()).unwrap();
        assert_eq!(again.config(), sae.config());
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
            for (out, &weight) in out.iter_mut().zip(sae.decoder_row(latent)) {
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
    for name in ["saelens_jumprelu", "saelens_standard_layernorm", "saelens_topk_rescale"] {
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

/// The autoencoder of the specification's table: 3 inputs, 4 latents, weights from sines and cosines.
fn formula(architecture: Architecture, apply_b_dec_to_input: bool, normalize_activations: Normalization) -> Sae {
    let w_enc = (0..12).map(|at| (1.0 + at as f32).sin()).collect();
    let w_dec = (0..12)
        .map(|at| (2.0 + at as f32).cos() * (1.0 + 0.5 * (at / 3) as f32))
        .collect();
    let threshold = if architecture == Architecture::JumpRelu {
        vec![0.5, 0.2, 0.9, 0.1]
    } else {
        Vec::new()
    };
    let weights = Weights {
        w_enc,
        b_enc: vec![0.1, -0.2, 0.3, 0.0],
        w_dec,
        b_dec: vec![0.2, -0.1, 0.05],
        threshold,
    };
    let config = SaeConfig {
        d_in: 3,
        d_sae: 4,
        architecture,
        apply_b_dec_to_input,
        normalize_activations,
        metadata: Metadata::new(),
    };
    Sae::new(config, weights).unwrap()
}

#[track_caller]
fn check_formula(sae: &Sae, first: [f32; 4], second: [f32; 4], recon: [f32; 3]) {
    let latents = sae.encode(&[1.0, -2.0, 0.5, 0.3, 0.7, -1.1]);
    close(&latents.to_dense(), &[first, second].concat(), 2e-6);
    close(&sae.decode(&latents)[..3], &recon, 2e-6);
}

#[test]
fn forward_passes_of_the_formula() {
    let (none, topk) = (Normalization::None, |rescale| Architecture::TopK {
        k: 2,
        rescale_acts_by_decoder_norm: rescale,
    });
    let plain = [-0.610_986, -1.681_086, -0.847_543];
    let standard = formula(Architecture::Standard, true, none);
    check_formula(
        &standard,
        [2.780_586, 0.813_518, 0.0, 0.0],
        [0.0, 0.293_022, 1.989_69, 1.332_865],
        plain,
    );
    let unshifted = [-0.651_806, -1.700_038, -0.827_202];
    for architecture in [Architecture::Standard, Architecture::JumpRelu] {
        let sae = formula(architecture, false, none);
        check_formula(
            &sae,
            [3.065_379, 0.996_118, 0.0, 0.0],
            [0.0, 0.475_622, 1.902_216, 1.055_74],
            unshifted,
        );
    }
    check_formula(
        &formula(topk(false), true, none),
        [2.780_586, 0.813_518, 0.0, 0.0],
        [0.0, 0.0, 1.989_69, 1.332_865],
        plain,
    );
    check_formula(
        &formula(topk(true), true, none),
        [3.495_71, 1.529_372, 0.0, 0.0],
        [0.0, 0.0, 4.962_862, 4.129_152],
        plain,
    );
    let sae = formula(Architecture::Standard, true, Normalization::LayerNorm);
    check_formula(
        &sae,
        [1.690_724, 0.370_489, 0.0, 0.0],
        [0.0, 0.335_241, 2.075_51, 1.383_384],
        [-0.722_702, -2.160_019, -1.189_155],
    );
    let sae = formula(Architecture::Standard, true, Normalization::ConstantNormRescale);
    check_formula(
        &sae,
        [2.056_823, 0.521_58, 0.0, 0.0],
        [0.0, 0.492_057, 2.461_695, 1.643_881],
        [-0.574_143, -1.832_224, -0.932_096],
    );
    let sae = formula(Architecture::JumpRelu, false, none)
        .fold_decoder_norms()
        .unwrap();
    close(
        sae.thresholds().unwrap(),
        &[0.628_592, 0.375_99, 2.244_86, 0.309_795],
        2e-6,
    );
    check_formula(
        &sae,
        [3.853_747, 1.872_651, 0.0, 0.0],
        [0.0, 0.894_145, 4.744_677, 3.270_632],
        unshifted,
    );
}

#[test]
fn a_folded_input_scale_divides_latents_and_reconstructions() {
    let x = [1.0, -2.0, 0.5, 0.3, 0.7, -1.1];
    let scaled: Vec<f32> = x.iter().map(|value| 4.0 * value).collect();
    for architecture in [
        Architecture::JumpRelu,
        Architecture::TopK {
            k: 1,
            rescale_acts_by_decoder_norm: false,
        },
    ] {
        let sae = formula(architecture, true, Normalization::None);
        let folded = sae.fold_input_scale(4.0).unwrap();
        let (big, small) = (sae.encode(&scaled), folded.encode(&x));
        let quarter: Vec<f32> = big.to_dense().iter().map(|value| value / 4.0).collect();
        close(&small.to_dense(), &quarter, 1e-6);
        let quarter: Vec<f32> = sae.decode(&big).iter().map(|value| value / 4.0).collect();
        close(&folded.decode(&small), &quarter, 1e-6);
    }
    assert!(
        formula(Architecture::Standard, true, Normalization::None)
            .fold_input_scale(0.0)
            .is_err()
    );
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
        metadata: Metadata::new(),
    };
    let weights = Weights {
        w_enc: (0..d_sae).map(|latent| (latent % 7) as f32).collect(),
        b_enc: vec![0.0; d_sae],
        w_dec: vec![1.0; d_sae],
        b_dec: vec![0.0],
        threshold: Vec::new(),
    };
    let latents: SparseLatents = Sae::new(config, weights).unwrap().encode(&[1.0; 200]);
    let expected: Vec<u32> = (0..300).map(|nth| 7 * nth + 6).collect();
    for row in 0..200 {
        assert_eq!(latents.row(row).0, expected);
    }
}
