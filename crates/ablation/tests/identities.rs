//! Exact identities of edits and scores, on a random Gemma-2 checkpoint.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
#![expect(clippy::float_cmp, reason = "these identities are exact")]

use std::path::PathBuf;

use ablation::effects::log_odds;
use ablation::layers::{WordPair, patch_pairs};
use ablation::{Arm, Bench, Capture, Captured, Directions, Editor, Item, Labelled, Pair, Stage, arms, score};
use model_runner::{Keep, Transformer, testing};

const LAYER: usize = 1;
const WORDS: usize = 60;
const CLASSES: usize = 4;

fn model() -> Transformer {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../model-runner/tests/golden/gemma2");
    testing::open(&folder).unwrap()
}

fn prefixes() -> Vec<Vec<u32>> {
    (0..3)
        .map(|set| (0..12).map(|i| 2 + (set * 131 + i * 29) % 900).collect())
        .collect()
}

fn items() -> Vec<Item> {
    (0..WORDS)
        .map(|w| Item {
            set: w % 3,
            suffix: vec![100 + w as u32 * 7, 20, 21, 22, 23],
        })
        .collect()
}

fn answers() -> [u32; 26] {
    std::array::from_fn(|i| 500 + i as u32 * 3)
}

fn stage(model: &Transformer) -> Stage<'_> {
    Stage::new(model, &prefixes(), items(), &answers()).unwrap()
}

fn capture(stage: &Stage<'_>) -> Capture {
    stage.capture(&[LAYER], None).unwrap().pop().unwrap()
}

/// Class of a word: the better half of the words by how much the random model likes "a" are a,
/// and so on, so that every class exists and some ceiling is positive.
fn classes(stage: &Stage<'_>, capture: &Capture) -> Vec<usize> {
    let clean = stage.clean_logits(capture).unwrap();
    let mut order: Vec<usize> = (0..WORDS).collect();
    order.sort_by(|&a, &b| log_odds(&clean[a], 0).total_cmp(&log_odds(&clean[b], 0)));
    let mut class_of = vec![0; WORDS];
    for (rank, &row) in order.iter().enumerate() {
        class_of[row] = (WORDS - 1 - rank) * CLASSES / WORDS;
    }
    class_of
}

fn labelled(capture: &Capture, y: Vec<usize>) -> Labelled {
    Labelled {
        x: capture.sites(),
        y,
        d: capture.d(),
        classes: CLASSES,
    }
}

fn pairs(class_of: &[usize]) -> Vec<Pair> {
    let every = |class: usize| {
        class_of.iter().enumerate().map(move |(row, &own)| Pair {
            class,
            row,
            on: own == class,
        })
    };
    (0..CLASSES).flat_map(every).collect()
}

#[test]
fn prefix_reuse_equals_full_forward_passes() {
    let model = model();
    let stage = stage(&model);
    let capture = capture(&stage);
    let d = capture.d();
    let rows: Vec<usize> = (0..WORDS).chain(0..5).collect();
    let vectors: Vec<f32> = rows
        .iter()
        .enumerate()
        .flat_map(|(edit, &row)| {
            capture
                .site(row)
                .iter()
                .enumerate()
                .map(move |(j, x)| x + ((edit * 31 + j) as f32).sin())
                .collect::<Vec<_>>()
        })
        .collect();
    let fast = stage.edited_logits(&capture, &rows, &vectors).unwrap();
    let head = model.unembedding(&answers()).unwrap();
    for (edit, &row) in rows.iter().enumerate() {
        let item = &items()[row];
        let mut ids = prefixes()[item.set].clone();
        let word = ids.len();
        ids.extend(&item.suffix);
        let mut x = model
            .run(model.embed(&ids, 1, 0).unwrap(), 1, 0..LAYER + 1, None, Keep::All)
            .unwrap();
        x[word * d..(word + 1) * d].copy_from_slice(&vectors[edit * d..(edit + 1) * d]);
        let last = model.run(x, 1, LAYER + 1..4, None, Keep::Last).unwrap();
        for (a, b) in fast[edit].iter().zip(model.logits(&last, &head)) {
            // Logits are capped at 8; 2e-5 is a few roundings of four layers at the stream's scale of 30.
            assert!((a - b).abs() < 2e-5, "edit {edit}: {a} {b}");
        }
    }
}

#[test]
fn null_is_zero_full_site_is_one_and_the_rows_say_so_again() {
    let model = model();
    let stage = stage(&model);
    let capture = capture(&stage);
    let class_of = classes(&stage, &capture);
    let train = labelled(&capture, class_of.clone());
    let directions = Directions::fit(&train, 0).unwrap();
    let full = arms::full_site(&directions);
    let donors: Vec<Option<usize>> = (0..WORDS)
        .map(|row| (0..WORDS).find(|&o| o % 3 == row % 3 && class_of[o] != class_of[row]))
        .collect();
    let letters = (0..CLASSES).collect();
    let captured = Captured {
        stage: &stage,
        capture: &capture,
    };
    let bench = Bench::new(&captured, letters, class_of.clone(), pairs(&class_of), donors, &full).unwrap();
    let scored = |arm: &Arm| {
        let measured = bench.measure(arm, None, true).unwrap();
        score(&bench.rows(&measured, |row| row.to_string())).unwrap()
    };
    for s in scored(&arms::null(CLASSES)).letters.values() {
        assert_eq!(
            (s.ms, s.o_mean, s.o_max, s.m_star, s.fi, s.effect),
            (0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
        );
        assert!(s.ms_patch.is_none_or(|ms| ms == 0.0));
    }
    let all = scored(&full);
    assert!(!all.letters.is_empty());
    for s in all.letters.values() {
        assert_eq!((s.ms, s.o_mean, s.o_max, s.m_star, s.fi), (1.0, 1.0, 1.0, 0.0, 1.0));
        assert!(s.ms_patch.is_none_or(|ms| ms == 1.0));
    }
    // A norm-matched random edit is as long as its control on every word.
    let leace = arms::leace_1(&directions, &train);
    let random = arms::random(&leace, capture.d(), 2, 7);
    let lengths = |arm: &Arm| -> Vec<f32> {
        let measured = bench.measure(arm, None, false).unwrap();
        bench
            .rows(&measured, |row| row.to_string())
            .iter()
            .filter(|r| r.draw == 0)
            .map(|r| r.dose)
            .collect()
    };
    for (a, b) in lengths(&leace).iter().zip(lengths(&random)) {
        assert!((a - b).abs() < 1e-6);
    }
}

#[test]
fn patching_a_word_from_itself_changes_nothing() {
    // At the word itself a patch is no change, up to the rounding of differently sized batches.
    let model = model();
    let stage = stage(&model);
    let capture = capture(&stage);
    let clean = stage.clean_logits(&capture).unwrap();
    let pair = |row: usize, donor: usize| WordPair {
        row,
        donor,
        from: 0,
        to: 1,
    };
    let effects = patch_pairs(&stage, &capture, &clean, &[pair(3, 3), pair(3, 6)]).unwrap();
    assert!(effects[0].patched.abs() < 1e-5 && effects[0].total == 0.0);
    assert!(effects[1].patched.abs() > 1e-3 && effects[1].total != 0.0);
}

#[test]
fn edits_that_cannot_apply_are_refused() {
    let model = model();
    let stage = stage(&model);
    let capture = capture(&stage);
    assert!(
        stage
            .edited_logits(&capture, &[WORDS], &vec![0.0; capture.d()])
            .is_err()
    );
    assert!(
        stage
            .edited_logits(&capture, &[0], &vec![0.0; capture.d() - 1])
            .is_err()
    );
    assert!(stage.capture(&[9], None).is_err());
    let captured = Captured {
        stage: &stage,
        capture: &capture,
    };
    let class_of = vec![0; WORDS];
    let none = vec![None; WORDS];
    let short = Arm::fixed("full-site", vec![Editor::FullSite { target: vec![0.0; 3] }; CLASSES]);
    let letters: Vec<usize> = (0..CLASSES).collect();
    assert!(
        Bench::new(
            &captured,
            letters.clone(),
            class_of.clone(),
            pairs(&class_of),
            none.clone(),
            &short
        )
        .is_err()
    );
    assert!(Bench::new(&captured, letters, class_of, Vec::new(), none, &short).is_err());
    let uneven = vec![
        Item {
            set: 0,
            suffix: vec![1, 2],
        },
        Item {
            set: 0,
            suffix: vec![1],
        },
    ];
    assert!(Stage::new(&model, &prefixes(), uneven, &answers()).is_err());
}
