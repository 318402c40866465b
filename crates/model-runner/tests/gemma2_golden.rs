//! The random Gemma-2 checkpoint of `tests/golden/gemma2` against what `transformers` 4.57.6
//! (torch 2.7.1, f32, eager attention) computed on it.
//!
//! Tolerance 2e-4 absolute: the reference itself differs from f64 by up to 3e-5 in the logits, and
//! a different order of summation over 4 layers adds the same again several times.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::PathBuf;

use checkpoint::Checkpoint;
use model_runner::{Keep, Tokenizer, testing};
use tasks::Tokenize;

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden/gemma2")
}

fn golden() -> Checkpoint {
    Checkpoint::open(&folder().join("golden.safetensors")).unwrap()
}

fn ids() -> Vec<u32> {
    golden()
        .get("input_ids")
        .unwrap()
        .to_i64()
        .unwrap()
        .iter()
        .map(|&id| id as u32)
        .collect()
}

#[test]
fn any_split_into_prefix_and_layer_ranges_equals_the_full_run() {
    let model = testing::open(&folder()).unwrap();
    let ids = ids();
    let (first, second) = ids.split_at(24);
    for prompt in [first, second] {
        let full = model
            .run(model.embed(prompt, 1, 0).unwrap(), 1, 0..4, None, Keep::All)
            .unwrap();
        for split in [1, 7, 13, 18, 23] {
            let prefix = model.prefix(&prompt[..split], 4, None).unwrap();
            assert_eq!((prefix.len(), prefix.layers()), (split, 4));
            for cut in 0..=4 {
                let x = model.embed(&prompt[split..], 1, split).unwrap();
                let x = model.run(x, 1, 0..cut, Some(&prefix), Keep::All).unwrap();
                let x = model.run(x, 1, cut..4, Some(&prefix), Keep::All).unwrap();
                same(&x, &full[split * 64..], 1e-5);
            }
            let x = model.embed(&prompt[split..], 1, split).unwrap();
            let last = model.run(x, 1, 0..4, Some(&prefix), Keep::Last).unwrap();
            same(&last, &full[23 * 64..], 1e-5);
            if split == 23 {
                continue;
            }
            let longer = model.prefix(&prompt[split..23], 4, Some(&prefix)).unwrap();
            let last = model
                .run(
                    model.embed(&prompt[23..], 1, 23).unwrap(),
                    1,
                    0..4,
                    Some(&longer),
                    Keep::All,
                )
                .unwrap();
            same(&last, &full[23 * 64..], 1e-5);
        }
    }
}

#[test]
fn batch_size_and_order_change_nothing() {
    let model = testing::open(&folder()).unwrap();
    let ids = ids();
    let prefix = model.prefix(&ids[..18], 4, None).unwrap();
    let tails: Vec<Vec<u32>> = (0..9)
        .map(|i| (0..6).map(|j| (i * 37 + j * 11 + 5) % 1000).collect())
        .collect();
    let run = |order: &[usize]| {
        let tokens: Vec<u32> = order.iter().flat_map(|&i| tails[i].clone()).collect();
        model
            .run(
                model.embed(&tokens, order.len(), 18).unwrap(),
                order.len(),
                0..4,
                Some(&prefix),
                Keep::Last,
            )
            .unwrap()
    };
    let together = run(&[0, 1, 2, 3, 4, 5, 6, 7, 8]);
    let reversed = run(&[8, 7, 6, 5, 4, 3, 2, 1, 0]);
    for i in 0..9 {
        same(&run(&[i]), &together[i * 64..(i + 1) * 64], 1e-5);
        same(
            &reversed[(8 - i) * 64..(9 - i) * 64],
            &together[i * 64..(i + 1) * 64],
            1e-5,
        );
    }
}

#[test]
fn bad_runs_are_refused_before_anything_is_computed() {
    let model = testing::open(&folder()).unwrap();
    let x = || model.embed(&[5, 6, 7], 1, 0).unwrap();
    assert!(model.run(x(), 1, 0..5, None, Keep::All).is_err());
    assert!(model.run(x(), 2, 0..4, None, Keep::All).is_err());
    assert!(model.run(x(), 0, 0..4, None, Keep::All).is_err());
    let short = model.prefix(&[2], 2, None).unwrap();
    assert!(model.run(x(), 1, 0..4, Some(&short), Keep::All).is_err());
    assert!(model.embed(&[1000], 1, 0).is_err());
}

#[test]
fn the_tokenizer_equals_the_reference() {
    let tokenizer = Tokenizer::open(&folder(), Some(2)).unwrap();
    let golden: serde_json::Value = checkpoint::read_json_value(&folder().join("tokenizer_golden.json")).unwrap();
    let list = |value: &serde_json::Value| -> Vec<u32> {
        value
            .as_array()
            .unwrap()
            .iter()
            .map(|id| id.as_u64().unwrap() as u32)
            .collect()
    };
    let cases = golden["cases"].as_array().unwrap();
    assert!(cases.len() > 5);
    for case in cases {
        let text = case["text"].as_str().unwrap();
        let with = case.get("ids_with_special").or_else(|| case.get("ids")).unwrap();
        assert_eq!(tokenizer.encode_with_special(text).unwrap(), list(with), "{text:?}");
    }
    let strings = golden["per_token_string"].as_array().unwrap();
    let mut checked = 0;
    for (id, want) in strings.iter().enumerate() {
        let want = want.as_str().unwrap();
        let word = want.strip_prefix(' ').unwrap_or(want);
        if !word.is_empty() && word.bytes().all(|b| b.is_ascii_alphabetic()) {
            assert_eq!(tokenizer.token_string(id as u32).as_deref(), Some(want));
            checked += 1;
        }
    }
    assert!(checked > 100, "{checked}");
}

#[track_caller]
fn same(a: &[f32], b: &[f32], tolerance: f32) {
    assert_eq!(a.len(), b.len());
    let worst = a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    // The stream's values reach about 30 here, so 1e-5 is relative to its scale.
    let scale = b.iter().map(|v| v.abs()).fold(1.0, f32::max);
    assert!(worst <= tolerance * scale, "max difference {worst:e} at scale {scale}");
}
