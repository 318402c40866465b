//! Damage at the answer position.

use ablation::side::answers::{AnswerDamage, Answers};
use ablation::{Arm, Captured, Editor, Pair, Readout, arms};

use crate::common::{
    CLASSES, WORDS, at_site, capture, classes, divergence, items, letters, model, pairs, predictions, prefixes, stage,
};

fn push(d: usize, by: f64) -> Editor {
    let write: Vec<f64> = (0..d).map(|i| (i as f64 * 1.3).cos()).collect();
    Editor::linear(&vec![0.0; d], &vec![0.0; d], &write, by)
}

#[test]
fn damage_is_that_of_whole_forward_passes() {
    let model = model();
    let stage = stage(&model);
    let capture = capture(&stage);
    let captured = Captured {
        stage: &stage,
        capture: &capture,
    };
    let (d, tokens) = (captured.d(), letters());
    let answers = Answers::new(captured, &tokens).unwrap();
    let arm = Arm::fixed("push", vec![push(d, 3.0), Editor::Null]);
    // Rows out of order, one of them twice.
    let rows = [41, 7, 7, 3];
    let pairs: Vec<Pair> = rows
        .iter()
        .enumerate()
        .map(|(i, &row)| Pair {
            class: usize::from(i == 2),
            row,
            on: true,
        })
        .collect();
    let found = answers.damage(&arm, &pairs, None).unwrap().remove(0);
    let outside = |row: &[f64]| -> Vec<f64> {
        let kept = row.iter().enumerate().filter(|(t, _)| !tokens.contains(&(*t as u32)));
        kept.map(|(_, &l)| l).collect()
    };
    let top = |row: &[f64]| (0..row.len()).max_by(|&a, &b| row[a].total_cmp(&row[b])).unwrap();
    let tops = answers.tops().unwrap();
    for (pair, damage) in pairs.iter().zip(&found) {
        if pair.class == 1 {
            assert_eq!(*damage, AnswerDamage::default());
            continue;
        }
        let item = &items()[pair.row];
        let mut ids = prefixes()[item.set].clone();
        let word = ids.len();
        ids.extend(&item.suffix);
        let site = at_site(&model, &ids);
        let clean = predictions(&model, site.clone()).pop().unwrap();
        let mut edited = site;
        for (i, x) in edited[word * d..(word + 1) * d].iter_mut().enumerate() {
            *x = (f64::from(*x) + 3.0 * (i as f64 * 1.3).cos()) as f32;
        }
        let edited = predictions(&model, edited).pop().unwrap();
        let kl = divergence(&clean, &edited);
        assert!(kl > 1e-4, "the edit does something: {kl}");
        assert!((damage.kl - kl).abs() < 1e-5, "{} {kl}", damage.kl);
        let beside = divergence(&outside(&clean), &outside(&edited));
        assert!((damage.outside - beside).abs() < 1e-5, "{} {beside}", damage.outside);
        assert_eq!(damage.flipped, top(&clean) != top(&edited));
        assert_eq!(tops[pair.row] as usize, top(&clean));
    }
}

#[test]
fn nothing_does_nothing_everything_is_not_negative_and_misfits_are_refused() {
    let model = model();
    let stage = stage(&model);
    let capture = capture(&stage);
    let captured = Captured {
        stage: &stage,
        capture: &capture,
    };
    let all = pairs(&classes(&captured));
    let answers = Answers::new(captured, &letters()).unwrap();
    let null = answers.damage(&arms::null(CLASSES), &all, None).unwrap();
    assert!(null[0].iter().all(|d| *d == AnswerDamage::default()));
    for by in [1e-6, 1e-3, 0.1, 40.0] {
        let arm = Arm::fixed("push", vec![push(captured.d(), by); CLASSES]);
        let found = answers.damage(&arm, &all, None).unwrap();
        assert!(found[0].iter().all(|d| d.kl >= 0.0 && d.outside >= 0.0), "{by}");
    }
    let far = [Pair {
        class: 0,
        row: WORDS,
        on: true,
    }];
    assert!(answers.damage(&arms::null(CLASSES), &far, None).is_err());
    assert!(answers.damage(&arms::null(1), &all, None).is_err());
    assert!(Answers::new(captured, &[5000]).is_err());
    // Without tokens to leave out the two divergences are one.
    let whole = Answers::new(captured, &[]).unwrap();
    let arm = Arm::fixed("push", vec![push(captured.d(), 2.0); CLASSES]);
    let found = whole.damage(&arm, &all[..3], None).unwrap();
    assert!(found[0].iter().all(|d| d.kl == d.outside && d.kl > 0.0));
}
