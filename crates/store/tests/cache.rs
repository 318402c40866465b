//! The cache of activations: what goes in comes out, damage is named, and size is bounded.

use std::time::{Duration, SystemTime};

use proptest::prelude::*;
use store::{Activations, Matrix, Source, StoreError};

fn source(prompts: &str) -> Source {
    Source {
        model: "tiny".to_owned(),
        model_hash: "m".to_owned(),
        hook: "blocks.1.hook_resid_post".to_owned(),
        prompts_hash: prompts.to_owned(),
        dtype: "f32".to_owned(),
        device: "flex".to_owned(),
        engine: 1,
    }
}

fn matrix(rows: usize, width: usize) -> Matrix {
    let values = (0..rows * width).map(|i| (i as f32 * 0.37).sin()).collect();
    Matrix { width, values }
}

#[test]
fn what_goes_in_comes_out_and_other_inputs_are_other_names() {
    let folder = tempfile::tempdir().unwrap();
    let cache = Activations::open(&folder.path().join("deep/er"));
    assert!(cache.get(&source("a")).unwrap().is_none() && cache.list().unwrap().is_empty());
    let kept = matrix(700, 513);
    assert!(cache.put(&source("a"), &kept, u64::MAX).unwrap());
    assert_eq!(cache.get(&source("a")).unwrap().unwrap(), kept);
    for other in [
        source("b"),
        Source {
            engine: 2,
            ..source("a")
        },
        Source {
            dtype: "bf16".to_owned(),
            ..source("a")
        },
    ] {
        assert!(cache.get(&other).unwrap().is_none());
    }
    let listed = cache.list().unwrap();
    let state = listed[0].state.as_ref().unwrap();
    assert_eq!((listed.len(), state.rows, state.width), (1, 700, 513));
    assert!(cache.verify().unwrap()[0].state.is_ok());
    let uneven = Matrix {
        width: 4,
        values: vec![0.0; 6],
    };
    assert!(cache.put(&source("c"), &uneven, u64::MAX).is_err());
    assert_eq!(cache.list().unwrap().len(), 1, "nothing half-written stays");
}

#[test]
fn the_one_used_longest_ago_goes_first() {
    let folder = tempfile::tempdir().unwrap();
    let cache = Activations::open(folder.path());
    for (age, name) in [(30, "a"), (20, "b"), (10, "c")] {
        cache.put(&source(name), &matrix(100, 10), u64::MAX).unwrap();
        let path = folder.path().join(format!("{}.act", source(name).key().unwrap()));
        let then = SystemTime::now() - Duration::from_mins(age);
        fs_err::File::options()
            .append(true)
            .open(path)
            .unwrap()
            .set_modified(then)
            .unwrap();
    }
    // Reading makes `a` the newest.
    assert!(cache.get(&source("a")).unwrap().is_some());
    let one = cache.list().unwrap()[0].bytes;
    assert!(cache.put(&source("d"), &matrix(100, 10), 3 * one + 4096).unwrap());
    let left: Vec<String> = cache
        .list()
        .unwrap()
        .into_iter()
        .map(|entry| entry.state.unwrap().source.prompts_hash)
        .collect();
    assert_eq!(left.len(), 3);
    assert!(!left.contains(&"b".to_owned()) && left.contains(&"a".to_owned()));
    assert!(!cache.put(&source("e"), &matrix(100, 10), 4_000).unwrap(), "too large");
    assert_eq!(cache.shrink(0).unwrap().len(), 3);
}

#[test]
fn a_file_under_another_name_is_found_out() {
    let folder = tempfile::tempdir().unwrap();
    let cache = Activations::open(folder.path());
    cache.put(&source("a"), &matrix(3, 2), u64::MAX).unwrap();
    let name = |s: &str| folder.path().join(format!("{}.act", source(s).key().unwrap()));
    fs_err::rename(name("a"), name("b")).unwrap();
    assert!(matches!(cache.get(&source("b")), Err(StoreError::CorruptCache { .. })));
    assert!(cache.verify().unwrap()[0].state.is_err());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]
    #[test]
    fn no_damage_goes_unnoticed(at in 0usize..10_000, flip in 1u8..=255, cut in proptest::bool::ANY) {
        let folder = tempfile::tempdir().unwrap();
        let cache = Activations::open(folder.path());
        cache.put(&source("a"), &matrix(40, 7), u64::MAX).unwrap();
        let path = folder.path().join(format!("{}.act", source("a").key().unwrap()));
        let mut bytes = fs_err::read(&path).unwrap();
        let at = at % bytes.len();
        if cut {
            bytes.truncate(at);
        } else {
            bytes[at] ^= flip;
        }
        fs_err::write(&path, &bytes).unwrap();
        // A name in the header may change its letters and still be a header: then the source differs.
        let found = cache.get(&source("a"));
        prop_assert!(matches!(found, Err(StoreError::CorruptCache { .. })), "{found:?}");
    }
}
