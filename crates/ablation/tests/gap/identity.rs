//! Identities that hold for any autoencoder.

use ablation::gap::{Accounting, Config, Reference};
use ablation::{Directions, SaeSide};
use proptest::prelude::*;
use sae::{Architecture, Normalization};

use crate::made::{random_sae, words};

const D: usize = 12;
const WIDTH: usize = 40;
const CLASSES: usize = 4;

fn architectures() -> [Architecture; 8] {
    let rescale = |rescale_acts_by_decoder_norm: bool| Architecture::TopK {
        k: 6,
        rescale_acts_by_decoder_norm,
    };
    [
        Architecture::Standard,
        Architecture::JumpRelu,
        rescale(false),
        rescale(true),
        Architecture::AbsTopK {
            k: 6,
            rescale_acts_by_decoder_norm: false,
        },
        Architecture::AbsTopK {
            k: 6,
            rescale_acts_by_decoder_norm: true,
        },
        Architecture::Gated,
        Architecture::GroupMax { groups: 8 },
    ]
}

fn normalisations() -> [Normalization; 4] {
    [
        Normalization::None,
        Normalization::ConstantNormRescale,
        Normalization::LayerNorm,
        Normalization::ConstantScalarRescale { factor: 0.3 },
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Terms sum to the read, and what no latent carries is the read of the error term, computed apart.
    #[test]
    fn terms_sum_to_the_read(architecture in 0usize..8, normalize in 0usize..4, seed in 0u64..1000) {
        let sae = random_sae(D, WIDTH, architectures()[architecture], normalisations()[normalize], seed);
        let train = words(D, CLASSES, 80, seed);
        let test = words(D, CLASSES, 24, seed + 1);
        let directions = Directions::fit(&train, seed).unwrap();
        let references = Reference::leace(&directions, &train).unwrap();
        let side = SaeSide::new(&sae, &train).unwrap();
        let main: Vec<Vec<u32>> = (0..CLASSES as u32).map(|class| vec![class]).collect();
        let accounting = Accounting::new(&side, &train, references.clone(), &main, Config::default()).unwrap();
        let latents = sae.encode(&test.x);
        let rows: Vec<usize> = (0..test.n()).collect();
        let (decoded, decoded_train) = (sae.decode(&latents), sae.decode(&side.train));
        for (class, reference) in references.iter().enumerate() {
            let read = |row: &[f32]| -> f64 { reference.read.iter().zip(row).map(|(v, &x)| v * f64::from(x)).sum() };
            let length = |row: &[f32]| row.iter().map(|x| f64::from(x * x)).sum::<f64>().sqrt();
            let size = reference.read.iter().map(|v| v * v).sum::<f64>().sqrt();
            // The mean error of other classes' words, from the decoder's own output.
            let off: Vec<usize> = (0..train.n()).filter(|&i| train.y[i] != class).collect();
            let error_of = |x: &[f32], decoded: &[f32]| read(x) - read(decoded);
            let mean = off
                .iter()
                .map(|&i| error_of(train.row(i), &decoded_train[i * D..(i + 1) * D]))
                .sum::<f64>() / off.len() as f64;
            for word in accounting.words(&test.x, &latents, class, &rows).unwrap() {
                let excess = reference.excess(test.row(word.row));
                prop_assert!((word.terms.sum() - excess).abs() < 1e-9 * (1.0 + excess.abs()));
                let decoded = &decoded[word.row * D..(word.row + 1) * D];
                let error = error_of(test.row(word.row), decoded) - mean;
                if normalisations()[normalize] == Normalization::None {
                    let found = word.terms.dark + word.terms.threshold;
                    let scale = size * (length(test.row(word.row)) + length(decoded));
                    prop_assert!((found - error).abs() < 1e-5 * scale, "{found} {error}");
                }
            }
        }
    }
}

/// With a normalised input, the row's scale of the bias stays in what no latent carries.
#[test]
fn what_no_latent_carries_of_a_normalised_input_holds_the_bias() {
    let sae = random_sae(D, WIDTH, Architecture::Standard, Normalization::LayerNorm, 5);
    let train = words(D, CLASSES, 80, 5);
    let directions = Directions::fit(&train, 5).unwrap();
    let references = Reference::leace(&directions, &train).unwrap();
    let side = SaeSide::new(&sae, &train).unwrap();
    let main: Vec<Vec<u32>> = (0..CLASSES as u32).map(|class| vec![class]).collect();
    let accounting = Accounting::new(&side, &train, references.clone(), &main, Config::default()).unwrap();
    let decoded = sae.decode(&side.train);
    let reference = &references[0];
    let read = |row: &[f32]| -> f64 { reference.read.iter().zip(row).map(|(v, &x)| v * f64::from(x)).sum() };
    let rest = |i: usize| {
        let norm = side.train.row_norm(i).unwrap();
        let constant: Vec<f32> = sae.decoder_bias().iter().map(|b| b * norm.scale + norm.shift).collect();
        read(train.row(i)) - read(&decoded[i * D..(i + 1) * D]) + read(&constant)
    };
    let off: Vec<usize> = (0..train.n()).filter(|&i| train.y[i] != 0).collect();
    let mean = off.iter().map(|&i| rest(i)).sum::<f64>() / off.len() as f64;
    let rows: Vec<usize> = (0..train.n()).collect();
    for word in accounting.words(&train.x, &side.train, 0, &rows).unwrap() {
        let expected = rest(word.row) - mean;
        assert!(
            (word.terms.dark - expected).abs() < 1e-3,
            "{} {expected}",
            word.terms.dark
        );
        assert!(word.terms.threshold.abs() < 1e-12);
    }
}

/// The means of every term over other classes' train words are zero, but for `absorb` and `diffuse`, which a word's own rule divides.
#[test]
fn terms_are_centred_on_other_classes() {
    for architecture in architectures() {
        let sae = random_sae(D, WIDTH, architecture, Normalization::None, 3);
        let train = words(D, CLASSES, 120, 3);
        let directions = Directions::fit(&train, 3).unwrap();
        let references = Reference::leace(&directions, &train).unwrap();
        let side = SaeSide::new(&sae, &train).unwrap();
        let main: Vec<Vec<u32>> = (0..CLASSES as u32).map(|class| vec![class]).collect();
        let accounting = Accounting::new(&side, &train, references, &main, Config::default()).unwrap();
        for class in 0..CLASSES {
            let off: Vec<usize> = (0..train.n()).filter(|&i| train.y[i] != class).collect();
            let words = accounting.words(&train.x, &side.train, class, &off).unwrap();
            let mean = |of: fn(&ablation::gap::WordRead) -> f64| words.iter().map(of).sum::<f64>() / words.len() as f64;
            for (name, value) in [
                ("main", mean(|w| w.terms.main)),
                ("split", mean(|w| w.terms.split)),
                ("threshold", mean(|w| w.terms.threshold)),
                ("dark", mean(|w| w.terms.dark)),
                ("latents", mean(|w| w.terms.absorb + w.terms.diffuse)),
            ] {
                assert!(value.abs() < 1e-5, "{architecture:?} {class} {name}: {value}");
            }
        }
    }
}

#[test]
fn a_transcoder_is_refused() {
    let mut config = crate::made::config(D, WIDTH, Architecture::Standard, Normalization::None);
    config.output.transcoder = true;
    let (_, weights) = random_sae(D, WIDTH, Architecture::Standard, Normalization::None, 1).into_parts();
    let sae = sae::Sae::new(config, weights).unwrap();
    let train = words(D, CLASSES, 40, 1);
    let side = SaeSide::new(&sae, &train).unwrap();
    let refused = Accounting::new(
        &side,
        &train,
        crate::made::axes(&train),
        &vec![vec![0]; CLASSES],
        Config::default(),
    );
    assert!(refused.is_err_and(|error| error.to_string().contains("transcoder")));
}

/// Which class is called what changes nothing else.
#[test]
fn permuted_letters_permute_the_parts() {
    const NEW: [usize; CLASSES] = [2, 0, 3, 1];
    let sae = random_sae(D, WIDTH, Architecture::JumpRelu, Normalization::None, 9);
    let train = words(D, CLASSES, 80, 9);
    let mut renamed = train.clone();
    for class in &mut renamed.y {
        *class = NEW[*class];
    }
    let divided = |train: &ablation::Labelled, latent_of: &dyn Fn(usize) -> u32| {
        let references = Reference::leace(&Directions::fit(train, 9).unwrap(), train).unwrap();
        let side = SaeSide::new(&sae, train).unwrap();
        let main: Vec<Vec<u32>> = (0..CLASSES).map(|class| vec![latent_of(class)]).collect();
        let accounting = Accounting::new(&side, train, references, &main, Config::default()).unwrap();
        let rows: Vec<usize> = (0..train.n()).collect();
        let reads = |class| accounting.words(&train.x, &side.train, class, &rows).unwrap();
        (0..CLASSES).map(reads).collect::<Vec<_>>()
    };
    let old = |class: usize| NEW.iter().position(|&new| new == class).unwrap() as u32;
    let (before, after) = (divided(&train, &|class| class as u32), divided(&renamed, &old));
    let mut differ = 0;
    for class in 0..CLASSES {
        for (a, b) in before[class].iter().zip(&after[NEW[class]]) {
            for (a, b) in a.terms.to_array().iter().zip(b.terms.to_array()) {
                assert!((a - b).abs() < 1e-6 * (1.0 + a.abs()), "{class}: {a} {b}");
            }
        }
        let other = &after[NEW[(class + 1) % CLASSES]];
        differ += usize::from((before[class][0].excess - other[0].excess).abs() > 1e-3);
    }
    assert!(differ > 0, "all classes read alike");
}

/// Multiplying a latent and dividing its decoder row changes nothing.
#[test]
fn the_scale_of_a_latent_does_not_matter() {
    let sae = random_sae(D, WIDTH, Architecture::JumpRelu, Normalization::None, 4);
    let folded = sae.fold_decoder_norms().unwrap();
    let train = words(D, CLASSES, 80, 4);
    let references = Reference::leace(&Directions::fit(&train, 4).unwrap(), &train).unwrap();
    let main: Vec<Vec<u32>> = (0..CLASSES as u32).map(|class| vec![class]).collect();
    let rows: Vec<usize> = (0..train.n()).collect();
    let divided = |sae: &sae::Sae| {
        let side = SaeSide::new(sae, &train).unwrap();
        let accounting = Accounting::new(&side, &train, references.clone(), &main, Config::default()).unwrap();
        let reads = |class| accounting.words(&train.x, &side.train, class, &rows).unwrap();
        (0..CLASSES).flat_map(reads).collect::<Vec<_>>()
    };
    for (a, b) in divided(&sae).iter().zip(divided(&folded)) {
        for (a, b) in a.terms.to_array().iter().zip(b.terms.to_array()) {
            assert!((a - b).abs() < 1e-4 * (1.0 + a.abs()), "{a} {b}");
        }
    }
}
