//! Forward passes of tiny autoencoders against values worked out by `SAELens` 6.54.12, and facts from its own tests.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use sae::{Architecture, Metadata, Normalization, Output, Reshape, Sae, SaeConfig, Weights};

#[track_caller]
fn close(got: &[f32], want: &[f32], tolerance: f32) {
    let want: Vec<f64> = want.iter().map(|&value| f64::from(value)).collect();
    crate::naive::close(got, &want, f64::from(tolerance));
}

fn config(d_in: usize, d_sae: usize, architecture: Architecture) -> SaeConfig {
    SaeConfig {
        d_in,
        d_sae,
        architecture,
        apply_b_dec_to_input: true,
        normalize_activations: Normalization::None,
        reshape_activations: Reshape::None,
        output: Output::autoencoder(d_in),
        metadata: Metadata::new(),
    }
}

/// The autoencoder of a table of values: 3 inputs, 4 latents, weights from sines and cosines.
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
    let mut weights = Weights {
        w_enc,
        b_enc: vec![0.1, -0.2, 0.3, 0.0],
        w_dec,
        b_dec: vec![0.2, -0.1, 0.05],
        threshold,
        ..Weights::default()
    };
    if architecture == Architecture::Gated {
        weights.b_gate = std::mem::take(&mut weights.b_enc);
        weights.b_mag = vec![0.05, 0.0, -0.1, 0.2];
        weights.r_mag = vec![0.1, -0.3, 0.0, 0.2];
    }
    let config = SaeConfig {
        apply_b_dec_to_input,
        normalize_activations,
        ..config(3, 4, architecture)
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
    let abs = Architecture::AbsTopK {
        k: 2,
        rescale_acts_by_decoder_norm: false,
    };
    check_formula(
        &formula(abs, true, none),
        [2.780_586, 0.0, 0.0, -2.726_68],
        [0.0, 0.0, 1.989_69, 1.332_865],
        [-0.987_301, -8.605_06, -7.953_305],
    );
    check_formula(
        &formula(Architecture::Gated, true, none),
        [3.012_506, 0.750_832, 0.0, 0.0],
        [0.0, 0.365_239, 1.589_69, 1.827_965],
        [-0.734_171, -2.000_968, -1.070_024],
    );
    check_formula(
        &standard.fold_norm_scaling_factor(2.0).unwrap(),
        [5.745_965, 2.009_636, 0.0, 0.0],
        [0.0, 0.968_643, 3.591_906, 2.388_606],
        [-0.668_039, -1.447_037, -0.716_605],
    );
}

#[test]
fn forward_passes_with_normalised_rows() {
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
}

#[test]
fn thresholds_fold_with_the_norms() {
    let sae = formula(Architecture::JumpRelu, false, Normalization::None)
        .fold_decoder_norms()
        .unwrap();
    let unshifted = [-0.651_806, -1.700_038, -0.827_202];
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
fn facts_from_the_tests_of_sae_lens() {
    let ones = |count: usize| vec![1.0; count];
    let weights = Weights {
        w_enc: ones(6),
        w_dec: ones(6),
        b_dec: vec![0.0; 2],
        b_gate: vec![-2.0, 0.0, 1.0],
        r_mag: vec![1.0, 2.0, 3.0],
        b_mag: ones(3),
        ..Weights::default()
    };
    let gated = Sae::new(config(2, 3, Architecture::Gated), weights).unwrap();
    let latents = gated.encode(&[0.3, 0.3]);
    close(&latents.to_dense(), &[0.0, 5.433_434, 13.051_322], 1e-6);
    close(&gated.decode(&latents), &[18.484_756; 2], 1e-6);
    // The gate is open above 0, not at it.
    close(&gated.pre_activations(&[0.3, 0.3], &[0, 1, 2]), &[-1.4, 0.6, 1.6], 1e-6);

    let weights = Weights {
        w_enc: ones(6),
        b_enc: vec![0.0; 3],
        w_dec: ones(6),
        b_dec: vec![0.0; 2],
        threshold: vec![1.0, 0.5, 0.25],
        ..Weights::default()
    };
    let jumprelu = Sae::new(config(2, 3, Architecture::JumpRelu), weights).unwrap();
    let latents = jumprelu.encode(&[0.3, 0.3]);
    close(&latents.to_dense(), &[0.0, 0.6, 0.6], 1e-6);
    close(&jumprelu.decode(&latents), &[1.2; 2], 1e-6);
}

#[test]
fn factors_are_refused_where_they_mean_nothing() {
    let standard = formula(Architecture::Standard, true, Normalization::LayerNorm);
    assert!(standard.fold_norm_scaling_factor(2.0).is_err() && standard.fold_input_scale(2.0).is_err());
    let plain = formula(Architecture::Standard, true, Normalization::None);
    for factor in [0.0, -1.0, f32::NAN, f32::INFINITY] {
        assert!(plain.fold_norm_scaling_factor(factor).is_err());
    }
}
