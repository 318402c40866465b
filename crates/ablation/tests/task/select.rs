//! Latents of each letter: ranking, k-sparse regressions, main latents.

use ablation::absorption::saebench::{Definition, Guard};
use ablation::paper::{Detection, Material, sparse_rows};
use linear_probe::SgdConfig;
use linear_probe::ksparse::{JUMP, LOOK_AHEAD_PAPER, LOOK_AHEAD_SAEBENCH, evaluate, rank};
use linear_probe::metrics::score_class;

use crate::absorption::{Asked, Metrics, measured};
use crate::golden::{CLASSES, DIGITS, KPoint, Results, SAES, dense, letters, ranking_probe, results};
use crate::world::{sae, world};

/// Results, and whose words they are of.
const RUNS: [(&str, &str); 3] = [
    ("sae_spelling", "sae_spelling"),
    ("saebench", "saebench"),
    ("saebench_ksb128", "saebench"),
];

fn wide(latents: &[u32]) -> Vec<usize> {
    latents.iter().map(|&latent| latent as usize).collect()
}

#[test]
fn rankings_equal() {
    for (run, _) in RUNS {
        for name in SAES {
            let ranked = rank(&ranking_probe(run, name), 10);
            for (letter, ranking) in letters(run, name).iter().zip(&ranked) {
                for (&k, point) in &letter.ks {
                    assert_eq!(
                        ranking.latents[..k],
                        wide(&point.feats),
                        "{run} {name} {} {k}",
                        letter.letter
                    );
                }
            }
        }
    }
}

/// From the reference's ranking weights: our regressions, their F1, and the main latents, which are equal for all letters.
///
/// Regressions differ where the reference stops short of the optimum (`linear_probe::ksparse`): weights by up to 0.03, so that
/// test words at the boundary are decided differently. With the reference's own weights F1 is equal to the digits stored.
#[test]
fn regressions_and_main_latents_equal() {
    let world = world();
    for (run, library) in RUNS {
        let [train_part, test_part] = dense(library).kept();
        let (train, test) = (world.labelled(&train_part), world.labelled(&test_part));
        let look_ahead = if library == "saebench" {
            LOOK_AHEAD_SAEBENCH
        } else {
            LOOK_AHEAD_PAPER
        };
        for name in SAES {
            let sae = sae(name);
            let (train_latents, test_latents) = (sae.encode(&train.x), sae.encode(&test.x));
            let found = evaluate(
                &ranking_probe(run, name),
                (sparse_rows(&train_latents).unwrap(), &train_part.labels()),
                (sparse_rows(&test_latents).unwrap(), &test_part.labels()),
                &(1..=look_ahead).collect::<Vec<_>>(),
            )
            .unwrap();
            let (mut weights, mut f1) = (Vec::new(), Vec::new());
            for (class, golden) in found.iter().zip(&letters(run, name)) {
                let case = format!("{run} {name} {}", golden.letter);
                assert_eq!(
                    class.main_latents(JUMP, look_ahead),
                    wide(&golden.split_feats),
                    "{case}"
                );
                let positive: Vec<bool> = test.y.iter().map(|&y| y == class.class).collect();
                let their_f1 = |point: &KPoint, weight: &[f64], bias: f64| {
                    let columns = sparse_rows(&test_latents)
                        .unwrap()
                        .columns(&wide(&point.feats))
                        .unwrap();
                    let rows = columns.chunks_exact(weight.len());
                    let scores =
                        rows.map(|row| row.iter().zip(weight).map(|(&x, w)| f64::from(x) * w).sum::<f64>() + bias);
                    score_class(&scores.collect::<Vec<_>>(), &positive, 0.0).unwrap().f1
                };
                for (&k, point) in &golden.ks {
                    let ours = &class.by_k[k - 1];
                    let (scores, sum) = (ours.regression.unwrap(), ours.sum.unwrap());
                    assert!((sum.f1 - point.f1_sum).abs() < DIGITS, "{case} {k}: sum");
                    assert!(
                        (scores.auc - point.auc).abs() < 1e-3,
                        "{case} {k}: AUC {} {}",
                        scores.auc,
                        point.auc
                    );
                    f1.push((scores.f1 - point.f1).abs());
                    if let (Some(weight), Some(bias)) = (&point.weights, point.bias) {
                        assert!((their_f1(point, weight, bias) - point.f1).abs() < DIGITS, "{case} {k}");
                        let pairs = ours.probe.weight.iter().zip(weight).chain([(&ours.probe.bias, &bias)]);
                        weights.push(pairs.map(|(a, b)| (a - b).abs()).fold(0.0, f64::max));
                    }
                }
            }
            f1.sort_by(f64::total_cmp);
            weights.sort_by(f64::total_cmp);
            let case = format!("{run} {name}");
            let same = f1.iter().filter(|&&difference| difference < DIGITS).count();
            assert_eq!((f1.len(), weights.len()), (6 * CLASSES, 5 * CLASSES), "{case}");
            assert!(
                weights[65] < 0.01 && weights[129] < 0.05,
                "{case}: {} {}",
                weights[65],
                weights[129]
            );
            assert!(same >= 130 && f1[155] < 0.02, "{case}: {same} {}", f1[155]);
        }
    }
}

/// From our own ranking on: the first latents, F1 of the k-sparse probes, and absorption as `SAEBench` scores it.
///
/// With batches of 128, the first latent is the reference's for at least 24 of 26 letters (mean of seeds), always one of its first two,
/// and always the same where its first weight leads its second by 0.1 (first weights are about 1): the rest is a choice between
/// two nearly equal latents that falls with the seed. Five seeds of ours agree with the reference in 25 to 26 letters
/// (`btk_256`) and 23 to 25 (`std_512`), with each other in 25 to 26 and 24 to 26.
///
/// With the default batch of 4096, 50 epochs are 100 updates and the weights hardly leave their random start: five seeds agree with the
/// reference in 3 to 7 letters (`btk_256`) and 1 to 4 (`std_512`), with each other in 3 to 8 and 1 to 7. Nothing is claimed there.
///
/// Where all main latents are the reference's, the absorption scores are (`btk_256`, seeds 0 and 1). Otherwise one letter with other main
/// latents moves the mean of 25 letters by up to 0.04; `SAEBench` accepts 0.06 between its own runs.
#[test]
fn detection_of_our_own_finds_the_same_latents() {
    const SEEDS: u64 = 3;
    let world = world();
    let dense = dense("saebench");
    let asked = Asked::new(&dense, &dense.test.prompts);
    let probe = dense.probe.widened();
    let (train, test) = (world.labelled(&dense.train), world.labelled(&dense.test));
    let config = SgdConfig {
        batch_size: 128,
        ..SgdConfig::ranking()
    };
    for name in SAES {
        let sae = sae(name);
        let (train_latents, test_latents) = (sae.encode(&train.x), sae.encode(&test.x));
        let material = Material {
            sae: &sae,
            train: &train,
            train_latents: &train_latents,
            test: &test,
            test_latents: &test_latents,
            probe: &probe,
        };
        let golden: Results<Metrics> = results("saebench_ksb128", name);
        let reference = rank(&ranking_probe("saebench_ksb128", name), 2);
        let decided = |class: usize| reference[class].margin(1).unwrap() >= 0.1;
        assert!((0..CLASSES).filter(|&class| decided(class)).count() >= 18, "{name}");
        let mut agreeing = 0;
        for seed in 0..SEEDS {
            let found = Detection::new(material, &config, &(1..=10).collect::<Vec<_>>(), seed).unwrap();
            for (class, letter) in found.ksparse.iter().enumerate() {
                let (first, theirs) = (letter.latents[0] as usize, &reference[class].latents);
                let case = format!("{name} seed {seed} class {class}: {first} {theirs:?}");
                assert!(first == theirs[0] || !decided(class), "{case}");
                assert!(theirs[..2].contains(&first), "{case}");
                agreeing += u64::from(first == theirs[0]);
            }
            for k in [1, 10] {
                let ours: f64 = found.ksparse.iter().map(|letter| letter.f1(k).unwrap()).sum();
                let theirs: f64 = golden.per_letter.iter().map(|letter| letter.ks[&k].f1).sum();
                let difference = (ours - theirs) / CLASSES as f64;
                assert!(difference.abs() < 0.02, "{name} seed {seed} k {k}: {difference}");
            }
            let measured = measured(&asked, name, &found.ksparse, false);
            let score = measured
                .score(&found.main_counts(), Definition::V0_6, &Guard::default())
                .unwrap();
            for (ours, theirs) in [
                (&score.fraction, "absorption_fraction"),
                (&score.full, "full_absorption"),
            ] {
                let difference = ours.unwrap().mean - golden.rest.metrics[&format!("mean_{theirs}_score")];
                assert!(difference.abs() < 0.06, "{name} seed {seed}: {theirs} {difference}");
            }
        }
        assert!(agreeing >= 24 * SEEDS, "{name}: {agreeing} of {SEEDS} x 26");
    }
}
