//! Bytes from elsewhere never panic, and never allocate what they merely claim.

use std::path::Path;

use checkpoint::write::TensorData;
use checkpoint::{Checkpoint, CheckpointError};
use proptest::prelude::*;

use crate::support::{folder, raw, says, write};

fn small() -> Vec<u8> {
    let folder = folder();
    let path = folder.path().join("small.safetensors");
    write(
        &path,
        &[
            TensorData::f32("a", &[2, 3], &[1.; 6]),
            TensorData::i64("b", &[1], &[5]),
            TensorData::bf16("c", &[3], &[2.; 3]),
        ],
    );
    fs_err::read(&path).expect("read")
}

fn open(folder: &Path, bytes: &[u8]) -> Result<Checkpoint, CheckpointError> {
    let path = folder.join("damaged.safetensors");
    fs_err::write(&path, bytes).expect("write");
    Checkpoint::open(&path)
}

/// Opens a file and uses everything in it.
fn exercise(folder: &Path, bytes: &[u8]) -> Result<Vec<(String, Vec<usize>)>, CheckpointError> {
    let checkpoint = open(folder, bytes)?;
    let mut found = Vec::new();
    for name in checkpoint.names() {
        let Ok(view) = checkpoint.get(name) else {
            continue;
        };
        assert_eq!(
            view.shape.iter().product::<usize>() * view.dtype.size(),
            view.bytes.len()
        );
        let _ = (view.to_f32(), view.to_f64(), view.to_i64(), view.rows_f32(&[0]));
        found.push((name.to_owned(), view.shape.to_vec()));
    }
    Ok(found)
}

#[test]
fn truncated_at_every_byte() {
    let folder = folder();
    let bytes = small();
    exercise(folder.path(), &bytes).expect("the whole file is fine");
    for length in 0..bytes.len() {
        let error = open(folder.path(), &bytes[..length]).expect_err("a truncated file");
        assert!(
            matches!(error, CheckpointError::Truncated { .. }),
            "at {length}: {error}"
        );
        says(&error, &["damaged.safetensors", "hint: ", "truncated"]);
    }
}

#[test]
fn forged_headers() {
    let folder = folder();
    let entry = |dtype: &str, shape: &str, offsets: &str| {
        format!(r#"{{"x":{{"dtype":"{dtype}","shape":{shape},"data_offsets":{offsets}}}}}"#)
    };
    let wrong = [
        (entry("F32", "[2]", "[0,4]"), "does not fit"),
        (entry("F32", "[1]", "[0,3]"), "does not fit"),
        (entry("F32", "[4294967296,4294967296,4]", "[0,4]"), "does not fit"),
        (entry("F32", "[1]", "[4,8]"), "offsets 4..8"),
        (entry("F32", "[1]", "[4,0]"), "offsets 4..0"),
        (entry("F32", "[1]", "[0,99999999999999999999]"), "bad header"),
        (entry("F32", "[-1]", "[0,4]"), "bad header"),
        (entry("NEW", "[1]", "[0,2]"), "2 bytes follow"),
        (r#"{"x":{"dtype":"F32"}}"#.to_owned(), "missing field `shape`"),
        ("[]".to_owned(), "bad header"),
        ("{".to_owned(), "bad header"),
        ("{\"\u{1}".to_owned(), "bad header"),
        (format!("{}1{}", "[".repeat(5000), "]".repeat(5000)), "bad header"),
        (r#"{"__metadata__":{"a":1}}"#.to_owned(), "bad header"),
    ];
    for (header, reason) in wrong {
        let error = open(folder.path(), &raw(&header, &[0; 4])).expect_err("a forged header");
        assert!(matches!(error, CheckpointError::Header { .. }), "{header}: {error}");
        says(&error, &["damaged.safetensors", reason]);
    }
    let overlap =
        r#"{"x":{"dtype":"U8","shape":[3],"data_offsets":[0,3]},"y":{"dtype":"U8","shape":[2],"data_offsets":[2,4]}}"#;
    says(
        &open(folder.path(), &raw(overlap, &[0; 4])).expect_err("overlap"),
        &["`y`", "offsets 2..4", "ends at 3"],
    );
}

#[test]
fn offsets_near_the_end_of_the_address_space() {
    // Each tensor is consistent, and the sum of the lengths plus the header overflows 64 bits.
    let size = 1_usize << 60;
    let entries: Vec<String> = (0..16)
        .map(|i| {
            let end = (i + 1_usize).saturating_mul(size);
            let length = end - i * size;
            format!(
                r#""t{i:02}":{{"dtype":"U8","shape":[{length}],"data_offsets":[{},{end}]}}"#,
                i * size
            )
        })
        .collect();
    let folder = folder();
    let error = open(folder.path(), &raw(&format!("{{{}}}", entries.join(",")), &[0; 4])).expect_err("impossible");
    says(&error, &["damaged.safetensors"]);
}

#[test]
fn huge_claims_do_not_allocate() {
    let folder = folder();
    for claim in [u64::MAX, 1 << 60, 100_000_001] {
        let bytes = [&claim.to_le_bytes()[..], b"{}"].concat();
        let error = open(folder.path(), &bytes).expect_err("a huge header");
        says(&error, &["damaged.safetensors", &claim.to_string()]);
    }
    let within_limit = [&100_000_000_u64.to_le_bytes()[..], b"{}"].concat();
    says(
        &open(folder.path(), &within_limit).expect_err("truncated"),
        &["truncated", "100000000"],
    );
}

#[test]
fn foreign_files_are_recognised() {
    let folder = folder();
    for (bytes, hint) in [
        (
            &b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n"[..],
            "git lfs pull",
        ),
        (b"<!DOCTYPE html><html></html>", "web page"),
        (b"{\"model_type\": \"gemma2\"}", "JSON"),
        (b"\x10\x00\x00\x00\x00\x00\x00\x00 something", "fetch it again"),
    ] {
        says(
            &open(folder.path(), bytes).expect_err("not safetensors"),
            &["damaged.safetensors", "not a valid", hint],
        );
    }
    says(&open(folder.path(), b"").expect_err("empty"), &["truncated", "0 bytes"]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn random_corruption(edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4)) {
        let folder = folder();
        let mut bytes = small();
        let original = exercise(folder.path(), &bytes).expect("the whole file is fine");
        let header = 8 + usize::try_from(u64::from_le_bytes(bytes[..8].try_into().expect("8 bytes"))).expect("small");
        let mut header_changed = false;
        for (index, value) in edits {
            let index = index.index(bytes.len());
            header_changed |= index < header && bytes[index] != value;
            bytes[index] = value;
        }
        let result = exercise(folder.path(), &bytes);
        if !header_changed {
            prop_assert_eq!(result.expect("an intact header"), original);
        } else if let Err(error) = result {
            prop_assert!(error.to_string().contains("damaged.safetensors"));
        }
    }

    #[test]
    fn random_bytes(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        let folder = folder();
        let _ = exercise(folder.path(), &bytes);
        let _ = exercise(folder.path(), &[&(bytes.len() as u64).to_le_bytes(), &bytes[..]].concat());
    }
}
