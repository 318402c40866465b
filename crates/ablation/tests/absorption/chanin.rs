//! The published definition, against `sae-spelling`.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use ablation::absorption::AbsorptionError;
use ablation::absorption::chanin::{
    Aggregation, ChaninThresholds, Decision, Evidence, FrameRow, LetterRate, PromptFacts, Ranked, Rejection,
    ScoredLatent, aggregate, decide, is_candidate, rates_of_frame,
};
use linear_probe::ksparse::{JUMP, LOOK_AHEAD_PAPER, split_size};
use serde_json::Value;

use crate::golden::{close, count, json, latents, letter, list, number};

fn scored(value: &Value) -> Vec<ScoredLatent> {
    list(value)
        .iter()
        .map(|value| ScoredLatent {
            latent: count(&value["feature_id"]) as u32,
            activation: number(&value["activation"]),
            score: number(&value["ablation_score"]),
            cosine: number(&value["probe_cos_sim"]),
        })
        .collect()
}

#[test]
fn four_hundred_released_decisions() {
    let golden = json("sae_spelling.absorption_decisions.json");
    let thresholds = ChaninThresholds {
        cosine: number(&golden["probe_cos_sim_threshold"]),
        delta: number(&golden["ablation_delta_threshold"]),
        ..ChaninThresholds::default()
    };
    assert_eq!(thresholds, ChaninThresholds::default(), "the published constants");
    let cases = list(&golden["cases"]);
    assert_eq!(cases.len(), 400);
    // Every condition decides some case.
    let mut reasons = [0; 5];
    for (i, case) in cases.iter().enumerate() {
        let decision = decide(&scored(&case["main"]), &scored(&case["top"]), &thresholds);
        assert_eq!(
            decision.is_absorption(),
            case["is_absorption"].as_bool().unwrap(),
            "{i}"
        );
        reasons[match decision {
            Decision::Absorbed { .. } => 0,
            Decision::Not(Rejection::MainFires { .. }) => 1,
            Decision::Not(Rejection::Opposes { .. }) => 2,
            Decision::Not(Rejection::NoLead { .. }) => 3,
            Decision::Not(Rejection::Misaligned { .. }) => 4,
            Decision::Not(Rejection::NoLatents) => unreachable!("every case lists four latents"),
        }] += 1;
    }
    assert!(reasons.iter().all(|&n| n > 0), "{reasons:?}");
}

fn two(first: f64, second: f64, cosine: f64, main: f64) -> Decision {
    let latent = |latent, activation, score, cosine| ScoredLatent {
        latent,
        activation,
        score,
        cosine,
    };
    let top = [latent(7, 1.0, first, cosine), latent(8, 1.0, second, 0.0)];
    decide(&[latent(3, main, 0.0, 0.5)], &top, &ChaninThresholds::default())
}

#[test]
fn decisions_by_hand() {
    assert!(matches!(two(-2.0, -0.9, 0.03, 0.0), Decision::Absorbed { latent: 7, lead } if (lead - 1.1).abs() < 1e-12));
    assert!(matches!(
        two(-2.0, -1.1, 0.03, 0.0),
        Decision::Not(Rejection::NoLead { .. })
    ));
    assert!(
        matches!(two(-2.0, 1.5, 0.03, 0.0), Decision::Not(Rejection::NoLead { .. })),
        "sizes"
    );
    assert!(
        two(-2.0, 1.0, 0.025, 0.0).is_absorption(),
        "both thresholds may be met exactly"
    );
    assert!(matches!(
        two(-2.0, -0.9, 0.02, 0.0),
        Decision::Not(Rejection::Misaligned { .. })
    ));
    assert!(matches!(
        two(2.0, 0.0, 0.03, 0.0),
        Decision::Not(Rejection::Opposes { .. })
    ));
    let fires = Decision::Not(Rejection::MainFires { latent: 3 });
    assert_eq!(two(-2.0, -0.9, 0.03, 1e-6), fires);
    assert_eq!(
        two(-2.0, -0.9, 0.03, -1.0),
        fires,
        "a signed SAE's latent fires below zero"
    );
    assert!(two(-2.0, -0.9, 0.03, 5e-9).is_absorption());
    let none = decide(&[], &[], &ChaninThresholds::default());
    assert_eq!(none, Decision::Not(Rejection::NoLatents));
}

#[test]
fn thresholds_are_parameters() {
    let latent = |latent, activation, score, cosine| ScoredLatent {
        latent,
        activation,
        score,
        cosine,
    };
    let top = [latent(7, 1.0, -2.0, 0.02), latent(8, 1.0, -1.1, 0.0)];
    let main = [latent(3, 1e-6, 0.0, 0.5)];
    let lenient = ChaninThresholds {
        delta: 0.5,
        cosine: 0.01,
        main_silent: 1e-5,
        ..ChaninThresholds::default()
    };
    assert!(decide(&main, &top, &lenient).is_absorption());
    let usual = ChaninThresholds::default();
    for stricter in [
        ChaninThresholds {
            delta: usual.delta,
            ..lenient
        },
        ChaninThresholds {
            cosine: usual.cosine,
            ..lenient
        },
        ChaninThresholds {
            main_silent: usual.main_silent,
            ..lenient
        },
    ] {
        assert!(!decide(&main, &top, &stricter).is_absorption(), "{stricter:?}");
    }
    let few = ChaninThresholds {
        top: 3,
        max_prompts: 100,
        ..usual
    };
    let ranked = Ranked::new(&evidence(&[1], &[-2.0], &[2.0]), &few).unwrap();
    assert_eq!(ranked.top.len(), 3);
    assert!((few.sample_portion(400) - 0.25).abs() < 1e-15);
}

#[test]
fn splitting_by_hand() {
    let size = |f1: &[f64]| split_size(f1, JUMP, LOOK_AHEAD_PAPER);
    assert_eq!(size(&[0.50, 0.54, 0.58, 0.60]), 3);
    assert_eq!(size(&[0.50, 0.53]), 1, "a gain of .03 is not above .03");
    assert_eq!(size(&[0.50, 0.52, 0.90]), 1);
}

const COSINES: [f64; 14] = [0.5, 0.1, 0.2, 0.3, -0.1, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.9];

fn evidence<'a>(latents: &'a [u32], scores: &'a [f64], activations: &'a [f32]) -> Evidence<'a> {
    Evidence {
        latents,
        scores,
        activations,
        cosines: &COSINES,
        main: &[0],
    }
}

#[test]
fn ranking_counts_silent_latents() {
    let thresholds = ChaninThresholds::default();
    let evidence = evidence(&[4, 13, 1], &[3.0, -0.25, -2.0], &[1.0, 0.5, 2.0]);
    let ranked = Ranked::new(&evidence, &thresholds).unwrap();
    let order: Vec<u32> = ranked.top.iter().map(|latent| latent.latent).collect();
    assert_eq!(
        order,
        [1, 13, 0, 2, 3, 5, 6, 7, 8, 9],
        "silent ones with 0 before an opposing one"
    );
    assert_eq!((ranked.main[0].latent, ranked.main[0].activation), (0, 0.0));
    assert!(
        matches!(ranked.decide(&thresholds), Decision::Absorbed { latent: 1, lead } if (lead - 1.75).abs() < 1e-12)
    );
    // By magnitude the opposing latent is on top, and nothing is absorbed.
    let earlier = ChaninThresholds::earlier();
    let ranked = Ranked::new(&evidence, &earlier).unwrap();
    assert_eq!((ranked.top[0].latent, ranked.top[1].latent), (4, 1));
    assert_eq!(
        ranked.decide(&earlier),
        Decision::Not(Rejection::Opposes { score: 3.0 })
    );
    // Alone, it leads over the silent ones.
    let alone = Evidence {
        latents: &[2],
        scores: &[-1.0],
        activations: &[1.0],
        ..evidence
    };
    assert!(
        Ranked::new(&alone, &thresholds)
            .unwrap()
            .decide(&thresholds)
            .is_absorption()
    );
}

#[test]
fn bad_evidence_is_refused() {
    let refused = |evidence: Evidence<'_>| Ranked::new(&evidence, &ChaninThresholds::default()).unwrap_err();
    assert_eq!(
        refused(evidence(&[14], &[0.0], &[0.0])),
        AbsorptionError::Latent { latent: 14, width: 14 }
    );
    assert_eq!(
        refused(evidence(&[1, 1], &[0.0; 2], &[0.0; 2])),
        AbsorptionError::Twice { latent: 1 }
    );
    assert!(matches!(
        refused(evidence(&[1], &[], &[0.0])),
        AbsorptionError::Length { .. }
    ));
    assert!(matches!(
        refused(evidence(&[1], &[f64::NAN], &[0.0])),
        AbsorptionError::NonFinite { .. }
    ));
}

#[test]
fn the_filter_and_the_sample() {
    let thresholds = ChaninThresholds::default();
    assert!(thresholds.passes_filter(&[0.0, 5e-9]));
    assert!(!thresholds.passes_filter(&[6e-9, 6e-9]), "it is the sum that counts");
    assert!(!thresholds.passes_filter(&[1.0, -1.0]));
    for (survivors, portion) in [(0, 1.0), (200, 1.0), (400, 0.5)] {
        assert!(
            (thresholds.sample_portion(survivors) - portion).abs() < 1e-15,
            "{survivors}"
        );
    }
    assert!(is_candidate(0.1, 0.0) && !is_candidate(0.0, -1.0) && !is_candidate(1.0, 0.1));
}

fn rate(letter: char, looked_at: usize, absorbed: usize, true_positives: usize) -> LetterRate {
    LetterRate::new(letter, looked_at, absorbed, 1.0, true_positives).unwrap()
}

#[test]
fn rates_by_hand() {
    let sampled = LetterRate::new('s', 200, 40, 0.5, 1000).unwrap();
    assert!((sampled.num_absorption() - 80.0).abs() < 1e-12);
    assert!((sampled.rate().unwrap() - 0.08).abs() < 1e-12);
    assert!(
        (sampled.earlier_rate(320).unwrap() - 0.2).abs() < 1e-12,
        "80 of 80 + 320"
    );
    assert_eq!(
        (rate('q', 0, 0, 0).rate(), rate('q', 0, 0, 0).earlier_rate(0)),
        (None, None)
    );
    assert!(LetterRate::new('s', 10, 11, 1.0, 20).is_err());
    assert!(LetterRate::new('s', 21, 1, 1.0, 20).is_err());
    for portion in [0.0, 1.5, f64::NAN] {
        assert!(LetterRate::new('s', 10, 1, portion, 20).is_err(), "{portion}");
    }
}

#[test]
fn the_two_aggregations() {
    let letters = [
        rate('a', 10, 5, 20),
        rate('b', 4, 0, 8),
        rate('c', 0, 0, 9),
        rate('d', 0, 0, 0),
    ];
    let released = aggregate(&letters, Aggregation::AsReleased);
    assert!((released.mean.unwrap() - 0.125).abs() < 1e-12);
    let zero = aggregate(&letters, Aggregation::AbsentAsZero);
    assert!((zero.mean.unwrap() - 0.25 / 3.0).abs() < 1e-12);
    for (found, n) in [(released, 2), (zero, 3)] {
        assert_eq!((found.n, found.absent, found.undefined), (n, 1, 1));
    }
    let none = aggregate(&letters[2..], Aggregation::AsReleased);
    assert_eq!((none.mean, none.n), (None, 0));
    assert_eq!(aggregate(&letters[2..], Aggregation::AbsentAsZero).mean, Some(0.0));
}

/// The released code on SAEs of a small model: decisions from its own columns, then its rates.
#[test]
fn frames_of_a_trained_model() {
    let golden = json("sae_spelling.task.json");
    let thresholds = ChaninThresholds::default();
    for (name, letters, absent) in [("btk_256", 24, 2), ("std_512", 25, 1)] {
        let golden = &golden[name];
        let mut rows = Vec::new();
        for row in list(&golden["rows"]) {
            let [letter_, acts, ids, scores, cosines, absorbed] = list(row) else {
                unreachable!("a row has six columns")
            };
            let top: Vec<ScoredLatent> = latents(ids)
                .into_iter()
                .zip(list(scores).iter().zip(list(cosines)))
                .map(|(latent, (score, cosine))| ScoredLatent {
                    latent,
                    activation: 1.0,
                    score: number(score),
                    cosine: number(cosine),
                })
                .collect();
            let main: Vec<ScoredLatent> = list(acts)
                .iter()
                .map(|activation| ScoredLatent {
                    latent: 0,
                    activation: number(activation),
                    score: 0.0,
                    cosine: 0.0,
                })
                .collect();
            let decision = decide(&main, &top, &thresholds).is_absorption();
            assert_eq!(decision, absorbed.as_bool().unwrap(), "{name} {row}");
            rows.push((letter(letter_), decision));
        }
        let mut tried = Vec::new();
        for expected in list(&golden["letters"]) {
            let letter = letter(&expected["letter"]);
            let own = rows.iter().filter(|row| row.0 == letter);
            let absorbed = own.clone().filter(|row| row.1).count();
            // The released code does not know this number where no row tells it.
            let positives = expected["num_probe_true_positives"].as_u64().unwrap_or(10) as usize;
            let portion = number(&expected["sample_portion"]);
            let rate = LetterRate::new(letter, own.count(), absorbed, portion, positives).unwrap();
            close(rate.num_absorption(), &expected["num_absorption"], 1e-9, name);
            close(rate.rate().unwrap(), &expected["absorption_rate"], 1e-6, name);
            tried.push(rate);
        }
        let released = aggregate(&tried, Aggregation::AsReleased);
        let zero = aggregate(&tried, Aggregation::AbsentAsZero);
        assert_eq!((released.n, released.absent, zero.n), (letters, absent, 26));
        let ratio = zero.mean.unwrap() / released.mean.unwrap();
        assert!((ratio - letters as f64 / 26.0).abs() < 1e-12, "{name}");
    }
}

fn facts(letter: char, portion: f64, positives: usize) -> PromptFacts {
    PromptFacts {
        letter,
        token: " short".to_owned(),
        prompt: " short has the first letter:".to_owned(),
        sample_portion: portion,
        num_probe_true_positives: positives,
    }
}

#[test]
fn a_row_has_the_released_columns() {
    let evidence = evidence(&[4, 13, 1], &[3.0, -0.25, -2.0], &[1.0, 0.5, 2.0]);
    let row = FrameRow::new(facts('s', 0.5, 20), &evidence, &ChaninThresholds::default()).unwrap();
    let json = serde_json::to_value(&row).unwrap();
    let columns: Vec<&String> = json.as_object().unwrap().keys().collect();
    let released = "letter token prompt sample_portion num_probe_true_positives split_feats split_feat_acts \
        split_feat_probe_cos top_ablation_feat top_ablation_score top_ablation_feat_probe_cos second_ablation_feat \
        second_ablation_score second_ablation_feat_probe_cos ablation_scores ablation_feats ablation_feat_acts \
        ablation_feat_probe_cos is_absorption";
    assert_eq!(columns, released.split_whitespace().collect::<Vec<_>>());
    assert_eq!(
        (&json["top_ablation_feat"], &json["second_ablation_feat"]),
        (&1.into(), &13.into())
    );
    assert_eq!(json["split_feat_probe_cos"], serde_json::json!([0.5]));
    assert_eq!(json["ablation_feats"].as_array().unwrap().len(), 10);
    assert_eq!((&json["letter"], &json["is_absorption"]), (&"s".into(), &true.into()));
    assert_eq!(serde_json::from_value::<FrameRow>(json).unwrap(), row);
}

#[test]
fn rates_of_rows() {
    let yes = evidence(&[1], &[-2.0], &[2.0]);
    let no = evidence(&[1], &[-0.5], &[2.0]);
    let row = |facts, evidence| FrameRow::new(facts, evidence, &ChaninThresholds::default()).unwrap();
    let mut rows = vec![
        row(facts('t', 1.0, 5), &no),
        row(facts('s', 0.5, 20), &yes),
        row(facts('s', 0.5, 20), &no),
    ];
    let rates = rates_of_frame(&rows).unwrap();
    let found: Vec<(char, Option<f64>)> = rates.iter().map(|rate| (rate.letter(), rate.rate())).collect();
    assert_eq!(found, [('t', Some(0.0)), ('s', Some(0.1))]);
    rows[2].num_probe_true_positives = 21;
    assert!(matches!(
        rates_of_frame(&rows),
        Err(AbsorptionError::Rows { letter: 's', .. })
    ));
    rows[2].num_probe_true_positives = 20;
    assert!(rates_of_frame(&rows).is_ok());
    rows[2].sample_portion = 1.0;
    let refused = rates_of_frame(&rows).unwrap_err();
    let what = "the sample portion";
    assert_eq!(refused, AbsorptionError::Rows { letter: 's', what });
}
