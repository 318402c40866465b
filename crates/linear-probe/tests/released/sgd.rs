//! Trained weights from given initial weights and row orders.

use linear_probe::sgd::{
    Init, RowOrder, SgdConfig, SgdFit, SgdProbe, Start, loss_and_gradient, positive_weights, train,
};
use linear_probe::{Labels, ProbeError, Rows};

use crate::golden::{Csr, Tensors, data, design};

fn assert_close(what: &str, found: &[f32], expected: &[f32], tolerance: f32) {
    assert_eq!(found.len(), expected.len());
    let worst = found
        .iter()
        .zip(expected)
        .map(|(a, b)| (a - b).abs())
        .fold(0.0, f32::max);
    assert!(worst <= tolerance, "{what}: off by {worst}");
}

fn assert_probe(what: &str, found: &SgdFit, expected: &SgdProbe, tolerance: f32) {
    assert_close(
        &format!("{what} weight"),
        &found.probe.weight,
        &expected.weight,
        tolerance,
    );
    assert_close(&format!("{what} bias"), &found.probe.bias, &expected.bias, tolerance);
}

#[test]
fn loss_and_gradient_equal_autograd() {
    let (data, golden) = (data(), Tensors::open("probe_loss.safetensors"));
    let labels = &data.train_labels;
    let weights = positive_weights(labels.counts(), labels.n());
    assert_eq!(weights, golden.f32("pos_weight"));
    let probe = SgdProbe {
        d: 48,
        weight: golden.f32("W"),
        bias: golden.f32("b"),
    };
    let found = loss_and_gradient(design(&data.train).into(), labels, &probe).unwrap();
    assert_close("loss", &[found.loss as f32], &golden.f32("loss"), 1e-6);
    assert_close("grad weight", &found.weight, &golden.f32("grad_W"), 1e-6);
    assert_close("grad bias", &found.bias, &golden.f32("grad_b"), 1e-6);
}

#[test]
fn full_batch_training() {
    let (data, golden) = (data(), Tensors::open("probe_fullbatch.safetensors"));
    let init = golden.probe("init.");
    for epochs in [1, 2, 5, 50] {
        let config = SgdConfig {
            batch_size: 4096,
            epochs,
            ..SgdConfig::paper()
        };
        let start = Start {
            init: Init::Given(&init),
            order: RowOrder::Seeded(0),
        };
        let found = train(design(&data.train).into(), &data.train_labels, &config, start).unwrap();
        let expected = golden.probe(&format!("epochs{epochs}."));
        assert_probe(&format!("full {epochs}"), &found, &expected, 1e-6);
    }
}

#[test]
fn mini_batch_training() {
    let data = data();
    for (file, epochs, tolerance) in [
        ("minibatch", 1, 2e-5),
        ("minibatch", 3, 2e-5),
        ("minibatch50", 50, 1e-4),
    ] {
        let golden = Tensors::open(&format!("probe_{file}.safetensors"));
        let (init, orders) = (
            golden.probe("init."),
            golden.orders(&format!("epochs{epochs}.order"), data.train_labels.n()),
        );
        let config = SgdConfig {
            epochs,
            ..SgdConfig::saebench()
        };
        let start = Start {
            init: Init::Given(&init),
            order: RowOrder::Given(&orders),
        };
        let found = train(design(&data.train).into(), &data.train_labels, &config, start).unwrap();
        let expected = golden.probe(&format!("epochs{epochs}."));
        assert_probe(&format!("{file} {epochs}"), &found, &expected, tolerance);
    }
}

#[test]
fn ranking_probe_on_sparse_latents() {
    let (data, golden) = (data(), Tensors::open("probe_l1_sparse_fullbatch.safetensors"));
    let init = golden.probe("init.");
    for epochs in [1, 5, 50] {
        let config = SgdConfig {
            epochs,
            ..SgdConfig::ranking()
        };
        let start = Start {
            init: Init::Given(&init),
            order: RowOrder::Seeded(0),
        };
        let rows = data.train_latents.rows().into();
        let found = train(rows, &data.train_labels, &config, start).unwrap();
        let expected = golden.probe(&format!("epochs{epochs}."));
        assert_probe(&format!("l1 {epochs}"), &found, &expected, 2e-5);
    }
}

#[test]
fn stronger_l1_gives_more_zeros_and_dense_equals_sparse() {
    let data = data();
    let rows = data.train_latents.rows();
    let dense: Vec<f32> = rows.columns(&(0..rows.width()).collect::<Vec<_>>()).unwrap();
    let dense = linear_probe::Design::new(&dense, rows.n(), rows.width()).unwrap();
    let fit = |rows: Rows<'_>, l1| {
        let config = SgdConfig {
            epochs: 10,
            l1,
            ..SgdConfig::ranking()
        };
        train(rows, &data.train_labels, &config, Start::seeded(3))
            .unwrap()
            .probe
    };
    let small = |probe: &SgdProbe| probe.weight.iter().filter(|w| w.abs() < 1e-3).count();
    let weak = fit(rows.into(), 0.01);
    assert!(small(&fit(rows.into(), 0.1)) > small(&weak));
    assert_close("dense", &fit(dense.into(), 0.01).weight, &weak.weight, 1e-5);
}

#[test]
fn seeds_name_everything_random() {
    let data = data();
    let config = SgdConfig {
        epochs: 2,
        ..SgdConfig::saebench()
    };
    let fit = |seed| {
        train(
            design(&data.train).into(),
            &data.train_labels,
            &config,
            Start::seeded(seed),
        )
        .unwrap()
    };
    assert_eq!(fit(1), fit(1));
    assert_ne!(fit(1), fit(2));
    let losses = fit(1).losses;
    assert!(losses.len() == 2 && losses[1] < losses[0]);
}

#[test]
fn what_cannot_be_trained_is_refused() {
    let (x, labels) = ([1.0, 2.0, 3.0], Labels::new(&[0, 1, 0], 2).unwrap());
    let design = linear_probe::Design::new(&x, 3, 1).unwrap();
    let paper = SgdConfig::paper();
    let fit = |labels: &Labels, config: &SgdConfig, order: RowOrder<'_>| {
        let init = Init::Seeded(0);
        train(design.into(), labels, config, Start { init, order }).map(|_| ())
    };
    let seeded = RowOrder::Seeded(0);
    assert_eq!(fit(&labels, &paper, seeded), Ok(()));
    let empty = Labels::new(&[0, 1, 0], 3).unwrap();
    assert_eq!(fit(&empty, &paper, seeded), Err(ProbeError::EmptyClass { class: 2 }));
    for config in [
        SgdConfig { batch_size: 0, ..paper },
        SgdConfig { epochs: 0, ..paper },
        SgdConfig { rate: 0.0, ..paper },
        SgdConfig {
            end_rate: f64::NAN,
            ..paper
        },
        SgdConfig { l1: -1.0, ..paper },
    ] {
        assert!(matches!(fit(&labels, &config, seeded), Err(ProbeError::Setting { .. })));
    }
    let one = SgdConfig { epochs: 1, ..paper };
    let given = |order: &[usize]| fit(&labels, &one, RowOrder::Given(&[order.to_vec()]));
    assert_eq!(given(&[2, 0, 1]), Ok(()));
    assert_eq!(given(&[2, 0, 0]), Err(ProbeError::DuplicateRow { row: 0 }));
    assert_eq!(given(&[2, 0, 3]), Err(ProbeError::RowOutOfRange { row: 3, n: 3 }));
    assert!(matches!(given(&[2, 0]), Err(ProbeError::Length { .. })));
    let wild = SgdConfig {
        rate: 1e38,
        end_rate: 1e38,
        ..paper
    };
    assert!(matches!(fit(&labels, &wild, seeded), Err(ProbeError::Diverged { .. })));
}

/// 5,000 words, 26 letters: the shapes that a run has. Printed times are for people; the bound
/// only catches an accident.
#[test]
#[ignore = "a measurement"]
fn speed() {
    let classes: Vec<usize> = (0..5000).map(|row| row % 26).collect();
    let labels = Labels::new(&classes, 26).unwrap();
    for (d, batch_size) in [(128, 64), (2304, 64), (2304, 2048)] {
        let x: Vec<f32> = (0..5000 * d).map(|i| (i as f32 * 0.37).sin()).collect();
        let design = linear_probe::Design::new(&x, 5000, d).unwrap();
        let config = SgdConfig {
            batch_size,
            ..SgdConfig::paper()
        };
        let begin = std::time::Instant::now();
        train(design.into(), &labels, &config, Start::seeded(0)).unwrap();
        eprintln!("dense d {d} batch {batch_size}: {:?}", begin.elapsed());
    }
    let csr = Csr::random(5000, 65_536, 100);
    let begin = std::time::Instant::now();
    train(csr.rows().into(), &labels, &SgdConfig::ranking(), Start::seeded(0)).unwrap();
    eprintln!("sparse 65536: {:?}", begin.elapsed());
}
