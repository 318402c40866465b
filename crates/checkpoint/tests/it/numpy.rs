//! Files that `NumPy` wrote, against the numbers it was given.

use std::collections::BTreeMap;

use checkpoint::{Checkpoint, CheckpointError, WeightFormat, read_json};

use crate::build::Zip;
use crate::support::{fixture, open_as, says};

/// Numbers of any type.
fn numbers(found: &Checkpoint, name: &str) -> Vec<f64> {
    let view = found.get(name).unwrap_or_else(|error| panic!("{error}"));
    let integers = || view.to_i64().expect("neither floats nor integers");
    view.to_f64()
        .unwrap_or_else(|_| integers().into_iter().map(|value| value as f64).collect())
}

#[test]
fn every_type_stored_and_deflated() {
    let expected: BTreeMap<String, Vec<f64>> = read_json(&fixture("arrays.json")).expect("numbers");
    for file in ["arrays.npz", "arrays_deflated.npz"] {
        let found = Checkpoint::open(&fixture(file)).expect("an archive");
        assert_eq!(found.format(), WeightFormat::Npz);
        for (name, expected) in &expected {
            assert_eq!(&numbers(&found, name), expected, "{name} in {file}");
        }
        assert_eq!(found.get("fortran").expect("a matrix").shape, [3, 4]);
        assert_eq!(found.get("fortran3").expect("a tensor").shape, [2, 3, 4]);
        assert_eq!(found.get("empty").expect("a matrix").shape, [0, 4]);
        assert!(found.get("scalar").expect("a number").shape.is_empty());
        for (name, kind) in [
            ("big", "big-endian; save `a.astype('<f4')`"),
            ("bf16", "bfloat16"),
            ("u4", "`<u4`"),
            ("text", "`<U2`"),
            ("object", "Python objects"),
            ("record", "records"),
        ] {
            says(&found.get(name).expect_err(name), &[name, file, kind]);
        }
    }
}

#[test]
fn one_array() {
    let found = Checkpoint::open(&fixture("one.npy")).expect("an array");
    assert_eq!(found.format(), WeightFormat::Npy);
    assert_eq!(found.names().collect::<Vec<_>>(), ["one"]);
    assert_eq!(numbers(&found, "one"), (0..12).map(f64::from).collect::<Vec<_>>());
    assert_eq!(found.total_bytes(), 48);
}

fn npy(version: u8, header: &str, data: &[u8]) -> Vec<u8> {
    let length = (header.len() as u32).to_le_bytes();
    let length = &length[..if version == 1 { 2 } else { 4 }];
    [b"\x93NUMPY", &[version, 0][..], length, header.as_bytes(), data].concat()
}

#[test]
fn versions_and_spellings_of_the_header() {
    for (version, header) in [
        (1, "{'descr': '<f4', 'fortran_order': False, 'shape': (2L,), }     \n"),
        (2, "{\"shape\":(2,),\"fortran_order\":True,\"descr\":\"<f4\"}"),
        (3, "{'descr': '<f4', 'fortran_order': False, 'shape': (1, 2)}"),
    ] {
        let bytes = npy(version, header, &[1.0_f32, 2.0].map(f32::to_le_bytes).concat());
        let found = open_as("a.b.npy", &bytes).unwrap_or_else(|error| panic!("{header}: {error}"));
        assert_eq!(numbers(&found, "a.b"), [1., 2.]);
    }
    let named = npy(
        1,
        "{'descr': 'bfloat16', 'fortran_order': False, 'shape': ()}",
        &[0x80, 0x3f],
    );
    assert_eq!(numbers(&open_as("a.npy", &named).expect("named"), "a"), [1.]);
}

#[test]
fn malformed_arrays() {
    let fine = "{'descr': '<f4', 'fortran_order': False, 'shape': (2,)}";
    for (bytes, reason) in [
        (npy(1, fine, &[0; 7]), "is truncated"),
        (npy(1, fine, &[0; 9]), "does not fit its 9 bytes"),
        (npy(4, fine, &[0; 8]), "version 4"),
        (npy(1, fine, &[])[..30].to_vec(), "ends within its header"),
        (
            npy(1, &fine.replace('2', "9223372036854775807, 4"), &[0; 8]),
            "does not fit",
        ),
        (npy(1, &fine.replace('2', "-2"), &[0; 8]), "not a Python dictionary"),
        (npy(1, &fine.replace("'descr': '<f4', ", ""), &[0; 8]), "lacks `descr`"),
        (npy(1, &fine.replace("'shape'", "'form'"), &[0; 8]), "unexpected `form`"),
        (npy(1, "[]", &[0; 8]), "not a Python dictionary"),
        (npy(1, &fine.replace("2,", &"1,".repeat(80)), &[0; 4]), "does not fit"),
        (
            [b"\x93NUMPY\x02\0", &u32::MAX.to_le_bytes()[..]].concat(),
            "the limit is",
        ),
    ] {
        let error = open_as("broken.npy", &bytes).expect_err(reason);
        says(&error, &["broken", reason, "hint: "]);
    }
}

#[test]
fn a_deflated_array_is_no_longer_than_its_shape() {
    let header = "{'descr': '<f4', 'fortran_order': False, 'shape': (2,)}";
    let archive = |data: &[u8]| Zip::default().deflated("a.npy", &npy(1, header, data)).finish();
    assert_eq!(
        numbers(&open_as("a.npz", &archive(&[0; 8])).expect("fine"), "a"),
        [0., 0.]
    );
    for length in [4, 12, 1 << 20] {
        let error = open_as("a.npz", &archive(&vec![0; length])).expect_err("another length");
        assert!(matches!(error, CheckpointError::Tensor { .. }), "{error}");
        says(&error, &["`a`", "does not fit"]);
    }
}

#[test]
fn other_members_are_passed_over() {
    let array = npy(1, "{'descr': '|u1', 'fortran_order': False, 'shape': ()}", &[7]);
    let bytes = Zip::default()
        .stored("readme.txt", b"x")
        .stored("n.npy", &array)
        .finish();
    let found = open_as("mixed.bin", &bytes).expect("an archive");
    assert_eq!(found.names().collect::<Vec<_>>(), ["n"]);
    let bytes = Zip::default().stored("readme.txt", b"x").finish();
    says(
        &open_as("other.zip", &bytes).expect_err("no weights"),
        &["other.zip", "neither", "hint: "],
    );
}
