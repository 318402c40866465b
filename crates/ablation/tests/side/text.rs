//! Text damage against numbers worked out by hand.

use ablation::side::text::{TextStage, text_damage, text_kl};
use ablation::{Arm, Editor, arms};
use sae::SparseLatents;

use crate::common::{LAYER, at_site, divergence, model, predictions, surprise};

fn push(d: usize, by: f64) -> Editor {
    // A constant push: reads nothing, writes along a fixed direction.
    let write: Vec<f64> = (0..d).map(|i| (i as f64 * 0.7).sin()).collect();
    Editor::linear(&vec![0.0; d], &vec![0.0; d], &write, by)
}

#[test]
fn two_tokens_by_hand_with_and_without_a_start_token() {
    let model = model();
    let d = model.config().hidden_size;
    let arm = Arm::fixed("push", vec![push(d, 2.0), Editor::Null]);
    for (ids, start) in [(vec![301, 77], None), (vec![2, 301, 77], Some(2))] {
        let from = usize::from(start.is_some());
        let site = at_site(&model, &ids);
        let clean = predictions(&model, site.clone());
        let mut edited = site;
        for x in edited[from * d..].chunks_exact_mut(d) {
            for (i, x) in x.iter_mut().enumerate() {
                *x = (f64::from(*x) + 2.0 * (i as f64 * 0.7).sin()) as f32;
            }
        }
        let edited = predictions(&model, edited);
        let kl: f64 = (from..from + 2).map(|t| divergence(&clean[t], &edited[t])).sum::<f64>() / 2.0;
        let rise = surprise(&edited[from], 77) - surprise(&clean[from], 77);

        let text = TextStage::new(&model, vec![ids], LAYER, start).unwrap();
        assert_eq!(text.tokens(), 2);
        let found = text_damage(&text, &arm, None).unwrap();
        assert!(kl > 1e-3, "the hand-made edit does something: {kl}");
        assert!((found[0].kl - kl).abs() < 1e-5, "{} {kl}", found[0].kl);
        assert!(
            (found[0].cross_entropy - rise).abs() < 1e-5,
            "{} {rise}",
            found[0].cross_entropy
        );
        assert_eq!((found[1].kl, found[1].cross_entropy), (0.0, 0.0));
    }
}

#[test]
fn nothing_does_nothing_and_damage_is_a_mean_over_all_tokens() {
    let model = model();
    let d = model.config().hidden_size;
    let sequences: Vec<Vec<u32>> = (0..5)
        .map(|s| (0..3 + s).map(|t| 9 + 31 * s + 7 * t).collect())
        .collect();
    let text = TextStage::new(&model, sequences.clone(), LAYER, None).unwrap();
    assert_eq!((text.rows(), text.tokens()), (25, 25));
    assert_eq!(text_kl(&text, &arms::null(3), None).unwrap(), vec![0.0; 3]);

    let arm = Arm::fixed("push", vec![push(d, 1.0)]);
    let whole = text_kl(&text, &arm, None).unwrap()[0];
    let parts: f64 = sequences
        .into_iter()
        .map(|ids| {
            let n = ids.len() as f64;
            let text = TextStage::new(&model, vec![ids], LAYER, None).unwrap();
            n * text_kl(&text, &arm, None).unwrap()[0]
        })
        .sum();
    assert!((whole - parts / 25.0).abs() < 1e-9, "{whole} {parts}");
    assert!(whole >= 0.0);
    // Draws are averaged.
    let draws = Arm {
        name: "draws".to_owned(),
        draws: vec![vec![push(d, 1.0)], vec![Editor::Null]],
    };
    assert!((text_kl(&text, &draws, None).unwrap()[0] - whole / 2.0).abs() < 1e-12);
}

#[test]
fn latents_are_read_where_they_fire_and_must_cover_the_text() {
    let model = model();
    let d = model.config().hidden_size;
    let ids = vec![11, 12, 13, 14];
    let text = TextStage::new(&model, vec![ids.clone()], LAYER, None).unwrap();
    let term = ablation::Term {
        reader: ablation::Reader::Latent { latent: 1 },
        write: vec![0.5; d],
        target: 0.0,
    };
    let arm = Arm::fixed(
        "latent",
        vec![Editor::Terms {
            terms: vec![term],
            dose: 1.0,
        }],
    );
    // The latent fires at the third position only, with activation 2.
    let latents = SparseLatents::new(3, vec![0, 0, 0, 1, 1], vec![1], vec![2.0]);
    let found = text_kl(&text, &arm, Some(&latents)).unwrap()[0];
    let site = at_site(&model, &ids);
    let clean = predictions(&model, site.clone());
    let mut edited = site;
    for x in &mut edited[2 * d..3 * d] {
        *x -= 1.0;
    }
    let edited = predictions(&model, edited);
    let kl = (2..4).map(|t| divergence(&clean[t], &edited[t])).sum::<f64>() / 4.0;
    assert!((found - kl).abs() < 1e-5 && kl > 1e-4, "{found} {kl}");
    let silent = SparseLatents::new(3, vec![0; 5], Vec::new(), Vec::new());
    assert_eq!(text_kl(&text, &arm, Some(&silent)).unwrap(), vec![0.0]);

    let short = SparseLatents::new(3, vec![0; 4], Vec::new(), Vec::new());
    assert!(text_kl(&text, &arm, Some(&short)).is_err());
    assert!(
        text_kl(&text, &arm, None).is_err(),
        "an editor of latents without latents"
    );
    assert!(TextStage::new(&model, vec![vec![2, 5]], LAYER, Some(2)).is_err());
    assert!(TextStage::new(&model, vec![vec![2, 5]], 99, None).is_err());
}
