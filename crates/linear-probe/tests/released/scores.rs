//! `gen_probe_stats` with the library's threshold and with zero.

use linear_probe::metrics::evaluate;
use linear_probe::scores::{LogitThreshold, ProbeStats, probe_stats};

use crate::golden::{Tensors, data, design, json};

#[test]
fn both_thresholds() {
    let data = data();
    let probe = Tensors::open("probe_minibatch50.safetensors").probe("epochs50.");
    let scores = probe.scores(design(&data.test).into()).unwrap();
    let golden = json("probe_stats.json");
    for (key, threshold) in [
        ("gen_probe_stats_threshold_0_5_on_logits", LogitThreshold::ReleasedCode),
        ("gen_probe_stats_threshold_0", LogitThreshold::Zero),
    ] {
        let found = probe_stats(&scores, &data.test_labels, threshold).unwrap();
        let expected = golden[key].as_array().unwrap();
        assert_eq!(found.len(), expected.len());
        for (found, expected) in found.iter().zip(expected) {
            let ProbeStats {
                f1,
                accuracy,
                precision,
                recall,
            } = *found;
            for (name, found) in [
                ("f1", f1),
                ("accuracy", accuracy),
                ("precision", precision),
                ("recall", recall),
            ] {
                let expected_value = expected[name].as_f64().unwrap();
                assert!((found - expected_value).abs() < 1e-6, "{key} {expected} {name} {found}");
            }
        }
    }
}

/// The widened probe scores as the f32 one, to rounding.
#[test]
fn widening_keeps_the_logits() {
    let data = data();
    let probe = Tensors::open("probe_minibatch50.safetensors").probe("epochs50.");
    let narrow = probe.scores(design(&data.test).into()).unwrap();
    let wide = probe.widened().scores(design(&data.test)).unwrap();
    assert!(narrow.iter().zip(&wide).all(|(a, b)| (a - b).abs() < 1e-4));
    let f1 = |scores: &[f64]| {
        evaluate(scores, &data.test_labels, 0.0)
            .unwrap()
            .macro_mean(|class| class.f1)
    };
    assert_eq!(f1(&narrow), f1(&wide));
}
